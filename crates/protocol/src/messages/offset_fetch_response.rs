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

/// `OffsetFetchResponse`: response of API 9, versions 0 to 10.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct OffsetFetchResponse<'a> {
    pub throttle_time_ms: i32,
    pub topics: Vec<OffsetFetchResponseTopic<'a>>,
    pub error_code: i16,
    pub groups: Vec<OffsetFetchResponseGroup<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct OffsetFetchResponseTopic<'a> {
    pub name: Str<'a>,
    pub partitions: Vec<OffsetFetchResponsePartition<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OffsetFetchResponsePartition<'a> {
    pub partition_index: i32,
    pub committed_offset: i64,
    pub committed_leader_epoch: i32,
    pub metadata: Option<Str<'a>>,
    pub error_code: i16,
}

impl Default for OffsetFetchResponsePartition<'_> {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            metadata: Some(Str::Borrowed("")),
            error_code: 0,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct OffsetFetchResponseGroup<'a> {
    pub group_id: Str<'a>,
    pub topics: Vec<OffsetFetchResponseTopics<'a>>,
    pub error_code: i16,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct OffsetFetchResponseTopics<'a> {
    pub name: Str<'a>,
    pub topic_id: Uuid,
    pub partitions: Vec<OffsetFetchResponsePartitions<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OffsetFetchResponsePartitions<'a> {
    pub partition_index: i32,
    pub committed_offset: i64,
    pub committed_leader_epoch: i32,
    pub metadata: Option<Str<'a>>,
    pub error_code: i16,
}

impl Default for OffsetFetchResponsePartitions<'_> {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            metadata: Some(Str::Borrowed("")),
            error_code: 0,
        }
    }
}

impl<'a> OffsetFetchResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            throttle_time_ms: if version >= 3 { r.i32()? } else { 0 },
            topics: if version <= 7 { r.array(|r| OffsetFetchResponseTopic::read(r, version))? } else { Vec::new() },
            error_code: if (2..=7).contains(&version) { r.i16()? } else { 0 },
            groups: if version >= 8 { r.array(|r| OffsetFetchResponseGroup::read(r, version))? } else { Vec::new() },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version >= 3 {
            w.i32(self.throttle_time_ms);
        }
        if version <= 7 {
            w.array_len(self.topics.len());
            for item in &self.topics {
                item.write(w, version);
            }
        } else if !self.topics.is_empty() {
            w.unsupported("OffsetFetchResponse.topics");
        }
        if (2..=7).contains(&version) {
            w.i16(self.error_code);
        }
        if version >= 8 {
            w.array_len(self.groups.len());
            for item in &self.groups {
                item.write(w, version);
            }
        } else if !self.groups.is_empty() {
            w.unsupported("OffsetFetchResponse.groups");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> OffsetFetchResponse<'static> {
        OffsetFetchResponse {
            throttle_time_ms: self.throttle_time_ms,
            topics: self.topics.into_iter().map(OffsetFetchResponseTopic::into_owned).collect(),
            error_code: self.error_code,
            groups: self.groups.into_iter().map(OffsetFetchResponseGroup::into_owned).collect(),
        }
    }
}

impl<'a> OffsetFetchResponseTopic<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, partitions: r.array(|r| OffsetFetchResponsePartition::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.name);
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> OffsetFetchResponseTopic<'static> {
        OffsetFetchResponseTopic {
            name: Cow::Owned(self.name.into_owned()),
            partitions: self.partitions.into_iter().map(OffsetFetchResponsePartition::into_owned).collect(),
        }
    }
}

impl<'a> OffsetFetchResponsePartition<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            partition_index: r.i32()?,
            committed_offset: r.i64()?,
            committed_leader_epoch: if version >= 5 { r.i32()? } else { -1 },
            metadata: r.nullable_string()?,
            error_code: r.i16()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.partition_index);
        w.i64(self.committed_offset);
        if version >= 5 {
            w.i32(self.committed_leader_epoch);
        }
        w.nullable_string(self.metadata.as_deref());
        w.i16(self.error_code);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> OffsetFetchResponsePartition<'static> {
        OffsetFetchResponsePartition {
            partition_index: self.partition_index,
            committed_offset: self.committed_offset,
            committed_leader_epoch: self.committed_leader_epoch,
            metadata: self.metadata.map(|x| Cow::Owned(x.into_owned())),
            error_code: self.error_code,
        }
    }
}

impl<'a> OffsetFetchResponseGroup<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            group_id: r.string()?,
            topics: r.array(|r| OffsetFetchResponseTopics::read(r, version))?,
            error_code: r.i16()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.group_id);
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        w.i16(self.error_code);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> OffsetFetchResponseGroup<'static> {
        OffsetFetchResponseGroup {
            group_id: Cow::Owned(self.group_id.into_owned()),
            topics: self.topics.into_iter().map(OffsetFetchResponseTopics::into_owned).collect(),
            error_code: self.error_code,
        }
    }
}

impl<'a> OffsetFetchResponseTopics<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            name: if version <= 9 { r.string()? } else { Str::Borrowed("") },
            topic_id: if version >= 10 { r.uuid()? } else { Uuid::ZERO },
            partitions: r.array(|r| OffsetFetchResponsePartitions::read(r, version))?,
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
    pub fn into_owned(self) -> OffsetFetchResponseTopics<'static> {
        OffsetFetchResponseTopics {
            name: Cow::Owned(self.name.into_owned()),
            topic_id: self.topic_id,
            partitions: self.partitions.into_iter().map(OffsetFetchResponsePartitions::into_owned).collect(),
        }
    }
}

impl<'a> OffsetFetchResponsePartitions<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            partition_index: r.i32()?,
            committed_offset: r.i64()?,
            committed_leader_epoch: r.i32()?,
            metadata: r.nullable_string()?,
            error_code: r.i16()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.partition_index);
        w.i64(self.committed_offset);
        w.i32(self.committed_leader_epoch);
        w.nullable_string(self.metadata.as_deref());
        w.i16(self.error_code);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> OffsetFetchResponsePartitions<'static> {
        OffsetFetchResponsePartitions {
            partition_index: self.partition_index,
            committed_offset: self.committed_offset,
            committed_leader_epoch: self.committed_leader_epoch,
            metadata: self.metadata.map(|x| Cow::Owned(x.into_owned())),
            error_code: self.error_code,
        }
    }
}

impl<'a> Message<'a> for OffsetFetchResponse<'a> {
    const NAME: &'static str = "OffsetFetchResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=10;
    const FIRST_FLEXIBLE: i16 = 6;

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

impl<'a> Response<'a> for OffsetFetchResponse<'a> {
    const KEY: ApiKey = ApiKey::OffsetFetch;
}
