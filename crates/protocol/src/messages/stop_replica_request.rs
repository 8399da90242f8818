// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `StopReplicaRequest`: request of API 5, versions 0 to 4.
#[derive(Clone, Debug, PartialEq)]
pub struct StopReplicaRequest<'a> {
    pub controller_id: i32,
    pub is_kraft_controller: bool,
    pub controller_epoch: i32,
    pub broker_epoch: i64,
    pub delete_partitions: bool,
    pub ungrouped_partitions: Vec<StopReplicaPartitionV0<'a>>,
    pub topics: Vec<StopReplicaTopicV1<'a>>,
    pub topic_states: Vec<StopReplicaTopicState<'a>>,
}

impl Default for StopReplicaRequest<'_> {
    fn default() -> Self {
        Self {
            controller_id: 0,
            is_kraft_controller: false,
            controller_epoch: 0,
            broker_epoch: -1,
            delete_partitions: false,
            ungrouped_partitions: Vec::new(),
            topics: Vec::new(),
            topic_states: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct StopReplicaPartitionV0<'a> {
    pub topic_name: Str<'a>,
    pub partition_index: i32,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct StopReplicaTopicV1<'a> {
    pub name: Str<'a>,
    pub partition_indexes: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct StopReplicaTopicState<'a> {
    pub topic_name: Str<'a>,
    pub partition_states: Vec<StopReplicaPartitionState>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StopReplicaPartitionState {
    pub partition_index: i32,
    pub leader_epoch: i32,
    pub delete_partition: bool,
}

impl Default for StopReplicaPartitionState {
    fn default() -> Self {
        Self { partition_index: 0, leader_epoch: -1, delete_partition: false }
    }
}

impl<'a> StopReplicaRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            controller_id: r.i32()?,
            is_kraft_controller: if version >= 4 { r.bool()? } else { false },
            controller_epoch: r.i32()?,
            broker_epoch: if version >= 1 { r.i64()? } else { -1 },
            delete_partitions: if version <= 2 { r.bool()? } else { false },
            ungrouped_partitions: if version <= 0 {
                r.array(|r| StopReplicaPartitionV0::read(r, version))?
            } else {
                Vec::new()
            },
            topics: if (1..=2).contains(&version) {
                r.array(|r| StopReplicaTopicV1::read(r, version))?
            } else {
                Vec::new()
            },
            topic_states: if version >= 3 { r.array(|r| StopReplicaTopicState::read(r, version))? } else { Vec::new() },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.controller_id);
        if version >= 4 {
            w.bool(self.is_kraft_controller);
        } else if self.is_kraft_controller {
            w.unsupported("StopReplicaRequest.is_kraft_controller");
        }
        w.i32(self.controller_epoch);
        if version >= 1 {
            w.i64(self.broker_epoch);
        }
        if version <= 2 {
            w.bool(self.delete_partitions);
        } else if self.delete_partitions {
            w.unsupported("StopReplicaRequest.delete_partitions");
        }
        if version <= 0 {
            w.array_len(self.ungrouped_partitions.len());
            for item in &self.ungrouped_partitions {
                item.write(w, version);
            }
        } else if !self.ungrouped_partitions.is_empty() {
            w.unsupported("StopReplicaRequest.ungrouped_partitions");
        }
        if (1..=2).contains(&version) {
            w.array_len(self.topics.len());
            for item in &self.topics {
                item.write(w, version);
            }
        } else if !self.topics.is_empty() {
            w.unsupported("StopReplicaRequest.topics");
        }
        if version >= 3 {
            w.array_len(self.topic_states.len());
            for item in &self.topic_states {
                item.write(w, version);
            }
        } else if !self.topic_states.is_empty() {
            w.unsupported("StopReplicaRequest.topic_states");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> StopReplicaRequest<'static> {
        StopReplicaRequest {
            controller_id: self.controller_id,
            is_kraft_controller: self.is_kraft_controller,
            controller_epoch: self.controller_epoch,
            broker_epoch: self.broker_epoch,
            delete_partitions: self.delete_partitions,
            ungrouped_partitions: self
                .ungrouped_partitions
                .into_iter()
                .map(StopReplicaPartitionV0::into_owned)
                .collect(),
            topics: self.topics.into_iter().map(StopReplicaTopicV1::into_owned).collect(),
            topic_states: self.topic_states.into_iter().map(StopReplicaTopicState::into_owned).collect(),
        }
    }
}

impl<'a> StopReplicaPartitionV0<'a> {
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
    pub fn into_owned(self) -> StopReplicaPartitionV0<'static> {
        StopReplicaPartitionV0 {
            topic_name: Cow::Owned(self.topic_name.into_owned()),
            partition_index: self.partition_index,
        }
    }
}

impl<'a> StopReplicaTopicV1<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, partition_indexes: r.array(Reader::i32)? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.array_len(self.partition_indexes.len());
        for item in &self.partition_indexes {
            w.i32(*item);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> StopReplicaTopicV1<'static> {
        StopReplicaTopicV1 { name: Cow::Owned(self.name.into_owned()), partition_indexes: self.partition_indexes }
    }
}

impl<'a> StopReplicaTopicState<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topic_name: r.string()?,
            partition_states: r.array(|r| StopReplicaPartitionState::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.topic_name);
        w.array_len(self.partition_states.len());
        for item in &self.partition_states {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> StopReplicaTopicState<'static> {
        StopReplicaTopicState {
            topic_name: Cow::Owned(self.topic_name.into_owned()),
            partition_states: self.partition_states,
        }
    }
}

impl StopReplicaPartitionState {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { partition_index: r.i32()?, leader_epoch: r.i32()?, delete_partition: r.bool()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.partition_index);
        w.i32(self.leader_epoch);
        w.bool(self.delete_partition);
        w.no_tags();
    }
}

impl<'a> Message<'a> for StopReplicaRequest<'a> {
    const NAME: &'static str = "StopReplicaRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=4;
    const FIRST_FLEXIBLE: i16 = 2;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 4), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 4), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for StopReplicaRequest<'a> {
    const KEY: ApiKey = ApiKey::StopReplica;
    type Response<'r> = crate::messages::StopReplicaResponse<'r>;
}
