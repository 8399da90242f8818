use super::*;

fn config(text: &str) -> Result<BrokerConfig, InvalidValue> {
    let file = super::super::properties::parse_properties(text).expect("properties");
    BrokerConfig::from_map(file.into_iter().map(|p| (p.key, p.value)).collect())
}

#[test]
fn nothing_said_is_a_broker_on_9092_with_its_own_keeper() {
    let config = BrokerConfig::default();
    assert_eq!(config.listeners[0].to_string(), "PLAINTEXT://:9092");
    assert_eq!(config.log_dirs, ["/tmp/kafka-logs"]);
    assert_eq!((config.broker_id, config.zookeeper_connect), (None, None));
    assert_eq!(config.keeper["clientPort"], "2181");
    assert_eq!((config.num_partitions, config.offsets_topic_num_partitions), (1, 50));
}

#[test]
fn settings_of_old_tutorials_count() {
    let config =
        config("broker.id=1\nport=9091\nhost.name=h\nlog.dir=./logs\nzookeeper.connect=a:2181,b:2182").expect("valid");
    assert_eq!(config.listeners[0].to_string(), "PLAINTEXT://h:9091");
    assert_eq!(config.advertised_listeners, config.listeners);
    assert_eq!(config.log_dirs, ["./logs"]);
    assert_eq!(config.broker_id, Some(1));
    assert_eq!(config.zookeeper_connect.as_deref(), Some("a:2181,b:2182"));
}

#[test]
fn a_kraft_file_loses_its_controller_listener() {
    let config = config(
        "process.roles=broker,controller\nnode.id=7\nlisteners=PLAINTEXT://:9092,CONTROLLER://:9093\n\
         advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\ncontroller.listener.names=CONTROLLER",
    )
    .expect("valid");
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(config.advertised_listeners[0].to_string(), "PLAINTEXT://localhost:9092");
    assert_eq!(config.broker_id, Some(7));
}

#[test]
fn dynamic_settings_win_and_bad_ones_are_left_out() {
    let config = config("broker.id=1\nlog.cleaner.threads=3\nnum.partitions=4").expect("valid");
    let cluster = ConfigMap::from([("log.cleaner.threads".into(), "5".into()), ("num.partitions".into(), "9".into())]);
    let broker = ConfigMap::from([("background.threads".into(), "many".into())]);
    let (changed, problems) = config.with_dynamic(cluster, broker);
    assert_eq!(changed.log_cleaner_threads, 5);
    assert_eq!(changed.num_partitions, 4, "a read-only setting stays");
    assert_eq!(changed.background_threads, 10);
    assert_eq!(problems.len(), 1);
}

#[test]
fn contradictions_are_refused() {
    for (text, part) in [
        ("broker.id=1\nnode.id=2", "remove one"),
        ("broker.id=-7", "at least 0"),
        ("broker.id=1001", "reserved.broker.max.id"),
        ("broker.id.generation.enable=false", "set it"),
        ("log.dirs=/a,/a/", "twice"),
        ("listeners=PLAINTEXT://0.0.0.0:9092", "advertised.listeners"),
        ("inter.broker.listener.name=INSIDE", "advertised.listeners"),
        ("num.partitions=0", "at least 1"),
        ("port=x", "Not a number"),
    ] {
        let error = config(text).expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}
