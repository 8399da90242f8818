// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::{Records, Str};
use crate::writer::Writer;

/// `FetchSnapshotResponse`: response of API 59, versions 0 to 1.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct FetchSnapshotResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub topics: Vec<TopicSnapshot<'a>>,
    pub node_endpoints: Vec<NodeEndpoint<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicSnapshot<'a> {
    pub name: Str<'a>,
    pub partitions: Vec<PartitionSnapshot<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct PartitionSnapshot<'a> {
    pub index: i32,
    pub error_code: i16,
    pub snapshot_id: SnapshotId,
    pub current_leader: LeaderIdAndEpoch,
    pub size: i64,
    pub position: i64,
    pub unaligned_records: Option<Records<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct SnapshotId {
    pub end_offset: i64,
    pub epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct LeaderIdAndEpoch {
    pub leader_id: i32,
    pub leader_epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct NodeEndpoint<'a> {
    pub node_id: i32,
    pub host: Str<'a>,
    pub port: u16,
}

impl<'a> FetchSnapshotResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let mut this = Self {
            throttle_time_ms: r.i32()?,
            error_code: r.i16()?,
            topics: r.array(|r| TopicSnapshot::read(r, version))?,
            node_endpoints: Vec::new(),
        };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 if version >= 1 => this.node_endpoints = r.array(|r| NodeEndpoint::read(r, version))?,
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.throttle_time_ms);
        w.i16(self.error_code);
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        if version < 1 && !self.node_endpoints.is_empty() {
            w.unsupported("FetchSnapshotResponse.node_endpoints");
        }
        if w.flexible {
            let mut tags = w.tags();
            if version >= 1 && !self.node_endpoints.is_empty() {
                w.tag(&mut tags, 0);
                w.array_len(self.node_endpoints.len());
                for item in &self.node_endpoints {
                    item.write(w, version);
                }
                w.end_tag(&tags);
            }
        }
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> FetchSnapshotResponse<'static> {
        FetchSnapshotResponse {
            throttle_time_ms: self.throttle_time_ms,
            error_code: self.error_code,
            topics: self.topics.into_iter().map(TopicSnapshot::into_owned).collect(),
            node_endpoints: self.node_endpoints.into_iter().map(NodeEndpoint::into_owned).collect(),
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
        TopicSnapshot {
            name: Cow::Owned(self.name.into_owned()),
            partitions: self.partitions.into_iter().map(PartitionSnapshot::into_owned).collect(),
        }
    }
}

impl<'a> PartitionSnapshot<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let mut this = Self {
            index: r.i32()?,
            error_code: r.i16()?,
            snapshot_id: SnapshotId::read(r, version)?,
            current_leader: LeaderIdAndEpoch::default(),
            size: r.i64()?,
            position: r.i64()?,
            unaligned_records: r.records()?,
        };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 => this.current_leader = LeaderIdAndEpoch::read(r, version)?,
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.index);
        w.i16(self.error_code);
        self.snapshot_id.write(w, version);
        w.i64(self.size);
        w.i64(self.position);
        w.records(self.unaligned_records.as_ref());
        if w.flexible {
            let mut tags = w.tags();
            if self.current_leader != LeaderIdAndEpoch::default() {
                w.tag(&mut tags, 0);
                self.current_leader.write(w, version);
                w.end_tag(&tags);
            }
        }
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> PartitionSnapshot<'static> {
        PartitionSnapshot {
            index: self.index,
            error_code: self.error_code,
            snapshot_id: self.snapshot_id,
            current_leader: self.current_leader,
            size: self.size,
            position: self.position,
            unaligned_records: self.unaligned_records.map(Records::into_owned),
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

impl LeaderIdAndEpoch {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { leader_id: r.i32()?, leader_epoch: r.i32()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.leader_id);
        w.i32(self.leader_epoch);
        w.no_tags();
    }
}

impl<'a> NodeEndpoint<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { node_id: r.i32()?, host: r.string()?, port: r.u16()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.node_id);
        w.string(&self.host);
        w.u16(self.port);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> NodeEndpoint<'static> {
        NodeEndpoint { node_id: self.node_id, host: Cow::Owned(self.host.into_owned()), port: self.port }
    }
}

impl<'a> Message<'a> for FetchSnapshotResponse<'a> {
    const NAME: &'static str = "FetchSnapshotResponse";
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

impl<'a> Response<'a> for FetchSnapshotResponse<'a> {
    const KEY: ApiKey = ApiKey::FetchSnapshot;
}
