// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `SaslHandshakeRequest`: request of API 17, versions 0 to 1.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct SaslHandshakeRequest<'a> {
    pub mechanism: Str<'a>,
}

impl<'a> SaslHandshakeRequest<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { mechanism: r.string()? };
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.mechanism);
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> SaslHandshakeRequest<'static> {
        SaslHandshakeRequest { mechanism: Cow::Owned(self.mechanism.into_owned()) }
    }
}

impl<'a> Message<'a> for SaslHandshakeRequest<'a> {
    const NAME: &'static str = "SaslHandshakeRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=1;
    const FIRST_FLEXIBLE: i16 = i16::MAX;

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

impl<'a> Request<'a> for SaslHandshakeRequest<'a> {
    const KEY: ApiKey = ApiKey::SaslHandshake;
    type Response<'r> = crate::messages::SaslHandshakeResponse<'r>;
}
