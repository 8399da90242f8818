// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `DescribeConfigsRequest`: request of API 32, versions 0 to 4.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct DescribeConfigsRequest<'a> {
    pub resources: Vec<DescribeConfigsResource<'a>>,
    pub include_synonyms: bool,
    pub include_documentation: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DescribeConfigsResource<'a> {
    pub resource_type: i8,
    pub resource_name: Str<'a>,
    pub configuration_keys: Option<Vec<Str<'a>>>,
}

impl Default for DescribeConfigsResource<'_> {
    fn default() -> Self {
        Self { resource_type: 0, resource_name: Default::default(), configuration_keys: Some(Vec::new()) }
    }
}

impl<'a> DescribeConfigsRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            resources: r.array(|r| DescribeConfigsResource::read(r, version))?,
            include_synonyms: if version >= 1 { r.bool()? } else { false },
            include_documentation: if version >= 3 { r.bool()? } else { false },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.array_len(self.resources.len());
        for item in &self.resources {
            item.write(w, version);
        }
        if version >= 1 {
            w.bool(self.include_synonyms);
        } else if self.include_synonyms {
            w.unsupported("DescribeConfigsRequest.include_synonyms");
        }
        if version >= 3 {
            w.bool(self.include_documentation);
        } else if self.include_documentation {
            w.unsupported("DescribeConfigsRequest.include_documentation");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DescribeConfigsRequest<'static> {
        DescribeConfigsRequest {
            resources: self.resources.into_iter().map(DescribeConfigsResource::into_owned).collect(),
            include_synonyms: self.include_synonyms,
            include_documentation: self.include_documentation,
        }
    }
}

impl<'a> DescribeConfigsResource<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            resource_type: r.i8()?,
            resource_name: r.string()?,
            configuration_keys: r.nullable_array(Reader::string)?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i8(self.resource_type);
        w.string(&self.resource_name);
        w.nullable_array_len(self.configuration_keys.as_ref().map(Vec::len));
        for item in self.configuration_keys.iter().flatten() {
            w.string(item);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DescribeConfigsResource<'static> {
        DescribeConfigsResource {
            resource_type: self.resource_type,
            resource_name: Cow::Owned(self.resource_name.into_owned()),
            configuration_keys: self
                .configuration_keys
                .map(|x| x.into_iter().map(|x| Cow::Owned(x.into_owned())).collect()),
        }
    }
}

impl<'a> Message<'a> for DescribeConfigsRequest<'a> {
    const NAME: &'static str = "DescribeConfigsRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=4;
    const FIRST_FLEXIBLE: i16 = 4;

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

impl<'a> Request<'a> for DescribeConfigsRequest<'a> {
    const KEY: ApiKey = ApiKey::DescribeConfigs;
    type Response<'r> = crate::messages::DescribeConfigsResponse<'r>;
}
