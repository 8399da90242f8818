//! DescribeProducers 0 (KIP-664): the producers that a partition's log knows.

use std::collections::BTreeSet;

use ottla_protocol::messages::describe_producers_request::DescribeProducersRequest;
use ottla_protocol::messages::describe_producers_response::{
    DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use ottla_protocol::{ApiKey, ErrorCode, Str};
use ottla_storage::log::ActiveProducer;

use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::reply::Reply;
use crate::request::RequestContext;
use crate::topic;

pub static API: Api = Api { key: ApiKey::DescribeProducers, versions: (0, 0), facing: Facing::Client, handle };

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: DescribeProducersRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    // Once each: a partition's answer can be far larger than its number.
    let mut seen = BTreeSet::new();
    let topics = request.topics.iter().map(|topic| TopicResponse {
        name: Str::Borrowed(&topic.name),
        partitions: topic
            .partition_indexes
            .iter()
            .filter(|&&index| seen.insert((&*topic.name, index)))
            .map(|&index| describe(broker, &topic.name, index))
            .collect(),
    });
    let topics = topics.collect();
    context.reply(&DescribeProducersResponse { topics, ..Default::default() })
}

fn describe(broker: &Broker, topic: &str, index: i32) -> PartitionResponse<'static> {
    if let Err(why) = topic::check_name(topic) {
        return refused(index, ErrorCode::InvalidTopicException, format!("Topic name is invalid: {why}"));
    }
    if broker.shared.metadata.image().topic(topic).is_none() {
        let error = ErrorCode::UnknownTopicOrPartition;
        return refused(index, error, error.message().to_owned());
    }
    let producers = broker.replicas.partition_or_error(topic, index).and_then(|partition| partition.active_producers());
    let mut response = PartitionResponse { partition_index: index, ..Default::default() };
    match producers {
        Ok(producers) => response.active_producers = producers.iter().map(state).collect(),
        Err(error) => response.error_code = error.code(),
    }
    response
}

fn refused(index: i32, error: ErrorCode, message: String) -> PartitionResponse<'static> {
    PartitionResponse {
        partition_index: index,
        error_code: error.code(),
        error_message: Some(Str::Owned(message)),
        ..Default::default()
    }
}

fn state(producer: &ActiveProducer) -> ProducerState {
    ProducerState {
        producer_id: producer.producer_id,
        producer_epoch: producer.producer_epoch.into(),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.current_txn_start_offset,
    }
}
