// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `StreamsGroupHeartbeatRequest`: request of API 88, versions 0 to 0.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamsGroupHeartbeatRequest<'a> {
    pub group_id: Str<'a>,
    pub member_id: Str<'a>,
    pub member_epoch: i32,
    pub endpoint_information_epoch: i32,
    pub instance_id: Option<Str<'a>>,
    pub rack_id: Option<Str<'a>>,
    pub rebalance_timeout_ms: i32,
    pub topology: Option<Topology<'a>>,
    pub active_tasks: Option<Vec<TaskIds<'a>>>,
    pub standby_tasks: Option<Vec<TaskIds<'a>>>,
    pub warmup_tasks: Option<Vec<TaskIds<'a>>>,
    pub process_id: Option<Str<'a>>,
    pub user_endpoint: Option<Endpoint<'a>>,
    pub client_tags: Option<Vec<KeyValue<'a>>>,
    pub task_offsets: Option<Vec<TaskOffset<'a>>>,
    pub task_end_offsets: Option<Vec<TaskOffset<'a>>>,
    pub shutdown_application: bool,
}

impl Default for StreamsGroupHeartbeatRequest<'_> {
    fn default() -> Self {
        Self {
            group_id: Default::default(),
            member_id: Default::default(),
            member_epoch: 0,
            endpoint_information_epoch: 0,
            instance_id: Default::default(),
            rack_id: Default::default(),
            rebalance_timeout_ms: -1,
            topology: Default::default(),
            active_tasks: None,
            standby_tasks: None,
            warmup_tasks: None,
            process_id: Default::default(),
            user_endpoint: Default::default(),
            client_tags: None,
            task_offsets: None,
            task_end_offsets: None,
            shutdown_application: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct KeyValue<'a> {
    pub key: Str<'a>,
    pub value: Str<'a>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicInfo<'a> {
    pub name: Str<'a>,
    pub partitions: i32,
    pub replication_factor: i16,
    pub topic_configs: Vec<KeyValue<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Endpoint<'a> {
    pub host: Str<'a>,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TaskOffset<'a> {
    pub subtopology_id: Str<'a>,
    pub partition: i32,
    pub offset: i64,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TaskIds<'a> {
    pub subtopology_id: Str<'a>,
    pub partitions: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Topology<'a> {
    pub epoch: i32,
    pub subtopologies: Vec<Subtopology<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Subtopology<'a> {
    pub subtopology_id: Str<'a>,
    pub source_topics: Vec<Str<'a>>,
    pub source_topic_regex: Vec<Str<'a>>,
    pub state_changelog_topics: Vec<TopicInfo<'a>>,
    pub repartition_sink_topics: Vec<Str<'a>>,
    pub repartition_source_topics: Vec<TopicInfo<'a>>,
    pub copartition_groups: Vec<CopartitionGroup>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct CopartitionGroup {
    pub source_topics: Vec<i16>,
    pub source_topic_regex: Vec<i16>,
    pub repartition_source_topics: Vec<i16>,
}

impl<'a> StreamsGroupHeartbeatRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            group_id: r.string()?,
            member_id: r.string()?,
            member_epoch: r.i32()?,
            endpoint_information_epoch: r.i32()?,
            instance_id: r.nullable_string()?,
            rack_id: r.nullable_string()?,
            rebalance_timeout_ms: r.i32()?,
            topology: if r.is_present()? { Some(Topology::read(r, version)?) } else { None },
            active_tasks: r.nullable_array(|r| TaskIds::read(r, version))?,
            standby_tasks: r.nullable_array(|r| TaskIds::read(r, version))?,
            warmup_tasks: r.nullable_array(|r| TaskIds::read(r, version))?,
            process_id: r.nullable_string()?,
            user_endpoint: if r.is_present()? { Some(Endpoint::read(r, version)?) } else { None },
            client_tags: r.nullable_array(|r| KeyValue::read(r, version))?,
            task_offsets: r.nullable_array(|r| TaskOffset::read(r, version))?,
            task_end_offsets: r.nullable_array(|r| TaskOffset::read(r, version))?,
            shutdown_application: r.bool()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.group_id);
        w.string(&self.member_id);
        w.i32(self.member_epoch);
        w.i32(self.endpoint_information_epoch);
        w.nullable_string(self.instance_id.as_deref());
        w.nullable_string(self.rack_id.as_deref());
        w.i32(self.rebalance_timeout_ms);
        match &self.topology {
            Some(item) => {
                w.i8(1);
                item.write(w, version);
            }
            None => w.i8(-1),
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
        w.nullable_string(self.process_id.as_deref());
        match &self.user_endpoint {
            Some(item) => {
                w.i8(1);
                item.write(w, version);
            }
            None => w.i8(-1),
        }
        w.nullable_array_len(self.client_tags.as_ref().map(Vec::len));
        for item in self.client_tags.iter().flatten() {
            item.write(w, version);
        }
        w.nullable_array_len(self.task_offsets.as_ref().map(Vec::len));
        for item in self.task_offsets.iter().flatten() {
            item.write(w, version);
        }
        w.nullable_array_len(self.task_end_offsets.as_ref().map(Vec::len));
        for item in self.task_end_offsets.iter().flatten() {
            item.write(w, version);
        }
        w.bool(self.shutdown_application);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> StreamsGroupHeartbeatRequest<'static> {
        StreamsGroupHeartbeatRequest {
            group_id: Cow::Owned(self.group_id.into_owned()),
            member_id: Cow::Owned(self.member_id.into_owned()),
            member_epoch: self.member_epoch,
            endpoint_information_epoch: self.endpoint_information_epoch,
            instance_id: self.instance_id.map(|x| Cow::Owned(x.into_owned())),
            rack_id: self.rack_id.map(|x| Cow::Owned(x.into_owned())),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            topology: self.topology.map(Topology::into_owned),
            active_tasks: self.active_tasks.map(|x| x.into_iter().map(TaskIds::into_owned).collect()),
            standby_tasks: self.standby_tasks.map(|x| x.into_iter().map(TaskIds::into_owned).collect()),
            warmup_tasks: self.warmup_tasks.map(|x| x.into_iter().map(TaskIds::into_owned).collect()),
            process_id: self.process_id.map(|x| Cow::Owned(x.into_owned())),
            user_endpoint: self.user_endpoint.map(Endpoint::into_owned),
            client_tags: self.client_tags.map(|x| x.into_iter().map(KeyValue::into_owned).collect()),
            task_offsets: self.task_offsets.map(|x| x.into_iter().map(TaskOffset::into_owned).collect()),
            task_end_offsets: self.task_end_offsets.map(|x| x.into_iter().map(TaskOffset::into_owned).collect()),
            shutdown_application: self.shutdown_application,
        }
    }
}

impl<'a> KeyValue<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { key: r.string()?, value: r.string()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.key);
        w.string(&self.value);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> KeyValue<'static> {
        KeyValue { key: Cow::Owned(self.key.into_owned()), value: Cow::Owned(self.value.into_owned()) }
    }
}

impl<'a> TopicInfo<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            name: r.string()?,
            partitions: r.i32()?,
            replication_factor: r.i16()?,
            topic_configs: r.array(|r| KeyValue::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.name);
        w.i32(self.partitions);
        w.i16(self.replication_factor);
        w.array_len(self.topic_configs.len());
        for item in &self.topic_configs {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TopicInfo<'static> {
        TopicInfo {
            name: Cow::Owned(self.name.into_owned()),
            partitions: self.partitions,
            replication_factor: self.replication_factor,
            topic_configs: self.topic_configs.into_iter().map(KeyValue::into_owned).collect(),
        }
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

impl<'a> TaskOffset<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { subtopology_id: r.string()?, partition: r.i32()?, offset: r.i64()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.subtopology_id);
        w.i32(self.partition);
        w.i64(self.offset);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TaskOffset<'static> {
        TaskOffset {
            subtopology_id: Cow::Owned(self.subtopology_id.into_owned()),
            partition: self.partition,
            offset: self.offset,
        }
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

impl<'a> Topology<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { epoch: r.i32()?, subtopologies: r.array(|r| Subtopology::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.epoch);
        w.array_len(self.subtopologies.len());
        for item in &self.subtopologies {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> Topology<'static> {
        Topology {
            epoch: self.epoch,
            subtopologies: self.subtopologies.into_iter().map(Subtopology::into_owned).collect(),
        }
    }
}

impl<'a> Subtopology<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            subtopology_id: r.string()?,
            source_topics: r.array(Reader::string)?,
            source_topic_regex: r.array(Reader::string)?,
            state_changelog_topics: r.array(|r| TopicInfo::read(r, version))?,
            repartition_sink_topics: r.array(Reader::string)?,
            repartition_source_topics: r.array(|r| TopicInfo::read(r, version))?,
            copartition_groups: r.array(|r| CopartitionGroup::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.subtopology_id);
        w.array_len(self.source_topics.len());
        for item in &self.source_topics {
            w.string(item);
        }
        w.array_len(self.source_topic_regex.len());
        for item in &self.source_topic_regex {
            w.string(item);
        }
        w.array_len(self.state_changelog_topics.len());
        for item in &self.state_changelog_topics {
            item.write(w, version);
        }
        w.array_len(self.repartition_sink_topics.len());
        for item in &self.repartition_sink_topics {
            w.string(item);
        }
        w.array_len(self.repartition_source_topics.len());
        for item in &self.repartition_source_topics {
            item.write(w, version);
        }
        w.array_len(self.copartition_groups.len());
        for item in &self.copartition_groups {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> Subtopology<'static> {
        Subtopology {
            subtopology_id: Cow::Owned(self.subtopology_id.into_owned()),
            source_topics: self.source_topics.into_iter().map(|x| Cow::Owned(x.into_owned())).collect(),
            source_topic_regex: self.source_topic_regex.into_iter().map(|x| Cow::Owned(x.into_owned())).collect(),
            state_changelog_topics: self.state_changelog_topics.into_iter().map(TopicInfo::into_owned).collect(),
            repartition_sink_topics: self
                .repartition_sink_topics
                .into_iter()
                .map(|x| Cow::Owned(x.into_owned()))
                .collect(),
            repartition_source_topics: self.repartition_source_topics.into_iter().map(TopicInfo::into_owned).collect(),
            copartition_groups: self.copartition_groups,
        }
    }
}

impl CopartitionGroup {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            source_topics: r.array(Reader::i16)?,
            source_topic_regex: r.array(Reader::i16)?,
            repartition_source_topics: r.array(Reader::i16)?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.array_len(self.source_topics.len());
        for item in &self.source_topics {
            w.i16(*item);
        }
        w.array_len(self.source_topic_regex.len());
        for item in &self.source_topic_regex {
            w.i16(*item);
        }
        w.array_len(self.repartition_source_topics.len());
        for item in &self.repartition_source_topics {
            w.i16(*item);
        }
        w.no_tags();
    }
}

impl<'a> Message<'a> for StreamsGroupHeartbeatRequest<'a> {
    const NAME: &'static str = "StreamsGroupHeartbeatRequest";
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

impl<'a> Request<'a> for StreamsGroupHeartbeatRequest<'a> {
    const KEY: ApiKey = ApiKey::StreamsGroupHeartbeat;
    type Response<'r> = crate::messages::StreamsGroupHeartbeatResponse<'r>;
}
