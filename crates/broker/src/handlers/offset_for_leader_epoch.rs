//! OffsetForLeaderEpoch 0–4 (KIP-101, KIP-279, KIP-320): where a leader epoch ended, for followers and consumers that look
//! whether their log is still the leader's.

use ottla_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition,
};
use ottla_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};
use ottla_protocol::{ApiKey, Str};

use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::OffsetForLeaderEpoch, versions: (0, 4), facing: Facing::Client, handle };

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: OffsetForLeaderEpochRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let topics = request.topics.iter().map(|topic| OffsetForLeaderTopicResult {
        topic: Str::Borrowed(&topic.topic),
        partitions: topic.partitions.iter().map(|asked| end_offset(broker, &topic.topic, asked)).collect(),
    });
    let topics = topics.collect();
    context.reply(&OffsetForLeaderEpochResponse { topics, ..Default::default() })
}

fn end_offset(broker: &Broker, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let found = broker
        .replicas
        .partition_or_error(topic, asked.partition)
        .and_then(|partition| partition.end_offset_for_epoch(asked.current_leader_epoch, asked.leader_epoch, true));
    let mut answer = EpochEndOffset { partition: asked.partition, ..Default::default() };
    match found {
        Ok(Some(end)) => {
            answer.leader_epoch = end.epoch;
            answer.end_offset = end.end_offset;
        }
        Ok(None) => {}
        Err(error) => answer.error_code = error.code(),
    }
    answer
}
