//! What operators are told of a server's place in its ensemble.

use super::EnsembleServer;
use crate::quorum_status::{LearnerStatus, QuorumStatus, Role};
use crate::zab::ConnId;
use crate::zab::leader::ConnectedLearner;
use crate::zab::messages::{PacketType, QuorumPacket, ServerState};
use ottla_base::time::Now;

/// When the role and its parts began, in microseconds of the clock that never goes back.
#[derive(Debug)]
pub(super) struct Timeline {
    looking_us: Option<u64>,
    role_us: u64,
    serving_us: Option<u64>,
    /// The status is to be told anew.
    pub stale: bool,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { looking_us: None, role_us: 0, serving_us: None, stale: true }
    }
}

impl Timeline {
    /// Has the present role's service begun?
    pub(super) fn is_serving(&self) -> bool {
        self.serving_us.is_some()
    }
}

impl EnsembleServer {
    /// Another role.
    pub(super) fn role_began(&mut self, now: Now) {
        let stats = self.keeper.quorum_stats();
        self.timeline.stale = true;
        if self.role == ServerState::Looking {
            stats.looking += 1;
            self.timeline.looking_us.get_or_insert(now.mono_us);
        } else {
            stats.election_time.add(now.mono_us.saturating_sub(self.timeline.role_us));
        }
        self.timeline.role_us = now.mono_us;
        self.timeline.serving_us = None;
    }

    /// Clients are served.
    pub(super) fn service_began(&mut self, now: Now) {
        let stats = self.keeper.quorum_stats();
        let sync_us = now.mono_us.saturating_sub(self.timeline.role_us);
        match self.role {
            ServerState::Following => stats.follower_sync_time.add(sync_us),
            ServerState::Observing => stats.observer_sync_time.add(sync_us),
            ServerState::Leading | ServerState::Looking => {}
        }
        if let Some(since_us) = self.timeline.looking_us.take() {
            let unavailable_us = now.mono_us.saturating_sub(since_us);
            stats.unavailable_time.add(unavailable_us);
            if self.role == ServerState::Leading {
                stats.leader_unavailable_time.add(unavailable_us);
            }
        }
        self.timeline.serving_us = Some(now.mono_us);
        self.timeline.stale = true;
    }

    pub(super) fn count_packet(&mut self, conn: ConnId, packet: &QuorumPacket) {
        match packet.kind {
            PacketType::Diff | PacketType::Trunc => {
                self.keeper.quorum_stats().diffs += 1;
                self.note_sync(conn, false);
            }
            PacketType::UpToDate => self.timeline.stale = true,
            _ => {}
        }
    }

    /// Tells the words and the admin commands, when something has changed; numbers that always change at each tick.
    pub(super) fn refresh_status(&mut self, now: Now) {
        if std::mem::take(&mut self.timeline.stale) {
            let status = self.quorum_status(now);
            self.keeper.set_quorum_status(Some(status));
        }
    }

    /// A server's place in its ensemble.
    #[must_use]
    pub fn quorum_status(&self, now: Now) -> QuorumStatus {
        let (zab, verifier) = (&self.config.zab, &self.config.zab.verifier);
        let learners: Vec<ConnectedLearner> =
            self.zab.leader().into_iter().flat_map(|leader| leader.learners()).collect();
        let synced = |voting: bool| {
            let of_kind = |l: &&ConnectedLearner| l.synced && !l.observer && verifier.is_voter(l.sid) == voting;
            learners.iter().filter(of_kind).count() as u64
        };
        let since_us = self.timeline.serving_us.filter(|_| self.role == ServerState::Leading);
        QuorumStatus {
            my_id: zab.sid,
            role: match self.role {
                ServerState::Looking => Role::Looking,
                ServerState::Following => Role::Following,
                ServerState::Leading => Role::Leading,
                ServerState::Observing => Role::Observing,
            },
            zab_state: self.zab.phase(),
            leader_id: self.leader_sid(),
            servers: verifier.members().clone(),
            config_version: verifier.version,
            init_limit: zab.init_limit as u32,
            sync_limit: zab.sync_limit as u32,
            learners: learners.len() as u64,
            synced_followers: synced(true),
            synced_non_voting_followers: synced(false),
            observers: learners
                .iter()
                .filter(|l| l.synced && l.observer)
                .filter_map(|l| self.learner_status(l))
                .collect(),
            pending_syncs: self.zab.leader().map_or(0, |leader| leader.pending_syncs() as u64),
            read_only: self.keeper.is_read_only(),
            leader_uptime_ms: since_us.map_or(0, |since_us| now.mono_us.saturating_sub(since_us) / 1_000),
        }
    }

    /// What waits to be sent is the host's, so it is not told here.
    fn learner_status(&self, learner: &ConnectedLearner) -> Option<LearnerStatus> {
        let stats = self.quorum.stats(learner.conn)?;
        Some(LearnerStatus {
            address: stats.peer?,
            sid: learner.sid,
            established_ms: stats.established_ms,
            queued_packets: 0,
            queued_bytes: 0,
            packets_received: stats.received,
            packets_sent: stats.sent,
            requests: stats.requests,
            last_zxid: stats.last_zxid,
        })
    }
}
