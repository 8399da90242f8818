// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `EndQuorumEpochResponse`: response of API 54, versions 0 to 1.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct EndQuorumEpochResponse<'a> {
    pub error_code: i16,
    pub topics: Vec<TopicData<'a>>,
    pub node_endpoints: Vec<NodeEndpoint<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicData<'a> {
    pub topic_name: Str<'a>,
    pub partitions: Vec<PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct PartitionData {
    pub partition_index: i32,
    pub error_code: i16,
    pub leader_id: i32,
    pub leader_epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct NodeEndpoint<'a> {
    pub node_id: i32,
    pub host: Str<'a>,
    pub port: u16,
}

impl<'a> EndQuorumEpochResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let mut this = Self {
            error_code: r.i16()?,
            topics: r.array(|r| TopicData::read(r, version))?,
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
        w.i16(self.error_code);
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        if version < 1 && !self.node_endpoints.is_empty() {
            w.unsupported("EndQuorumEpochResponse.node_endpoints");
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
    pub fn into_owned(self) -> EndQuorumEpochResponse<'static> {
        EndQuorumEpochResponse {
            error_code: self.error_code,
            topics: self.topics.into_iter().map(TopicData::into_owned).collect(),
            node_endpoints: self.node_endpoints.into_iter().map(NodeEndpoint::into_owned).collect(),
        }
    }
}

impl<'a> TopicData<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { topic_name: r.string()?, partitions: r.array(|r| PartitionData::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.topic_name);
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TopicData<'static> {
        TopicData { topic_name: Cow::Owned(self.topic_name.into_owned()), partitions: self.partitions }
    }
}

impl PartitionData {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this =
            Self { partition_index: r.i32()?, error_code: r.i16()?, leader_id: r.i32()?, leader_epoch: r.i32()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.partition_index);
        w.i16(self.error_code);
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

impl<'a> Message<'a> for EndQuorumEpochResponse<'a> {
    const NAME: &'static str = "EndQuorumEpochResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=1;
    const FIRST_FLEXIBLE: i16 = 1;

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

impl<'a> Response<'a> for EndQuorumEpochResponse<'a> {
    const KEY: ApiKey = ApiKey::EndQuorumEpoch;
}
