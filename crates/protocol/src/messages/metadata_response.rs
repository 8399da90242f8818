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

/// `MetadataResponse`: response of API 3, versions 0 to 13.
#[derive(Clone, Debug, PartialEq)]
pub struct MetadataResponse<'a> {
    pub throttle_time_ms: i32,
    pub brokers: Vec<MetadataResponseBroker<'a>>,
    pub cluster_id: Option<Str<'a>>,
    pub controller_id: i32,
    pub topics: Vec<MetadataResponseTopic<'a>>,
    pub cluster_authorized_operations: i32,
    pub error_code: i16,
}

impl Default for MetadataResponse<'_> {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            brokers: Vec::new(),
            cluster_id: Default::default(),
            controller_id: -1,
            topics: Vec::new(),
            cluster_authorized_operations: -2147483648,
            error_code: 0,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct MetadataResponseBroker<'a> {
    pub node_id: i32,
    pub host: Str<'a>,
    pub port: i32,
    pub rack: Option<Str<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MetadataResponseTopic<'a> {
    pub error_code: i16,
    pub name: Option<Str<'a>>,
    pub topic_id: Uuid,
    pub is_internal: bool,
    pub partitions: Vec<MetadataResponsePartition>,
    pub topic_authorized_operations: i32,
}

impl Default for MetadataResponseTopic<'_> {
    fn default() -> Self {
        Self {
            error_code: 0,
            name: Some(Str::Borrowed("")),
            topic_id: Uuid::ZERO,
            is_internal: false,
            partitions: Vec::new(),
            topic_authorized_operations: -2147483648,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct MetadataResponsePartition {
    pub error_code: i16,
    pub partition_index: i32,
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub replica_nodes: Vec<i32>,
    pub isr_nodes: Vec<i32>,
    pub offline_replicas: Vec<i32>,
}

impl Default for MetadataResponsePartition {
    fn default() -> Self {
        Self {
            error_code: 0,
            partition_index: 0,
            leader_id: 0,
            leader_epoch: -1,
            replica_nodes: Vec::new(),
            isr_nodes: Vec::new(),
            offline_replicas: Vec::new(),
        }
    }
}

impl<'a> MetadataResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            throttle_time_ms: if version >= 3 { r.i32()? } else { 0 },
            brokers: r.array(|r| MetadataResponseBroker::read(r, version))?,
            cluster_id: if version >= 2 { r.nullable_string()? } else { None },
            controller_id: if version >= 1 { r.i32()? } else { -1 },
            topics: r.array(|r| MetadataResponseTopic::read(r, version))?,
            cluster_authorized_operations: if (8..=10).contains(&version) { r.i32()? } else { -2147483648 },
            error_code: if version >= 13 { r.i16()? } else { 0 },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version >= 3 {
            w.i32(self.throttle_time_ms);
        }
        w.array_len(self.brokers.len());
        for item in &self.brokers {
            item.write(w, version);
        }
        if version >= 2 {
            w.nullable_string(self.cluster_id.as_deref());
        }
        if version >= 1 {
            w.i32(self.controller_id);
        }
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        if (8..=10).contains(&version) {
            w.i32(self.cluster_authorized_operations);
        } else if self.cluster_authorized_operations != -2147483648 {
            w.unsupported("MetadataResponse.cluster_authorized_operations");
        }
        if version >= 13 {
            w.i16(self.error_code);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> MetadataResponse<'static> {
        MetadataResponse {
            throttle_time_ms: self.throttle_time_ms,
            brokers: self.brokers.into_iter().map(MetadataResponseBroker::into_owned).collect(),
            cluster_id: self.cluster_id.map(|x| Cow::Owned(x.into_owned())),
            controller_id: self.controller_id,
            topics: self.topics.into_iter().map(MetadataResponseTopic::into_owned).collect(),
            cluster_authorized_operations: self.cluster_authorized_operations,
            error_code: self.error_code,
        }
    }
}

impl<'a> MetadataResponseBroker<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            node_id: r.i32()?,
            host: r.string()?,
            port: r.i32()?,
            rack: if version >= 1 { r.nullable_string()? } else { None },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.node_id);
        w.string(&self.host);
        w.i32(self.port);
        if version >= 1 {
            w.nullable_string(self.rack.as_deref());
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> MetadataResponseBroker<'static> {
        MetadataResponseBroker {
            node_id: self.node_id,
            host: Cow::Owned(self.host.into_owned()),
            port: self.port,
            rack: self.rack.map(|x| Cow::Owned(x.into_owned())),
        }
    }
}

impl<'a> MetadataResponseTopic<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            error_code: r.i16()?,
            name: if version >= 12 { r.nullable_string()? } else { Some(r.string()?) },
            topic_id: if version >= 10 { r.uuid()? } else { Uuid::ZERO },
            is_internal: if version >= 1 { r.bool()? } else { false },
            partitions: r.array(|r| MetadataResponsePartition::read(r, version))?,
            topic_authorized_operations: if version >= 8 { r.i32()? } else { -2147483648 },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i16(self.error_code);
        if self.name.is_none() && version < 12 {
            w.null_field("MetadataResponseTopic.name");
        }
        w.nullable_string(self.name.as_deref());
        if version >= 10 {
            w.uuid(&self.topic_id);
        }
        if version >= 1 {
            w.bool(self.is_internal);
        }
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            item.write(w, version);
        }
        if version >= 8 {
            w.i32(self.topic_authorized_operations);
        } else if self.topic_authorized_operations != -2147483648 {
            w.unsupported("MetadataResponseTopic.topic_authorized_operations");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> MetadataResponseTopic<'static> {
        MetadataResponseTopic {
            error_code: self.error_code,
            name: self.name.map(|x| Cow::Owned(x.into_owned())),
            topic_id: self.topic_id,
            is_internal: self.is_internal,
            partitions: self.partitions,
            topic_authorized_operations: self.topic_authorized_operations,
        }
    }
}

impl MetadataResponsePartition {
    fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            error_code: r.i16()?,
            partition_index: r.i32()?,
            leader_id: r.i32()?,
            leader_epoch: if version >= 7 { r.i32()? } else { -1 },
            replica_nodes: r.array(Reader::i32)?,
            isr_nodes: r.array(Reader::i32)?,
            offline_replicas: if version >= 5 { r.array(Reader::i32)? } else { Vec::new() },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i16(self.error_code);
        w.i32(self.partition_index);
        w.i32(self.leader_id);
        if version >= 7 {
            w.i32(self.leader_epoch);
        }
        w.array_len(self.replica_nodes.len());
        for item in &self.replica_nodes {
            w.i32(*item);
        }
        w.array_len(self.isr_nodes.len());
        for item in &self.isr_nodes {
            w.i32(*item);
        }
        if version >= 5 {
            w.array_len(self.offline_replicas.len());
            for item in &self.offline_replicas {
                w.i32(*item);
            }
        }
        w.no_tags();
    }
}

impl<'a> Message<'a> for MetadataResponse<'a> {
    const NAME: &'static str = "MetadataResponse";
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

impl<'a> Response<'a> for MetadataResponse<'a> {
    const KEY: ApiKey = ApiKey::Metadata;
}
