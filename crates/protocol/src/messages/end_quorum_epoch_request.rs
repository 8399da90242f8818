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

/// `EndQuorumEpochRequest`: request of API 54, versions 0 to 1.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct EndQuorumEpochRequest<'a> {
    pub cluster_id: Option<Str<'a>>,
    pub topics: Vec<TopicData<'a>>,
    pub leader_endpoints: Vec<LeaderEndpoint<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicData<'a> {
    pub topic_name: Str<'a>,
    pub partitions: Vec<PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct PartitionData {
    pub partition_index: i32,
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub preferred_successors: Vec<i32>,
    pub preferred_candidates: Vec<ReplicaInfo>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct ReplicaInfo {
    pub candidate_id: i32,
    pub candidate_directory_id: Uuid,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct LeaderEndpoint<'a> {
    pub name: Str<'a>,
    pub host: Str<'a>,
    pub port: u16,
}

impl<'a> EndQuorumEpochRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            cluster_id: r.nullable_string()?,
            topics: r.array(|r| TopicData::read(r, version))?,
            leader_endpoints: if version >= 1 { r.array(|r| LeaderEndpoint::read(r, version))? } else { Vec::new() },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.nullable_string(self.cluster_id.as_deref());
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
    pub fn into_owned(self) -> EndQuorumEpochRequest<'static> {
        EndQuorumEpochRequest {
            cluster_id: self.cluster_id.map(|x| Cow::Owned(x.into_owned())),
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
            leader_id: r.i32()?,
            leader_epoch: r.i32()?,
            preferred_successors: if version <= 0 { r.array(Reader::i32)? } else { Vec::new() },
            preferred_candidates: if version >= 1 { r.array(|r| ReplicaInfo::read(r, version))? } else { Vec::new() },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.partition_index);
        w.i32(self.leader_id);
        w.i32(self.leader_epoch);
        if version <= 0 {
            w.array_len(self.preferred_successors.len());
            for item in &self.preferred_successors {
                w.i32(*item);
            }
        }
        if version >= 1 {
            w.array_len(self.preferred_candidates.len());
            for item in &self.preferred_candidates {
                item.write(w, version);
            }
        }
        w.no_tags();
    }
}

impl ReplicaInfo {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { candidate_id: r.i32()?, candidate_directory_id: r.uuid()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.candidate_id);
        w.uuid(&self.candidate_directory_id);
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

impl<'a> Message<'a> for EndQuorumEpochRequest<'a> {
    const NAME: &'static str = "EndQuorumEpochRequest";
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

impl<'a> Request<'a> for EndQuorumEpochRequest<'a> {
    const KEY: ApiKey = ApiKey::EndQuorumEpoch;
    type Response<'r> = crate::messages::EndQuorumEpochResponse<'r>;
}
