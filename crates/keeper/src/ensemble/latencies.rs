//! How long proposals are under way, and how many learners are synchronised at once (`Request.logLatency`,
//! `LearnerSyncThrottler`). A proposal tells when the leader decided it, by the leader's wall clock; where the clocks differ by
//! more than it took, nothing is counted.

use super::EnsembleServer;
use crate::stats::Summary;
use crate::txn;
use crate::zab::messages::ServerState;
use crate::zab::{ConnId, Txn};
use ottla_base::time::Now;
use std::collections::{BTreeMap, VecDeque};

/// What is under way.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    /// Proposals that go to this server's log: their tickets, and when they were decided.
    logging: VecDeque<(u64, i64)>,
    /// Learners between the leader's first word of its history and their acknowledgement of it; is it a snapshot?
    syncing: BTreeMap<ConnId, bool>,
}

fn add(summary: &mut Summary, now: Now, decided_ms: i64) {
    if let Ok(ms) = u64::try_from(now.wall_ms.saturating_sub(decided_ms)) {
        summary.add(ms.saturating_mul(1_000));
    }
}

impl EnsembleServer {
    /// A proposal of a leader that serves goes to the log.
    pub(super) fn note_proposal(&mut self, now: Now, ticket: u64, proposal: &Txn) {
        // Observers hear of what is committed only, and what comes with the history is old.
        let live = self.timeline.is_serving() && self.role != ServerState::Observing;
        if let Some(time) = txn::time_of(&proposal.data).ok().filter(|_| live) {
            if self.role == ServerState::Following {
                add(&mut self.keeper.quorum_stats().proposal_latency, now, time);
            }
            self.latencies.logging.push_back((ticket, time));
        }
    }

    /// All up to this ticket is on disk, and acknowledged.
    pub(super) fn note_logged(&mut self, now: Now, ticket: u64) {
        while let Some((_, time)) = self.latencies.logging.pop_front_if(|(at, _)| *at <= ticket) {
            add(&mut self.keeper.quorum_stats().proposal_ack_latency, now, time);
        }
    }

    /// A transaction is committed.
    pub(super) fn note_commit(&mut self, now: Now, committed: &Txn) {
        if self.timeline.is_serving()
            && let Ok(time) = txn::time_of(&committed.data)
        {
            let leads = self.role == ServerState::Leading;
            let stats = self.keeper.quorum_stats();
            let summary = if leads { &mut stats.quorum_ack_latency } else { &mut stats.commit_propagation_latency };
            add(summary, now, time);
        }
    }

    /// A learner is told how it gets the history: by a snapshot, or by differences.
    pub(super) fn note_sync(&mut self, conn: ConnId, snapshot: bool) {
        self.latencies.syncing.insert(conn, snapshot);
        self.note_syncs_of(snapshot);
    }

    fn note_syncs_of(&mut self, snapshot: bool) {
        let count = self.latencies.syncing.values().filter(|kind| **kind == snapshot).count() as u64;
        let stats = self.keeper.quorum_stats();
        if snapshot { &mut stats.inflight_snaps } else { &mut stats.inflight_diffs }.add(count);
    }

    /// Finds those who have it now, and those who are gone.
    pub(super) fn note_ended_syncs(&mut self) {
        if self.latencies.syncing.is_empty() {
            return;
        }
        let learners = self.zab.leader().into_iter().flat_map(|leader| leader.learners());
        let synced: BTreeMap<ConnId, bool> = learners.map(|learner| (learner.conn, learner.synced)).collect();
        let of = |conn: &ConnId| synced.get(conn).copied();
        self.latencies.syncing.retain(|conn, _| of(conn).is_some());
        while let Some((conn, snapshot)) =
            self.latencies.syncing.iter().find(|(conn, _)| of(conn) == Some(true)).map(|(conn, kind)| (*conn, *kind))
        {
            self.latencies.syncing.remove(&conn);
            self.note_syncs_of(snapshot);
        }
    }

    /// Another role: nothing of the old one is under way.
    pub(super) fn forget_latencies(&mut self) {
        self.latencies = Latencies::default();
    }
}
