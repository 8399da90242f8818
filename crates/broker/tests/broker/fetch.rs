//! Fetch: what is read, who waits, and what sessions remember.

use ottla_protocol::messages::fetch_request::{FetchRequest, ForgottenTopic};
use ottla_protocol::messages::fetch_response::{FetchResponse, PartitionData};
use ottla_protocol::{ErrorCode, Records};

use crate::harness::{Answer, BROKER_ID, Harness, batch, fetch_request, produce_request, topic_id};

fn produce(harness: &mut Harness, topic: &str, partition: i32, values: &[&str]) -> usize {
    let records = batch(values, harness.now.wall_ms);
    let answer = harness.ask(12, &produce_request(topic, 1, &[(partition, &records)]));
    assert!(matches!(answer, Answer::Body(..)), "{answer:?}");
    records.len()
}

/// Partition, error and bytes of records of each partition told.
fn told(answer: &Answer) -> Vec<(i32, ErrorCode, usize)> {
    let response: FetchResponse<'_> = answer.get();
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|p| (p.partition_index, ErrorCode::from_code(p.error_code), bytes(p))).collect()
}

fn bytes(partition: &PartitionData<'_>) -> usize {
    partition.records.as_ref().map_or(0, Records::len)
}

fn top(answer: &Answer) -> (ErrorCode, i32) {
    let response: FetchResponse<'_> = answer.get();
    (ErrorCode::from_code(response.error_code), response.session_id)
}

fn sessionless<'a>(topic: &'a str, partitions: &[(i32, i64)]) -> FetchRequest<'a> {
    FetchRequest { session_epoch: -1, ..fetch_request(topic, partitions) }
}

#[test]
fn every_version_reads() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    let len = produce(&mut harness, "t", 0, &["a", "b", "c"]);
    for version in 4..=18 {
        let answer = harness.ask(version, &sessionless("t", &[(0, 0)]));
        let response: FetchResponse<'_> = answer.get();
        let topic = &response.responses[0];
        if version >= 13 {
            assert_eq!(topic.topic_id, topic_id("t"));
        } else {
            assert_eq!(topic.topic, "t");
        }
        let partition = &topic.partitions[0];
        assert_eq!((partition.error_code, bytes(partition)), (0, len), "version {version}");
        assert_eq!((partition.high_watermark, partition.last_stable_offset), (3, 3));
        assert_eq!(partition.log_start_offset, if version >= 5 { 0 } else { -1 });
        assert_eq!(partition.aborted_transactions, None);
    }
    assert!(matches!(harness.ask(3, &sessionless("t", &[(0, 0)])), Answer::Closed(_)));
    assert_eq!(harness.broker.metrics().fetched_bytes.get(), 15 * len as u64);
}

#[test]
fn errors_are_4_3_1s() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    let len = produce(&mut harness, "t", 0, &["a", "b", "c"]);
    let refused = |harness: &mut Harness, version, request: &FetchRequest<'_>| {
        let answer = harness.ask(version, request);
        told(&answer)[0].1
    };
    assert_eq!(refused(&mut harness, 17, &sessionless("t", &[(0, 99)])), ErrorCode::OffsetOutOfRange);
    assert_eq!(refused(&mut harness, 17, &sessionless("t", &[(9, 0)])), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(refused(&mut harness, 17, &sessionless("nope", &[(0, 0)])), ErrorCode::UnknownTopicId);
    assert_eq!(refused(&mut harness, 12, &sessionless("nope", &[(0, 0)])), ErrorCode::UnknownTopicOrPartition);
    let mut ahead = sessionless("t", &[(0, 0)]);
    ahead.topics[0].partitions[0].current_leader_epoch = 9;
    assert_eq!(refused(&mut harness, 17, &ahead), ErrorCode::UnknownLeaderEpoch);
    let mut parted = sessionless("t", &[(0, 0)]);
    parted.topics[0].partitions[0].last_fetched_epoch = 7;
    assert_eq!(refused(&mut harness, 17, &parted), ErrorCode::OffsetOutOfRange);
    let mut follower = sessionless("t", &[(0, 0)]);
    follower.replica_state.replica_id = 5;
    let answer = harness.ask(17, &follower);
    let response: FetchResponse<'_> = answer.get();
    let partition = &response.responses[0].partitions[0];
    assert_eq!(partition.error_code, ErrorCode::NotLeaderOrFollower.code());
    assert_eq!((partition.current_leader.leader_id, partition.current_leader.leader_epoch), (BROKER_ID, 0));
    assert!(response.node_endpoints.is_empty());
    // The first batch is given whatever its size.
    let mut small = sessionless("t", &[(0, 1)]);
    small.max_bytes = 10;
    small.topics[0].partitions[0].partition_max_bytes = 0;
    let answer = harness.ask(17, &small);
    assert_eq!(told(&answer), [(0, ErrorCode::None, len)]);
    let mut committed = sessionless("t", &[(0, 0)]);
    committed.isolation_level = 1;
    let answer = harness.ask(17, &committed);
    let response: FetchResponse<'_> = answer.get();
    assert_eq!(response.responses[0].partitions[0].aborted_transactions, Some(vec![]));
}

#[test]
fn one_large_batch_leaves_no_room_for_others() {
    let mut harness = Harness::new();
    harness.topic("t", 2);
    let len = produce(&mut harness, "t", 0, &["a"]);
    produce(&mut harness, "t", 1, &["b"]);
    let mut request = sessionless("t", &[(0, 0), (1, 0)]);
    request.max_bytes = len as i32 - 1;
    let answer = harness.ask(17, &request);
    assert_eq!(told(&answer), [(0, ErrorCode::None, len), (1, ErrorCode::None, 0)]);
}

#[test]
fn a_fetch_at_the_end_waits_for_records_or_time() {
    let mut harness = Harness::new();
    harness.topic("t", 2);
    let first = harness.ask(17, &sessionless("t", &[(0, 0), (1, 0)]));
    assert!(first.late::<FetchRequest<'_>>().is_none());
    let len = produce(&mut harness, "t", 1, &["x"]);
    let late = first.late::<FetchRequest<'_>>().expect("an answer");
    assert_eq!(told(&late), [(0, ErrorCode::None, 0), (1, ErrorCode::None, len)]);
    assert!(harness.broker.purgatory().is_empty());

    let second = harness.ask(17, &sessionless("t", &[(0, 0)]));
    harness.pass(499);
    assert!(second.late::<FetchRequest<'_>>().is_none());
    harness.pass(1);
    let late = second.late::<FetchRequest<'_>>().expect("an answer");
    assert_eq!(told(&late), [(0, ErrorCode::None, 0)]);
    // Nobody watches any more.
    let partition = harness.broker.replicas.partition("t", 0).expect("a partition");
    produce(&mut harness, "t", 0, &["y"]);
    assert_eq!(partition.offsets().map(|offsets| offsets.log_end), Some(1));
}

#[test]
fn min_bytes_are_waited_for() {
    let mut harness = Harness::new();
    harness.topic("t", 2);
    let len = produce(&mut harness, "t", 0, &["x"]);
    let request = FetchRequest { min_bytes: 2 * len as i32 + 1, ..sessionless("t", &[(0, 0), (1, 0)]) };
    let waiting = harness.ask(17, &request);
    produce(&mut harness, "t", 1, &["x"]);
    assert!(waiting.late::<FetchRequest<'_>>().is_none());
    produce(&mut harness, "t", 1, &["x"]);
    let late = waiting.late::<FetchRequest<'_>>().expect("an answer");
    assert_eq!(told(&late), [(0, ErrorCode::None, len), (1, ErrorCode::None, 2 * len)]);
}

#[test]
fn a_waiting_fetch_learns_that_the_leader_moved() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    let waiting = harness.ask(10, &sessionless("t", &[(0, 0)]));
    harness.lead("t", topic_id("t"), &[(0, 2, 1, vec![2], vec![BROKER_ID, 2])]);
    let late = waiting.late::<FetchRequest<'_>>().expect("an answer");
    assert_eq!(told(&late)[0].1, ErrorCode::NotLeaderOrFollower);
}

fn incremental<'a>(session_id: i32, session_epoch: i32, partitions: &[(i32, i64)]) -> FetchRequest<'a> {
    let mut request = FetchRequest { session_id, session_epoch, ..fetch_request("t", partitions) };
    request.topics.retain(|topic| !topic.partitions.is_empty());
    request
}

#[test]
fn a_session_tells_what_is_new() {
    let mut harness = Harness::new();
    harness.topic("t", 3);
    let len = produce(&mut harness, "t", 0, &["a"]);
    let full = harness.ask(17, &fetch_request("t", &[(0, 0), (1, 0), (2, 0)]));
    let (error, id) = top(&full);
    assert_eq!(error, ErrorCode::None);
    assert_ne!(id, 0);
    assert_eq!(told(&full), [(0, ErrorCode::None, len), (1, ErrorCode::None, 0), (2, ErrorCode::None, 0)]);
    // Not moved on: told again.
    let same = harness.ask(17, &incremental(id, 1, &[]));
    assert_eq!(told(&same), [(0, ErrorCode::None, len)]);
    // Moved on: nothing is new, so it waits.
    let waiting = harness.ask(17, &incremental(id, 2, &[(0, 1)]));
    assert!(waiting.late::<FetchRequest<'_>>().is_none());
    produce(&mut harness, "t", 2, &["b"]);
    let late = waiting.late::<FetchRequest<'_>>().expect("an answer");
    assert_eq!((top(&late), told(&late)), ((ErrorCode::None, id), vec![(2, ErrorCode::None, len)]));
    // Quiet partitions that got records while nobody waited are not overlooked.
    produce(&mut harness, "t", 1, &["c"]);
    let next = harness.ask(17, &incremental(id, 3, &[(2, 1)]));
    assert_eq!(told(&next), [(1, ErrorCode::None, len)]);
    // Time runs out with nothing new: an empty answer.
    let waiting = harness.ask(17, &incremental(id, 4, &[(1, 1)]));
    harness.pass(600);
    let late = waiting.late::<FetchRequest<'_>>().expect("an answer");
    assert_eq!((top(&late), told(&late)), ((ErrorCode::None, id), vec![]));
}

#[test]
fn session_errors_are_4_3_1s() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    produce(&mut harness, "t", 0, &["a"]);
    assert_eq!(top(&harness.ask(17, &incremental(1_234, 5, &[(0, 0)]))), (ErrorCode::FetchSessionIdNotFound, 0));
    let full = harness.ask(17, &fetch_request("t", &[(0, 0)]));
    let (_, id) = top(&full);
    assert_eq!(top(&harness.ask(17, &incremental(id, 7, &[]))), (ErrorCode::InvalidFetchSessionEpoch, 0));
    assert_eq!(top(&harness.ask(12, &incremental(id, 1, &[]))), (ErrorCode::FetchSessionTopicIdError, 0));
    let mut forget = incremental(id, 1, &[]);
    let forgotten = ForgottenTopic { topic: "t".into(), topic_id: topic_id("t"), partitions: vec![0] };
    forget.forgotten_topics_data = vec![forgotten];
    let emptied = harness.ask(17, &forget);
    assert_eq!((top(&emptied), told(&emptied)), ((ErrorCode::None, 0), vec![]));
    assert_eq!(top(&harness.ask(17, &incremental(id, 2, &[]))), (ErrorCode::FetchSessionIdNotFound, 0));
    assert!(harness.broker.fetch_sessions.is_empty());
}

#[test]
fn a_full_fetch_closes_the_session_it_names() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    produce(&mut harness, "t", 0, &["a"]);
    let (_, id) = top(&harness.ask(12, &fetch_request("t", &[(0, 0)])));
    let request = FetchRequest { session_id: id, session_epoch: -1, ..fetch_request("t", &[(0, 0)]) };
    assert_eq!(top(&harness.ask(12, &request)), (ErrorCode::None, 0));
    assert_eq!(top(&harness.ask(12, &incremental(id, 1, &[]))), (ErrorCode::FetchSessionIdNotFound, 0));
}

#[test]
fn a_topic_made_anew_under_a_session_is_found_again() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    produce(&mut harness, "t", 0, &["a"]);
    let (_, id) = top(&harness.ask(12, &fetch_request("t", &[(0, 0)])));
    crate::controller::delete_topic(&mut harness, "t");
    let gone = harness.ask(12, &FetchRequest { max_wait_ms: 0, ..incremental(id, 1, &[]) });
    assert_eq!(told(&gone), [(0, ErrorCode::UnknownTopicOrPartition, 0)]);
    harness.topic("t", 1);
    let len = produce(&mut harness, "t", 0, &["b"]);
    let found = harness.ask(12, &incremental(id, 2, &[]));
    assert_eq!(told(&found), [(0, ErrorCode::None, len)]);
}

#[test]
fn sessions_beyond_the_cache_are_not_remembered() {
    let mut harness = Harness::with(&[("max.incremental.fetch.session.cache.slots", "1")]);
    harness.topic("t", 1);
    produce(&mut harness, "t", 0, &["a"]);
    assert_ne!(top(&harness.ask(17, &fetch_request("t", &[(0, 0)]))).1, 0);
    let second = harness.ask(17, &fetch_request("t", &[(0, 0)]));
    assert_eq!(top(&second).1, 0);
    assert_eq!(told(&second).len(), 1);
}

#[test]
fn a_follower_moves_the_high_watermark() {
    let mut harness = Harness::new();
    harness.lead("t", topic_id("t"), &[(0, BROKER_ID, 0, vec![BROKER_ID, 2], vec![BROKER_ID, 2])]);
    let len = produce(&mut harness, "t", 0, &["a", "b"]);
    // Not replicated yet: a consumer sees nothing.
    let consumer = harness.ask(17, &sessionless("t", &[(0, 0)]));
    assert!(consumer.late::<FetchRequest<'_>>().is_none());
    let follower = |harness: &mut Harness, offset| {
        let mut request = FetchRequest { max_wait_ms: 0, ..sessionless("t", &[(0, offset)]) };
        request.replica_state.replica_id = 2;
        harness.ask(17, &request)
    };
    let answer = follower(&mut harness, 0);
    assert_eq!(told(&answer), [(0, ErrorCode::None, len)]);
    assert!(consumer.late::<FetchRequest<'_>>().is_none());
    follower(&mut harness, 2);
    let late = consumer.late::<FetchRequest<'_>>().expect("an answer");
    assert_eq!(told(&late), [(0, ErrorCode::None, len)]);
    assert_eq!(harness.broker.metrics().replicated_bytes.get(), len as u64);
}

#[test]
fn followers_leave_and_join_the_isr_by_request() {
    let mut harness = Harness::new();
    harness.lead("t", topic_id("t"), &[(0, BROKER_ID, 0, vec![BROKER_ID, 2], vec![BROKER_ID, 2])]);
    produce(&mut harness, "t", 0, &["a"]);
    harness.pass(29_000);
    assert_eq!(harness.broker.replicas.take_isr_changes(), []);
    harness.pass(2_000);
    let changes = harness.broker.replicas.take_isr_changes();
    assert_eq!(changes.iter().map(|change| change.isr.clone()).collect::<Vec<_>>(), [vec![BROKER_ID]]);
    harness.pass(200);
    assert_eq!(harness.broker.replicas.take_isr_changes(), [], "asked once");
    harness.lead("t", topic_id("t"), &[(0, BROKER_ID, 1, vec![BROKER_ID], vec![BROKER_ID, 2])]);
    assert_eq!(harness.broker.replicas.partition("t", 0).and_then(|p| p.offsets()).map(|o| o.high_watermark), Some(1));
    let mut request = FetchRequest { max_wait_ms: 0, ..sessionless("t", &[(0, 1)]) };
    request.replica_state.replica_id = 2;
    harness.ask(17, &request);
    let changes = harness.broker.replicas.take_isr_changes();
    assert_eq!(changes.iter().map(|change| change.isr.clone()).collect::<Vec<_>>(), [vec![BROKER_ID, 2]]);
}
