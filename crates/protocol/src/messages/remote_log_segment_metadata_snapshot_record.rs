// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use ottla_base::ids::Uuid;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::Blob;
use crate::writer::Writer;

/// `RemoteLogSegmentMetadataSnapshotRecord`: metadata of record type 3, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct RemoteLogSegmentMetadataSnapshotRecord<'a> {
    pub segment_id: Uuid,
    pub start_offset: i64,
    pub end_offset: i64,
    pub broker_id: i32,
    pub max_timestamp_ms: i64,
    pub event_timestamp_ms: i64,
    pub segment_leader_epochs: Vec<SegmentLeaderEpochEntry>,
    pub segment_size_in_bytes: i32,
    pub custom_metadata: Option<Blob<'a>>,
    pub remote_log_segment_state: i8,
    pub txn_index_empty: bool,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct SegmentLeaderEpochEntry {
    pub leader_epoch: i32,
    pub offset: i64,
}

impl<'a> RemoteLogSegmentMetadataSnapshotRecord<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let mut this = Self {
            segment_id: r.uuid()?,
            start_offset: r.i64()?,
            end_offset: r.i64()?,
            broker_id: r.i32()?,
            max_timestamp_ms: r.i64()?,
            event_timestamp_ms: r.i64()?,
            segment_leader_epochs: r.array(|r| SegmentLeaderEpochEntry::read(r, version))?,
            segment_size_in_bytes: r.i32()?,
            custom_metadata: r.nullable_bytes()?,
            remote_log_segment_state: r.i8()?,
            txn_index_empty: false,
        };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 => this.txn_index_empty = r.bool()?,
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.uuid(&self.segment_id);
        w.i64(self.start_offset);
        w.i64(self.end_offset);
        w.i32(self.broker_id);
        w.i64(self.max_timestamp_ms);
        w.i64(self.event_timestamp_ms);
        w.array_len(self.segment_leader_epochs.len());
        for item in &self.segment_leader_epochs {
            item.write(w, version);
        }
        w.i32(self.segment_size_in_bytes);
        w.nullable_bytes(self.custom_metadata.as_deref());
        w.i8(self.remote_log_segment_state);
        if w.flexible {
            let mut tags = w.tags();
            if self.txn_index_empty {
                w.tag(&mut tags, 0);
                w.bool(self.txn_index_empty);
                w.end_tag(&tags);
            }
        }
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> RemoteLogSegmentMetadataSnapshotRecord<'static> {
        RemoteLogSegmentMetadataSnapshotRecord {
            segment_id: self.segment_id,
            start_offset: self.start_offset,
            end_offset: self.end_offset,
            broker_id: self.broker_id,
            max_timestamp_ms: self.max_timestamp_ms,
            event_timestamp_ms: self.event_timestamp_ms,
            segment_leader_epochs: self.segment_leader_epochs,
            segment_size_in_bytes: self.segment_size_in_bytes,
            custom_metadata: self.custom_metadata.map(|x| Cow::Owned(x.into_owned())),
            remote_log_segment_state: self.remote_log_segment_state,
            txn_index_empty: self.txn_index_empty,
        }
    }
}

impl SegmentLeaderEpochEntry {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { leader_epoch: r.i32()?, offset: r.i64()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.leader_epoch);
        w.i64(self.offset);
        w.no_tags();
    }
}

impl<'a> Message<'a> for RemoteLogSegmentMetadataSnapshotRecord<'a> {
    const NAME: &'static str = "RemoteLogSegmentMetadataSnapshotRecord";
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

impl RemoteLogSegmentMetadataSnapshotRecord<'_> {
    /// The number by which a record says that it is of this type.
    pub const RECORD_TYPE: i16 = 3;
}
