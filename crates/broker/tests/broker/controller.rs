//! LeaderAndIsr, UpdateMetadata and StopReplica: what a controller may say, and what is too old to be heard.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::leader_and_isr_request::{
    LeaderAndIsrPartitionState, LeaderAndIsrRequest, LeaderAndIsrTopicState,
};
use ottla_protocol::messages::leader_and_isr_response::LeaderAndIsrResponse;
use ottla_protocol::messages::stop_replica_request::{
    StopReplicaPartitionState, StopReplicaRequest, StopReplicaTopicState, StopReplicaTopicV1,
};
use ottla_protocol::messages::stop_replica_response::StopReplicaResponse;
use ottla_protocol::messages::update_metadata_request::UpdateMetadataRequest;
use ottla_protocol::messages::update_metadata_response::UpdateMetadataResponse;

use crate::harness::{BROKER_EPOCH, BROKER_ID, Harness, topic_id};

/// Deletes partition 0 of a topic as the controller does.
pub fn delete_topic(harness: &mut Harness, name: &str) {
    let state = StopReplicaPartitionState { partition_index: 0, leader_epoch: -2, delete_partition: true };
    assert_eq!(stop(harness, 4, name, state), ErrorCode::None);
    harness.update_metadata(name, topic_id(name), &[(0, -2, -2, vec![], vec![])]);
}

fn stop(harness: &mut Harness, version: i16, topic: &str, state: StopReplicaPartitionState) -> ErrorCode {
    let mut request = StopReplicaRequest {
        controller_id: BROKER_ID,
        controller_epoch: 1,
        broker_epoch: if version >= 1 { BROKER_EPOCH } else { -1 },
        ..Default::default()
    };
    if version >= 3 {
        let topic_name = topic.to_owned().into();
        request.topic_states = vec![StopReplicaTopicState { topic_name, partition_states: vec![state] }];
    } else {
        request.delete_partitions = state.delete_partition;
        let name = topic.to_owned().into();
        request.topics = vec![StopReplicaTopicV1 { name, partition_indexes: vec![state.partition_index] }];
    }
    let answer = harness.ask(version, &request);
    let response: StopReplicaResponse<'_> = answer.get();
    assert_eq!((response.error_code, response.partition_errors.len()), (0, 1));
    ErrorCode::from_code(response.partition_errors[0].error_code)
}

fn state(epoch: i32, replicas: &[i32]) -> LeaderAndIsrPartitionState<'static> {
    LeaderAndIsrPartitionState {
        controller_epoch: 1,
        leader: BROKER_ID,
        leader_epoch: epoch,
        isr: vec![BROKER_ID],
        partition_epoch: epoch,
        replicas: replicas.to_vec(),
        ..Default::default()
    }
}

fn leader_and_isr(
    controller_epoch: i32,
    broker_epoch: i64,
    state: LeaderAndIsrPartitionState<'static>,
    id: u8,
) -> LeaderAndIsrRequest<'static> {
    let topic = LeaderAndIsrTopicState {
        topic_name: "t".into(),
        topic_id: ottla_base::ids::Uuid([id; 16]),
        partition_states: vec![state],
    };
    LeaderAndIsrRequest {
        controller_id: 1,
        controller_epoch,
        broker_epoch,
        topic_states: vec![topic],
        ..Default::default()
    }
}

fn lead(harness: &mut Harness, request: &LeaderAndIsrRequest<'_>) -> (ErrorCode, ErrorCode) {
    let answer = harness.ask(7, request);
    let response: LeaderAndIsrResponse<'_> = answer.get();
    let partition = response.topics[0].partition_errors[0].error_code;
    (ErrorCode::from_code(response.error_code), ErrorCode::from_code(partition))
}

#[test]
fn old_controllers_lives_and_epochs_are_refused() {
    let mut harness = Harness::new();
    let mut told = |controller, life, epoch, id| {
        lead(&mut harness, &leader_and_isr(controller, life, state(epoch, &[BROKER_ID]), id))
    };
    let ok = (ErrorCode::None, ErrorCode::None);
    let stale_epoch = (ErrorCode::None, ErrorCode::StaleControllerEpoch);
    let stale_controller = (ErrorCode::StaleControllerEpoch, ErrorCode::StaleControllerEpoch);
    let stale_life = (ErrorCode::StaleBrokerEpoch, ErrorCode::StaleBrokerEpoch);
    assert_eq!(told(5, BROKER_EPOCH, 3, 1), ok);
    assert_eq!(told(4, BROKER_EPOCH, 4, 1), stale_controller);
    assert_eq!(told(5, BROKER_EPOCH - 1, 4, 1), stale_life);
    assert_eq!(told(5, BROKER_EPOCH, 3, 1), stale_epoch);
    assert_eq!(told(5, BROKER_EPOCH, 2, 1), stale_epoch);
    assert_eq!(told(5, BROKER_EPOCH, 4, 2), (ErrorCode::None, ErrorCode::InconsistentTopicId));
    assert_eq!(told(5, BROKER_EPOCH + 1, 4, 1), ok);
    assert_eq!(told(6, -1, 5, 1), ok);
    let partition = harness.broker.replicas.partition("t", 0).expect("a partition");
    assert_eq!(partition.led_at_epoch(), Some(5));
}

#[test]
fn a_broker_that_is_no_replica_says_so() {
    let mut harness = Harness::new();
    let request = leader_and_isr(1, BROKER_EPOCH, state(0, &[7, 8]), 1);
    assert_eq!(lead(&mut harness, &request), (ErrorCode::None, ErrorCode::UnknownTopicOrPartition));
    assert!(harness.broker.replicas.partition("t", 0).is_none());
}

#[test]
fn the_topic_id_may_come_later() {
    let mut harness = Harness::new();
    let old = LeaderAndIsrRequest {
        ungrouped_partition_states: vec![LeaderAndIsrPartitionState {
            topic_name: "t".into(),
            ..state(0, &[BROKER_ID])
        }],
        controller_epoch: 1,
        ..Default::default()
    };
    let answer = harness.ask(1, &old);
    let response: LeaderAndIsrResponse<'_> = answer.get();
    assert_eq!((&*response.partition_errors[0].topic_name, response.partition_errors[0].error_code), ("t", 0));
    let partition = harness.broker.replicas.partition("t", 0).expect("a partition");
    assert_eq!(partition.topic_id(), None);
    let request = leader_and_isr(1, BROKER_EPOCH, state(0, &[BROKER_ID]), 1);
    assert_eq!(lead(&mut harness, &request), (ErrorCode::None, ErrorCode::None));
    assert_eq!(partition.topic_id(), Some(ottla_base::ids::Uuid([1; 16])));
}

#[test]
fn every_version_of_every_request_is_answered() {
    for version in 0..=7 {
        let mut harness = Harness::new();
        let mut request = leader_and_isr(1, -1, state(0, &[BROKER_ID]), 1);
        if version < 5 {
            request.topic_states[0].topic_id = ottla_base::ids::Uuid::ZERO;
        }
        if version < 2 {
            let topic = request.topic_states.remove(0);
            request.ungrouped_partition_states = topic.partition_states;
            request.ungrouped_partition_states[0].topic_name = "t".into();
        }
        let answer = harness.ask(version, &request);
        let response: LeaderAndIsrResponse<'_> = answer.get();
        assert_eq!(response.error_code, 0, "version {version}");
        assert!(harness.broker.replicas.partition("t", 0).is_some_and(|partition| partition.is_leader()));
        let mut stopped = StopReplicaPartitionState { partition_index: 0, leader_epoch: 0, delete_partition: false };
        for stop_version in 1..=4 {
            assert_eq!(stop(&mut harness, stop_version, "t", stopped.clone()), ErrorCode::None);
        }
        stopped.delete_partition = true;
        assert_eq!(stop(&mut harness, 4, "t", stopped), ErrorCode::None);
        assert!(harness.broker.replicas.partition("t", 0).is_none());
    }
}

#[test]
fn stops_of_older_epochs_are_fenced() {
    let mut harness = Harness::new();
    let request = leader_and_isr(1, BROKER_EPOCH, state(3, &[BROKER_ID]), 1);
    lead(&mut harness, &request);
    let mut stopped = StopReplicaPartitionState { partition_index: 0, leader_epoch: 2, delete_partition: true };
    assert_eq!(stop(&mut harness, 4, "t", stopped.clone()), ErrorCode::FencedLeaderEpoch);
    stopped.leader_epoch = -2;
    assert_eq!(stop(&mut harness, 4, "t", stopped.clone()), ErrorCode::None);
    assert_eq!(stop(&mut harness, 4, "t", stopped), ErrorCode::None, "what is not here is stopped");
    assert_eq!(harness.broker.replicas.logs().all_logs().len(), 0);
}

#[test]
fn metadata_of_old_controllers_is_refused() {
    let mut harness = Harness::new();
    let mut ask = |controller_epoch, broker_epoch| {
        let request = UpdateMetadataRequest { controller_id: 3, controller_epoch, broker_epoch, ..Default::default() };
        let answer = harness.ask(8, &request);
        let response: UpdateMetadataResponse = answer.get();
        ErrorCode::from_code(response.error_code)
    };
    assert_eq!(ask(5, BROKER_EPOCH), ErrorCode::None);
    assert_eq!(ask(4, BROKER_EPOCH), ErrorCode::StaleControllerEpoch);
    assert_eq!(ask(6, BROKER_EPOCH - 1), ErrorCode::StaleBrokerEpoch);
    assert_eq!(harness.broker.metadata().image().controller_id, Some(3));
}
