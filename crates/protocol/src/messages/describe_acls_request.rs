// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `DescribeAclsRequest`: request of API 29, versions 0 to 3.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribeAclsRequest<'a> {
    pub resource_type_filter: i8,
    pub resource_name_filter: Option<Str<'a>>,
    pub pattern_type_filter: i8,
    pub principal_filter: Option<Str<'a>>,
    pub host_filter: Option<Str<'a>>,
    pub operation: i8,
    pub permission_type: i8,
}

impl Default for DescribeAclsRequest<'_> {
    fn default() -> Self {
        Self {
            resource_type_filter: 0,
            resource_name_filter: Some(Str::Borrowed("")),
            pattern_type_filter: 3,
            principal_filter: Some(Str::Borrowed("")),
            host_filter: Some(Str::Borrowed("")),
            operation: 0,
            permission_type: 0,
        }
    }
}

impl<'a> DescribeAclsRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            resource_type_filter: r.i8()?,
            resource_name_filter: r.nullable_string()?,
            pattern_type_filter: if version >= 1 { r.i8()? } else { 3 },
            principal_filter: r.nullable_string()?,
            host_filter: r.nullable_string()?,
            operation: r.i8()?,
            permission_type: r.i8()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i8(self.resource_type_filter);
        w.nullable_string(self.resource_name_filter.as_deref());
        if version >= 1 {
            w.i8(self.pattern_type_filter);
        } else if self.pattern_type_filter != 3 {
            w.unsupported("DescribeAclsRequest.pattern_type_filter");
        }
        w.nullable_string(self.principal_filter.as_deref());
        w.nullable_string(self.host_filter.as_deref());
        w.i8(self.operation);
        w.i8(self.permission_type);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DescribeAclsRequest<'static> {
        DescribeAclsRequest {
            resource_type_filter: self.resource_type_filter,
            resource_name_filter: self.resource_name_filter.map(|x| Cow::Owned(x.into_owned())),
            pattern_type_filter: self.pattern_type_filter,
            principal_filter: self.principal_filter.map(|x| Cow::Owned(x.into_owned())),
            host_filter: self.host_filter.map(|x| Cow::Owned(x.into_owned())),
            operation: self.operation,
            permission_type: self.permission_type,
        }
    }
}

impl<'a> Message<'a> for DescribeAclsRequest<'a> {
    const NAME: &'static str = "DescribeAclsRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=3;
    const FIRST_FLEXIBLE: i16 = 2;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 3), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 3), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for DescribeAclsRequest<'a> {
    const KEY: ApiKey = ApiKey::DescribeAcls;
    type Response<'r> = crate::messages::DescribeAclsResponse<'r>;
}
