//! One server of an ensemble (`QuorumPeer`): goes from election to leading or following, and back.

use super::election::{Candidate, Election, ElectionTiming, Vote, notification};
use super::journal::{Journal, Restored};
use super::leader::{Leader, LeaderStep};
use super::learner::Learner;
use super::membership::Membership;
use super::messages::{Notification, QuorumPacket, ServerState};
use super::quorum_verifier::QuorumVerifier;
use super::{ConnId, Input, Output, Txn};
use crate::quorum_status::ZabState;
use ottla_base::time::Now;
use std::sync::Arc;

/// Settings, named as in `zoo.cfg`.
#[derive(Clone, Debug)]
pub struct ZabConfig {
    /// `myid`
    pub sid: i64,
    pub tick_time_ms: u64,
    /// Ticks that discovery and synchronisation may take, each.
    pub init_limit: u64,
    /// Ticks without a word, or without an acknowledgement, after which the other side is given up.
    pub sync_limit: u64,
    /// `commitLogCount`: committed transactions kept for learners that were away.
    pub commit_log_count: usize,
    pub election: ElectionTiming,
    pub verifier: Arc<QuorumVerifier>,
}

impl ZabConfig {
    pub(super) fn init_ms(&self) -> u64 {
        self.tick_time_ms * self.init_limit
    }

    pub(super) fn sync_ms(&self) -> u64 {
        self.tick_time_ms * self.sync_limit
    }

    pub(super) fn ping_ms(&self) -> u64 {
        (self.tick_time_ms / 2).max(1)
    }
}

/// What roles work with.
pub(super) struct Context<'a> {
    pub config: &'a ZabConfig,
    pub membership: &'a mut Membership,
    pub journal: &'a mut Journal,
    pub now_ms: u64,
    pub out: &'a mut Vec<Output>,
}

impl Context<'_> {
    /// Is this server one that observes?
    pub fn is_observer(&self) -> bool {
        self.membership.is_observer(self.config.sid)
    }

    /// Adds to the log; a new configuration counts from here on.
    pub fn append(&mut self, txn: Txn) {
        if self.membership.propose_txn(&txn.data) {
            self.out.push(Output::ConfigSeen(Arc::clone(self.membership.last_seen())));
        }
        self.journal.append(txn, self.out);
    }

    /// Delivers the next transaction; a configuration is gone by from here on.
    pub fn deliver_next(&mut self) -> Option<Txn> {
        let txn = self.journal.deliver_next(self.out)?;
        if self.membership.is_changing()
            && let Some(verifier) = self.membership.committed_by(txn.zxid)
        {
            self.activate(&verifier);
        }
        Some(txn)
    }

    /// Delivers everything up to `zxid`.
    pub fn deliver_to(&mut self, zxid: i64) {
        while self.journal.first_outstanding().is_some_and(|txn| txn.zxid <= zxid) {
            self.deliver_next();
        }
    }

    /// Goes by a configuration that is committed, if it is later than the one of now.
    pub fn activate(&mut self, verifier: &Arc<QuorumVerifier>) -> bool {
        let new = self.membership.activate(verifier);
        if new {
            tracing::info!("the ensemble's configuration has version {:#x} from now on", verifier.version);
            self.out.push(Output::ConfigActivated(Arc::clone(verifier)));
        }
        new
    }

    /// Forgets everything after `zxid`.
    pub fn truncate(&mut self, zxid: i64) {
        self.membership.truncate(zxid);
        self.journal.truncate(zxid, self.out);
    }
}

/// The role is over; an election follows.
#[derive(Debug)]
pub(super) struct Leave {
    why: String,
    /// An epoch that another server promised.
    promised: i64,
    /// Who leads from now on, without an election.
    next: Option<i64>,
}

impl Leave {
    pub fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), promised: 0, next: None }
    }

    pub fn promised(promised: i64, why: String) -> Self {
        Self { why, promised, next: None }
    }

    /// The members changed; `next` leads from now on.
    pub fn for_leader(next: i64) -> Self {
        let why = format!("the ensemble was reconfigured, and server {next} is to lead it");
        Self { why, promised: 0, next: Some(next) }
    }
}

/// What happens once writes are on disk, if the role is the same as when it was asked for.
#[derive(Debug)]
pub(super) enum AfterPersist {
    Send { term: u64, conn: ConnId, packet: QuorumPacket },
    Logged { term: u64, zxid: i64 },
    Leader { term: u64, step: LeaderStep },
}

#[derive(Debug)]
enum Role {
    Looking,
    Leading(Leader),
    Learning(Learner),
}

/// A server of an ensemble; see the module.
#[doc(alias = "QuorumPeer")]
#[derive(Debug)]
pub struct ZabPeer {
    config: ZabConfig,
    membership: Membership,
    journal: Journal,
    election: Election,
    /// What this server tells of its leader.
    vote: Vote,
    role: Role,
    /// Counts roles, so that what an earlier one waited for is let go.
    term: u64,
    /// Writes up to this ticket are on disk.
    persisted: u64,
    /// The latest epoch that any server is known to have promised.
    promised: i64,
}

impl ZabPeer {
    /// A server whose data directory holds `restored`, among members that never change; its first election begins.
    #[must_use]
    pub fn new(config: ZabConfig, restored: Restored, now: Now, out: &mut Vec<Output>) -> Self {
        let membership = Membership::fixed(Arc::clone(&config.verifier));
        Self::with_membership(config, membership, restored, now, out)
    }

    /// As [`Self::new`], among members that may change.
    #[must_use]
    pub fn with_membership(
        config: ZabConfig,
        membership: Membership,
        restored: Restored,
        now: Now,
        out: &mut Vec<Output>,
    ) -> Self {
        let mut peer = Self {
            membership,
            journal: Journal::new(restored, config.commit_log_count),
            election: Election::new(config.election),
            vote: Election::new(config.election).proposal(),
            role: Role::Looking,
            term: 0,
            persisted: 0,
            promised: 0,
            config,
        };
        peer.look(now, out);
        peer
    }

    /// What the server does.
    #[must_use]
    pub fn state(&self) -> ServerState {
        match &self.role {
            Role::Looking => ServerState::Looking,
            Role::Leading(_) => ServerState::Leading,
            Role::Learning(learner) if learner.is_observer() => ServerState::Observing,
            Role::Learning(_) => ServerState::Following,
        }
    }

    /// The phase that it is in.
    #[must_use]
    pub fn phase(&self) -> ZabState {
        match &self.role {
            Role::Looking => ZabState::Election,
            Role::Leading(leader) => leader.phase(),
            Role::Learning(learner) => learner.phase(),
        }
    }

    /// Whom it follows, itself when it leads.
    #[must_use]
    pub fn leader_sid(&self) -> Option<i64> {
        match &self.role {
            Role::Looking => None,
            Role::Leading(_) => Some(self.config.sid),
            Role::Learning(learner) => Some(learner.leader()),
        }
    }

    /// The leader, when this server is it.
    #[must_use]
    pub fn leader(&self) -> Option<&Leader> {
        if let Role::Leading(leader) = &self.role { Some(leader) } else { None }
    }

    /// May clients be served?
    #[must_use]
    pub fn is_serving(&self) -> bool {
        match &self.role {
            Role::Looking => false,
            Role::Leading(leader) => leader.is_established(),
            Role::Learning(learner) => learner.is_synchronised(),
        }
    }

    /// The members.
    #[must_use]
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Another number after each change of the members, or of who of them follows.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.membership.generation() + self.term + self.leader().map_or(0, Leader::generation)
    }

    /// The log and the epochs.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// When [`Input::Tick`] is next needed, in milliseconds of the clock that never goes back.
    #[must_use]
    pub fn next_wakeup_ms(&self) -> u64 {
        match &self.role {
            Role::Looking => self.election.next_wakeup_ms(),
            Role::Leading(leader) => leader.next_wakeup_ms(),
            Role::Learning(learner) => learner.next_wakeup_ms(),
        }
    }

    /// Takes in what happened; what the host has to do is added to `out`.
    pub fn step(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Notification { from, notification } => self.notified(now, from, &notification, out),
            Input::Persisted { ticket } => self.persisted = self.persisted.max(ticket),
            Input::Tick if matches!(self.role, Role::Looking) => {
                let (election, candidate) = self.election();
                if let Some(vote) = election.tick(now.mono_ms(), candidate, out) {
                    self.elected(now, vote, out);
                }
            }
            input => {
                let done = self.role_step(now, input, out);
                self.settle(now, done, out);
            }
        }
        while let Some(done) = self.journal.next_done(self.persisted) {
            self.after_persist(now, done, out);
        }
    }

    /// As if the established leader had proposed up to `zxid`.
    #[cfg(test)]
    pub(super) fn skip_to(&mut self, zxid: i64) {
        if let Role::Leading(leader) = &mut self.role {
            leader.skip_to(zxid);
        }
    }

    fn election(&mut self) -> (&mut Election, Candidate<'_>) {
        let candidate = Candidate {
            sid: self.config.sid,
            last_zxid: self.journal.last_zxid(),
            current_epoch: self.journal.current_epoch,
            membership: &self.membership,
        };
        (&mut self.election, candidate)
    }

    fn look(&mut self, now: Now, out: &mut Vec<Output>) {
        self.term += 1;
        self.role = Role::Looking;
        out.push(Output::StateChanged(ServerState::Looking));
        let (election, candidate) = self.election();
        election.start(now.mono_ms(), candidate, out);
    }

    /// Ends the role when it failed.
    fn settle(&mut self, now: Now, done: Result<(), Leave>, out: &mut Vec<Output>) {
        let Err(leave) = done else {
            self.update_vote();
            return;
        };
        tracing::warn!("server {} looks for a leader: {}", self.config.sid, leave.why);
        self.promised = self.promised.max(leave.promised);
        match &self.role {
            Role::Looking => {}
            Role::Leading(leader) => out.extend(leader.connections().map(|conn| Output::Close { conn })),
            Role::Learning(learner) => out.extend(learner.connection().map(|conn| Output::Close { conn })),
        }
        // Whoever is no voter of the new ensemble can't be meant.
        match leave.next.filter(|next| self.membership.is_voter(*next)) {
            Some(leader) => self.elected(now, Vote { leader, zxid: self.journal.last_zxid(), ..self.vote }, out),
            None => self.look(now, out),
        }
    }

    /// Late servers count votes for one leader by epoch: all who follow it tell the one that it has established.
    #[doc(alias = "updateElectionVote")]
    fn update_vote(&mut self) {
        if self.is_serving() {
            self.vote.peer_epoch = self.journal.current_epoch;
        }
    }

    fn elected(&mut self, now: Now, vote: Vote, out: &mut Vec<Output>) {
        self.vote = vote;
        self.term += 1;
        let (term, promised) = (self.term, self.promised);
        let leads = vote.leader == self.config.sid;
        let mut cx = Context {
            config: &self.config,
            membership: &mut self.membership,
            journal: &mut self.journal,
            now_ms: now.mono_ms(),
            out,
        };
        if leads {
            cx.out.push(Output::StateChanged(ServerState::Leading));
            match Leader::start(&mut cx, term, promised) {
                Ok(leader) => self.role = Role::Leading(leader),
                Err(leave) => self.settle(now, Err(leave), out),
            }
        } else {
            let state = if cx.is_observer() { ServerState::Observing } else { ServerState::Following };
            cx.out.push(Output::StateChanged(state));
            self.role = Role::Learning(Learner::start(&mut cx, term, vote.leader));
        }
    }

    fn notified(&mut self, now: Now, from: i64, n: &Notification, out: &mut Vec<Output>) {
        if matches!(self.role, Role::Looking) {
            self.learn_members(now, &n.config, out);
            let (election, candidate) = self.election();
            if let Some(vote) = election.notification(now.mono_ms(), from, n, candidate, out) {
                self.elected(now, vote, out);
            }
        } else if n.state == ServerState::Looking {
            let reply = notification(self.vote, self.state(), self.membership.text());
            out.push(Output::Notify { to: from, notification: reply });
        }
    }

    /// Everything that only a role cares about.
    fn role_step(&mut self, now: Now, input: Input, out: &mut Vec<Output>) -> Result<(), Leave> {
        let cx = &mut Context {
            config: &self.config,
            membership: &mut self.membership,
            journal: &mut self.journal,
            now_ms: now.mono_ms(),
            out,
        };
        match &mut self.role {
            Role::Looking => {
                if let Input::Accepted { conn } | Input::Connected { conn, .. } = input {
                    cx.out.push(Output::Close { conn });
                }
                Ok(())
            }
            Role::Leading(leader) => leader_step(leader, cx, input),
            Role::Learning(learner) => learner_step(learner, cx, input),
        }
    }

    fn after_persist(&mut self, now: Now, done: AfterPersist, out: &mut Vec<Output>) {
        let cx = &mut Context {
            config: &self.config,
            membership: &mut self.membership,
            journal: &mut self.journal,
            now_ms: now.mono_ms(),
            out,
        };
        match (done, &mut self.role) {
            (AfterPersist::Leader { term, step }, Role::Leading(leader)) if term == self.term => {
                leader.persisted(cx, step);
            }
            (AfterPersist::Logged { term, zxid }, Role::Learning(learner)) if term == self.term => {
                learner.logged(cx, zxid);
            }
            (AfterPersist::Send { term, conn, packet }, Role::Learning(learner))
                if term == self.term && learner.connection() == Some(conn) =>
            {
                cx.out.push(Output::Send { conn, packet });
            }
            _ => {}
        }
        self.update_vote();
    }

    /// Others know of a later committed configuration: the election begins anew with it.
    fn learn_members(&mut self, now: Now, text: &[u8], out: &mut Vec<Output>) {
        if !self.membership.is_dynamic() || text.is_empty() {
            return;
        }
        let Some(verifier) = self.membership.parse(text) else { return };
        let before = Arc::clone(self.membership.active());
        if self.membership.activate(&verifier) {
            tracing::info!(
                "others go by the configuration of version {:#x}, and so does this server",
                verifier.version
            );
            out.push(Output::ConfigActivated(Arc::clone(&verifier)));
            if !verifier.is_like(&before) {
                self.look(now, out);
            }
        }
    }
}

fn leader_step(leader: &mut Leader, cx: &mut Context<'_>, input: Input) -> Result<(), Leave> {
    match input {
        Input::Accepted { conn } => leader.accepted(cx, conn),
        Input::Packet { conn, packet } => return leader.packet(cx, conn, &packet),
        Input::SnapshotPartSent { conn } => leader.snapshot_part_sent(cx, conn),
        Input::Disconnected { conn } => leader.disconnected(conn),
        Input::LogRead { conn, txns } => leader.log_read(cx, conn, txns),
        Input::Propose(txn) => return leader.propose(cx, txn),
        Input::Sync { conn } => leader.sync(cx, conn),
        Input::ConfirmedRead { conn } => leader.confirmed_read(cx, conn),
        Input::Revalidated { conn, session_id, valid } => leader.revalidated(cx, conn, session_id, valid),
        Input::Tick => return leader.tick(cx),
        // A connection that an earlier role asked for.
        Input::Connected { conn, .. } => cx.out.push(Output::Close { conn }),
        _ => {}
    }
    Ok(())
}

fn learner_step(learner: &mut Learner, cx: &mut Context<'_>, input: Input) -> Result<(), Leave> {
    match input {
        Input::Connected { leader, conn } => learner.connected(cx, leader, conn),
        Input::ConnectFailed { leader } => return learner.connect_failed(cx, leader),
        Input::Packet { conn, packet } => return learner.packet(cx, conn, &packet),
        Input::SnapshotPart { conn } => learner.snapshot_part(cx, conn),
        Input::SnapshotReceived { conn } => learner.snapshot_received(cx, conn),
        Input::Disconnected { conn } => return learner.disconnected(conn),
        Input::Forward(request) => learner.forward(cx, &request),
        Input::Revalidate { session_id, timeout_ms } => learner.revalidate(cx, session_id, timeout_ms),
        Input::Touch { session_id, timeout_ms } => learner.touch(session_id, timeout_ms),
        Input::Tick => return learner.tick(cx),
        // Only a leader has learners.
        Input::Accepted { conn } => cx.out.push(Output::Close { conn }),
        _ => {}
    }
    Ok(())
}
