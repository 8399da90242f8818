// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `AlterClientQuotasRequest`: request of API 49, versions 0 to 1.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct AlterClientQuotasRequest<'a> {
    pub entries: Vec<EntryData<'a>>,
    pub validate_only: bool,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct EntryData<'a> {
    pub entity: Vec<EntityData<'a>>,
    pub ops: Vec<OpData<'a>>,
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

#[derive(Clone, Debug, PartialEq, Default)]
pub struct OpData<'a> {
    pub key: Str<'a>,
    pub value: f64,
    pub remove: bool,
}

impl<'a> AlterClientQuotasRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { entries: r.array(|r| EntryData::read(r, version))?, validate_only: r.bool()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.array_len(self.entries.len());
        for item in &self.entries {
            item.write(w, version);
        }
        w.bool(self.validate_only);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AlterClientQuotasRequest<'static> {
        AlterClientQuotasRequest {
            entries: self.entries.into_iter().map(EntryData::into_owned).collect(),
            validate_only: self.validate_only,
        }
    }
}

impl<'a> EntryData<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this =
            Self { entity: r.array(|r| EntityData::read(r, version))?, ops: r.array(|r| OpData::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.array_len(self.entity.len());
        for item in &self.entity {
            item.write(w, version);
        }
        w.array_len(self.ops.len());
        for item in &self.ops {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> EntryData<'static> {
        EntryData {
            entity: self.entity.into_iter().map(EntityData::into_owned).collect(),
            ops: self.ops.into_iter().map(OpData::into_owned).collect(),
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

impl<'a> OpData<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { key: r.string()?, value: r.f64()?, remove: r.bool()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.key);
        w.f64(self.value);
        w.bool(self.remove);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> OpData<'static> {
        OpData { key: Cow::Owned(self.key.into_owned()), value: self.value, remove: self.remove }
    }
}

impl<'a> Message<'a> for AlterClientQuotasRequest<'a> {
    const NAME: &'static str = "AlterClientQuotasRequest";
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

impl<'a> Request<'a> for AlterClientQuotasRequest<'a> {
    const KEY: ApiKey = ApiKey::AlterClientQuotas;
    type Response<'r> = crate::messages::AlterClientQuotasResponse<'r>;
}
