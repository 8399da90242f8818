// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use ottla_base::ids::Uuid;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `ConsumerGroupPartitionMetadataValue`: coordinator-value of record type 4, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ConsumerGroupPartitionMetadataValue<'a> {
    pub topics: Vec<TopicMetadata<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicMetadata<'a> {
    pub topic_id: Uuid,
    pub topic_name: Str<'a>,
    pub num_partitions: i32,
    pub partition_metadata: Vec<PartitionMetadata<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct PartitionMetadata<'a> {
    pub partition: i32,
    pub racks: Vec<Str<'a>>,
}

impl<'a> ConsumerGroupPartitionMetadataValue<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { topics: r.array(|r| TopicMetadata::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ConsumerGroupPartitionMetadataValue<'static> {
        ConsumerGroupPartitionMetadataValue { topics: self.topics.into_iter().map(TopicMetadata::into_owned).collect() }
    }
}

impl<'a> TopicMetadata<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topic_id: r.uuid()?,
            topic_name: r.string()?,
            num_partitions: r.i32()?,
            partition_metadata: r.array(|r| PartitionMetadata::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.uuid(&self.topic_id);
        w.string(&self.topic_name);
        w.i32(self.num_partitions);
        w.array_len(self.partition_metadata.len());
        for item in &self.partition_metadata {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TopicMetadata<'static> {
        TopicMetadata {
            topic_id: self.topic_id,
            topic_name: Cow::Owned(self.topic_name.into_owned()),
            num_partitions: self.num_partitions,
            partition_metadata: self.partition_metadata.into_iter().map(PartitionMetadata::into_owned).collect(),
        }
    }
}

impl<'a> PartitionMetadata<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { partition: r.i32()?, racks: r.array(Reader::string)? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.partition);
        w.array_len(self.racks.len());
        for item in &self.racks {
            w.string(item);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> PartitionMetadata<'static> {
        PartitionMetadata {
            partition: self.partition,
            racks: self.racks.into_iter().map(|x| Cow::Owned(x.into_owned())).collect(),
        }
    }
}

impl<'a> Message<'a> for ConsumerGroupPartitionMetadataValue<'a> {
    const NAME: &'static str = "ConsumerGroupPartitionMetadataValue";
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

impl ConsumerGroupPartitionMetadataValue<'_> {
    /// The number by which a record says that it is of this type.
    pub const RECORD_TYPE: i16 = 4;
}
