//! Partition states: first states, elections, shrinking ISRs, and writing them all at once.

use std::collections::BTreeSet;

use ottla_base::ids::TopicPartition;
use ottla_keeper::ops::{KeeperOp, KeeperReply, KeeperResult};

use super::ControllerStep;
use super::context::ElectionType;
use super::requests::RequestBatch;
use crate::control_plane::ControlPlane;
use crate::lifecycle::{children, children_of, create, data_of, get, is_fenced};
use crate::znodes::{self, PartitionState};

/// Most partitions in one multi: it stays below ZooKeeper's `jute.maxbuffer` (1 MB) with the longest topic names
/// (249 characters, three times in a partition's first write) and a hundred replicas.
const PARTITIONS_PER_MULTI: usize = 400;

/// A state to be written.
#[derive(Clone, Debug)]
pub(crate) struct StateWrite {
    pub partition: TopicPartition,
    pub state: PartitionState,
    /// The state znode's version; `None` makes the znode.
    pub expected: Option<i32>,
}

/// How far a set of writes has got.
#[derive(Debug)]
enum Stage {
    /// Many in each multi.
    Together { chunks: Vec<Vec<StateWrite>> },
    /// Those whose multi failed, one by one.
    Single { writes: Vec<StateWrite>, parents: usize },
    /// Those that failed alone: read what is there.
    Reread { partitions: Vec<TopicPartition> },
}

/// A set of states being written, with what has been done.
#[derive(Debug)]
pub(crate) struct WriteJob {
    stage: Stage,
    /// Partitions whose first state this is.
    new: BTreeSet<TopicPartition>,
    done: Vec<TopicPartition>,
}

impl ControlPlane {
    /// Writes states, then tells the brokers. The event that this is a part of ends there.
    pub(crate) fn write_states(&mut self, writes: Vec<StateWrite>) {
        if writes.is_empty() {
            return self.event_done();
        }
        let new = writes.iter().filter(|w| w.expected.is_none()).map(|w| w.partition.clone()).collect();
        let chunks: Vec<Vec<StateWrite>> = writes.chunks(PARTITIONS_PER_MULTI).map(<[_]>::to_vec).collect();
        let mut parents = BTreeSet::new();
        let ops = chunks.iter().map(|chunk| self.multi_of(chunk, &mut parents)).collect();
        let job = WriteJob { stage: Stage::Together { chunks }, new, done: Vec::new() };
        self.controller_keeper(ops, ControllerStep::Written(job));
    }

    /// The epoch's check, then each write; what makes the first partition of a topic makes the parent of all.
    fn multi_of(&self, chunk: &[StateWrite], parents: &mut BTreeSet<String>) -> KeeperOp {
        let mut ops = vec![self.check_epoch()];
        for write in chunk {
            if write.expected.is_none() {
                ops.extend(self.parents_of(write, parents));
            }
            ops.push(state_op(write));
        }
        KeeperOp::Multi(ops)
    }

    fn parents_of(&self, write: &StateWrite, made: &mut BTreeSet<String>) -> Vec<KeeperOp> {
        let topic = &write.partition.topic;
        let known = self.controller.context.topics.get(topic);
        let has_parent = known.is_some_and(|topic| topic.partitions.values().any(|p| p.state.is_some()));
        let path = znodes::topic_partitions(topic);
        let mut ops = Vec::new();
        if !has_parent && made.insert(path.clone()) {
            ops.push(create(path, None));
        }
        ops.push(create(znodes::partition(&write.partition), None));
        ops
    }

    pub(crate) fn on_written(&mut self, mut job: WriteJob, results: &[KeeperResult]) {
        match std::mem::replace(&mut job.stage, Stage::Reread { partitions: Vec::new() }) {
            Stage::Together { chunks } => {
                let mut failed = Vec::new();
                for (chunk, result) in chunks.into_iter().zip(results) {
                    match result {
                        Ok(KeeperReply::Multi(replies)) => self.take_written(&mut job, chunk, replies),
                        Err(error) if is_fenced(error) => return self.on_fenced(),
                        _ => failed.extend(chunk),
                    }
                }
                self.write_single(job, failed);
            }
            Stage::Single { writes, parents } => {
                let mut failed = Vec::new();
                for (write, result) in writes.into_iter().zip(&results[parents..]) {
                    match result {
                        Ok(KeeperReply::Multi(replies)) => self.take_written(&mut job, vec![write], replies),
                        Err(error) if is_fenced(error) => return self.on_fenced(),
                        _ => failed.push(write.partition),
                    }
                }
                self.reread(job, failed);
            }
            Stage::Reread { partitions } => {
                for (partition, result) in partitions.into_iter().zip(results) {
                    // Our own write, sent twice, or that of somebody else: what is there counts.
                    self.take_state(&partition, result);
                    if data_of(result).is_some() {
                        job.done.push(partition);
                    }
                }
                self.tell_written(&job);
            }
        }
    }

    /// The replies of a multi that has succeeded give the new versions, in the order of its state writes.
    fn take_written(&mut self, job: &mut WriteJob, chunk: Vec<StateWrite>, replies: &[KeeperReply]) {
        let versions = replies.iter().filter_map(|reply| match reply {
            KeeperReply::Created { path, stat } if path.ends_with("/state") => Some(stat.version),
            KeeperReply::Stat(stat) => Some(stat.version),
            _ => None,
        });
        for (write, version) in chunk.into_iter().zip(versions) {
            if let Some(known) = self.controller.context.partition_mut(&write.partition) {
                known.state = Some((write.state, version));
            }
            job.done.push(write.partition);
        }
    }

    fn write_single(&mut self, mut job: WriteJob, writes: Vec<StateWrite>) {
        if writes.is_empty() {
            return self.tell_written(&job);
        }
        let mut made = BTreeSet::new();
        let new = writes.iter().filter(|write| write.expected.is_none());
        let mut ops: Vec<KeeperOp> = new.flat_map(|write| self.parents_of(write, &mut made)).collect();
        let parents = ops.len();
        ops.extend(writes.iter().map(|write| KeeperOp::Multi(vec![self.check_epoch(), state_op(write)])));
        job.stage = Stage::Single { writes, parents };
        self.controller_keeper(ops, ControllerStep::Written(job));
    }

    fn reread(&mut self, mut job: WriteJob, partitions: Vec<TopicPartition>) {
        if partitions.is_empty() {
            return self.tell_written(&job);
        }
        let ops = partitions.iter().map(|partition| get(znodes::partition_state(partition), false)).collect();
        job.stage = Stage::Reread { partitions };
        self.controller_keeper(ops, ControllerStep::Written(job));
    }

    fn tell_written(&mut self, job: &WriteJob) {
        let mut batch = RequestBatch::default();
        for partition in &job.done {
            batch.leader_and_isr(&self.controller.context, partition, job.new.contains(partition));
        }
        self.send_batch(batch);
        self.event_done();
    }

    /// First states for partitions without one, leaders for those without, smaller ISRs where replicas went away.
    #[doc(alias = "triggerOnlinePartitionStateChange")]
    pub(crate) fn elect_offline(&mut self, topic: Option<&str>) {
        let context = &self.controller.context;
        let of_topic = |partition: &TopicPartition| topic.is_none_or(|topic| *partition.topic == *topic);
        let candidates: Vec<TopicPartition> =
            context.partitions().filter(|(p, known)| of_topic(p) && !known.is_unreadable).map(|(p, _)| p).collect();
        let mut writes = Vec::new();
        for partition in candidates {
            writes.extend(self.next_state(&partition));
        }
        self.write_states(writes);
    }

    fn next_state(&self, partition: &TopicPartition) -> Option<StateWrite> {
        let context = &self.controller.context;
        let known = context.partition(partition)?;
        let write = |state, expected| StateWrite { partition: partition.clone(), state, expected };
        let Some((_, version)) = &known.state else {
            let first = context.first_state(partition);
            if first.is_none() {
                tracing::error!("partition {partition} has no replica that is alive: it stays without a leader");
            }
            return Some(write(first?, None));
        };
        if !context.has_leader(partition) {
            let uncleanly = self.shared.log_config(&partition.topic).unclean_leader_election;
            if let Some(state) = context.elect(partition, uncleanly) {
                return Some(write(state, Some(*version)));
            }
        }
        Some(write(context.without_offline_replicas(partition)?, Some(*version)))
    }

    pub(crate) fn read_topic_list(&mut self) {
        self.controller_keeper(vec![children(znodes::TOPICS, true)], ControllerStep::TopicList);
    }

    pub(crate) fn on_topic_list(&mut self, result: &KeeperResult) {
        let there: BTreeSet<&str> = children_of(result).iter().map(String::as_str).collect();
        let known = &mut self.controller.context.topics;
        // Somebody else deleted them, past the controller.
        known.retain(|name, topic| topic.is_deleting || there.contains(&**name));
        let added = there.into_iter().filter(|name| !known.contains_key(*name)).map(str::to_owned).collect();
        self.read_topics(added);
    }

    /// Reads assignments, and the settings of topics that another tool may have made.
    pub(crate) fn read_topics(&mut self, topics: Vec<String>) {
        let assignments = topics.iter().map(|topic| get(znodes::topic(topic), true));
        let ops = assignments.chain(topics.iter().map(|topic| get(znodes::topic_config(topic), false))).collect();
        self.controller_keeper(ops, ControllerStep::Topics { topics });
    }

    #[doc(alias = "onNewPartitionCreation")]
    pub(crate) fn on_topics(&mut self, topics: &[String], results: &[KeeperResult]) {
        let (assignments, configs) = results.split_at(topics.len());
        let mut added = Vec::new();
        for ((topic, assignment), config) in topics.iter().zip(assignments).zip(configs) {
            let deleting = self.controller.context.topics.get(topic.as_str()).is_some_and(|topic| topic.is_deleting);
            if !deleting && data_of(assignment).is_some() {
                self.take_topic_config(topic, config);
                added.extend(self.take_topic(topic, assignment));
            }
        }
        let writes = added.iter().filter_map(|partition| self.next_state(partition)).collect();
        self.write_states(writes);
    }

    pub(crate) fn on_replicas_offline(&mut self, broker: i32, partitions: Vec<TopicPartition>) {
        tracing::warn!(broker, count = partitions.len(), "replicas are offline: their log directory failed");
        let offline = partitions.iter().map(|partition| (broker, partition.clone()));
        self.controller.context.offline_replicas.extend(offline);
        let writes = partitions.iter().filter_map(|partition| self.next_state(partition)).collect();
        self.write_states(writes);
    }

    pub(crate) fn read_preferred_list(&mut self) {
        self.controller_keeper(vec![get(znodes::PREFERRED_REPLICA_ELECTION, true)], ControllerStep::PreferredList);
    }

    /// The first replica of each named partition leads again, where it is in sync; the request's znode goes.
    pub(crate) fn on_preferred_list(&mut self, result: &KeeperResult) {
        let Some(data) = data_of(result) else { return self.event_done() };
        let partitions = znodes::decode_partition_list(data).unwrap_or_else(|error| {
            tracing::error!("{} is ignored: {error}", znodes::PREFERRED_REPLICA_ELECTION);
            Vec::new()
        });
        let delete = KeeperOp::Delete { path: znodes::PREFERRED_REPLICA_ELECTION.to_owned(), version: -1 };
        let watch = KeeperOp::Exists { path: znodes::PREFERRED_REPLICA_ELECTION.to_owned(), watch: true };
        self.keeper(vec![delete, watch], crate::control_plane::Then::Nothing);
        self.elect(ElectionType::Preferred, &partitions);
    }

    /// Leaders for those of the partitions that need one and can have it.
    pub(crate) fn elect(&mut self, kind: ElectionType, partitions: &[TopicPartition]) {
        let context = &self.controller.context;
        let elected = |partition: &TopicPartition| {
            let state = context.next_elected(kind, partition)?;
            let (_, version) = context.partition(partition)?.state.as_ref()?;
            Some(StateWrite { partition: partition.clone(), state, expected: Some(*version) })
        };
        let writes = partitions.iter().filter_map(elected).collect();
        self.write_states(writes);
    }
}

fn state_op(write: &StateWrite) -> KeeperOp {
    let path = znodes::partition_state(&write.partition);
    let data = Some(write.state.encode());
    match write.expected {
        None => create(path, data),
        Some(version) => KeeperOp::SetData { path, data, version },
    }
}
