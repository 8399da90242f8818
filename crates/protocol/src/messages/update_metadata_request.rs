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

/// `UpdateMetadataRequest`: request of API 6, versions 0 to 8.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateMetadataRequest<'a> {
    pub controller_id: i32,
    pub is_kraft_controller: bool,
    pub type_: i8,
    pub controller_epoch: i32,
    pub broker_epoch: i64,
    pub ungrouped_partition_states: Vec<UpdateMetadataPartitionState<'a>>,
    pub topic_states: Vec<UpdateMetadataTopicState<'a>>,
    pub live_brokers: Vec<UpdateMetadataBroker<'a>>,
}

impl Default for UpdateMetadataRequest<'_> {
    fn default() -> Self {
        Self {
            controller_id: 0,
            is_kraft_controller: false,
            type_: 0,
            controller_epoch: 0,
            broker_epoch: -1,
            ungrouped_partition_states: Vec::new(),
            topic_states: Vec::new(),
            live_brokers: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct UpdateMetadataPartitionState<'a> {
    pub topic_name: Str<'a>,
    pub partition_index: i32,
    pub controller_epoch: i32,
    pub leader: i32,
    pub leader_epoch: i32,
    pub isr: Vec<i32>,
    pub zk_version: i32,
    pub replicas: Vec<i32>,
    pub offline_replicas: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct UpdateMetadataTopicState<'a> {
    pub topic_name: Str<'a>,
    pub topic_id: Uuid,
    pub partition_states: Vec<UpdateMetadataPartitionState<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct UpdateMetadataBroker<'a> {
    pub id: i32,
    pub v0_host: Str<'a>,
    pub v0_port: i32,
    pub endpoints: Vec<UpdateMetadataEndpoint<'a>>,
    pub rack: Option<Str<'a>>,
}

impl Default for UpdateMetadataBroker<'_> {
    fn default() -> Self {
        Self { id: 0, v0_host: Default::default(), v0_port: 0, endpoints: Vec::new(), rack: Some(Str::Borrowed("")) }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct UpdateMetadataEndpoint<'a> {
    pub port: i32,
    pub host: Str<'a>,
    pub listener: Str<'a>,
    pub security_protocol: i16,
}

impl<'a> UpdateMetadataRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let mut this = Self {
            controller_id: r.i32()?,
            is_kraft_controller: if version >= 8 { r.bool()? } else { false },
            type_: 0,
            controller_epoch: r.i32()?,
            broker_epoch: if version >= 5 { r.i64()? } else { -1 },
            ungrouped_partition_states: if version <= 4 {
                r.array(|r| UpdateMetadataPartitionState::read(r, version))?
            } else {
                Vec::new()
            },
            topic_states: if version >= 5 {
                r.array(|r| UpdateMetadataTopicState::read(r, version))?
            } else {
                Vec::new()
            },
            live_brokers: r.array(|r| UpdateMetadataBroker::read(r, version))?,
        };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 if version >= 8 => this.type_ = r.i8()?,
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.controller_id);
        if version >= 8 {
            w.bool(self.is_kraft_controller);
        } else if self.is_kraft_controller {
            w.unsupported("UpdateMetadataRequest.is_kraft_controller");
        }
        if version < 8 && self.type_ != 0 {
            w.unsupported("UpdateMetadataRequest.type_");
        }
        w.i32(self.controller_epoch);
        if version >= 5 {
            w.i64(self.broker_epoch);
        }
        if version <= 4 {
            w.array_len(self.ungrouped_partition_states.len());
            for item in &self.ungrouped_partition_states {
                item.write(w, version);
            }
        } else if !self.ungrouped_partition_states.is_empty() {
            w.unsupported("UpdateMetadataRequest.ungrouped_partition_states");
        }
        if version >= 5 {
            w.array_len(self.topic_states.len());
            for item in &self.topic_states {
                item.write(w, version);
            }
        } else if !self.topic_states.is_empty() {
            w.unsupported("UpdateMetadataRequest.topic_states");
        }
        w.array_len(self.live_brokers.len());
        for item in &self.live_brokers {
            item.write(w, version);
        }
        if w.flexible {
            let mut tags = w.tags();
            if version >= 8 && self.type_ != 0 {
                w.tag(&mut tags, 0);
                w.i8(self.type_);
                w.end_tag(&tags);
            }
        }
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> UpdateMetadataRequest<'static> {
        UpdateMetadataRequest {
            controller_id: self.controller_id,
            is_kraft_controller: self.is_kraft_controller,
            type_: self.type_,
            controller_epoch: self.controller_epoch,
            broker_epoch: self.broker_epoch,
            ungrouped_partition_states: self
                .ungrouped_partition_states
                .into_iter()
                .map(UpdateMetadataPartitionState::into_owned)
                .collect(),
            topic_states: self.topic_states.into_iter().map(UpdateMetadataTopicState::into_owned).collect(),
            live_brokers: self.live_brokers.into_iter().map(UpdateMetadataBroker::into_owned).collect(),
        }
    }
}

impl<'a> UpdateMetadataPartitionState<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topic_name: if version <= 4 { r.string()? } else { Str::Borrowed("") },
            partition_index: r.i32()?,
            controller_epoch: r.i32()?,
            leader: r.i32()?,
            leader_epoch: r.i32()?,
            isr: r.array(Reader::i32)?,
            zk_version: r.i32()?,
            replicas: r.array(Reader::i32)?,
            offline_replicas: if version >= 4 { r.array(Reader::i32)? } else { Vec::new() },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version <= 4 {
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
        w.i32(self.zk_version);
        w.array_len(self.replicas.len());
        for item in &self.replicas {
            w.i32(*item);
        }
        if version >= 4 {
            w.array_len(self.offline_replicas.len());
            for item in &self.offline_replicas {
                w.i32(*item);
            }
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> UpdateMetadataPartitionState<'static> {
        UpdateMetadataPartitionState {
            topic_name: Cow::Owned(self.topic_name.into_owned()),
            partition_index: self.partition_index,
            controller_epoch: self.controller_epoch,
            leader: self.leader,
            leader_epoch: self.leader_epoch,
            isr: self.isr,
            zk_version: self.zk_version,
            replicas: self.replicas,
            offline_replicas: self.offline_replicas,
        }
    }
}

impl<'a> UpdateMetadataTopicState<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topic_name: r.string()?,
            topic_id: if version >= 7 { r.uuid()? } else { Uuid::ZERO },
            partition_states: r.array(|r| UpdateMetadataPartitionState::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.topic_name);
        if version >= 7 {
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
    pub fn into_owned(self) -> UpdateMetadataTopicState<'static> {
        UpdateMetadataTopicState {
            topic_name: Cow::Owned(self.topic_name.into_owned()),
            topic_id: self.topic_id,
            partition_states: self.partition_states.into_iter().map(UpdateMetadataPartitionState::into_owned).collect(),
        }
    }
}

impl<'a> UpdateMetadataBroker<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            id: r.i32()?,
            v0_host: if version <= 0 { r.string()? } else { Str::Borrowed("") },
            v0_port: if version <= 0 { r.i32()? } else { 0 },
            endpoints: if version >= 1 { r.array(|r| UpdateMetadataEndpoint::read(r, version))? } else { Vec::new() },
            rack: if version >= 2 { r.nullable_string()? } else { Some(Str::Borrowed("")) },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.id);
        if version <= 0 {
            w.string(&self.v0_host);
        }
        if version <= 0 {
            w.i32(self.v0_port);
        }
        if version >= 1 {
            w.array_len(self.endpoints.len());
            for item in &self.endpoints {
                item.write(w, version);
            }
        }
        if version >= 2 {
            w.nullable_string(self.rack.as_deref());
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> UpdateMetadataBroker<'static> {
        UpdateMetadataBroker {
            id: self.id,
            v0_host: Cow::Owned(self.v0_host.into_owned()),
            v0_port: self.v0_port,
            endpoints: self.endpoints.into_iter().map(UpdateMetadataEndpoint::into_owned).collect(),
            rack: self.rack.map(|x| Cow::Owned(x.into_owned())),
        }
    }
}

impl<'a> UpdateMetadataEndpoint<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            port: r.i32()?,
            host: r.string()?,
            listener: if version >= 3 { r.string()? } else { Str::Borrowed("") },
            security_protocol: r.i16()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.port);
        w.string(&self.host);
        if version >= 3 {
            w.string(&self.listener);
        }
        w.i16(self.security_protocol);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> UpdateMetadataEndpoint<'static> {
        UpdateMetadataEndpoint {
            port: self.port,
            host: Cow::Owned(self.host.into_owned()),
            listener: Cow::Owned(self.listener.into_owned()),
            security_protocol: self.security_protocol,
        }
    }
}

impl<'a> Message<'a> for UpdateMetadataRequest<'a> {
    const NAME: &'static str = "UpdateMetadataRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=8;
    const FIRST_FLEXIBLE: i16 = 6;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 8), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 8), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for UpdateMetadataRequest<'a> {
    const KEY: ApiKey = ApiKey::UpdateMetadata;
    type Response<'r> = crate::messages::UpdateMetadataResponse;
}
