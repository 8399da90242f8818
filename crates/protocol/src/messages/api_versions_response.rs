// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `ApiVersionsResponse`: response of API 18, versions 0 to 4.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiVersionsResponse<'a> {
    pub error_code: i16,
    pub api_keys: Vec<ApiVersion>,
    pub throttle_time_ms: i32,
    pub supported_features: Vec<SupportedFeatureKey<'a>>,
    pub finalized_features_epoch: i64,
    pub finalized_features: Vec<FinalizedFeatureKey<'a>>,
    pub zk_migration_ready: bool,
}

impl Default for ApiVersionsResponse<'_> {
    fn default() -> Self {
        Self {
            error_code: 0,
            api_keys: Vec::new(),
            throttle_time_ms: 0,
            supported_features: Vec::new(),
            finalized_features_epoch: -1,
            finalized_features: Vec::new(),
            zk_migration_ready: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct ApiVersion {
    pub api_key: i16,
    pub min_version: i16,
    pub max_version: i16,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct SupportedFeatureKey<'a> {
    pub name: Str<'a>,
    pub min_version: i16,
    pub max_version: i16,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct FinalizedFeatureKey<'a> {
    pub name: Str<'a>,
    pub max_version_level: i16,
    pub min_version_level: i16,
}

impl<'a> ApiVersionsResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let mut this = Self {
            error_code: r.i16()?,
            api_keys: r.array(|r| ApiVersion::read(r, version))?,
            throttle_time_ms: if version >= 1 { r.i32()? } else { 0 },
            supported_features: Vec::new(),
            finalized_features_epoch: -1,
            finalized_features: Vec::new(),
            zk_migration_ready: false,
        };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 if version >= 3 => this.supported_features = r.array(|r| SupportedFeatureKey::read(r, version))?,
                1 if version >= 3 => this.finalized_features_epoch = r.i64()?,
                2 if version >= 3 => this.finalized_features = r.array(|r| FinalizedFeatureKey::read(r, version))?,
                3 if version >= 3 => this.zk_migration_ready = r.bool()?,
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i16(self.error_code);
        w.array_len(self.api_keys.len());
        for item in &self.api_keys {
            item.write(w, version);
        }
        if version >= 1 {
            w.i32(self.throttle_time_ms);
        }
        if w.flexible {
            let mut tags = w.tags();
            if version >= 3 && !self.supported_features.is_empty() {
                w.tag(&mut tags, 0);
                w.array_len(self.supported_features.len());
                for item in &self.supported_features {
                    item.write(w, version);
                }
                w.end_tag(&tags);
            }
            if version >= 3 && self.finalized_features_epoch != -1 {
                w.tag(&mut tags, 1);
                w.i64(self.finalized_features_epoch);
                w.end_tag(&tags);
            }
            if version >= 3 && !self.finalized_features.is_empty() {
                w.tag(&mut tags, 2);
                w.array_len(self.finalized_features.len());
                for item in &self.finalized_features {
                    item.write(w, version);
                }
                w.end_tag(&tags);
            }
            if version >= 3 && self.zk_migration_ready {
                w.tag(&mut tags, 3);
                w.bool(self.zk_migration_ready);
                w.end_tag(&tags);
            }
        }
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ApiVersionsResponse<'static> {
        ApiVersionsResponse {
            error_code: self.error_code,
            api_keys: self.api_keys,
            throttle_time_ms: self.throttle_time_ms,
            supported_features: self.supported_features.into_iter().map(SupportedFeatureKey::into_owned).collect(),
            finalized_features_epoch: self.finalized_features_epoch,
            finalized_features: self.finalized_features.into_iter().map(FinalizedFeatureKey::into_owned).collect(),
            zk_migration_ready: self.zk_migration_ready,
        }
    }
}

impl ApiVersion {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { api_key: r.i16()?, min_version: r.i16()?, max_version: r.i16()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i16(self.api_key);
        w.i16(self.min_version);
        w.i16(self.max_version);
        w.no_tags();
    }
}

impl<'a> SupportedFeatureKey<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, min_version: r.i16()?, max_version: r.i16()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.i16(self.min_version);
        w.i16(self.max_version);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> SupportedFeatureKey<'static> {
        SupportedFeatureKey {
            name: Cow::Owned(self.name.into_owned()),
            min_version: self.min_version,
            max_version: self.max_version,
        }
    }
}

impl<'a> FinalizedFeatureKey<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, max_version_level: r.i16()?, min_version_level: r.i16()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.i16(self.max_version_level);
        w.i16(self.min_version_level);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> FinalizedFeatureKey<'static> {
        FinalizedFeatureKey {
            name: Cow::Owned(self.name.into_owned()),
            max_version_level: self.max_version_level,
            min_version_level: self.min_version_level,
        }
    }
}

impl<'a> Message<'a> for ApiVersionsResponse<'a> {
    const NAME: &'static str = "ApiVersionsResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=4;
    const FIRST_FLEXIBLE: i16 = 3;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 4), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 4), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Response<'a> for ApiVersionsResponse<'a> {
    const KEY: ApiKey = ApiKey::ApiVersions;
}
