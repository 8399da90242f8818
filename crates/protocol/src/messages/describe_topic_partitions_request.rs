// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `DescribeTopicPartitionsRequest`: request of API 75, versions 0 to 0.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribeTopicPartitionsRequest<'a> {
    pub topics: Vec<TopicRequest<'a>>,
    pub response_partition_limit: i32,
    pub cursor: Option<Cursor<'a>>,
}

impl Default for DescribeTopicPartitionsRequest<'_> {
    fn default() -> Self {
        Self { topics: Vec::new(), response_partition_limit: 2000, cursor: Default::default() }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicRequest<'a> {
    pub name: Str<'a>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Cursor<'a> {
    pub topic_name: Str<'a>,
    pub partition_index: i32,
}

impl<'a> DescribeTopicPartitionsRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topics: r.array(|r| TopicRequest::read(r, version))?,
            response_partition_limit: r.i32()?,
            cursor: if r.is_present()? { Some(Cursor::read(r, version)?) } else { None },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        w.i32(self.response_partition_limit);
        match &self.cursor {
            Some(item) => {
                w.i8(1);
                item.write(w, version);
            }
            None => w.i8(-1),
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DescribeTopicPartitionsRequest<'static> {
        DescribeTopicPartitionsRequest {
            topics: self.topics.into_iter().map(TopicRequest::into_owned).collect(),
            response_partition_limit: self.response_partition_limit,
            cursor: self.cursor.map(Cursor::into_owned),
        }
    }
}

impl<'a> TopicRequest<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TopicRequest<'static> {
        TopicRequest { name: Cow::Owned(self.name.into_owned()) }
    }
}

impl<'a> Cursor<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { topic_name: r.string()?, partition_index: r.i32()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.topic_name);
        w.i32(self.partition_index);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> Cursor<'static> {
        Cursor { topic_name: Cow::Owned(self.topic_name.into_owned()), partition_index: self.partition_index }
    }
}

impl<'a> Message<'a> for DescribeTopicPartitionsRequest<'a> {
    const NAME: &'static str = "DescribeTopicPartitionsRequest";
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

impl<'a> Request<'a> for DescribeTopicPartitionsRequest<'a> {
    const KEY: ApiKey = ApiKey::DescribeTopicPartitions;
    type Response<'r> = crate::messages::DescribeTopicPartitionsResponse<'r>;
}
