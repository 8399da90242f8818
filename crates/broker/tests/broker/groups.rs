//! Groups through frames, over real logs: what they store, what waits, and what is there when the leader comes back.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use ottla_protocol::messages::find_coordinator_response::FindCoordinatorResponse;
use ottla_protocol::messages::heartbeat_request::HeartbeatRequest;
use ottla_protocol::messages::heartbeat_response::HeartbeatResponse;
use ottla_protocol::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use ottla_protocol::messages::join_group_response::JoinGroupResponse;
use ottla_protocol::messages::list_groups_request::ListGroupsRequest;
use ottla_protocol::messages::list_groups_response::ListGroupsResponse;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_commit_response::OffsetCommitResponse;
use ottla_protocol::messages::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup};
use ottla_protocol::messages::offset_fetch_response::OffsetFetchResponse;
use ottla_protocol::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use ottla_protocol::messages::sync_group_response::SyncGroupResponse;

use crate::harness::{BROKER_ID, Harness, topic_id};

const OFFSETS: &str = "__consumer_offsets";
const GROUP: &str = "g";

/// A broker with one topic, that leads the only partition of the offsets topic.
fn coordinator() -> Harness {
    let mut harness = Harness::with(&[("group.initial.rebalance.delay.ms", "0")]);
    harness.topic("t", 1);
    harness.topic(OFFSETS, 1);
    harness
}

fn join(member_id: &str) -> JoinGroupRequest<'_> {
    let metadata = b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff";
    let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: metadata[..].into() };
    JoinGroupRequest {
        group_id: GROUP.into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        member_id: member_id.into(),
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        ..Default::default()
    }
}

/// Joins and syncs; gives the member id.
fn member(harness: &mut Harness) -> String {
    let answer = harness.ask(9, &join(""));
    let first: JoinGroupResponse<'_> = answer.get();
    assert_eq!(first.error_code, ErrorCode::MemberIdRequired.code());
    let id = first.member_id.to_string();
    assert!(id.starts_with("test-"), "{id}");
    let answer = harness.ask(9, &join(&id));
    let joined: JoinGroupResponse<'_> = answer.get();
    assert_eq!((joined.error_code, joined.generation_id, &*joined.leader), (0, 1, &*id));
    let assignment = SyncGroupRequestAssignment { member_id: id.as_str().into(), assignment: b"x"[..].into() };
    let sync = SyncGroupRequest {
        group_id: GROUP.into(),
        generation_id: 1,
        member_id: id.as_str().into(),
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: vec![assignment],
        ..Default::default()
    };
    let answer = harness.ask(5, &sync);
    let synced: SyncGroupResponse<'_> = answer.get();
    assert_eq!((synced.error_code, &*synced.assignment), (0, &b"x"[..]));
    id
}

fn commit<'a>(member_id: &'a str, generation: i32, offset: i64) -> OffsetCommitRequest<'a> {
    let partition = OffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: offset,
        committed_metadata: Some("m".into()),
        ..Default::default()
    };
    let topic = OffsetCommitRequestTopic { name: "t".into(), topic_id: topic_id("t"), partitions: vec![partition] };
    OffsetCommitRequest {
        group_id: GROUP.into(),
        generation_id_or_member_epoch: generation,
        member_id: member_id.into(),
        topics: vec![topic],
        ..Default::default()
    }
}

fn committed(harness: &mut Harness, version: i16) -> Result<Vec<i64>, ErrorCode> {
    let group = OffsetFetchRequestGroup { group_id: GROUP.into(), topics: None, ..Default::default() };
    let request = if version < 8 {
        OffsetFetchRequest { group_id: GROUP.into(), topics: None, ..Default::default() }
    } else {
        OffsetFetchRequest { groups: vec![group], ..Default::default() }
    };
    let answer = harness.ask(version, &request);
    let response: OffsetFetchResponse<'_> = answer.get();
    let of_one = response.topics.iter().flat_map(|topic| topic.partitions.iter().map(|p| p.committed_offset));
    let of_groups = response.groups.iter().flat_map(|group| &group.topics);
    let of_groups = of_groups.flat_map(|topic| topic.partitions.iter().map(|p| p.committed_offset));
    let error = response.groups.first().map_or(response.error_code, |group| group.error_code);
    if error == 0 { Ok(of_one.chain(of_groups).collect()) } else { Err(ErrorCode::from_code(error)) }
}

#[test]
fn the_first_question_makes_the_offsets_topic() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    let request = FindCoordinatorRequest { coordinator_keys: vec![GROUP.into(), "h".into()], ..Default::default() };
    let errors = |harness: &mut Harness| {
        let answer = harness.ask(6, &request);
        let response: FindCoordinatorResponse<'_> = answer.get();
        response.coordinators.iter().map(|c| (c.node_id, c.error_code)).collect::<Vec<_>>()
    };
    let unavailable = ErrorCode::CoordinatorNotAvailable.code();
    assert_eq!(errors(&mut harness), [(-1, unavailable); 2]);
    let wanted = harness.wanted_topics();
    assert_eq!(wanted.iter().map(|(names, _)| names.as_slice()).collect::<Vec<_>>(), [[OFFSETS.to_owned()]]);
    harness.topic(OFFSETS, 50);
    assert_eq!(errors(&mut harness), [(BROKER_ID, 0); 2]);
}

#[test]
fn a_member_commits_and_the_next_leader_knows() {
    let mut harness = coordinator();
    let member_id = member(&mut harness);
    for (version, offset) in (2..=10).zip(100..) {
        let answer = harness.ask(version, &commit(&member_id, 1, offset));
        let response: OffsetCommitResponse<'_> = answer.get();
        assert_eq!(response.topics[0].partitions[0].error_code, 0);
        assert_eq!(committed(&mut harness, version.min(10)), Ok(vec![offset]));
    }
    // Somebody else leads, and then this broker again: it reads what it wrote.
    let moved = |harness: &mut Harness, leader: i32, epoch: i32| {
        harness.lead(OFFSETS, topic_id(OFFSETS), &[(0, leader, epoch, vec![leader], vec![1, 2])]);
    };
    moved(&mut harness, 2, 1);
    assert_eq!(committed(&mut harness, 9), Err(ErrorCode::NotCoordinator));
    moved(&mut harness, BROKER_ID, 2);
    assert_eq!(committed(&mut harness, 9), Err(ErrorCode::CoordinatorLoadInProgress));
    let answer = harness.ask(5, &ListGroupsRequest::default());
    let listed: ListGroupsResponse<'_> = answer.get();
    assert_eq!(listed.error_code, ErrorCode::CoordinatorLoadInProgress.code());
    while harness.broker.run_loads(harness.now) {}
    assert_eq!(committed(&mut harness, 9), Ok(vec![108]));
    let heartbeat = HeartbeatRequest {
        group_id: GROUP.into(),
        generation_id: 1,
        member_id: member_id.as_str().into(),
        ..Default::default()
    };
    let answer = harness.ask(4, &heartbeat);
    assert_eq!(answer.get::<HeartbeatResponse>().error_code, 0, "the member is known to the next coordinator");
    harness.pass(10_000);
    let answer = harness.ask(4, &heartbeat);
    assert_eq!(answer.get::<HeartbeatResponse>().error_code, ErrorCode::UnknownMemberId.code());
}

#[test]
fn who_waits_is_told_when_the_leader_goes() {
    let mut harness = coordinator();
    member(&mut harness);
    // A second member, without the detour of version 4: waits for the first to rejoin.
    let waits = harness.ask(3, &join(""));
    assert!(waits.late::<JoinGroupRequest<'_>>().is_none());
    harness.lead(OFFSETS, topic_id(OFFSETS), &[(0, 2, 1, vec![2], vec![1, 2])]);
    let answer = waits.late::<JoinGroupRequest<'_>>().expect("an answer");
    assert_eq!(answer.get::<JoinGroupResponse<'_>>().error_code, ErrorCode::NotCoordinator.code());
}

#[test]
fn commits_wait_for_followers() {
    let mut harness = coordinator();
    // A follower in the ISR that never fetches.
    harness.lead(OFFSETS, topic_id(OFFSETS), &[(0, BROKER_ID, 1, vec![1, 2], vec![1, 2])]);
    let answer = harness.ask(9, &commit("", -1, 5));
    assert!(answer.late::<OffsetCommitRequest<'_>>().is_none());
    harness.pass(5_000);
    let answer = answer.late::<OffsetCommitRequest<'_>>().expect("offsets.commit.timeout.ms is over");
    let response: OffsetCommitResponse<'_> = answer.get();
    assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::CoordinatorNotAvailable.code());
}
