//! Metadata 0–13: brokers, topics, leaders, as this broker's cache has them.
//!
//! Topics that don't exist are created when the client and `auto.create.topics.enable` allow it; the answer does not wait for
//! them but says `UNKNOWN_TOPIC_OR_PARTITION`, as Kafka's does, and the client asks again. Topic ids may stand for names from version 12 on. Version 0 names no controller and treats an empty
//! list as all topics, and errors when a replica's broker is not alive.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_base::ids::Uuid;
use ottla_protocol::messages::metadata_request::MetadataRequest;
use ottla_protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::{ApiKey, ErrorCode, Str};

use super::authorized_operations as operations;
use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::control::{ControlInput, LocalRequest};
use crate::metadata_cache::{ClusterImage, PartitionInfo, TopicInfo};
use crate::replica_manager::Shared;
use crate::reply::Reply;
use crate::request::RequestContext;
use crate::topic;

pub static API: Api = Api { key: ApiKey::Metadata, versions: (0, 13), facing: Facing::Client, handle };

/// The leader of a partition that has none.
const NO_LEADER_ID: i32 = -1;

/// Which topics a client asks for.
#[derive(Debug)]
enum Wanted {
    All,
    Names(Vec<String>),
    Ids(Vec<Uuid>),
}

/// A request without the frame that it came in.
#[derive(Debug)]
struct Asked {
    wanted: Wanted,
    version: i16,
    listener: Arc<str>,
    allow_creation: bool,
    with_cluster_operations: bool,
    with_topic_operations: bool,
}

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: MetadataRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let Some(wanted) = wanted(&request, context.api_version) else {
        return context.reply(&invalid_request(&request));
    };
    let asked = Asked {
        wanted,
        version: context.api_version,
        listener: context.connection.listener.clone(),
        allow_creation: request.allow_auto_topic_creation,
        with_cluster_operations: request.include_cluster_authorized_operations,
        with_topic_operations: request.include_topic_authorized_operations,
    };
    let missing = topics_to_create(broker, &asked);
    if !missing.is_empty() {
        let request = LocalRequest::CreateTopics { names: missing, done: None };
        broker.shared.control.submit(ControlInput::Local(request));
    }
    let image = broker.shared.metadata.image();
    context.reply(&asked.answer(&image, &broker.shared))
}

/// `None` when the version doesn't allow what the request has.
fn wanted(request: &MetadataRequest<'_>, version: i16) -> Option<Wanted> {
    let Some(topics) = request.topics.as_ref().filter(|topics| version > 0 || !topics.is_empty()) else {
        return Some(Wanted::All);
    };
    if version < 12 && topics.iter().any(|topic| topic.name.is_none() || !topic.topic_id.is_zero()) {
        return None;
    }
    // Once each: a small request must not make an answer of all memory by naming a large topic again and again.
    let mut seen = BTreeSet::new();
    let ids = topics.iter().map(|topic| topic.topic_id);
    let ids: Vec<Uuid> = ids.filter(|id| !id.is_zero() && seen.insert(*id)).collect();
    if !ids.is_empty() {
        return Some(Wanted::Ids(ids));
    }
    let mut names: Vec<String> = Vec::with_capacity(topics.len());
    let mut seen = BTreeSet::new();
    for name in topics.iter().filter_map(|topic| topic.name.as_deref()) {
        if seen.insert(name) {
            names.push(name.to_owned());
        }
    }
    Some(Wanted::Names(names))
}

fn invalid_request<'a>(request: &'a MetadataRequest<'_>) -> MetadataResponse<'a> {
    let topics = request.topics.iter().flatten().map(|topic| MetadataResponseTopic {
        error_code: ErrorCode::InvalidRequest.code(),
        name: Some(Str::Borrowed(topic.name.as_deref().unwrap_or(""))),
        topic_id: topic.topic_id,
        ..Default::default()
    });
    MetadataResponse { topics: topics.collect(), ..Default::default() }
}

fn topics_to_create(broker: &Broker, asked: &Asked) -> Vec<String> {
    let Wanted::Names(names) = &asked.wanted else { return Vec::new() };
    if !asked.allow_creation {
        return Vec::new();
    }
    let image = broker.shared.metadata.image();
    let missing: Vec<String> =
        names.iter().filter(|name| image.topic(name).is_none() && topic::check_name(name).is_ok()).cloned().collect();
    if missing.is_empty() || !broker.shared.config.broker().auto_create_topics_enable {
        return Vec::new();
    }
    missing
}

impl Asked {
    fn answer<'a>(&'a self, image: &'a ClusterImage, shared: &'a Shared) -> MetadataResponse<'a> {
        let brokers = image.brokers.values().filter_map(|broker| {
            let endpoint = broker.endpoint(&self.listener)?;
            Some(MetadataResponseBroker {
                node_id: broker.id,
                host: Str::Borrowed(&endpoint.host),
                port: endpoint.port,
                rack: broker.rack.as_deref().map(Str::Borrowed),
            })
        });
        let cluster_operations = if self.with_cluster_operations { operations::CLUSTER } else { operations::UNKNOWN };
        MetadataResponse {
            brokers: brokers.collect(),
            cluster_id: Some(Str::Borrowed(shared.cluster_id())),
            controller_id: image.controller_id.unwrap_or(-1),
            topics: self.topics(image),
            cluster_authorized_operations: cluster_operations,
            ..Default::default()
        }
    }

    fn topics<'a>(&'a self, image: &'a ClusterImage) -> Vec<MetadataResponseTopic<'a>> {
        match &self.wanted {
            Wanted::All => image.topics.values().map(|topic| self.known_topic(image, topic)).collect(),
            Wanted::Names(names) => names.iter().map(|name| self.named_topic(image, name)).collect(),
            Wanted::Ids(ids) => ids.iter().map(|&id| self.topic_with_id(image, id)).collect(),
        }
    }

    fn named_topic<'a>(&self, image: &'a ClusterImage, name: &'a str) -> MetadataResponseTopic<'a> {
        if let Some(topic) = image.topic(name) {
            return self.known_topic(image, topic);
        }
        let error = match topic::check_name(name) {
            Ok(()) => ErrorCode::UnknownTopicOrPartition,
            Err(_) => ErrorCode::InvalidTopicException,
        };
        MetadataResponseTopic {
            error_code: error.code(),
            name: Some(Str::Borrowed(name)),
            is_internal: topic::is_internal(name),
            topic_authorized_operations: self.topic_operations(),
            ..Default::default()
        }
    }

    fn topic_with_id<'a>(&self, image: &'a ClusterImage, id: Uuid) -> MetadataResponseTopic<'a> {
        match image.topic_by_id(id) {
            Some(topic) => self.known_topic(image, topic),
            None => MetadataResponseTopic {
                error_code: ErrorCode::UnknownTopicId.code(),
                name: None,
                topic_id: id,
                ..Default::default()
            },
        }
    }

    fn known_topic<'a>(&self, image: &ClusterImage, topic: &'a TopicInfo) -> MetadataResponseTopic<'a> {
        MetadataResponseTopic {
            error_code: 0,
            name: Some(Str::Borrowed(&topic.name)),
            topic_id: topic.id,
            is_internal: topic::is_internal(&topic.name),
            partitions: topic.partitions.iter().map(|(&index, info)| self.partition(image, index, info)).collect(),
            topic_authorized_operations: self.topic_operations(),
        }
    }

    fn topic_operations(&self) -> i32 {
        if self.with_topic_operations { operations::TOPIC } else { operations::UNKNOWN }
    }

    fn partition(&self, image: &ClusterImage, index: i32, info: &PartitionInfo) -> MetadataResponsePartition {
        let (replicas, isr) = (self.shown(image, &info.replicas), self.shown(image, &info.isr));
        let leader = image.endpoint(info.leader, &self.listener).map(|_| info.leader);
        let error = match leader {
            None if image.brokers.contains_key(&info.leader) && self.version >= 6 => ErrorCode::ListenerNotFound,
            None => ErrorCode::LeaderNotAvailable,
            Some(_) if replicas.len() < info.replicas.len() || isr.len() < info.isr.len() => {
                ErrorCode::ReplicaNotAvailable
            }
            Some(_) => ErrorCode::None,
        };
        MetadataResponsePartition {
            error_code: error.code(),
            partition_index: index,
            leader_id: leader.unwrap_or(NO_LEADER_ID),
            leader_epoch: info.leader_epoch,
            replica_nodes: replicas,
            isr_nodes: isr,
            offline_replicas: info.offline_replicas.clone(),
        }
    }

    /// Version 0 leaves out brokers that are not alive.
    fn shown(&self, image: &ClusterImage, brokers: &[i32]) -> Vec<i32> {
        let is_shown = |id: &&i32| self.version > 0 || image.endpoint(**id, &self.listener).is_some();
        brokers.iter().filter(is_shown).copied().collect()
    }
}
