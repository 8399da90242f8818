//! A partition that this broker leads or follows: who is in sync, how far the replicas are, and the way to its log.
//!
//! Invariants: the high watermark is the smallest log end of the ISR and never goes back while this broker leads; an epoch
//! has one leader, so an older LeaderAndIsr changes nothing. The state's lock is taken before the log's; watchers and
//! listeners are called with neither held.

mod read;
mod state;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ottla_base::ids::{TopicPartition, Uuid};
use ottla_base::time::Now;
use ottla_protocol::ErrorCode;
use ottla_storage::{AppendError, AppendInfo, AppendOptions, AppendOrigin, SharedLog};
use parking_lot::RwLock;

pub use read::{ReadOutcome, ReadRequest, TimeLookup};
use state::{Role, State};

use crate::purgatory::Watchers;

/// No leader epoch known.
pub const NO_EPOCH: i32 = -1;

/// What another part of the broker learns of a partition: coordinators, of the partitions of their topics.
pub trait PartitionListener: Send + Sync + std::fmt::Debug {
    /// This broker leads the partition from now on, at this epoch; also called when only the epoch changed.
    fn became_leader(&self, now: Now, partition: &Arc<Partition>, leader_epoch: i32);
    /// This broker doesn't lead it any more, or not at all: it follows, was stopped or its directory failed.
    fn resigned(&self, now: Now, partition: &TopicPartition, leader_epoch: i32);
    /// Records up to here (exclusive) are on the whole ISR.
    fn high_watermark_advanced(&self, now: Now, partition: &TopicPartition, high_watermark: i64);
}

/// What the controller says of a partition (LeaderAndIsr).
#[doc(alias = "LeaderAndIsrPartitionState")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderAndIsr {
    pub controller_epoch: i32,
    pub leader: i32,
    pub leader_epoch: i32,
    pub isr: Vec<i32>,
    /// Version of the state znode.
    pub partition_epoch: i32,
    pub replicas: Vec<i32>,
}

/// An ISR that this leader wants: to be sent to the controller by AlterPartition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsrChange {
    pub topic_partition: TopicPartition,
    pub topic_id: Uuid,
    pub leader_epoch: i32,
    pub partition_epoch: i32,
    pub isr: Vec<i32>,
}

/// A partition of which this broker holds a replica.
#[derive(Debug)]
pub struct Partition {
    topic_partition: TopicPartition,
    local_broker_id: i32,
    state: RwLock<State>,
    /// Its log directory failed.
    offline: AtomicBool,
    /// It was taken off this broker; whoever still holds it looks for its successor.
    stopped: AtomicBool,
    pub(crate) watchers: Watchers,
    listener: Option<Arc<dyn PartitionListener>>,
}

/// Why an append to a partition failed.
#[derive(Debug)]
pub enum PartitionAppendError {
    /// Refused by the partition: not led here, too few replicas in sync.
    Refused(ErrorCode),
    /// Refused by the log.
    Log(AppendError),
}

/// A successful append to a partition.
#[derive(Debug)]
pub struct Appended {
    pub info: AppendInfo,
    pub leader_epoch: i32,
    pub high_watermark: i64,
}

impl Partition {
    pub(crate) fn new(
        topic_partition: TopicPartition,
        local_broker_id: i32,
        listener: Option<Arc<dyn PartitionListener>>,
    ) -> Self {
        Self {
            topic_partition,
            local_broker_id,
            state: RwLock::new(State {
                topic_id: None,
                log: None,
                leader: None,
                leader_epoch: NO_EPOCH,
                partition_epoch: -1,
                controller_epoch: 0,
                replicas: Vec::new(),
                isr: Vec::new(),
                role: Role::None,
            }),
            offline: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            watchers: Watchers::default(),
            listener,
        }
    }

    #[must_use]
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    #[must_use]
    pub fn topic_id(&self) -> Option<Uuid> {
        self.state.read().topic_id
    }

    /// -1 until the controller said one.
    #[must_use]
    pub fn leader_epoch(&self) -> i32 {
        self.state.read().leader_epoch
    }

    /// The leader's broker id and epoch, as far as this replica knows.
    #[must_use]
    pub fn leader(&self) -> (Option<i32>, i32) {
        let state = self.state.read();
        (state.leader, state.leader_epoch)
    }

    /// The epoch at which this broker leads; `None` when it doesn't.
    #[must_use]
    pub fn led_at_epoch(&self) -> Option<i32> {
        let state = self.state.read();
        (matches!(state.role, Role::Leader(_)) && !self.is_offline()).then_some(state.leader_epoch)
    }

    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.led_at_epoch().is_some()
    }

    #[must_use]
    pub fn isr(&self) -> Vec<i32> {
        self.state.read().isr.clone()
    }

    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    /// True once the partition was taken off this broker.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    #[must_use]
    pub fn log(&self) -> Option<SharedLog> {
        self.state.read().log.clone()
    }

    /// Log start, high watermark, last stable offset and log end.
    #[must_use]
    pub fn offsets(&self) -> Option<PartitionOffsets> {
        let state = self.state.read();
        let log = state.log.as_ref()?.lock();
        Some(PartitionOffsets {
            log_start: log.log_start_offset(),
            high_watermark: log.high_watermark(),
            last_stable: log.last_stable_offset(),
            log_end: log.log_end_offset(),
        })
    }

    pub(crate) fn set_topic_id(&self, id: Uuid) {
        self.state.write().topic_id = Some(id);
    }

    pub(crate) fn set_log(&self, log: SharedLog) {
        let mut state = self.state.write();
        if let Some(id) = log.lock().topic_id() {
            state.topic_id = Some(id);
        }
        state.log = Some(log);
    }

    /// Leads from now on, or takes in a change of replicas. True when the leader epoch is a new one.
    pub(crate) fn make_leader(&self, now: Now, told: &LeaderAndIsr, max_lag_ms: u64) -> bool {
        let now_ms = now.mono_ms();
        let (is_new_epoch, advanced) = {
            let mut state = self.state.write();
            let State { log: Some(log), .. } = &*state else { return false };
            if told.partition_epoch < state.partition_epoch {
                return false;
            }
            let log = log.clone();
            let is_new_epoch = told.leader_epoch > state.leader_epoch;
            state.take_in(told);
            state.leader = Some(self.local_broker_id);
            state.lead(told, self.local_broker_id, is_new_epoch, now_ms, &log);
            let advanced = state.advance_high_watermark(&log, self.local_broker_id, now_ms, max_lag_ms);
            (is_new_epoch, advanced)
        };
        self.watchers.wake(now);
        if let Some(high_watermark) = advanced {
            self.tell_high_watermark(now, high_watermark);
        }
        is_new_epoch
    }

    /// Follows from now on. True when the leader epoch is a new one, so that fetching has to start over.
    pub(crate) fn make_follower(&self, now: Now, told: &LeaderAndIsr) -> bool {
        let is_new_epoch = {
            let mut state = self.state.write();
            if told.partition_epoch < state.partition_epoch {
                return false;
            }
            let is_new_epoch = told.leader_epoch > state.leader_epoch;
            state.take_in(told);
            state.leader = (told.leader >= 0).then_some(told.leader);
            state.isr = Vec::new();
            state.role = Role::Follower;
            is_new_epoch
        };
        self.watchers.wake(now);
        is_new_epoch
    }

    /// Its log directory failed: everything is answered with `KAFKA_STORAGE_ERROR` from now on.
    pub(crate) fn mark_offline(&self, now: Now) {
        if !self.offline.swap(true, Ordering::AcqRel) {
            self.watchers.wake(now);
            self.tell_resigned(now);
        }
    }

    /// Stops following for now: the replica stays, its next leader is not known yet. A leader goes on leading until the
    /// controller names another, as Kafka's does.
    pub(crate) fn stop_following(&self, now: Now) {
        self.watchers.wake(now);
    }

    /// Taken off this broker.
    pub(crate) fn stop(&self, now: Now) {
        let epoch = {
            let mut state = self.state.write();
            state.role = Role::None;
            state.log = None;
            state.leader = None;
            state.leader_epoch
        };
        self.stopped.store(true, Ordering::Release);
        self.watchers.wake(now);
        if let Some(listener) = &self.listener {
            listener.resigned(now, &self.topic_partition, epoch);
        }
    }

    pub(crate) fn tell_leadership(self: &Arc<Self>, now: Now) {
        let Some(listener) = &self.listener else { return };
        match self.led_at_epoch() {
            Some(epoch) => listener.became_leader(now, self, epoch),
            None => listener.resigned(now, &self.topic_partition, self.leader_epoch()),
        }
    }

    fn tell_resigned(&self, now: Now) {
        if let Some(listener) = &self.listener {
            listener.resigned(now, &self.topic_partition, self.leader_epoch());
        }
    }

    fn tell_high_watermark(&self, now: Now, high_watermark: i64) {
        if let Some(listener) = &self.listener {
            listener.high_watermark_advanced(now, &self.topic_partition, high_watermark);
        }
    }

    /// Appends batches as the leader, setting offsets in place. `required_acks` is -1 when the whole ISR is waited for.
    /// The caller wakes the watchers by [`Partition::appended`] when it has let go of its own locks.
    pub(crate) fn append_as_leader(
        &self,
        now: Now,
        records: &mut [u8],
        origin: AppendOrigin,
        required_acks: i16,
        max_lag_ms: u64,
    ) -> Result<(Appended, Option<i64>), PartitionAppendError> {
        use PartitionAppendError::{Log, Refused};
        if self.is_offline() {
            return Err(Refused(ErrorCode::KafkaStorageError));
        }
        let state = self.state.read();
        let (Role::Leader(leader), Some(log)) = (&state.role, &state.log) else {
            return Err(Refused(ErrorCode::NotLeaderOrFollower));
        };
        let mut guard = log.lock();
        leader.note_caught_up(guard.log_end_offset(), now.mono_ms());
        if required_acks == -1 && state.isr.len() < state.min_isr(guard.config().min_insync_replicas) {
            return Err(Refused(ErrorCode::NotEnoughReplicas));
        }
        let options = AppendOptions { origin, leader_epoch: state.leader_epoch };
        let info = guard.append_as_leader(records, options, now).map_err(Log)?;
        let advanced = state.advance_locked(&mut guard, self.local_broker_id, now.mono_ms(), max_lag_ms);
        let high_watermark = guard.high_watermark();
        Ok((Appended { info, leader_epoch: state.leader_epoch, high_watermark }, advanced))
    }

    /// Tells everyone who waits that records were appended, and how far the high watermark moved.
    pub(crate) fn appended(&self, now: Now, advanced: Option<i64>) {
        self.watchers.wake(now);
        if let Some(high_watermark) = advanced {
            self.tell_high_watermark(now, high_watermark);
        }
    }

    /// Whether everything below `required_offset` is on the whole ISR: `None` means not yet.
    #[doc(alias = "checkEnoughReplicasReachOffset")]
    pub(crate) fn check_replicated(&self, required_offset: i64) -> Option<ErrorCode> {
        if self.is_offline() {
            return Some(ErrorCode::KafkaStorageError);
        }
        let state = self.state.read();
        let (Role::Leader(_), Some(log)) = (&state.role, &state.log) else {
            return Some(ErrorCode::NotLeaderOrFollower);
        };
        let log = log.lock();
        if log.high_watermark() < required_offset {
            return None;
        }
        let enough = state.min_isr(log.config().min_insync_replicas) <= state.isr.len();
        Some(if enough { ErrorCode::None } else { ErrorCode::NotEnoughReplicasAfterAppend })
    }

    /// Records how far a follower is: it asks for `fetch_offset` next. Gives the high watermark if it moved on, and the
    /// ISR to ask for if the follower belongs into it.
    #[doc(alias = "updateFollowerFetchState")]
    pub(crate) fn follower_fetched(
        &self,
        now: Now,
        follower_id: i32,
        fetch_offset: i64,
        log_start: i64,
        max_lag_ms: u64,
    ) -> Option<IsrChange> {
        let now_ms = now.mono_ms();
        let (advanced, start_moved, change) = {
            let mut state = self.state.write();
            let State { role: Role::Leader(leader), log: Some(log), .. } = &mut *state else { return None };
            let log = log.clone();
            let leader_end = log.lock().log_end_offset();
            let follower = leader.followers.get_mut(&follower_id)?;
            let start_moved = follower.log_start != log_start;
            follower.fetched(fetch_offset, log_start, leader_end, now_ms);
            let change = self.isr_with(&mut state, follower_id, fetch_offset, &log);
            (state.advance_high_watermark(&log, self.local_broker_id, now_ms, max_lag_ms), start_moved, change)
        };
        // A waiting DeleteRecords looks at the follower's log start.
        if advanced.is_some() || start_moved {
            self.appended(now, advanced);
        }
        change
    }

    /// The larger ISR, when a follower outside has reached the high watermark and this epoch's start.
    fn isr_with(&self, state: &mut State, follower_id: i32, log_end: i64, log: &SharedLog) -> Option<IsrChange> {
        if state.isr.contains(&follower_id) {
            return None;
        }
        let high_watermark = log.lock().high_watermark();
        let mut isr = state.isr.clone();
        isr.push(follower_id);
        let Role::Leader(leader) = &mut state.role else { return None };
        if leader.pending_isr.is_some() || log_end < high_watermark || log_end < leader.epoch_start_offset {
            return None;
        }
        leader.pending_isr = Some(isr.clone());
        Some(self.isr_change(state, isr))
    }

    /// The smaller ISR, when followers in it have not caught up for too long.
    #[doc(alias = "maybeShrinkIsr")]
    pub(crate) fn shrink_isr(&self, now: Now, max_lag_ms: u64) -> Option<IsrChange> {
        let now_ms = now.mono_ms();
        if self.state.read().isr.len() < 2 {
            return None;
        }
        let mut state = self.state.write();
        let State { role: Role::Leader(leader), log: Some(log), isr, .. } = &mut *state else { return None };
        if leader.pending_isr.is_some() {
            return None;
        }
        let leader_end = log.lock().log_end_offset();
        let is_in_sync = |id: &i32| {
            *id == self.local_broker_id
                || leader.followers.get(id).is_some_and(|f| f.is_caught_up(leader_end, now_ms, max_lag_ms))
        };
        let smaller: Vec<i32> = isr.iter().copied().filter(is_in_sync).collect();
        if smaller.len() == isr.len() {
            return None;
        }
        // Until the controller agrees, the high watermark goes on waiting for those who are out.
        leader.pending_isr = Some(smaller.clone());
        Some(self.isr_change(&state, smaller))
    }

    fn isr_change(&self, state: &State, isr: Vec<i32>) -> IsrChange {
        IsrChange {
            topic_partition: self.topic_partition.clone(),
            topic_id: state.topic_id.unwrap_or(Uuid::ZERO),
            leader_epoch: state.leader_epoch,
            partition_epoch: state.partition_epoch,
            isr,
        }
    }

    /// Whether a broker is one of the replicas.
    pub(crate) fn has_replica(&self, broker_id: i32) -> bool {
        self.state.read().replicas.contains(&broker_id)
    }
}

/// Where a partition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionOffsets {
    pub log_start: i64,
    pub high_watermark: i64,
    pub last_stable: i64,
    /// The offset that the next record gets.
    pub log_end: i64,
}
