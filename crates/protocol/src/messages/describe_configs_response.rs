// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `DescribeConfigsResponse`: response of API 32, versions 0 to 4.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct DescribeConfigsResponse<'a> {
    pub throttle_time_ms: i32,
    pub results: Vec<DescribeConfigsResult<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DescribeConfigsResult<'a> {
    pub error_code: i16,
    pub error_message: Option<Str<'a>>,
    pub resource_type: i8,
    pub resource_name: Str<'a>,
    pub configs: Vec<DescribeConfigsResourceResult<'a>>,
}

impl Default for DescribeConfigsResult<'_> {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: Some(Str::Borrowed("")),
            resource_type: 0,
            resource_name: Default::default(),
            configs: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct DescribeConfigsResourceResult<'a> {
    pub name: Str<'a>,
    pub value: Option<Str<'a>>,
    pub read_only: bool,
    pub is_default: bool,
    pub config_source: i8,
    pub is_sensitive: bool,
    pub synonyms: Vec<DescribeConfigsSynonym<'a>>,
    pub config_type: i8,
    pub documentation: Option<Str<'a>>,
}

impl Default for DescribeConfigsResourceResult<'_> {
    fn default() -> Self {
        Self {
            name: Default::default(),
            value: Some(Str::Borrowed("")),
            read_only: false,
            is_default: false,
            config_source: -1,
            is_sensitive: false,
            synonyms: Vec::new(),
            config_type: 0,
            documentation: Some(Str::Borrowed("")),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct DescribeConfigsSynonym<'a> {
    pub name: Str<'a>,
    pub value: Option<Str<'a>>,
    pub source: i8,
}

impl Default for DescribeConfigsSynonym<'_> {
    fn default() -> Self {
        Self { name: Default::default(), value: Some(Str::Borrowed("")), source: 0 }
    }
}

impl<'a> DescribeConfigsResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { throttle_time_ms: r.i32()?, results: r.array(|r| DescribeConfigsResult::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.throttle_time_ms);
        w.array_len(self.results.len());
        for item in &self.results {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DescribeConfigsResponse<'static> {
        DescribeConfigsResponse {
            throttle_time_ms: self.throttle_time_ms,
            results: self.results.into_iter().map(DescribeConfigsResult::into_owned).collect(),
        }
    }
}

impl<'a> DescribeConfigsResult<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            error_code: r.i16()?,
            error_message: r.nullable_string()?,
            resource_type: r.i8()?,
            resource_name: r.string()?,
            configs: r.array(|r| DescribeConfigsResourceResult::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i16(self.error_code);
        w.nullable_string(self.error_message.as_deref());
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
    pub fn into_owned(self) -> DescribeConfigsResult<'static> {
        DescribeConfigsResult {
            error_code: self.error_code,
            error_message: self.error_message.map(|x| Cow::Owned(x.into_owned())),
            resource_type: self.resource_type,
            resource_name: Cow::Owned(self.resource_name.into_owned()),
            configs: self.configs.into_iter().map(DescribeConfigsResourceResult::into_owned).collect(),
        }
    }
}

impl<'a> DescribeConfigsResourceResult<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            name: r.string()?,
            value: r.nullable_string()?,
            read_only: r.bool()?,
            is_default: if version <= 0 { r.bool()? } else { false },
            config_source: if version >= 1 { r.i8()? } else { -1 },
            is_sensitive: r.bool()?,
            synonyms: if version >= 1 { r.array(|r| DescribeConfigsSynonym::read(r, version))? } else { Vec::new() },
            config_type: if version >= 3 { r.i8()? } else { 0 },
            documentation: if version >= 3 { r.nullable_string()? } else { Some(Str::Borrowed("")) },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.name);
        w.nullable_string(self.value.as_deref());
        w.bool(self.read_only);
        if version <= 0 {
            w.bool(self.is_default);
        } else if self.is_default {
            w.unsupported("DescribeConfigsResourceResult.is_default");
        }
        if version >= 1 {
            w.i8(self.config_source);
        }
        w.bool(self.is_sensitive);
        if version >= 1 {
            w.array_len(self.synonyms.len());
            for item in &self.synonyms {
                item.write(w, version);
            }
        }
        if version >= 3 {
            w.i8(self.config_type);
        }
        if version >= 3 {
            w.nullable_string(self.documentation.as_deref());
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DescribeConfigsResourceResult<'static> {
        DescribeConfigsResourceResult {
            name: Cow::Owned(self.name.into_owned()),
            value: self.value.map(|x| Cow::Owned(x.into_owned())),
            read_only: self.read_only,
            is_default: self.is_default,
            config_source: self.config_source,
            is_sensitive: self.is_sensitive,
            synonyms: self.synonyms.into_iter().map(DescribeConfigsSynonym::into_owned).collect(),
            config_type: self.config_type,
            documentation: self.documentation.map(|x| Cow::Owned(x.into_owned())),
        }
    }
}

impl<'a> DescribeConfigsSynonym<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, value: r.nullable_string()?, source: r.i8()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.nullable_string(self.value.as_deref());
        w.i8(self.source);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DescribeConfigsSynonym<'static> {
        DescribeConfigsSynonym {
            name: Cow::Owned(self.name.into_owned()),
            value: self.value.map(|x| Cow::Owned(x.into_owned())),
            source: self.source,
        }
    }
}

impl<'a> Message<'a> for DescribeConfigsResponse<'a> {
    const NAME: &'static str = "DescribeConfigsResponse";
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

impl<'a> Response<'a> for DescribeConfigsResponse<'a> {
    const KEY: ApiKey = ApiKey::DescribeConfigs;
}
