//! LeaderAndIsr 0–7 (ZooKeeper mode): the controller says which partitions this broker leads or follows from now on.
//!
//! Refused as a whole when it is meant for an earlier life of this broker (`STALE_BROKER_EPOCH`) or comes from an earlier
//! controller (`STALE_CONTROLLER_EPOCH`); a single partition with an older leader epoch is answered with the latter.

use ottla_base::ids::Uuid;
use ottla_protocol::messages::leader_and_isr_request::{LeaderAndIsrPartitionState, LeaderAndIsrRequest};
use ottla_protocol::messages::leader_and_isr_response::{
    LeaderAndIsrPartitionError, LeaderAndIsrResponse, LeaderAndIsrTopicError,
};
use ottla_protocol::{ApiKey, ErrorCode, Str};

use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::partition::LeaderAndIsr;
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::LeaderAndIsr, versions: (0, 7), facing: Facing::Broker, handle };

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: LeaderAndIsrRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let version = context.api_version;
    if broker.replicas.is_broker_epoch_stale(request.broker_epoch) {
        tracing::info!(request.broker_epoch, request.controller_id, "a LeaderAndIsr for an earlier life was refused");
        return context
            .reply(&respond(&request, version, ErrorCode::StaleBrokerEpoch, |_, _, _| ErrorCode::StaleBrokerEpoch));
    }
    let response = match broker.replicas.begin_state_change(request.controller_epoch) {
        Err(error) => respond(&request, version, error, |_, _, _| error),
        Ok(_changing) => respond(&request, version, ErrorCode::None, |topic, id, state| {
            let id = (!id.is_zero()).then_some(id);
            broker.replicas.change_leadership(context.now, topic, state.partition_index, id, &told(state))
        }),
    };
    context.reply(&response)
}

fn told(state: &LeaderAndIsrPartitionState<'_>) -> LeaderAndIsr {
    LeaderAndIsr {
        controller_epoch: state.controller_epoch,
        leader: state.leader,
        leader_epoch: state.leader_epoch,
        isr: state.isr.clone(),
        partition_epoch: state.partition_epoch,
        replicas: state.replicas.clone(),
    }
}

/// Carries out each partition and collects what came of it, by name up to version 4, by topic id since.
fn respond<'a>(
    request: &'a LeaderAndIsrRequest<'_>,
    version: i16,
    error: ErrorCode,
    mut each: impl FnMut(&str, Uuid, &LeaderAndIsrPartitionState<'_>) -> ErrorCode,
) -> LeaderAndIsrResponse<'a> {
    let mut response = LeaderAndIsrResponse { error_code: error.code(), ..Default::default() };
    for state in &request.ungrouped_partition_states {
        let result = each(&state.topic_name, Uuid::ZERO, state);
        response.partition_errors.push(partition_error(&state.topic_name, state, result));
    }
    for topic in &request.topic_states {
        let results = topic.partition_states.iter().map(|state| {
            let result = each(&topic.topic_name, topic.topic_id, state);
            partition_error(if version < 5 { &topic.topic_name } else { "" }, state, result)
        });
        if version < 5 {
            response.partition_errors.extend(results);
        } else {
            let partition_errors = results.collect();
            response.topics.push(LeaderAndIsrTopicError { topic_id: topic.topic_id, partition_errors });
        }
    }
    response
}

fn partition_error<'a>(
    topic: &'a str,
    state: &LeaderAndIsrPartitionState<'_>,
    error: ErrorCode,
) -> LeaderAndIsrPartitionError<'a> {
    LeaderAndIsrPartitionError {
        topic_name: Str::Borrowed(topic),
        partition_index: state.partition_index,
        error_code: error.code(),
    }
}
