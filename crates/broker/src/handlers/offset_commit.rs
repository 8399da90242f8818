//! OffsetCommit 2–10: stores how far a group has consumed.
//!
//! 2–4 may say how long to keep the offsets; since 6 with the leader epoch; since 7 with the instance id of static members;
//! since 9 an unknown group is `GROUP_ID_NOT_FOUND` (`ILLEGAL_GENERATION` before); since 10 topics come by id.

use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use ottla_protocol::{ApiKey, ErrorCode};

use super::group_answers::{Answer, another_kind, run, text};
use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::coordinator::group::messages::{self, CommitPartition, CommitTopic, GroupReply, GroupRequest};
use crate::metadata_cache::ClusterImage;
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::OffsetCommit, versions: (2, 10), facing: Facing::Client, handle };

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: OffsetCommitRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let version = context.api_version;
    let topics = {
        let image = broker.metadata().image();
        let named = request.topics.into_iter().filter(|topic| !topic.partitions.is_empty());
        named.map(|topic| commit_topic(&image, topic, version)).collect()
    };
    let commit = messages::OffsetCommitRequest {
        group_id: request.group_id.as_ref().into(),
        member_id: request.member_id.into(),
        instance_id: request.group_instance_id.map(Into::into),
        generation: request.generation_id_or_member_epoch,
        retention_ms: (request.retention_time_ms != -1).then_some(request.retention_time_ms),
        knows_group_id_not_found: version >= 9,
        topics,
    };
    if commit.topics.iter().flat_map(|topic| &topic.partitions).all(|partition| partition.error != ErrorCode::None) {
        // Nothing to commit, whoever asks.
        let reply = GroupReply::OffsetCommit(commit.answer(ErrorCode::None));
        return context.reply(&Commit::response(&reply, version));
    }
    run::<Commit>(broker, context, &request.group_id, GroupRequest::OffsetCommit(commit))
}

fn commit_topic(image: &ClusterImage, topic: OffsetCommitRequestTopic<'_>, version: i16) -> CommitTopic {
    let known = if version >= 10 { image.topic_by_id(topic.topic_id) } else { image.topic(&topic.name) };
    let partition = |partition: OffsetCommitRequestPartition<'_>| {
        let error = match known {
            None if version >= 10 => ErrorCode::UnknownTopicId,
            Some(known) if known.partitions.contains_key(&partition.partition_index) => ErrorCode::None,
            _ => ErrorCode::UnknownTopicOrPartition,
        };
        CommitPartition {
            partition: partition.partition_index,
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
            metadata: partition.committed_metadata.map(Into::into),
            error,
        }
    };
    CommitTopic {
        name: known.map_or_else(|| topic.name.into(), |known| known.name.clone()),
        topic_id: known.map_or(topic.topic_id, |known| known.id),
        partitions: topic.partitions.into_iter().map(partition).collect(),
    }
}

struct Commit;

impl Answer for Commit {
    type Response<'a> = OffsetCommitResponse<'a>;

    fn response(reply: &GroupReply, _version: i16) -> OffsetCommitResponse<'_> {
        let GroupReply::OffsetCommit(topics) = reply else { another_kind(reply) };
        let topics = topics.iter().map(|topic| OffsetCommitResponseTopic {
            name: text(&topic.name),
            topic_id: topic.topic_id,
            partitions: topic.partitions.iter().map(partition).collect(),
        });
        OffsetCommitResponse { throttle_time_ms: 0, topics: topics.collect() }
    }
}

fn partition((index, error): &(i32, ErrorCode)) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition { partition_index: *index, error_code: error.code() }
}
