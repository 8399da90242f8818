// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Blob;
use crate::writer::Writer;

/// `SaslAuthenticateRequest`: request of API 36, versions 0 to 2.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct SaslAuthenticateRequest<'a> {
    pub auth_bytes: Blob<'a>,
}

impl<'a> SaslAuthenticateRequest<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { auth_bytes: r.bytes()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.bytes(&self.auth_bytes);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> SaslAuthenticateRequest<'static> {
        SaslAuthenticateRequest { auth_bytes: Cow::Owned(self.auth_bytes.into_owned()) }
    }
}

impl<'a> Message<'a> for SaslAuthenticateRequest<'a> {
    const NAME: &'static str = "SaslAuthenticateRequest";
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

impl<'a> Request<'a> for SaslAuthenticateRequest<'a> {
    const KEY: ApiKey = ApiKey::SaslAuthenticate;
    type Response<'r> = crate::messages::SaslAuthenticateResponse<'r>;
}
