// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::writer::Writer;

/// `UpdateMetadataResponse`: response of API 6, versions 0 to 8.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct UpdateMetadataResponse {
    pub error_code: i16,
}

impl UpdateMetadataResponse {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { error_code: r.i16()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i16(self.error_code);
        w.no_tags();
    }
}

impl<'a> Message<'a> for UpdateMetadataResponse {
    const NAME: &'static str = "UpdateMetadataResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=8;
    const FIRST_FLEXIBLE: i16 = 6;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 8), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 8), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Response<'a> for UpdateMetadataResponse {
    const KEY: ApiKey = ApiKey::UpdateMetadata;
}
