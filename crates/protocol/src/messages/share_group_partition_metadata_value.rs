// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use ottla_base::ids::Uuid;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `ShareGroupPartitionMetadataValue`: data, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ShareGroupPartitionMetadataValue<'a> {
    pub initialized_topics: Vec<TopicPartitionsInfo<'a>>,
    pub deleting_topics: Vec<TopicInfo<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicPartitionsInfo<'a> {
    pub topic_id: Uuid,
    pub topic_name: Str<'a>,
    pub partitions: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicInfo<'a> {
    pub topic_id: Uuid,
    pub topic_name: Str<'a>,
}

impl<'a> ShareGroupPartitionMetadataValue<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            initialized_topics: r.array(|r| TopicPartitionsInfo::read(r, version))?,
            deleting_topics: r.array(|r| TopicInfo::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.array_len(self.initialized_topics.len());
        for item in &self.initialized_topics {
            item.write(w, version);
        }
        w.array_len(self.deleting_topics.len());
        for item in &self.deleting_topics {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ShareGroupPartitionMetadataValue<'static> {
        ShareGroupPartitionMetadataValue {
            initialized_topics: self.initialized_topics.into_iter().map(TopicPartitionsInfo::into_owned).collect(),
            deleting_topics: self.deleting_topics.into_iter().map(TopicInfo::into_owned).collect(),
        }
    }
}

impl<'a> TopicPartitionsInfo<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { topic_id: r.uuid()?, topic_name: r.string()?, partitions: r.array(Reader::i32)? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.uuid(&self.topic_id);
        w.string(&self.topic_name);
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            w.i32(*item);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TopicPartitionsInfo<'static> {
        TopicPartitionsInfo {
            topic_id: self.topic_id,
            topic_name: Cow::Owned(self.topic_name.into_owned()),
            partitions: self.partitions,
        }
    }
}

impl<'a> TopicInfo<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { topic_id: r.uuid()?, topic_name: r.string()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.uuid(&self.topic_id);
        w.string(&self.topic_name);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TopicInfo<'static> {
        TopicInfo { topic_id: self.topic_id, topic_name: Cow::Owned(self.topic_name.into_owned()) }
    }
}

impl<'a> Message<'a> for ShareGroupPartitionMetadataValue<'a> {
    const NAME: &'static str = "ShareGroupPartitionMetadataValue";
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
