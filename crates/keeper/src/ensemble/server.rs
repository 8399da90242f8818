//! The machine itself: gives each part what concerns it, and takes what one part wants of another from there to there
//! until nobody wants anything more.

use super::latencies::Latencies;
use super::quorum_connections::{Arrived, QuorumConnections};
use super::reconfig::{self, set_ensemble_node};
use super::status::Timeline;
use super::{
    ElectionInput, ElectionOutput, EnsembleConfig, Entry, Input, Job, Output, QuorumInput, QuorumOutput, Restored,
    Written,
};
use crate::data_tree::TreeOptions;
use crate::database::Database;
use crate::keeper_server::{self, KeeperServer, Place};
use crate::zab::election_connections::{self, ElectionConnections};
use crate::zab::messages::ServerState;
use crate::zab::{self, ConnId, Persist, Txn, ZabPeer};
use ottla_base::random::Random;
use ottla_base::time::Now;
use std::collections::VecDeque;

/// How long a server looks for a leader at least before it serves reads without one.
const READ_ONLY_GRACE_MS: u64 = 2_000;

/// A server of an ensemble; see the module.
#[derive(Debug)]
pub struct EnsembleServer {
    pub(super) config: EnsembleConfig,
    pub(super) keeper: KeeperServer,
    pub(super) zab: ZabPeer,
    election: ElectionConnections,
    pub(super) quorum: QuorumConnections,
    /// Learners that came while this server does not lead, as it may be about to, and until when they wait.
    early: Vec<(ConnId, u64)>,
    /// What they have said is to be read now.
    unread: Vec<ConnId>,
    /// As Zab last told it.
    pub(super) role: ServerState,
    tree_options: TreeOptions,
    /// When reads are served if there is no leader by then (`readonlymode.enabled`).
    read_only_at: Option<u64>,
    /// Where the tree is, or will be once it has come back from the log's thread.
    applied: i64,
    /// The tree comes back with this ticket; until then there is none.
    awaited: Option<u64>,
    /// Transactions and `Serving` that wait for it.
    late: VecDeque<zab::Output>,
    /// A leader's tree, between its arrival and the word of Zab to install it.
    received: Option<Box<Database>>,
    pub(super) timeline: Timeline,
    pub(super) latencies: Latencies,
    last_ticket: u64,
    /// There may be configurations on disk that are not in the log.
    keeps_configurations: bool,
    /// Of the members, as they were told last.
    pub(super) seen_generation: u64,
    appends: Vec<Txn>,
    /// Put in next.
    pub(super) wants: VecDeque<zab::Input>,
    zab_out: Vec<zab::Output>,
    election_out: Vec<election_connections::ElectionOutput>,
    quorum_out: Vec<QuorumOutput>,
    client_out: Vec<keeper_server::Output>,
}

impl EnsembleServer {
    /// A server whose data directory holds `restored`; its first election begins.
    #[must_use]
    pub fn new(config: EnsembleConfig, restored: Restored, random: Random, now: Now, out: &mut Vec<Output>) -> Self {
        let mut db = *restored.database;
        let applied = db.last_zxid();
        let tree_options = db.tree.options();
        let membership = reconfig::membership(&config, &db, &restored.configurations, &restored.overtaken);
        let keeps_configurations = !membership.undecided().is_empty();
        set_ensemble_node(&config, &mut db, now);
        let mut zab_out = Vec::new();
        let zab = ZabPeer::with_membership(config.zab.clone(), membership, restored.zab, now, &mut zab_out);
        let mut server = Self {
            keeper: KeeperServer::member(config.server.clone(), db, random, now),
            zab,
            election: ElectionConnections::new(config.election.clone()),
            quorum: QuorumConnections::default(),
            early: Vec::new(),
            unread: Vec::new(),
            role: ServerState::Looking,
            tree_options,
            read_only_at: None,
            applied,
            awaited: None,
            late: VecDeque::new(),
            received: None,
            timeline: Timeline::default(),
            latencies: Latencies::default(),
            last_ticket: 0,
            keeps_configurations,
            seen_generation: 0,
            appends: Vec::new(),
            wants: VecDeque::new(),
            zab_out,
            election_out: Vec::new(),
            quorum_out: Vec::new(),
            client_out: Vec::new(),
            config,
        };
        server.settle(now, out);
        server
    }

    /// One input, and what follows from it.
    pub fn step(&mut self, now: Now, input: Input<'_>, out: &mut Vec<Output>) {
        match input {
            Input::Client(keeper_server::Input::Persisted { .. } | keeper_server::Input::Tick) => {}
            Input::Client(input) => self.keeper.take(now, input, &mut self.client_out),
            Input::Election(input) => self.election_input(input),
            Input::Quorum(input) => self.quorum_input(now, input, out),
            Input::Persisted(written) => self.written(now, written, out),
            Input::Tick => {
                self.timeline.stale = true;
                self.keeper.take(now, keeper_server::Input::Tick, &mut self.client_out);
                self.wants.push_back(zab::Input::Tick);
                let late: Vec<ConnId> =
                    self.early.iter().filter(|(_, until)| now.mono_ms() >= *until).map(|(conn, _)| *conn).collect();
                self.close_early(|conn| late.contains(&conn));
            }
        }
        self.settle(now, out);
    }

    fn election_input(&mut self, input: ElectionInput<'_>) {
        let (election, out) = (&mut self.election, &mut self.election_out);
        match input {
            ElectionInput::Accepted { conn } => election.accepted(conn, out),
            ElectionInput::Connected { conn, sid } => election.connected(conn, sid, out),
            ElectionInput::ConnectFailed { sid } => election.connect_failed(sid),
            ElectionInput::Received { conn, bytes } => election.received(conn, bytes, out),
            ElectionInput::Disconnected { conn } => election.disconnected(conn),
        }
    }

    fn quorum_input(&mut self, now: Now, input: QuorumInput<'_>, out: &mut Vec<Output>) {
        match input {
            QuorumInput::Accepted { conn, peer } if !self.quorum.add(conn, Some(peer), now.wall_ms) => {
                tracing::warn!("too many connections on the quorum port");
                self.quorum_out.push(QuorumOutput::Close { conn });
            }
            // The leader may just have named this server as its successor, and told the other one first.
            QuorumInput::Accepted { conn, .. }
                if self.role == ServerState::Looking
                    || (self.role != ServerState::Leading && self.zab.membership().is_dynamic()) =>
            {
                self.early.push((conn, now.mono_ms() + self.config.zab.tick_time_ms));
            }
            QuorumInput::Accepted { conn, .. } => self.wants.push_back(zab::Input::Accepted { conn }),
            QuorumInput::Connected { conn, leader } => {
                self.quorum.add(conn, None, now.wall_ms);
                self.wants.push_back(zab::Input::Connected { leader, conn });
            }
            QuorumInput::ConnectFailed { leader } => self.wants.push_back(zab::Input::ConnectFailed { leader }),
            QuorumInput::Received { conn, bytes } => {
                self.quorum.receive(conn, bytes);
                if !self.early.iter().any(|(early, _)| *early == conn) {
                    self.read_quorum(now, conn, out);
                } else if !self.quorum.is_brief(conn) {
                    self.close_early(|early| early == conn);
                }
            }
            QuorumInput::SnapshotStep { conn } => {
                self.quorum.snapshot_step(conn, self.keeper.db(), &mut self.quorum_out);
                self.wants.push_back(zab::Input::SnapshotPartSent { conn });
            }
            QuorumInput::Disconnected { conn } => self.disconnected(conn),
        }
    }

    /// Turns learners away that came early.
    fn close_early(&mut self, which: impl Fn(ConnId) -> bool) {
        let (closed, kept) = std::mem::take(&mut self.early).into_iter().partition(|(conn, _)| which(*conn));
        self.early = kept;
        let closed: Vec<(ConnId, u64)> = closed;
        for (conn, _) in closed {
            self.quorum.close(conn, &mut self.quorum_out);
        }
    }

    fn disconnected(&mut self, conn: ConnId) {
        self.early.retain(|(early, _)| *early != conn);
        if self.quorum.contains(conn) {
            self.timeline.stale = true;
            self.quorum.remove(conn);
            self.wants.push_back(zab::Input::Disconnected { conn });
        }
    }

    /// A learner that takes its snapshot more slowly than changes come will not catch up.
    fn close_overfull(&mut self) {
        for conn in self.quorum.take_overfull() {
            if self.quorum.contains(conn) {
                tracing::warn!("closing a learner's connection: too much waits behind its snapshot");
                self.disconnected(conn);
                self.quorum_out.push(QuorumOutput::Close { conn });
            }
        }
    }

    /// Takes all that is whole, one after the other: what one leads to comes before the next.
    fn read_quorum(&mut self, now: Now, conn: ConnId, out: &mut Vec<Output>) {
        loop {
            let input = match self.quorum.next(conn, self.tree_options) {
                Ok(None) => return,
                Ok(Some(Arrived::Packet(packet))) => zab::Input::Packet { conn, packet },
                Ok(Some(Arrived::SnapshotPart)) => zab::Input::SnapshotPart { conn },
                Ok(Some(Arrived::Snapshot(mut db))) => {
                    set_ensemble_node(&self.config, &mut db, now);
                    self.received = Some(db);
                    zab::Input::SnapshotReceived { conn }
                }
                Err(error) => {
                    tracing::warn!("closing a connection on the quorum port: {error}");
                    self.quorum.close(conn, &mut self.quorum_out);
                    self.wants.push_back(zab::Input::Disconnected { conn });
                    return;
                }
            };
            self.wants.push_back(input);
            self.pump(now, out);
            self.received = None;
        }
    }

    /// The log's thread has done its work up to here.
    fn written(&mut self, now: Now, written: Written, out: &mut Vec<Output>) {
        let Written { ticket, database, read } = written;
        self.note_logged(now, ticket);
        if let Some(mut db) = database
            && self.awaited.is_some_and(|awaited| awaited <= ticket)
        {
            self.awaited = None;
            set_ensemble_node(&self.config, &mut db, now);
            self.replace_database(*db, out);
            for output in std::mem::take(&mut self.late) {
                self.carry_out(now, output, out);
            }
        }
        self.wants.extend(read.into_iter().map(|(conn, txns)| zab::Input::LogRead { conn, txns }));
        self.wants.push_back(zab::Input::Persisted { ticket });
    }

    fn replace_database(&mut self, db: Database, out: &mut Vec<Output>) {
        if self.keeper.replace_database(db) {
            out.push(Output::SnapshotAborted);
        }
    }

    /// Does all that follows, and gives out what is for the host.
    fn settle(&mut self, now: Now, out: &mut Vec<Output>) {
        self.close_overfull();
        self.pump(now, out);
        while let Some(conn) = self.unread.pop() {
            self.read_quorum(now, conn, out);
        }
        self.read_only_if_due(now);
        self.note_ended_syncs();
        self.refresh_status(now);
        self.keeper.flush(&mut self.client_out);
        self.flush_clients(out);
        self.quorum.flush(&mut self.quorum_out);
        out.extend(self.quorum_out.drain(..).map(Output::Quorum));
    }

    fn flush_clients(&mut self, out: &mut Vec<Output>) {
        // A new file has the number of what was appended before it, so that goes first.
        self.flush_appends(out);
        let ticket = self.last_ticket;
        out.extend(self.client_out.drain(..).map(|output| match output {
            keeper_server::Output::RollLog => Output::Journal(Entry { ticket, job: Job::Roll }),
            output => Output::Client(output),
        }));
    }

    /// Until nobody wants anything.
    fn pump(&mut self, now: Now, out: &mut Vec<Output>) {
        loop {
            let mut outputs = std::mem::take(&mut self.zab_out);
            for output in outputs.drain(..) {
                self.carry_out(now, output, out);
            }
            self.zab_out = outputs;
            self.refresh_view();
            self.run_election(out);
            self.keeper.read_on(now, &mut self.client_out);
            self.keeper.take_wants(&mut self.wants);
            match self.wants.pop_front() {
                Some(input) => self.zab.step(now, input, &mut self.zab_out),
                None => return,
            }
        }
    }

    fn run_election(&mut self, out: &mut Vec<Output>) {
        for output in std::mem::take(&mut self.election_out) {
            match output {
                election_connections::ElectionOutput::Connect { sid, addresses } => {
                    self.connect_election(sid, addresses, out);
                }
                election_connections::ElectionOutput::Send { conn, bytes } => {
                    out.push(Output::Election(ElectionOutput::Send { conn, bytes }));
                }
                election_connections::ElectionOutput::Close { conn } => {
                    out.push(Output::Election(ElectionOutput::Close { conn }));
                }
                election_connections::ElectionOutput::Notification { from, notification } => {
                    self.wants.push_back(zab::Input::Notification { from, notification });
                }
            }
        }
    }

    /// Where the configuration says, or else where the server itself says.
    fn connect_election(&mut self, sid: i64, told: Vec<(String, u16)>, out: &mut Vec<Output>) {
        let configured = self.zab.membership().spec(sid);
        let addresses = match configured {
            Some(spec) => spec.addresses.iter().map(|address| (address.host.clone(), address.election_port)).collect(),
            None => told,
        };
        if addresses.is_empty() {
            tracing::warn!("server {sid} is not in the configuration");
            self.election.connect_failed(sid);
        } else {
            out.push(Output::Election(ElectionOutput::Connect { sid, addresses }));
        }
    }

    /// One thing that Zab wants.
    fn carry_out(&mut self, now: Now, output: zab::Output, out: &mut Vec<Output>) {
        match output {
            zab::Output::Notify { to, notification } => self.election.send(to, &notification, &mut self.election_out),
            zab::Output::Connect { leader } => self.connect_quorum(leader),
            zab::Output::Send { conn, packet } => {
                self.count_packet(conn, &packet);
                self.quorum.send(conn, &packet);
            }
            zab::Output::SendSnapshot { conn, .. } if self.awaited.is_some() => {
                // Nobody leads before its own tree is there; but half a tree must never leave.
                self.quorum.close(conn, &mut self.quorum_out);
                self.wants.push_back(zab::Input::Disconnected { conn });
            }
            zab::Output::SendSnapshot { conn, zxid } => {
                self.keeper.quorum_stats().snaps += 1;
                self.note_sync(conn, true);
                self.quorum.begin_snapshot(conn, zxid, &mut self.quorum_out);
            }
            zab::Output::ReadLog { conn, from } => {
                self.flush_appends(out);
                out.push(Output::Journal(Entry { ticket: self.last_ticket, job: Job::ReadLog { conn, from } }));
            }
            zab::Output::Close { conn } => {
                self.timeline.stale = true;
                self.quorum.close(conn, &mut self.quorum_out);
            }
            zab::Output::Persist { ticket, what } => self.persist(now, ticket, what, out),
            output @ (zab::Output::Deliver(_) | zab::Output::Serving { .. }) if self.awaited.is_some() => {
                self.late.push_back(output);
            }
            zab::Output::Deliver(txn) => {
                self.applied = txn.zxid;
                if self.role != ServerState::Leading {
                    self.keeper.quorum_stats().learner_commits += 1;
                }
                self.note_commit(now, &txn);
                self.keeper.commit(now, &txn.data);
            }
            zab::Output::StateChanged(state) => self.state_changed(now, state, out),
            zab::Output::Serving { epoch, zxid } => self.serve(now, epoch, zxid, out),
            zab::Output::ConfigSeen(verifier) => out.push(Output::ConfigSeen(verifier)),
            zab::Output::ConfigActivated(verifier) => self.activated(now, verifier, out),
            zab::Output::Request { conn, sid, request } => self.keeper.decide_for(now, conn, sid, request),
            zab::Output::Synced => self.keeper.synced(now),
            zab::Output::Revalidate { conn, sid, session_id, timeout_ms } => {
                let valid = self.keeper.revalidate_for(now, sid, session_id, timeout_ms);
                self.wants.push_back(zab::Input::Revalidated { conn, session_id, valid });
            }
            zab::Output::Revalidated { session_id, valid } => {
                self.keeper.revalidated(now, session_id, valid, &mut self.client_out);
            }
            zab::Output::Touch { session_id, timeout_ms } => self.keeper.touched(now, session_id, timeout_ms),
        }
    }

    fn connect_quorum(&mut self, leader: i64) {
        let spec = self.zab.membership().spec(leader);
        let addresses: Vec<(String, u16)> = spec
            .into_iter()
            .flat_map(|spec| spec.addresses.iter().map(|address| (address.host.clone(), address.quorum_port)))
            .collect();
        if addresses.is_empty() {
            self.wants.push_back(zab::Input::ConnectFailed { leader });
        } else {
            self.quorum_out.push(QuorumOutput::Connect { leader, addresses });
        }
    }

    fn persist(&mut self, now: Now, ticket: u64, what: Persist, out: &mut Vec<Output>) {
        let job = match what {
            Persist::Append(txn) => {
                if self.role != ServerState::Leading {
                    self.keeper.quorum_stats().learner_proposals += 1;
                }
                self.note_proposal(now, ticket, &txn);
                self.last_ticket = ticket;
                return self.appends.push(txn);
            }
            Persist::AcceptedEpoch(epoch) => Job::AcceptedEpoch(epoch),
            Persist::CurrentEpoch(epoch) => Job::CurrentEpoch(epoch),
            Persist::Truncate { zxid } => {
                let reload = self.applied > zxid;
                if reload {
                    self.lend_database(ticket, zxid, out);
                }
                Job::Truncate { zxid, reload }
            }
            Persist::Snapshot { zxid } => {
                // It is told while the snapshot's last bytes are taken in.
                let Some(database) = self.received.take() else { return };
                self.lend_database(ticket, zxid, out);
                Job::InstallSnapshot(database)
            }
        };
        self.flush_appends(out);
        if matches!(job, Job::Truncate { .. } | Job::InstallSnapshot(_)) {
            self.keep_configurations(out);
        }
        self.last_ticket = ticket;
        out.push(Output::Journal(Entry { ticket, job }));
    }

    /// What the log is about to forget of the members is written elsewhere, until a leader of theirs has a quorum.
    fn keep_configurations(&mut self, out: &mut Vec<Output>) {
        let texts = self.zab.membership().undecided();
        if self.keeps_configurations || !texts.is_empty() {
            self.keeps_configurations = !texts.is_empty();
            out.push(Output::Journal(Entry { ticket: self.last_ticket, job: Job::KeepConfigurations(texts) }));
        }
    }

    fn flush_appends(&mut self, out: &mut Vec<Output>) {
        if !self.appends.is_empty() {
            let job = Job::Append(std::mem::take(&mut self.appends));
            out.push(Output::Journal(Entry { ticket: self.last_ticket, job }));
        }
    }

    /// There is no tree until this ticket is written.
    fn lend_database(&mut self, ticket: u64, zxid: i64, out: &mut Vec<Output>) {
        self.applied = zxid;
        self.awaited = Some(ticket);
        self.replace_database(Database::new(self.tree_options), out);
    }

    fn state_changed(&mut self, now: Now, state: ServerState, out: &mut Vec<Output>) {
        self.role = state;
        self.role_began(now);
        self.forget_latencies();
        self.late.retain(|output| !matches!(output, zab::Output::Serving { .. }));
        // What this very step has committed is answered, such as the reconfiguration that took the leader away.
        self.keeper.flush(&mut self.client_out);
        self.keeper.stop_serving(&mut self.client_out);
        self.flush_clients(out);
        out.push(Output::RoleChanged(state));
        self.read_only_at = None;
        match state {
            ServerState::Looking if self.config.server.read_only_mode => {
                let grace_ms = READ_ONLY_GRACE_MS.max(self.config.zab.tick_time_ms);
                self.read_only_at = Some(now.mono_ms() + grace_ms);
            }
            ServerState::Looking => {}
            ServerState::Leading => {
                for (conn, _) in std::mem::take(&mut self.early) {
                    self.wants.push_back(zab::Input::Accepted { conn });
                    self.unread.push(conn);
                }
            }
            ServerState::Following | ServerState::Observing => self.close_early(|_| true),
        }
    }

    /// Serves reads, when the search for a leader takes long and the tree is here.
    #[doc(alias = "ReadOnlyZooKeeperServer")]
    fn read_only_if_due(&mut self, now: Now) {
        if self.awaited.is_none() && self.read_only_at.is_some_and(|at| at <= now.mono_ms()) {
            self.read_only_at = None;
            self.timeline.stale |= self.keeper.start_read_only(now);
        }
    }

    fn serve(&mut self, now: Now, epoch: i64, zxid: i64, out: &mut Vec<Output>) {
        let (place, mode) = match self.role {
            ServerState::Leading => (Place::Leader { serves_clients: self.config.leader_serves }, "leader"),
            ServerState::Following => (Place::Learner, "follower"),
            ServerState::Observing => (Place::Learner, "observer"),
            ServerState::Looking => return,
        };
        self.keeper.set_mode(mode);
        self.keeper.start_serving(now, place, zxid);
        self.service_began(now);
        if self.keeps_configurations {
            self.keep_configurations(out);
        }
        out.push(Output::Serving { epoch });
    }

    /// Is the tree here?
    pub(super) fn has_tree(&self) -> bool {
        self.awaited.is_none()
    }

    /// When [`Input::Tick`] is next needed, in milliseconds of the clock that never goes back.
    #[must_use]
    pub fn next_wakeup_ms(&self) -> u64 {
        let early = self.early.iter().map(|(_, until)| *until).min().unwrap_or(u64::MAX);
        let read_only = self.read_only_at.filter(|_| self.awaited.is_none()).unwrap_or(u64::MAX);
        self.zab.next_wakeup_ms().min(self.keeper.next_tick_ms()).min(early).min(read_only)
    }

    /// What its clients are served by: for words, metrics and the admin server.
    #[must_use]
    pub fn keeper(&self) -> &KeeperServer {
        &self.keeper
    }

    /// As [`Self::keeper`]. Nothing is put in here.
    pub fn keeper_mut(&mut self) -> &mut KeeperServer {
        &mut self.keeper
    }

    /// Where it is within Zab, and whom it leads: for metrics.
    #[must_use]
    pub fn zab(&self) -> &ZabPeer {
        &self.zab
    }

    /// What the server does.
    #[must_use]
    pub fn role(&self) -> ServerState {
        self.zab.state()
    }

    /// Whom it follows, itself when it leads.
    #[must_use]
    pub fn leader_sid(&self) -> Option<i64> {
        self.zab.leader_sid()
    }

    /// Is it synchronised with a quorum? (A leader with `leaderServes=no` is, and serves no clients.)
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.zab.is_serving() && self.awaited.is_none()
    }

    /// The last epoch whose history it has.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.zab.journal().current_epoch()
    }
}
