//! The partitions of a fetch: what the client has of each, what it was last told, and which have to be looked at.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ottla_base::hash::FixedMap;
use ottla_base::ids::Uuid;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::fetch_request::FetchPartition;
use ottla_storage::{LogRead, ReadBound};

use crate::partition::{Partition, ReadOutcome, ReadRequest};
use crate::purgatory::Watcher;
use crate::replica_manager::ReplicaManager;

/// How a fetch reads.
#[derive(Clone, Debug)]
pub struct FetchParams {
    pub version: i16,
    /// The follower that fetches; -1 for a consumer.
    pub replica_id: i32,
    pub bound: ReadBound,
    pub only_leader: bool,
    pub max_bytes: usize,
    pub min_bytes: usize,
    pub max_wait_ms: u64,
    pub listener: Arc<str>,
}

impl FetchParams {
    #[must_use]
    pub fn is_follower(&self) -> bool {
        self.replica_id >= 0
    }
}

/// A partition of a plan.
#[derive(Debug)]
pub struct PlannedPartition {
    /// `None` while the topic's id is unknown here.
    pub topic: Option<Arc<str>>,
    pub topic_id: Uuid,
    pub index: i32,
    asked: FetchPartition,
    /// What the client was last told; -1 before that and after an error.
    told_high_watermark: i64,
    told_log_start: i64,
    replica: Option<Arc<Partition>>,
    is_watched: bool,
    is_queued: bool,
}

/// What a look at a partition gave.
#[derive(Debug)]
pub struct PartitionAnswer {
    pub slot: u32,
    pub error: ErrorCode,
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    pub log_start_offset: i64,
    /// Epoch and end offset of the last thing that both logs have, when they have parted.
    pub diverging: Option<(i32, i64)>,
    pub read: Option<LogRead>,
    /// Nothing is there for the reader, and nothing will be until the partition moves.
    is_quiet: bool,
}

impl PartitionAnswer {
    fn failed(slot: u32, error: ErrorCode) -> Self {
        Self {
            slot,
            error,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging: None,
            read: None,
            is_quiet: false,
        }
    }

    /// Bytes of records.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.read.as_ref().and_then(|read| read.records.as_ref()).map_or(0, |records| records.len)
    }

    /// The topic is not known here: the client learns of it with the next answer, which waits for the others.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self.error, ErrorCode::UnknownTopicId | ErrorCode::UnknownTopicOrPartition)
    }

    /// The client has to learn of it at once.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        (self.error != ErrorCode::None && !self.is_unknown()) || self.diverging.is_some()
    }
}

/// The partitions of a session or of one request, by slot.
#[derive(Debug, Default)]
pub struct FetchPlan {
    slots: Vec<Option<PlannedPartition>>,
    free: Vec<u32>,
    len: usize,
    by_name: FixedMap<Arc<str>, BTreeMap<i32, u32>>,
    by_id: FixedMap<(Uuid, i32), u32>,
    /// Slots to look at, in this order.
    queue: VecDeque<u32>,
}

impl FetchPlan {
    /// Partitions in the plan.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[must_use]
    pub fn get(&self, slot: u32) -> Option<&PlannedPartition> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// Adds a partition, or takes in what the client has of it now. A topic comes by name, or by id when that is not zero.
    pub fn add(&mut self, topic: Option<&Arc<str>>, topic_id: Uuid, asked: &FetchPartition) {
        if let Some(slot) = self.find(topic.map(|name| &**name), topic_id, asked.partition) {
            if let Some(planned) = &mut self.slots[slot as usize] {
                planned.asked = asked.clone();
            }
            self.enqueue(slot);
            return;
        }
        let planned = PlannedPartition {
            topic: topic.cloned(),
            topic_id,
            index: asked.partition,
            asked: asked.clone(),
            told_high_watermark: -1,
            told_log_start: -1,
            replica: None,
            is_watched: false,
            is_queued: false,
        };
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                (self.slots.len() - 1) as u32
            }
        };
        self.slots[slot as usize] = Some(planned);
        self.len += 1;
        match topic {
            Some(name) if topic_id.is_zero() => {
                self.by_name.entry(name.clone()).or_default().insert(asked.partition, slot);
            }
            _ => {
                self.by_id.insert((topic_id, asked.partition), slot);
            }
        }
        self.enqueue(slot);
    }

    fn find(&self, topic: Option<&str>, topic_id: Uuid, partition: i32) -> Option<u32> {
        if topic_id.is_zero() {
            return self.by_name.get(topic?)?.get(&partition).copied();
        }
        self.by_id.get(&(topic_id, partition)).copied()
    }

    /// Takes a partition out.
    pub fn forget(&mut self, topic: &str, topic_id: Uuid, partition: i32, watcher: &Arc<dyn Watcher>) {
        let Some(slot) = self.find(Some(topic), topic_id, partition) else { return };
        if topic_id.is_zero() {
            if let Some(of_topic) = self.by_name.get_mut(topic) {
                of_topic.remove(&partition);
                if of_topic.is_empty() {
                    self.by_name.remove(topic);
                }
            }
        } else {
            self.by_id.remove(&(topic_id, partition));
        }
        if let Some(mut planned) = self.slots[slot as usize].take() {
            planned.unwatch(slot, watcher);
            if planned.is_queued {
                self.queue.retain(|&queued| queued != slot);
            }
            self.len -= 1;
            self.free.push(slot);
        }
    }

    /// Puts a slot among those to look at.
    pub fn enqueue(&mut self, slot: u32) {
        if let Some(Some(planned)) = self.slots.get_mut(slot as usize)
            && !std::mem::replace(&mut planned.is_queued, true)
        {
            self.queue.push_back(slot);
        }
    }

    /// Slots that are to be looked at.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Looks at everything in the queue, in its order and within the fetch's bounds, after setting `watcher` on it. The
    /// queue stays as it is until [`FetchPlan::settle`].
    pub fn read_all(
        &mut self,
        replicas: &ReplicaManager,
        params: &FetchParams,
        watcher: Option<&Arc<dyn Watcher>>,
    ) -> Vec<PartitionAnswer> {
        let mut answers = Vec::with_capacity(self.queue.len());
        let mut left = params.max_bytes;
        let mut has_records = false;
        for &slot in &self.queue {
            let Some(planned) = &mut self.slots[slot as usize] else { continue };
            if let (Some(watcher), Ok(_)) = (watcher, planned.resolve(replicas)) {
                planned.watch(slot, watcher);
            }
            let answer = planned.read(slot, replicas, params, left, !has_records);
            has_records |= answer.bytes() > 0;
            left = left.saturating_sub(answer.bytes());
            answers.push(answer);
        }
        answers
    }

    /// Looks at one partition, as if it were the only one.
    pub fn read_one(&mut self, slot: u32, replicas: &ReplicaManager, params: &FetchParams) -> Option<PartitionAnswer> {
        let planned = self.slots.get_mut(slot as usize)?.as_mut()?;
        Some(planned.read(slot, replicas, params, params.max_bytes, true))
    }

    /// How far the follower is that sent this request: partition, the offset it wants next, its log start.
    #[must_use]
    pub fn follower_positions(&self, answers: &[PartitionAnswer]) -> Vec<(Arc<Partition>, i64, i64)> {
        let well = answers.iter().filter(|answer| answer.error == ErrorCode::None && answer.diverging.is_none());
        well.filter_map(|answer| {
            let planned = self.get(answer.slot)?;
            Some((planned.replica.clone()?, planned.asked.fetch_offset, planned.asked.log_start_offset))
        })
        .collect()
    }

    pub fn unwatch_all(&mut self, watcher: &Arc<dyn Watcher>) {
        for (slot, planned) in self.slots.iter_mut().enumerate() {
            if let Some(planned) = planned {
                planned.unwatch(slot as u32, watcher);
            }
        }
    }

    /// Keeps of `answers` what the client has to be told, remembers that it was told, and takes what is quiet out of the
    /// queue. What had records goes to the queue's end, so that everyone gets his turn when the fetch is full.
    #[doc(alias = "maybeUpdateResponseData")]
    pub fn settle(&mut self, answers: Vec<PartitionAnswer>, is_incremental: bool) -> Vec<PartitionAnswer> {
        let mut told = Vec::with_capacity(answers.len());
        let mut served = Vec::new();
        self.queue.clear();
        for answer in answers {
            let Some(planned) = &mut self.slots[answer.slot as usize] else { continue };
            planned.is_queued = !answer.is_quiet;
            match (answer.is_quiet, answer.bytes() > 0) {
                (true, _) => {}
                (false, true) => served.push(answer.slot),
                (false, false) => self.queue.push_back(answer.slot),
            }
            if planned.tell(&answer) || !is_incremental {
                told.push(answer);
            }
        }
        self.queue.extend(served);
        told
    }
}

impl PlannedPartition {
    /// Remembers what the client is told; true when that is something new.
    fn tell(&mut self, answer: &PartitionAnswer) -> bool {
        let is_well = answer.error == ErrorCode::None && answer.diverging.is_none();
        let is_news = answer.bytes() > 0
            || !is_well
            || answer.high_watermark != self.told_high_watermark
            || answer.log_start_offset != self.told_log_start;
        self.told_log_start = answer.log_start_offset;
        // After an error the partition is told of again when it is well.
        self.told_high_watermark = if is_well { answer.high_watermark } else { -1 };
        is_news
    }

    fn watch(&mut self, slot: u32, watcher: &Arc<dyn Watcher>) {
        if let Some(partition) = self.replica.as_ref().filter(|_| !self.is_watched) {
            partition.watchers.add(watcher.clone(), slot);
            self.is_watched = true;
        }
    }

    fn unwatch(&mut self, slot: u32, watcher: &Arc<dyn Watcher>) {
        if let Some(partition) = self.replica.as_ref().filter(|_| self.is_watched) {
            partition.watchers.remove(watcher, slot);
        }
        self.is_watched = false;
    }

    /// Finds the partition's replica here, again when the one known was taken away.
    fn resolve(&mut self, replicas: &ReplicaManager) -> Result<&Arc<Partition>, ErrorCode> {
        if self.replica.as_ref().is_some_and(|known| known.is_stopped()) {
            // Its watchers go with it.
            self.replica = None;
            self.is_watched = false;
        }
        if self.replica.is_none() {
            self.replica = Some(self.look_up(replicas)?);
        }
        self.replica.as_ref().ok_or(ErrorCode::UnknownServerError)
    }

    fn look_up(&mut self, replicas: &ReplicaManager) -> Result<Arc<Partition>, ErrorCode> {
        let by_id = !self.topic_id.is_zero();
        if by_id {
            self.topic = replicas.shared.metadata.image().topic_name(self.topic_id).cloned();
        }
        let topic = self.topic.as_ref().ok_or(ErrorCode::UnknownTopicId)?;
        let partition = replicas.partition_or_error(topic, self.index)?;
        match partition.topic_id() {
            Some(id) if by_id && id != self.topic_id => Err(ErrorCode::InconsistentTopicId),
            _ => Ok(partition),
        }
    }

    fn read(
        &mut self,
        slot: u32,
        replicas: &ReplicaManager,
        params: &FetchParams,
        left: usize,
        min_one_message: bool,
    ) -> PartitionAnswer {
        let asked = self.asked.clone();
        let partition = match self.resolve(replicas) {
            Ok(partition) => partition,
            Err(error) => return PartitionAnswer::failed(slot, error),
        };
        if params.is_follower() && !partition.has_replica(params.replica_id) {
            let knows_epoch = asked.current_leader_epoch >= 0;
            let error = if knows_epoch { ErrorCode::UnknownLeaderEpoch } else { ErrorCode::NotLeaderOrFollower };
            return PartitionAnswer::failed(slot, error);
        }
        let request = ReadRequest {
            offset: asked.fetch_offset,
            max_bytes: left.min(asked.partition_max_bytes.max(0) as usize),
            bound: params.bound,
            min_one_message,
            current_leader_epoch: asked.current_leader_epoch,
            last_fetched_epoch: asked.last_fetched_epoch,
            only_leader: params.only_leader,
        };
        match partition.read(&request) {
            Ok(outcome) => PartitionAnswer::of(slot, asked.fetch_offset, params.bound, outcome),
            Err(error) => PartitionAnswer::failed(slot, error),
        }
    }
}

impl PartitionAnswer {
    fn of(slot: u32, offset: i64, bound: ReadBound, outcome: ReadOutcome) -> Self {
        match outcome {
            ReadOutcome::Data(read) => {
                let end = match bound {
                    ReadBound::LogEnd => read.log_end_offset,
                    ReadBound::HighWatermark => read.high_watermark,
                    ReadBound::LastStable => read.last_stable_offset,
                };
                Self {
                    slot,
                    error: ErrorCode::None,
                    high_watermark: read.high_watermark,
                    last_stable_offset: read.last_stable_offset,
                    log_start_offset: read.log_start_offset,
                    diverging: None,
                    is_quiet: read.records.is_none() && offset >= end,
                    read: Some(read),
                }
            }
            ReadOutcome::Diverging { epoch, end_offset, high_watermark, last_stable_offset, log_start_offset } => {
                Self {
                    slot,
                    error: ErrorCode::None,
                    high_watermark,
                    last_stable_offset,
                    log_start_offset,
                    diverging: Some((epoch, end_offset)),
                    read: None,
                    is_quiet: false,
                }
            }
        }
    }
}
