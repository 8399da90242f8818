//! The Kafka client against scripted brokers, and against a real one when `OTTLA_TEST_KAFKA=host:port` names it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_base::ids::TopicPartition;
use ottla_client::admin::{
    CommittedOffset, ConfigChange, ConfigOperation, ConfigResource, NewTopic, OffsetSpec, ResourceKind,
};
use ottla_client::connection::{Connection, ConnectionConfig};
use ottla_client::consumer::Consumer;
use ottla_client::keeper_client::{ConnectString, KeeperClient, KeeperClientConfig};
use ottla_client::producer::{Producer, ProducerRecord};
use ottla_client::zk_admin::{ZkAdmin, ZkAdminError};
use ottla_client::{Admin, ClientConfig, ClientError, ConsumerConfig, ProducerConfig, Properties};
use ottla_protocol::messages::api_versions_response::ApiVersion;
use ottla_protocol::messages::{ApiVersionsResponse, MetadataRequest, MetadataResponse};
use ottla_protocol::{ApiKey, ErrorCode, RequestHead, response_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PATIENCE: Duration = Duration::from_secs(20);

fn connection_config() -> ConnectionConfig {
    ConnectionConfig { client_id: "test".into(), connect_timeout: PATIENCE, request_timeout: Duration::from_secs(1) }
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound").to_string();
    (listener, address)
}

async fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; stream.read_i32().await.expect("a length") as usize];
    stream.read_exact(&mut bytes).await.expect("a frame");
    bytes
}

/// Answers ApiVersions as a broker that knows version `max` of it, and Metadata up to 5.
async fn answer_api_versions(stream: &mut TcpStream, max: i16, tells: bool) {
    loop {
        let bytes = read_frame(stream).await;
        let (version, id) =
            (i16::from_be_bytes([bytes[2], bytes[3]]), i32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]));
        let versions = vec![
            ApiVersion { api_key: ApiKey::ApiVersions.code(), min_version: 0, max_version: max },
            ApiVersion { api_key: ApiKey::Metadata.code(), min_version: 0, max_version: 5 },
        ];
        let refused = version > max;
        let answer = ApiVersionsResponse {
            error_code: if refused { ErrorCode::UnsupportedVersion.code() } else { 0 },
            api_keys: if refused && !tells { Vec::new() } else { versions },
            ..Default::default()
        };
        let frame = response_frame(id, &answer, if refused { 0 } else { version }).expect("encodes");
        stream.write_all(&frame.into_bytes().expect("bytes")).await.expect("writes");
        if !refused {
            return;
        }
    }
}

#[tokio::test]
async fn old_brokers_are_met_at_their_version() {
    for (max, tells) in [(0, false), (2, true), (3, true), (4, true)] {
        let (listener, address) = listener().await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            answer_api_versions(&mut stream, max, tells).await;
            let bytes = read_frame(&mut stream).await;
            let head = RequestHead::decode(&bytes).expect("a request");
            assert_eq!((head.api_key, head.version), (ApiKey::Metadata, 5));
            let frame = response_frame(head.correlation_id, &MetadataResponse::default(), 5).expect("encodes");
            stream.write_all(&frame.into_bytes().expect("bytes")).await.expect("writes");
        });
        let connection = Connection::connect(&address, &connection_config()).await.expect("agrees");
        connection
            .call(&MetadataRequest::default())
            .await
            .expect("answers")
            .decode::<MetadataResponse<'_>>()
            .expect("reads");
        let missing = connection.call(&ottla_protocol::messages::ListGroupsRequest::default()).await;
        assert!(matches!(missing, Err(ClientError::Unsupported { .. })), "{missing:?}");
        server.await.expect("no panic");
    }
}

#[tokio::test]
async fn garbage_and_silence_end_a_connection() {
    let answers: [&[u8]; 5] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        &[0xff, 0xff, 0xff, 0xff],
        &[0, 0, 0, 2, 0, 0],
        &[0, 0, 0, 8, 0, 0, 0, 99, 0, 0, 0, 0],
        &[],
    ];
    for answer in answers {
        let (listener, address) = listener().await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            answer_api_versions(&mut stream, 4, true).await;
            read_frame(&mut stream).await;
            stream.write_all(answer).await.expect("writes");
            // Until the client gives up.
            let mut rest = Vec::new();
            tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("closed").ok();
        });
        let connection = Connection::connect(&address, &connection_config()).await.expect("agrees");
        let result = connection.call(&MetadataRequest::default()).await;
        assert!(result.is_err(), "{answer:?}");
        assert!(!connection.is_open());
        let again = connection.call(&MetadataRequest::default()).await;
        assert!(matches!(again, Err(ClientError::Disconnected { .. })), "{again:?}");
        server.await.expect("no panic");
    }
}

#[tokio::test]
async fn nobody_there_is_said_in_one_line() {
    let (listener, address) = listener().await;
    drop(listener);
    let error = Admin::connect(ClientConfig::new(&address).expect("an address")).await.expect_err("nobody");
    let expected = format!("no broker of {address} answered: connection refused; is the server running?");
    assert_eq!(error.to_string(), expected);
}

fn properties(server: &str, pairs: &[(&str, &str)]) -> Properties {
    let mut properties: Properties = pairs.iter().copied().collect();
    properties.set("bootstrap.servers", server);
    properties
}

async fn read_all(consumer: &mut Consumer, count: usize) -> Vec<(i32, i64, String)> {
    let mut seen = Vec::new();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while seen.len() < count && tokio::time::Instant::now() < deadline {
        for fetched in consumer.poll(Duration::from_millis(500)).await.expect("polls") {
            let read = fetched.for_each(|_, record| {
                let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
                seen.push((fetched.partition.partition, record.offset, value));
                true
            });
            read.expect("reads");
        }
    }
    assert_eq!(seen.len(), count);
    seen.sort();
    seen
}

/// Administration, producing and consuming against a real broker.
#[tokio::test]
async fn real_broker() {
    let Ok(server) = std::env::var("OTTLA_TEST_KAFKA") else { return };
    let admin = Admin::connect(ClientConfig::new(&server).expect("an address")).await.expect("connects");
    let name = format!("ottla-test-{}", std::process::id());
    println!("{:?}", admin.describe_cluster().await.expect("describes"));
    assert!(admin.api_versions().await.expect("asks").iter().all(|(_, versions)| versions.is_ok()));
    let new = NewTopic {
        name: name.clone(),
        partitions: Some(2),
        configs: vec![("retention.ms".into(), "3600000".into())],
        ..Default::default()
    };
    let created = admin.create_topics(std::slice::from_ref(&new), false).await.expect("asks");
    println!("{created:?}");
    assert!(created[0].1.is_ok());
    let again = admin.create_topics(&[new], false).await.expect("asks");
    assert_eq!(again[0].1.as_ref().expect_err("there").code(), Some(ErrorCode::TopicAlreadyExists));
    admin.create_partitions(&name, 3, &[], false).await.expect("grows");
    let resource = ConfigResource { kind: ResourceKind::Topic, name: name.clone() };
    let change = ConfigChange {
        name: "max.message.bytes".into(),
        operation: ConfigOperation::Set,
        value: Some("2000000".into()),
    };
    admin.alter_configs(&resource, &[change], false).await.expect("changes");
    // The controller answers before the brokers know.
    let wanted = (Some("3600000".to_owned()), Some("2000000".to_owned()));
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let configs = admin.describe_configs(&resource, None, true, false).await.expect("describes");
        let value = |name: &str| configs.iter().find(|entry| entry.name == name).and_then(|entry| entry.value.clone());
        let found = (value("retention.ms"), value("max.message.bytes"));
        if found == wanted {
            break;
        }
        assert!(Instant::now() < end, "{found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let settings = properties(&server, &[("compression.type", compression)]);
        let producer =
            Producer::start(ProducerConfig::from_properties(&settings).expect("fine"), None).await.expect("starts");
        let topic = producer.topic(&name).await.expect("found");
        assert_eq!(topic.partitions(), 3);
        let mut deliveries = Vec::new();
        for i in 0..100 {
            let value = format!("{compression}-{i}");
            let record = ProducerRecord { partition: Some(i % 3), value: Some(value.as_bytes()), ..Default::default() };
            deliveries.push(topic.send(&record).await.expect("taken"));
        }
        for delivery in deliveries {
            assert!(delivery.acknowledged().await.expect("acknowledged").offset >= 0);
        }
        drop(topic);
        producer.close(PATIENCE).await.expect("closes");
    }
    let partitions: Vec<TopicPartition> = (0..3).map(|p| TopicPartition::new(name.as_str(), p)).collect();
    let spec = |spec| partitions.iter().map(|p| (p.clone(), spec)).collect::<BTreeMap<_, _>>();
    let latest = admin.list_offsets(&spec(OffsetSpec::Latest), false).await.expect("asks");
    let total: i64 = latest.values().map(|listed| listed.as_ref().expect("listed").offset.expect("some")).sum();
    assert_eq!(total, 500);
    println!("{:?}", admin.list_offsets(&spec(OffsetSpec::MaxTimestamp), false).await.expect("asks"));

    let settings = properties(&server, &[("auto.offset.reset", "earliest")]);
    let mut plain = Consumer::start(ConsumerConfig::from_properties(&settings).expect("fine")).await.expect("starts");
    plain.assign(partitions.clone());
    let all = read_all(&mut plain, 500).await;
    assert!(plain.seek(&partitions[0], 100));
    let few =
        read_all(&mut plain, latest[&partitions[0]].as_ref().expect("listed").offset.expect("some") as usize - 100)
            .await;
    assert!(few.iter().all(|(partition, offset, _)| *partition == 0 && *offset >= 100));

    let group = format!("{name}-group");
    for assignor in ["range", "cooperative-sticky"] {
        let settings = properties(
            &server,
            &[
                ("auto.offset.reset", "earliest"),
                ("group.id", &group),
                ("partition.assignment.strategy", assignor),
                ("heartbeat.interval.ms", "100"),
            ],
        );
        let config = || ConsumerConfig::from_properties(&settings).expect("fine");
        let mut first = Consumer::start(config()).await.expect("starts");
        first.subscribe(&[&name]).expect("a group");
        assert_eq!(read_all(&mut first, 500).await, all);
        let mut second = Consumer::start(config()).await.expect("starts");
        second.subscribe(&[&name]).expect("a group");
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            let (a, b) = tokio::join!(first.poll(Duration::from_millis(200)), second.poll(Duration::from_millis(200)));
            a.expect("polls");
            b.expect("polls");
            if first.assignment().count() + second.assignment().count() == 3 && second.assignment().count() > 0 {
                break;
            }
        }
        let (mine, theirs) = (first.assignment().count(), second.assignment().count());
        assert!(mine + theirs == 3 && theirs >= 1, "{assignor}: {mine} {theirs}");
        let described = admin.describe_group(&group).await.expect("describes");
        assert_eq!(
            (described.state.as_str(), described.members.len(), described.assignor.as_str()),
            ("Stable", 2, assignor)
        );
        first.close().await.expect("closes");
        second.close().await.expect("closes");
        let committed = admin.committed_offsets(&group, None).await.expect("asks");
        let total: i64 = committed.values().map(|committed| committed.as_ref().expect("fine").offset).sum();
        assert_eq!(total, 500, "{assignor}");
        let zero = CommittedOffset { offset: 0, leader_epoch: -1, metadata: String::new() };
        let zeros = partitions.iter().map(|p| (p.clone(), zero.clone())).collect();
        admin.commit_offsets(&group, &zeros).await.expect("resets");
    }
    assert!(admin.list_groups(&[], &[]).await.expect("lists").iter().any(|listed| listed.group_id == group));
    let deleted = admin.delete_offsets(&group, &partitions[..1]).await.expect("asks");
    assert!(deleted[0].1.is_ok());
    admin.delete_group(&group).await.expect("deletes");
    assert_eq!(admin.describe_group(&group).await.expect("describes").state, "Dead");

    let before = BTreeMap::from([(partitions[1].clone(), 10)]);
    let left = admin.delete_records(&before).await.expect("asks");
    assert_eq!(left[&partitions[1]].as_ref().expect("deleted"), &10);
    let brokers = admin.cluster().brokers();
    let dirs = admin.describe_log_dirs(brokers[0].id, Some(&[(name.clone(), vec![0, 1, 2])])).await.expect("describes");
    assert_eq!(dirs.iter().map(|dir| dir.replicas.len()).sum::<usize>(), 3);
    assert!(admin.delete_topics(std::slice::from_ref(&name)).await.expect("asks")[0].1.is_ok());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let gone = admin.describe_topics(&[Arc::from(name.as_str())]).await.expect("asks");
    assert_eq!(gone.topics[name.as_str()].error, ErrorCode::UnknownTopicOrPartition);
}

/// Topics by way of the keeper, against a real ZooKeeper-mode broker: `OTTLA_TEST_ZOOKEEPER_MODE=broker,keeper/chroot`.
#[tokio::test]
async fn real_broker_by_its_keeper() {
    let Ok(servers) = std::env::var("OTTLA_TEST_ZOOKEEPER_MODE") else { return };
    let (broker, keeper) = servers.split_once(',').expect("broker,keeper");
    let config = KeeperClientConfig::new(ConnectString::parse(keeper).expect("an address"), PATIENCE, 1);
    let keeper = KeeperClient::spawn(config, |_| {});
    keeper.wait_connected(PATIENCE).await.expect("connects");
    let zk = ZkAdmin::new(keeper.clone());
    println!("{:?}", zk.brokers().await.expect("lists"));
    let name = format!("ottla-zk-{}", std::process::id());
    let configs = BTreeMap::from([("retention.ms".to_owned(), "3600000".to_owned())]);
    zk.create_topic(&name, 1, 1, &configs, 7).await.expect("creates");
    assert!(matches!(zk.create_topic(&name, 1, 1, &configs, 7).await, Err(ZkAdminError::TopicExists(_))));
    zk.add_partitions(&name, 2, 7).await.expect("grows");
    let led = async {
        loop {
            let topic = zk.describe_topic(&name).await.expect("describes");
            if topic.partitions.len() == 2 && topic.partitions.iter().all(|partition| partition.leader.is_some()) {
                return topic;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let topic = tokio::time::timeout(PATIENCE, led).await.expect("leaders");
    assert_eq!((topic.configs, topic.partitions[1].isr.clone()), (configs, topic.partitions[1].replicas.clone()));
    let change = BTreeMap::from([("max.message.bytes".to_owned(), "12345".to_owned())]);
    zk.alter_topic_configs(&name, &change, &["retention.ms".to_owned()]).await.expect("changes");
    let admin = Admin::connect(ClientConfig::new(broker).expect("an address")).await.expect("connects");
    let resource = ConfigResource { kind: ResourceKind::Topic, name: name.clone() };
    let seen = async {
        loop {
            // The broker may not have heard of the topic itself yet.
            let configs = admin.describe_configs(&resource, None, false, false).await.unwrap_or_default();
            if configs.iter().any(|entry| entry.value.as_deref() == Some("12345")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("the broker hears of it");
    let metadata = admin.describe_topics(&[Arc::from(name.as_str())]).await.expect("describes");
    assert_eq!(Some(metadata.topics[name.as_str()].id), topic.id);
    zk.delete_topic(&name).await.expect("asks");
    let gone = async {
        while zk.topics().await.expect("lists").contains(&name) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("deleted");
    keeper.close(PATIENCE).await;
}
