// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use ottla_base::ids::Uuid;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `DeleteTopicsRequest`: request of API 20, versions 0 to 6.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct DeleteTopicsRequest<'a> {
    pub topics: Vec<DeleteTopicState<'a>>,
    pub topic_names: Vec<Str<'a>>,
    pub timeout_ms: i32,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct DeleteTopicState<'a> {
    pub name: Option<Str<'a>>,
    pub topic_id: Uuid,
}

impl<'a> DeleteTopicsRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topics: if version >= 6 { r.array(|r| DeleteTopicState::read(r, version))? } else { Vec::new() },
            topic_names: if version <= 5 { r.array(Reader::string)? } else { Vec::new() },
            timeout_ms: r.i32()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version >= 6 {
            w.array_len(self.topics.len());
            for item in &self.topics {
                item.write(w, version);
            }
        } else if !self.topics.is_empty() {
            w.unsupported("DeleteTopicsRequest.topics");
        }
        if version <= 5 {
            w.array_len(self.topic_names.len());
            for item in &self.topic_names {
                w.string(item);
            }
        }
        w.i32(self.timeout_ms);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DeleteTopicsRequest<'static> {
        DeleteTopicsRequest {
            topics: self.topics.into_iter().map(DeleteTopicState::into_owned).collect(),
            topic_names: self.topic_names.into_iter().map(|x| Cow::Owned(x.into_owned())).collect(),
            timeout_ms: self.timeout_ms,
        }
    }
}

impl<'a> DeleteTopicState<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.nullable_string()?, topic_id: r.uuid()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.nullable_string(self.name.as_deref());
        w.uuid(&self.topic_id);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DeleteTopicState<'static> {
        DeleteTopicState { name: self.name.map(|x| Cow::Owned(x.into_owned())), topic_id: self.topic_id }
    }
}

impl<'a> Message<'a> for DeleteTopicsRequest<'a> {
    const NAME: &'static str = "DeleteTopicsRequest";
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

impl<'a> Request<'a> for DeleteTopicsRequest<'a> {
    const KEY: ApiKey = ApiKey::DeleteTopics;
    type Response<'r> = crate::messages::DeleteTopicsResponse<'r>;
}
