// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::{Blob, Str};
use crate::writer::Writer;

/// `ConsumerProtocolAssignment`: data, versions 0 to 3.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ConsumerProtocolAssignment<'a> {
    pub assigned_partitions: Vec<TopicPartition<'a>>,
    pub user_data: Option<Blob<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicPartition<'a> {
    pub topic: Str<'a>,
    pub partitions: Vec<i32>,
}

impl<'a> ConsumerProtocolAssignment<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            assigned_partitions: r.array(|r| TopicPartition::read(r, version))?,
            user_data: r.nullable_bytes()?,
        };
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.array_len(self.assigned_partitions.len());
        for item in &self.assigned_partitions {
            item.write(w, version);
        }
        w.nullable_bytes(self.user_data.as_deref());
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ConsumerProtocolAssignment<'static> {
        ConsumerProtocolAssignment {
            assigned_partitions: self.assigned_partitions.into_iter().map(TopicPartition::into_owned).collect(),
            user_data: self.user_data.map(|x| Cow::Owned(x.into_owned())),
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

impl<'a> Message<'a> for ConsumerProtocolAssignment<'a> {
    const NAME: &'static str = "ConsumerProtocolAssignment";
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
