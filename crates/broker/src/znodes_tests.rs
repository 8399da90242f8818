use super::*;

/// What a real 3.9.2 cluster wrote: `reference/kafka-zk-znodes-sample.tsv`.
const SAMPLE: &str = include_str!("../../../reference/kafka-zk-znodes-sample.tsv");

fn sample(path: &str) -> &'static [u8] {
    let line = SAMPLE.lines().find(|line| line.split('\t').next() == Some(path)).expect("a path of the sample");
    line.split('\t').nth(3).expect("data").as_bytes()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[test]
fn a_broker_is_written_as_kafka_does() {
    let bytes = sample("/brokers/ids/1");
    let broker = BrokerRegistration::decode(bytes).expect("a broker");
    assert_eq!(broker.endpoints[0].to_string(), "PLAINTEXT://127.0.0.1:22092");
    assert_eq!(text(&broker.encode()), text(bytes));
}

#[test]
fn every_topic_and_state_of_the_sample_is_written_as_kafka_does() {
    let mut seen = 0;
    for line in SAMPLE.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let (path, bytes) = (fields[0], fields[3].as_bytes());
        if path.ends_with("/state") {
            assert_eq!(text(&PartitionState::decode(bytes).expect("a state").encode()), fields[3]);
            seen += 1;
        } else if path.starts_with("/brokers/topics/") && !path.contains("/partitions") {
            assert_eq!(text(&TopicAssignment::decode(bytes).expect("a topic").encode()), fields[3]);
            seen += 1;
        }
    }
    assert_eq!(seen, 6);
}

#[test]
fn the_small_ones_are_written_as_kafka_does() {
    assert_eq!(text(&encode_controller(1, 1_795_319_652_945)), text(sample(CONTROLLER)));
    assert_eq!(decode_controller(sample(CONTROLLER)), Ok(1));
    assert_eq!(decode_controller_epoch(sample(CONTROLLER_EPOCH)), Ok(1));
    assert_eq!(text(&encode_cluster_id("3Iru2JS2RmCM0cj7ptU48Q")), text(sample(CLUSTER_ID)));
    assert_eq!(decode_cluster_id(sample(CLUSTER_ID)).as_deref(), Ok("3Iru2JS2RmCM0cj7ptU48Q"));
    let block = ProducerIdBlock::decode(sample(PRODUCER_ID_BLOCK)).expect("a block");
    assert_eq!((block.first, block.last), (0, 999));
    assert_eq!(text(&block.encode()), text(sample(PRODUCER_ID_BLOCK)));
    assert_eq!(text(&encode_feature()), text(sample(FEATURE)));
    let change = sample("/config/changes/config_change_0000000006");
    assert_eq!(decode_config_change(change).as_deref(), Ok("topics/t1"));
    assert_eq!(text(&encode_config_change("topics/t1")), text(change));
    let config = sample("/config/topics/t1");
    assert_eq!(text(&encode_config(&decode_config(config).expect("settings"))), text(config));
}

#[test]
fn every_root_of_the_sample_is_made() {
    for root in PERSISTENT_ROOTS {
        assert!(SAMPLE.lines().any(|line| line.split('\t').next() == Some(root)), "{root}");
        let parent = &root[..root.rfind('/').expect("a slash")];
        let earlier = PERSISTENT_ROOTS.iter().take_while(|other| other != &root);
        assert!(parent.is_empty() || earlier.into_iter().any(|other| *other == parent), "{root} before its parent");
    }
}

#[test]
fn older_versions_are_read() {
    let broker = BrokerRegistration::decode(br#"{"version":1,"host":"h","port":9092,"jmx_port":-1,"timestamp":"5"}"#);
    assert_eq!(broker.expect("version 1").endpoints[0].to_string(), "PLAINTEXT://h:9092");
    let broker = BrokerRegistration::decode(
        br#"{"version":3,"host":"h","port":9092,"jmx_port":9,"timestamp":"5","endpoints":["SSL://h:9093"],"rack":"r"}"#,
    )
    .expect("version 3");
    assert_eq!((broker.endpoints[0].security_protocol.as_str(), broker.rack.as_deref()), ("SSL", Some("r")));
    let topic = TopicAssignment::decode(br#"{"version":1,"partitions":{"1":[2,3],"0":[1,2]}}"#).expect("version 1");
    assert_eq!((topic.id, topic.partitions[&1].replicas.clone()), (None, vec![2, 3]));
    assert_eq!(decode_controller(br#"{"version":1,"brokerid":3,"timestamp":"1"}"#), Ok(3));
    let change = br#"{"version":1,"entity_type":"topics","entity_name":"t"}"#;
    assert_eq!(decode_config_change(change).as_deref(), Ok("topics/t"));
}

#[test]
fn what_other_tools_wrote_is_an_error_and_no_panic() {
    for bytes in [
        &b""[..],
        b"null",
        b"[]",
        b"{",
        b"\xff",
        b"{}",
        br#"{"leader":"1"}"#,
        br#"{"version":1,"partitions":{"x":[1]}}"#,
        br#"{"version":1,"partitions":{"0":["1"]}}"#,
        br#"{"version":1,"partitions":[],"topic_id":"short"}"#,
        br#"{"endpoints":["nonsense"]}"#,
        br#"{"host":"h","port":70000}"#,
        br#"{"leader":99999999999,"leader_epoch":0,"isr":[],"controller_epoch":0}"#,
    ] {
        let shown = String::from_utf8_lossy(bytes);
        assert!(BrokerRegistration::decode(bytes).is_err(), "{shown}");
        assert!(PartitionState::decode(bytes).is_err(), "{shown}");
        assert!(decode_controller(bytes).is_err(), "{shown}");
        assert!(decode_config_change(bytes).is_err(), "{shown}");
        assert!(ProducerIdBlock::decode(bytes).is_err(), "{shown}");
        assert!(shown.contains("\"partitions\":[]") || decode_partition_list(bytes).is_err(), "{shown}");
        if bytes != b"{}" && !shown.contains("leader") && !shown.contains("host") && !shown.contains("endpoints") {
            assert!(TopicAssignment::decode(bytes).is_err(), "{shown}");
        }
    }
    let deep = "[".repeat(100_000);
    assert!(TopicAssignment::decode(deep.as_bytes()).is_err());
}

#[test]
fn names_are_escaped() {
    let config = ConfigMap::from([("a\"b".to_owned(), "c\\d\n".to_owned())]);
    assert_eq!(decode_config(&encode_config(&config)), Ok(config));
}
