// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `StreamsGroupHeartbeatResponse`: response of API 88, versions 0 to 0.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamsGroupHeartbeatResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub error_message: Option<Str<'a>>,
    pub member_id: Str<'a>,
    pub member_epoch: i32,
    pub heartbeat_interval_ms: i32,
    pub acceptable_recovery_lag: i32,
    pub task_offset_interval_ms: i32,
    pub status: Option<Vec<Status<'a>>>,
    pub active_tasks: Option<Vec<TaskIds<'a>>>,
    pub standby_tasks: Option<Vec<TaskIds<'a>>>,
    pub warmup_tasks: Option<Vec<TaskIds<'a>>>,
    pub endpoint_information_epoch: i32,
    pub partitions_by_user_endpoint: Option<Vec<EndpointToPartitions<'a>>>,
}

impl Default for StreamsGroupHeartbeatResponse<'_> {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: Default::default(),
            member_id: Default::default(),
            member_epoch: 0,
            heartbeat_interval_ms: 0,
            acceptable_recovery_lag: 0,
            task_offset_interval_ms: 0,
            status: Some(Vec::new()),
            active_tasks: None,
            standby_tasks: None,
            warmup_tasks: None,
            endpoint_information_epoch: 0,
            partitions_by_user_endpoint: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Status<'a> {
    pub status_code: i8,
    pub status_detail: Str<'a>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicPartition<'a> {
    pub topic: Str<'a>,
    pub partitions: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TaskIds<'a> {
    pub subtopology_id: Str<'a>,
    pub partitions: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Endpoint<'a> {
    pub host: Str<'a>,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct EndpointToPartitions<'a> {
    pub user_endpoint: Endpoint<'a>,
    pub active_partitions: Vec<TopicPartition<'a>>,
    pub standby_partitions: Vec<TopicPartition<'a>>,
}

impl<'a> StreamsGroupHeartbeatResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            throttle_time_ms: r.i32()?,
            error_code: r.i16()?,
            error_message: r.nullable_string()?,
            member_id: r.string()?,
            member_epoch: r.i32()?,
            heartbeat_interval_ms: r.i32()?,
            acceptable_recovery_lag: r.i32()?,
            task_offset_interval_ms: r.i32()?,
            status: r.nullable_array(|r| Status::read(r, version))?,
            active_tasks: r.nullable_array(|r| TaskIds::read(r, version))?,
            standby_tasks: r.nullable_array(|r| TaskIds::read(r, version))?,
            warmup_tasks: r.nullable_array(|r| TaskIds::read(r, version))?,
            endpoint_information_epoch: r.i32()?,
            partitions_by_user_endpoint: r.nullable_array(|r| EndpointToPartitions::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.throttle_time_ms);
        w.i16(self.error_code);
        w.nullable_string(self.error_message.as_deref());
        w.string(&self.member_id);
        w.i32(self.member_epoch);
        w.i32(self.heartbeat_interval_ms);
        w.i32(self.acceptable_recovery_lag);
        w.i32(self.task_offset_interval_ms);
        w.nullable_array_len(self.status.as_ref().map(Vec::len));
        for item in self.status.iter().flatten() {
            item.write(w, version);
        }
        w.nullable_array_len(self.active_tasks.as_ref().map(Vec::len));
        for item in self.active_tasks.iter().flatten() {
            item.write(w, version);
        }
        w.nullable_array_len(self.standby_tasks.as_ref().map(Vec::len));
        for item in self.standby_tasks.iter().flatten() {
            item.write(w, version);
        }
        w.nullable_array_len(self.warmup_tasks.as_ref().map(Vec::len));
        for item in self.warmup_tasks.iter().flatten() {
            item.write(w, version);
        }
        w.i32(self.endpoint_information_epoch);
        w.nullable_array_len(self.partitions_by_user_endpoint.as_ref().map(Vec::len));
        for item in self.partitions_by_user_endpoint.iter().flatten() {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> StreamsGroupHeartbeatResponse<'static> {
        StreamsGroupHeartbeatResponse {
            throttle_time_ms: self.throttle_time_ms,
            error_code: self.error_code,
            error_message: self.error_message.map(|x| Cow::Owned(x.into_owned())),
            member_id: Cow::Owned(self.member_id.into_owned()),
            member_epoch: self.member_epoch,
            heartbeat_interval_ms: self.heartbeat_interval_ms,
            acceptable_recovery_lag: self.acceptable_recovery_lag,
            task_offset_interval_ms: self.task_offset_interval_ms,
            status: self.status.map(|x| x.into_iter().map(Status::into_owned).collect()),
            active_tasks: self.active_tasks.map(|x| x.into_iter().map(TaskIds::into_owned).collect()),
            standby_tasks: self.standby_tasks.map(|x| x.into_iter().map(TaskIds::into_owned).collect()),
            warmup_tasks: self.warmup_tasks.map(|x| x.into_iter().map(TaskIds::into_owned).collect()),
            endpoint_information_epoch: self.endpoint_information_epoch,
            partitions_by_user_endpoint: self
                .partitions_by_user_endpoint
                .map(|x| x.into_iter().map(EndpointToPartitions::into_owned).collect()),
        }
    }
}

impl<'a> Status<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { status_code: r.i8()?, status_detail: r.string()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i8(self.status_code);
        w.string(&self.status_detail);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> Status<'static> {
        Status { status_code: self.status_code, status_detail: Cow::Owned(self.status_detail.into_owned()) }
    }
}

impl<'a> TopicPartition<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { topic: r.string()?, partitions: r.array(Reader::i32)? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.topic);
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            w.i32(*item);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TopicPartition<'static> {
        TopicPartition { topic: Cow::Owned(self.topic.into_owned()), partitions: self.partitions }
    }
}

impl<'a> TaskIds<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { subtopology_id: r.string()?, partitions: r.array(Reader::i32)? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.subtopology_id);
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            w.i32(*item);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TaskIds<'static> {
        TaskIds { subtopology_id: Cow::Owned(self.subtopology_id.into_owned()), partitions: self.partitions }
    }
}

impl<'a> Endpoint<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { host: r.string()?, port: r.u16()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.host);
        w.u16(self.port);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> Endpoint<'static> {
        Endpoint { host: Cow::Owned(self.host.into_owned()), port: self.port }
    }
}

impl<'a> EndpointToPartitions<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            user_endpoint: Endpoint::read(r, version)?,
            active_partitions: r.array(|r| TopicPartition::read(r, version))?,
            standby_partitions: r.array(|r| TopicPartition::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        self.user_endpoint.write(w, version);
        w.array_len(self.active_partitions.len());
        for item in &self.active_partitions {
            item.write(w, version);
        }
        w.array_len(self.standby_partitions.len());
        for item in &self.standby_partitions {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> EndpointToPartitions<'static> {
        EndpointToPartitions {
            user_endpoint: self.user_endpoint.into_owned(),
            active_partitions: self.active_partitions.into_iter().map(TopicPartition::into_owned).collect(),
            standby_partitions: self.standby_partitions.into_iter().map(TopicPartition::into_owned).collect(),
        }
    }
}

impl<'a> Message<'a> for StreamsGroupHeartbeatResponse<'a> {
    const NAME: &'static str = "StreamsGroupHeartbeatResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=0;
    const FIRST_FLEXIBLE: i16 = 0;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 0), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 0), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Response<'a> for StreamsGroupHeartbeatResponse<'a> {
    const KEY: ApiKey = ApiKey::StreamsGroupHeartbeat;
}
