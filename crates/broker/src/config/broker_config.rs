//! The broker's settings as typed fields, made from the layers in which they can be set.

use std::collections::BTreeMap;

use super::endpoint::{Endpoint, parse_endpoints, parse_protocol_map};
use super::settings::{self, UpdateMode};
use super::value::{InvalidValue, list, parse_bool};

/// Values as they were written, by the setting's name.
pub type ConfigMap = BTreeMap<String, String>;

/// Where values come from; a later one wins over an earlier one.
#[doc(alias = "DynamicBrokerConfig")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigLayers {
    /// The file and the command line.
    pub file: ConfigMap,
    /// `/config/brokers/<default>`: for all brokers of the cluster.
    pub cluster: ConfigMap,
    /// `/config/brokers/{id}`: for this broker.
    pub broker: ConfigMap,
}

impl ConfigLayers {
    /// The value in force as text, or `None` when the default is in force.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let may_change = settings::broker_setting(name).is_some_and(|setting| setting.mode != UpdateMode::ReadOnly);
        let dynamic = || self.broker.get(name).or_else(|| self.cluster.get(name));
        let value = if may_change { dynamic() } else { None };
        value.or_else(|| self.file.get(name)).map(String::as_str)
    }

    /// The value in force or the default; `None` when that is null.
    #[must_use]
    pub fn get_or_default(&self, name: &str) -> Option<&str> {
        self.get(name).or_else(|| settings::broker_setting(name)?.default)
    }
}

/// Makes a typed field from a checked value.
trait FromValue: Sized {
    fn from_value(value: Option<&str>) -> Option<Self>;
}

macro_rules! numbers_from_value {
    ($($number:ty),*) => {$(
        impl FromValue for $number {
            fn from_value(value: Option<&str>) -> Option<Self> {
                value?.trim().parse().ok()
            }
        }
    )*};
}
numbers_from_value!(i16, i32, i64, u16, u32, f64);

impl FromValue for bool {
    fn from_value(value: Option<&str>) -> Option<Self> {
        parse_bool(value?)
    }
}

impl FromValue for String {
    fn from_value(value: Option<&str>) -> Option<Self> {
        Some(value?.trim().to_owned())
    }
}

impl FromValue for Vec<String> {
    fn from_value(value: Option<&str>) -> Option<Self> {
        Some(list(value.unwrap_or("")).map(str::to_owned).collect())
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Option<&str>) -> Option<Self> {
        match value {
            Some(text) => T::from_value(Some(text)).map(Some),
            None => Some(None),
        }
    }
}

/// Declares [`BrokerConfig`]: each field's name is the setting's, with `_` for `.`.
macro_rules! broker_config {
    ($($field:ident: $type:ty = $name:literal,)*) => {
        /// The settings in force, typed. A field is named as its setting with `_` for `.`; see that setting for its
        /// meaning. Fields below `layers` are worked out from several settings.
        #[doc(alias = "KafkaConfig")]
        #[derive(Clone, Debug, PartialEq)]
        pub struct BrokerConfig {
            $(#[doc = concat!("`", $name, "`")] pub $field: $type,)*
            /// What the fields were made from.
            pub layers: ConfigLayers,
            /// `node.id` or `broker.id`; `None` when the id is to be generated.
            pub broker_id: Option<i32>,
            /// `listeners`, or `host.name` and `port`.
            pub listeners: Vec<Endpoint>,
            /// `advertised.listeners`, or the older settings, or `listeners`.
            pub advertised_listeners: Vec<Endpoint>,
            /// Name of the listener that brokers use among themselves.
            pub inter_broker_listener_name: String,
            /// `log.dirs`, or `log.dir`.
            pub log_dirs: Vec<String>,
            /// `zookeeper.connect`; `None` starts a keeper in this process.
            pub zookeeper_connect: Option<String>,
            /// `keeper.…` settings for the keeper in this process, without the prefix; `clientPort` is always there.
            pub keeper: ConfigMap,
        }

        impl BrokerConfig {
            /// Types and checks the values of all layers.
            pub fn from_layers(layers: ConfigLayers) -> Result<Self, InvalidValue> {
                check_layers(&layers)?;
                let listeners = Listeners::from_layers(&layers)?;
                Ok(Self {
                    $($field: typed(&layers, $name)?,)*
                    broker_id: broker_id(&layers)?,
                    listeners: listeners.bound,
                    advertised_listeners: listeners.advertised,
                    inter_broker_listener_name: listeners.inter_broker,
                    log_dirs: log_dirs(&layers)?,
                    zookeeper_connect: layers.get("zookeeper.connect").filter(|v| !v.trim().is_empty()).map(str::to_owned),
                    keeper: keeper_settings(&layers),
                    layers,
                })
            }
        }
    };
}

broker_config! {
    auto_create_topics_enable: bool = "auto.create.topics.enable",
    background_threads: i32 = "background.threads",
    broker_id_generation_enable: bool = "broker.id.generation.enable",
    broker_rack: Option<String> = "broker.rack",
    connections_max_idle_ms: i64 = "connections.max.idle.ms",
    controlled_shutdown_enable: bool = "controlled.shutdown.enable",
    controlled_shutdown_max_retries: i32 = "controlled.shutdown.max.retries",
    controlled_shutdown_retry_backoff_ms: i64 = "controlled.shutdown.retry.backoff.ms",
    default_replication_factor: i32 = "default.replication.factor",
    delete_topic_enable: bool = "delete.topic.enable",
    fetch_max_bytes: i32 = "fetch.max.bytes",
    group_initial_rebalance_delay_ms: i32 = "group.initial.rebalance.delay.ms",
    group_max_session_timeout_ms: i32 = "group.max.session.timeout.ms",
    group_max_size: i32 = "group.max.size",
    group_min_session_timeout_ms: i32 = "group.min.session.timeout.ms",
    log_cleaner_backoff_ms: i64 = "log.cleaner.backoff.ms",
    log_cleaner_dedupe_buffer_size: i64 = "log.cleaner.dedupe.buffer.size",
    log_cleaner_enable: bool = "log.cleaner.enable",
    log_cleaner_io_buffer_load_factor: f64 = "log.cleaner.io.buffer.load.factor",
    log_cleaner_io_buffer_size: i32 = "log.cleaner.io.buffer.size",
    log_cleaner_io_max_bytes_per_second: f64 = "log.cleaner.io.max.bytes.per.second",
    log_cleaner_threads: i32 = "log.cleaner.threads",
    log_flush_offset_checkpoint_interval_ms: i32 = "log.flush.offset.checkpoint.interval.ms",
    log_flush_scheduler_interval_ms: i64 = "log.flush.scheduler.interval.ms",
    log_flush_start_offset_checkpoint_interval_ms: i32 = "log.flush.start.offset.checkpoint.interval.ms",
    log_initial_task_delay_ms: i64 = "log.initial.task.delay.ms",
    log_retention_check_interval_ms: i64 = "log.retention.check.interval.ms",
    max_connections: i32 = "max.connections",
    max_connection_creation_rate: i32 = "max.connection.creation.rate",
    max_connections_per_ip: i32 = "max.connections.per.ip",
    max_connections_per_ip_overrides: String = "max.connections.per.ip.overrides",
    max_incremental_fetch_session_cache_slots: i32 = "max.incremental.fetch.session.cache.slots",
    max_request_partition_size_limit: i32 = "max.request.partition.size.limit",
    message_max_bytes: i32 = "message.max.bytes",
    min_insync_replicas: i32 = "min.insync.replicas",
    num_io_threads: i32 = "num.io.threads",
    num_network_threads: i32 = "num.network.threads",
    num_partitions: i32 = "num.partitions",
    num_recovery_threads_per_data_dir: i32 = "num.recovery.threads.per.data.dir",
    offset_metadata_max_bytes: i32 = "offset.metadata.max.bytes",
    offsets_commit_timeout_ms: i32 = "offsets.commit.timeout.ms",
    offsets_load_buffer_size: i32 = "offsets.load.buffer.size",
    offsets_retention_check_interval_ms: i64 = "offsets.retention.check.interval.ms",
    offsets_retention_minutes: i32 = "offsets.retention.minutes",
    offsets_topic_compression_codec: i32 = "offsets.topic.compression.codec",
    offsets_topic_num_partitions: i32 = "offsets.topic.num.partitions",
    offsets_topic_replication_factor: i16 = "offsets.topic.replication.factor",
    offsets_topic_segment_bytes: i32 = "offsets.topic.segment.bytes",
    ottla_metrics_listener: String = "ottla.metrics.listener",
    producer_id_expiration_check_interval_ms: i32 = "producer.id.expiration.check.interval.ms",
    producer_id_expiration_ms: i32 = "producer.id.expiration.ms",
    queued_max_requests: i32 = "queued.max.requests",
    replica_high_watermark_checkpoint_interval_ms: i64 = "replica.high.watermark.checkpoint.interval.ms",
    replica_lag_time_max_ms: i64 = "replica.lag.time.max.ms",
    request_timeout_ms: i32 = "request.timeout.ms",
    reserved_broker_max_id: i32 = "reserved.broker.max.id",
    socket_listen_backlog_size: i32 = "socket.listen.backlog.size",
    socket_receive_buffer_bytes: i32 = "socket.receive.buffer.bytes",
    socket_request_max_bytes: i32 = "socket.request.max.bytes",
    socket_send_buffer_bytes: i32 = "socket.send.buffer.bytes",
    transaction_max_timeout_ms: i32 = "transaction.max.timeout.ms",
    transaction_state_log_min_isr: i32 = "transaction.state.log.min.isr",
    transaction_state_log_num_partitions: i32 = "transaction.state.log.num.partitions",
    transaction_state_log_replication_factor: i16 = "transaction.state.log.replication.factor",
    transaction_state_log_segment_bytes: i32 = "transaction.state.log.segment.bytes",
    unclean_leader_election_enable: bool = "unclean.leader.election.enable",
    zookeeper_connection_timeout_ms: Option<i32> = "zookeeper.connection.timeout.ms",
    zookeeper_session_timeout_ms: i32 = "zookeeper.session.timeout.ms",
}

impl Default for BrokerConfig {
    /// A broker that nothing was said about.
    fn default() -> Self {
        Self::from_layers(ConfigLayers::default()).expect("the defaults are valid: a test holds that")
    }
}

impl BrokerConfig {
    /// A broker with these settings in its file.
    pub fn from_map(file: ConfigMap) -> Result<Self, InvalidValue> {
        Self::from_layers(ConfigLayers { file, ..ConfigLayers::default() })
    }

    /// The same broker with other dynamic settings. Values that are not valid are left out, as they were written by somebody
    /// else's tool, and named in the second part.
    #[must_use]
    pub fn with_dynamic(&self, cluster: ConfigMap, broker: ConfigMap) -> (Self, Vec<InvalidValue>) {
        let mut problems = Vec::new();
        let mut checked = |mut layer: ConfigMap| {
            layer.retain(|name, value| match settings::broker_setting(name).map_or(Ok(()), |s| s.check(value)) {
                Ok(()) => true,
                Err(problem) => {
                    problems.push(problem);
                    false
                }
            });
            layer
        };
        let layers =
            ConfigLayers { file: self.layers.file.clone(), cluster: checked(cluster), broker: checked(broker) };
        match Self::from_layers(layers) {
            Ok(config) => (config, problems),
            Err(problem) => {
                problems.push(problem);
                (self.clone(), problems)
            }
        }
    }

    /// The address of this broker's listener for other brokers.
    #[must_use]
    pub fn inter_broker_endpoint(&self) -> Option<&Endpoint> {
        self.advertised_listeners.iter().find(|endpoint| endpoint.listener == self.inter_broker_listener_name)
    }
}

fn check_layers(layers: &ConfigLayers) -> Result<(), InvalidValue> {
    for (name, value) in [&layers.file, &layers.cluster, &layers.broker].into_iter().flatten() {
        if let Some(setting) = settings::broker_setting(name) {
            // An empty list or string in a file means "not set" for what has no default.
            if !(value.trim().is_empty() && setting.default.is_none()) {
                setting.check(value)?;
            }
        }
    }
    Ok(())
}

fn typed<T: FromValue>(layers: &ConfigLayers, name: &str) -> Result<T, InvalidValue> {
    let value = layers.get_or_default(name);
    let value = value
        .filter(|text| !text.trim().is_empty() || settings::broker_setting(name).is_some_and(|s| s.default.is_some()));
    T::from_value(value).ok_or_else(|| invalid(name, value, "the value cannot be used"))
}

fn invalid(name: &str, value: Option<&str>, reason: impl Into<String>) -> InvalidValue {
    InvalidValue { name: name.to_owned(), value: Some(value.unwrap_or("null").to_owned()), reason: reason.into() }
}

/// `node.id` and `broker.id` are one setting with two names.
fn broker_id(layers: &ConfigLayers) -> Result<Option<i32>, InvalidValue> {
    let read = |name: &str| layers.get(name).and_then(|text| text.trim().parse::<i32>().ok()).filter(|id| *id != -1);
    let (node_id, broker_id) = (read("node.id"), read("broker.id"));
    if let (Some(node), Some(broker)) = (node_id, broker_id)
        && node != broker
    {
        return Err(invalid("node.id", layers.get("node.id"), format!("broker.id says {broker}; remove one of them")));
    }
    let id = node_id.or(broker_id);
    if id.is_some_and(|id| id < 0) {
        return Err(invalid(
            "broker.id",
            layers.get("broker.id"),
            "the id must be at least 0, or -1 to have one generated",
        ));
    }
    let max: i32 = typed(layers, "reserved.broker.max.id")?;
    let generates: bool = typed(layers, "broker.id.generation.enable")?;
    if let Some(id) = id.filter(|id| generates && *id > max) {
        let reason = format!("ids above reserved.broker.max.id ({max}) are for generated ones; raise that setting");
        return Err(invalid("broker.id", Some(&id.to_string()), reason));
    }
    if id.is_none() && !generates {
        return Err(invalid("broker.id", None, "set it, or set broker.id.generation.enable=true"));
    }
    Ok(id)
}

fn log_dirs(layers: &ConfigLayers) -> Result<Vec<String>, InvalidValue> {
    let name = if layers.get("log.dirs").is_some_and(|text| !text.trim().is_empty()) { "log.dirs" } else { "log.dir" };
    let dirs: Vec<String> = typed(layers, name)?;
    let mut seen = std::collections::BTreeSet::new();
    if let Some(twice) = dirs.iter().find(|dir| !seen.insert(dir.trim_end_matches('/'))) {
        return Err(invalid(name, Some(twice), "the directory is there twice"));
    }
    if dirs.is_empty() {
        return Err(invalid(name, Some(""), "at least one directory is needed"));
    }
    Ok(dirs)
}

fn keeper_settings(layers: &ConfigLayers) -> ConfigMap {
    let mut keeper = ConfigMap::from([("clientPort".to_owned(), "2181".to_owned())]);
    let set =
        layers.file.iter().filter_map(|(name, value)| Some((name.strip_prefix("keeper.")?.to_owned(), value.clone())));
    keeper.extend(set);
    keeper
}

/// What the settings about listeners come to.
struct Listeners {
    bound: Vec<Endpoint>,
    advertised: Vec<Endpoint>,
    inter_broker: String,
}

impl Listeners {
    fn from_layers(layers: &ConfigLayers) -> Result<Self, InvalidValue> {
        let get = |name: &str| layers.get(name).map(str::trim).filter(|text| !text.is_empty());
        let map_name = "listener.security.protocol.map";
        let map = layers.get_or_default(map_name);
        let mut protocols = parse_protocol_map(map.unwrap_or("")).map_err(|reason| invalid(map_name, map, reason))?;
        let kraft: Vec<String> =
            list(layers.get("controller.listener.names").unwrap_or("")).map(str::to_ascii_uppercase).collect();
        for name in &kraft {
            protocols.entry(name.clone()).or_insert_with(|| "PLAINTEXT".to_owned());
        }
        let parse = |name: &str, text: &str| {
            parse_endpoints(text, &protocols).map_err(|reason| invalid(name, Some(text), reason)).map(
                |mut endpoints| {
                    endpoints.retain(|endpoint| !kraft.contains(&endpoint.listener));
                    endpoints
                },
            )
        };
        let bound_text = get("listeners").map_or_else(
            || {
                let port = get("port").or_else(|| settings::broker_setting("port")?.default).unwrap_or("9092");
                format!("PLAINTEXT://{}:{port}", get("host.name").unwrap_or(""))
            },
            str::to_owned,
        );
        let bound = parse("listeners", &bound_text)?;
        let first = bound
            .first()
            .ok_or_else(|| invalid("listeners", Some(&bound_text), "the broker needs at least one listener"))?;
        let advertised = match get("advertised.listeners") {
            Some(text) => parse("advertised.listeners", text)?,
            None => match (get("advertised.host.name"), get("advertised.port")) {
                (None, None) => bound.clone(),
                (host, port) => vec![Endpoint {
                    host: host.unwrap_or(&first.host).to_owned(),
                    port: port.and_then(|text| text.parse().ok()).unwrap_or(first.port),
                    ..first.clone()
                }],
            },
        };
        if let Some(endpoint) = advertised.iter().find(|endpoint| endpoint.host == "0.0.0.0") {
            let text = endpoint.to_string();
            let reason =
                "0.0.0.0 cannot be connected to: set advertised.listeners to an address that clients can reach";
            return Err(invalid("advertised.listeners", Some(&text), reason));
        }
        let inter_broker = inter_broker_listener(layers, &advertised)?;
        Ok(Self { bound, advertised, inter_broker })
    }
}

fn inter_broker_listener(layers: &ConfigLayers, advertised: &[Endpoint]) -> Result<String, InvalidValue> {
    let (name, wanted) = match layers.get("inter.broker.listener.name").filter(|text| !text.trim().is_empty()) {
        Some(listener) => ("inter.broker.listener.name", listener.trim().to_ascii_uppercase()),
        None => {
            let name = "security.inter.broker.protocol";
            let protocol = layers.get_or_default(name).unwrap_or("PLAINTEXT").trim();
            let found = advertised.iter().find(|endpoint| endpoint.listener == protocol);
            let found = found.or_else(|| advertised.iter().find(|endpoint| endpoint.security_protocol == protocol));
            (name, found.map_or_else(|| protocol.to_owned(), |endpoint| endpoint.listener.clone()))
        }
    };
    if advertised.iter().any(|endpoint| endpoint.listener == wanted) {
        Ok(wanted)
    } else {
        Err(invalid(
            name,
            Some(&wanted),
            "advertised.listeners must have this listener, for the brokers among themselves",
        ))
    }
}

#[cfg(test)]
#[path = "broker_config_tests.rs"]
mod tests;
