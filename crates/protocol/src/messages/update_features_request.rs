// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `UpdateFeaturesRequest`: request of API 57, versions 0 to 2.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateFeaturesRequest<'a> {
    pub timeout_ms: i32,
    pub feature_updates: Vec<FeatureUpdateKey<'a>>,
    pub validate_only: bool,
}

impl Default for UpdateFeaturesRequest<'_> {
    fn default() -> Self {
        Self { timeout_ms: 60000, feature_updates: Vec::new(), validate_only: false }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct FeatureUpdateKey<'a> {
    pub feature: Str<'a>,
    pub max_version_level: i16,
    pub allow_downgrade: bool,
    pub upgrade_type: i8,
}

impl Default for FeatureUpdateKey<'_> {
    fn default() -> Self {
        Self { feature: Default::default(), max_version_level: 0, allow_downgrade: false, upgrade_type: 1 }
    }
}

impl<'a> UpdateFeaturesRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            timeout_ms: r.i32()?,
            feature_updates: r.array(|r| FeatureUpdateKey::read(r, version))?,
            validate_only: if version >= 1 { r.bool()? } else { false },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.timeout_ms);
        w.array_len(self.feature_updates.len());
        for item in &self.feature_updates {
            item.write(w, version);
        }
        if version >= 1 {
            w.bool(self.validate_only);
        } else if self.validate_only {
            w.unsupported("UpdateFeaturesRequest.validate_only");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> UpdateFeaturesRequest<'static> {
        UpdateFeaturesRequest {
            timeout_ms: self.timeout_ms,
            feature_updates: self.feature_updates.into_iter().map(FeatureUpdateKey::into_owned).collect(),
            validate_only: self.validate_only,
        }
    }
}

impl<'a> FeatureUpdateKey<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            feature: r.string()?,
            max_version_level: r.i16()?,
            allow_downgrade: if version <= 0 { r.bool()? } else { false },
            upgrade_type: if version >= 1 { r.i8()? } else { 1 },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.feature);
        w.i16(self.max_version_level);
        if version <= 0 {
            w.bool(self.allow_downgrade);
        } else if self.allow_downgrade {
            w.unsupported("FeatureUpdateKey.allow_downgrade");
        }
        if version >= 1 {
            w.i8(self.upgrade_type);
        } else if self.upgrade_type != 1 {
            w.unsupported("FeatureUpdateKey.upgrade_type");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> FeatureUpdateKey<'static> {
        FeatureUpdateKey {
            feature: Cow::Owned(self.feature.into_owned()),
            max_version_level: self.max_version_level,
            allow_downgrade: self.allow_downgrade,
            upgrade_type: self.upgrade_type,
        }
    }
}

impl<'a> Message<'a> for UpdateFeaturesRequest<'a> {
    const NAME: &'static str = "UpdateFeaturesRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    const FIRST_FLEXIBLE: i16 = 0;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 2), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 2), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for UpdateFeaturesRequest<'a> {
    const KEY: ApiKey = ApiKey::UpdateFeatures;
    type Response<'r> = crate::messages::UpdateFeaturesResponse<'r>;
}
