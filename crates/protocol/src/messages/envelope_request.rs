// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Blob;
use crate::writer::Writer;

/// `EnvelopeRequest`: request of API 58, versions 0 to 0.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvelopeRequest<'a> {
    pub request_data: Blob<'a>,
    pub request_principal: Option<Blob<'a>>,
    pub client_host_address: Blob<'a>,
}

impl Default for EnvelopeRequest<'_> {
    fn default() -> Self {
        Self {
            request_data: Default::default(),
            request_principal: Some(Blob::Borrowed(&[])),
            client_host_address: Default::default(),
        }
    }
}

impl<'a> EnvelopeRequest<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this =
            Self { request_data: r.bytes()?, request_principal: r.nullable_bytes()?, client_host_address: r.bytes()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.bytes(&self.request_data);
        w.nullable_bytes(self.request_principal.as_deref());
        w.bytes(&self.client_host_address);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> EnvelopeRequest<'static> {
        EnvelopeRequest {
            request_data: Cow::Owned(self.request_data.into_owned()),
            request_principal: self.request_principal.map(|x| Cow::Owned(x.into_owned())),
            client_host_address: Cow::Owned(self.client_host_address.into_owned()),
        }
    }
}

impl<'a> Message<'a> for EnvelopeRequest<'a> {
    const NAME: &'static str = "EnvelopeRequest";
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

impl<'a> Request<'a> for EnvelopeRequest<'a> {
    const KEY: ApiKey = ApiKey::Envelope;
    type Response<'r> = crate::messages::EnvelopeResponse<'r>;
}
