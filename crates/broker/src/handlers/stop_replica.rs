//! StopReplica 0–4 (ZooKeeper mode): the controller takes replicas off this broker, with or without their logs.

use ottla_protocol::messages::stop_replica_request::StopReplicaRequest;
use ottla_protocol::messages::stop_replica_response::{StopReplicaPartitionError, StopReplicaResponse};
use ottla_protocol::{ApiKey, ErrorCode, Str};

use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::partition::NO_EPOCH;
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::StopReplica, versions: (0, 4), facing: Facing::Broker, handle };

/// One partition to stop, whatever the version it came in.
struct Stop<'a> {
    topic: &'a str,
    partition: i32,
    leader_epoch: i32,
    delete: bool,
}

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: StopReplicaRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let failed = |error: ErrorCode| StopReplicaResponse { error_code: error.code(), ..Default::default() };
    if broker.replicas.is_broker_epoch_stale(request.broker_epoch) {
        tracing::info!(request.broker_epoch, request.controller_id, "a StopReplica for an earlier life was refused");
        return context.reply(&failed(ErrorCode::StaleBrokerEpoch));
    }
    let _changing = match broker.replicas.begin_state_change(request.controller_epoch) {
        Ok(changing) => changing,
        Err(error) => return context.reply(&failed(error)),
    };
    let stop = |stop: Stop<'_>| {
        broker.replicas.stop_replica(context.now, stop.topic, stop.partition, stop.leader_epoch, stop.delete)
    };
    let errors = stops(&request).map(|wanted| StopReplicaPartitionError {
        topic_name: Str::Borrowed(wanted.topic),
        partition_index: wanted.partition,
        error_code: stop(wanted).code(),
    });
    let partition_errors = errors.collect();
    context.reply(&StopReplicaResponse { error_code: 0, partition_errors })
}

fn stops<'a>(request: &'a StopReplicaRequest<'_>) -> impl Iterator<Item = Stop<'a>> {
    let delete = request.delete_partitions;
    let old = move |topic: &'a str, partition| Stop { topic, partition, leader_epoch: NO_EPOCH, delete };
    let v0 = request.ungrouped_partitions.iter().map(move |p| old(&p.topic_name, p.partition_index));
    let v1 = request.topics.iter().flat_map(move |t| t.partition_indexes.iter().map(move |&p| old(&t.name, p)));
    let v3 = request.topic_states.iter().flat_map(|topic| {
        topic.partition_states.iter().map(|state| Stop {
            topic: &topic.topic_name,
            partition: state.partition_index,
            leader_epoch: state.leader_epoch,
            delete: state.delete_partition,
        })
    });
    v0.chain(v1).chain(v3)
}
