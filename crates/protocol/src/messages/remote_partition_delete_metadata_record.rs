// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use ottla_base::ids::Uuid;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `RemotePartitionDeleteMetadataRecord`: metadata of record type 2, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct RemotePartitionDeleteMetadataRecord<'a> {
    pub topic_id_partition: TopicIdPartitionEntry<'a>,
    pub broker_id: i32,
    pub event_timestamp_ms: i64,
    pub remote_partition_delete_state: i8,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicIdPartitionEntry<'a> {
    pub name: Str<'a>,
    pub id: Uuid,
    pub partition: i32,
}

impl<'a> RemotePartitionDeleteMetadataRecord<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topic_id_partition: TopicIdPartitionEntry::read(r, version)?,
            broker_id: r.i32()?,
            event_timestamp_ms: r.i64()?,
            remote_partition_delete_state: r.i8()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        self.topic_id_partition.write(w, version);
        w.i32(self.broker_id);
        w.i64(self.event_timestamp_ms);
        w.i8(self.remote_partition_delete_state);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> RemotePartitionDeleteMetadataRecord<'static> {
        RemotePartitionDeleteMetadataRecord {
            topic_id_partition: self.topic_id_partition.into_owned(),
            broker_id: self.broker_id,
            event_timestamp_ms: self.event_timestamp_ms,
            remote_partition_delete_state: self.remote_partition_delete_state,
        }
    }
}

impl<'a> TopicIdPartitionEntry<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, id: r.uuid()?, partition: r.i32()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.uuid(&self.id);
        w.i32(self.partition);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TopicIdPartitionEntry<'static> {
        TopicIdPartitionEntry { name: Cow::Owned(self.name.into_owned()), id: self.id, partition: self.partition }
    }
}

impl<'a> Message<'a> for RemotePartitionDeleteMetadataRecord<'a> {
    const NAME: &'static str = "RemotePartitionDeleteMetadataRecord";
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

impl RemotePartitionDeleteMetadataRecord<'_> {
    /// The number by which a record says that it is of this type.
    pub const RECORD_TYPE: i16 = 2;
}
