//! A server that was elected (`Leader`, `LearnerHandler`): discovery here, then `sync` with each learner, then
//! `broadcast`.

mod broadcast;
mod confirm;
mod sync;

use super::journal::{epoch_of, first_zxid};
use super::messages::{LEARNER_PROTOCOL_VERSION, LearnerInfo, PacketType, QuorumPacket};
use super::peer::{AfterPersist, Context, Leave};
use super::{ConnId, Output};
use crate::quorum_status::ZabState;
use broadcast::SyncLimitCheck;
use confirm::{Pings, Rounds};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How far the leader has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Waits for a quorum's promised epochs.
    Discovery,
    /// Has chosen the epoch; it is not on disk yet.
    Choosing,
    /// Waits for a quorum to accept the epoch.
    Accepting,
    /// Waits for a quorum to have the leader's history on disk.
    Synchronization,
    /// Established.
    Broadcast,
}

/// How far a learner has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Has not said who it is.
    Connected,
    /// Waits for the epoch.
    Introduced,
    /// Was told the epoch.
    EpochSent,
    /// Accepted it; its history ends here.
    EpochAccepted { last_zxid: i64 },
    /// What it lacks is read from the log files.
    ReadingLog { last_zxid: i64 },
    /// Was sent what it lacks, and hears of everything from now on.
    Syncing,
    /// Has the leader's history on disk.
    Synced,
}

/// A learner's connection.
#[derive(Debug)]
struct LearnerHandler {
    /// -1 until it has said.
    sid: i64,
    observer: bool,
    stage: Stage,
    heard_ms: u64,
    /// It counts as alive until then.
    alive_until_ms: u64,
    /// On its disk up to here, of what was proposed on this connection.
    acked: i64,
    sync_limit: SyncLimitCheck,
    pings: Pings,
}

/// A learner, for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectedLearner {
    pub conn: ConnId,
    pub sid: i64,
    pub observer: bool,
    /// It has the leader's history.
    pub synced: bool,
}

/// What the leader does when a write of its own is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaderStep {
    EpochAccepted,
    EpochEntered,
    Logged { zxid: i64 },
}

/// A leader, or one that wants to become it.
#[derive(Debug)]
pub struct Leader {
    term: u64,
    /// The epoch to propose; from [`Phase::Choosing`] on it stays.
    epoch: i64,
    phase: Phase,
    /// The phase must be over by then.
    deadline_ms: u64,
    /// The history that the quorum elected: its epoch and end.
    summary: (i64, i64),
    connecting: BTreeSet<i64>,
    electing: BTreeSet<i64>,
    /// The leader's own history is on disk, and its epoch.
    entered: bool,
    learners: BTreeMap<ConnId, LearnerHandler>,
    /// What was last proposed.
    last_proposed: i64,
    /// On the leader's own disk, of what it proposed.
    own_acked: i64,
    /// Syncs that wait for a commit, and whose they are.
    pending_syncs: VecDeque<(i64, Option<ConnId>)>,
    rounds: Rounds,
    next_ping_ms: u64,
    /// Liveness is checked with every other ping.
    skip_check: bool,
    /// Set once a configuration is committed in which another server leads.
    retiring: Option<Retiring>,
    /// Counts what changes who of the learners is synchronised.
    generation: u64,
}

/// A leader that decides nothing any more: it stays until its learners, who close their connections when they have heard
/// of the new configuration, are gone.
#[derive(Clone, Copy, Debug)]
struct Retiring {
    successor: i64,
    until_ms: u64,
}

impl Leader {
    /// Starts to lead; `promised` is the latest epoch that any server is known to have promised.
    pub(super) fn start(cx: &mut Context<'_>, term: u64, promised: i64) -> Result<Self, Leave> {
        let me = cx.config.sid;
        let mut leader = Self {
            term,
            epoch: cx.journal.accepted_epoch.max(promised) + 1,
            phase: Phase::Discovery,
            deadline_ms: cx.now_ms + cx.config.init_ms(),
            summary: (cx.journal.current_epoch, cx.journal.last_zxid()),
            connecting: BTreeSet::from([me]),
            electing: BTreeSet::new(),
            entered: false,
            learners: BTreeMap::new(),
            last_proposed: 0,
            own_acked: 0,
            pending_syncs: VecDeque::new(),
            rounds: Rounds::default(),
            next_ping_ms: cx.now_ms + cx.config.ping_ms(),
            skip_check: true,
            retiring: None,
            generation: 0,
        };
        leader.choose_epoch(cx)?;
        Ok(leader)
    }

    /// Is the leader established?
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.phase == Phase::Broadcast && self.retiring.is_none()
    }

    /// Another number whenever other learners are synchronised.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The epoch that it leads, or wants to.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The last zxid that was proposed in this epoch.
    #[must_use]
    pub fn last_proposed(&self) -> i64 {
        self.last_proposed
    }

    /// How far it has got.
    #[must_use]
    pub fn phase(&self) -> ZabState {
        match self.phase {
            Phase::Discovery | Phase::Choosing | Phase::Accepting => ZabState::Discovery,
            Phase::Synchronization => ZabState::Synchronization,
            Phase::Broadcast => ZabState::Broadcast,
        }
    }

    /// `sync` requests that wait for a commit.
    #[must_use]
    pub fn pending_syncs(&self) -> usize {
        self.pending_syncs.len()
    }

    /// Learners that have said who they are.
    pub fn learners(&self) -> impl Iterator<Item = ConnectedLearner> {
        let named = self.learners.iter().filter(|(_, learner)| learner.stage > Stage::Connected);
        named.map(|(&conn, learner)| ConnectedLearner {
            conn,
            sid: learner.sid,
            observer: learner.observer,
            synced: learner.stage == Stage::Synced,
        })
    }

    /// Connected learners that have the leader's history: server id, and whether it observes.
    #[doc(alias = "getForwardingFollowers")]
    pub fn synced_learners(&self) -> impl Iterator<Item = (i64, bool)> {
        self.learners.values().filter(|learner| learner.stage == Stage::Synced).map(|l| (l.sid, l.observer))
    }

    #[cfg(test)]
    pub(super) fn skip_to(&mut self, zxid: i64) {
        self.last_proposed = zxid;
    }

    pub(super) fn connections(&self) -> impl Iterator<Item = ConnId> {
        self.learners.keys().copied()
    }

    pub(super) fn accepted(&mut self, cx: &Context<'_>, conn: ConnId) {
        self.learners.insert(
            conn,
            LearnerHandler {
                sid: -1,
                observer: false,
                stage: Stage::Connected,
                heard_ms: cx.now_ms,
                alive_until_ms: cx.now_ms + cx.config.init_ms() + cx.config.sync_ms(),
                acked: 0,
                sync_limit: SyncLimitCheck::default(),
                pings: Pings::default(),
            },
        );
    }

    /// The learner's connection is gone, and with it what it acknowledged: see the module of Zab.
    pub(super) fn disconnected(&mut self, conn: ConnId) {
        self.learners.remove(&conn);
        self.generation += 1;
        self.pending_syncs.retain(|(_, waiting)| *waiting != Some(conn));
        self.rounds.forget(conn);
    }

    fn close(&mut self, cx: &mut Context<'_>, conn: ConnId, why: &str) {
        if let Some(learner) = self.learners.get(&conn) {
            tracing::warn!("closing the connection of learner {}: {why}", learner.sid);
            cx.out.push(Output::Close { conn });
            self.disconnected(conn);
        }
    }

    /// A learner says nothing while it takes a snapshot; that it takes it is enough.
    pub(super) fn snapshot_part_sent(&mut self, cx: &Context<'_>, conn: ConnId) {
        if let Some(learner) = self.learners.get_mut(&conn) {
            learner.heard_ms = cx.now_ms;
        }
    }

    pub(super) fn packet(&mut self, cx: &mut Context<'_>, conn: ConnId, packet: &QuorumPacket) -> Result<(), Leave> {
        let Some(learner) = self.learners.get_mut(&conn) else { return Ok(()) };
        learner.heard_ms = cx.now_ms;
        let stage = learner.stage;
        if stage == Stage::Synced {
            learner.alive_until_ms = cx.now_ms + cx.config.sync_ms();
        }
        match (stage, packet.kind) {
            (Stage::Connected, PacketType::FollowerInfo | PacketType::ObserverInfo) => {
                self.introduced(cx, conn, packet)?;
            }
            (Stage::EpochSent, PacketType::AckEpoch) => self.epoch_accepted(cx, conn, packet),
            (Stage::Syncing, PacketType::Ack) => self.new_leader_acked(cx, conn, packet.zxid),
            (Stage::Synced, _) => self.synced_packet(cx, conn, packet),
            (_, kind) => self.close(cx, conn, &format!("{kind:?} out of turn")),
        }
        Ok(())
    }

    /// FOLLOWERINFO or OBSERVERINFO.
    fn introduced(&mut self, cx: &mut Context<'_>, conn: ConnId, packet: &QuorumPacket) -> Result<(), Leave> {
        let info = match LearnerInfo::decode(packet.data()) {
            Ok(info) if info.protocol_version >= LEARNER_PROTOCOL_VERSION => info,
            _ => {
                self.close(cx, conn, "it speaks the protocol of before 3.4");
                return Ok(());
            }
        };
        if info.config_version > cx.membership.last_seen().version {
            self.close(cx, conn, "it is ahead of the leader (has a later activated configuration)");
            return Ok(());
        }
        let same: Vec<ConnId> = self.learners.iter().filter(|(_, l)| l.sid == info.sid).map(|(c, _)| *c).collect();
        for old in same {
            self.close(cx, old, "it connected again");
        }
        let voter = cx.membership.is_any_voter(info.sid) && packet.kind == PacketType::FollowerInfo;
        if let Some(learner) = self.learners.get_mut(&conn) {
            learner.sid = info.sid;
            learner.observer = packet.kind == PacketType::ObserverInfo;
            learner.stage = Stage::Introduced;
        }
        let promised = epoch_of(packet.zxid);
        if self.phase == Phase::Discovery {
            self.epoch = self.epoch.max(promised + 1);
            if voter {
                self.connecting.insert(info.sid);
            }
            self.choose_epoch(cx)?;
        } else if promised > self.epoch && voter {
            // It may not follow an epoch before the one it promised.
            return Err(Leave::promised(promised, format!("server {} promised epoch {promised}", info.sid)));
        } else if self.phase >= Phase::Accepting {
            self.send_epoch(cx, conn);
        }
        Ok(())
    }

    /// A quorum has told what it promised: the epoch is later than all of it.
    #[doc(alias = "getEpochToPropose")]
    fn choose_epoch(&mut self, cx: &mut Context<'_>) -> Result<(), Leave> {
        if self.phase != Phase::Discovery || !cx.membership.has_quorums(&self.connecting) {
            return Ok(());
        }
        if self.epoch > i64::from(i32::MAX) {
            return Err(Leave::because("the epochs are used up"));
        }
        self.enter(cx, Phase::Choosing);
        cx.journal.accept_epoch(self.epoch, cx.out);
        self.after_writes(cx, LeaderStep::EpochAccepted);
        Ok(())
    }

    fn enter(&mut self, cx: &Context<'_>, phase: Phase) {
        self.phase = phase;
        self.deadline_ms = cx.now_ms + cx.config.init_ms();
    }

    fn after_writes(&self, cx: &mut Context<'_>, step: LeaderStep) {
        cx.journal.after_writes(AfterPersist::Leader { term: self.term, step });
    }

    pub(super) fn persisted(&mut self, cx: &mut Context<'_>, step: LeaderStep) {
        match step {
            LeaderStep::EpochAccepted => {
                self.enter(cx, Phase::Accepting);
                let waiting: Vec<ConnId> =
                    self.learners.iter().filter(|(_, l)| l.stage == Stage::Introduced).map(|(c, _)| *c).collect();
                for conn in waiting {
                    self.send_epoch(cx, conn);
                }
                self.electing.insert(cx.config.sid);
                self.finish_discovery(cx);
            }
            LeaderStep::EpochEntered => {
                self.entered = true;
                self.establish(cx);
            }
            LeaderStep::Logged { zxid } => {
                self.own_acked = zxid;
                self.try_to_commit(cx);
            }
        }
    }

    /// LEADERINFO.
    fn send_epoch(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        if let Some(learner) = self.learners.get_mut(&conn) {
            learner.stage = Stage::EpochSent;
            let version = LEARNER_PROTOCOL_VERSION.to_be_bytes();
            let packet = QuorumPacket::with(PacketType::LeaderInfo, first_zxid(self.epoch), version);
            cx.out.push(Output::Send { conn, packet });
        }
    }

    /// ACKEPOCH: the learner's history must not be later than the one that is to be everybody's.
    #[doc(alias = "waitForEpochAck")]
    fn epoch_accepted(&mut self, cx: &mut Context<'_>, conn: ConnId, packet: &QuorumPacket) {
        let Some(current_epoch) = packet.data().first_chunk::<4>().map(|bytes| i32::from_be_bytes(*bytes)) else {
            self.close(cx, conn, "ACKEPOCH without an epoch");
            return;
        };
        let Some(learner) = self.learners.get_mut(&conn) else { return };
        learner.stage = Stage::EpochAccepted { last_zxid: packet.zxid };
        let sid = learner.sid;
        if self.phase >= Phase::Synchronization {
            self.sync_learner(cx, conn);
            return;
        }
        // -1: it had accepted the epoch before, so it may have been someone else's and does not count.
        if current_epoch != -1 {
            if (i64::from(current_epoch), packet.zxid) > self.summary {
                self.close(cx, conn, "it is ahead of the leader");
                return;
            }
            if packet.zxid != -1 && cx.membership.is_any_voter(sid) {
                self.electing.insert(sid);
            }
        }
        self.finish_discovery(cx);
    }

    /// A quorum follows this leader and no other of an earlier epoch: its history is the one to go on from.
    fn finish_discovery(&mut self, cx: &mut Context<'_>) {
        let mine = self.electing.contains(&cx.config.sid);
        if self.phase != Phase::Accepting || !mine || !cx.membership.has_quorums(&self.electing) {
            return;
        }
        self.enter(cx, Phase::Synchronization);
        cx.membership.number_first(first_zxid(self.epoch));
        cx.journal.enter_epoch(self.epoch, cx.out);
        self.after_writes(cx, LeaderStep::EpochEntered);
        let waiting: Vec<ConnId> = self
            .learners
            .iter()
            .filter(|(_, learner)| matches!(learner.stage, Stage::EpochAccepted { .. }))
            .map(|(conn, _)| *conn)
            .collect();
        for conn in waiting {
            self.sync_learner(cx, conn);
        }
    }

    /// When [`Self::tick`] next has something to do.
    pub(super) fn next_wakeup_ms(&self) -> u64 {
        if self.phase != Phase::Broadcast {
            return self.next_ping_ms.min(self.deadline_ms);
        }
        self.retiring.as_ref().map_or(self.next_ping_ms, |retiring| self.next_ping_ms.min(retiring.until_ms))
    }

    /// Timeouts of the phase and of learners, pings.
    pub(super) fn tick(&mut self, cx: &mut Context<'_>) -> Result<(), Leave> {
        if self.phase != Phase::Broadcast && cx.now_ms >= self.deadline_ms {
            return Err(Leave::because(format!("no quorum of followers in {:?} within initLimit", self.phase)));
        }
        if let Some(Retiring { successor, until_ms }) = self.retiring
            && (cx.now_ms >= until_ms || self.synced_learners().next().is_none())
        {
            return Err(Leave::for_leader(successor));
        }
        if cx.now_ms >= self.next_ping_ms {
            self.next_ping_ms = cx.now_ms + cx.config.ping_ms();
            self.close_silent(cx);
            if self.is_established() && !self.skip_check {
                self.check_quorum(cx)?;
            }
            self.skip_check = !self.skip_check;
            self.ping(cx);
        }
        Ok(())
    }

    /// Closes the connections of learners from which something is overdue.
    fn close_silent(&mut self, cx: &mut Context<'_>) {
        let (init_ms, sync_ms) = (cx.config.init_ms(), cx.config.sync_ms());
        let overdue = |learner: &LearnerHandler| match learner.stage {
            // These wait for the leader, not it for them.
            Stage::Introduced | Stage::EpochAccepted { .. } | Stage::ReadingLog { .. } => false,
            Stage::Connected | Stage::EpochSent | Stage::Syncing => cx.now_ms > learner.heard_ms + init_ms,
            Stage::Synced => {
                self.phase == Phase::Broadcast
                    && (cx.now_ms > learner.heard_ms.max(self.deadline_ms.saturating_sub(init_ms)) + sync_ms
                        || learner.sync_limit.exceeded(cx.now_ms, sync_ms))
            }
        };
        let silent: Vec<ConnId> = self.learners.iter().filter(|(_, l)| overdue(l)).map(|(conn, _)| *conn).collect();
        for conn in silent {
            self.close(cx, conn, "it has been silent for too long");
        }
    }
}
