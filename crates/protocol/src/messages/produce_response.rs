// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use ottla_base::ids::Uuid;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `ProduceResponse`: response of API 0, versions 0 to 13.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ProduceResponse<'a> {
    pub responses: Vec<TopicProduceResponse<'a>>,
    pub throttle_time_ms: i32,
    pub node_endpoints: Vec<NodeEndpoint<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicProduceResponse<'a> {
    pub name: Str<'a>,
    pub topic_id: Uuid,
    pub partition_responses: Vec<PartitionProduceResponse<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PartitionProduceResponse<'a> {
    pub index: i32,
    pub error_code: i16,
    pub base_offset: i64,
    pub log_append_time_ms: i64,
    pub log_start_offset: i64,
    pub record_errors: Vec<BatchIndexAndErrorMessage<'a>>,
    pub error_message: Option<Str<'a>>,
    pub current_leader: LeaderIdAndEpoch,
}

impl Default for PartitionProduceResponse<'_> {
    fn default() -> Self {
        Self {
            index: 0,
            error_code: 0,
            base_offset: 0,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: Vec::new(),
            error_message: Default::default(),
            current_leader: Default::default(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct BatchIndexAndErrorMessage<'a> {
    pub batch_index: i32,
    pub batch_index_error_message: Option<Str<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LeaderIdAndEpoch {
    pub leader_id: i32,
    pub leader_epoch: i32,
}

impl Default for LeaderIdAndEpoch {
    fn default() -> Self {
        Self { leader_id: -1, leader_epoch: -1 }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct NodeEndpoint<'a> {
    pub node_id: i32,
    pub host: Str<'a>,
    pub port: i32,
    pub rack: Option<Str<'a>>,
}

impl<'a> ProduceResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let mut this = Self {
            responses: r.array(|r| TopicProduceResponse::read(r, version))?,
            throttle_time_ms: if version >= 1 { r.i32()? } else { 0 },
            node_endpoints: Vec::new(),
        };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 if version >= 10 => this.node_endpoints = r.array(|r| NodeEndpoint::read(r, version))?,
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.array_len(self.responses.len());
        for item in &self.responses {
            item.write(w, version);
        }
        if version >= 1 {
            w.i32(self.throttle_time_ms);
        }
        if version < 10 && !self.node_endpoints.is_empty() {
            w.unsupported("ProduceResponse.node_endpoints");
        }
        if w.flexible {
            let mut tags = w.tags();
            if version >= 10 && !self.node_endpoints.is_empty() {
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
    pub fn into_owned(self) -> ProduceResponse<'static> {
        ProduceResponse {
            responses: self.responses.into_iter().map(TopicProduceResponse::into_owned).collect(),
            throttle_time_ms: self.throttle_time_ms,
            node_endpoints: self.node_endpoints.into_iter().map(NodeEndpoint::into_owned).collect(),
        }
    }
}

impl<'a> TopicProduceResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            name: if version <= 12 { r.string()? } else { Str::Borrowed("") },
            topic_id: if version >= 13 { r.uuid()? } else { Uuid::ZERO },
            partition_responses: r.array(|r| PartitionProduceResponse::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version <= 12 {
            w.string(&self.name);
        }
        if version >= 13 {
            w.uuid(&self.topic_id);
        }
        w.array_len(self.partition_responses.len());
        for item in &self.partition_responses {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TopicProduceResponse<'static> {
        TopicProduceResponse {
            name: Cow::Owned(self.name.into_owned()),
            topic_id: self.topic_id,
            partition_responses: self
                .partition_responses
                .into_iter()
                .map(PartitionProduceResponse::into_owned)
                .collect(),
        }
    }
}

impl<'a> PartitionProduceResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let mut this = Self {
            index: r.i32()?,
            error_code: r.i16()?,
            base_offset: r.i64()?,
            log_append_time_ms: if version >= 2 { r.i64()? } else { -1 },
            log_start_offset: if version >= 5 { r.i64()? } else { -1 },
            record_errors: if version >= 8 {
                r.array(|r| BatchIndexAndErrorMessage::read(r, version))?
            } else {
                Vec::new()
            },
            error_message: if version >= 8 { r.nullable_string()? } else { None },
            current_leader: LeaderIdAndEpoch::default(),
        };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 if version >= 10 => this.current_leader = LeaderIdAndEpoch::read(r, version)?,
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.index);
        w.i16(self.error_code);
        w.i64(self.base_offset);
        if version >= 2 {
            w.i64(self.log_append_time_ms);
        }
        if version >= 5 {
            w.i64(self.log_start_offset);
        }
        if version >= 8 {
            w.array_len(self.record_errors.len());
            for item in &self.record_errors {
                item.write(w, version);
            }
        }
        if version >= 8 {
            w.nullable_string(self.error_message.as_deref());
        }
        if version < 10 && self.current_leader != LeaderIdAndEpoch::default() {
            w.unsupported("PartitionProduceResponse.current_leader");
        }
        if w.flexible {
            let mut tags = w.tags();
            if version >= 10 && self.current_leader != LeaderIdAndEpoch::default() {
                w.tag(&mut tags, 0);
                self.current_leader.write(w, version);
                w.end_tag(&tags);
            }
        }
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> PartitionProduceResponse<'static> {
        PartitionProduceResponse {
            index: self.index,
            error_code: self.error_code,
            base_offset: self.base_offset,
            log_append_time_ms: self.log_append_time_ms,
            log_start_offset: self.log_start_offset,
            record_errors: self.record_errors.into_iter().map(BatchIndexAndErrorMessage::into_owned).collect(),
            error_message: self.error_message.map(|x| Cow::Owned(x.into_owned())),
            current_leader: self.current_leader,
        }
    }
}

impl<'a> BatchIndexAndErrorMessage<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { batch_index: r.i32()?, batch_index_error_message: r.nullable_string()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.batch_index);
        w.nullable_string(self.batch_index_error_message.as_deref());
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> BatchIndexAndErrorMessage<'static> {
        BatchIndexAndErrorMessage {
            batch_index: self.batch_index,
            batch_index_error_message: self.batch_index_error_message.map(|x| Cow::Owned(x.into_owned())),
        }
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
        let this = Self { node_id: r.i32()?, host: r.string()?, port: r.i32()?, rack: r.nullable_string()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.node_id);
        w.string(&self.host);
        w.i32(self.port);
        w.nullable_string(self.rack.as_deref());
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> NodeEndpoint<'static> {
        NodeEndpoint {
            node_id: self.node_id,
            host: Cow::Owned(self.host.into_owned()),
            port: self.port,
            rack: self.rack.map(|x| Cow::Owned(x.into_owned())),
        }
    }
}

impl<'a> Message<'a> for ProduceResponse<'a> {
    const NAME: &'static str = "ProduceResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=13;
    const FIRST_FLEXIBLE: i16 = 9;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 13), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 13), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Response<'a> for ProduceResponse<'a> {
    const KEY: ApiKey = ApiKey::Produce;
}
