//! One server of an ensemble (`QuorumPeer`): goes from election to leading or following, and back.

use super::election::{Candidate, Election, ElectionTiming, Vote, notification};
use super::journal::{Journal, Restored};
use super::leader::{Leader, LeaderStep};
use super::learner::Learner;
use super::messages::{Notification, QuorumPacket, ServerState};
use super::quorum_verifier::QuorumVerifier;
use super::{ConnId, Input, Output};
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
    pub verifier: &'a QuorumVerifier,
    pub journal: &'a mut Journal,
    pub now_ms: u64,
    pub out: &'a mut Vec<Output>,
}

impl Context<'_> {
    /// Does this server vote?
    pub fn is_voter(&self) -> bool {
        self.verifier.is_voter(self.config.sid)
    }
}

/// The role is over; an election follows.
#[derive(Debug)]
pub(super) struct Leave {
    why: String,
    /// An epoch that another server promised.
    promised: i64,
}

impl Leave {
    pub fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), promised: 0 }
    }

    pub fn promised(promised: i64, why: String) -> Self {
        Self { why, promised }
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
    verifier: Arc<QuorumVerifier>,
    /// Text of the verifier, as it goes into notifications.
    verifier_text: Vec<u8>,
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
    /// A server whose data directory holds `restored`; its first election begins.
    #[must_use]
    pub fn new(config: ZabConfig, restored: Restored, now: Now, out: &mut Vec<Output>) -> Self {
        let mut peer = Self {
            verifier: Arc::clone(&config.verifier),
            verifier_text: config.verifier.to_string().into_bytes(),
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
            Role::Learning(_) if self.verifier.is_voter(self.config.sid) => ServerState::Following,
            Role::Learning(_) => ServerState::Observing,
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
            Input::Reconfigured(verifier) => self.reconfigured(now, verifier, out),
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
            voter: self.verifier.is_voter(self.config.sid),
            last_zxid: self.journal.last_zxid(),
            current_epoch: self.journal.current_epoch,
            verifier: &self.verifier,
            config: &self.verifier_text,
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
        self.look(now, out);
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
            verifier: &self.verifier,
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
            let state = if cx.is_voter() { ServerState::Following } else { ServerState::Observing };
            cx.out.push(Output::StateChanged(state));
            self.role = Role::Learning(Learner::start(&mut cx, term, vote.leader));
        }
    }

    fn notified(&mut self, now: Now, from: i64, n: &Notification, out: &mut Vec<Output>) {
        if matches!(self.role, Role::Looking) {
            let (election, candidate) = self.election();
            if let Some(vote) = election.notification(now.mono_ms(), from, n, candidate, out) {
                self.elected(now, vote, out);
            }
        } else if n.state == ServerState::Looking {
            let reply = notification(self.vote, self.state(), &self.verifier_text);
            out.push(Output::Notify { to: from, notification: reply });
        }
    }

    /// Everything that only a role cares about.
    fn role_step(&mut self, now: Now, input: Input, out: &mut Vec<Output>) -> Result<(), Leave> {
        let cx = &mut Context {
            config: &self.config,
            verifier: &self.verifier,
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
            verifier: &self.verifier,
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

    /// The ensemble changed. A learner, or a leader that still has a vote, goes on with the new quorums; whose role they
    /// change looks for a leader again.
    fn reconfigured(&mut self, now: Now, verifier: Arc<QuorumVerifier>, out: &mut Vec<Output>) {
        let sid = self.config.sid;
        let changed = self.verifier.is_voter(sid) != verifier.is_voter(sid);
        self.verifier_text = verifier.to_string().into_bytes();
        self.verifier = verifier;
        if changed || matches!(self.role, Role::Looking) {
            self.settle(now, Err(Leave::because("the ensemble was reconfigured")), out);
        }
    }
}

fn leader_step(leader: &mut Leader, cx: &mut Context<'_>, input: Input) -> Result<(), Leave> {
    match input {
        Input::Accepted { conn } => leader.accepted(cx, conn),
        Input::Packet { conn, packet } => return leader.packet(cx, conn, &packet),
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
