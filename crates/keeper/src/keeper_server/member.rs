//! A server that is one of an ensemble: when it serves, what it asks of its leader, and what it does as the leader for
//! the clients of others (`LearnerZooKeeperServer`, `LeaderZooKeeperServer`). [`crate::ensemble`] drives this.

use super::{KeeperServer, Output, ServerConfig};
use crate::connection::{Kind, Outstanding};
use crate::database::Database;
use crate::jute::Jute;
use crate::proto::{CONFIG_NODE, OpCode, PathRequest};
use crate::request_processor::{EnsembleView, Request};
use crate::session_tracker::{LOCAL_OWNER, owner_of};
use crate::stats::QuorumStats;
use crate::watch_manager::ConnId;
use crate::zab::messages::{AuthId, LearnerRequest};
use crate::zab::{self, QuorumVerifier, Txn};
use ottla_base::random::Random;
use ottla_base::time::Now;
use std::collections::{BTreeMap, VecDeque};

/// What a server does in its ensemble.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// There is no ensemble.
    #[default]
    Alone,
    /// There is no leader; reads are served to clients that are content with them.
    ReadOnly,
    /// Nobody is served: there is no leader, or not all of its history.
    Idle,
    /// Decides what changes.
    Leader { serves_clients: bool },
    /// Serves reads, and asks the leader for everything else.
    Learner,
}

/// A server's place in an ensemble, and what is under way between it and the others.
#[derive(Debug, Default)]
pub(super) struct Membership {
    place: Place,
    /// Where the leader's epoch began, which every client may have seen.
    epoch_zxid: i64,
    /// What the others must be told, in this order, after what was decided.
    wants: Vec<zab::Input>,
    /// Clients that wait for a sync, in the order of asking.
    syncs: VecDeque<ConnId>,
    reads: ConfirmedReads,
    /// Clients that wait for the leader's word about their session.
    revalidating: BTreeMap<i64, ConnId>,
}

/// Reads that wait for the leader's word. The leader is asked for all that have come since it was last asked, and not
/// again before it has answered.
#[derive(Debug, Default)]
struct ConfirmedReads {
    asked: u64,
    answered: u64,
    /// Their clients: of the question that is under way, and of the next.
    waiting: Vec<ConnId>,
    next: Vec<ConnId>,
}

impl Membership {
    /// Has the leader answered this question?
    pub(super) fn is_confirmed(&self, number: u64) -> bool {
        number <= self.reads.answered
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn decides(&self) -> bool {
        matches!(self.place, Place::Alone | Place::Leader { .. })
    }

    pub(super) fn is_member(&self) -> bool {
        self.place != Place::Alone
    }
}

impl KeeperServer {
    /// A server of an ensemble, which serves nobody yet.
    #[must_use]
    pub(crate) fn member(config: ServerConfig, db: Database, random: Random, now: Now) -> Self {
        let local_sessions = config.local_sessions.then_some(config.session_server_id);
        let mut server = Self::new(config, db, random, now);
        if let Some(own) = local_sessions {
            server.processor.allow_local_sessions(own);
        }
        server.membership.place = Place::Idle;
        server
    }

    /// Does this server turn requests into transactions?
    pub(super) fn decides(&self) -> bool {
        self.membership.decides()
    }

    pub(super) fn is_member(&self) -> bool {
        self.membership.is_member()
    }

    /// Has it a leader, or is it one?
    pub(super) fn has_place(&self) -> bool {
        !matches!(self.membership.place, Place::Idle | Place::ReadOnly)
    }

    /// Does this server take clients that want more than to read?
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.has_place() && self.membership.place != Place::Leader { serves_clients: false }
    }

    /// The latest zxid that means nothing new to this server: the last one applied, or the beginning of the epoch.
    pub(super) fn seen_zxid(&self) -> i64 {
        self.db.last_zxid().max(self.membership.epoch_zxid)
    }

    /// Closes all clients: their sessions live on, with the next leader.
    pub(crate) fn stop_serving(&mut self, outputs: &mut Vec<Output>) {
        let mut conns: Vec<ConnId> = self.conns.keys().copied().collect();
        conns.sort_unstable();
        for conn in conns {
            self.close_now(conn, outputs);
        }
        self.local.clear();
        self.watches.clear();
        self.sync_waiters.clear();
        self.batch.clear();
        self.processor.reset(self.db.last_zxid());
        self.membership = Membership { place: Place::Idle, ..Membership::default() };
    }

    /// Takes clients from now on. A leader's own transactions begin after `zxid`, and all sessions get their whole
    /// timeout again.
    pub(crate) fn start_serving(&mut self, now: Now, place: Place, zxid: i64) {
        self.membership.place = place;
        self.membership.epoch_zxid = zxid;
        self.processor.reset(zxid);
        self.db.trust_digests();
        self.restart_sessions(now);
        self.next_container_check_ms = now.mono_ms() + self.config.container_check_interval_ms;
    }

    /// Serves reads from now on, from the tree as it is; false when that may be torn.
    pub(crate) fn start_read_only(&mut self, now: Now) -> bool {
        if self.db.doubts_digests() {
            tracing::warn!("a leader's tree has not come here whole, so it is not served without a leader");
            return false;
        }
        self.membership.place = Place::ReadOnly;
        self.restart_sessions(now);
        let zxid = self.db.last_zxid();
        tracing::info!("no leader was found: serving reads as of zxid {zxid:#x} to clients that are content with them");
        true
    }

    fn restart_sessions(&mut self, now: Now) {
        let sessions = self.db.sessions().iter().map(|(&id, &timeout_ms)| (id, u32::try_from(timeout_ms).unwrap_or(0)));
        self.sessions.restart(sessions, now.mono_ms());
    }

    /// What an ensemble adds to the figures.
    pub(crate) fn quorum_stats(&mut self) -> &mut QuorumStats {
        &mut self.stats.quorum
    }

    /// Not before it serves: after a start the tree may have what will never be committed.
    pub(super) fn member_snapshot_if_due(&mut self, outputs: &mut Vec<Output>) {
        if self.has_place() {
            self.snapshot_if_due(outputs);
        }
    }

    /// As `srvr` tells it.
    pub(crate) fn set_mode(&mut self, mode: &'static str) {
        self.config.info.mode = mode;
    }

    /// Another tree takes the place of this one; true when a snapshot of the old one was being written, which is void.
    pub(crate) fn replace_database(&mut self, db: Database) -> bool {
        self.txns_since_snapshot = db.replayed_txns;
        self.bytes_since_snapshot = 0;
        self.db = db;
        self.processor.reset(self.db.last_zxid());
        self.snapshot.take().is_some()
    }

    /// Puts the ensemble's configuration into its node, as each server does for itself.
    #[doc(alias = "initConfigInZKDatabase")]
    pub(crate) fn set_ensemble_node(db: &mut Database, text: &str, version: i64, now: Now) {
        // The node is always there; it is no part of the digest.
        let _ = db.tree.set_data(CONFIG_NODE, Some(text.as_bytes()), -1, version, now.wall_ms, &mut ());
    }

    /// Has the ensemble's node this configuration, or a later one?
    pub(crate) fn has_ensemble_node(&self, version: i64) -> bool {
        let text = self.db.tree.get(CONFIG_NODE).and_then(|node| node.data()).unwrap_or_default();
        let text = std::str::from_utf8(text).unwrap_or_default();
        QuorumVerifier::parse(text).is_ok_and(|verifier| verifier.version >= version)
    }

    /// Leader: the ensemble, for requests to change it.
    pub(crate) fn set_ensemble_view(&mut self, view: Option<EnsembleView>) {
        self.processor.set_ensemble(view);
    }

    /// Takes out what the others must be told, in the order in which it was wanted.
    pub(crate) fn take_wants(&mut self, into: &mut VecDeque<zab::Input>) {
        self.want_proposals();
        self.ask_for_reads();
        into.extend(self.membership.wants.drain(..));
    }

    /// What was decided so far comes before what is wanted from now on.
    fn want_proposals(&mut self) {
        for (zxid, txn) in self.batch.iter() {
            self.stats.quorum.proposals += 1;
            self.stats.quorum.proposal_sizes.add(txn.len());
            self.membership.wants.push(zab::Input::Propose(Txn { zxid, data: txn.into() }));
        }
        self.batch.clear();
    }

    /// Learner: asks the leader for a change.
    pub(super) fn forward(&mut self, session_id: i64, cxid: i32, op: OpCode, body: &[u8], auth: &[(String, String)]) {
        let auth = auth.iter().map(|(scheme, id)| AuthId { scheme: scheme.clone(), id: id.clone() }).collect();
        let request = LearnerRequest { session_id, cxid, op: op.code(), body: body.into(), auth };
        self.membership.wants.push(zab::Input::Forward(request));
    }

    /// Learner: the leader will hear that the session is alive.
    pub(super) fn touch_at_leader(&mut self, session_id: i64, timeout_ms: u32) {
        let known = matches!(self.membership.wants.last(),
            Some(zab::Input::Touch { session_id: last, .. }) if *last == session_id);
        if !known {
            self.membership.wants.push(zab::Input::Touch { session_id, timeout_ms: timeout_ms as i32 });
        }
    }

    /// A `sync` of a client: answered in its turn once the leader has said that all before it is committed.
    pub(super) fn sync_with_leader(&mut self, now: Now, conn: ConnId, xid: i32, body: &[u8]) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let (session_id, op) = (connection.session_id, OpCode::Sync);
        let kind = Kind::SyncAsked(body.to_vec());
        connection.queue.push_back(Outstanding { xid, op, received_us: now.mono_us, kind });
        self.in_flight += 1;
        self.membership.syncs.push_back(conn);
        if self.decides() {
            // A write of the same client behind it is not to be committed before it.
            self.want_proposals();
            self.membership.wants.push(zab::Input::Sync { conn: None });
        } else {
            self.forward(session_id, xid, op, body, &[]);
        }
    }

    /// The oldest sync is done.
    pub(crate) fn synced(&mut self, now: Now) {
        if self.config.linearizable_reads {
            let reads = &mut self.membership.reads;
            reads.answered = reads.asked;
            for conn in std::mem::take(&mut reads.waiting) {
                self.answer_ready(now, conn);
            }
            return;
        }
        let Some(conn) = self.membership.syncs.pop_front() else { return };
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let asked = connection.queue.iter_mut().find(|waiting| matches!(waiting.kind, Kind::SyncAsked(_)));
        if let Some(waiting) = asked
            && let Kind::SyncAsked(body) = &mut waiting.kind
        {
            waiting.kind = Kind::Read(std::mem::take(body));
        }
        self.answer_ready(now, conn);
    }

    /// A read that must see everything that was committed when it came (`ottla.linearizableReads`); a `sync` is one too.
    pub(super) fn read_confirmed(&mut self, now: Now, conn: ConnId, xid: i32, op: OpCode, body: &[u8]) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let reads = &mut self.membership.reads;
        let kind = match self.membership.place {
            Place::Leader { .. } if self.local.contains(connection.session_id) => {
                Kind::Confirmed(reads.asked + 1, body.to_vec())
            }
            Place::Leader { .. } => match self.sessions.check(connection.session_id, LOCAL_OWNER) {
                Ok(()) => Kind::Confirmed(reads.asked + 1, body.to_vec()),
                Err(code) => Kind::Failed(code),
            },
            _ => Kind::Confirmed(reads.asked + 1, body.to_vec()),
        };
        if reads.next.last() != Some(&conn) {
            reads.next.push(conn);
        }
        connection.confirming += u32::from(matches!(kind, Kind::Confirmed(..)));
        connection.queue.push_back(Outstanding { xid, op, received_us: now.mono_us, kind });
        self.in_flight += 1;
        self.answer_ready(now, conn);
    }

    /// Reads nothing more of a connection until its reads are answered that wait for the leader's word.
    pub(super) fn hold(&mut self, conn: ConnId, outputs: &mut Vec<Output>) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        connection.held = true;
        if !connection.paused {
            connection.paused = true;
            self.paused.push(conn);
            outputs.push(Output::Pause { conn });
        }
    }

    /// Nothing is read of a connection that is held, so its client's silence says nothing.
    pub(super) fn touch_held(&mut self, now: Now) {
        let reads = &self.membership.reads;
        for conn in reads.waiting.iter().chain(&reads.next) {
            if let Some(connection) = self.conns.get(conn).filter(|connection| connection.held) {
                self.local.touch(connection.session_id, now);
                self.sessions.touch(connection.session_id, now.mono_ms());
            }
        }
    }

    /// Goes on with the connections that were held.
    pub(crate) fn read_on(&mut self, now: Now, outputs: &mut Vec<Output>) {
        for conn in std::mem::take(&mut self.released) {
            if let Some(connection) = self.conns.get_mut(&conn) {
                connection.held = false;
                self.receive(now, conn, &[], outputs);
            }
        }
    }

    /// Asks the leader for the reads that wait, with a `sync` of no session: this is how a leader of ours knows that it
    /// has to make sure that it leads. (ZooKeeper's answers it as any other.)
    fn ask_for_reads(&mut self) {
        let reads = &mut self.membership.reads;
        if reads.next.is_empty() || reads.asked != reads.answered {
            return;
        }
        reads.asked += 1;
        reads.waiting = std::mem::take(&mut reads.next);
        if self.decides() {
            self.membership.wants.push(zab::Input::ConfirmedRead { conn: None });
        } else {
            self.forward(0, 0, OpCode::Sync, &PathRequest { path: "/" }.to_bytes(), &[]);
        }
    }

    /// Learner: asks the leader whether a session is alive whose client came back.
    #[doc(alias = "revalidateSession")]
    pub(super) fn ask_for_session(
        &mut self,
        conn: ConnId,
        session_id: i64,
        timeout_ms: u32,
        outputs: &mut Vec<Output>,
    ) {
        if let Some(connection) = self.conns.get_mut(&conn) {
            connection.revalidating = true;
            connection.paused = true;
            self.paused.push(conn);
            outputs.push(Output::Pause { conn });
        }
        if let Some(earlier) = self.membership.revalidating.insert(session_id, conn) {
            self.close_now(earlier, outputs);
        }
        self.membership.wants.push(zab::Input::Revalidate { session_id, timeout_ms: timeout_ms as i32 });
    }

    /// Learner: the leader's answer.
    pub(crate) fn revalidated(&mut self, now: Now, session_id: i64, valid: bool, outputs: &mut Vec<Output>) {
        let Some(conn) = self.membership.revalidating.remove(&session_id) else { return };
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        connection.revalidating = false;
        self.reopened(conn, session_id, valid, outputs);
        // What the client sent behind its connect frame.
        self.receive(now, conn, &[], outputs);
    }

    /// Leader: is this session alive? It belongs to another server from now on, if so.
    pub(crate) fn revalidate_for(&mut self, now: Now, sid: i64, session_id: i64, timeout_ms: i32) -> bool {
        let timeout_ms = u32::try_from(timeout_ms).unwrap_or(0);
        self.stats.quorum.revalidations += 1;
        self.decides()
            && self.sessions.reattach(session_id, timeout_ms, now.mono_ms())
            && self.sessions.set_owner(session_id, owner_of(sid)).is_ok()
    }

    /// Leader: another server has heard of this session's client.
    pub(crate) fn touched(&mut self, now: Now, session_id: i64, timeout_ms: i32) {
        if self.decides() {
            self.sessions.reattach(session_id, u32::try_from(timeout_ms).unwrap_or(0), now.mono_ms());
        }
    }

    /// Leader: decides a request of another server's client.
    pub(crate) fn decide_for(&mut self, now: Now, conn: zab::ConnId, sid: i64, request: LearnerRequest) {
        if !self.decides() {
            return;
        }
        let LearnerRequest { session_id, cxid, op, body, auth } = request;
        match OpCode::from_i32(op) {
            Some(OpCode::Sync) if session_id == 0 => {
                self.membership.wants.push(zab::Input::ConfirmedRead { conn: Some(conn) });
            }
            Some(OpCode::Sync) => self.membership.wants.push(zab::Input::Sync { conn: Some(conn) }),
            Some(op) if op.is_change() || matches!(op, OpCode::Check | OpCode::CreateSession) => {
                let auth = auth.into_iter().map(|id| (id.scheme, id.id)).collect();
                let (owner, local) = (owner_of(sid), false);
                self.propose(now, Request { session_id, cxid, op, body: &body, auth: &auth, owner, local });
            }
            _ => tracing::warn!("server {sid} forwards the operation {op}, which needs no leader"),
        }
    }
}
