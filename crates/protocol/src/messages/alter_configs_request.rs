// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `AlterConfigsRequest`: request of API 33, versions 0 to 2.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct AlterConfigsRequest<'a> {
    pub resources: Vec<AlterConfigsResource<'a>>,
    pub validate_only: bool,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct AlterConfigsResource<'a> {
    pub resource_type: i8,
    pub resource_name: Str<'a>,
    pub configs: Vec<AlterableConfig<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AlterableConfig<'a> {
    pub name: Str<'a>,
    pub value: Option<Str<'a>>,
}

impl Default for AlterableConfig<'_> {
    fn default() -> Self {
        Self { name: Default::default(), value: Some(Str::Borrowed("")) }
    }
}

impl<'a> AlterConfigsRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { resources: r.array(|r| AlterConfigsResource::read(r, version))?, validate_only: r.bool()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.array_len(self.resources.len());
        for item in &self.resources {
            item.write(w, version);
        }
        w.bool(self.validate_only);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AlterConfigsRequest<'static> {
        AlterConfigsRequest {
            resources: self.resources.into_iter().map(AlterConfigsResource::into_owned).collect(),
            validate_only: self.validate_only,
        }
    }
}

impl<'a> AlterConfigsResource<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            resource_type: r.i8()?,
            resource_name: r.string()?,
            configs: r.array(|r| AlterableConfig::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i8(self.resource_type);
        w.string(&self.resource_name);
        w.array_len(self.configs.len());
        for item in &self.configs {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AlterConfigsResource<'static> {
        AlterConfigsResource {
            resource_type: self.resource_type,
            resource_name: Cow::Owned(self.resource_name.into_owned()),
            configs: self.configs.into_iter().map(AlterableConfig::into_owned).collect(),
        }
    }
}

impl<'a> AlterableConfig<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, value: r.nullable_string()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.nullable_string(self.value.as_deref());
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AlterableConfig<'static> {
        AlterableConfig {
            name: Cow::Owned(self.name.into_owned()),
            value: self.value.map(|x| Cow::Owned(x.into_owned())),
        }
    }
}

impl<'a> Message<'a> for AlterConfigsRequest<'a> {
    const NAME: &'static str = "AlterConfigsRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    const FIRST_FLEXIBLE: i16 = 2;

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

impl<'a> Request<'a> for AlterConfigsRequest<'a> {
    const KEY: ApiKey = ApiKey::AlterConfigs;
    type Response<'r> = crate::messages::AlterConfigsResponse<'r>;
}
