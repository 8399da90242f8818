//! Settings by the names that the Java clients give them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;

use crate::error::{ClientError, Result};

/// Every setting of Kafka's clients: client, name, type, defaults, valid values.
const TABLE: &str = include_str!("../../../reference/kafka-client-configs.tsv");

/// Settings as text; each client takes what is its own. Asked for every name by [`Properties::warn`].
#[derive(Clone, Debug, Default)]
pub struct Properties {
    values: BTreeMap<String, String>,
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Properties {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(iter: T) -> Self {
        Self { values: iter.into_iter().map(|(k, v)| (k.into(), v.into())).collect() }
    }
}

impl Properties {
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// Sets `name` unless the user did.
    pub fn set_default(&mut self, name: &str, value: impl Into<String>) {
        self.values.entry(name.to_owned()).or_insert_with(|| value.into());
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> Result<T> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => text.trim().parse().map_err(|_| bad(name, text, "a number")),
        }
    }

    fn millis(&self, name: &str, default_ms: u64) -> Result<Duration> {
        self.number(name, default_ms).map(Duration::from_millis)
    }

    fn boolean(&self, name: &str, default: bool) -> Result<bool> {
        match self.get(name).map(|text| text.trim().to_ascii_lowercase()).as_deref() {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(text) => Err(bad(name, text, "true or false")),
        }
    }

    /// One line naming what is set and has no effect here: misspelt, or not (yet) ours. Empty when all is well. `client` is
    /// `producer`, `consumer` or `admin`.
    #[must_use]
    pub fn warning(&self, client: &str) -> Option<String> {
        let known = known();
        let (mut unknown, mut ignored) = (Vec::new(), Vec::new());
        for name in self.values.keys().map(String::as_str) {
            if OURS.contains(&name) || is_harmless(name) {
                continue;
            }
            if known.contains(name) { ignored.push(name) } else { unknown.push(name) }
        }
        let mut parts = Vec::new();
        if !unknown.is_empty() {
            parts.push(format!("unknown settings: {}", unknown.join(", ")));
        }
        if !ignored.is_empty() {
            parts.push(format!("settings without effect here: {}", ignored.join(", ")));
        }
        (!parts.is_empty()).then(|| format!("{client}: {}", parts.join("; ")))
    }
}

fn bad(name: &str, text: &str, wanted: &str) -> ClientError {
    ClientError::Config(format!("{name}={text}: must be {wanted}"))
}

fn known() -> &'static BTreeSet<&'static str> {
    static KNOWN: OnceLock<BTreeSet<&'static str>> = OnceLock::new();
    KNOWN.get_or_init(|| TABLE.lines().skip(1).filter_map(|line| line.split('\t').nth(1)).collect())
}

/// What the clients here act upon.
const OURS: &[&str] = &[
    "acks",
    "allow.auto.create.topics",
    "auto.commit.interval.ms",
    "auto.offset.reset",
    "batch.size",
    "bootstrap.servers",
    "buffer.memory",
    "check.crcs",
    "client.id",
    "client.rack",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "default.api.timeout.ms",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.idempotence",
    "fetch.max.bytes",
    "fetch.max.wait.ms",
    "fetch.min.bytes",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "heartbeat.interval.ms",
    "isolation.level",
    "linger.ms",
    "max.block.ms",
    "max.in.flight.requests.per.connection",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "max.request.size",
    "metadata.max.age.ms",
    "partition.assignment.strategy",
    "partitioner.ignore.keys",
    "request.timeout.ms",
    "retries",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "security.protocol",
    "session.timeout.ms",
    "socket.connection.setup.timeout.ms",
];

/// What users of the Java clients must set and what means nothing here.
fn is_harmless(name: &str) -> bool {
    name.ends_with(".serializer") || name.ends_with(".deserializer") || name.starts_with("metrics.")
}

/// What every client needs to talk to a cluster.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// `host:port` of some brokers.
    pub bootstrap: Vec<String>,
    pub client_id: String,
    /// For one request.
    pub request_timeout: Duration,
    /// For a whole call with its retries.
    pub api_timeout: Duration,
    pub connect_timeout: Duration,
    /// Pause between tries: doubles from the first to the second.
    pub retry_backoff: (Duration, Duration),
    pub metadata_max_age: Duration,
}

impl ClientConfig {
    /// Kafka's defaults for a cluster at `bootstrap` (`host:port,host:port`).
    pub fn new(bootstrap: &str) -> Result<Self> {
        Self::from_properties(&Properties::from_iter([("bootstrap.servers", bootstrap)]))
    }

    pub fn from_properties(properties: &Properties) -> Result<Self> {
        let servers = properties.get("bootstrap.servers").unwrap_or_default();
        let bootstrap: Vec<String> =
            servers.split(',').map(str::trim).filter(|server| !server.is_empty()).map(str::to_owned).collect();
        if bootstrap.is_empty() {
            return Err(ClientError::Config("bootstrap.servers names no broker".to_owned()));
        }
        for server in &bootstrap {
            let port = server.rsplit_once(':').and_then(|(host, port)| (!host.is_empty()).then(|| port.parse::<u16>()));
            if !matches!(port, Some(Ok(_))) {
                return Err(bad("bootstrap.servers", server, "host:port"));
            }
        }
        match properties.get("security.protocol") {
            None | Some("PLAINTEXT") => {}
            Some(other) => {
                return Err(ClientError::Config(format!(
                    "security.protocol={other} is not supported yet, only PLAINTEXT"
                )));
            }
        }
        Ok(Self {
            bootstrap,
            client_id: properties.get("client.id").unwrap_or("ottla").to_owned(),
            request_timeout: properties.millis("request.timeout.ms", 30_000)?,
            api_timeout: properties.millis("default.api.timeout.ms", 60_000)?,
            connect_timeout: properties.millis("socket.connection.setup.timeout.ms", 10_000)?,
            retry_backoff: (
                properties.millis("retry.backoff.ms", 100)?,
                properties.millis("retry.backoff.max.ms", 1_000)?,
            ),
            metadata_max_age: properties.millis("metadata.max.age.ms", 300_000)?,
        })
    }
}

/// `acks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    None,
    Leader,
    All,
}

impl Acks {
    pub(crate) fn wire(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// A producer's settings.
#[derive(Clone, Debug)]
pub struct ProducerConfig {
    pub client: ClientConfig,
    pub acks: Acks,
    pub idempotence: bool,
    /// Bytes of a batch at which it is sent without waiting longer.
    pub batch_size: usize,
    pub linger: Duration,
    /// Bytes that may wait to be acknowledged.
    pub buffer_memory: usize,
    pub max_block: Duration,
    pub max_request_size: usize,
    pub max_in_flight: usize,
    pub retries: u32,
    pub delivery_timeout: Duration,
    pub compression: ottla_protocol::Compression,
    /// `None`: the codec's own.
    pub compression_level: Option<i32>,
    pub ignore_keys: bool,
}

impl ProducerConfig {
    /// Kafka's defaults where `properties` is silent; contradictions are errors, as in Kafka.
    pub fn from_properties(properties: &Properties) -> Result<Self> {
        let acks = match properties.get("acks") {
            None | Some("all" | "-1") => Acks::All,
            Some("1") => Acks::Leader,
            Some("0") => Acks::None,
            Some(other) => return Err(bad("acks", other, "all, -1, 0 or 1")),
        };
        let max_in_flight = properties.number("max.in.flight.requests.per.connection", 5usize)?.max(1);
        let retries = properties.number("retries", i32::MAX as u32)?;
        // Asked for, it needs what it needs; by default it is on where it can be.
        let possible = acks == Acks::All && max_in_flight <= 5 && retries > 0;
        let idempotence = properties.boolean("enable.idempotence", possible)?;
        if idempotence && !possible {
            return Err(ClientError::Config(
                "enable.idempotence=true needs acks=all, retries>0 and max.in.flight.requests.per.connection<=5"
                    .to_owned(),
            ));
        }
        let name = properties.get("compression.type").unwrap_or("none");
        let compression = ottla_protocol::Compression::parse(name)
            .ok_or_else(|| bad("compression.type", name, "none, gzip, snappy, lz4 or zstd"))?;
        let level = match properties.get(&format!("compression.{name}.level")) {
            None => None,
            Some(_) => Some(properties.number(&format!("compression.{name}.level"), 0)?),
        };
        let linger = properties.millis("linger.ms", 5)?;
        let client = ClientConfig::from_properties(properties)?;
        let delivery_timeout = match properties.get("delivery.timeout.ms") {
            // As in Kafka: the default gives way to the others, what the user set does not.
            None => Duration::from_millis(120_000).max(linger + client.request_timeout),
            Some(_) => properties.millis("delivery.timeout.ms", 0)?,
        };
        if delivery_timeout < linger + client.request_timeout {
            return Err(ClientError::Config(
                "delivery.timeout.ms must be at least linger.ms + request.timeout.ms".to_owned(),
            ));
        }
        Ok(Self {
            acks,
            idempotence,
            batch_size: properties.number("batch.size", 16_384usize)?,
            linger,
            buffer_memory: properties.number("buffer.memory", 33_554_432usize)?,
            max_block: properties.millis("max.block.ms", 60_000)?,
            max_request_size: properties.number("max.request.size", 1_048_576usize)?,
            max_in_flight,
            retries,
            delivery_timeout,
            compression,
            compression_level: level,
            ignore_keys: properties.boolean("partitioner.ignore.keys", false)?,
            client,
        })
    }
}

/// `auto.offset.reset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetReset {
    Earliest,
    Latest,
    /// Tell the user.
    None,
}

/// How a group's leader spreads partitions (`partition.assignment.strategy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    Range,
    RoundRobin,
    CooperativeSticky,
}

impl Assignor {
    /// Its name in the group protocol.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let class = text.rsplit('.').next().unwrap_or(text);
        match class {
            "range" | "RangeAssignor" => Ok(Self::Range),
            "roundrobin" | "RoundRobinAssignor" => Ok(Self::RoundRobin),
            "cooperative-sticky" | "CooperativeStickyAssignor" => Ok(Self::CooperativeSticky),
            _ => Err(bad("partition.assignment.strategy", text, "range, roundrobin or cooperative-sticky")),
        }
    }
}

/// A consumer's settings.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    pub client: ClientConfig,
    pub group_id: Option<String>,
    pub group_instance_id: Option<String>,
    /// In the order of preference.
    pub assignors: Vec<Assignor>,
    pub session_timeout: Duration,
    pub heartbeat_interval: Duration,
    pub max_poll_interval: Duration,
    /// `None`: the user commits.
    pub auto_commit: Option<Duration>,
    pub offset_reset: OffsetReset,
    pub fetch_max_bytes: i32,
    pub fetch_min_bytes: i32,
    pub fetch_max_wait: Duration,
    pub max_partition_fetch_bytes: i32,
    pub read_committed: bool,
    pub check_crcs: bool,
    pub client_rack: String,
    pub auto_create_topics: bool,
}

impl ConsumerConfig {
    pub fn from_properties(properties: &Properties) -> Result<Self> {
        let offset_reset = match properties.get("auto.offset.reset") {
            None | Some("latest" | "largest") => OffsetReset::Latest,
            // The second names are those of 0.8's consumers.
            Some("earliest" | "smallest") => OffsetReset::Earliest,
            Some("none") => OffsetReset::None,
            Some(other) => return Err(bad("auto.offset.reset", other, "earliest, latest or none")),
        };
        let read_committed = match properties.get("isolation.level") {
            None | Some("read_uncommitted") => false,
            Some("read_committed") => true,
            Some(other) => return Err(bad("isolation.level", other, "read_committed or read_uncommitted")),
        };
        if let Some(other) = properties.get("group.protocol").filter(|text| !text.eq_ignore_ascii_case("classic")) {
            return Err(bad("group.protocol", other, "classic (others are not supported yet)"));
        }
        let assignors = match properties.get("partition.assignment.strategy") {
            // Kafka's default has both, so that a group may move from one to the other.
            None => vec![Assignor::Range, Assignor::CooperativeSticky],
            Some(list) => list.split(',').map(|name| Assignor::parse(name.trim())).collect::<Result<Vec<_>>>()?,
        };
        let group_id = properties.get("group.id").filter(|id| !id.is_empty()).map(str::to_owned);
        let auto_commit = properties.boolean("enable.auto.commit", group_id.is_some())?;
        let interval = properties.millis("auto.commit.interval.ms", 5_000)?;
        Ok(Self {
            client: ClientConfig::from_properties(properties)?,
            group_instance_id: properties.get("group.instance.id").map(str::to_owned),
            assignors,
            session_timeout: properties.millis("session.timeout.ms", 45_000)?,
            heartbeat_interval: properties.millis("heartbeat.interval.ms", 3_000)?,
            max_poll_interval: properties.millis("max.poll.interval.ms", 300_000)?,
            auto_commit: (auto_commit && group_id.is_some()).then_some(interval),
            group_id,
            offset_reset,
            fetch_max_bytes: properties.number("fetch.max.bytes", 52_428_800)?,
            fetch_min_bytes: properties.number("fetch.min.bytes", 1)?,
            fetch_max_wait: properties.millis("fetch.max.wait.ms", 500)?,
            max_partition_fetch_bytes: properties.number("max.partition.fetch.bytes", 1_048_576)?,
            read_committed,
            check_crcs: properties.boolean("check.crcs", true)?,
            client_rack: properties.get("client.rack").unwrap_or_default().to_owned(),
            auto_create_topics: properties.boolean("allow.auto.create.topics", true)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Properties {
        let mut properties: Properties = pairs.iter().copied().collect();
        properties.set_default("bootstrap.servers", "localhost:9092");
        properties
    }

    #[test]
    fn kafkas_defaults_and_contradictions() {
        let producer = ProducerConfig::from_properties(&with(&[])).expect("defaults are fine");
        assert!(producer.idempotence && producer.acks == Acks::All && producer.batch_size == 16_384);
        assert!(!ProducerConfig::from_properties(&with(&[("acks", "1")])).expect("fine").idempotence);
        let both = with(&[("acks", "1"), ("enable.idempotence", "true")]);
        assert!(matches!(ProducerConfig::from_properties(&both), Err(ClientError::Config(_))));
        assert!(ProducerConfig::from_properties(&with(&[("linger.ms", "x")])).is_err());
        assert!(ConsumerConfig::from_properties(&with(&[("auto.offset.reset", "smallest")])).is_ok());
        assert!(ClientConfig::new("localhost").is_err());
        assert!(ClientConfig::new("[::1]:9092,b:1").is_ok());
    }

    #[test]
    fn one_warning_names_what_has_no_effect() {
        let properties = with(&[("lingr.ms", "5"), ("interceptor.classes", "x"), ("key.serializer", "y")]);
        assert_eq!(
            properties.warning("producer").as_deref(),
            Some("producer: unknown settings: lingr.ms; settings without effect here: interceptor.classes")
        );
        assert_eq!(with(&[("acks", "1")]).warning("producer"), None);
    }
}
