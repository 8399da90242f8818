// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `DescribeClientQuotasRequest`: request of API 48, versions 0 to 1.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct DescribeClientQuotasRequest<'a> {
    pub components: Vec<ComponentData<'a>>,
    pub strict: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ComponentData<'a> {
    pub entity_type: Str<'a>,
    pub match_type: i8,
    pub match_: Option<Str<'a>>,
}

impl Default for ComponentData<'_> {
    fn default() -> Self {
        Self { entity_type: Default::default(), match_type: 0, match_: Some(Str::Borrowed("")) }
    }
}

impl<'a> DescribeClientQuotasRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { components: r.array(|r| ComponentData::read(r, version))?, strict: r.bool()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.array_len(self.components.len());
        for item in &self.components {
            item.write(w, version);
        }
        w.bool(self.strict);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DescribeClientQuotasRequest<'static> {
        DescribeClientQuotasRequest {
            components: self.components.into_iter().map(ComponentData::into_owned).collect(),
            strict: self.strict,
        }
    }
}

impl<'a> ComponentData<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { entity_type: r.string()?, match_type: r.i8()?, match_: r.nullable_string()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.entity_type);
        w.i8(self.match_type);
        w.nullable_string(self.match_.as_deref());
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ComponentData<'static> {
        ComponentData {
            entity_type: Cow::Owned(self.entity_type.into_owned()),
            match_type: self.match_type,
            match_: self.match_.map(|x| Cow::Owned(x.into_owned())),
        }
    }
}

impl<'a> Message<'a> for DescribeClientQuotasRequest<'a> {
    const NAME: &'static str = "DescribeClientQuotasRequest";
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

impl<'a> Request<'a> for DescribeClientQuotasRequest<'a> {
    const KEY: ApiKey = ApiKey::DescribeClientQuotas;
    type Response<'r> = crate::messages::DescribeClientQuotasResponse<'r>;
}
