//! What a replica knows of its partition, and the rules by which a leader moves the high watermark.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use ottla_base::ids::Uuid;
use ottla_storage::{Log, ReadBound, SharedLog};

use super::LeaderAndIsr;

/// A replica on another broker, as the leader sees it.
#[doc(alias = "Replica")]
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) log_start: i64,
    pub(super) log_end: i64,
    /// The leader's log end at the follower's last fetch, and when that was.
    pub(super) leader_end_at_last_fetch: i64,
    pub(super) last_fetch_ms: u64,
    /// When it last had everything that the leader had; -1 for never. Appends set it, too, under the state's read lock.
    pub(super) last_caught_up_ms: AtomicI64,
}

impl Follower {
    pub(super) fn fresh(now_ms: u64, is_in_sync: bool) -> Self {
        Self {
            log_start: -1,
            log_end: -1,
            leader_end_at_last_fetch: 0,
            last_fetch_ms: 0,
            last_caught_up_ms: AtomicI64::new(if is_in_sync { now_ms as i64 } else { -1 }),
        }
    }

    pub(super) fn is_caught_up(&self, leader_end: i64, now_ms: u64, max_lag_ms: u64) -> bool {
        let since = self.last_caught_up_ms.load(Ordering::Relaxed);
        self.log_end == leader_end || (since >= 0 && now_ms.saturating_sub(since as u64) <= max_lag_ms)
    }
}

#[derive(Debug)]
pub(super) enum Role {
    /// Nothing is known yet.
    None,
    Leader(LeaderState),
    Follower,
}

#[derive(Debug)]
pub(super) struct LeaderState {
    pub(super) epoch_start_offset: i64,
    pub(super) followers: BTreeMap<i32, Follower>,
    /// An ISR was asked for; until the controller answers, HW waits for both.
    pub(super) pending_isr: Option<Vec<i32>>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) topic_id: Option<Uuid>,
    pub(super) log: Option<SharedLog>,
    pub(super) leader: Option<i32>,
    pub(super) leader_epoch: i32,
    pub(super) partition_epoch: i32,
    pub(super) controller_epoch: i32,
    pub(super) replicas: Vec<i32>,
    pub(super) isr: Vec<i32>,
    pub(super) role: Role,
}

impl Follower {
    pub(super) fn fetched(&mut self, fetch_offset: i64, log_start: i64, leader_end: i64, now_ms: u64) {
        if fetch_offset >= leader_end {
            self.last_caught_up_ms.fetch_max(now_ms as i64, Ordering::Relaxed);
        } else if fetch_offset >= self.leader_end_at_last_fetch && self.log_end >= 0 {
            self.last_caught_up_ms.fetch_max(self.last_fetch_ms as i64, Ordering::Relaxed);
        }
        self.log_start = log_start;
        self.log_end = fetch_offset;
        self.leader_end_at_last_fetch = leader_end;
        self.last_fetch_ms = now_ms;
    }
}

impl LeaderState {
    /// Whoever had everything until now was in sync until now: a follower's session says nothing of a partition that
    /// stands still.
    pub(super) fn note_caught_up(&self, leader_end: i64, now_ms: u64) {
        for follower in self.followers.values().filter(|follower| follower.log_end == leader_end) {
            follower.last_caught_up_ms.fetch_max(now_ms as i64, Ordering::Relaxed);
        }
    }
}

impl State {
    pub(super) fn take_in(&mut self, told: &LeaderAndIsr) {
        self.controller_epoch = told.controller_epoch;
        self.leader_epoch = self.leader_epoch.max(told.leader_epoch);
        self.partition_epoch = told.partition_epoch;
        self.replicas.clone_from(&told.replicas);
        self.isr.clone_from(&told.isr);
    }

    /// Sets up the leader's view of its followers; a new epoch starts at the log's end.
    pub(super) fn lead(
        &mut self,
        told: &LeaderAndIsr,
        local_id: i32,
        is_new_epoch: bool,
        now_ms: u64,
        log: &SharedLog,
    ) {
        let mut known = match std::mem::replace(&mut self.role, Role::None) {
            Role::Leader(leader) if !is_new_epoch => leader,
            _ => {
                let mut log = log.lock();
                let start = log.log_end_offset();
                log.assign_epoch_start_offset(told.leader_epoch, start);
                LeaderState { epoch_start_offset: start, followers: BTreeMap::new(), pending_isr: None }
            }
        };
        known.pending_isr = None;
        known.followers.retain(|id, _| told.replicas.contains(id));
        for &id in told.replicas.iter().filter(|&&id| id != local_id) {
            known.followers.entry(id).or_insert_with(|| Follower::fresh(now_ms, told.isr.contains(&id)));
        }
        self.role = Role::Leader(known);
    }

    /// `min.insync.replicas`, but no more than there are replicas.
    #[doc(alias = "effectiveMinIsr")]
    pub(super) fn min_isr(&self, configured: i32) -> usize {
        (configured.max(1) as usize).min(self.replicas.len().max(1))
    }

    pub(super) fn advance_high_watermark(
        &self,
        log: &SharedLog,
        local_id: i32,
        now_ms: u64,
        max_lag_ms: u64,
    ) -> Option<i64> {
        self.advance_locked(&mut log.lock(), local_id, now_ms, max_lag_ms)
    }

    /// Moves the high watermark to the smallest log end of the ISR, of those who are about to join it and of those who
    /// have caught up and will; gives it when it moved. It stays where it is when too few replicas are in sync.
    #[doc(alias = "maybeIncrementLeaderHW")]
    pub(super) fn advance_locked(&self, log: &mut Log, local_id: i32, now_ms: u64, max_lag_ms: u64) -> Option<i64> {
        let Role::Leader(leader) = &self.role else { return None };
        if self.isr.len() < self.min_isr(log.config().min_insync_replicas) {
            return None;
        }
        let leader_end = log.log_end_offset();
        let mut smallest = leader_end;
        for (id, follower) in leader.followers.iter().filter(|&(&id, _)| id != local_id) {
            let is_waited_for = self.isr.contains(id)
                || leader.pending_isr.as_ref().is_some_and(|isr| isr.contains(id))
                || (follower.log_end >= 0 && follower.is_caught_up(leader_end, now_ms, max_lag_ms));
            if is_waited_for {
                smallest = smallest.min(follower.log_end.max(0));
            }
        }
        log.maybe_increment_high_watermark(smallest).map(|_| log.high_watermark())
    }

    pub(super) fn high_watermark_lags(&self, high_watermark: i64, bound: ReadBound) -> bool {
        match &self.role {
            Role::Leader(leader) => bound != ReadBound::LogEnd && leader.epoch_start_offset > high_watermark,
            Role::Follower | Role::None => false,
        }
    }

    pub(super) fn low_watermark(&self, local_start: i64, alive: &dyn Fn(i32) -> bool) -> i64 {
        let Role::Leader(leader) = &self.role else { return local_start };
        let starts = leader.followers.iter().filter(|&(&id, _)| alive(id)).map(|(_, follower)| follower.log_start);
        starts.fold(local_start, i64::min)
    }
}
