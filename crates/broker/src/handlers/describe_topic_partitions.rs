//! DescribeTopicPartitions 0 (KIP-966): topics in the order of their names, a page at a time.
//!
//! A ZooKeeper-mode cluster has no eligible leader replicas, so those lists are empty.

use std::sync::Arc;

use ottla_protocol::messages::describe_topic_partitions_request::DescribeTopicPartitionsRequest;
use ottla_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};
use ottla_protocol::{ApiKey, ErrorCode, Str};

use super::authorized_operations as operations;
use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::metadata_cache::{ClusterImage, PartitionInfo, TopicInfo};
use crate::reply::Reply;
use crate::request::RequestContext;
use crate::topic;

pub static API: Api = Api { key: ApiKey::DescribeTopicPartitions, versions: (0, 0), facing: Facing::Client, handle };

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: DescribeTopicPartitionsRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    if !is_valid(&request) {
        return context.reply(&invalid(&request));
    }
    let image = broker.shared.metadata.image();
    let most = broker.shared.config.broker().max_request_partition_size_limit.max(1) as usize;
    let limit = most.min(request.response_partition_limit.max(1) as usize);
    let mut page = Page { image: &image, listener: &context.connection.listener, left: limit, topics: Vec::new() };
    let next_cursor = page.fill(&request);
    let response = DescribeTopicPartitionsResponse { topics: page.topics, next_cursor, ..Default::default() };
    context.reply(&response)
}

/// A cursor has to point into what was asked for.
fn is_valid(request: &DescribeTopicPartitionsRequest<'_>) -> bool {
    request.cursor.as_ref().is_none_or(|cursor| {
        let is_named = request.topics.iter().any(|topic| topic.name == cursor.topic_name);
        cursor.partition_index >= 0 && (request.topics.is_empty() || is_named)
    })
}

fn invalid<'a>(request: &'a DescribeTopicPartitionsRequest<'_>) -> DescribeTopicPartitionsResponse<'a> {
    let topics = request.topics.iter().map(|topic| DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::InvalidRequest.code(),
        name: Some(Str::Borrowed(&topic.name)),
        ..Default::default()
    });
    DescribeTopicPartitionsResponse { topics: topics.collect(), ..Default::default() }
}

struct Page<'a> {
    image: &'a ClusterImage,
    listener: &'a str,
    /// Partitions that still fit.
    left: usize,
    topics: Vec<DescribeTopicPartitionsResponseTopic<'a>>,
}

impl<'a> Page<'a> {
    /// Adds topics until the page is full; gives where the next page starts.
    fn fill(&mut self, request: &'a DescribeTopicPartitionsRequest<'_>) -> Option<Cursor<'a>> {
        let mut names: Vec<&'a str> = if request.topics.is_empty() {
            self.image.topics.keys().map(|name: &'a Arc<str>| &**name).collect()
        } else {
            request.topics.iter().map(|topic| &*topic.name).collect()
        };
        names.sort_unstable();
        names.dedup();
        let (first_topic, first_partition) = match &request.cursor {
            Some(cursor) => (&*cursor.topic_name, cursor.partition_index),
            None => ("", 0),
        };
        // A cursor into a topic that has been deleted since starts at the next one; it is not an unknown topic.
        let from_all = request.topics.is_empty();
        for name in names.into_iter().filter(|&name| name >= first_topic) {
            let start = if name == first_topic { first_partition } else { 0 };
            if self.left == 0 {
                return Some(Cursor { topic_name: Str::Borrowed(name), partition_index: start });
            }
            let next = match self.image.topic(name) {
                Some(topic) => self.add_topic(topic, start),
                None if from_all => None,
                None => self.add_unknown(name),
            };
            if next.is_some() {
                return next;
            }
        }
        None
    }

    fn add_topic(&mut self, topic: &'a TopicInfo, start: i32) -> Option<Cursor<'a>> {
        let mut rest = topic.partitions.range(start..);
        let partitions: Vec<_> =
            rest.by_ref().take(self.left).map(|(&index, info)| self.partition(index, info)).collect();
        self.left -= partitions.len();
        self.topics.push(DescribeTopicPartitionsResponseTopic {
            error_code: 0,
            name: Some(Str::Borrowed(&topic.name)),
            topic_id: topic.id,
            is_internal: topic::is_internal(&topic.name),
            partitions,
            topic_authorized_operations: operations::TOPIC,
        });
        let (&partition_index, _) = rest.next()?;
        Some(Cursor { topic_name: Str::Borrowed(&topic.name), partition_index })
    }

    fn add_unknown(&mut self, name: &'a str) -> Option<Cursor<'a>> {
        let error = match topic::check_name(name) {
            Ok(()) => ErrorCode::UnknownTopicOrPartition,
            Err(_) => ErrorCode::InvalidTopicException,
        };
        self.topics.push(DescribeTopicPartitionsResponseTopic {
            error_code: error.code(),
            name: Some(Str::Borrowed(name)),
            is_internal: topic::is_internal(name),
            topic_authorized_operations: operations::TOPIC,
            ..Default::default()
        });
        None
    }

    fn partition(&self, index: i32, info: &PartitionInfo) -> DescribeTopicPartitionsResponsePartition {
        let is_alive = self.image.endpoint(info.leader, self.listener).is_some();
        let error = match is_alive {
            true => ErrorCode::None,
            false if self.image.brokers.contains_key(&info.leader) => ErrorCode::ListenerNotFound,
            false => ErrorCode::LeaderNotAvailable,
        };
        DescribeTopicPartitionsResponsePartition {
            error_code: error.code(),
            partition_index: index,
            leader_id: if is_alive { info.leader } else { -1 },
            leader_epoch: info.leader_epoch,
            replica_nodes: info.replicas.clone(),
            isr_nodes: info.isr.clone(),
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            offline_replicas: info.offline_replicas.clone(),
        }
    }
}
