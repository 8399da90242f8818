//! Produce: who is answered what, and when.

use ottla_protocol::ErrorCode;
use ottla_protocol::batch_builder::BatchOptions;
use ottla_protocol::messages::fetch_request::FetchRequest;
use ottla_protocol::messages::produce_request::ProduceRequest;
use ottla_protocol::messages::produce_response::{PartitionProduceResponse, ProduceResponse};

use crate::harness::{Answer, BROKER_ID, Harness, batch, batch_with, fetch_request, produce_request, topic_id};

/// The only partition of the only topic of an answer.
fn only(answer: &Answer) -> PartitionProduceResponse<'_> {
    let response: ProduceResponse<'_> = answer.get();
    assert_eq!((response.responses.len(), response.responses[0].partition_responses.len()), (1, 1));
    response.responses[0].partition_responses[0].clone()
}

fn code(answer: &Answer) -> ErrorCode {
    ErrorCode::from_code(only(answer).error_code)
}

#[test]
fn every_version_appends_and_names_the_topic_in_its_way() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    let records = batch(&["a", "b"], harness.now.wall_ms);
    for (at, version) in (3..=13).enumerate() {
        let answer = harness.ask(version, &produce_request("t", 1, &[(0, &records)]));
        let response: ProduceResponse<'_> = answer.get();
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!((partition.error_code, partition.base_offset), (0, 2 * at as i64), "version {version}");
        assert_eq!(partition.log_start_offset, if version >= 5 { 0 } else { -1 });
        if version >= 13 {
            assert_eq!(response.responses[0].topic_id, topic_id("t"));
        } else {
            assert_eq!(response.responses[0].name, "t");
        }
    }
    assert_eq!(harness.broker.metrics().produced_records.get(), 22);
    assert_eq!(harness.broker.metrics().produced_bytes.get(), 11 * records.len() as u64);
}

#[test]
fn refused_partitions_are_answered_as_4_3_1_answers_them() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    harness.topic("__consumer_offsets", 1);
    let good = batch(&["a", "b"], harness.now.wall_ms);
    let two = [good.clone(), good.clone()].concat();
    let broken = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    let crc = broken(good.len() - 1, 0xff);
    let transactional = {
        let options = BatchOptions { is_transactional: true, producer_id: 1, producer_epoch: 0, ..Default::default() };
        batch_with(BatchOptions { base_sequence: 0, ..options }, &["a"], harness.now.wall_ms)
    };
    type Case<'a> = (&'a str, &'a str, i32, i16, &'a [u8], ErrorCode);
    let cases: &[Case<'_>] = &[
        ("acks", "t", 0, 2, &good, ErrorCode::InvalidRequiredAcks),
        ("partition", "t", 9, 1, &good, ErrorCode::UnknownTopicOrPartition),
        ("topic", "nope", 0, 1, &good, ErrorCode::UnknownTopicOrPartition),
        ("internal topic", "__consumer_offsets", 0, 1, &good, ErrorCode::InvalidTopicException),
        ("no batch", "t", 0, 1, &[], ErrorCode::InvalidRecord),
        ("a piece", "t", 0, 1, &good[..good.len() - 1], ErrorCode::InvalidRecord),
        ("two batches", "t", 0, 1, &two, ErrorCode::InvalidRecord),
        ("magic 1", "t", 0, 1, &broken(16, 1), ErrorCode::InvalidRecord),
        ("magic 9", "t", 0, 1, &broken(16, 9), ErrorCode::CorruptMessage),
        ("length", "t", 0, 1, &broken(11, 5), ErrorCode::CorruptMessage),
        ("checksum", "t", 0, 1, &crc, ErrorCode::CorruptMessage),
        ("transaction", "t", 0, 1, &transactional, ErrorCode::TransactionalIdAuthorizationFailed),
    ];
    for (what, topic, partition, acks, records, expected) in cases {
        let answer = harness.ask(12, &produce_request(topic, *acks, &[(*partition, records)]));
        let got = only(&answer);
        assert_eq!(ErrorCode::from_code(got.error_code), *expected, "{what}");
        assert_eq!((got.base_offset, got.log_append_time_ms), (-1, -1), "{what}");
    }
    for (at, value, message) in [
        (16, 9, "Invalid magic found in record: 9"),
        (11, 5, "Record size 5 is less than the minimum record overhead (14)"),
    ] {
        let bytes = broken(at, value);
        let answer = harness.ask(12, &produce_request("t", 1, &[(0, &bytes)]));
        assert_eq!(only(&answer).error_message.as_deref(), Some(message));
    }
    let answer = harness.ask(13, &produce_request("nope", 1, &[(0, &good)]));
    assert_eq!(code(&answer), ErrorCode::UnknownTopicId);
    // One batch and a piece of another: the piece is dropped.
    let answer = harness.ask(12, &produce_request("t", 1, &[(0, &two[..two.len() - 5])]));
    assert_eq!(code(&answer), ErrorCode::None);
    harness.client_id = "__admin_client";
    let answer = harness.ask(12, &produce_request("__consumer_offsets", 1, &[(0, &good)]));
    assert_eq!(code(&answer), ErrorCode::None);
}

#[test]
fn a_refused_record_is_named() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    let future = batch(&["x"], harness.now.wall_ms + 36_000_000);
    let answer = harness.ask(12, &produce_request("t", 1, &[(0, &future)]));
    let got = only(&answer);
    assert_eq!((got.error_code, got.log_start_offset), (ErrorCode::InvalidTimestamp.code(), 0));
    assert_eq!((got.record_errors.len(), got.record_errors[0].batch_index), (1, 0));
    assert!(got.error_message.is_some());
}

#[test]
fn without_acks_nothing_is_answered_and_an_error_closes() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    let records = batch(&["a"], harness.now.wall_ms);
    assert!(matches!(harness.ask(12, &produce_request("t", 0, &[(0, &records)])), Answer::Nothing));
    assert!(matches!(harness.ask(12, &produce_request("nope", 0, &[(0, &records)])), Answer::Closed(_)));
}

#[test]
fn old_versions_are_refused() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    let records = batch(&["a"], harness.now.wall_ms);
    for version in 0..3 {
        let answer = harness.ask(version, &produce_request("t", 1, &[(0, &records)]));
        assert!(matches!(answer, Answer::Closed(_)), "{answer:?}");
    }
}

/// Leads with broker 2 as the follower in the ISR.
fn with_follower(settings: &[(&str, &str)]) -> Harness {
    let mut harness = Harness::with(settings);
    harness.lead("t", topic_id("t"), &[(0, BROKER_ID, 0, vec![BROKER_ID, 2], vec![BROKER_ID, 2])]);
    harness
}

fn follower_fetch(harness: &mut Harness, offset: i64) -> Answer {
    let mut request: FetchRequest<'_> = fetch_request("t", &[(0, offset)]);
    request.replica_state.replica_id = 2;
    request.session_epoch = -1;
    request.max_wait_ms = 0;
    harness.ask(17, &request)
}

#[test]
fn all_acks_wait_for_the_follower() {
    let mut harness = with_follower(&[]);
    follower_fetch(&mut harness, 0);
    let records = batch(&["a", "b"], harness.now.wall_ms);
    let answer = harness.ask(12, &produce_request("t", -1, &[(0, &records)]));
    assert!(answer.late::<ProduceRequest<'_>>().is_none());
    follower_fetch(&mut harness, 0);
    assert!(answer.late::<ProduceRequest<'_>>().is_none());
    follower_fetch(&mut harness, 2);
    let late = answer.late::<ProduceRequest<'_>>().expect("an answer");
    let got = only(&late);
    assert_eq!((got.error_code, got.base_offset), (0, 0));
    assert!(harness.broker.purgatory().is_empty());
}

#[test]
fn all_acks_time_out() {
    let mut harness = with_follower(&[]);
    let records = batch(&["a"], harness.now.wall_ms);
    let answer = harness.ask(12, &produce_request("t", -1, &[(0, &records)]));
    harness.pass(999);
    assert!(answer.late::<ProduceRequest<'_>>().is_none());
    harness.pass(2);
    let late = answer.late::<ProduceRequest<'_>>().expect("an answer");
    assert_eq!((code(&late), only(&late).base_offset), (ErrorCode::RequestTimedOut, 0));
    // What comes after the timeout finds nobody waiting.
    follower_fetch(&mut harness, 1);
}

#[test]
fn all_acks_need_enough_replicas() {
    let mut harness = Harness::with(&[("min.insync.replicas", "2")]);
    harness.lead("t", topic_id("t"), &[(0, BROKER_ID, 0, vec![BROKER_ID], vec![BROKER_ID, 2])]);
    let records = batch(&["a"], harness.now.wall_ms);
    let answer = harness.ask(12, &produce_request("t", -1, &[(0, &records)]));
    assert_eq!(code(&answer), ErrorCode::NotEnoughReplicas);
    let answer = harness.ask(12, &produce_request("t", 1, &[(0, &records)]));
    assert_eq!(code(&answer), ErrorCode::None);
    // A topic of one replica is not bound by it.
    harness.topic("one", 1);
    let answer = harness.ask(12, &produce_request("one", -1, &[(0, &records)]));
    assert_eq!(code(&answer), ErrorCode::None);
}

#[test]
fn a_wrong_broker_names_the_leader_since_10() {
    let mut harness = Harness::new();
    harness.update_metadata("t", topic_id("t"), &[(0, 2, 5, vec![2], vec![2])]);
    let records = batch(&["a"], harness.now.wall_ms);
    for version in [9, 10, 13] {
        let answer = harness.ask(version, &produce_request("t", 1, &[(0, &records)]));
        let response: ProduceResponse<'_> = answer.get();
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!(partition.error_code, ErrorCode::NotLeaderOrFollower.code());
        let hint = (partition.current_leader.leader_id, partition.current_leader.leader_epoch);
        let nodes: Vec<(i32, i32)> = response.node_endpoints.iter().map(|node| (node.node_id, node.port)).collect();
        if version >= 10 {
            assert_eq!((hint, nodes), ((2, 5), vec![(2, 9093)]));
        } else {
            assert_eq!((hint, nodes), ((-1, -1), vec![]));
        }
    }
}

#[test]
fn waiting_produces_learn_that_the_leader_moved() {
    let mut harness = with_follower(&[]);
    let records = batch(&["a"], harness.now.wall_ms);
    let answer = harness.ask(12, &produce_request("t", -1, &[(0, &records)]));
    harness.lead("t", topic_id("t"), &[(0, 2, 1, vec![2], vec![BROKER_ID, 2])]);
    let late = answer.late::<ProduceRequest<'_>>().expect("an answer");
    assert_eq!(code(&late), ErrorCode::NotLeaderOrFollower);
}

#[test]
fn idempotent_producers_are_held_to_their_sequence() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    let wall_ms = harness.now.wall_ms;
    let sequenced = |base_sequence, values: &[&str]| {
        let options = BatchOptions { producer_id: 9, producer_epoch: 0, base_sequence, ..Default::default() };
        batch_with(options, values, wall_ms)
    };
    let first = sequenced(0, &["a", "b"]);
    for _ in 0..2 {
        let answer = harness.ask(12, &produce_request("t", -1, &[(0, &first)]));
        assert_eq!(
            (code(&answer), only(&answer).base_offset),
            (ErrorCode::None, 0),
            "a repeat is answered as the first"
        );
    }
    let gap = sequenced(7, &["c"]);
    let answer = harness.ask(12, &produce_request("t", -1, &[(0, &gap)]));
    assert_eq!(code(&answer), ErrorCode::OutOfOrderSequenceNumber);
}

#[test]
fn a_failing_disk_takes_its_partitions_offline() {
    use ottla_base::sim_disk::{Call, Fault};
    use ottla_broker::control::{ControlInput, LocalRequest};

    let mut harness = Harness::new();
    harness.topic("t", 2);
    let records = batch(&["a"], harness.now.wall_ms);
    harness.inbox.0.lock().clear();
    harness.disk.inject(Fault::always(Call::Write, "/a"));
    let answer = harness.ask(12, &produce_request("t", 1, &[(0, &records), (1, &records)]));
    let response: ProduceResponse<'_> = answer.get();
    let codes: Vec<i16> = response.responses[0].partition_responses.iter().map(|p| p.error_code).collect();
    assert!(codes.contains(&ErrorCode::KafkaStorageError.code()) && codes.contains(&0), "{codes:?}");
    let failed = |input: &ControlInput| matches!(input, ControlInput::Local(LocalRequest::LogDirFailed { directory }) if directory == "/a");
    assert_eq!(harness.inbox.0.lock().iter().filter(|input| failed(input)).count(), 1);
    // The log directory stays offline, whatever the disk does.
    harness.disk.heal();
    let again = harness.ask(12, &produce_request("t", 1, &[(0, &records), (1, &records)]));
    let response: ProduceResponse<'_> = again.get();
    let after: Vec<i16> = response.responses[0].partition_responses.iter().map(|p| p.error_code).collect();
    assert_eq!(after, codes);
}
