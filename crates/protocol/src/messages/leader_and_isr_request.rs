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

/// `LeaderAndIsrRequest`: request of API 4, versions 0 to 7.
#[derive(Clone, Debug, PartialEq)]
pub struct LeaderAndIsrRequest<'a> {
    pub controller_id: i32,
    pub is_kraft_controller: bool,
    pub controller_epoch: i32,
    pub broker_epoch: i64,
    pub type_: i8,
    pub ungrouped_partition_states: Vec<LeaderAndIsrPartitionState<'a>>,
    pub topic_states: Vec<LeaderAndIsrTopicState<'a>>,
    pub live_leaders: Vec<LeaderAndIsrLiveLeader<'a>>,
}

impl Default for LeaderAndIsrRequest<'_> {
    fn default() -> Self {
        Self {
            controller_id: 0,
            is_kraft_controller: false,
            controller_epoch: 0,
            broker_epoch: -1,
            type_: 0,
            ungrouped_partition_states: Vec::new(),
            topic_states: Vec::new(),
            live_leaders: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct LeaderAndIsrPartitionState<'a> {
    pub topic_name: Str<'a>,
    pub partition_index: i32,
    pub controller_epoch: i32,
    pub leader: i32,
    pub leader_epoch: i32,
    pub isr: Vec<i32>,
    pub partition_epoch: i32,
    pub replicas: Vec<i32>,
    pub adding_replicas: Vec<i32>,
    pub removing_replicas: Vec<i32>,
    pub is_new: bool,
    pub leader_recovery_state: i8,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct LeaderAndIsrTopicState<'a> {
    pub topic_name: Str<'a>,
    pub topic_id: Uuid,
    pub partition_states: Vec<LeaderAndIsrPartitionState<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct LeaderAndIsrLiveLeader<'a> {
    pub broker_id: i32,
    pub host_name: Str<'a>,
    pub port: i32,
}

impl<'a> LeaderAndIsrRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            controller_id: r.i32()?,
            is_kraft_controller: if version >= 7 { r.bool()? } else { false },
            controller_epoch: r.i32()?,
            broker_epoch: if version >= 2 { r.i64()? } else { -1 },
            type_: if version >= 5 { r.i8()? } else { 0 },
            ungrouped_partition_states: if version <= 1 {
                r.array(|r| LeaderAndIsrPartitionState::read(r, version))?
            } else {
                Vec::new()
            },
            topic_states: if version >= 2 {
                r.array(|r| LeaderAndIsrTopicState::read(r, version))?
            } else {
                Vec::new()
            },
            live_leaders: r.array(|r| LeaderAndIsrLiveLeader::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.controller_id);
        if version >= 7 {
            w.bool(self.is_kraft_controller);
        } else if self.is_kraft_controller {
            w.unsupported("LeaderAndIsrRequest.is_kraft_controller");
        }
        w.i32(self.controller_epoch);
        if version >= 2 {
            w.i64(self.broker_epoch);
        }
        if version >= 5 {
            w.i8(self.type_);
        } else if self.type_ != 0 {
            w.unsupported("LeaderAndIsrRequest.type_");
        }
        if version <= 1 {
            w.array_len(self.ungrouped_partition_states.len());
            for item in &self.ungrouped_partition_states {
                item.write(w, version);
            }
        } else if !self.ungrouped_partition_states.is_empty() {
            w.unsupported("LeaderAndIsrRequest.ungrouped_partition_states");
        }
        if version >= 2 {
            w.array_len(self.topic_states.len());
            for item in &self.topic_states {
                item.write(w, version);
            }
        } else if !self.topic_states.is_empty() {
            w.unsupported("LeaderAndIsrRequest.topic_states");
        }
        w.array_len(self.live_leaders.len());
        for item in &self.live_leaders {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> LeaderAndIsrRequest<'static> {
        LeaderAndIsrRequest {
            controller_id: self.controller_id,
            is_kraft_controller: self.is_kraft_controller,
            controller_epoch: self.controller_epoch,
            broker_epoch: self.broker_epoch,
            type_: self.type_,
            ungrouped_partition_states: self
                .ungrouped_partition_states
                .into_iter()
                .map(LeaderAndIsrPartitionState::into_owned)
                .collect(),
            topic_states: self.topic_states.into_iter().map(LeaderAndIsrTopicState::into_owned).collect(),
            live_leaders: self.live_leaders.into_iter().map(LeaderAndIsrLiveLeader::into_owned).collect(),
        }
    }
}

impl<'a> LeaderAndIsrPartitionState<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topic_name: if version <= 1 { r.string()? } else { Str::Borrowed("") },
            partition_index: r.i32()?,
            controller_epoch: r.i32()?,
            leader: r.i32()?,
            leader_epoch: r.i32()?,
            isr: r.array(Reader::i32)?,
            partition_epoch: r.i32()?,
            replicas: r.array(Reader::i32)?,
            adding_replicas: if version >= 3 { r.array(Reader::i32)? } else { Vec::new() },
            removing_replicas: if version >= 3 { r.array(Reader::i32)? } else { Vec::new() },
            is_new: if version >= 1 { r.bool()? } else { false },
            leader_recovery_state: if version >= 6 { r.i8()? } else { 0 },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version <= 1 {
            w.string(&self.topic_name);
        }
        w.i32(self.partition_index);
        w.i32(self.controller_epoch);
        w.i32(self.leader);
        w.i32(self.leader_epoch);
        w.array_len(self.isr.len());
        for item in &self.isr {
            w.i32(*item);
        }
        w.i32(self.partition_epoch);
        w.array_len(self.replicas.len());
        for item in &self.replicas {
            w.i32(*item);
        }
        if version >= 3 {
            w.array_len(self.adding_replicas.len());
            for item in &self.adding_replicas {
                w.i32(*item);
            }
        }
        if version >= 3 {
            w.array_len(self.removing_replicas.len());
            for item in &self.removing_replicas {
                w.i32(*item);
            }
        }
        if version >= 1 {
            w.bool(self.is_new);
        }
        if version >= 6 {
            w.i8(self.leader_recovery_state);
        } else if self.leader_recovery_state != 0 {
            w.unsupported("LeaderAndIsrPartitionState.leader_recovery_state");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> LeaderAndIsrPartitionState<'static> {
        LeaderAndIsrPartitionState {
            topic_name: Cow::Owned(self.topic_name.into_owned()),
            partition_index: self.partition_index,
            controller_epoch: self.controller_epoch,
            leader: self.leader,
            leader_epoch: self.leader_epoch,
            isr: self.isr,
            partition_epoch: self.partition_epoch,
            replicas: self.replicas,
            adding_replicas: self.adding_replicas,
            removing_replicas: self.removing_replicas,
            is_new: self.is_new,
            leader_recovery_state: self.leader_recovery_state,
        }
    }
}

impl<'a> LeaderAndIsrTopicState<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topic_name: r.string()?,
            topic_id: if version >= 5 { r.uuid()? } else { Uuid::ZERO },
            partition_states: r.array(|r| LeaderAndIsrPartitionState::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.topic_name);
        if version >= 5 {
            w.uuid(&self.topic_id);
        }
        w.array_len(self.partition_states.len());
        for item in &self.partition_states {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> LeaderAndIsrTopicState<'static> {
        LeaderAndIsrTopicState {
            topic_name: Cow::Owned(self.topic_name.into_owned()),
            topic_id: self.topic_id,
            partition_states: self.partition_states.into_iter().map(LeaderAndIsrPartitionState::into_owned).collect(),
        }
    }
}

impl<'a> LeaderAndIsrLiveLeader<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { broker_id: r.i32()?, host_name: r.string()?, port: r.i32()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.broker_id);
        w.string(&self.host_name);
        w.i32(self.port);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> LeaderAndIsrLiveLeader<'static> {
        LeaderAndIsrLiveLeader {
            broker_id: self.broker_id,
            host_name: Cow::Owned(self.host_name.into_owned()),
            port: self.port,
        }
    }
}

impl<'a> Message<'a> for LeaderAndIsrRequest<'a> {
    const NAME: &'static str = "LeaderAndIsrRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=7;
    const FIRST_FLEXIBLE: i16 = 4;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 7), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 7), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for LeaderAndIsrRequest<'a> {
    const KEY: ApiKey = ApiKey::LeaderAndIsr;
    type Response<'r> = crate::messages::LeaderAndIsrResponse<'r>;
}
