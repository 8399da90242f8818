//! Frames that are no requests: each ends its connection with one line, and nothing else.

use ottla_base::random::Random;
use ottla_broker::api::APIS;
use ottla_broker::reply::Reply;
use ottla_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use ottla_protocol::messages::describe_groups_response::DescribeGroupsResponse;
use ottla_protocol::messages::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use ottla_protocol::messages::describe_producers_response::DescribeProducersResponse;
use ottla_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use ottla_protocol::messages::metadata_response::MetadataResponse;
use ottla_protocol::messages::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup};
use ottla_protocol::messages::offset_fetch_response::OffsetFetchResponse;
use ottla_protocol::messages::produce_request::ProduceRequest;
use ottla_protocol::{ErrorCode, request_frame};

use crate::harness::{Harness, LateReply, batch, produce_request};

fn closed(harness: &mut Harness, frame: &[u8]) -> String {
    match harness.raw(&mut frame.to_vec(), &LateReply::default()) {
        Reply::Close(why) => why,
        other => panic!("{other:?}"),
    }
}

fn frame(version: i16, request: &MetadataRequest<'_>) -> Vec<u8> {
    request_frame(7, Some("c"), request, version).expect("a frame").into_bytes().expect("bytes").split_off(4)
}

#[test]
fn frames_that_are_no_requests() {
    let mut harness = Harness::new();
    for (frame, what) in [
        (&[][..], "header"),
        (&[0, 3], "header"),
        (&[0, 3, 0, 1, 0, 0], "header"),
        (&[0x03, 0xe7, 0, 0, 0, 0, 0, 7, 0xff, 0xff], "key 999"),
        // Vote: of a controller that we are not.
        (&[0, 52, 0, 0, 0, 0, 0, 7, 0xff, 0xff, 0], "Vote is not served"),
        (&[0, 3, 0, 99, 0, 0, 0, 7, 0xff, 0xff, 0], "Metadata version 99"),
        (&[0, 3, 0xff, 0xff, 0, 0, 0, 7, 0xff, 0xff], "Metadata version -1"),
        (&[0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 9], "can't be read"),
        // An array of two billion topics.
        (&[0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff], "can't be read"),
    ] {
        let why = closed(&mut harness, frame);
        assert!(why.contains(what), "{why} does not speak of {what}");
    }
    assert_eq!(harness.broker.metrics().refused_requests.get(), 9);
}

#[test]
fn bytes_behind_a_request_are_let_pass() {
    let mut harness = Harness::new();
    let mut bytes = frame(1, &MetadataRequest { topics: Some(vec![]), ..Default::default() });
    bytes.extend_from_slice(&[1, 2, 3]);
    assert!(matches!(harness.raw(&mut bytes, &LateReply::default()), Reply::Now(_)));
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_version_0() {
    let mut harness = Harness::new();
    let mut bytes = [0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff, 0];
    let Reply::Now(frame) = harness.raw(&mut bytes, &LateReply::default()) else { panic!("an answer") };
    let bytes = frame.into_bytes().expect("bytes");
    assert_eq!(bytes[4..10], [0, 0, 0, 7, 0, ErrorCode::UnsupportedVersion.code() as u8]);
    assert_eq!(bytes[10..14], (APIS.len() as u32).to_be_bytes());
    assert_eq!(bytes.len(), 14 + 6 * APIS.len());
}

#[test]
fn cut_and_damaged_requests_never_panic() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    let mut random = Random::new(5);
    let records = batch(&["a", "b", "c"], harness.now.wall_ms);
    let produce = |version| -> Vec<u8> {
        let request: ProduceRequest<'_> = produce_request("t", 1, &[(0, &records)]);
        request_frame(7, Some("c"), &request, version).expect("a frame").into_bytes().expect("bytes").split_off(4)
    };
    let whole: Vec<Vec<u8>> = (3..=13).map(produce).collect();
    for frame in &whole {
        for len in 0..frame.len() {
            let _ = harness.raw(&mut frame[..len].to_vec(), &LateReply::default());
        }
    }
    for _ in 0..20_000 {
        let mut bytes = whole[random.index(whole.len())].clone();
        for _ in 0..=random.index(3) {
            let at = random.index(bytes.len());
            bytes[at] = random.next_u64() as u8;
        }
        let _ = harness.raw(&mut bytes, &LateReply::default());
    }
}

#[test]
fn noise_to_every_api_never_panics() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    let mut random = Random::new(6);
    for api in APIS {
        for version in api.versions.0..=api.versions.1 {
            for _ in 0..200 {
                let mut bytes = vec![0; 12 + random.index(60)];
                random.fill(&mut bytes);
                for byte in &mut bytes[8..] {
                    // Small numbers make counts and lengths that can be true.
                    if random.chance(700_000) {
                        *byte &= 3;
                    }
                }
                bytes[..2].copy_from_slice(&api.key.code().to_be_bytes());
                bytes[2..4].copy_from_slice(&version.to_be_bytes());
                let _ = harness.raw(&mut bytes, &LateReply::default());
            }
        }
    }
    harness.pass(100_000);
}

/// A name takes some bytes, what is told of it may take thousands: a request may not multiply them.
#[test]
fn what_is_named_again_is_told_once() {
    let mut harness = Harness::new();
    let id = harness.topic("t", 2);
    let asked = MetadataRequestTopic { topic_id: id, name: None };
    let answer = harness.ask(12, &MetadataRequest { topics: Some(vec![asked; 3]), ..Default::default() });
    assert_eq!(answer.get::<MetadataResponse<'_>>().topics.len(), 1);
    let topic = |indexes| TopicRequest { name: "t".into(), partition_indexes: indexes };
    let request = DescribeProducersRequest { topics: vec![topic(vec![0, 0, 1]), topic(vec![1, 0])] };
    let answer = harness.ask(0, &request);
    let response: DescribeProducersResponse<'_> = answer.get();
    assert_eq!(response.topics.iter().map(|topic| topic.partitions.len()).collect::<Vec<_>>(), [2, 0]);
    let groups = DescribeGroupsRequest { groups: vec!["g".into(); 3], ..Default::default() };
    let answer = harness.ask(5, &groups);
    assert_eq!(answer.get::<DescribeGroupsResponse<'_>>().groups.len(), 1);
    let all_offsets = OffsetFetchRequestGroup { group_id: "g".into(), topics: None, ..Default::default() };
    let answer = harness.ask(8, &OffsetFetchRequest { groups: vec![all_offsets; 3], ..Default::default() });
    assert_eq!(answer.get::<OffsetFetchResponse<'_>>().groups.len(), 1);
}
