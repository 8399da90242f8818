//! Kafka's znodes: their paths, and the JSON (or text) in them, as ZooKeeper-mode Kafka 3.9 writes it. Every older version of
//! a znode is read; what is not readable is an error and never a panic, because any tool may write here.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use ottla_base::ids::{TopicPartition, Uuid};
use serde_json::Value;

use crate::config::{ConfigMap, Endpoint};

pub const BROKER_IDS: &str = "/brokers/ids";
pub const TOPICS: &str = "/brokers/topics";
pub const BROKER_SEQUENCE_ID: &str = "/brokers/seqid";
pub const CONTROLLER: &str = "/controller";
pub const CONTROLLER_EPOCH: &str = "/controller_epoch";
pub const CLUSTER_ID: &str = "/cluster/id";
pub const CONFIG_CHANGES: &str = "/config/changes";
pub const CONFIG_TOPICS: &str = "/config/topics";
pub const CONFIG_BROKERS: &str = "/config/brokers";
pub const DELETE_TOPICS: &str = "/admin/delete_topics";
pub const REASSIGN_PARTITIONS: &str = "/admin/reassign_partitions";
pub const PREFERRED_REPLICA_ELECTION: &str = "/admin/preferred_replica_election";
pub const LOG_DIR_EVENTS: &str = "/log_dir_event_notification";
pub const PRODUCER_ID_BLOCK: &str = "/latest_producer_id_block";
pub const FEATURE: &str = "/feature";
/// The entity that stands for all brokers.
pub const DEFAULT_ENTITY: &str = "<default>";

/// The persistent znodes that a broker makes at its start, parents first.
#[doc(alias = "ZkData.PersistentZkPaths")]
pub const PERSISTENT_ROOTS: &[&str] = &[
    "/admin",
    DELETE_TOPICS,
    "/brokers",
    BROKER_IDS,
    BROKER_SEQUENCE_ID,
    TOPICS,
    "/cluster",
    "/config",
    CONFIG_BROKERS,
    CONFIG_CHANGES,
    "/config/clients",
    "/config/ips",
    CONFIG_TOPICS,
    "/config/users",
    "/consumers",
    "/isr_change_notification",
    PRODUCER_ID_BLOCK,
    LOG_DIR_EVENTS,
];

#[must_use]
pub fn broker_id(id: i32) -> String {
    format!("{BROKER_IDS}/{id}")
}

#[must_use]
pub fn topic(topic: &str) -> String {
    format!("{TOPICS}/{topic}")
}

#[must_use]
pub fn topic_partitions(topic: &str) -> String {
    format!("{TOPICS}/{topic}/partitions")
}

#[must_use]
pub fn partition(partition: &TopicPartition) -> String {
    format!("{TOPICS}/{}/partitions/{}", partition.topic, partition.partition)
}

#[must_use]
pub fn partition_state(partition: &TopicPartition) -> String {
    format!("{TOPICS}/{}/partitions/{}/state", partition.topic, partition.partition)
}

#[must_use]
pub fn topic_config(topic: &str) -> String {
    format!("{CONFIG_TOPICS}/{topic}")
}

/// `entity` is a broker's id or [`DEFAULT_ENTITY`].
#[must_use]
pub fn broker_config(entity: &str) -> String {
    format!("{CONFIG_BROKERS}/{entity}")
}

#[must_use]
pub fn delete_topic(topic: &str) -> String {
    format!("{DELETE_TOPICS}/{topic}")
}

/// Prefix of the sequential notifications about settings.
#[must_use]
pub fn config_change_prefix() -> String {
    format!("{CONFIG_CHANGES}/config_change_")
}

/// A znode whose contents can't be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZnodeError {
    pub what: &'static str,
    pub problem: String,
}

impl fmt::Display for ZnodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the znode of {} cannot be read: {}", self.what, self.problem)
    }
}

impl std::error::Error for ZnodeError {}

type Result<T> = std::result::Result<T, ZnodeError>;

/// A JSON object and the name of what it is, for errors.
struct Object {
    what: &'static str,
    value: Value,
}

impl Object {
    fn parse(what: &'static str, data: &[u8]) -> Result<Self> {
        match serde_json::from_slice(data) {
            Ok(value @ Value::Object(_)) => Ok(Self { what, value }),
            Ok(_) => Err(ZnodeError { what, problem: "it is no JSON object".to_owned() }),
            Err(error) => Err(ZnodeError { what, problem: error.to_string() }),
        }
    }

    fn bad(&self, field: &str) -> ZnodeError {
        ZnodeError { what: self.what, problem: format!("{field:?} is missing or of a wrong type") }
    }

    fn int(&self, field: &str) -> Result<i32> {
        int(&self.value[field]).ok_or_else(|| self.bad(field))
    }

    fn ints(&self, field: &str) -> Result<Vec<i32>> {
        ints(&self.value[field]).ok_or_else(|| self.bad(field))
    }

    fn text(&self, field: &str) -> Result<&str> {
        self.value[field].as_str().ok_or_else(|| self.bad(field))
    }

    /// An object of partition numbers and lists of brokers; empty when it is missing.
    fn replicas(&self, field: &str) -> Result<BTreeMap<i32, Vec<i32>>> {
        let Some(object) = self.value[field].as_object() else {
            return if self.value[field].is_null() { Ok(BTreeMap::new()) } else { Err(self.bad(field)) };
        };
        let entry = |(index, ids): (&String, &Value)| {
            let index = index.parse::<i32>().ok().filter(|index| *index >= 0)?;
            Some((index, ints(ids)?))
        };
        object.iter().map(|item| entry(item).ok_or_else(|| self.bad(field))).collect()
    }
}

fn int(value: &Value) -> Option<i32> {
    i32::try_from(value.as_i64()?).ok()
}

fn ints(value: &Value) -> Option<Vec<i32>> {
    value.as_array()?.iter().map(int).collect()
}

/// `text` as a JSON string with its quotes.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn int_list(ids: &[i32]) -> String {
    let items: Vec<String> = ids.iter().map(i32::to_string).collect();
    format!("[{}]", items.join(","))
}

fn replica_map<'a>(entries: impl Iterator<Item = (i32, &'a [i32])>) -> String {
    let items: Vec<String> = entries.map(|(index, ids)| format!("\"{index}\":{}", int_list(ids))).collect();
    format!("{{{}}}", items.join(","))
}

fn text_map<'a>(entries: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let items: Vec<String> = entries.map(|(name, value)| format!("{}:{}", quoted(name), quoted(value))).collect();
    format!("{{{}}}", items.join(","))
}

/// `/brokers/ids/{id}`: a broker that is alive.
#[doc(alias = "BrokerIdZNode")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerRegistration {
    pub endpoints: Vec<Endpoint>,
    pub rack: Option<String>,
    pub jmx_port: i32,
    /// When it registered, milliseconds since 1970.
    pub timestamp_ms: i64,
}

impl BrokerRegistration {
    /// Version 5; the top-level host and port are those of the first PLAINTEXT listener.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let endpoints: Vec<String> = self.endpoints.iter().map(|e| quoted(&e.to_string())).collect();
        let protocols: Vec<String> = self
            .endpoints
            .iter()
            .map(|e| format!("{}:{}", quoted(&e.listener), quoted(&e.security_protocol)))
            .collect();
        let plain = self.endpoints.iter().find(|endpoint| endpoint.security_protocol == "PLAINTEXT");
        let host = plain.map_or_else(|| "null".to_owned(), |endpoint| quoted(&endpoint.host));
        let port = plain.map_or(-1, |endpoint| i32::from(endpoint.port));
        let mut json = format!(
            "{{\"features\":{{}},\"listener_security_protocol_map\":{{{}}},\"endpoints\":[{}],\"jmx_port\":{},\"port\":{port},\
             \"host\":{host},\"version\":5,\"timestamp\":\"{}\"",
            protocols.join(","),
            endpoints.join(","),
            self.jmx_port,
            self.timestamp_ms
        );
        if let Some(rack) = &self.rack {
            let _ = write!(json, ",\"rack\":{}", quoted(rack));
        }
        json.push('}');
        json.into_bytes()
    }

    /// Versions 1 to 5.
    pub fn decode(data: &[u8]) -> Result<Self> {
        let object = Object::parse("a broker", data)?;
        let endpoints = match object.value["endpoints"].as_array() {
            None => vec![Endpoint {
                listener: "PLAINTEXT".to_owned(),
                security_protocol: "PLAINTEXT".to_owned(),
                host: object.text("host")?.to_owned(),
                port: u16::try_from(object.int("port")?).map_err(|_| object.bad("port"))?,
            }],
            Some(list) => {
                let map = &object.value["listener_security_protocol_map"];
                let endpoint = |item: &Value| parse_endpoint(item.as_str()?, map);
                list.iter().map(|item| endpoint(item).ok_or_else(|| object.bad("endpoints"))).collect::<Result<_>>()?
            }
        };
        let timestamp = &object.value["timestamp"];
        Ok(Self {
            endpoints,
            rack: object.value["rack"].as_str().map(str::to_owned),
            jmx_port: int(&object.value["jmx_port"]).unwrap_or(-1),
            timestamp_ms: timestamp.as_str().and_then(|t| t.parse().ok()).or_else(|| timestamp.as_i64()).unwrap_or(-1),
        })
    }

    /// The address on a listener.
    #[must_use]
    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.listener == listener)
    }
}

fn parse_endpoint(text: &str, protocols: &Value) -> Option<Endpoint> {
    let (listener, address) = text.split_once("://")?;
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    // Before version 4 a listener was called after its protocol.
    let security_protocol = protocols[listener].as_str().unwrap_or(listener).to_owned();
    Some(Endpoint { listener: listener.to_owned(), security_protocol, host: host.to_owned(), port: port.parse().ok()? })
}

/// The replicas of one partition; adding and removing are those of a reassignment under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaAssignment {
    pub replicas: Vec<i32>,
    pub adding: Vec<i32>,
    pub removing: Vec<i32>,
}

/// `/brokers/topics/{topic}`.
#[doc(alias = "TopicZNode")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicAssignment {
    /// `None` in what versions before 3 wrote.
    pub id: Option<Uuid>,
    pub partitions: BTreeMap<i32, ReplicaAssignment>,
}

impl TopicAssignment {
    /// Version 3, or 2 without an id.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let of = |part: fn(&ReplicaAssignment) -> &Vec<i32>, all: bool| {
            let lists = self.partitions.iter().map(|(index, replicas)| (*index, part(replicas).as_slice()));
            replica_map(lists.filter(|(_, ids)| all || !ids.is_empty()))
        };
        let id = self.id.map(|id| format!("\"topic_id\":\"{id}\",")).unwrap_or_default();
        let version = if self.id.is_some() { 3 } else { 2 };
        format!(
            "{{\"partitions\":{},{id}\"adding_replicas\":{},\"removing_replicas\":{},\"version\":{version}}}",
            of(|r| &r.replicas, true),
            of(|r| &r.adding, false),
            of(|r| &r.removing, false)
        )
        .into_bytes()
    }

    /// Versions 1 to 3.
    pub fn decode(data: &[u8]) -> Result<Self> {
        let object = Object::parse("a topic", data)?;
        let id = match object.value["topic_id"].as_str() {
            Some(text) => Some(Uuid::parse(text).ok_or_else(|| object.bad("topic_id"))?),
            None => None,
        };
        let (mut adding, mut removing) = (object.replicas("adding_replicas")?, object.replicas("removing_replicas")?);
        let partitions = object.replicas("partitions")?.into_iter().map(|(index, replicas)| {
            let adding = adding.remove(&index).unwrap_or_default();
            (index, ReplicaAssignment { replicas, adding, removing: removing.remove(&index).unwrap_or_default() })
        });
        Ok(Self { id, partitions: partitions.collect() })
    }
}

/// `/brokers/topics/{topic}/partitions/{p}/state`; the znode's version is the partition epoch.
#[doc(alias = "TopicPartitionStateZNode")]
#[doc(alias = "LeaderIsrAndControllerEpoch")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionState {
    /// -1 when nobody leads.
    pub leader: i32,
    pub leader_epoch: i32,
    pub isr: Vec<i32>,
    pub controller_epoch: i32,
    /// 1 while the leader, chosen uncleanly, has not recovered (KIP-704).
    pub leader_recovery_state: i8,
}

impl PartitionState {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let recovery = match self.leader_recovery_state {
            0 => String::new(),
            state => format!("\"leader_recovery_state\":{state},"),
        };
        format!(
            "{{{recovery}\"controller_epoch\":{},\"leader\":{},\"version\":1,\"leader_epoch\":{},\"isr\":{}}}",
            self.controller_epoch,
            self.leader,
            self.leader_epoch,
            int_list(&self.isr)
        )
        .into_bytes()
    }

    pub fn decode(data: &[u8]) -> Result<Self> {
        let object = Object::parse("a partition's state", data)?;
        Ok(Self {
            leader: object.int("leader")?,
            leader_epoch: object.int("leader_epoch")?,
            isr: object.ints("isr")?,
            controller_epoch: object.int("controller_epoch")?,
            leader_recovery_state: object.value["leader_recovery_state"]
                .as_i64()
                .map_or(0, |state| i8::from(state == 1)),
        })
    }
}

/// `/controller`: who the controller is.
#[must_use]
pub fn encode_controller(broker_id: i32, timestamp_ms: i64) -> Vec<u8> {
    format!("{{\"version\":2,\"brokerid\":{broker_id},\"timestamp\":\"{timestamp_ms}\",\"kraftControllerEpoch\":-1}}")
        .into_bytes()
}

/// Versions 1 and 2; the id of the controller.
pub fn decode_controller(data: &[u8]) -> Result<i32> {
    Object::parse("the controller", data)?.int("brokerid")
}

/// `/controller_epoch`.
pub fn decode_controller_epoch(data: &[u8]) -> Result<i32> {
    let text = std::str::from_utf8(data).ok().map(str::trim);
    text.and_then(|text| text.parse().ok()).ok_or_else(|| ZnodeError {
        what: "the controller epoch",
        problem: format!("{:?} is no number", String::from_utf8_lossy(data)),
    })
}

/// `/config/{type}/{entity}`. Sorted by name.
#[must_use]
pub fn encode_config(config: &ConfigMap) -> Vec<u8> {
    format!("{{\"version\":1,\"config\":{}}}", text_map(config.iter())).into_bytes()
}

/// An empty znode is no settings.
pub fn decode_config(data: &[u8]) -> Result<ConfigMap> {
    if data.is_empty() {
        return Ok(ConfigMap::new());
    }
    let object = Object::parse("settings", data)?;
    let config = object.value["config"].as_object().ok_or_else(|| object.bad("config"))?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Ok(config.iter().map(|(name, value)| (name.clone(), text(value))).collect())
}

/// `/config/changes/config_change_{seq}`: `entity_path` as `topics/t1`.
#[must_use]
pub fn encode_config_change(entity_path: &str) -> Vec<u8> {
    format!("{{\"version\":2,\"entity_path\":{}}}", quoted(entity_path)).into_bytes()
}

/// Versions 1 and 2; the entity's path.
pub fn decode_config_change(data: &[u8]) -> Result<String> {
    let object = Object::parse("a change of settings", data)?;
    match object.int("version")? {
        1 => Ok(format!("{}/{}", object.text("entity_type")?, object.text("entity_name")?)),
        _ => object.text("entity_path").map(str::to_owned),
    }
}

/// `/cluster/id`.
#[must_use]
pub fn encode_cluster_id(id: &str) -> Vec<u8> {
    format!("{{\"version\":\"1\",\"id\":{}}}", quoted(id)).into_bytes()
}

pub fn decode_cluster_id(data: &[u8]) -> Result<String> {
    Object::parse("the cluster id", data)?.text("id").map(str::to_owned)
}

/// `/latest_producer_id_block`: the last block that was given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdBlock {
    pub broker_id: i32,
    pub first: i64,
    pub last: i64,
}

impl ProducerIdBlock {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self { broker_id, first, last } = self;
        format!("{{\"version\":1,\"broker\":{broker_id},\"block_start\":\"{first}\",\"block_end\":\"{last}\"}}")
            .into_bytes()
    }

    pub fn decode(data: &[u8]) -> Result<Self> {
        let object = Object::parse("the producer id block", data)?;
        let number = |field: &str| object.text(field)?.parse::<i64>().map_err(|_| object.bad(field));
        Ok(Self { broker_id: object.int("broker")?, first: number("block_start")?, last: number("block_end")? })
    }
}

/// `/feature` of a cluster without finalized features.
#[must_use]
pub fn encode_feature() -> Vec<u8> {
    b"{\"features\":{},\"version\":2,\"status\":1}".to_vec()
}

/// `/admin/preferred_replica_election`: partitions whose first replica shall lead.
pub fn decode_partition_list(data: &[u8]) -> Result<Vec<TopicPartition>> {
    let object = Object::parse("a list of partitions", data)?;
    let list = object.value["partitions"].as_array().ok_or_else(|| object.bad("partitions"))?;
    let partition = |item: &Value| Some(TopicPartition::new(item["topic"].as_str()?, int(&item["partition"])?));
    list.iter().map(|item| partition(item).ok_or_else(|| object.bad("partitions"))).collect()
}

/// `/log_dir_event_notification/log_dir_event_{seq}`.
#[must_use]
pub fn encode_log_dir_event(broker_id: i32) -> Vec<u8> {
    format!("{{\"version\":1,\"broker\":{broker_id},\"event\":1}}").into_bytes()
}

/// The broker whose log directory failed.
pub fn decode_log_dir_event(data: &[u8]) -> Result<i32> {
    Object::parse("a failed log directory", data)?.int("broker")
}

#[cfg(test)]
#[path = "znodes_tests.rs"]
mod tests;
