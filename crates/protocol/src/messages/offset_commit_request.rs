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

/// `OffsetCommitRequest`: request of API 8, versions 0 to 10.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetCommitRequest<'a> {
    pub group_id: Str<'a>,
    pub generation_id_or_member_epoch: i32,
    pub member_id: Str<'a>,
    pub group_instance_id: Option<Str<'a>>,
    pub retention_time_ms: i64,
    pub topics: Vec<OffsetCommitRequestTopic<'a>>,
}

impl Default for OffsetCommitRequest<'_> {
    fn default() -> Self {
        Self {
            group_id: Default::default(),
            generation_id_or_member_epoch: -1,
            member_id: Default::default(),
            group_instance_id: Default::default(),
            retention_time_ms: -1,
            topics: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct OffsetCommitRequestTopic<'a> {
    pub name: Str<'a>,
    pub topic_id: Uuid,
    pub partitions: Vec<OffsetCommitRequestPartition<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OffsetCommitRequestPartition<'a> {
    pub partition_index: i32,
    pub committed_offset: i64,
    pub committed_leader_epoch: i32,
    pub commit_timestamp: i64,
    pub committed_metadata: Option<Str<'a>>,
}

impl Default for OffsetCommitRequestPartition<'_> {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            commit_timestamp: -1,
            committed_metadata: Some(Str::Borrowed("")),
        }
    }
}

impl<'a> OffsetCommitRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            group_id: r.string()?,
            generation_id_or_member_epoch: if version >= 1 { r.i32()? } else { -1 },
            member_id: if version >= 1 { r.string()? } else { Str::Borrowed("") },
            group_instance_id: if version >= 7 { r.nullable_string()? } else { None },
            retention_time_ms: if (2..=4).contains(&version) { r.i64()? } else { -1 },
            topics: r.array(|r| OffsetCommitRequestTopic::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.group_id);
        if version >= 1 {
            w.i32(self.generation_id_or_member_epoch);
        }
        if version >= 1 {
            w.string(&self.member_id);
        }
        if version >= 7 {
            w.nullable_string(self.group_instance_id.as_deref());
        } else if self.group_instance_id.is_some() {
            w.unsupported("OffsetCommitRequest.group_instance_id");
        }
        if (2..=4).contains(&version) {
            w.i64(self.retention_time_ms);
        }
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> OffsetCommitRequest<'static> {
        OffsetCommitRequest {
            group_id: Cow::Owned(self.group_id.into_owned()),
            generation_id_or_member_epoch: self.generation_id_or_member_epoch,
            member_id: Cow::Owned(self.member_id.into_owned()),
            group_instance_id: self.group_instance_id.map(|x| Cow::Owned(x.into_owned())),
            retention_time_ms: self.retention_time_ms,
            topics: self.topics.into_iter().map(OffsetCommitRequestTopic::into_owned).collect(),
        }
    }
}

impl<'a> OffsetCommitRequestTopic<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            name: if version <= 9 { r.string()? } else { Str::Borrowed("") },
            topic_id: if version >= 10 { r.uuid()? } else { Uuid::ZERO },
            partitions: r.array(|r| OffsetCommitRequestPartition::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version <= 9 {
            w.string(&self.name);
        }
        if version >= 10 {
            w.uuid(&self.topic_id);
        }
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> OffsetCommitRequestTopic<'static> {
        OffsetCommitRequestTopic {
            name: Cow::Owned(self.name.into_owned()),
            topic_id: self.topic_id,
            partitions: self.partitions.into_iter().map(OffsetCommitRequestPartition::into_owned).collect(),
        }
    }
}

impl<'a> OffsetCommitRequestPartition<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            partition_index: r.i32()?,
            committed_offset: r.i64()?,
            committed_leader_epoch: if version >= 6 { r.i32()? } else { -1 },
            commit_timestamp: if version == 1 { r.i64()? } else { -1 },
            committed_metadata: r.nullable_string()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.partition_index);
        w.i64(self.committed_offset);
        if version >= 6 {
            w.i32(self.committed_leader_epoch);
        }
        if version == 1 {
            w.i64(self.commit_timestamp);
        } else if self.commit_timestamp != -1 {
            w.unsupported("OffsetCommitRequestPartition.commit_timestamp");
        }
        w.nullable_string(self.committed_metadata.as_deref());
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> OffsetCommitRequestPartition<'static> {
        OffsetCommitRequestPartition {
            partition_index: self.partition_index,
            committed_offset: self.committed_offset,
            committed_leader_epoch: self.committed_leader_epoch,
            commit_timestamp: self.commit_timestamp,
            committed_metadata: self.committed_metadata.map(|x| Cow::Owned(x.into_owned())),
        }
    }
}

impl<'a> Message<'a> for OffsetCommitRequest<'a> {
    const NAME: &'static str = "OffsetCommitRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=10;
    const FIRST_FLEXIBLE: i16 = 8;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 10), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 10), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for OffsetCommitRequest<'a> {
    const KEY: ApiKey = ApiKey::OffsetCommit;
    type Response<'r> = crate::messages::OffsetCommitResponse<'r>;
}
