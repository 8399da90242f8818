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

/// `VoteRequest`: request of API 52, versions 0 to 2.
#[derive(Clone, Debug, PartialEq)]
pub struct VoteRequest<'a> {
    pub cluster_id: Option<Str<'a>>,
    pub voter_id: i32,
    pub topics: Vec<TopicData<'a>>,
}

impl Default for VoteRequest<'_> {
    fn default() -> Self {
        Self { cluster_id: Default::default(), voter_id: -1, topics: Vec::new() }
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
    pub replica_epoch: i32,
    pub replica_id: i32,
    pub replica_directory_id: Uuid,
    pub voter_directory_id: Uuid,
    pub last_offset_epoch: i32,
    pub last_offset: i64,
    pub pre_vote: bool,
}

impl<'a> VoteRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            cluster_id: r.nullable_string()?,
            voter_id: if version >= 1 { r.i32()? } else { -1 },
            topics: r.array(|r| TopicData::read(r, version))?,
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
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> VoteRequest<'static> {
        VoteRequest {
            cluster_id: self.cluster_id.map(|x| Cow::Owned(x.into_owned())),
            voter_id: self.voter_id,
            topics: self.topics.into_iter().map(TopicData::into_owned).collect(),
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
            replica_epoch: r.i32()?,
            replica_id: r.i32()?,
            replica_directory_id: if version >= 1 { r.uuid()? } else { Uuid::ZERO },
            voter_directory_id: if version >= 1 { r.uuid()? } else { Uuid::ZERO },
            last_offset_epoch: r.i32()?,
            last_offset: r.i64()?,
            pre_vote: if version >= 2 { r.bool()? } else { false },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.partition_index);
        w.i32(self.replica_epoch);
        w.i32(self.replica_id);
        if version >= 1 {
            w.uuid(&self.replica_directory_id);
        }
        if version >= 1 {
            w.uuid(&self.voter_directory_id);
        }
        w.i32(self.last_offset_epoch);
        w.i64(self.last_offset);
        if version >= 2 {
            w.bool(self.pre_vote);
        } else if self.pre_vote {
            w.unsupported("PartitionData.pre_vote");
        }
        w.no_tags();
    }
}

impl<'a> Message<'a> for VoteRequest<'a> {
    const NAME: &'static str = "VoteRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    const FIRST_FLEXIBLE: i16 = 0;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 2), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 2), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for VoteRequest<'a> {
    const KEY: ApiKey = ApiKey::Vote;
    type Response<'r> = crate::messages::VoteResponse<'r>;
}
