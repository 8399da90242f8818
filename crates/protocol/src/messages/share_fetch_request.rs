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

/// `ShareFetchRequest`: request of API 78, versions 0 to 2.
#[derive(Clone, Debug, PartialEq)]
pub struct ShareFetchRequest<'a> {
    pub group_id: Option<Str<'a>>,
    pub member_id: Option<Str<'a>>,
    pub share_session_epoch: i32,
    pub max_wait_ms: i32,
    pub min_bytes: i32,
    pub max_bytes: i32,
    pub max_records: i32,
    pub batch_size: i32,
    pub share_acquire_mode: i8,
    pub is_renew_ack: bool,
    pub topics: Vec<FetchTopic>,
    pub forgotten_topics_data: Vec<ForgottenTopic>,
}

impl Default for ShareFetchRequest<'_> {
    fn default() -> Self {
        Self {
            group_id: Default::default(),
            member_id: Some(Str::Borrowed("")),
            share_session_epoch: 0,
            max_wait_ms: 0,
            min_bytes: 0,
            max_bytes: 2147483647,
            max_records: 0,
            batch_size: 0,
            share_acquire_mode: 0,
            is_renew_ack: false,
            topics: Vec::new(),
            forgotten_topics_data: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct FetchTopic {
    pub topic_id: Uuid,
    pub partitions: Vec<FetchPartition>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct FetchPartition {
    pub partition_index: i32,
    pub partition_max_bytes: i32,
    pub acknowledgement_batches: Vec<AcknowledgementBatch>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct AcknowledgementBatch {
    pub first_offset: i64,
    pub last_offset: i64,
    pub acknowledge_types: Vec<i8>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct ForgottenTopic {
    pub topic_id: Uuid,
    pub partitions: Vec<i32>,
}

impl<'a> ShareFetchRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            group_id: r.nullable_string()?,
            member_id: r.nullable_string()?,
            share_session_epoch: r.i32()?,
            max_wait_ms: r.i32()?,
            min_bytes: r.i32()?,
            max_bytes: r.i32()?,
            max_records: if version >= 1 { r.i32()? } else { 0 },
            batch_size: if version >= 1 { r.i32()? } else { 0 },
            share_acquire_mode: if version >= 2 { r.i8()? } else { 0 },
            is_renew_ack: if version >= 2 { r.bool()? } else { false },
            topics: r.array(|r| FetchTopic::read(r, version))?,
            forgotten_topics_data: r.array(|r| ForgottenTopic::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.nullable_string(self.group_id.as_deref());
        w.nullable_string(self.member_id.as_deref());
        w.i32(self.share_session_epoch);
        w.i32(self.max_wait_ms);
        w.i32(self.min_bytes);
        w.i32(self.max_bytes);
        if version >= 1 {
            w.i32(self.max_records);
        } else if self.max_records != 0 {
            w.unsupported("ShareFetchRequest.max_records");
        }
        if version >= 1 {
            w.i32(self.batch_size);
        } else if self.batch_size != 0 {
            w.unsupported("ShareFetchRequest.batch_size");
        }
        if version >= 2 {
            w.i8(self.share_acquire_mode);
        }
        if version >= 2 {
            w.bool(self.is_renew_ack);
        } else if self.is_renew_ack {
            w.unsupported("ShareFetchRequest.is_renew_ack");
        }
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        w.array_len(self.forgotten_topics_data.len());
        for item in &self.forgotten_topics_data {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ShareFetchRequest<'static> {
        ShareFetchRequest {
            group_id: self.group_id.map(|x| Cow::Owned(x.into_owned())),
            member_id: self.member_id.map(|x| Cow::Owned(x.into_owned())),
            share_session_epoch: self.share_session_epoch,
            max_wait_ms: self.max_wait_ms,
            min_bytes: self.min_bytes,
            max_bytes: self.max_bytes,
            max_records: self.max_records,
            batch_size: self.batch_size,
            share_acquire_mode: self.share_acquire_mode,
            is_renew_ack: self.is_renew_ack,
            topics: self.topics,
            forgotten_topics_data: self.forgotten_topics_data,
        }
    }
}

impl FetchTopic {
    fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { topic_id: r.uuid()?, partitions: r.array(|r| FetchPartition::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.uuid(&self.topic_id);
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            item.write(w, version);
        }
        w.no_tags();
    }
}

impl FetchPartition {
    fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            partition_index: r.i32()?,
            partition_max_bytes: if version <= 0 { r.i32()? } else { 0 },
            acknowledgement_batches: r.array(|r| AcknowledgementBatch::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.partition_index);
        if version <= 0 {
            w.i32(self.partition_max_bytes);
        } else if self.partition_max_bytes != 0 {
            w.unsupported("FetchPartition.partition_max_bytes");
        }
        w.array_len(self.acknowledgement_batches.len());
        for item in &self.acknowledgement_batches {
            item.write(w, version);
        }
        w.no_tags();
    }
}

impl AcknowledgementBatch {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { first_offset: r.i64()?, last_offset: r.i64()?, acknowledge_types: r.array(Reader::i8)? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i64(self.first_offset);
        w.i64(self.last_offset);
        w.array_len(self.acknowledge_types.len());
        for item in &self.acknowledge_types {
            w.i8(*item);
        }
        w.no_tags();
    }
}

impl ForgottenTopic {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { topic_id: r.uuid()?, partitions: r.array(Reader::i32)? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.uuid(&self.topic_id);
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            w.i32(*item);
        }
        w.no_tags();
    }
}

impl<'a> Message<'a> for ShareFetchRequest<'a> {
    const NAME: &'static str = "ShareFetchRequest";
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

impl<'a> Request<'a> for ShareFetchRequest<'a> {
    const KEY: ApiKey = ApiKey::ShareFetch;
    type Response<'r> = crate::messages::ShareFetchResponse<'r>;
}
