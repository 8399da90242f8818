// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Blob;
use crate::writer::Writer;

/// `EnvelopeResponse`: response of API 58, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct EnvelopeResponse<'a> {
    pub response_data: Option<Blob<'a>>,
    pub error_code: i16,
}

impl<'a> EnvelopeResponse<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { response_data: r.nullable_bytes()?, error_code: r.i16()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.nullable_bytes(self.response_data.as_deref());
        w.i16(self.error_code);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> EnvelopeResponse<'static> {
        EnvelopeResponse {
            response_data: self.response_data.map(|x| Cow::Owned(x.into_owned())),
            error_code: self.error_code,
        }
    }
}

impl<'a> Message<'a> for EnvelopeResponse<'a> {
    const NAME: &'static str = "EnvelopeResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=0;
    const FIRST_FLEXIBLE: i16 = 0;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 0), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 0), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Response<'a> for EnvelopeResponse<'a> {
    const KEY: ApiKey = ApiKey::Envelope;
}
