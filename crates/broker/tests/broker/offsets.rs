//! ListOffsets, OffsetForLeaderEpoch, DeleteRecords, DescribeProducers and DescribeLogDirs.

use ottla_protocol::ErrorCode;
use ottla_protocol::batch_builder::BatchOptions;
use ottla_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use ottla_protocol::messages::delete_records_response::DeleteRecordsResponse;
use ottla_protocol::messages::describe_log_dirs_request::{DescribableLogDirTopic, DescribeLogDirsRequest};
use ottla_protocol::messages::describe_log_dirs_response::DescribeLogDirsResponse;
use ottla_protocol::messages::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use ottla_protocol::messages::describe_producers_response::DescribeProducersResponse;
use ottla_protocol::messages::fetch_request::FetchRequest;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use ottla_protocol::messages::list_offsets_response::ListOffsetsResponse;
use ottla_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use ottla_protocol::messages::offset_for_leader_epoch_response::OffsetForLeaderEpochResponse;

use crate::harness::{Answer, BROKER_ID, Harness, batch, batch_with, fetch_request, produce_request, topic_id};

fn produce(harness: &mut Harness, values: &[&str], timestamp_ms: i64) {
    let records = batch(values, timestamp_ms);
    assert!(matches!(harness.ask(12, &produce_request("t", 1, &[(0, &records)])), Answer::Body(..)));
}

fn list(topic: &str, asked: &[(i32, i32, i64)]) -> ListOffsetsRequest<'static> {
    let partitions = asked.iter().map(|&(partition_index, current_leader_epoch, timestamp)| ListOffsetsPartition {
        partition_index,
        current_leader_epoch,
        timestamp,
        ..Default::default()
    });
    let topic = ListOffsetsTopic { name: topic.to_owned().into(), partitions: partitions.collect() };
    ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() }
}

/// Error, timestamp, offset and epoch of each partition.
fn listed(answer: &Answer) -> Vec<(ErrorCode, i64, i64, i32)> {
    let response: ListOffsetsResponse<'_> = answer.get();
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    let code = ErrorCode::from_code;
    partitions.map(|p| (code(p.error_code), p.timestamp, p.offset, p.leader_epoch)).collect()
}

#[test]
fn offsets_by_time_and_by_name() {
    let mut harness = Harness::new();
    harness.topic("t", 2);
    let t0 = harness.now.wall_ms - 10_000;
    produce(&mut harness, &["a", "b", "c"], t0);
    produce(&mut harness, &["d"], t0 + 1_000);
    let none = ErrorCode::None;
    for version in 1..=11 {
        let epoch = if version >= 4 { 0 } else { -1 };
        let mut ask = |timestamp| listed(&harness.ask(version, &list("t", &[(0, -1, timestamp)])))[0];
        assert_eq!(ask(-1), (none, -1, 4, epoch));
        assert_eq!(ask(-2), (none, -1, 0, epoch));
        assert_eq!(ask(t0 + 1), (none, t0 + 1, 1, epoch));
        assert_eq!(ask(t0 + 3), (none, t0 + 1_000, 3, epoch));
        assert_eq!(ask(t0 + 9_000), (none, -1, -1, -1));
        let unsupported = (ErrorCode::UnsupportedVersion, -1, -1, -1);
        assert_eq!(ask(-3), if version >= 7 { (none, t0 + 1_000, 3, 0) } else { unsupported });
        assert_eq!(ask(-4), if version >= 8 { (none, -1, 0, 0) } else { unsupported });
        assert_eq!(ask(-5), if version >= 9 { (none, -1, -1, -1) } else { unsupported });
        assert_eq!(ask(-6), if version >= 11 { (none, -1, -1, -1) } else { unsupported });
        assert_eq!(ask(-7), unsupported);
    }
    let mixed = harness.ask(8, &list("t", &[(0, 5, -1), (1, -1, -1), (1, -1, -2), (9, -1, -1)]));
    let codes: Vec<ErrorCode> = listed(&mixed).iter().map(|partition| partition.0).collect();
    let twice = ErrorCode::InvalidRequest;
    assert_eq!(codes, [ErrorCode::UnknownLeaderEpoch, twice, twice, ErrorCode::UnknownTopicOrPartition]);
}

#[test]
fn a_new_leader_that_lags_cannot_say_what_is_latest() {
    let mut harness = Harness::new();
    harness.lead("t", topic_id("t"), &[(0, BROKER_ID, 0, vec![BROKER_ID, 2], vec![BROKER_ID, 2])]);
    let t0 = harness.now.wall_ms;
    produce(&mut harness, &["a"], t0);
    assert_eq!(listed(&harness.ask(8, &list("t", &[(0, -1, -1)])))[0].2, 0, "nothing is replicated");
    harness.lead("t", topic_id("t"), &[(0, BROKER_ID, 1, vec![BROKER_ID, 2], vec![BROKER_ID, 2])]);
    assert_eq!(listed(&harness.ask(8, &list("t", &[(0, -1, -1)])))[0].0, ErrorCode::OffsetNotAvailable);
    assert_eq!(listed(&harness.ask(8, &list("t", &[(0, -1, -2)])))[0].0, ErrorCode::None);
}

#[test]
fn epochs_end_where_the_next_begins() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    let t0 = harness.now.wall_ms;
    produce(&mut harness, &["a", "b"], t0);
    harness.lead("t", topic_id("t"), &[(0, BROKER_ID, 4, vec![BROKER_ID], vec![BROKER_ID])]);
    produce(&mut harness, &["c"], t0);
    let partition = |partition, current_leader_epoch, leader_epoch| OffsetForLeaderPartition {
        partition,
        current_leader_epoch,
        leader_epoch,
    };
    let request = OffsetForLeaderEpochRequest {
        replica_id: -2,
        topics: vec![OffsetForLeaderTopic {
            topic: "t".into(),
            partitions: vec![
                partition(0, -1, 0),
                partition(0, 4, 4),
                partition(0, -1, 2),
                partition(0, 9, 0),
                partition(0, 0, 0),
                partition(0, -1, 9),
                partition(5, -1, 0),
            ],
        }],
    };
    for version in 2..=4 {
        let answer = harness.ask(version, &request);
        let response: OffsetForLeaderEpochResponse<'_> = answer.get();
        let ends: Vec<_> =
            response.topics[0].partitions.iter().map(|p| (p.error_code, p.leader_epoch, p.end_offset)).collect();
        let refused = |error: ErrorCode| (error.code(), -1, -1);
        assert_eq!(
            ends,
            [
                (0, 0, 2),
                (0, 4, 3),
                (0, 0, 2),
                refused(ErrorCode::UnknownLeaderEpoch),
                refused(ErrorCode::FencedLeaderEpoch),
                (0, -1, -1),
                refused(ErrorCode::UnknownTopicOrPartition),
            ]
        );
    }
}

fn delete(topic: &str, offset: i64) -> DeleteRecordsRequest<'static> {
    let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset }];
    DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic { name: topic.to_owned().into(), partitions }],
        timeout_ms: 1_000,
    }
}

fn deleted(answer: &Answer) -> (ErrorCode, i64) {
    let response: DeleteRecordsResponse<'_> = answer.get();
    let partition = &response.topics[0].partitions[0];
    (ErrorCode::from_code(partition.error_code), partition.low_watermark)
}

#[test]
fn records_are_deleted_up_to_an_offset() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    harness.topic("__consumer_offsets", 1);
    let t0 = harness.now.wall_ms;
    produce(&mut harness, &["a", "b", "c", "d"], t0);
    let mut ask = |topic, offset| deleted(&harness.ask(2, &delete(topic, offset)));
    assert_eq!(ask("t", 2), (ErrorCode::None, 2));
    assert_eq!(ask("t", 1), (ErrorCode::None, 2));
    assert_eq!(ask("t", 99), (ErrorCode::OffsetOutOfRange, -1));
    assert_eq!(ask("t", -5), (ErrorCode::OffsetOutOfRange, -1));
    assert_eq!(ask("t", -1), (ErrorCode::None, 4));
    assert_eq!(ask("nope", 1), (ErrorCode::UnknownTopicOrPartition, -1));
    assert_eq!(ask("__consumer_offsets", 1), (ErrorCode::InvalidTopicException, -1));
    let below = harness.ask(12, &FetchRequest { session_epoch: -1, ..fetch_request("t", &[(0, 0)]) });
    let response: ottla_protocol::messages::fetch_response::FetchResponse<'_> = below.get();
    assert_eq!(response.responses[0].partitions[0].error_code, ErrorCode::OffsetOutOfRange.code());
}

#[test]
fn deleting_waits_for_followers_that_are_alive() {
    let mut harness = Harness::new();
    harness.lead("t", topic_id("t"), &[(0, BROKER_ID, 0, vec![BROKER_ID, 2], vec![BROKER_ID, 2])]);
    let t0 = harness.now.wall_ms;
    produce(&mut harness, &["a", "b"], t0);
    let follower = |harness: &mut Harness, log_start| {
        let mut request = FetchRequest { session_epoch: -1, max_wait_ms: 0, ..fetch_request("t", &[(0, 2)]) };
        request.replica_state.replica_id = 2;
        request.topics[0].partitions[0].log_start_offset = log_start;
        harness.ask(17, &request);
    };
    follower(&mut harness, 0);
    let waiting = harness.ask(2, &delete("t", 1));
    assert!(waiting.late::<DeleteRecordsRequest<'_>>().is_none());
    follower(&mut harness, 1);
    let late = waiting.late::<DeleteRecordsRequest<'_>>().expect("an answer");
    assert_eq!(deleted(&late), (ErrorCode::None, 1));
    let waiting = harness.ask(2, &delete("t", 2));
    harness.pass(1_000);
    let late = waiting.late::<DeleteRecordsRequest<'_>>().expect("an answer");
    assert_eq!(deleted(&late), (ErrorCode::RequestTimedOut, -1));
}

#[test]
fn producers_are_described() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    let options = BatchOptions { producer_id: 9, producer_epoch: 3, base_sequence: 0, ..Default::default() };
    let records = batch_with(options, &["a", "b"], harness.now.wall_ms);
    harness.ask(12, &produce_request("t", 1, &[(0, &records)]));
    let topic = |name: &'static str, partitions: &[i32]| TopicRequest {
        name: name.into(),
        partition_indexes: partitions.to_vec(),
    };
    let request =
        DescribeProducersRequest { topics: vec![topic("t", &[0, 9]), topic("nope", &[0]), topic("a b", &[0])] };
    let answer = harness.ask(0, &request);
    let response: DescribeProducersResponse<'_> = answer.get();
    let codes: Vec<i16> = response.topics.iter().flat_map(|t| &t.partitions).map(|p| p.error_code).collect();
    assert_eq!(codes, [0, 3, 3, 17]);
    let producer = &response.topics[0].partitions[0].active_producers[0];
    assert_eq!((producer.producer_id, producer.producer_epoch, producer.last_sequence), (9, 3, 1));
    assert_eq!(producer.current_txn_start_offset, -1);
}

#[test]
fn log_dirs_are_described() {
    let mut harness = Harness::new();
    harness.topic("t", 2);
    let t0 = harness.now.wall_ms;
    produce(&mut harness, &["a"], t0);
    for version in 0..=5 {
        let answer = harness.ask(version, &DescribeLogDirsRequest { topics: None });
        let response: DescribeLogDirsResponse<'_> = answer.get();
        let dirs: Vec<&str> = response.results.iter().map(|dir| &*dir.log_dir).collect();
        assert_eq!(dirs, ["/a", "/b"]);
        let partitions: usize = response.results.iter().flat_map(|dir| &dir.topics).map(|t| t.partitions.len()).sum();
        assert_eq!(partitions, 2);
        assert_eq!(response.results[0].total_bytes >= 0, version >= 4);
    }
    let one = DescribableLogDirTopic { topic: "t".into(), partitions: vec![1] };
    let answer = harness.ask(4, &DescribeLogDirsRequest { topics: Some(vec![one]) });
    let response: DescribeLogDirsResponse<'_> = answer.get();
    let found: Vec<i32> = response
        .results
        .iter()
        .flat_map(|dir| &dir.topics)
        .flat_map(|topic| &topic.partitions)
        .map(|partition| partition.partition_index)
        .collect();
    assert_eq!(found, [1]);
}
