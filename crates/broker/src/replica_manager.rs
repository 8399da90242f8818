//! The partitions of which this broker holds replicas, and what the controller wants of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use ottla_base::hash::FixedMap;
use ottla_base::ids::{TopicPartition, Uuid};
use ottla_base::random::Random;
use ottla_base::time::Now;
use ottla_protocol::ErrorCode;
use ottla_storage::{AppendError, AppendOrigin, LogManager, StorageError};
use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::config::SharedConfig;
use crate::control::{ControlInbox, ControlInput, LocalRequest};
use crate::metadata_cache::{DeletedPartition, MetadataCache};
use crate::metrics::BrokerMetrics;
use crate::partition::{Appended, IsrChange, LeaderAndIsr, Partition, PartitionAppendError, PartitionListener};
use crate::purgatory::{Purgatory, Watchers};

/// Leader epoch of a partition whose topic is being deleted.
pub const EPOCH_DURING_DELETE: i32 = -2;

/// Who this broker is: known once the control plane has met the keeper.
#[derive(Debug)]
pub struct Identity {
    broker_id: AtomicI32,
    /// Epoch of this broker's registration; -1 until it is registered.
    pub(crate) broker_epoch: AtomicI64,
    cluster_id: OnceLock<Arc<str>>,
}

impl Default for Identity {
    fn default() -> Self {
        Self { broker_id: AtomicI32::new(-1), broker_epoch: AtomicI64::new(-1), cluster_id: OnceLock::new() }
    }
}

impl Identity {
    pub(crate) fn set(&self, cluster_id: &str, broker_id: i32) {
        self.broker_id.store(broker_id, Ordering::Release);
        if self.cluster_id.set(Arc::from(cluster_id)).is_err() {
            tracing::debug!(cluster_id, "the cluster's id was known already");
        }
    }
}

/// What the parts of one broker share.
#[derive(Debug)]
pub struct Shared {
    pub identity: Identity,
    /// The settings in force.
    pub config: Arc<SharedConfig>,
    pub metadata: Arc<MetadataCache>,
    pub metrics: Arc<BrokerMetrics>,
    pub purgatory: Arc<Purgatory>,
    pub control: Arc<dyn ControlInbox>,
    pub random: Mutex<Random>,
    /// Who waits for the metadata to change.
    pub metadata_watchers: Watchers,
    pub metadata_listeners: RwLock<Vec<Arc<dyn MetadataListener>>>,
}

/// One who wants to know when partitions disappear from the cluster.
pub trait MetadataListener: Send + Sync + std::fmt::Debug {
    fn partitions_deleted(&self, now: Now, deleted: &[DeletedPartition]);
}

impl Shared {
    /// The metadata cache took in an update.
    pub(crate) fn metadata_updated(&self, now: Now, deleted: &[DeletedPartition]) {
        if !deleted.is_empty() {
            let listeners = self.metadata_listeners.read().clone();
            for listener in listeners {
                listener.partitions_deleted(now, deleted);
            }
        }
        self.metadata_watchers.wake(now);
    }

    /// -1 until the control plane has said.
    #[must_use]
    pub fn broker_id(&self) -> i32 {
        self.identity.broker_id.load(Ordering::Acquire)
    }

    /// The epoch of this broker's registration; -1 until it is registered.
    #[must_use]
    pub fn broker_epoch(&self) -> i64 {
        self.identity.broker_epoch.load(Ordering::Acquire)
    }

    /// Empty until the control plane has said.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        self.identity.cluster_id.get().map_or("", |id| id)
    }

    /// A random id.
    #[must_use]
    pub fn random_uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.random.lock().fill(&mut bytes);
        Uuid::from_random(bytes)
    }
}

/// A topic and who wants to know of its partitions.
type TopicListener = (Arc<str>, Arc<dyn PartitionListener>);
type PartitionMap = FixedMap<Arc<str>, BTreeMap<i32, Arc<Partition>>>;

/// What a controller's request is checked against; held while it is carried out.
#[derive(Debug)]
pub(crate) struct ControllerState {
    pub epoch: i32,
}

#[derive(Debug)]
pub struct ReplicaManager {
    pub shared: Arc<Shared>,
    logs: Arc<LogManager>,
    partitions: RwLock<PartitionMap>,
    /// One controller request at a time changes what is led and followed here.
    state_change: Mutex<ControllerState>,
    /// `replica.lag.time.max.ms`, read at every append.
    max_lag_ms: AtomicU64,
    /// `fetch.max.bytes`, read at every fetch.
    fetch_max_bytes: AtomicU64,
    listeners: RwLock<Vec<TopicListener>>,
    isr_changes: Mutex<Vec<IsrChange>>,
    /// Directories whose failure was told to everybody.
    failed_directories: Mutex<Vec<PathBuf>>,
}

impl ReplicaManager {
    #[must_use]
    pub fn new(shared: Arc<Shared>, logs: Arc<LogManager>) -> Self {
        let (max_lag_ms, fetch_max_bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        let manager = Self {
            shared,
            logs,
            partitions: RwLock::default(),
            state_change: Mutex::new(ControllerState { epoch: 0 }),
            max_lag_ms,
            fetch_max_bytes,
            listeners: RwLock::default(),
            isr_changes: Mutex::default(),
            failed_directories: Mutex::default(),
        };
        manager.take_settings();
        manager
    }

    fn take_settings(&self) {
        let config = self.shared.config.broker();
        self.max_lag_ms.store(config.replica_lag_time_max_ms.max(0) as u64, Ordering::Relaxed);
        self.fetch_max_bytes.store(config.fetch_max_bytes.max(0) as u64, Ordering::Relaxed);
    }

    #[must_use]
    pub fn logs(&self) -> &Arc<LogManager> {
        &self.logs
    }

    /// Tells `listener` of every partition of `topic` that comes from now on.
    pub fn add_listener(&self, topic: &str, listener: Arc<dyn PartitionListener>) {
        self.listeners.write().push((Arc::from(topic), listener));
    }

    /// Takes a topic's settings from the shared ones, for its logs here.
    pub fn topic_config_changed(&self, topic: &str) {
        self.logs.update_config(topic, &Arc::new(self.shared.config.log_config(topic)));
    }

    /// Takes the broker's settings from the shared ones, for all logs here.
    pub fn broker_config_changed(&self) {
        self.take_settings();
        let topics: Vec<Arc<str>> = self.partitions.read().keys().cloned().collect();
        for topic in topics {
            self.topic_config_changed(&topic);
        }
    }

    /// The replica of a partition here.
    #[must_use]
    pub fn partition(&self, topic: &str, index: i32) -> Option<Arc<Partition>> {
        self.partitions.read().get(topic)?.get(&index).cloned()
    }

    #[must_use]
    pub fn topic_partitions(&self, topic: &str) -> Vec<Arc<Partition>> {
        self.partitions.read().get(topic).map_or_else(Vec::new, |of_topic| of_topic.values().cloned().collect())
    }

    /// All replicas here, in no particular order.
    #[must_use]
    pub fn all_partitions(&self) -> Vec<Arc<Partition>> {
        self.partitions.read().values().flat_map(BTreeMap::values).cloned().collect()
    }

    /// The replica here, or what a client is told when there is none.
    #[doc(alias = "getPartitionOrError")]
    pub fn partition_or_error(&self, topic: &str, index: i32) -> Result<Arc<Partition>, ErrorCode> {
        match self.partition(topic, index) {
            Some(partition) if partition.is_offline() => Err(ErrorCode::KafkaStorageError),
            Some(partition) => Ok(partition),
            None if self.shared.metadata.image().partition(topic, index).is_some() => {
                Err(ErrorCode::NotLeaderOrFollower)
            }
            None => Err(ErrorCode::UnknownTopicOrPartition),
        }
    }

    /// `replica.lag.time.max.ms`
    #[must_use]
    pub fn max_lag_ms(&self) -> u64 {
        self.max_lag_ms.load(Ordering::Relaxed)
    }

    /// `fetch.max.bytes`
    #[must_use]
    pub fn fetch_max_bytes(&self) -> usize {
        self.fetch_max_bytes.load(Ordering::Relaxed) as usize
    }

    /// Appends batches as the leader, setting offsets in place, and wakes who waits for them.
    pub fn append(
        &self,
        now: Now,
        partition: &Partition,
        records: &mut [u8],
        required_acks: i16,
    ) -> Result<Appended, PartitionAppendError> {
        let result = partition.append_as_leader(now, records, AppendOrigin::Client, required_acks, self.max_lag_ms());
        let (appended, advanced) = result.inspect_err(|error| self.look_for_failure(now, error))?;
        partition.appended(now, advanced);
        Ok(appended)
    }

    /// Appends a coordinator's own batch. The partition's listener is not told of the high watermark that this brings: the
    /// coordinator holds its own lock while it calls, and finds it in what is returned.
    pub fn append_internal(
        &self,
        now: Now,
        partition: &Partition,
        records: &mut [u8],
    ) -> Result<Appended, PartitionAppendError> {
        let result = partition.append_as_leader(now, records, AppendOrigin::Coordinator, -1, self.max_lag_ms());
        let (appended, _) = result.inspect_err(|error| self.look_for_failure(now, error))?;
        partition.appended(now, None);
        Ok(appended)
    }

    fn look_for_failure(&self, now: Now, error: &PartitionAppendError) {
        if let PartitionAppendError::Log(AppendError::Storage(error)) = error {
            self.log_dir_failed(now, error);
        }
    }

    /// Takes every partition of a failed log directory offline and tells the control plane, once.
    pub fn log_dir_failed(&self, now: Now, error: &StorageError) {
        self.directory_failed(now, &error.dir);
    }

    fn directory_failed(&self, now: Now, directory: &Path) {
        {
            let mut failed = self.failed_directories.lock();
            if failed.iter().any(|known| known == directory) {
                return;
            }
            failed.push(directory.to_owned());
        }
        for partition in self.all_partitions() {
            if partition.log().is_some_and(|log| log.lock().log_dir().path() == directory) {
                partition.mark_offline(now);
            }
        }
        let directory = directory.display().to_string();
        self.shared.control.submit(ControlInput::Local(LocalRequest::LogDirFailed { directory }));
    }

    /// Records how far a follower is, after its fetch was read.
    pub(crate) fn follower_fetched(
        &self,
        now: Now,
        partition: &Partition,
        follower_id: i32,
        fetch_offset: i64,
        log_start: i64,
    ) {
        let change = partition.follower_fetched(now, follower_id, fetch_offset, log_start, self.max_lag_ms());
        self.isr_changes.lock().extend(change);
    }

    /// Takes what leaders here want their ISRs to be, to be sent to the controller.
    #[must_use]
    pub fn take_isr_changes(&self) -> Vec<IsrChange> {
        std::mem::take(&mut *self.isr_changes.lock())
    }

    /// Takes notice of directories that failed outside of a request.
    pub(crate) fn look_for_failures(&self, now: Now) {
        for directory in self.logs.dirs().iter().filter(|directory| directory.is_offline()) {
            self.directory_failed(now, directory.path());
        }
    }

    /// Looks for followers that lag.
    pub(crate) fn shrink_isrs(&self, now: Now) {
        let max_lag_ms = self.max_lag_ms();
        for partition in self.all_partitions() {
            let change = partition.shrink_isr(now, max_lag_ms);
            self.isr_changes.lock().extend(change);
        }
    }

    /// Whether a controller's request is for an earlier registration of this broker; -1 is for any.
    pub(crate) fn is_broker_epoch_stale(&self, broker_epoch: i64) -> bool {
        broker_epoch != -1 && broker_epoch < self.shared.broker_epoch()
    }

    /// Starts a controller's request: refused when a newer controller has spoken.
    pub(crate) fn begin_state_change(
        &self,
        controller_epoch: i32,
    ) -> Result<MutexGuard<'_, ControllerState>, ErrorCode> {
        let mut state = self.state_change.lock();
        if controller_epoch < state.epoch {
            tracing::warn!(controller_epoch, latest = state.epoch, "a request of an old controller was refused");
            return Err(ErrorCode::StaleControllerEpoch);
        }
        state.epoch = controller_epoch;
        Ok(state)
    }

    /// The largest controller epoch that spoke to this broker.
    #[must_use]
    pub fn controller_epoch(&self) -> i32 {
        self.state_change.lock().epoch
    }

    /// Leads or follows a partition, as the controller says (one partition of LeaderAndIsr).
    #[doc(alias = "becomeLeaderOrFollower")]
    pub(crate) fn change_leadership(
        &self,
        now: Now,
        topic: &str,
        index: i32,
        topic_id: Option<Uuid>,
        told: &LeaderAndIsr,
    ) -> ErrorCode {
        let partition = self.get_or_create(topic, index);
        if partition.is_offline() {
            return ErrorCode::KafkaStorageError;
        }
        if let (Some(asked), Some(known)) = (topic_id, partition.topic_id())
            && asked != known
        {
            tracing::error!(partition = %partition.topic_partition(), %asked, %known, "the topic has another id here");
            return ErrorCode::InconsistentTopicId;
        }
        let epoch = partition.leader_epoch();
        if told.leader_epoch <= epoch {
            // The same epoch once more may bring the id that the topic had not had so far.
            return match topic_id {
                Some(id) if told.leader_epoch == epoch && partition.topic_id().is_none() => {
                    self.assign_topic_id(now, &partition, id)
                }
                _ => ErrorCode::StaleControllerEpoch,
            };
        }
        if !told.replicas.contains(&self.shared.broker_id()) {
            tracing::warn!(partition = %partition.topic_partition(), replicas = ?told.replicas, "not a replica here");
            self.forget_if_unused(&partition);
            return ErrorCode::UnknownTopicOrPartition;
        }
        if let Err(error) = self.open_log(now, &partition, topic_id) {
            self.log_dir_failed(now, &error);
            partition.mark_offline(now);
            return ErrorCode::KafkaStorageError;
        }
        let changed = if told.leader == self.shared.broker_id() {
            partition.make_leader(now, told, self.max_lag_ms())
        } else {
            partition.make_follower(now, told)
        };
        if changed {
            partition.tell_leadership(now);
        }
        ErrorCode::None
    }

    fn assign_topic_id(&self, now: Now, partition: &Partition, id: Uuid) -> ErrorCode {
        match self.open_log(now, partition, Some(id)) {
            Ok(()) => ErrorCode::None,
            Err(error) => {
                self.log_dir_failed(now, &error);
                ErrorCode::KafkaStorageError
            }
        }
    }

    fn open_log(&self, now: Now, partition: &Partition, topic_id: Option<Uuid>) -> Result<(), StorageError> {
        let log = match partition.log() {
            Some(log) => log,
            None => {
                let tp = partition.topic_partition();
                let config = Arc::new(self.shared.config.log_config(&tp.topic));
                let log = self.logs.get_or_create_log(tp, topic_id, config, now)?;
                partition.set_log(log.clone());
                log
            }
        };
        if let Some(id) = topic_id {
            log.lock().assign_topic_id(id)?;
            partition.set_topic_id(id);
        }
        Ok(())
    }

    fn get_or_create(&self, topic: &str, index: i32) -> Arc<Partition> {
        if let Some(partition) = self.partition(topic, index) {
            return partition;
        }
        let name: Arc<str> = match self.shared.metadata.image().topic(topic) {
            Some(known) => known.name.clone(),
            None => Arc::from(topic),
        };
        let listener =
            self.listeners.read().iter().find(|(of, _)| &**of == topic).map(|(_, listener)| listener.clone());
        let mut partitions = self.partitions.write();
        let of_topic = partitions.entry(name.clone()).or_default();
        let fresh = || {
            Arc::new(Partition::new(
                TopicPartition { topic: name, partition: index },
                self.shared.broker_id(),
                listener,
            ))
        };
        of_topic.entry(index).or_insert_with(fresh).clone()
    }

    fn forget_if_unused(&self, partition: &Arc<Partition>) {
        if partition.log().is_none() {
            self.remove(partition);
        }
    }

    fn remove(&self, partition: &Partition) {
        let tp = partition.topic_partition();
        let mut partitions = self.partitions.write();
        if let Some(of_topic) = partitions.get_mut(&tp.topic) {
            of_topic.remove(&tp.partition);
            if of_topic.is_empty() {
                partitions.remove(&tp.topic);
            }
        }
    }

    /// Stops a replica, and deletes it when asked to (one partition of StopReplica).
    #[doc(alias = "stopReplicas")]
    pub(crate) fn stop_replica(&self, now: Now, topic: &str, index: i32, leader_epoch: i32, delete: bool) -> ErrorCode {
        if let Some(partition) = self.partition(topic, index) {
            if partition.is_offline() {
                return ErrorCode::KafkaStorageError;
            }
            // -1 and -2: an old request without an epoch, and a topic that is being deleted.
            if leader_epoch >= 0 && leader_epoch < partition.leader_epoch() {
                return ErrorCode::FencedLeaderEpoch;
            }
            if delete {
                self.remove(&partition);
                partition.stop(now);
            } else {
                partition.stop_following(now);
            }
        }
        if !delete {
            return ErrorCode::None;
        }
        match self.logs.delete_log(&TopicPartition::new(topic, index), self.shared.random_uuid(), now) {
            Ok(_) => ErrorCode::None,
            Err(error) => {
                self.log_dir_failed(now, &error);
                ErrorCode::KafkaStorageError
            }
        }
    }
}
