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

/// `FetchRequest`: request of API 1, versions 0 to 18.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchRequest<'a> {
    pub cluster_id: Option<Str<'a>>,
    pub replica_id: i32,
    pub replica_state: ReplicaState,
    pub max_wait_ms: i32,
    pub min_bytes: i32,
    pub max_bytes: i32,
    pub isolation_level: i8,
    pub session_id: i32,
    pub session_epoch: i32,
    pub topics: Vec<FetchTopic<'a>>,
    pub forgotten_topics_data: Vec<ForgottenTopic<'a>>,
    pub rack_id: Str<'a>,
}

impl Default for FetchRequest<'_> {
    fn default() -> Self {
        Self {
            cluster_id: Default::default(),
            replica_id: -1,
            replica_state: Default::default(),
            max_wait_ms: 0,
            min_bytes: 0,
            max_bytes: 2147483647,
            isolation_level: 0,
            session_id: 0,
            session_epoch: -1,
            topics: Vec::new(),
            forgotten_topics_data: Vec::new(),
            rack_id: Default::default(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaState {
    pub replica_id: i32,
    pub replica_epoch: i64,
}

impl Default for ReplicaState {
    fn default() -> Self {
        Self { replica_id: -1, replica_epoch: -1 }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct FetchTopic<'a> {
    pub topic: Str<'a>,
    pub topic_id: Uuid,
    pub partitions: Vec<FetchPartition>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct FetchPartition {
    pub partition: i32,
    pub current_leader_epoch: i32,
    pub fetch_offset: i64,
    pub last_fetched_epoch: i32,
    pub log_start_offset: i64,
    pub partition_max_bytes: i32,
    pub replica_directory_id: Uuid,
    pub high_watermark: i64,
}

impl Default for FetchPartition {
    fn default() -> Self {
        Self {
            partition: 0,
            current_leader_epoch: -1,
            fetch_offset: 0,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: 0,
            replica_directory_id: Uuid::ZERO,
            high_watermark: 9223372036854775807,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct ForgottenTopic<'a> {
    pub topic: Str<'a>,
    pub topic_id: Uuid,
    pub partitions: Vec<i32>,
}

impl<'a> FetchRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let mut this = Self {
            cluster_id: None,
            replica_id: if version <= 14 { r.i32()? } else { -1 },
            replica_state: ReplicaState::default(),
            max_wait_ms: r.i32()?,
            min_bytes: r.i32()?,
            max_bytes: if version >= 3 { r.i32()? } else { 2147483647 },
            isolation_level: if version >= 4 { r.i8()? } else { 0 },
            session_id: if version >= 7 { r.i32()? } else { 0 },
            session_epoch: if version >= 7 { r.i32()? } else { -1 },
            topics: r.array(|r| FetchTopic::read(r, version))?,
            forgotten_topics_data: if version >= 7 {
                r.array(|r| ForgottenTopic::read(r, version))?
            } else {
                Vec::new()
            },
            rack_id: if version >= 11 { r.string()? } else { Str::Borrowed("") },
        };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 if version >= 12 => this.cluster_id = r.nullable_string()?,
                1 if version >= 15 => this.replica_state = ReplicaState::read(r, version)?,
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version <= 14 {
            w.i32(self.replica_id);
        } else if self.replica_id != -1 {
            w.unsupported("FetchRequest.replica_id");
        }
        if version < 15 && self.replica_state != ReplicaState::default() {
            w.unsupported("FetchRequest.replica_state");
        }
        w.i32(self.max_wait_ms);
        w.i32(self.min_bytes);
        if version >= 3 {
            w.i32(self.max_bytes);
        }
        if version >= 4 {
            w.i8(self.isolation_level);
        }
        if version >= 7 {
            w.i32(self.session_id);
        }
        if version >= 7 {
            w.i32(self.session_epoch);
        }
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        if version >= 7 {
            w.array_len(self.forgotten_topics_data.len());
            for item in &self.forgotten_topics_data {
                item.write(w, version);
            }
        } else if !self.forgotten_topics_data.is_empty() {
            w.unsupported("FetchRequest.forgotten_topics_data");
        }
        if version >= 11 {
            w.string(&self.rack_id);
        }
        if w.flexible {
            let mut tags = w.tags();
            if version >= 12 && self.cluster_id.is_some() {
                w.tag(&mut tags, 0);
                w.nullable_string(self.cluster_id.as_deref());
                w.end_tag(&tags);
            }
            if version >= 15 && self.replica_state != ReplicaState::default() {
                w.tag(&mut tags, 1);
                self.replica_state.write(w, version);
                w.end_tag(&tags);
            }
        }
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> FetchRequest<'static> {
        FetchRequest {
            cluster_id: self.cluster_id.map(|x| Cow::Owned(x.into_owned())),
            replica_id: self.replica_id,
            replica_state: self.replica_state,
            max_wait_ms: self.max_wait_ms,
            min_bytes: self.min_bytes,
            max_bytes: self.max_bytes,
            isolation_level: self.isolation_level,
            session_id: self.session_id,
            session_epoch: self.session_epoch,
            topics: self.topics.into_iter().map(FetchTopic::into_owned).collect(),
            forgotten_topics_data: self.forgotten_topics_data.into_iter().map(ForgottenTopic::into_owned).collect(),
            rack_id: Cow::Owned(self.rack_id.into_owned()),
        }
    }
}

impl ReplicaState {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { replica_id: r.i32()?, replica_epoch: r.i64()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.replica_id);
        w.i64(self.replica_epoch);
        w.no_tags();
    }
}

impl<'a> FetchTopic<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topic: if version <= 12 { r.string()? } else { Str::Borrowed("") },
            topic_id: if version >= 13 { r.uuid()? } else { Uuid::ZERO },
            partitions: r.array(|r| FetchPartition::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version <= 12 {
            w.string(&self.topic);
        }
        if version >= 13 {
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
    pub fn into_owned(self) -> FetchTopic<'static> {
        FetchTopic { topic: Cow::Owned(self.topic.into_owned()), topic_id: self.topic_id, partitions: self.partitions }
    }
}

impl FetchPartition {
    fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let mut this = Self {
            partition: r.i32()?,
            current_leader_epoch: if version >= 9 { r.i32()? } else { -1 },
            fetch_offset: r.i64()?,
            last_fetched_epoch: if version >= 12 { r.i32()? } else { -1 },
            log_start_offset: if version >= 5 { r.i64()? } else { -1 },
            partition_max_bytes: r.i32()?,
            replica_directory_id: Uuid::ZERO,
            high_watermark: 9223372036854775807,
        };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 if version >= 17 => this.replica_directory_id = r.uuid()?,
                1 if version >= 18 => this.high_watermark = r.i64()?,
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.partition);
        if version >= 9 {
            w.i32(self.current_leader_epoch);
        }
        w.i64(self.fetch_offset);
        if version >= 12 {
            w.i32(self.last_fetched_epoch);
        } else if self.last_fetched_epoch != -1 {
            w.unsupported("FetchPartition.last_fetched_epoch");
        }
        if version >= 5 {
            w.i64(self.log_start_offset);
        }
        w.i32(self.partition_max_bytes);
        if w.flexible {
            let mut tags = w.tags();
            if version >= 17 && self.replica_directory_id != Uuid::ZERO {
                w.tag(&mut tags, 0);
                w.uuid(&self.replica_directory_id);
                w.end_tag(&tags);
            }
            if version >= 18 && self.high_watermark != 9223372036854775807 {
                w.tag(&mut tags, 1);
                w.i64(self.high_watermark);
                w.end_tag(&tags);
            }
        }
    }
}

impl<'a> ForgottenTopic<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topic: if version <= 12 { r.string()? } else { Str::Borrowed("") },
            topic_id: if version >= 13 { r.uuid()? } else { Uuid::ZERO },
            partitions: r.array(Reader::i32)?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version <= 12 {
            w.string(&self.topic);
        }
        if version >= 13 {
            w.uuid(&self.topic_id);
        }
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            w.i32(*item);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ForgottenTopic<'static> {
        ForgottenTopic {
            topic: Cow::Owned(self.topic.into_owned()),
            topic_id: self.topic_id,
            partitions: self.partitions,
        }
    }
}

impl<'a> Message<'a> for FetchRequest<'a> {
    const NAME: &'static str = "FetchRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=18;
    const FIRST_FLEXIBLE: i16 = 12;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 18), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 18), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for FetchRequest<'a> {
    const KEY: ApiKey = ApiKey::Fetch;
    type Response<'r> = crate::messages::FetchResponse<'r>;
}
