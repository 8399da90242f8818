// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `AlterClientQuotasResponse`: response of API 49, versions 0 to 1.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct AlterClientQuotasResponse<'a> {
    pub throttle_time_ms: i32,
    pub entries: Vec<EntryData<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct EntryData<'a> {
    pub error_code: i16,
    pub error_message: Option<Str<'a>>,
    pub entity: Vec<EntityData<'a>>,
}

impl Default for EntryData<'_> {
    fn default() -> Self {
        Self { error_code: 0, error_message: Some(Str::Borrowed("")), entity: Vec::new() }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct EntityData<'a> {
    pub entity_type: Str<'a>,
    pub entity_name: Option<Str<'a>>,
}

impl Default for EntityData<'_> {
    fn default() -> Self {
        Self { entity_type: Default::default(), entity_name: Some(Str::Borrowed("")) }
    }
}

impl<'a> AlterClientQuotasResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { throttle_time_ms: r.i32()?, entries: r.array(|r| EntryData::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.throttle_time_ms);
        w.array_len(self.entries.len());
        for item in &self.entries {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AlterClientQuotasResponse<'static> {
        AlterClientQuotasResponse {
            throttle_time_ms: self.throttle_time_ms,
            entries: self.entries.into_iter().map(EntryData::into_owned).collect(),
        }
    }
}

impl<'a> EntryData<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            error_code: r.i16()?,
            error_message: r.nullable_string()?,
            entity: r.array(|r| EntityData::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i16(self.error_code);
        w.nullable_string(self.error_message.as_deref());
        w.array_len(self.entity.len());
        for item in &self.entity {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> EntryData<'static> {
        EntryData {
            error_code: self.error_code,
            error_message: self.error_message.map(|x| Cow::Owned(x.into_owned())),
            entity: self.entity.into_iter().map(EntityData::into_owned).collect(),
        }
    }
}

impl<'a> EntityData<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { entity_type: r.string()?, entity_name: r.nullable_string()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.entity_type);
        w.nullable_string(self.entity_name.as_deref());
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> EntityData<'static> {
        EntityData {
            entity_type: Cow::Owned(self.entity_type.into_owned()),
            entity_name: self.entity_name.map(|x| Cow::Owned(x.into_owned())),
        }
    }
}

impl<'a> Message<'a> for AlterClientQuotasResponse<'a> {
    const NAME: &'static str = "AlterClientQuotasResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=1;
    const FIRST_FLEXIBLE: i16 = 1;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 1), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 1), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Response<'a> for AlterClientQuotasResponse<'a> {
    const KEY: ApiKey = ApiKey::AlterClientQuotas;
}
