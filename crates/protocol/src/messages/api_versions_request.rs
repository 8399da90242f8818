// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `ApiVersionsRequest`: request of API 18, versions 0 to 4.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ApiVersionsRequest<'a> {
    pub client_software_name: Str<'a>,
    pub client_software_version: Str<'a>,
}

impl<'a> ApiVersionsRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            client_software_name: if version >= 3 { r.string()? } else { Str::Borrowed("") },
            client_software_version: if version >= 3 { r.string()? } else { Str::Borrowed("") },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version >= 3 {
            w.string(&self.client_software_name);
        }
        if version >= 3 {
            w.string(&self.client_software_version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ApiVersionsRequest<'static> {
        ApiVersionsRequest {
            client_software_name: Cow::Owned(self.client_software_name.into_owned()),
            client_software_version: Cow::Owned(self.client_software_version.into_owned()),
        }
    }
}

impl<'a> Message<'a> for ApiVersionsRequest<'a> {
    const NAME: &'static str = "ApiVersionsRequest";
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

impl<'a> Request<'a> for ApiVersionsRequest<'a> {
    const KEY: ApiKey = ApiKey::ApiVersions;
    type Response<'r> = crate::messages::ApiVersionsResponse<'r>;
}
