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

/// `ShareAcknowledgeRequest`: request of API 79, versions 0 to 2.
#[derive(Clone, Debug, PartialEq)]
pub struct ShareAcknowledgeRequest<'a> {
    pub group_id: Option<Str<'a>>,
    pub member_id: Option<Str<'a>>,
    pub share_session_epoch: i32,
    pub is_renew_ack: bool,
    pub topics: Vec<AcknowledgeTopic>,
}

impl Default for ShareAcknowledgeRequest<'_> {
    fn default() -> Self {
        Self {
            group_id: Default::default(),
            member_id: Some(Str::Borrowed("")),
            share_session_epoch: 0,
            is_renew_ack: false,
            topics: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct AcknowledgeTopic {
    pub topic_id: Uuid,
    pub partitions: Vec<AcknowledgePartition>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct AcknowledgePartition {
    pub partition_index: i32,
    pub acknowledgement_batches: Vec<AcknowledgementBatch>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct AcknowledgementBatch {
    pub first_offset: i64,
    pub last_offset: i64,
    pub acknowledge_types: Vec<i8>,
}

impl<'a> ShareAcknowledgeRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            group_id: r.nullable_string()?,
            member_id: r.nullable_string()?,
            share_session_epoch: r.i32()?,
            is_renew_ack: if version >= 2 { r.bool()? } else { false },
            topics: r.array(|r| AcknowledgeTopic::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.nullable_string(self.group_id.as_deref());
        w.nullable_string(self.member_id.as_deref());
        w.i32(self.share_session_epoch);
        if version >= 2 {
            w.bool(self.is_renew_ack);
        } else if self.is_renew_ack {
            w.unsupported("ShareAcknowledgeRequest.is_renew_ack");
        }
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ShareAcknowledgeRequest<'static> {
        ShareAcknowledgeRequest {
            group_id: self.group_id.map(|x| Cow::Owned(x.into_owned())),
            member_id: self.member_id.map(|x| Cow::Owned(x.into_owned())),
            share_session_epoch: self.share_session_epoch,
            is_renew_ack: self.is_renew_ack,
            topics: self.topics,
        }
    }
}

impl AcknowledgeTopic {
    fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { topic_id: r.uuid()?, partitions: r.array(|r| AcknowledgePartition::read(r, version))? };
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

impl AcknowledgePartition {
    fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            partition_index: r.i32()?,
            acknowledgement_batches: r.array(|r| AcknowledgementBatch::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.partition_index);
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

impl<'a> Message<'a> for ShareAcknowledgeRequest<'a> {
    const NAME: &'static str = "ShareAcknowledgeRequest";
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

impl<'a> Request<'a> for ShareAcknowledgeRequest<'a> {
    const KEY: ApiKey = ApiKey::ShareAcknowledge;
    type Response<'r> = crate::messages::ShareAcknowledgeResponse<'r>;
}
