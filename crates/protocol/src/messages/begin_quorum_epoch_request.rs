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

/// `BeginQuorumEpochRequest`: request of API 53, versions 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct BeginQuorumEpochRequest<'a> {
    pub cluster_id: Option<Str<'a>>,
    pub voter_id: i32,
    pub topics: Vec<TopicData<'a>>,
    pub leader_endpoints: Vec<LeaderEndpoint<'a>>,
}

impl Default for BeginQuorumEpochRequest<'_> {
    fn default() -> Self {
        Self { cluster_id: Default::default(), voter_id: -1, topics: Vec::new(), leader_endpoints: Vec::new() }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicData<'a> {
    pub topic_name: Str<'a>,
    pub partitions: Vec<PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct PartitionData {
    pub partition_index: i32,
    pub voter_directory_id: Uuid,
    pub leader_id: i32,
    pub leader_epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct LeaderEndpoint<'a> {
    pub name: Str<'a>,
    pub host: Str<'a>,
    pub port: u16,
}

impl<'a> BeginQuorumEpochRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            cluster_id: r.nullable_string()?,
            voter_id: if version >= 1 { r.i32()? } else { -1 },
            topics: r.array(|r| TopicData::read(r, version))?,
            leader_endpoints: if version >= 1 { r.array(|r| LeaderEndpoint::read(r, version))? } else { Vec::new() },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.nullable_string(self.cluster_id.as_deref());
        if version >= 1 {
            w.i32(self.voter_id);
        }
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        if version >= 1 {
            w.array_len(self.leader_endpoints.len());
            for item in &self.leader_endpoints {
                item.write(w, version);
            }
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> BeginQuorumEpochRequest<'static> {
        BeginQuorumEpochRequest {
            cluster_id: self.cluster_id.map(|x| Cow::Owned(x.into_owned())),
            voter_id: self.voter_id,
            topics: self.topics.into_iter().map(TopicData::into_owned).collect(),
            leader_endpoints: self.leader_endpoints.into_iter().map(LeaderEndpoint::into_owned).collect(),
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
    fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            partition_index: r.i32()?,
            voter_directory_id: if version >= 1 { r.uuid()? } else { Uuid::ZERO },
            leader_id: r.i32()?,
            leader_epoch: r.i32()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.partition_index);
        if version >= 1 {
            w.uuid(&self.voter_directory_id);
        }
        w.i32(self.leader_id);
        w.i32(self.leader_epoch);
        w.no_tags();
    }
}

impl<'a> LeaderEndpoint<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, host: r.string()?, port: r.u16()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.string(&self.host);
        w.u16(self.port);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> LeaderEndpoint<'static> {
        LeaderEndpoint {
            name: Cow::Owned(self.name.into_owned()),
            host: Cow::Owned(self.host.into_owned()),
            port: self.port,
        }
    }
}

impl<'a> Message<'a> for BeginQuorumEpochRequest<'a> {
    const NAME: &'static str = "BeginQuorumEpochRequest";
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

impl<'a> Request<'a> for BeginQuorumEpochRequest<'a> {
    const KEY: ApiKey = ApiKey::BeginQuorumEpoch;
    type Response<'r> = crate::messages::BeginQuorumEpochResponse<'r>;
}
