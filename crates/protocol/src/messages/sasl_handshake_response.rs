// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `SaslHandshakeResponse`: response of API 17, versions 0 to 1.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct SaslHandshakeResponse<'a> {
    pub error_code: i16,
    pub mechanisms: Vec<Str<'a>>,
}

impl<'a> SaslHandshakeResponse<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { error_code: r.i16()?, mechanisms: r.array(Reader::string)? };
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i16(self.error_code);
        w.array_len(self.mechanisms.len());
        for item in &self.mechanisms {
            w.string(item);
        }
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> SaslHandshakeResponse<'static> {
        SaslHandshakeResponse {
            error_code: self.error_code,
            mechanisms: self.mechanisms.into_iter().map(|x| Cow::Owned(x.into_owned())).collect(),
        }
    }
}

impl<'a> Message<'a> for SaslHandshakeResponse<'a> {
    const NAME: &'static str = "SaslHandshakeResponse";
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

impl<'a> Response<'a> for SaslHandshakeResponse<'a> {
    const KEY: ApiKey = ApiKey::SaslHandshake;
}
