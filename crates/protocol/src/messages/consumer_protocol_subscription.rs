// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::{Blob, Str};
use crate::writer::Writer;

/// `ConsumerProtocolSubscription`: data, versions 0 to 3.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerProtocolSubscription<'a> {
    pub topics: Vec<Str<'a>>,
    pub user_data: Option<Blob<'a>>,
    pub owned_partitions: Vec<TopicPartition<'a>>,
    pub generation_id: i32,
    pub rack_id: Option<Str<'a>>,
}

impl Default for ConsumerProtocolSubscription<'_> {
    fn default() -> Self {
        Self {
            topics: Vec::new(),
            user_data: Default::default(),
            owned_partitions: Vec::new(),
            generation_id: -1,
            rack_id: Default::default(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicPartition<'a> {
    pub topic: Str<'a>,
    pub partitions: Vec<i32>,
}

impl<'a> ConsumerProtocolSubscription<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topics: r.array(Reader::string)?,
            user_data: r.nullable_bytes()?,
            owned_partitions: if version >= 1 { r.array(|r| TopicPartition::read(r, version))? } else { Vec::new() },
            generation_id: if version >= 2 { r.i32()? } else { -1 },
            rack_id: if version >= 3 { r.nullable_string()? } else { None },
        };
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.array_len(self.topics.len());
        for item in &self.topics {
            w.string(item);
        }
        w.nullable_bytes(self.user_data.as_deref());
        if version >= 1 {
            w.array_len(self.owned_partitions.len());
            for item in &self.owned_partitions {
                item.write(w, version);
            }
        }
        if version >= 2 {
            w.i32(self.generation_id);
        }
        if version >= 3 {
            w.nullable_string(self.rack_id.as_deref());
        }
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ConsumerProtocolSubscription<'static> {
        ConsumerProtocolSubscription {
            topics: self.topics.into_iter().map(|x| Cow::Owned(x.into_owned())).collect(),
            user_data: self.user_data.map(|x| Cow::Owned(x.into_owned())),
            owned_partitions: self.owned_partitions.into_iter().map(TopicPartition::into_owned).collect(),
            generation_id: self.generation_id,
            rack_id: self.rack_id.map(|x| Cow::Owned(x.into_owned())),
        }
    }
}

impl<'a> TopicPartition<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { topic: r.string()?, partitions: r.array(Reader::i32)? };
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.topic);
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            w.i32(*item);
        }
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TopicPartition<'static> {
        TopicPartition { topic: Cow::Owned(self.topic.into_owned()), partitions: self.partitions }
    }
}

impl<'a> Message<'a> for ConsumerProtocolSubscription<'a> {
    const NAME: &'static str = "ConsumerProtocolSubscription";
    const VERSIONS: RangeInclusive<i16> = 0..=3;
    const FIRST_FLEXIBLE: i16 = i16::MAX;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 3), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 3), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}
