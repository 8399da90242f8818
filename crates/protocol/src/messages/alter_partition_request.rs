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

/// `AlterPartitionRequest`: request of API 56, versions 0 to 3.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterPartitionRequest<'a> {
    pub broker_id: i32,
    pub broker_epoch: i64,
    pub topics: Vec<TopicData<'a>>,
}

impl Default for AlterPartitionRequest<'_> {
    fn default() -> Self {
        Self { broker_id: 0, broker_epoch: -1, topics: Vec::new() }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicData<'a> {
    pub topic_name: Str<'a>,
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct PartitionData {
    pub partition_index: i32,
    pub leader_epoch: i32,
    pub new_isr: Vec<i32>,
    pub new_isr_with_epochs: Vec<BrokerState>,
    pub leader_recovery_state: i8,
    pub partition_epoch: i32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct BrokerState {
    pub broker_id: i32,
    pub broker_epoch: i64,
}

impl Default for BrokerState {
    fn default() -> Self {
        Self { broker_id: 0, broker_epoch: -1 }
    }
}

impl<'a> AlterPartitionRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this =
            Self { broker_id: r.i32()?, broker_epoch: r.i64()?, topics: r.array(|r| TopicData::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.broker_id);
        w.i64(self.broker_epoch);
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AlterPartitionRequest<'static> {
        AlterPartitionRequest {
            broker_id: self.broker_id,
            broker_epoch: self.broker_epoch,
            topics: self.topics.into_iter().map(TopicData::into_owned).collect(),
        }
    }
}

impl<'a> TopicData<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topic_name: if version <= 1 { r.string()? } else { Str::Borrowed("") },
            topic_id: if version >= 2 { r.uuid()? } else { Uuid::ZERO },
            partitions: r.array(|r| PartitionData::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version <= 1 {
            w.string(&self.topic_name);
        }
        if version >= 2 {
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
    pub fn into_owned(self) -> TopicData<'static> {
        TopicData {
            topic_name: Cow::Owned(self.topic_name.into_owned()),
            topic_id: self.topic_id,
            partitions: self.partitions,
        }
    }
}

impl PartitionData {
    fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            partition_index: r.i32()?,
            leader_epoch: r.i32()?,
            new_isr: if version <= 2 { r.array(Reader::i32)? } else { Vec::new() },
            new_isr_with_epochs: if version >= 3 { r.array(|r| BrokerState::read(r, version))? } else { Vec::new() },
            leader_recovery_state: if version >= 1 { r.i8()? } else { 0 },
            partition_epoch: r.i32()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.partition_index);
        w.i32(self.leader_epoch);
        if version <= 2 {
            w.array_len(self.new_isr.len());
            for item in &self.new_isr {
                w.i32(*item);
            }
        } else if !self.new_isr.is_empty() {
            w.unsupported("PartitionData.new_isr");
        }
        if version >= 3 {
            w.array_len(self.new_isr_with_epochs.len());
            for item in &self.new_isr_with_epochs {
                item.write(w, version);
            }
        } else if !self.new_isr_with_epochs.is_empty() {
            w.unsupported("PartitionData.new_isr_with_epochs");
        }
        if version >= 1 {
            w.i8(self.leader_recovery_state);
        } else if self.leader_recovery_state != 0 {
            w.unsupported("PartitionData.leader_recovery_state");
        }
        w.i32(self.partition_epoch);
        w.no_tags();
    }
}

impl BrokerState {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { broker_id: r.i32()?, broker_epoch: r.i64()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.broker_id);
        w.i64(self.broker_epoch);
        w.no_tags();
    }
}

impl<'a> Message<'a> for AlterPartitionRequest<'a> {
    const NAME: &'static str = "AlterPartitionRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=3;
    const FIRST_FLEXIBLE: i16 = 0;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 3), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 3), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for AlterPartitionRequest<'a> {
    const KEY: ApiKey = ApiKey::AlterPartition;
    type Response<'r> = crate::messages::AlterPartitionResponse<'r>;
}
