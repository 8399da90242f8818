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

/// `FetchSnapshotRequest`: request of API 59, versions 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchSnapshotRequest<'a> {
    pub cluster_id: Option<Str<'a>>,
    pub replica_id: i32,
    pub max_bytes: i32,
    pub topics: Vec<TopicSnapshot<'a>>,
}

impl Default for FetchSnapshotRequest<'_> {
    fn default() -> Self {
        Self { cluster_id: Default::default(), replica_id: -1, max_bytes: 2147483647, topics: Vec::new() }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicSnapshot<'a> {
    pub name: Str<'a>,
    pub partitions: Vec<PartitionSnapshot>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct PartitionSnapshot {
    pub partition: i32,
    pub current_leader_epoch: i32,
    pub snapshot_id: SnapshotId,
    pub position: i64,
    pub replica_directory_id: Uuid,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct SnapshotId {
    pub end_offset: i64,
    pub epoch: i32,
}

impl<'a> FetchSnapshotRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let mut this = Self {
            cluster_id: None,
            replica_id: r.i32()?,
            max_bytes: r.i32()?,
            topics: r.array(|r| TopicSnapshot::read(r, version))?,
        };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 => this.cluster_id = r.nullable_string()?,
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.replica_id);
        w.i32(self.max_bytes);
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        if w.flexible {
            let mut tags = w.tags();
            if self.cluster_id.is_some() {
                w.tag(&mut tags, 0);
                w.nullable_string(self.cluster_id.as_deref());
                w.end_tag(&tags);
            }
        }
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> FetchSnapshotRequest<'static> {
        FetchSnapshotRequest {
            cluster_id: self.cluster_id.map(|x| Cow::Owned(x.into_owned())),
            replica_id: self.replica_id,
            max_bytes: self.max_bytes,
            topics: self.topics.into_iter().map(TopicSnapshot::into_owned).collect(),
        }
    }
}

impl<'a> TopicSnapshot<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, partitions: r.array(|r| PartitionSnapshot::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.name);
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TopicSnapshot<'static> {
        TopicSnapshot { name: Cow::Owned(self.name.into_owned()), partitions: self.partitions }
    }
}

impl PartitionSnapshot {
    fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let mut this = Self {
            partition: r.i32()?,
            current_leader_epoch: r.i32()?,
            snapshot_id: SnapshotId::read(r, version)?,
            position: r.i64()?,
            replica_directory_id: Uuid::ZERO,
        };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 if version >= 1 => this.replica_directory_id = r.uuid()?,
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.partition);
        w.i32(self.current_leader_epoch);
        self.snapshot_id.write(w, version);
        w.i64(self.position);
        if w.flexible {
            let mut tags = w.tags();
            if version >= 1 && self.replica_directory_id != Uuid::ZERO {
                w.tag(&mut tags, 0);
                w.uuid(&self.replica_directory_id);
                w.end_tag(&tags);
            }
        }
    }
}

impl SnapshotId {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { end_offset: r.i64()?, epoch: r.i32()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i64(self.end_offset);
        w.i32(self.epoch);
        w.no_tags();
    }
}

impl<'a> Message<'a> for FetchSnapshotRequest<'a> {
    const NAME: &'static str = "FetchSnapshotRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=1;
    const FIRST_FLEXIBLE: i16 = 0;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 1), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 1), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for FetchSnapshotRequest<'a> {
    const KEY: ApiKey = ApiKey::FetchSnapshot;
    type Response<'r> = crate::messages::FetchSnapshotResponse<'r>;
}
