//! Makes topics and takes them away, adds partitions, deletes records, changes settings. The only client that does, so what
//! it was told is how it is.

use ottla_protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use ottla_protocol::messages::create_partitions_response::CreatePartitionsResponse;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use ottla_protocol::messages::create_topics_response::CreateTopicsResponse;
use ottla_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use ottla_protocol::messages::delete_records_response::DeleteRecordsResponse;
use ottla_protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use ottla_protocol::messages::delete_topics_response::DeleteTopicsResponse;
use ottla_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use ottla_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use ottla_protocol::messages::metadata_response::MetadataResponse;
use ottla_protocol::{ErrorCode, Message};

use super::{Call, Client, Context, Outcome, version};
use crate::model::Check;
use crate::model::partition::Kind;
use crate::model::topics::{NAMES, State};

#[derive(Clone, Copy, Debug)]
enum Doing {
    Create(&'static str),
    Delete(&'static str),
    AddPartition(&'static str, usize),
    Look(&'static str),
    DeleteRecords(&'static str, i32),
    Alter,
}

/// The administrator.
#[derive(Debug, Default)]
pub struct Admin {
    doing: Option<Doing>,
    /// A number of partitions that was asked for and not told.
    growing: Option<(&'static str, usize)>,
    /// Changes that were acknowledged.
    pub done: u64,
}

const MOST_PARTITIONS: usize = 3;

impl Admin {
    fn choose(&mut self, cx: &mut Context<'_>) -> Doing {
        // What is not certain is asked for again, until it is.
        for (name, _) in NAMES {
            let topic = cx.model.topics.get(name);
            match topic.state {
                State::Creating => return Doing::Create(name),
                State::Deleting => return Doing::Delete(name),
                State::Present if topic.id.is_none() => return Doing::Look(name),
                _ => {}
            }
        }
        if let Some((name, count)) = self.growing {
            return Doing::AddPartition(name, count);
        }
        let (name, _) = NAMES[cx.random.index(NAMES.len())];
        let topic = cx.model.topics.get(name);
        if topic.state == State::Absent {
            return Doing::Create(name);
        }
        let count = topic.partitions.len();
        match cx.random.below(20) {
            0..=2 if name != NAMES[0].0 => Doing::Delete(name),
            3 | 4 if count < MOST_PARTITIONS => Doing::AddPartition(name, count + 1),
            5..=9 => Doing::DeleteRecords(name, cx.random.index(count) as i32),
            10..=13 => Doing::Alter,
            _ => Doing::Look(name),
        }
    }

    fn create(cx: &mut Context<'_>, name: &'static str) -> Call {
        cx.model.topics.get(name).creating();
        let config = |name: &'static str, value: &'static str| CreatableTopicConfig {
            name: name.into(),
            value: Some(value.into()),
        };
        let configs = match cx.model.topics.get(name).kind {
            Kind::Plain => vec![],
            Kind::Retention => vec![config("retention.bytes", "3000"), config("retention.ms", "60000")],
            Kind::Compact => {
                vec![config("cleanup.policy", "compact"), config("min.cleanable.dirty.ratio", "0.01")]
            }
        };
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: 1 + cx.random.below(2) as i32,
            replication_factor: 1,
            configs,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 5_000, ..CreateTopicsRequest::default() };
        let version = version(cx.random, 2, 7);
        Call::new(&request, version)
    }

    fn delete(cx: &mut Context<'_>, name: &'static str) -> Call {
        cx.model.topics.get(name).state = State::Deleting;
        let version = version(cx.random, 1, 6);
        let mut request = DeleteTopicsRequest { timeout_ms: 5_000, ..DeleteTopicsRequest::default() };
        if version >= 6 {
            request.topics = vec![DeleteTopicState { name: Some(name.into()), ..DeleteTopicState::default() }];
        } else {
            request.topic_names = vec![name.into()];
        }
        Call::new(&request, version)
    }

    fn add_partition(&mut self, cx: &mut Context<'_>, name: &'static str, count: usize) -> Call {
        self.growing = Some((name, count));
        let topic = CreatePartitionsTopic { name: name.into(), count: count as i32, assignments: None };
        let request =
            CreatePartitionsRequest { topics: vec![topic], timeout_ms: 5_000, ..CreatePartitionsRequest::default() };
        let version = version(cx.random, 0, 3);
        Call::new(&request, version)
    }

    fn delete_records(cx: &mut Context<'_>, name: &'static str, index: i32) -> Call {
        let topic = cx.model.topics.get(name);
        let partition = &mut topic.partitions[index as usize];
        let offset = cx.random.below(partition.watermark().max(partition.acked_end) as u64 + 1) as i64;
        partition.delete_asked = partition.delete_asked.max(offset);
        let partition = DeleteRecordsPartition { partition_index: index, offset };
        let topic = DeleteRecordsTopic { name: name.into(), partitions: vec![partition] };
        let request = DeleteRecordsRequest { topics: vec![topic], timeout_ms: 1_000 };
        let version = version(cx.random, 0, 2);
        Call::new(&request, version)
    }

    fn alter(cx: &mut Context<'_>) -> Call {
        let (name, _) = NAMES[cx.random.index(NAMES.len())];
        let (setting, value) = match cx.random.below(4) {
            0 => ("internal.segment.bytes", (400 + cx.random.below(5_000)).to_string()),
            1 => ("index.interval.bytes", cx.random.below(500).to_string()),
            2 => ("segment.ms", (1_000 + cx.random.below(60_000)).to_string()),
            _ => ("file.delete.delay.ms", cx.random.below(3_000).to_string()),
        };
        let remove = cx.random.chance(300_000);
        let config = AlterableConfig {
            name: setting.into(),
            config_operation: i8::from(remove),
            value: (!remove).then(|| value.into()),
        };
        let resource = AlterConfigsResource { resource_type: 2, resource_name: name.into(), configs: vec![config] };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
        let version = version(cx.random, 0, 1);
        Call::new(&request, version)
    }

    fn look(cx: &mut Context<'_>, name: &'static str) -> Call {
        let topic = MetadataRequestTopic { name: Some(name.into()), ..MetadataRequestTopic::default() };
        let request = MetadataRequest { topics: Some(vec![topic]), ..MetadataRequest::default() };
        let version = version(cx.random, 10, 12);
        Call::new(&request, version)
    }

    fn on_created(&mut self, cx: &mut Context<'_>, name: &'static str, body: &[u8], version: i16) -> Check {
        let response = CreateTopicsResponse::from_bytes(body, version).map_err(|e| e.to_string())?;
        let answer = response.topics.first().ok_or("no answer for the topic")?;
        match ErrorCode::from_code(answer.error_code) {
            // How many partitions it got is told by metadata.
            ErrorCode::None | ErrorCode::TopicAlreadyExists => {
                self.done += 1;
                cx.model.topics.get(name).created(0);
                Ok(())
            }
            ErrorCode::RequestTimedOut | ErrorCode::NotController | ErrorCode::InvalidReplicationFactor => Ok(()),
            other => Err(format!("the creation of {name} was answered by {other:?}: {:?}", answer.error_message)),
        }
    }

    fn on_deleted(&mut self, cx: &mut Context<'_>, name: &'static str, body: &[u8], version: i16) -> Check {
        let response = DeleteTopicsResponse::from_bytes(body, version).map_err(|e| e.to_string())?;
        let answer = response.responses.first().ok_or("no answer for the topic")?;
        match ErrorCode::from_code(answer.error_code) {
            ErrorCode::None | ErrorCode::UnknownTopicOrPartition => {
                self.done += 1;
                cx.model.topics.get(name).state = State::Absent;
                Ok(())
            }
            ErrorCode::RequestTimedOut | ErrorCode::NotController => Ok(()),
            other => Err(format!("the deletion of {name} was answered by {other:?}")),
        }
    }

    fn on_added(&mut self, cx: &mut Context<'_>, name: &'static str, count: usize, body: &[u8], version: i16) -> Check {
        let response = CreatePartitionsResponse::from_bytes(body, version).map_err(|e| e.to_string())?;
        let answer = response.results.first().ok_or("no answer for the topic")?;
        match ErrorCode::from_code(answer.error_code) {
            ErrorCode::None => {
                cx.model.topics.get(name).created(count);
                self.growing = None;
                self.done += 1;
            }
            // The first attempt succeeded unheard.
            ErrorCode::InvalidPartitions => {
                cx.model.topics.get(name).created(count);
                self.growing = None;
            }
            ErrorCode::UnknownTopicOrPartition => self.growing = None,
            ErrorCode::RequestTimedOut | ErrorCode::NotController | ErrorCode::InvalidReplicationFactor => {}
            other => return Err(format!("{count} partitions for {name} were answered by {other:?}")),
        }
        Ok(())
    }

    fn on_metadata(&mut self, cx: &mut Context<'_>, name: &'static str, body: &[u8], version: i16) -> Check {
        let response = MetadataResponse::from_bytes(body, version).map_err(|e| e.to_string())?;
        let answer = response.topics.first().ok_or("no answer for the topic")?;
        if answer.error_code != 0 {
            return Ok(());
        }
        let topic = cx.model.topics.get(name);
        if topic.state != State::Present {
            return Ok(());
        }
        if topic.id.is_some_and(|id| id != answer.topic_id) {
            return Err(format!("{name} has id {}, it had {:?}", answer.topic_id, topic.id));
        }
        topic.id = Some(answer.topic_id);
        topic.created(answer.partitions.len());
        Ok(())
    }

    fn on_records_deleted(cx: &mut Context<'_>, name: &'static str, index: i32, body: &[u8], version: i16) -> Check {
        let response = DeleteRecordsResponse::from_bytes(body, version).map_err(|e| e.to_string())?;
        let answer = response.topics.first().and_then(|topic| topic.partitions.first());
        let answer = answer.ok_or("no answer for the partition")?;
        if answer.error_code == 0 {
            let partition = &cx.model.topics.get(name).partitions[index as usize];
            partition.told_start(answer.low_watermark).map_err(|e| format!("{name}-{index}: {e}"))?;
        }
        Ok(())
    }
}

impl Client for Admin {
    fn call(&mut self, cx: &mut Context<'_>) -> Option<Call> {
        let doing = self.choose(cx);
        self.doing = Some(doing);
        Some(match doing {
            Doing::Create(name) => Self::create(cx, name),
            Doing::Delete(name) => Self::delete(cx, name),
            Doing::AddPartition(name, count) => self.add_partition(cx, name, count),
            Doing::Look(name) => Self::look(cx, name),
            Doing::DeleteRecords(name, index) => Self::delete_records(cx, name, index),
            Doing::Alter => Self::alter(cx),
        })
    }

    fn outcome(&mut self, cx: &mut Context<'_>, outcome: Outcome<'_>) -> Check {
        let doing = self.doing.take();
        let (body, version) = match outcome {
            Outcome::Body(body, version) => (body, version),
            Outcome::Lost => return Ok(()),
            Outcome::Refused => return Err(format!("the broker closed the administrator's connection: {doing:?}")),
        };
        match doing {
            Some(Doing::Create(name)) => self.on_created(cx, name, body, version),
            Some(Doing::Delete(name)) => self.on_deleted(cx, name, body, version),
            Some(Doing::AddPartition(name, count)) => self.on_added(cx, name, count, body, version),
            Some(Doing::Look(name)) => self.on_metadata(cx, name, body, version),
            Some(Doing::DeleteRecords(name, index)) => Self::on_records_deleted(cx, name, index, body, version),
            Some(Doing::Alter) | None => Ok(()),
        }
    }
}
