//! A cluster as a client sees it: which brokers there are, who leads what, and one connection to each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ottla_base::ids::{TopicPartition, Uuid};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest, MetadataResponse};
use ottla_protocol::{ErrorCode, Request, Str};

use crate::config::ClientConfig;
use crate::connection::{Connection, ConnectionConfig, ResponseFrame};
use crate::error::{ClientError, Result, check};

/// A broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    pub id: i32,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
}

impl Broker {
    fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// A partition as the brokers described it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionMetadata {
    pub partition: i32,
    pub error: ErrorCode,
    /// `None` when nobody leads it.
    pub leader: Option<i32>,
    /// -1 when the broker doesn't tell.
    pub leader_epoch: i32,
    pub replicas: Vec<i32>,
    pub isr: Vec<i32>,
    pub offline_replicas: Vec<i32>,
}

/// A topic as the brokers described it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMetadata {
    pub name: Arc<str>,
    /// Zero before 2.8.
    pub id: Uuid,
    pub error: ErrorCode,
    pub is_internal: bool,
    /// Sorted by number.
    pub partitions: Vec<PartitionMetadata>,
}

impl TopicMetadata {
    #[must_use]
    pub fn partition(&self, partition: i32) -> Option<&PartitionMetadata> {
        let index = self.partitions.binary_search_by_key(&partition, |p| p.partition).ok()?;
        self.partitions.get(index)
    }
}

/// One answer to a Metadata request.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    pub cluster_id: Option<String>,
    pub controller: Option<i32>,
    pub brokers: BTreeMap<i32, Broker>,
    pub topics: BTreeMap<Arc<str>, TopicMetadata>,
}

/// Which topics to ask for.
#[derive(Clone, Copy, Debug)]
pub enum Topics<'a> {
    None,
    All,
    /// With leave to create those that are missing.
    Named {
        names: &'a [Arc<str>],
        create: bool,
    },
}

/// What a coordinator coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoordinatorKind {
    Group = 0,
    Transaction = 1,
}

#[derive(Default)]
struct State {
    brokers: BTreeMap<i32, Broker>,
    controller: Option<i32>,
    topics: BTreeMap<Arc<str>, (Instant, TopicMetadata)>,
}

/// A broker's connection, held while it is being made, so that it is made once.
type Slot = Arc<tokio::sync::Mutex<Option<Connection>>>;

struct Inner {
    config: ClientConfig,
    state: Mutex<State>,
    /// By broker id; the connection to whichever broker of the bootstrap list answered has none.
    nodes: Mutex<BTreeMap<Option<i32>, Slot>>,
}

/// A handle; clones share it.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("bootstrap", &self.inner.config.bootstrap).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What the locks here guard is consistent between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cluster {
    /// A handle that has not connected to anybody yet.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        Self { inner: Arc::new(Inner { config, state: Mutex::default(), nodes: Mutex::default() }) }
    }

    /// Learns the brokers from the first one of the list that answers.
    pub async fn connect(config: ClientConfig) -> Result<Self> {
        let cluster = Self::new(config);
        cluster.metadata(Topics::None).await?;
        Ok(cluster)
    }

    #[must_use]
    pub fn config(&self) -> &ClientConfig {
        &self.inner.config
    }

    fn connection_config(&self) -> ConnectionConfig {
        let config = &self.inner.config;
        ConnectionConfig {
            client_id: config.client_id.clone(),
            connect_timeout: config.connect_timeout,
            request_timeout: config.request_timeout,
        }
    }

    /// The connection to a broker of which metadata told.
    pub async fn node(&self, id: i32) -> Result<Connection> {
        let address = lock(&self.inner.state).brokers.get(&id).map(Broker::address);
        let Some(address) = address else {
            return Err(ClientError::Unreachable(format!("broker {id} is not available")));
        };
        let slot = self.slot(Some(id));
        let mut slot = slot.lock().await;
        match &*slot {
            Some(open) if open.is_open() && open.broker() == address => Ok(open.clone()),
            _ => {
                let fresh = Connection::connect(&address, &self.connection_config()).await?;
                *slot = Some(fresh.clone());
                Ok(fresh)
            }
        }
    }

    /// A connection that is nobody else's, for requests that wait on purpose: nothing behind them is answered before
    /// them. `address` is `host:port`.
    pub async fn connect_to(&self, address: &str) -> Result<Connection> {
        Connection::connect(address, &self.connection_config()).await
    }

    /// The address of a broker of which metadata told.
    #[must_use]
    pub fn address(&self, id: i32) -> Option<String> {
        lock(&self.inner.state).brokers.get(&id).map(Broker::address)
    }

    /// The number of partitions of a topic, as far as is known.
    #[must_use]
    pub fn partition_count(&self, topic: &str) -> Option<usize> {
        lock(&self.inner.state).topics.get(topic).map(|(_, topic)| topic.partitions.len())
    }

    fn slot(&self, id: Option<i32>) -> Slot {
        lock(&self.inner.nodes).entry(id).or_default().clone()
    }

    /// A connection to any broker: one that is open, a known one, or one of the bootstrap list.
    pub async fn any(&self) -> Result<Connection> {
        let slots: Vec<_> = lock(&self.inner.nodes).values().cloned().collect();
        for slot in slots {
            if let Ok(slot) = slot.try_lock()
                && let Some(open) = slot.as_ref().filter(|connection| connection.is_open())
            {
                return Ok(open.clone());
            }
        }
        let ids: Vec<i32> = lock(&self.inner.state).brokers.keys().copied().collect();
        for id in ids {
            if let Ok(connection) = self.node(id).await {
                return Ok(connection);
            }
        }
        self.bootstrap().await
    }

    async fn bootstrap(&self) -> Result<Connection> {
        let slot = self.slot(None);
        let mut slot = slot.lock().await;
        if let Some(open) = slot.as_ref().filter(|connection| connection.is_open()) {
            return Ok(open.clone());
        }
        let config = &self.inner.config;
        let mut why = String::new();
        for server in &config.bootstrap {
            match Connection::connect(server, &self.connection_config()).await {
                Ok(connection) => {
                    *slot = Some(connection.clone());
                    return Ok(connection);
                }
                Err(ClientError::Unreachable(text)) => {
                    why =
                        text.strip_prefix(server).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&text).to_owned();
                }
                Err(ClientError::Disconnected { why: text, .. }) => why = text,
                Err(e) => why = e.to_string(),
            }
        }
        let servers = config.bootstrap.join(",");
        Err(ClientError::Unreachable(format!("no broker of {servers} answered: {why}; is the server running?")))
    }

    /// Asks a broker for metadata, tries others when one fails, and remembers the answer.
    pub async fn metadata(&self, topics: Topics<'_>) -> Result<Metadata> {
        let deadline = Instant::now() + self.inner.config.api_timeout;
        let mut tries = Backoff::new(self.inner.config.retry_backoff);
        loop {
            let connection = self.any().await?;
            match self.metadata_of(&connection, topics).await {
                Err(e) if e.is_retriable() && Instant::now() < deadline => tries.pause().await,
                other => return other,
            }
        }
    }

    async fn metadata_of(&self, connection: &Connection, topics: Topics<'_>) -> Result<Metadata> {
        let version = connection.version_up_to::<MetadataRequest<'_>>(i16::MAX)?;
        let named = |names: &[Arc<str>]| {
            let topic =
                |name: &Arc<str>| MetadataRequestTopic { name: Some(name.to_string().into()), ..Default::default() };
            names.iter().map(topic).collect()
        };
        let (topics, create) = match topics {
            Topics::All if version == 0 => (Some(Vec::new()), true),
            Topics::All => (None, false),
            Topics::None => (Some(Vec::new()), false),
            Topics::Named { names, create } => (Some(named(names)), create),
        };
        // Before version 4 the broker's own setting decides.
        let allow_auto_topic_creation = create || version < 4;
        let request = MetadataRequest { topics, allow_auto_topic_creation, ..Default::default() };
        let frame = connection.call_version(&request, version).await?;
        let answer: MetadataResponse<'_> = frame.decode()?;
        check(answer.error_code, None, || "metadata".to_owned())?;
        let metadata = read_metadata(&answer);
        self.remember(&metadata);
        Ok(metadata)
    }

    fn remember(&self, metadata: &Metadata) {
        let now = Instant::now();
        let mut state = lock(&self.inner.state);
        if !metadata.brokers.is_empty() {
            state.brokers.clone_from(&metadata.brokers);
        }
        state.controller = metadata.controller;
        for (name, topic) in &metadata.topics {
            state.topics.insert(name.clone(), (now, topic.clone()));
        }
    }

    /// What is known of `topic`, asked for when it is unknown or old. Waits, up to the API timeout, for a topic that is
    /// being created to have leaders.
    pub async fn topic(&self, topic: &Arc<str>, create: bool) -> Result<TopicMetadata> {
        if let Some((asked, known)) = lock(&self.inner.state).topics.get(topic)
            && asked.elapsed() < self.inner.config.metadata_max_age
            && known.error.is_none()
            && !known.partitions.is_empty()
        {
            return Ok(known.clone());
        }
        let deadline = Instant::now() + self.inner.config.api_timeout;
        let mut tries = Backoff::new(self.inner.config.retry_backoff);
        loop {
            let names = [topic.clone()];
            let metadata = self.metadata(Topics::Named { names: &names, create }).await?;
            let error = match metadata.topics.get(topic) {
                Some(found) if found.error.is_none() => return Ok(found.clone()),
                Some(found) => found.error,
                None => ErrorCode::UnknownTopicOrPartition,
            };
            let hopeless = !create && error == ErrorCode::UnknownTopicOrPartition;
            if hopeless || !error.is_retriable() || Instant::now() >= deadline {
                return Err(ClientError::Refused { code: error, message: None, what: format!("topic {topic}") });
            }
            tries.pause().await;
        }
    }

    /// The known leader of a partition; `None` makes the caller refresh.
    #[must_use]
    pub fn leader(&self, partition: &TopicPartition) -> Option<(i32, i32)> {
        let state = lock(&self.inner.state);
        let (_, topic) = state.topics.get(&partition.topic)?;
        let found = topic.partition(partition.partition)?;
        found.leader.map(|leader| (leader, found.leader_epoch))
    }

    /// Forgets what is known of `topic`, so that it is asked for again.
    pub fn forget(&self, topic: &str) {
        lock(&self.inner.state).topics.remove(topic);
    }

    /// The brokers known last.
    #[must_use]
    pub fn brokers(&self) -> Vec<Broker> {
        lock(&self.inner.state).brokers.values().cloned().collect()
    }

    /// The controller, looked up when it is unknown.
    pub async fn controller(&self) -> Result<Connection> {
        let known = lock(&self.inner.state).controller;
        let id = match known {
            Some(id) => id,
            None => match self.metadata(Topics::None).await?.controller {
                Some(id) => id,
                // Any broker of a KRaft cluster forwards to the controller.
                None => return self.any().await,
            },
        };
        self.node(id).await
    }

    /// Forgets the controller, so that it is asked for again.
    pub fn forget_controller(&self) {
        lock(&self.inner.state).controller = None;
    }

    /// The connection to the coordinator of `key`; tries again while it is being loaded or elected.
    pub async fn coordinator(&self, kind: CoordinatorKind, key: &str) -> Result<Connection> {
        self.retry(|| async {
            let connection = self.any().await?;
            let version = connection.version_up_to::<FindCoordinatorRequest<'_>>(i16::MAX)?;
            let mut request = FindCoordinatorRequest { key_type: kind as i8, ..Default::default() };
            if version >= 4 {
                request.coordinator_keys = vec![Str::Borrowed(key)];
            } else {
                request.key = Str::Borrowed(key);
            }
            let frame = connection.call_version(&request, version).await?;
            let answer: FindCoordinatorResponse<'_> = frame.decode()?;
            let what = || format!("coordinator of {key}");
            let (id, host, port) = match answer.coordinators.first() {
                Some(found) => {
                    check(found.error_code, found.error_message.as_deref(), what)?;
                    (found.node_id, &found.host, found.port)
                }
                None => {
                    check(answer.error_code, answer.error_message.as_deref(), what)?;
                    (answer.node_id, &answer.host, answer.port)
                }
            };
            let broker = Broker { id, host: host.to_string(), port, rack: None };
            lock(&self.inner.state).brokers.entry(id).or_insert(broker);
            self.node(id).await
        })
        .await
    }

    /// Runs `attempt` until it succeeds, fails for good, or the API timeout is over.
    pub async fn retry<T, F: Future<Output = Result<T>>>(&self, mut attempt: impl FnMut() -> F) -> Result<T> {
        let deadline = Instant::now() + self.inner.config.api_timeout;
        let mut tries = Backoff::new(self.inner.config.retry_backoff);
        loop {
            match attempt().await {
                // When nobody is there at all, waiting a minute helps nobody.
                Err(e @ ClientError::Unreachable(_)) if tries.count >= 3 => return Err(e),
                Err(e) if e.is_retriable() && Instant::now() < deadline => {
                    if e.code() == Some(ErrorCode::NotController) {
                        self.forget_controller();
                    }
                    tries.pause().await;
                }
                other => return other,
            }
        }
    }

    /// Calls the controller, again when it has changed.
    pub(crate) async fn call_controller<'a, M: Request<'a>>(&self, request: &M) -> Result<ResponseFrame> {
        match self.controller().await {
            Ok(connection) => connection.call(request).await,
            Err(e) => {
                self.forget_controller();
                Err(e)
            }
        }
    }
}

fn read_metadata(answer: &MetadataResponse<'_>) -> Metadata {
    let id = |id: i32| (id >= 0).then_some(id);
    let brokers = answer.brokers.iter().map(|broker| {
        let rack = broker.rack.as_deref().map(str::to_owned);
        (broker.node_id, Broker { id: broker.node_id, host: broker.host.to_string(), port: broker.port, rack })
    });
    let topics = answer.topics.iter().map(|topic| {
        let name: Arc<str> = topic.name.as_deref().unwrap_or_default().into();
        let mut partitions: Vec<PartitionMetadata> = topic
            .partitions
            .iter()
            .map(|partition| PartitionMetadata {
                partition: partition.partition_index,
                error: ErrorCode::from_code(partition.error_code),
                leader: id(partition.leader_id),
                leader_epoch: partition.leader_epoch,
                replicas: partition.replica_nodes.clone(),
                isr: partition.isr_nodes.clone(),
                offline_replicas: partition.offline_replicas.clone(),
            })
            .collect();
        partitions.sort_by_key(|partition| partition.partition);
        let error = ErrorCode::from_code(topic.error_code);
        (name.clone(), TopicMetadata { name, id: topic.topic_id, error, is_internal: topic.is_internal, partitions })
    });
    Metadata {
        cluster_id: answer.cluster_id.as_deref().map(str::to_owned),
        controller: id(answer.controller_id),
        brokers: brokers.collect(),
        topics: topics.collect(),
    }
}

/// Growing pauses between tries.
#[derive(Debug)]
pub(crate) struct Backoff {
    pub(crate) bounds: (Duration, Duration),
    pub(crate) count: u32,
}

impl Backoff {
    pub(crate) fn new(bounds: (Duration, Duration)) -> Self {
        Self { bounds, count: 0 }
    }

    /// The next pause.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.bounds.0.saturating_mul(1 << self.count.min(10)).min(self.bounds.1);
        self.count += 1;
        pause
    }

    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.next()).await;
    }
}
