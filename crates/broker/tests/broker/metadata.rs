//! Metadata, DescribeCluster, DescribeTopicPartitions and ApiVersions.

use ottla_base::ids::Uuid;
use ottla_broker::api::APIS;
use ottla_protocol::messages::api_versions_request::ApiVersionsRequest;
use ottla_protocol::messages::api_versions_response::ApiVersionsResponse;
use ottla_protocol::messages::describe_cluster_request::DescribeClusterRequest;
use ottla_protocol::messages::describe_cluster_response::DescribeClusterResponse;
use ottla_protocol::messages::describe_topic_partitions_request::{
    Cursor, DescribeTopicPartitionsRequest, TopicRequest,
};
use ottla_protocol::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponse;
use ottla_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use ottla_protocol::messages::metadata_response::MetadataResponse;
use ottla_protocol::{ApiKey, ErrorCode};

use crate::harness::{Answer, BROKER_ID, CLUSTER_ID, Harness, topic_id};

fn named<'a>(names: &[&'a str]) -> MetadataRequest<'a> {
    let topic = |name: &&'a str| MetadataRequestTopic { topic_id: Uuid::ZERO, name: Some((*name).into()) };
    MetadataRequest { topics: Some(names.iter().map(topic).collect()), ..Default::default() }
}

/// Name, error and number of partitions of each topic told.
fn told(answer: &Answer) -> Vec<(String, ErrorCode, usize)> {
    let response: MetadataResponse<'_> = answer.get();
    let topics = response.topics.iter();
    topics
        .map(|topic| {
            let name = topic.name.as_deref().unwrap_or("null").to_owned();
            (name, ErrorCode::from_code(topic.error_code), topic.partitions.len())
        })
        .collect()
}

#[test]
fn every_version_tells_of_the_cluster() {
    let mut harness = Harness::new();
    harness.topic("t", 2);
    for version in 0..=13 {
        let answer = harness.ask(version, &named(&["t"]));
        let response: MetadataResponse<'_> = answer.get();
        assert_eq!(response.brokers.iter().map(|b| (b.node_id, b.port)).collect::<Vec<_>>(), [(1, 9092), (2, 9093)]);
        assert_eq!(response.controller_id, if version >= 1 { BROKER_ID } else { -1 });
        assert_eq!(response.cluster_id.as_deref(), (version >= 2).then_some(CLUSTER_ID));
        let topic = &response.topics[0];
        assert_eq!((topic.name.as_deref(), topic.error_code, topic.partitions.len()), (Some("t"), 0, 2));
        assert_eq!(topic.topic_id, if version >= 10 { topic_id("t") } else { Uuid::ZERO });
        assert_eq!((topic.partitions[1].leader_id, &topic.partitions[1].isr_nodes[..]), (BROKER_ID, &[BROKER_ID][..]));
    }
}

#[test]
fn all_topics_none_and_by_id() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    harness.topic("u", 1);
    let all = MetadataRequest { topics: None, ..Default::default() };
    assert_eq!(told(&harness.ask(12, &all)).len(), 2);
    assert_eq!(told(&harness.ask(1, &named(&[]))).len(), 0);
    assert_eq!(told(&harness.ask(0, &named(&[]))).len(), 2);
    let by_id = |id| MetadataRequest {
        topics: Some(vec![
            MetadataRequestTopic { topic_id: id, name: None },
            MetadataRequestTopic { topic_id: Uuid::ZERO, name: Some("u".into()) },
        ]),
        ..Default::default()
    };
    assert_eq!(told(&harness.ask(12, &by_id(topic_id("t")))), [("t".to_owned(), ErrorCode::None, 1)]);
    assert_eq!(told(&harness.ask(12, &by_id(Uuid([9; 16])))), [("null".to_owned(), ErrorCode::UnknownTopicId, 0)]);
    let mut early = by_id(topic_id("t"));
    for topic in early.topics.iter_mut().flatten() {
        topic.name = Some("t".into());
    }
    let answer = harness.ask(10, &early);
    assert_eq!(told(&answer).iter().map(|topic| topic.1).collect::<Vec<_>>(), [ErrorCode::InvalidRequest; 2]);
}

#[test]
fn authorized_operations_are_all_of_them() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    let mut request = named(&["t", "t"]);
    request.include_cluster_authorized_operations = true;
    request.include_topic_authorized_operations = true;
    let answer = harness.ask(9, &request);
    let response: MetadataResponse<'_> = answer.get();
    assert_eq!(response.topics.len(), 1);
    assert_eq!((response.cluster_authorized_operations, response.topics[0].topic_authorized_operations), (8096, 3576));
}

#[test]
fn unknown_topics_are_made_while_the_client_asks_again() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    harness.inbox.0.lock().clear();
    let asked = ["new", "t", "a b"];
    let of = |new| [new, ("t", ErrorCode::None, 1), ("a b", ErrorCode::InvalidTopicException, 0)];
    let shown = |all: [(&str, ErrorCode, usize); 3]| all.map(|(name, error, count)| (name.to_owned(), error, count));
    let unknown = ("new", ErrorCode::UnknownTopicOrPartition, 0);
    assert_eq!(told(&harness.ask(12, &named(&asked))), shown(of(unknown)));
    let wanted: Vec<Vec<String>> = harness.wanted_topics().into_iter().map(|(names, _)| names).collect();
    assert_eq!(wanted, [["new"]]);
    harness.topic("new", 3);
    assert_eq!(told(&harness.ask(12, &named(&asked))), shown(of(("new", ErrorCode::None, 3))));
    assert!(harness.wanted_topics().is_empty());
}

#[test]
fn topics_are_not_made_when_the_client_or_the_broker_does_not_want_it() {
    let mut harness = Harness::new();
    let request = MetadataRequest { allow_auto_topic_creation: false, ..named(&["new"]) };
    assert_eq!(told(&harness.ask(12, &request))[0].1, ErrorCode::UnknownTopicOrPartition);
    let mut harness = Harness::with(&[("auto.create.topics.enable", "false")]);
    assert_eq!(told(&harness.ask(12, &named(&["new"])))[0].1, ErrorCode::UnknownTopicOrPartition);
    assert!(harness.wanted_topics().is_empty());
}

#[test]
fn leaders_that_are_gone_or_listen_elsewhere() {
    let mut harness = Harness::new();
    harness.update_metadata("t", topic_id("t"), &[(0, 7, 0, vec![7], vec![7, 1]), (1, -1, 0, vec![], vec![1])]);
    let partition_errors = |harness: &mut Harness, version| {
        let answer = harness.ask(version, &named(&["t"]));
        let response: MetadataResponse<'_> = answer.get();
        response.topics[0]
            .partitions
            .iter()
            .map(|p| (p.error_code, p.leader_id, p.replica_nodes.len()))
            .collect::<Vec<_>>()
    };
    let gone = ErrorCode::LeaderNotAvailable.code();
    assert_eq!(partition_errors(&mut harness, 12), [(gone, -1, 2), (gone, -1, 1)]);
    assert_eq!(partition_errors(&mut harness, 0), [(gone, -1, 1), (gone, -1, 1)]);
    harness.topic("t", 1);
    harness.connection.listener = "OTHER".into();
    assert_eq!(partition_errors(&mut harness, 12)[0].0, ErrorCode::ListenerNotFound.code());
    assert_eq!(partition_errors(&mut harness, 5)[0].0, gone);
}

#[test]
fn the_cluster_is_described() {
    let mut harness = Harness::new();
    harness.topic("t", 1);
    for version in 0..=2 {
        let request = DescribeClusterRequest { include_cluster_authorized_operations: true, ..Default::default() };
        let answer = harness.ask(version, &request);
        let response: DescribeClusterResponse<'_> = answer.get();
        assert_eq!((&*response.cluster_id, response.controller_id, response.brokers.len()), (CLUSTER_ID, BROKER_ID, 2));
        assert_eq!(response.cluster_authorized_operations, 8096);
    }
    for (kind, error) in [(2, ErrorCode::MismatchedEndpointType), (3, ErrorCode::UnsupportedEndpointType)] {
        let answer = harness.ask(1, &DescribeClusterRequest { endpoint_type: kind, ..Default::default() });
        let response: DescribeClusterResponse<'_> = answer.get();
        assert_eq!((response.error_code, response.controller_id), (error.code(), -1));
    }
}

#[test]
fn topic_partitions_come_in_pages() {
    let mut harness = Harness::new();
    harness.topic("a", 3);
    harness.topic("b", 2);
    let page = |harness: &mut Harness, names: &[&'static str], limit, cursor: Option<(&'static str, i32)>| {
        let request = DescribeTopicPartitionsRequest {
            topics: names.iter().map(|name| TopicRequest { name: (*name).into() }).collect(),
            response_partition_limit: limit,
            cursor: cursor.map(|(topic, partition_index)| Cursor { topic_name: topic.into(), partition_index }),
        };
        let answer = harness.ask(0, &request);
        let response: DescribeTopicPartitionsResponse<'_> = answer.get();
        let topics: Vec<String> = response
            .topics
            .iter()
            .map(|topic| {
                let partitions: Vec<i32> = topic.partitions.iter().map(|p| p.partition_index).collect();
                format!("{} {} {partitions:?}", topic.name.as_deref().unwrap_or("null"), topic.error_code)
            })
            .collect();
        (topics, response.next_cursor.map(|cursor| (cursor.topic_name.into_owned(), cursor.partition_index)))
    };
    let at = |topic: &str, partition| Some((topic.to_owned(), partition));
    let text = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert_eq!(page(&mut harness, &[], 2, None), (text(&["a 0 [0, 1]"]), at("a", 2)));
    assert_eq!(page(&mut harness, &[], 2, Some(("a", 2))), (text(&["a 0 [2]", "b 0 [0]"]), at("b", 1)));
    assert_eq!(page(&mut harness, &[], 9, Some(("b", 1))), (text(&["b 0 [1]"]), None));
    assert_eq!(page(&mut harness, &["b", "zz", "a b"], 9, None), (text(&["a b 17 []", "b 0 [0, 1]", "zz 3 []"]), None));
    assert_eq!(page(&mut harness, &["b", "zz"], 2, None), (text(&["b 0 [0, 1]"]), at("zz", 0)));
    assert_eq!(page(&mut harness, &["a"], 5, Some(("a", 30))), (text(&["a 0 []"]), None));
    // A cursor that is not among the topics, or before their beginning.
    assert_eq!(page(&mut harness, &["a", "b"], 5, Some(("aa", 0))).0, ["a 42 []", "b 42 []"]);
    assert_eq!(page(&mut harness, &["a"], 5, Some(("a", -3))).0, ["a 42 []"]);
}

#[test]
fn api_versions_are_those_of_the_table() {
    let mut harness = Harness::new();
    for version in 0..=4 {
        let request =
            ApiVersionsRequest { client_software_name: "a-client".into(), client_software_version: "1.0".into() };
        let answer = harness.ask(version, &request);
        let response: ApiVersionsResponse<'_> = answer.get();
        let listed: Vec<_> = response.api_keys.iter().map(|k| (k.api_key, k.min_version, k.max_version)).collect();
        let expected: Vec<_> = APIS
            .iter()
            .map(|api| (api.key.code(), if api.key == ApiKey::Produce { 0 } else { api.versions.0 }, api.versions.1))
            .collect();
        assert_eq!((response.error_code, listed), (0, expected));
        // What 3.9.2 says of features in ZooKeeper mode.
        assert_eq!(response.finalized_features_epoch, if version >= 3 { 0 } else { -1 });
        assert!(response.supported_features.is_empty() && response.finalized_features.is_empty());
    }
    assert_eq!(harness.connection.client_software.as_deref(), Some("a-client 1.0"));
    let request = ApiVersionsRequest { client_software_name: "-x".into(), client_software_version: "1".into() };
    let answer = harness.ask(3, &request);
    let response: ApiVersionsResponse<'_> = answer.get();
    assert_eq!((response.error_code, response.api_keys.len()), (ErrorCode::InvalidRequest.code(), 0));
}
