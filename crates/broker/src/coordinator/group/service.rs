//! The group coordinator of this broker: what handlers, the control plane and the server's threads call.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ottla_base::ids::TopicPartition;
use ottla_base::random::Random;
use ottla_base::time::Now;
use ottla_protocol::ErrorCode;
use parking_lot::Mutex;

use super::classic_group::GroupState;
use super::config::GroupConfig;
use super::messages::{
    DescribedGroup, GroupReply, GroupRequest, ListedGroup, OffsetFetchReply, OffsetFetchRequest, Text,
};
use super::shard::GroupShard;
use crate::control::{ControlInbox, ControlInput, LocalDone, LocalRequest};
use crate::coordinator::internal_topics::{CONSUMER_OFFSETS, partition_for};
use crate::coordinator::log::CoordinatorLog;
use crate::coordinator::replica_log::ReplicaLog;
use crate::coordinator::runtime::{Callback, Outcome, Runtime, RuntimeSettings};
use crate::metadata_cache::DeletedPartition;
use crate::partition::{Partition, PartitionListener};
use crate::replica_manager::{MetadataListener, ReplicaManager};

/// The groups whose partitions of `__consumer_offsets` this broker leads.
#[doc(alias = "GroupCoordinatorService")]
pub struct GroupCoordinator {
    config: Arc<GroupConfig>,
    runtime: Runtime<GroupShard>,
    log: Arc<dyn CoordinatorLog>,
    /// `__consumer_offsets` was asked for and is not there yet.
    creating_topic: Arc<AtomicBool>,
}

impl std::fmt::Debug for GroupCoordinator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupCoordinator").field("runtime", &self.runtime).finish_non_exhaustive()
    }
}

impl GroupCoordinator {
    /// `random` is what member ids are made of.
    #[must_use]
    pub fn new(config: GroupConfig, log: Arc<dyn CoordinatorLog>, random: Random) -> Self {
        let config = Arc::new(config);
        let settings = RuntimeSettings {
            write_timeout_ms: config.offsets_commit_timeout_ms.max(1) as u64,
            load_chunk_bytes: config.offsets_load_buffer_size.max(1) as usize,
        };
        let (shard_config, random) = (config.clone(), Mutex::new(random));
        let make_shard = Box::new(move |_| GroupShard::new(shard_config.clone(), random.lock().fork()));
        Self {
            config,
            runtime: Runtime::new(CONSUMER_OFFSETS, log.clone(), settings, make_shard),
            log,
            creating_topic: Arc::default(),
        }
    }

    /// The group coordinator of a broker, told of the partitions of `__consumer_offsets` that come and go.
    #[must_use]
    pub fn over(replicas: &Arc<ReplicaManager>) -> Arc<Self> {
        let config = GroupConfig::from(&*replicas.shared.config.broker());
        let log = ReplicaLog::new(replicas, config.offsets_topic_compression_codec);
        let random = replicas.shared.random.lock().fork();
        let groups = Arc::new(Self::new(config, Arc::new(log), random));
        replicas.add_listener(CONSUMER_OFFSETS, groups.clone());
        replicas.shared.metadata_listeners.write().push(groups.clone());
        groups
    }

    #[must_use]
    pub fn config(&self) -> &GroupConfig {
        &self.config
    }

    /// Has `__consumer_offsets` made, unless that is under way.
    pub fn create_topic(&self, control: &dyn ControlInbox) {
        if self.creating_topic.swap(true, Ordering::AcqRel) {
            return;
        }
        let creating = self.creating_topic.clone();
        let done = LocalDone(Box::new(move |result| {
            creating.store(false, Ordering::Release);
            if let Err(error) = result {
                tracing::warn!(?error, "{CONSUMER_OFFSETS} could not be made");
            }
        }));
        let request = LocalRequest::CreateTopics { names: vec![CONSUMER_OFFSETS.to_owned()], done: Some(done) };
        control.submit(ControlInput::Local(request));
    }

    /// The partition of `__consumer_offsets` that a group belongs to.
    #[must_use]
    pub fn partition_for(&self, group_id: &str) -> i32 {
        let configured = self.config.offsets_topic_num_partitions;
        partition_for(group_id, self.log.partition_count(CONSUMER_OFFSETS).unwrap_or(configured).max(1))
    }

    /// This broker leads a partition of `__consumer_offsets` from now on.
    pub fn elect(&self, now: Now, partition: i32, leader_epoch: i32) {
        self.runtime.elect(now, partition, leader_epoch);
    }

    /// This broker doesn't lead the partition any more; without an epoch it is gone for good.
    pub fn resign(&self, now: Now, partition: i32, leader_epoch: Option<i32>) {
        self.runtime.resign(now, partition, leader_epoch);
    }

    /// Loads a piece of a partition; true while there is more. For a background thread, after [`elect`](Self::elect).
    pub fn run_loads(&self, now: Now) -> bool {
        self.runtime.run_loads(now)
    }

    /// Runs timers; every 100 ms or more often.
    pub fn tick(&self, now: Now) {
        self.runtime.tick(now);
    }

    /// The high watermark of a partition of `__consumer_offsets` moved.
    pub fn high_watermark_moved(&self, now: Now, partition: i32) {
        self.runtime.advance(now, partition);
    }

    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.runtime.next_deadline_ms()
    }

    /// Runs a request of one group, which names the shard; `callback` is called if the answer has to wait.
    pub fn request(
        &self,
        now: Now,
        group_id: &str,
        request: GroupRequest,
        callback: &mut dyn FnMut() -> Callback<GroupReply>,
    ) -> Outcome<GroupReply> {
        self.request_at(now, self.partition_for(group_id), request, callback)
    }

    fn request_at(
        &self,
        now: Now,
        partition: i32,
        request: GroupRequest,
        callback: &mut dyn FnMut() -> Callback<GroupReply>,
    ) -> Outcome<GroupReply> {
        match self.runtime.request(now, partition, request, callback) {
            Ok(outcome) => outcome,
            // A member can't know that its group is being loaded, and has done nothing wrong.
            Err((GroupRequest::Heartbeat(_), ErrorCode::CoordinatorLoadInProgress)) => {
                Outcome::Now(GroupReply::Heartbeat(ErrorCode::None))
            }
            Err((request, error)) => Outcome::Now(request.failed(error)),
        }
    }

    /// Deletes groups, of whatever shards; `callback` gets the results if any of them has to wait.
    pub fn delete_groups(
        &self,
        now: Now,
        group_ids: Vec<Text>,
        callback: &mut dyn FnMut() -> Callback<Vec<(Text, ErrorCode)>>,
    ) -> Outcome<Vec<(Text, ErrorCode)>> {
        let mut by_partition: BTreeMap<i32, Vec<Text>> = BTreeMap::new();
        for group_id in group_ids {
            by_partition.entry(self.partition_for(&group_id)).or_default().push(group_id);
        }
        let requests = by_partition.into_iter().map(|(p, ids)| (p, GroupRequest::DeleteGroups(ids))).collect();
        let merge = |replies: Vec<GroupReply>| {
            let results = |reply| if let GroupReply::DeleteGroups(results) = reply { results } else { Vec::new() };
            replies.into_iter().flat_map(results).collect()
        };
        self.request_all(now, requests, merge, callback)
    }

    /// Runs requests of several groups; the answers are in their order.
    pub fn fetch_offsets(
        &self,
        now: Now,
        requests: Vec<OffsetFetchRequest>,
        callback: &mut dyn FnMut() -> Callback<Vec<OffsetFetchReply>>,
    ) -> Outcome<Vec<OffsetFetchReply>> {
        let requests =
            requests.into_iter().map(|r| (self.partition_for(&r.group_id), GroupRequest::OffsetFetch(r))).collect();
        let merge = |replies: Vec<GroupReply>| {
            let fetched = |reply| if let GroupReply::OffsetFetch(reply) = reply { Some(reply) } else { None };
            replies.into_iter().filter_map(fetched).collect()
        };
        self.request_all(now, requests, merge, callback)
    }

    fn request_all<T: 'static>(
        &self,
        now: Now,
        requests: Vec<(i32, GroupRequest)>,
        merge: fn(Vec<GroupReply>) -> T,
        callback: &mut dyn FnMut() -> Callback<T>,
    ) -> Outcome<T> {
        let gather = Arc::new(Mutex::new(Gather { replies: vec![None; requests.len()], callback: None, merge }));
        for (index, (partition, request)) in requests.into_iter().enumerate() {
            let outcome = self.request_at(now, partition, request, &mut || {
                let gather = gather.clone();
                Box::new(move |reply| put(&gather, index, reply))
            });
            if let Outcome::Now(reply) = outcome {
                gather.lock().replies[index] = Some(reply);
            }
        }
        let mut gathered = gather.lock();
        if let Some(replies) = gathered.take_if_complete() {
            return Outcome::Now(merge(replies));
        }
        gathered.callback = Some(callback());
        Outcome::Later
    }

    /// Deletes the offsets of topics that are gone, in all groups.
    pub fn topics_deleted(&self, now: Now, topics: &[Text]) {
        for partition in self.runtime.partitions() {
            let request = GroupRequest::TopicsDeleted(topics.to_vec());
            // Nobody waits for it: what fails is left to expire.
            let _ = self.request_at(now, partition, request, &mut || Box::new(|_| ()));
        }
    }

    /// The groups of all shards; an error while one of them loads.
    pub fn list_groups(&self, states: &[String], types: &[String]) -> Result<Vec<ListedGroup>, ErrorCode> {
        let mut groups = Vec::new();
        for partition in self.runtime.partitions() {
            match self.runtime.read(partition, |shard| shard.list_groups(states, types, &mut groups)) {
                Ok(()) | Err(ErrorCode::NotCoordinator) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(groups)
    }

    #[must_use]
    pub fn describe_group(&self, group_id: &Text) -> DescribedGroup {
        let described = self.runtime.read(self.partition_for(group_id), |shard| shard.describe_group(group_id));
        described.unwrap_or_else(|error| DescribedGroup {
            error,
            error_message: None,
            group_id: group_id.clone(),
            state: "",
            protocol_type: "".into(),
            protocol_data: "".into(),
            members: Vec::new(),
        })
    }

    /// Visits every committed offset of the groups here as (group, topic, partition, offset): what lag is computed from.
    pub fn committed_offsets(&self, visit: &mut dyn FnMut(&str, &str, i32, i64)) {
        for partition in self.runtime.partitions() {
            let _ = self.runtime.read(partition, |shard| shard.committed_offsets(visit));
        }
    }

    /// How many groups here are in each state.
    #[must_use]
    pub fn group_states(&self) -> BTreeMap<GroupState, usize> {
        let mut counts = BTreeMap::new();
        for partition in self.runtime.partitions() {
            let _ = self.runtime.read(partition, |shard| shard.count_states(&mut counts));
        }
        counts
    }
}

/// Answers of several shards on their way into one.
struct Gather<T> {
    replies: Vec<Option<GroupReply>>,
    /// Set when all requests are out and some wait.
    callback: Option<Callback<T>>,
    merge: fn(Vec<GroupReply>) -> T,
}

impl<T> Gather<T> {
    fn take_if_complete(&mut self) -> Option<Vec<GroupReply>> {
        if self.replies.iter().any(Option::is_none) {
            return None;
        }
        std::mem::take(&mut self.replies).into_iter().collect()
    }
}

fn put<T>(gather: &Mutex<Gather<T>>, index: usize, reply: GroupReply) {
    let mut gathered = gather.lock();
    gathered.replies[index] = Some(reply);
    if gathered.callback.is_none() {
        return;
    }
    let Some(replies) = gathered.take_if_complete() else { return };
    let (callback, merge) = (gathered.callback.take(), gathered.merge);
    drop(gathered);
    if let Some(callback) = callback {
        callback(merge(replies));
    }
}

impl PartitionListener for GroupCoordinator {
    fn became_leader(&self, now: Now, partition: &Arc<Partition>, leader_epoch: i32) {
        self.elect(now, partition.topic_partition().partition, leader_epoch);
    }

    fn resigned(&self, now: Now, partition: &TopicPartition, leader_epoch: i32) {
        self.resign(now, partition.partition, Some(leader_epoch));
    }

    fn high_watermark_advanced(&self, now: Now, partition: &TopicPartition, _high_watermark: i64) {
        self.high_watermark_moved(now, partition.partition);
    }
}

impl MetadataListener for GroupCoordinator {
    fn partitions_deleted(&self, now: Now, deleted: &[DeletedPartition]) {
        let mut topics: Vec<Text> = deleted.iter().map(|partition| partition.topic.clone()).collect();
        topics.dedup();
        self.topics_deleted(now, &topics);
    }
}
