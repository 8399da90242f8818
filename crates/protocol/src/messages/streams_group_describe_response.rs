// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `StreamsGroupDescribeResponse`: response of API 89, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct StreamsGroupDescribeResponse<'a> {
    pub throttle_time_ms: i32,
    pub groups: Vec<DescribedGroup<'a>>,
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
pub struct Assignment<'a> {
    pub active_tasks: Vec<TaskIds<'a>>,
    pub standby_tasks: Vec<TaskIds<'a>>,
    pub warmup_tasks: Vec<TaskIds<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TaskIds<'a> {
    pub subtopology_id: Str<'a>,
    pub partitions: Vec<i32>,
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

#[derive(Clone, Debug, PartialEq)]
pub struct DescribedGroup<'a> {
    pub error_code: i16,
    pub error_message: Option<Str<'a>>,
    pub group_id: Str<'a>,
    pub group_state: Str<'a>,
    pub group_epoch: i32,
    pub assignment_epoch: i32,
    pub topology: Option<Topology<'a>>,
    pub members: Vec<Member<'a>>,
    pub authorized_operations: i32,
}

impl Default for DescribedGroup<'_> {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: Default::default(),
            group_id: Default::default(),
            group_state: Default::default(),
            group_epoch: 0,
            assignment_epoch: 0,
            topology: Default::default(),
            members: Vec::new(),
            authorized_operations: -2147483648,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Topology<'a> {
    pub epoch: i32,
    pub subtopologies: Option<Vec<Subtopology<'a>>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Subtopology<'a> {
    pub subtopology_id: Str<'a>,
    pub source_topics: Vec<Str<'a>>,
    pub repartition_sink_topics: Vec<Str<'a>>,
    pub state_changelog_topics: Vec<TopicInfo<'a>>,
    pub repartition_source_topics: Vec<TopicInfo<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Member<'a> {
    pub member_id: Str<'a>,
    pub member_epoch: i32,
    pub instance_id: Option<Str<'a>>,
    pub rack_id: Option<Str<'a>>,
    pub client_id: Str<'a>,
    pub client_host: Str<'a>,
    pub topology_epoch: i32,
    pub process_id: Str<'a>,
    pub user_endpoint: Option<Endpoint<'a>>,
    pub client_tags: Vec<KeyValue<'a>>,
    pub task_offsets: Vec<TaskOffset<'a>>,
    pub task_end_offsets: Vec<TaskOffset<'a>>,
    pub assignment: Assignment<'a>,
    pub target_assignment: Assignment<'a>,
    pub is_classic: bool,
}

impl<'a> StreamsGroupDescribeResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { throttle_time_ms: r.i32()?, groups: r.array(|r| DescribedGroup::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.throttle_time_ms);
        w.array_len(self.groups.len());
        for item in &self.groups {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> StreamsGroupDescribeResponse<'static> {
        StreamsGroupDescribeResponse {
            throttle_time_ms: self.throttle_time_ms,
            groups: self.groups.into_iter().map(DescribedGroup::into_owned).collect(),
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

impl<'a> Assignment<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            active_tasks: r.array(|r| TaskIds::read(r, version))?,
            standby_tasks: r.array(|r| TaskIds::read(r, version))?,
            warmup_tasks: r.array(|r| TaskIds::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.array_len(self.active_tasks.len());
        for item in &self.active_tasks {
            item.write(w, version);
        }
        w.array_len(self.standby_tasks.len());
        for item in &self.standby_tasks {
            item.write(w, version);
        }
        w.array_len(self.warmup_tasks.len());
        for item in &self.warmup_tasks {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> Assignment<'static> {
        Assignment {
            active_tasks: self.active_tasks.into_iter().map(TaskIds::into_owned).collect(),
            standby_tasks: self.standby_tasks.into_iter().map(TaskIds::into_owned).collect(),
            warmup_tasks: self.warmup_tasks.into_iter().map(TaskIds::into_owned).collect(),
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

impl<'a> DescribedGroup<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            error_code: r.i16()?,
            error_message: r.nullable_string()?,
            group_id: r.string()?,
            group_state: r.string()?,
            group_epoch: r.i32()?,
            assignment_epoch: r.i32()?,
            topology: if r.is_present()? { Some(Topology::read(r, version)?) } else { None },
            members: r.array(|r| Member::read(r, version))?,
            authorized_operations: r.i32()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i16(self.error_code);
        w.nullable_string(self.error_message.as_deref());
        w.string(&self.group_id);
        w.string(&self.group_state);
        w.i32(self.group_epoch);
        w.i32(self.assignment_epoch);
        match &self.topology {
            Some(item) => {
                w.i8(1);
                item.write(w, version);
            }
            None => w.i8(-1),
        }
        w.array_len(self.members.len());
        for item in &self.members {
            item.write(w, version);
        }
        w.i32(self.authorized_operations);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DescribedGroup<'static> {
        DescribedGroup {
            error_code: self.error_code,
            error_message: self.error_message.map(|x| Cow::Owned(x.into_owned())),
            group_id: Cow::Owned(self.group_id.into_owned()),
            group_state: Cow::Owned(self.group_state.into_owned()),
            group_epoch: self.group_epoch,
            assignment_epoch: self.assignment_epoch,
            topology: self.topology.map(Topology::into_owned),
            members: self.members.into_iter().map(Member::into_owned).collect(),
            authorized_operations: self.authorized_operations,
        }
    }
}

impl<'a> Topology<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { epoch: r.i32()?, subtopologies: r.nullable_array(|r| Subtopology::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.epoch);
        w.nullable_array_len(self.subtopologies.as_ref().map(Vec::len));
        for item in self.subtopologies.iter().flatten() {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> Topology<'static> {
        Topology {
            epoch: self.epoch,
            subtopologies: self.subtopologies.map(|x| x.into_iter().map(Subtopology::into_owned).collect()),
        }
    }
}

impl<'a> Subtopology<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            subtopology_id: r.string()?,
            source_topics: r.array(Reader::string)?,
            repartition_sink_topics: r.array(Reader::string)?,
            state_changelog_topics: r.array(|r| TopicInfo::read(r, version))?,
            repartition_source_topics: r.array(|r| TopicInfo::read(r, version))?,
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
        w.array_len(self.repartition_sink_topics.len());
        for item in &self.repartition_sink_topics {
            w.string(item);
        }
        w.array_len(self.state_changelog_topics.len());
        for item in &self.state_changelog_topics {
            item.write(w, version);
        }
        w.array_len(self.repartition_source_topics.len());
        for item in &self.repartition_source_topics {
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
            repartition_sink_topics: self
                .repartition_sink_topics
                .into_iter()
                .map(|x| Cow::Owned(x.into_owned()))
                .collect(),
            state_changelog_topics: self.state_changelog_topics.into_iter().map(TopicInfo::into_owned).collect(),
            repartition_source_topics: self.repartition_source_topics.into_iter().map(TopicInfo::into_owned).collect(),
        }
    }
}

impl<'a> Member<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            member_id: r.string()?,
            member_epoch: r.i32()?,
            instance_id: r.nullable_string()?,
            rack_id: r.nullable_string()?,
            client_id: r.string()?,
            client_host: r.string()?,
            topology_epoch: r.i32()?,
            process_id: r.string()?,
            user_endpoint: if r.is_present()? { Some(Endpoint::read(r, version)?) } else { None },
            client_tags: r.array(|r| KeyValue::read(r, version))?,
            task_offsets: r.array(|r| TaskOffset::read(r, version))?,
            task_end_offsets: r.array(|r| TaskOffset::read(r, version))?,
            assignment: Assignment::read(r, version)?,
            target_assignment: Assignment::read(r, version)?,
            is_classic: r.bool()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.member_id);
        w.i32(self.member_epoch);
        w.nullable_string(self.instance_id.as_deref());
        w.nullable_string(self.rack_id.as_deref());
        w.string(&self.client_id);
        w.string(&self.client_host);
        w.i32(self.topology_epoch);
        w.string(&self.process_id);
        match &self.user_endpoint {
            Some(item) => {
                w.i8(1);
                item.write(w, version);
            }
            None => w.i8(-1),
        }
        w.array_len(self.client_tags.len());
        for item in &self.client_tags {
            item.write(w, version);
        }
        w.array_len(self.task_offsets.len());
        for item in &self.task_offsets {
            item.write(w, version);
        }
        w.array_len(self.task_end_offsets.len());
        for item in &self.task_end_offsets {
            item.write(w, version);
        }
        self.assignment.write(w, version);
        self.target_assignment.write(w, version);
        w.bool(self.is_classic);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> Member<'static> {
        Member {
            member_id: Cow::Owned(self.member_id.into_owned()),
            member_epoch: self.member_epoch,
            instance_id: self.instance_id.map(|x| Cow::Owned(x.into_owned())),
            rack_id: self.rack_id.map(|x| Cow::Owned(x.into_owned())),
            client_id: Cow::Owned(self.client_id.into_owned()),
            client_host: Cow::Owned(self.client_host.into_owned()),
            topology_epoch: self.topology_epoch,
            process_id: Cow::Owned(self.process_id.into_owned()),
            user_endpoint: self.user_endpoint.map(Endpoint::into_owned),
            client_tags: self.client_tags.into_iter().map(KeyValue::into_owned).collect(),
            task_offsets: self.task_offsets.into_iter().map(TaskOffset::into_owned).collect(),
            task_end_offsets: self.task_end_offsets.into_iter().map(TaskOffset::into_owned).collect(),
            assignment: self.assignment.into_owned(),
            target_assignment: self.target_assignment.into_owned(),
            is_classic: self.is_classic,
        }
    }
}

impl<'a> Message<'a> for StreamsGroupDescribeResponse<'a> {
    const NAME: &'static str = "StreamsGroupDescribeResponse";
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

impl<'a> Response<'a> for StreamsGroupDescribeResponse<'a> {
    const KEY: ApiKey = ApiKey::StreamsGroupDescribe;
}
