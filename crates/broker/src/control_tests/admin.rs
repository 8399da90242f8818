//! What administrators ask for, case by case.

use ottla_base::ids::Uuid;
use ottla_protocol::messages::alter_configs_request as full;
use ottla_protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use ottla_protocol::messages::create_partitions_response::CreatePartitionsResponse;
use ottla_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use ottla_protocol::messages::create_topics_response::CreateTopicsResponse;
use ottla_protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use ottla_protocol::messages::delete_topics_response::DeleteTopicsResponse;
use ottla_protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use ottla_protocol::messages::describe_configs_response::DescribeConfigsResponse;
use ottla_protocol::messages::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use ottla_protocol::messages::elect_leaders_response::ElectLeadersResponse;
use ottla_protocol::messages::incremental_alter_configs_request as incremental;
use ottla_protocol::messages::incremental_alter_configs_response::IncrementalAlterConfigsResponse;
use ottla_protocol::messages::init_producer_id_request::InitProducerIdRequest;
use ottla_protocol::messages::init_producer_id_response::InitProducerIdResponse;
use ottla_protocol::messages::list_config_resources_request::ListConfigResourcesRequest;
use ottla_protocol::messages::list_config_resources_response::ListConfigResourcesResponse;
use ottla_protocol::messages::list_partition_reassignments_request::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};
use ottla_protocol::messages::list_partition_reassignments_response::ListPartitionReassignmentsResponse;
use ottla_protocol::{ApiKey, ErrorCode, Message};

use super::cluster::Cluster;
use super::life::{partition, write_topic};
use crate::control::{ControlInput, LocalDone, LocalRequest};
use crate::znodes;

pub fn topic(name: &str, partitions: i32, replicas: i16, configs: &[(&str, &str)]) -> CreatableTopic<'static> {
    let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
        name: (*name).to_owned().into(),
        value: Some((*value).to_owned().into()),
    };
    CreatableTopic {
        name: name.to_owned().into(),
        num_partitions: partitions,
        replication_factor: replicas,
        assignments: Vec::new(),
        configs: configs.iter().map(config).collect(),
    }
}

/// Error code and message of each topic.
fn create(cluster: &mut Cluster, topics: Vec<CreatableTopic<'static>>) -> Vec<(String, i16, String)> {
    let request = CreateTopicsRequest { topics, timeout_ms: 30_000, validate_only: false };
    let answer = cluster.request(1, 7, &request);
    cluster.settle();
    answer.read(ApiKey::CreateTopics, 7, |body| {
        let response = CreateTopicsResponse::from_bytes(body, 7).expect("a response");
        let short = |t: &ottla_protocol::messages::create_topics_response::CreatableTopicResult<'_>| {
            let no_settings = t.configs.as_ref().is_some_and(Vec::is_empty);
            assert!(t.error_code == 0 || no_settings, "empty, not null, as Kafka says it");
            (t.name.to_string(), t.error_code, t.error_message.as_deref().unwrap_or("").to_owned())
        };
        response.topics.iter().map(short).collect()
    })
}

fn codes(results: &[(String, i16, String)]) -> Vec<i16> {
    results.iter().map(|(_, code, _)| *code).collect()
}

#[test]
fn a_topic_is_created_with_its_settings_and_answered_when_it_is_led() {
    let mut cluster = Cluster::of_one(20);
    let topics = vec![topic("t", 3, 1, &[("retention.ms", "1000"), ("cleanup.policy", "compact")])];
    let request = CreateTopicsRequest { topics, timeout_ms: 30_000, validate_only: false };
    let answer = cluster.request(1, 7, &request);
    while !answer.is_there() {
        assert!(cluster.happen(), "the answer never comes");
    }
    assert_eq!(cluster.brokers[&1].told.metadata.len(), 3, "answered no earlier");
    answer.read(ApiKey::CreateTopics, 7, |body| {
        let response = CreateTopicsResponse::from_bytes(body, 7).expect("a response");
        let created = &response.topics[0];
        assert_eq!((created.error_code, created.num_partitions, created.replication_factor), (0, 3, 1));
        assert!(created.topic_id != Uuid::ZERO && created.error_message.is_none());
        let configs = created.configs.as_ref().expect("settings");
        let retention = configs.iter().find(|config| config.name == "retention.ms").expect("a setting");
        assert_eq!((retention.value.as_deref(), retention.config_source), (Some("1000"), 1));
        let segment = configs.iter().find(|config| config.name == "segment.bytes").expect("a setting");
        assert_eq!((segment.value.as_deref(), segment.config_source), (Some("1073741824"), 5));
    });
    assert_eq!(
        cluster.keeper.text("/config/topics/t"),
        "{\"version\":1,\"config\":{\"cleanup.policy\":\"compact\",\"retention.ms\":\"1000\"}}"
    );
    assert_eq!(
        cluster.keeper.text(&znodes::partition_state(&partition("t", 2))),
        "{\"controller_epoch\":1,\"leader\":1,\"version\":1,\"leader_epoch\":0,\"isr\":[1]}"
    );
    let config = cluster.brokers[&1].shared.log_config("t");
    assert_eq!((config.retention_ms, config.compact), (1_000, true));
}

#[test]
fn wrong_topics_are_refused_one_by_one() {
    let mut cluster = Cluster::of_one(21);
    create(&mut cluster, vec![topic("there", 1, 1, &[]), topic("a.b", 1, 1, &[])]);
    let mut manual = topic("manual", -1, -1, &[]);
    manual.assignments = vec![CreatableReplicaAssignment { partition_index: 0, broker_ids: vec![9] }];
    let mut both = topic("both", 1, 1, &[]);
    both.assignments = vec![CreatableReplicaAssignment { partition_index: 0, broker_ids: vec![1] }];
    // Valid, but too much: each number after 32,000 blanks.
    let padded = format!("{}9000", " ".repeat(32_000));
    let numbers = crate::config::topic_settings().iter().filter(|setting| setting.check("9000").is_ok());
    let long: Vec<(&str, &str)> = numbers.map(|setting| (setting.name, padded.as_str())).collect();
    let results = create(
        &mut cluster,
        vec![
            topic("there", 1, 1, &[]),
            topic("bad/name", 1, 1, &[]),
            topic("a_b", 1, 1, &[]),
            topic("zero", 0, 1, &[]),
            topic("many", 1, 3, &[]),
            topic("none", 1, 0, &[]),
            topic("config", 1, 1, &[("retention.ms", "x")]),
            topic("config2", 1, 1, &[("no.such", "x")]),
            manual,
            both,
            topic("twice", 1, 1, &[]),
            topic("twice", 1, 1, &[]),
            topic("huge", i32::MAX, 1, &[]),
            topic("long", 1, 1, &long),
            topic("fine", -1, -1, &[]),
        ],
    );
    let expected = [
        (ErrorCode::TopicAlreadyExists, "Topic 'there' already exists."),
        (ErrorCode::InvalidTopicException, "Topic name is invalid"),
        (ErrorCode::InvalidTopicException, "collides with existing topics: a.b"),
        (ErrorCode::InvalidPartitions, "larger than 0"),
        (ErrorCode::InvalidReplicationFactor, "Replication factor: 3 larger than available brokers: 1."),
        (ErrorCode::InvalidReplicationFactor, "larger than 0"),
        (ErrorCode::InvalidConfig, "Not a number of type LONG"),
        (ErrorCode::InvalidConfig, "Unknown topic config name: no.such"),
        (ErrorCode::InvalidReplicaAssignment, "Unknown broker(s) in replica assignment: 9."),
        (ErrorCode::InvalidRequest, "Both numPartitions or replicationFactor"),
        (ErrorCode::InvalidRequest, "multiple entries"),
        (ErrorCode::PolicyViolation, "Excessively large"),
        (ErrorCode::PolicyViolation, "too large for the keeper"),
        (ErrorCode::None, ""),
    ];
    assert_eq!(results.len(), expected.len());
    for ((name, code, message), (expected, part)) in results.iter().zip(expected) {
        assert_eq!(*code, expected as i16, "{name}: {message}");
        assert!(message.contains(part), "{name}: {message}");
    }
}

#[test]
fn settings_of_a_topic_of_old_are_replaced() {
    let mut cluster = Cluster::of_one(22);
    cluster.keeper.write("/config/topics/t", "{\"version\":1,\"config\":{\"retention.ms\":\"5\"}}");
    assert_eq!(codes(&create(&mut cluster, vec![topic("t", 1, 1, &[])])), [0]);
    assert_eq!(cluster.keeper.text("/config/topics/t"), "{\"version\":1,\"config\":{}}");
    assert_eq!(cluster.brokers[&1].shared.log_config("t").retention_ms, 604_800_000);
}

#[test]
fn validation_alone_changes_nothing() {
    let mut cluster = Cluster::of_one(23);
    let topics = vec![topic("t", 2, 1, &[])];
    let answer = cluster.request(1, 7, &CreateTopicsRequest { topics, timeout_ms: 1, validate_only: true });
    cluster.settle();
    answer.read(ApiKey::CreateTopics, 7, |body| {
        let response = CreateTopicsResponse::from_bytes(body, 7).expect("a response");
        assert_eq!((response.topics[0].error_code, response.topics[0].num_partitions), (0, 2));
    });
    assert!(cluster.keeper.children(znodes::TOPICS).is_empty());
}

#[test]
fn a_creation_that_takes_too_long_is_answered_and_goes_on() {
    let mut cluster = Cluster::of_one(24);
    cluster.brokers.get_mut(&1).expect("a broker").unreachable = true;
    let topics = vec![topic("t", 1, 1, &[])];
    let answer = cluster.request(1, 5, &CreateTopicsRequest { topics, timeout_ms: 500, validate_only: false });
    for _ in 0..20 {
        cluster.some_steps(1_000);
        cluster.tick(100);
    }
    answer.read(ApiKey::CreateTopics, 5, |body| {
        let response = CreateTopicsResponse::from_bytes(body, 5).expect("a response");
        assert_eq!(response.topics[0].error_code, ErrorCode::RequestTimedOut as i16);
    });
    cluster.brokers.get_mut(&1).expect("a broker").unreachable = false;
    cluster.settle();
    assert_eq!(cluster.brokers[&1].told.metadata[&partition("t", 0)], (1, 0));
}

fn delete(cluster: &mut Cluster, names: &[&str], ids: &[Uuid]) -> Vec<i16> {
    let by_name =
        names.iter().map(|name| DeleteTopicState { name: Some((*name).to_owned().into()), topic_id: Uuid::ZERO });
    let by_id = ids.iter().map(|id| DeleteTopicState { name: None, topic_id: *id });
    let topics = by_name.chain(by_id).collect();
    let request = DeleteTopicsRequest { topics, topic_names: Vec::new(), timeout_ms: 30_000 };
    let answer = cluster.request(1, 6, &request);
    cluster.settle();
    answer.read(ApiKey::DeleteTopics, 6, |body| {
        let response = DeleteTopicsResponse::from_bytes(body, 6).expect("a response");
        response.responses.iter().map(|topic| topic.error_code).collect()
    })
}

#[test]
fn topics_are_deleted_by_name_and_by_id_and_made_again() {
    let mut cluster = Cluster::of_one(25);
    create(&mut cluster, vec![topic("a", 3, 1, &[("retention.ms", "1")]), topic("b", 1, 1, &[])]);
    let id = znodes::TopicAssignment::decode(cluster.keeper.text("/brokers/topics/b").as_bytes())
        .expect("b")
        .id
        .expect("an id");
    assert_eq!(delete(&mut cluster, &["a", "none"], &[id, Uuid([7; 16])]), [0, 3, 0, 100]);
    assert!(cluster.keeper.children(znodes::TOPICS).is_empty());
    assert!(cluster.keeper.children(znodes::CONFIG_TOPICS).is_empty());
    assert!(cluster.keeper.children(znodes::DELETE_TOPICS).is_empty());
    let told = &cluster.brokers[&1].told;
    assert!(told.metadata.is_empty() && told.replicas.is_empty());
    assert_eq!(codes(&create(&mut cluster, vec![topic("a", 1, 1, &[])])), [0]);
    assert_eq!(cluster.brokers[&1].shared.log_config("a").retention_ms, 604_800_000);
    assert_eq!(cluster.brokers[&1].told.metadata.len(), 1);
}

#[test]
fn deletion_may_be_disabled() {
    let mut cluster = Cluster::new(26);
    cluster.start(1, "delete.topic.enable=false");
    cluster.settle();
    create(&mut cluster, vec![topic("a", 1, 1, &[])]);
    assert_eq!(delete(&mut cluster, &["a"], &[]), [ErrorCode::TopicDeletionDisabled as i16]);
    cluster.keeper.write("/admin/delete_topics/a", "");
    cluster.settle();
    assert!(cluster.keeper.children(znodes::DELETE_TOPICS).is_empty(), "the wish of another tool is taken back");
    assert!(cluster.keeper.nodes.contains_key("/brokers/topics/a"));
}

#[test]
fn a_deletion_survives_its_controller_and_waits_for_every_replica() {
    let mut cluster = Cluster::new(27);
    for id in 1..=2 {
        cluster.start(id, "");
        cluster.settle();
    }
    write_topic(&mut cluster, "t", "{\"0\":[1,2]}");
    let dead = cluster.kill(2);
    cluster.expire(dead);
    cluster.settle();
    cluster.keeper.write("/admin/delete_topics/t", "");
    cluster.settle();
    assert!(cluster.keeper.nodes.contains_key("/brokers/topics/t"), "broker 2 has a replica still");
    cluster.expire_session_of(1);
    cluster.settle();
    cluster.start(2, "");
    cluster.settle();
    assert!(cluster.keeper.children(znodes::TOPICS).is_empty());
    assert!(cluster.brokers.values().all(|broker| broker.told.metadata.is_empty()));
}

fn extend(cluster: &mut Cluster, name: &str, count: i32) -> (i16, String) {
    let topics = vec![CreatePartitionsTopic { name: name.to_owned().into(), count, assignments: None }];
    let answer = cluster.request(1, 3, &CreatePartitionsRequest { topics, timeout_ms: 30_000, validate_only: false });
    cluster.settle();
    answer.read(ApiKey::CreatePartitions, 3, |body| {
        let response = CreatePartitionsResponse::from_bytes(body, 3).expect("a response");
        let result = &response.results[0];
        (result.error_code, result.error_message.as_deref().unwrap_or("").to_owned())
    })
}

#[test]
fn partitions_are_added_and_never_taken_away() {
    let mut cluster = Cluster::of_one(28);
    create(&mut cluster, vec![topic("t", 2, 1, &[])]);
    assert_eq!(extend(&mut cluster, "t", 5), (0, String::new()));
    assert_eq!(cluster.brokers[&1].told.metadata.len(), 5);
    assert_eq!(extend(&mut cluster, "t", 5), (37, "Topic already has 5 partitions.".to_owned()));
    assert_eq!(extend(&mut cluster, "t", 3).0, 37);
    assert_eq!(extend(&mut cluster, "none", 3).0, 3);
}

fn alter(cluster: &mut Cluster, kind: i8, name: &str, changes: &[(&str, i8, Option<&str>)]) -> (i16, String) {
    let change = |(name, operation, value): &(&str, i8, Option<&str>)| incremental::AlterableConfig {
        name: (*name).to_owned().into(),
        config_operation: *operation,
        value: value.map(|value| value.to_owned().into()),
    };
    let resource = incremental::AlterConfigsResource {
        resource_type: kind,
        resource_name: name.to_owned().into(),
        configs: changes.iter().map(change).collect(),
    };
    let request = incremental::IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    let answer = cluster.request(1, 1, &request);
    cluster.settle();
    answer.read(ApiKey::IncrementalAlterConfigs, 1, |body| {
        let response = IncrementalAlterConfigsResponse::from_bytes(body, 1).expect("a response");
        let result = &response.responses[0];
        (result.error_code, result.error_message.as_deref().unwrap_or("").to_owned())
    })
}

/// Value and source of a setting.
fn describe(cluster: &mut Cluster, kind: i8, name: &str, setting: &str) -> (Option<String>, i8) {
    let resource = DescribeConfigsResource {
        resource_type: kind,
        resource_name: name.to_owned().into(),
        configuration_keys: Some(vec![setting.to_owned().into()]),
    };
    let resources = vec![resource];
    let request = DescribeConfigsRequest { resources, include_synonyms: true, include_documentation: true };
    let answer = cluster.request(1, 4, &request);
    cluster.settle();
    answer.read(ApiKey::DescribeConfigs, 4, |body| {
        let response = DescribeConfigsResponse::from_bytes(body, 4).expect("a response");
        let config = &response.results[0].configs[0];
        (config.value.as_deref().map(str::to_owned), config.config_source)
    })
}

#[test]
fn a_topics_settings_change_for_all_brokers() {
    let mut cluster = Cluster::new(29);
    for id in 1..=2 {
        cluster.start(id, "");
        cluster.settle();
    }
    write_topic(&mut cluster, "t", "{\"0\":[1,2]}");
    let changes = [("retention.ms", 0, Some("7")), ("cleanup.policy", 2, Some("compact"))];
    assert_eq!(alter(&mut cluster, 2, "t", &changes), (0, String::new()));
    for id in 1..=2 {
        let config = cluster.brokers[&id].shared.log_config("t");
        assert_eq!((config.retention_ms, config.compact, config.delete), (7, true, true), "broker {id}");
        assert!(cluster.brokers[&id].told.config_changes.contains(&"t".to_owned()));
    }
    assert_eq!(describe(&mut cluster, 2, "t", "retention.ms"), (Some("7".to_owned()), 1));
    assert_eq!(alter(&mut cluster, 2, "t", &[("cleanup.policy", 3, Some("delete"))]).0, 0);
    assert_eq!(describe(&mut cluster, 2, "t", "cleanup.policy"), (Some("compact".to_owned()), 1));
    assert_eq!(alter(&mut cluster, 2, "t", &[("retention.ms", 1, None)]).0, 0);
    assert_eq!(describe(&mut cluster, 2, "t", "retention.ms"), (Some("604800000".to_owned()), 5));
    assert_eq!(alter(&mut cluster, 2, "t", &[("retention.ms", 2, Some("7"))]).0, ErrorCode::InvalidConfig as i16);
    assert_eq!(alter(&mut cluster, 2, "t", &[("no.such", 0, Some("7"))]).0, ErrorCode::InvalidConfig as i16);
    assert_eq!(alter(&mut cluster, 2, "none", &[("retention.ms", 0, Some("7"))]).0, 3);
    assert_eq!(
        cluster.keeper.text("/config/changes/config_change_0000000000"),
        "{\"version\":2,\"entity_path\":\"topics/t\"}"
    );
}

#[test]
fn a_full_alteration_replaces_all() {
    let mut cluster = Cluster::of_one(30);
    create(&mut cluster, vec![topic("t", 1, 1, &[("retention.ms", "1"), ("segment.bytes", "1000")])]);
    let configs = vec![full::AlterableConfig { name: "retention.ms".into(), value: Some("2".into()) }];
    let resource = full::AlterConfigsResource { resource_type: 2, resource_name: "t".into(), configs };
    let request = full::AlterConfigsRequest { resources: vec![resource], validate_only: false };
    let answer = cluster.request(1, 2, &request);
    cluster.settle();
    assert!(answer.is_there());
    assert_eq!(cluster.keeper.text("/config/topics/t"), "{\"version\":1,\"config\":{\"retention.ms\":\"2\"}}");
}

#[test]
fn brokers_have_dynamic_settings() {
    let mut cluster = Cluster::new(31);
    for id in 1..=2 {
        cluster.start(id, "");
        cluster.settle();
    }
    assert_eq!(alter(&mut cluster, 4, "", &[("log.cleaner.threads", 0, Some("3"))]).0, 0);
    assert!(cluster.brokers.values().all(|broker| broker.shared.broker().log_cleaner_threads == 3));
    assert_eq!(alter(&mut cluster, 4, "1", &[("log.cleaner.threads", 0, Some("5"))]).0, 0);
    assert_eq!(cluster.brokers[&1].shared.broker().log_cleaner_threads, 5);
    assert_eq!(cluster.brokers[&2].shared.broker().log_cleaner_threads, 3);
    assert_eq!(describe(&mut cluster, 4, "1", "log.cleaner.threads"), (Some("5".to_owned()), 2));
    assert_eq!(describe(&mut cluster, 4, "", "log.cleaner.threads"), (Some("3".to_owned()), 3));
    assert_eq!(describe(&mut cluster, 4, "1", "broker.id"), (Some("1".to_owned()), 4));
    for (name, changes) in [
        ("1", ("num.partitions", 0, Some("3"))),
        ("", ("listeners", 0, Some("PLAINTEXT://:1"))),
        ("1", ("ssl.key.password", 0, Some("x"))),
        ("1", ("log.cleaner.threads", 0, Some("many"))),
    ] {
        assert_eq!(alter(&mut cluster, 4, name, &[changes]).0, ErrorCode::InvalidConfig as i16, "{changes:?}");
    }
    assert_eq!(alter(&mut cluster, 4, "2", &[("log.cleaner.threads", 0, Some("1"))]).0, 42);
    // A broker that starts later has them, too.
    cluster.start(3, "");
    cluster.settle();
    assert_eq!(cluster.brokers[&3].shared.broker().log_cleaner_threads, 3);
}

#[test]
fn old_notifications_are_deleted() {
    let mut cluster = Cluster::of_one(32);
    create(&mut cluster, vec![topic("t", 1, 1, &[])]);
    alter(&mut cluster, 2, "t", &[("retention.ms", 0, Some("1"))]);
    cluster.tick(16 * 60 * 1_000);
    alter(&mut cluster, 2, "t", &[("retention.ms", 0, Some("2"))]);
    alter(&mut cluster, 2, "t", &[("retention.ms", 0, Some("3"))]);
    assert_eq!(
        cluster.keeper.children(znodes::CONFIG_CHANGES),
        ["config_change_0000000001", "config_change_0000000002"]
    );
}

fn producer_id(cluster: &mut Cluster, transactional_id: Option<&str>) -> (i16, i64) {
    let transactional_id = transactional_id.map(|id| id.to_owned().into());
    let request = InitProducerIdRequest { transactional_id, transaction_timeout_ms: 1, ..Default::default() };
    let answer = cluster.request(1, 5, &request);
    cluster.settle();
    answer.read(ApiKey::InitProducerId, 5, |body| {
        let response = InitProducerIdResponse::from_bytes(body, 5).expect("a response");
        (response.error_code, response.producer_id)
    })
}

#[test]
fn producer_ids_come_in_blocks() {
    let mut cluster = Cluster::of_one(33);
    assert_eq!(producer_id(&mut cluster, None), (0, 0));
    assert_eq!(producer_id(&mut cluster, None), (0, 1));
    assert_eq!(
        cluster.keeper.text(znodes::PRODUCER_ID_BLOCK),
        "{\"version\":1,\"broker\":1,\"block_start\":\"0\",\"block_end\":\"999\"}"
    );
    let _ = cluster.kill(1);
    cluster.start(1, "");
    cluster.settle();
    assert_eq!(producer_id(&mut cluster, None), (0, 1_000), "never twice");
    let answers: Vec<_> = (0..1_000)
        .map(|_| cluster.request(1, 0, &InitProducerIdRequest { transactional_id: None, ..Default::default() }))
        .collect();
    cluster.settle();
    assert!(answers.iter().all(super::cluster::Answer::is_there));
    assert_eq!(producer_id(&mut cluster, None), (0, 2_001));
    assert_eq!(producer_id(&mut cluster, Some("t")), (ErrorCode::UnsupportedVersion as i16, -1));
    cluster.keeper.write(znodes::PRODUCER_ID_BLOCK, "spoilt");
    cluster.expire_session_of(1);
    cluster.settle();
    assert_eq!(producer_id(&mut cluster, None), (0, 2_002));
}

#[test]
fn internal_topics_are_made_for_one_broker() {
    let mut cluster = Cluster::of_one(34);
    let outcome = std::sync::Arc::new(std::sync::Mutex::new(None));
    let kept = outcome.clone();
    let done = LocalDone(Box::new(move |result| *kept.lock().expect("a lock") = Some(result)));
    let names = vec!["__consumer_offsets".to_owned()];
    cluster.input(1, ControlInput::Local(LocalRequest::CreateTopics { names, done: Some(done) }));
    cluster.settle();
    assert_eq!(*outcome.lock().expect("a lock"), Some(Ok(())));
    assert_eq!(cluster.brokers[&1].told.metadata.len(), 50);
    assert!(cluster.brokers[&1].shared.log_config("__consumer_offsets").compact);
}

#[test]
fn those_who_are_not_the_controller_say_so() {
    let mut cluster = Cluster::new(35);
    for id in 1..=2 {
        cluster.start(id, "");
        cluster.settle();
    }
    let topics = vec![topic("t", 1, 1, &[])];
    let answer = cluster.request(2, 7, &CreateTopicsRequest { topics, timeout_ms: 1, validate_only: false });
    answer.read(ApiKey::CreateTopics, 7, |body| {
        let response = CreateTopicsResponse::from_bytes(body, 7).expect("a response");
        assert_eq!(response.topics[0].error_code, ErrorCode::NotController as i16);
    });
}

#[test]
fn what_has_settings_is_listed() {
    let mut cluster = Cluster::of_one(36);
    create(&mut cluster, vec![topic("t", 1, 1, &[])]);
    let answer = cluster.request(1, 1, &ListConfigResourcesRequest { resource_types: Vec::new() });
    cluster.settle();
    answer.read(ApiKey::ListConfigResources, 1, |body| {
        let response = ListConfigResourcesResponse::from_bytes(body, 1).expect("a response");
        let all: Vec<_> =
            response.config_resources.iter().map(|r| (r.resource_type, r.resource_name.to_string())).collect();
        assert_eq!(all, [(2, "t".to_owned()), (4, "1".to_owned()), (8, "1".to_owned())]);
    });
}

#[test]
fn bodies_that_cannot_be_read_close_the_connection() {
    use crate::control::ControlRequest;
    use crate::reply::{Reply, ReplySink, Responder};
    struct Expect;
    impl ReplySink for Expect {
        fn reply(self: Box<Self>, reply: Reply) {
            assert!(matches!(reply, Reply::Close(_)));
        }
    }
    let mut cluster = Cluster::of_one(37);
    for api_key in [ApiKey::CreateTopics, ApiKey::DescribeConfigs, ApiKey::InitProducerId, ApiKey::Produce] {
        let responder = Responder { sink: Box::new(Expect), api_key, api_version: 2, correlation_id: 1 };
        let (principal, listener) = ("User:ANONYMOUS".into(), "PLAINTEXT".into());
        let request = ControlRequest {
            api_key,
            api_version: 2,
            body: vec![0xff; 9],
            client_id: String::new(),
            principal,
            listener,
        };
        cluster.input(1, ControlInput::Request { request, responder });
    }
}

/// Sends a request in a version; the answer must be one, and no closed connection.
fn answers<'a, M: ottla_protocol::Request<'a>>(cluster: &mut Cluster, version: i16, request: &M) {
    let answer = cluster.request(1, version, request);
    cluster.settle();
    answer.read(M::KEY, version, |body| assert!(!body.is_empty() || version == 0, "{:?} {version}", M::KEY));
}

#[test]
fn every_version_is_answered() {
    let mut cluster = Cluster::of_one(38);
    for version in 0..=7 {
        let topics = vec![topic(&format!("t{version}"), 1, 1, &[("retention.ms", "1")]), topic("bad/name", 1, 1, &[])];
        answers(&mut cluster, version, &CreateTopicsRequest { topics, timeout_ms: 9_000, validate_only: false });
    }
    for version in 0..=3 {
        let topic = |name: &str| CreatePartitionsTopic { name: name.to_owned().into(), count: 2, assignments: None };
        let topics = vec![topic(&format!("t{version}")), topic("none")];
        answers(&mut cluster, version, &CreatePartitionsRequest { topics, timeout_ms: 9_000, validate_only: false });
    }
    for version in 0..=4 {
        let resource = |kind: i8, name: &str| DescribeConfigsResource {
            resource_type: kind,
            resource_name: name.to_owned().into(),
            configuration_keys: None,
        };
        let resources =
            vec![resource(2, "t0"), resource(2, "none"), resource(4, "1"), resource(4, ""), resource(32, "g")];
        let (include_synonyms, include_documentation) = (version >= 1, version >= 3);
        answers(&mut cluster, version, &DescribeConfigsRequest { resources, include_synonyms, include_documentation });
    }
    for version in 0..=2 {
        let configs = vec![full::AlterableConfig { name: "retention.ms".into(), value: Some("2".into()) }];
        let resource = full::AlterConfigsResource { resource_type: 2, resource_name: "t0".into(), configs };
        let other = full::AlterConfigsResource { resource_type: 7, ..resource.clone() };
        answers(
            &mut cluster,
            version,
            &full::AlterConfigsRequest { resources: vec![resource, other], validate_only: false },
        );
    }
    for version in 0..=1 {
        let resource =
            incremental::AlterConfigsResource { resource_type: 2, resource_name: "t0".into(), configs: Vec::new() };
        let resources = vec![resource];
        answers(&mut cluster, version, &incremental::IncrementalAlterConfigsRequest { resources, validate_only: true });
        answers(&mut cluster, version, &ListConfigResourcesRequest { resource_types: Vec::new() });
    }
    for version in 0..=5 {
        answers(&mut cluster, version, &InitProducerIdRequest { transactional_id: None, ..Default::default() });
        answers(
            &mut cluster,
            version,
            &InitProducerIdRequest { transactional_id: Some("t".into()), ..Default::default() },
        );
    }
    for version in 0..=6 {
        let (topic_names, topics) = if version < 6 {
            (vec![format!("t{version}").into(), "none".into()], Vec::new())
        } else {
            (Vec::new(), vec![DeleteTopicState { name: Some("t6".into()), topic_id: Uuid::ZERO }])
        };
        answers(&mut cluster, version, &DeleteTopicsRequest { topics, topic_names, timeout_ms: 9_000 });
    }
}

/// The error of the whole request, and that of each partition that the answer tells of.
fn elect(
    cluster: &mut Cluster,
    (broker, version, election_type): (i32, i16, i8),
    partitions: Option<&[(&str, &[i32])]>,
) -> (i16, Vec<(String, i32, i16)>) {
    let named = |(topic, indexes): &(&str, &[i32])| TopicPartitions {
        topic: (*topic).to_owned().into(),
        partitions: indexes.to_vec(),
    };
    let topic_partitions = partitions.map(|topics| topics.iter().map(named).collect());
    let request = ElectLeadersRequest { election_type, topic_partitions, timeout_ms: 5_000 };
    let answer = cluster.request(broker, version, &request);
    cluster.settle();
    answer.read(ApiKey::ElectLeaders, version, |body| {
        let response = ElectLeadersResponse::from_bytes(body, version).expect("a response");
        let of_topic = |t: &ottla_protocol::messages::elect_leaders_response::ReplicaElectionResult<'_>| {
            t.partition_result.iter().map(|p| (t.topic.to_string(), p.partition_id, p.error_code)).collect::<Vec<_>>()
        };
        (response.error_code, response.replica_election_results.iter().flat_map(of_topic).collect())
    })
}

fn told(topic: &str, partition: i32, code: ErrorCode) -> (String, i32, i16) {
    (topic.to_owned(), partition, code as i16)
}

#[test]
fn elections_of_too_many_or_of_long_names_take_little() {
    let mut cluster = Cluster::of_one(41);
    let long = "n".repeat(300);
    let many: Vec<i32> = (0..100_001).collect();
    // Neither the names nor what is said of them are repeated for each partition, which would be gigabytes.
    let refused = ErrorCode::InvalidRequest as i16;
    assert_eq!(elect(&mut cluster, (1, 2, 0), Some(&[(&long, &many)])), (refused, Vec::new()));
    let (code, each) = elect(&mut cluster, (1, 2, 0), Some(&[(&long, &many[1..])]));
    assert_eq!((code, each.len()), (0, 100_000));
    assert!(each.iter().all(|(_, _, code)| *code == ErrorCode::UnknownTopicOrPartition as i16));
}

#[test]
fn one_broker_needs_no_election() {
    let mut cluster = Cluster::of_one(40);
    create(&mut cluster, vec![topic("t", 2, 1, &[])]);
    let asked: &[(&str, &[i32])] = &[("t", &[0, 9]), ("nope", &[0])];
    for (version, election_type) in [(0, 0), (1, 0), (2, 0), (1, 1), (2, 1)] {
        let expected = vec![
            told("t", 0, ErrorCode::ElectionNotNeeded),
            told("t", 9, ErrorCode::UnknownTopicOrPartition),
            told("nope", 0, ErrorCode::UnknownTopicOrPartition),
        ];
        assert_eq!(elect(&mut cluster, (1, version, election_type), Some(asked)), (0, expected));
        assert_eq!(elect(&mut cluster, (1, version, election_type), None), (0, vec![]), "nothing to tell of");
        assert_eq!(elect(&mut cluster, (1, version, election_type), Some(&[])), (0, vec![]));
    }
    let code = ErrorCode::InvalidRequest;
    assert_eq!(elect(&mut cluster, (1, 1, 5), Some(&[("t", &[0])])), (code as i16, vec![told("t", 0, code)]));
}

#[test]
fn the_preferred_replica_leads_again() {
    let mut cluster = Cluster::new(41);
    for id in 1..=3 {
        cluster.start(id, "");
        cluster.settle();
    }
    write_topic(&mut cluster, "t", "{\"0\":[2,3,1],\"1\":[3]}");
    let session = cluster.kill(2);
    cluster.expire(session);
    cluster.settle();
    assert_eq!(
        elect(&mut cluster, (1, 2, 0), None),
        (0, vec![told("t", 0, ErrorCode::PreferredLeaderNotAvailable)]),
        "the other one is led as it should be"
    );
    cluster.start(2, "");
    cluster.settle();
    let not_controller = ErrorCode::NotController;
    let asked: &[(&str, &[i32])] = &[("t", &[0])];
    assert_eq!(
        elect(&mut cluster, (3, 2, 0), Some(asked)),
        (not_controller as i16, vec![told("t", 0, not_controller)])
    );
    assert_eq!(elect(&mut cluster, (3, 0, 0), Some(asked)), (0, vec![told("t", 0, not_controller)]));
    // It is back, and a follower would have brought it into the ISR by now.
    let state = znodes::partition_state(&partition("t", 0));
    let text = cluster.keeper.text(&state).replace("\"isr\":[3,1]", "\"isr\":[3,1,2]");
    cluster.keeper.write(&state, &text);
    let session = cluster.kill(1);
    cluster.expire(session);
    cluster.settle();
    let controller = cluster.controller();
    assert_eq!(elect(&mut cluster, (controller, 1, 0), Some(asked)), (0, vec![told("t", 0, ErrorCode::None)]));
    assert_eq!(cluster.brokers[&3].told.metadata[&partition("t", 0)].0, 2);
    let again = (0, vec![told("t", 0, ErrorCode::ElectionNotNeeded)]);
    assert_eq!(elect(&mut cluster, (controller, 1, 0), Some(asked)), again);
}

#[test]
fn an_unclean_election_is_made_where_nobody_in_sync_is_left() {
    let mut cluster = Cluster::new(42);
    for id in 1..=2 {
        cluster.start(id, "");
        cluster.settle();
    }
    write_topic(&mut cluster, "t", "{\"0\":[2,1],\"1\":[2]}");
    let state = znodes::partition_state(&partition("t", 0));
    let text = cluster.keeper.text(&state).replace("\"isr\":[2,1]", "\"isr\":[2]");
    cluster.keeper.write(&state, &text);
    cluster.expire_session_of(1);
    cluster.settle();
    let session = cluster.kill(2);
    cluster.expire(session);
    cluster.settle();
    assert_eq!(cluster.controller(), 1);
    assert_eq!(cluster.brokers[&1].told.metadata[&partition("t", 0)].0, -1, "out of sync, so it does not lead");
    let asked: &[(&str, &[i32])] = &[("t", &[0, 1])];
    let elected = vec![told("t", 0, ErrorCode::None), told("t", 1, ErrorCode::EligibleLeadersNotAvailable)];
    assert_eq!(elect(&mut cluster, (1, 1, 1), Some(asked)), (0, elected));
    assert_eq!(cluster.brokers[&1].told.metadata[&partition("t", 0)].0, 1);
}

#[test]
fn reassignments_under_way_are_listed() {
    let mut cluster = Cluster::of_one(43);
    create(&mut cluster, vec![topic("still", 2, 1, &[])]);
    let moving = "{\"version\":2,\"partitions\":{\"0\":[1],\"1\":[2,1]},\"adding_replicas\":{\"1\":[2]},\"removing_replicas\":{\"1\":[1]}}";
    cluster.keeper.write(&znodes::topic("moving"), moving);
    cluster.settle();
    let mut list = |topics: Option<&[(&'static str, &[i32])]>| {
        let named = |(name, indexes): &(&'static str, &[i32])| ListPartitionReassignmentsTopics {
            name: (*name).into(),
            partition_indexes: indexes.to_vec(),
        };
        let topics = topics.map(|topics| topics.iter().map(named).collect());
        let answer = cluster.request(1, 0, &ListPartitionReassignmentsRequest { timeout_ms: 1_000, topics });
        cluster.settle();
        answer.read(ApiKey::ListPartitionReassignments, 0, |body| {
            let response = ListPartitionReassignmentsResponse::from_bytes(body, 0).expect("a response");
            assert_eq!(response.error_message, None);
            let told =
                response.topics.iter().flat_map(|t| t.partitions.iter().map(|p| (t.name.to_string(), p.clone())));
            let told = told.map(|(t, p)| (t, p.partition_index, p.replicas, p.adding_replicas, p.removing_replicas));
            (response.error_code, told.collect::<Vec<_>>())
        })
    };
    let one = (0, vec![("moving".to_owned(), 1, vec![2, 1], vec![2], vec![1])]);
    assert_eq!(list(None), one);
    assert_eq!(list(Some(&[("moving", &[0, 1, 7]), ("still", &[0]), ("nope", &[0])])), one);
    assert_eq!(list(Some(&[("moving", &[0])])), (0, vec![]));
    assert_eq!(list(Some(&[])), (0, vec![]));
}
