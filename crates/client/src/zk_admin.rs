//! Administration by way of the keeper, as the tools did before they could ask a broker (`--zookeeper`): topics are
//! created, listed and described by their znodes. Works on the keeper of any ZooKeeper-mode cluster, ours included; the
//! controller there watches these znodes.

use std::collections::{BTreeMap, BTreeSet};

use ottla_base::ids::Uuid;
use ottla_base::random::Random;
use ottla_keeper::ops::{AclEntry, CreateMode, KeeperError, KeeperOp, KeeperReply};
use serde_json::{Map, Value, json};

use crate::keeper_client::KeeperClient;

/// What went wrong, in one line for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZkAdminError {
    /// The topic is there already.
    TopicExists(String),
    NoSuchTopic(String),
    /// The request makes no sense for this cluster.
    Invalid(String),
    /// The keeper failed us.
    Keeper(KeeperError),
    /// A znode does not hold what Kafka writes there.
    Malformed(String),
}

impl std::fmt::Display for ZkAdminError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TopicExists(topic) => write!(f, "Topic '{topic}' already exists."),
            Self::NoSuchTopic(topic) => write!(f, "Topic '{topic}' does not exist."),
            Self::Invalid(text) => f.write_str(text),
            Self::Keeper(KeeperError::Code(code)) => write!(f, "the keeper refused: {code}"),
            Self::Keeper(KeeperError::Multi { code, .. }) => write!(f, "the keeper refused: {code}"),
            Self::Keeper(KeeperError::ConnectionLoss) => f.write_str("lost the connection to the keeper"),
            Self::Keeper(KeeperError::SessionExpired) => f.write_str("the keeper session has expired"),
            Self::Malformed(path) => write!(f, "{path} does not hold what Kafka writes there"),
        }
    }
}

impl std::error::Error for ZkAdminError {}

impl From<KeeperError> for ZkAdminError {
    fn from(error: KeeperError) -> Self {
        Self::Keeper(error)
    }
}

type Result<T> = std::result::Result<T, ZkAdminError>;

/// A partition as its znode tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZkPartition {
    pub partition: i32,
    pub replicas: Vec<i32>,
    /// `None` when the controller has not chosen one, or none is alive.
    pub leader: Option<i32>,
    pub isr: Vec<i32>,
}

/// A topic as its znodes tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZkTopic {
    pub name: String,
    /// `None` before Kafka 2.8.
    pub id: Option<Uuid>,
    /// Sorted by number.
    pub partitions: Vec<ZkPartition>,
    pub configs: BTreeMap<String, String>,
    /// A deletion was asked for and is not done.
    pub is_being_deleted: bool,
}

/// A registered broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZkBroker {
    pub id: i32,
    pub rack: Option<String>,
    /// `host:port` of the first endpoint that speaks plain text, or of the first one.
    pub address: Option<String>,
}

/// An administrator who speaks to the keeper alone.
#[derive(Clone, Debug)]
pub struct ZkAdmin {
    keeper: KeeperClient,
}

impl ZkAdmin {
    #[must_use]
    pub fn new(keeper: KeeperClient) -> Self {
        Self { keeper }
    }

    /// The children of `path`, sorted; none when it is not there.
    async fn children(&self, path: &str) -> Result<BTreeSet<String>> {
        match self.keeper.call(KeeperOp::GetChildren { path: path.to_owned(), watch: false }).await {
            Ok(KeeperReply::Children { children, .. }) => Ok(children.into_iter().collect()),
            Ok(_) => Err(ZkAdminError::Malformed(path.to_owned())),
            Err(e) if e.is_no_node() => Ok(BTreeSet::new()),
            Err(e) => Err(e.into()),
        }
    }

    /// The JSON in `path` and its version; `None` when it is not there.
    async fn json(&self, path: &str) -> Result<Option<(Value, i32)>> {
        let malformed = || ZkAdminError::Malformed(path.to_owned());
        match self.keeper.call(KeeperOp::GetData { path: path.to_owned(), watch: false }).await {
            Ok(KeeperReply::Data { data, stat }) => {
                let value = serde_json::from_slice(&data.unwrap_or_default()).map_err(|_| malformed())?;
                Ok(Some((value, stat.version)))
            }
            Ok(_) => Err(malformed()),
            Err(e) if e.is_no_node() => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    async fn create(
        &self,
        path: String,
        data: Option<Vec<u8>>,
        mode: CreateMode,
    ) -> std::result::Result<(), KeeperError> {
        let op = KeeperOp::Create { path, data, acl: AclEntry::open(), mode };
        self.keeper.call(op).await.map(drop)
    }

    /// The brokers that are alive.
    pub async fn brokers(&self) -> Result<Vec<ZkBroker>> {
        let mut brokers = Vec::new();
        for name in self.children("/brokers/ids").await? {
            let path = format!("/brokers/ids/{name}");
            let id = name.parse().map_err(|_| ZkAdminError::Malformed(path.clone()))?;
            // It may be gone by now.
            if let Some((broker, _)) = self.json(&path).await? {
                let rack = broker.get("rack").and_then(Value::as_str).map(str::to_owned);
                brokers.push(ZkBroker { id, rack, address: address(&broker) });
            }
        }
        brokers.sort_by_key(|broker| broker.id);
        Ok(brokers)
    }

    /// The names of all topics.
    pub async fn topics(&self) -> Result<BTreeSet<String>> {
        self.children("/brokers/topics").await
    }

    /// One topic.
    pub async fn describe_topic(&self, name: &str) -> Result<ZkTopic> {
        let path = format!("/brokers/topics/{name}");
        let (topic, _) = self.json(&path).await?.ok_or_else(|| ZkAdminError::NoSuchTopic(name.to_owned()))?;
        let mut partitions = Vec::new();
        for (partition, replicas) in read_assignment(&topic).ok_or_else(|| ZkAdminError::Malformed(path.clone()))? {
            let state = self.json(&format!("{path}/partitions/{partition}/state")).await?.map(|(state, _)| state);
            let leader = state.as_ref().and_then(|state| state.get("leader")).and_then(Value::as_i64);
            let leader = leader.and_then(|id| i32::try_from(id).ok()).filter(|&id| id >= 0);
            let isr = state.as_ref().and_then(|state| ids(state.get("isr")?)).unwrap_or_default();
            partitions.push(ZkPartition { partition, replicas, leader, isr });
        }
        let config = self.json(&format!("/config/topics/{name}")).await?;
        let configs = config.and_then(|(config, _)| {
            let entries = config.get("config")?.as_object()?;
            Some(entries.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect())
        });
        let deleting = self.children("/admin/delete_topics").await?;
        Ok(ZkTopic {
            name: name.to_owned(),
            id: topic.get("topic_id").and_then(Value::as_str).and_then(Uuid::parse),
            partitions,
            configs: configs.unwrap_or_default(),
            is_being_deleted: deleting.contains(name),
        })
    }

    /// Creates a topic whose replicas are spread over the brokers that are alive. `seed` decides where that begins.
    pub async fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        replication_factor: i32,
        configs: &BTreeMap<String, String>,
        seed: u64,
    ) -> Result<()> {
        let brokers: Vec<i32> = self.brokers().await?.into_iter().map(|broker| broker.id).collect();
        let assignment = spread(&brokers, partitions, replication_factor, 0, &mut Random::new(seed))?;
        self.create_topic_with(name, &assignment, configs, seed).await
    }

    /// Creates a topic with its replicas placed by hand. Settings come first, so that the logs begin with them.
    pub async fn create_topic_with(
        &self,
        name: &str,
        assignment: &[Vec<i32>],
        configs: &BTreeMap<String, String>,
        seed: u64,
    ) -> Result<()> {
        check_name(name)?;
        let topics = self.topics().await?;
        if topics.contains(name) {
            return Err(ZkAdminError::TopicExists(name.to_owned()));
        }
        // In metrics '.' becomes '_', so that two names would be one.
        if let Some(other) = topics.iter().find(|other| other.replace('.', "_") == name.replace('.', "_")) {
            return Err(ZkAdminError::Invalid(format!("Topic '{name}' collides with existing topics: {other}")));
        }
        for path in ["/config", "/config/topics", "/brokers", "/brokers/topics"] {
            match self.create(path.to_owned(), None, CreateMode::Persistent).await {
                Err(e) if !e.is_node_exists() => return Err(e.into()),
                _ => {}
            }
        }
        self.write_configs(name, configs).await?;
        let mut id = [0; 16];
        Random::new(seed ^ 0x746f_7069_6373).fill(&mut id);
        let topic = topic_json(assignment, Some(Uuid::from_random(id)));
        match self.create(format!("/brokers/topics/{name}"), Some(topic), CreateMode::Persistent).await {
            Err(e) if e.is_node_exists() => Err(ZkAdminError::TopicExists(name.to_owned())),
            other => Ok(other?),
        }
    }

    async fn write_configs(&self, name: &str, configs: &BTreeMap<String, String>) -> Result<()> {
        let path = format!("/config/topics/{name}");
        let data = Some(json!({ "version": 1, "config": configs }).to_string().into_bytes());
        match self.create(path.clone(), data.clone(), CreateMode::Persistent).await {
            Err(e) if e.is_node_exists() => {
                self.keeper.call(KeeperOp::SetData { path, data, version: -1 }).await?;
                Ok(())
            }
            other => Ok(other?),
        }
    }

    /// Sets and removes settings of a topic and tells the brokers.
    pub async fn alter_topic_configs(
        &self,
        name: &str,
        set: &BTreeMap<String, String>,
        remove: &[String],
    ) -> Result<()> {
        let mut configs = self.describe_topic(name).await?.configs;
        configs.retain(|setting, _| !remove.contains(setting));
        configs.extend(set.clone());
        self.write_configs(name, &configs).await?;
        let data = json!({ "version": 2, "entity_path": format!("topics/{name}") }).to_string().into_bytes();
        let path = "/config/changes/config_change_".to_owned();
        Ok(self.create(path, Some(data), CreateMode::PersistentSequential).await?)
    }

    /// Raises the number of partitions to `count`.
    pub async fn add_partitions(&self, name: &str, count: i32, seed: u64) -> Result<()> {
        let path = format!("/brokers/topics/{name}");
        let (mut topic, version) = self.json(&path).await?.ok_or_else(|| ZkAdminError::NoSuchTopic(name.to_owned()))?;
        let mut assignment = read_assignment(&topic).ok_or_else(|| ZkAdminError::Malformed(path.clone()))?;
        let present = assignment.len() as i32;
        if count <= present {
            let text = format!(
                "The number of partitions for a topic can only be increased. Topic {name} currently has {present} partitions, {count} would not be an increase."
            );
            return Err(ZkAdminError::Invalid(text));
        }
        let factor = assignment.first_key_value().map_or(1, |(_, replicas)| replicas.len() as i32);
        let brokers: Vec<i32> = self.brokers().await?.into_iter().map(|broker| broker.id).collect();
        let fresh = spread(&brokers, count - present, factor, present, &mut Random::new(seed))?;
        assignment.extend((present..).zip(fresh));
        let partitions = assignment.into_iter().map(|(partition, replicas)| (partition.to_string(), json!(replicas)));
        topic["partitions"] = Value::Object(partitions.collect());
        let data = Some(topic.to_string().into_bytes());
        self.keeper.call(KeeperOp::SetData { path, data, version }).await?;
        Ok(())
    }

    /// Asks the controller to delete a topic.
    pub async fn delete_topic(&self, name: &str) -> Result<()> {
        if !self.topics().await?.contains(name) {
            return Err(ZkAdminError::NoSuchTopic(name.to_owned()));
        }
        match self.create(format!("/admin/delete_topics/{name}"), None, CreateMode::Persistent).await {
            // Asked for already.
            Err(e) if e.is_node_exists() => Ok(()),
            other => Ok(other?),
        }
    }
}

fn address(broker: &Value) -> Option<String> {
    let endpoints: Vec<&str> = broker.get("endpoints")?.as_array()?.iter().filter_map(Value::as_str).collect();
    let plain = endpoints.iter().find(|endpoint| endpoint.starts_with("PLAINTEXT://")).or(endpoints.first())?;
    plain.split_once("://").map(|(_, address)| address.to_owned())
}

fn ids(value: &Value) -> Option<Vec<i32>> {
    value.as_array()?.iter().map(|id| id.as_i64().and_then(|id| i32::try_from(id).ok())).collect()
}

fn read_assignment(topic: &Value) -> Option<BTreeMap<i32, Vec<i32>>> {
    let partitions = topic.get("partitions")?.as_object()?;
    partitions.iter().map(|(partition, replicas)| Some((partition.parse().ok()?, ids(replicas)?))).collect()
}

/// What `/brokers/topics/{topic}` holds.
fn topic_json(assignment: &[Vec<i32>], id: Option<Uuid>) -> Vec<u8> {
    let partitions: Map<String, Value> =
        assignment.iter().enumerate().map(|(partition, replicas)| (partition.to_string(), json!(replicas))).collect();
    let mut topic = json!({ "version": 3, "partitions": partitions, "adding_replicas": {}, "removing_replicas": {} });
    if let Some(id) = id {
        topic["topic_id"] = json!(id.to_string());
    }
    topic.to_string().into_bytes()
}

/// What Kafka takes as a topic's name.
fn check_name(name: &str) -> Result<()> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let why = if name.is_empty() {
        "it is empty"
    } else if name == "." || name == ".." {
        "it is '.' or '..'"
    } else if name.len() > 249 {
        "it is longer than 249 characters"
    } else if !name.chars().all(is_legal) {
        "it contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    } else {
        return Ok(());
    };
    Err(ZkAdminError::Invalid(format!("Topic name is invalid: '{name}': {why}")))
}

/// Spreads replicas so that leaders take turns and the followers of one broker's partitions are not all on the same
/// other broker: the first replica goes round the brokers from a random start, the others follow it at a distance that
/// grows by one with every round.
#[doc(alias = "assignReplicasToBrokersRackUnaware")]
fn spread(brokers: &[i32], partitions: i32, factor: i32, first: i32, random: &mut Random) -> Result<Vec<Vec<i32>>> {
    if partitions <= 0 {
        return Err(ZkAdminError::Invalid("Number of partitions must be larger than 0.".to_owned()));
    }
    if factor <= 0 {
        return Err(ZkAdminError::Invalid("Replication factor must be larger than 0.".to_owned()));
    }
    let count = brokers.len();
    if factor as usize > count {
        let text = format!("Replication factor: {factor} larger than available brokers: {count}.");
        return Err(ZkAdminError::Invalid(text));
    }
    let (start, mut shift) = (random.index(count), random.index(count));
    let mut assignment = Vec::new();
    for partition in first as usize..(first + partitions) as usize {
        if partition > 0 && partition % count == 0 {
            shift += 1;
        }
        let leader = (partition + start) % count;
        let follower = |i: usize| (leader + 1 + (shift + i) % (count - 1)) % count;
        let mut replicas = vec![brokers[leader]];
        replicas.extend((0..factor as usize - 1).map(|i| brokers[follower(i)]));
        assignment.push(replicas);
    }
    Ok(assignment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_are_spread() {
        let brokers = [1, 2, 3, 4, 5];
        let assignment = spread(&brokers, 10, 3, 0, &mut Random::new(3)).expect("fits");
        for replicas in &assignment {
            assert_eq!(replicas.iter().collect::<BTreeSet<_>>().len(), 3, "{assignment:?}");
        }
        for broker in brokers {
            assert_eq!(assignment.iter().filter(|replicas| replicas[0] == broker).count(), 2);
            assert_eq!(assignment.iter().filter(|replicas| replicas.contains(&broker)).count(), 6);
        }
        assert_eq!(spread(&[7], 2, 1, 0, &mut Random::new(1)).expect("fits"), [[7], [7]]);
        let error = spread(&[1], 1, 3, 0, &mut Random::new(1)).expect_err("too few");
        assert_eq!(error.to_string(), "Replication factor: 3 larger than available brokers: 1.");
    }

    #[test]
    fn znodes_are_kafkas() {
        let real = br#"{"partitions":{"0":[1],"1":[1]},"topic_id":"J3djl-ghQxmTpt0mk55D_Q","adding_replicas":{},"removing_replicas":{},"version":3}"#;
        let real: Value = serde_json::from_slice(real).expect("json");
        assert_eq!(read_assignment(&real), Some(BTreeMap::from([(0, vec![1]), (1, vec![1])])));
        let own = topic_json(&[vec![1], vec![1]], Uuid::parse("J3djl-ghQxmTpt0mk55D_Q"));
        assert_eq!(serde_json::from_slice::<Value>(&own).expect("json"), real);
        assert!(read_assignment(&json!({ "partitions": { "x": [1] } })).is_none());
        for bad in ["", ".", "a b", "ü"] {
            assert!(check_name(bad).is_err());
        }
    }
}
