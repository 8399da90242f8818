// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use ottla_base::ids::Uuid;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `DeleteTopicsResponse`: response of API 20, versions 0 to 6.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct DeleteTopicsResponse<'a> {
    pub throttle_time_ms: i32,
    pub responses: Vec<DeletableTopicResult<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DeletableTopicResult<'a> {
    pub name: Option<Str<'a>>,
    pub topic_id: Uuid,
    pub error_code: i16,
    pub error_message: Option<Str<'a>>,
}

impl Default for DeletableTopicResult<'_> {
    fn default() -> Self {
        Self { name: Some(Str::Borrowed("")), topic_id: Uuid::ZERO, error_code: 0, error_message: Default::default() }
    }
}

impl<'a> DeleteTopicsResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            throttle_time_ms: if version >= 1 { r.i32()? } else { 0 },
            responses: r.array(|r| DeletableTopicResult::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version >= 1 {
            w.i32(self.throttle_time_ms);
        }
        w.array_len(self.responses.len());
        for item in &self.responses {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DeleteTopicsResponse<'static> {
        DeleteTopicsResponse {
            throttle_time_ms: self.throttle_time_ms,
            responses: self.responses.into_iter().map(DeletableTopicResult::into_owned).collect(),
        }
    }
}

impl<'a> DeletableTopicResult<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            name: if version >= 6 { r.nullable_string()? } else { Some(r.string()?) },
            topic_id: if version >= 6 { r.uuid()? } else { Uuid::ZERO },
            error_code: r.i16()?,
            error_message: if version >= 5 { r.nullable_string()? } else { None },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if self.name.is_none() && version < 6 {
            w.null_field("DeletableTopicResult.name");
        }
        w.nullable_string(self.name.as_deref());
        if version >= 6 {
            w.uuid(&self.topic_id);
        }
        w.i16(self.error_code);
        if version >= 5 {
            w.nullable_string(self.error_message.as_deref());
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DeletableTopicResult<'static> {
        DeletableTopicResult {
            name: self.name.map(|x| Cow::Owned(x.into_owned())),
            topic_id: self.topic_id,
            error_code: self.error_code,
            error_message: self.error_message.map(|x| Cow::Owned(x.into_owned())),
        }
    }
}

impl<'a> Message<'a> for DeleteTopicsResponse<'a> {
    const NAME: &'static str = "DeleteTopicsResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=6;
    const FIRST_FLEXIBLE: i16 = 4;

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

impl<'a> Response<'a> for DeleteTopicsResponse<'a> {
    const KEY: ApiKey = ApiKey::DeleteTopics;
}
