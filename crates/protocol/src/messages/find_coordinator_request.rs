// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `FindCoordinatorRequest`: request of API 10, versions 0 to 6.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct FindCoordinatorRequest<'a> {
    pub key: Str<'a>,
    pub key_type: i8,
    pub coordinator_keys: Vec<Str<'a>>,
}

impl<'a> FindCoordinatorRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            key: if version <= 3 { r.string()? } else { Str::Borrowed("") },
            key_type: if version >= 1 { r.i8()? } else { 0 },
            coordinator_keys: if version >= 4 { r.array(Reader::string)? } else { Vec::new() },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version <= 3 {
            w.string(&self.key);
        } else if !self.key.is_empty() {
            w.unsupported("FindCoordinatorRequest.key");
        }
        if version >= 1 {
            w.i8(self.key_type);
        } else if self.key_type != 0 {
            w.unsupported("FindCoordinatorRequest.key_type");
        }
        if version >= 4 {
            w.array_len(self.coordinator_keys.len());
            for item in &self.coordinator_keys {
                w.string(item);
            }
        } else if !self.coordinator_keys.is_empty() {
            w.unsupported("FindCoordinatorRequest.coordinator_keys");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> FindCoordinatorRequest<'static> {
        FindCoordinatorRequest {
            key: Cow::Owned(self.key.into_owned()),
            key_type: self.key_type,
            coordinator_keys: self.coordinator_keys.into_iter().map(|x| Cow::Owned(x.into_owned())).collect(),
        }
    }
}

impl<'a> Message<'a> for FindCoordinatorRequest<'a> {
    const NAME: &'static str = "FindCoordinatorRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=6;
    const FIRST_FLEXIBLE: i16 = 3;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 6), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 6), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for FindCoordinatorRequest<'a> {
    const KEY: ApiKey = ApiKey::FindCoordinator;
    type Response<'r> = crate::messages::FindCoordinatorResponse<'r>;
}
