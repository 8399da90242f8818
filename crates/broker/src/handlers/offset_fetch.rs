//! OffsetFetch 1–10: how far groups have consumed; an offset of -1 is none.
//!
//! Up to 7 one group, since 8 several; null topics (since 2) are all that have offsets. Since 5 with leader epochs; since 7 the
//! client can ask for stable offsets (KIP-447); since 10 topics come by id. 0 read from ZooKeeper and is gone.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_protocol::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use ottla_protocol::{ApiKey, ErrorCode};

use super::group_answers::text;
use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::coordinator::group::messages::{self, FetchTopic, FetchedPartition, FetchedTopic, OffsetFetchReply};
use crate::coordinator::runtime::Outcome;
use crate::metadata_cache::{ClusterImage, MetadataCache};
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::OffsetFetch, versions: (1, 10), facing: Facing::Client, handle };

/// What is needed to answer, beside what the coordinator says.
struct Asked {
    version: i16,
    /// For each group the topics whose ids nobody knows.
    unknown: Vec<Vec<FetchedTopic>>,
    /// Version 1 has no place for an error but the partitions.
    partitions_of_v1: Vec<(messages::Text, Vec<i32>)>,
    metadata: Arc<MetadataCache>,
}

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: OffsetFetchRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let version = context.api_version;
    let metadata = broker.shared.metadata.clone();
    let mut asked = Asked { version, unknown: Vec::new(), partitions_of_v1: Vec::new(), metadata };
    let groups = if version < 8 {
        let topics: Option<Vec<FetchTopic>> =
            request.topics.map(|topics| topics.into_iter().map(topic_by_name).collect());
        if version < 2 {
            asked.partitions_of_v1 =
                topics.iter().flatten().map(|topic| (topic.name.clone(), topic.partitions.clone())).collect();
        }
        vec![messages::OffsetFetchRequest {
            group_id: request.group_id.into(),
            member_id: None,
            member_epoch: -1,
            topics,
            require_stable: request.require_stable,
        }]
    } else {
        let image = broker.metadata().image();
        // All offsets of a group only once: they can be far more than its name.
        let mut seen = BTreeSet::new();
        let mut groups = request.groups;
        groups.retain(|group| group.topics.is_some() || seen.insert(group.group_id.to_string()));
        groups.into_iter().map(|group| fetch_group(&image, group, request.require_stable, &mut asked)).collect()
    };
    let now = context.now;
    let mut asked = Some(asked);
    let outcome = broker.groups.fetch_offsets(now, groups, &mut || {
        let responder = context.responder();
        let asked = asked.take();
        Box::new(move |replies: Vec<OffsetFetchReply>| {
            if let Some(asked) = asked {
                let replies = asked.complete(replies);
                responder.send(&asked.response(&replies));
            }
        })
    });
    match (outcome, asked) {
        (Outcome::Now(replies), Some(asked)) => {
            let replies = asked.complete(replies);
            context.reply(&asked.response(&replies))
        }
        _ => Reply::Later,
    }
}

fn topic_by_name(topic: OffsetFetchRequestTopic<'_>) -> FetchTopic {
    FetchTopic { name: topic.name.into(), topic_id: Default::default(), partitions: topic.partition_indexes }
}

fn fetch_group(
    image: &ClusterImage,
    group: OffsetFetchRequestGroup<'_>,
    require_stable: bool,
    asked: &mut Asked,
) -> messages::OffsetFetchRequest {
    let mut unknown = Vec::new();
    let mut fetch_topic = |topic: OffsetFetchRequestTopics<'_>| {
        let name =
            if asked.version >= 10 { image.topic_name(topic.topic_id).cloned() } else { Some(topic.name.into()) };
        let Some(name) = name else {
            let partitions = topic.partition_indexes.into_iter();
            let error = |p| FetchedPartition::without_offset(p, ErrorCode::UnknownTopicId);
            let (name, topic_id) = ("".into(), topic.topic_id);
            unknown.push(FetchedTopic { name, topic_id, partitions: partitions.map(error).collect() });
            return None;
        };
        Some(FetchTopic { name, topic_id: topic.topic_id, partitions: topic.partition_indexes })
    };
    let topics = group.topics.map(|topics| topics.into_iter().filter_map(&mut fetch_topic).collect());
    asked.unknown.push(unknown);
    messages::OffsetFetchRequest {
        group_id: group.group_id.into(),
        member_id: group.member_id.map(Into::into),
        member_epoch: group.member_epoch,
        topics,
        require_stable,
    }
}

impl Asked {
    /// Adds what the coordinator doesn't know: topic ids, and topics without.
    fn complete(&self, mut replies: Vec<OffsetFetchReply>) -> Vec<OffsetFetchReply> {
        if self.version >= 10 {
            let image = self.metadata.image();
            for (reply, unknown) in replies.iter_mut().zip(&self.unknown) {
                for topic in reply.topics.iter_mut().filter(|topic| topic.topic_id.is_zero()) {
                    topic.topic_id = image.topic(&topic.name).map_or(topic.topic_id, |known| known.id);
                }
                // A topic that was deleted has no id any more, and this version can't say its name.
                reply.topics.retain(|topic| !topic.topic_id.is_zero());
                if reply.error == ErrorCode::None {
                    reply.topics.extend_from_slice(unknown);
                }
            }
        }
        if let Some(reply) = replies.first_mut().filter(|reply| self.version < 2 && reply.error != ErrorCode::None) {
            let error = reply.error;
            let topic = |(name, partitions): &(messages::Text, Vec<i32>)| FetchedTopic {
                name: name.clone(),
                topic_id: Default::default(),
                partitions: partitions.iter().map(|p| FetchedPartition::without_offset(*p, error)).collect(),
            };
            reply.topics = self.partitions_of_v1.iter().map(topic).collect();
        }
        replies
    }

    fn response<'a>(&self, replies: &'a [OffsetFetchReply]) -> OffsetFetchResponse<'a> {
        if self.version >= 8 {
            return OffsetFetchResponse { groups: replies.iter().map(group).collect(), ..Default::default() };
        }
        let Some(reply) = replies.first() else { return OffsetFetchResponse::default() };
        let topics = reply.topics.iter().map(|topic| OffsetFetchResponseTopic {
            name: text(&topic.name),
            partitions: topic.partitions.iter().map(partition_of_one).collect(),
        });
        OffsetFetchResponse { topics: topics.collect(), error_code: reply.error.code(), ..Default::default() }
    }
}

fn partition_of_one(partition: &FetchedPartition) -> OffsetFetchResponsePartition<'_> {
    OffsetFetchResponsePartition {
        partition_index: partition.partition,
        committed_offset: partition.offset,
        committed_leader_epoch: partition.leader_epoch,
        metadata: Some(text(&partition.metadata)),
        error_code: partition.error.code(),
    }
}

fn group(reply: &OffsetFetchReply) -> OffsetFetchResponseGroup<'_> {
    let topics = reply.topics.iter().map(|topic| OffsetFetchResponseTopics {
        name: text(&topic.name),
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(partition_of_many).collect(),
    });
    OffsetFetchResponseGroup {
        group_id: text(&reply.group_id),
        topics: topics.collect(),
        error_code: reply.error.code(),
    }
}

fn partition_of_many(partition: &FetchedPartition) -> OffsetFetchResponsePartitions<'_> {
    OffsetFetchResponsePartitions {
        partition_index: partition.partition,
        committed_offset: partition.offset,
        committed_leader_epoch: partition.leader_epoch,
        metadata: Some(text(&partition.metadata)),
        error_code: partition.error.code(),
    }
}
