//! A server of an ensemble: its outputs are carried out here.

use std::io;
use std::sync::Arc;

use ottla_base::hash::FixedMap;
use ottla_keeper::ensemble::{ElectionOutput, Input, Output, QuorumOutput};
use ottla_keeper::zab::ConnId;
use ottla_keeper::zab::messages::ServerState;
use tokio::sync::watch;

use super::{Machine, Server, Shared, journal, snapshot};
use crate::keeper_config::DynamicFiles;
use crate::keeper_quorum::{self, Outgoing, Port};

/// Connections with other servers.
pub(super) struct Links {
    election: FixedMap<ConnId, Arc<Outgoing>>,
    quorum: FixedMap<ConnId, Arc<Outgoing>>,
    role: watch::Sender<ServerState>,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            election: FixedMap::default(),
            quorum: FixedMap::default(),
            role: watch::Sender::new(ServerState::Looking),
        }
    }
}

impl Links {
    fn of(&mut self, port: Port) -> &mut FixedMap<ConnId, Arc<Outgoing>> {
        match port {
            Port::Election => &mut self.election,
            Port::Quorum => &mut self.quorum,
        }
    }

    fn send(&mut self, port: Port, conn: ConnId, bytes: Vec<u8>) {
        if let Some(outgoing) = self.of(port).get(&conn) {
            outgoing.send(bytes);
        }
    }

    fn stream(&self, conn: ConnId, streaming: bool) {
        if let Some(outgoing) = self.quorum.get(&conn) {
            outgoing.stream(streaming);
        }
    }

    fn close(&mut self, port: Port, conn: ConnId) {
        if let Some(outgoing) = self.of(port).remove(&conn) {
            outgoing.close();
        }
    }
}

impl Shared {
    /// Carries out what a new server wants.
    pub(super) fn begin(self: &Arc<Self>, outputs: Vec<Output>) {
        let machine = &mut *self.machine.lock();
        for output in outputs {
            self.carry_out_member(machine, output);
        }
    }

    /// One input to a server of an ensemble, and everything that follows.
    pub(crate) fn step_ensemble(self: &Arc<Self>, input: Input<'_>) {
        let machine = &mut *self.machine.lock();
        self.step_member(machine, input);
        self.rearm(machine);
    }

    pub(super) fn step_member(self: &Arc<Self>, machine: &mut Machine, input: Input<'_>) {
        let Server::Member(member) = &mut machine.server else { return };
        member.step(self.clock.now(), input, &mut machine.member_outputs);
        let mut outputs = std::mem::take(&mut machine.member_outputs);
        for output in outputs.drain(..) {
            self.carry_out_member(machine, output);
        }
        machine.member_outputs = outputs;
    }

    fn carry_out_member(self: &Arc<Self>, machine: &mut Machine, output: Output) {
        match output {
            Output::Client(output) => self.carry_out(machine, output),
            Output::Election(output) => self.carry_out_election(machine, output),
            Output::Quorum(output) => self.carry_out_quorum(machine, output),
            Output::Journal(entry) => self.log(machine, journal::Work::Entry(entry)),
            Output::SnapshotAborted => {
                machine.snapshot_part(snapshot::Part::Abort);
                machine.snapshot = None;
            }
            Output::RoleChanged(role) => self.role_changed(machine, role),
            Output::Serving { epoch } => tell_serving(machine, epoch),
            Output::ConfigSeen(verifier) => self.keep_members(|files| files.seen(&verifier)),
            Output::ConfigActivated(verifier) => self.keep_members(|files| files.activated(&verifier)),
        }
    }

    /// Without the file a server starts with the members of before, and asks these too for a quorum: it may have to wait
    /// for them, but does nothing wrong.
    fn keep_members(&self, write: impl FnOnce(&DynamicFiles) -> io::Result<()>) {
        if let Some(Err(error)) = self.dynamic_files.as_ref().map(write) {
            tracing::error!(
                "the ensemble's new members can't be written beside zoo.cfg: {error}; let this server's user write there, \
                 or a restart finds the old ones"
            );
        }
    }

    fn carry_out_election(self: &Arc<Self>, machine: &mut Machine, output: ElectionOutput) {
        match output {
            ElectionOutput::Connect { sid, addresses } => {
                self.runtime.spawn(keeper_quorum::connect_to(Arc::clone(self), Port::Election, sid, addresses));
            }
            ElectionOutput::Send { conn, bytes } => machine.links.send(Port::Election, conn, bytes),
            ElectionOutput::Close { conn } => machine.links.close(Port::Election, conn),
        }
    }

    fn carry_out_quorum(self: &Arc<Self>, machine: &mut Machine, output: QuorumOutput) {
        match output {
            QuorumOutput::Connect { leader, addresses } => {
                self.runtime.spawn(keeper_quorum::connect_to(Arc::clone(self), Port::Quorum, leader, addresses));
            }
            QuorumOutput::Send { conn, bytes } => machine.links.send(Port::Quorum, conn, bytes),
            QuorumOutput::SnapshotBegin { conn } => machine.links.stream(conn, true),
            QuorumOutput::SnapshotEnd { conn } => machine.links.stream(conn, false),
            QuorumOutput::Close { conn } => machine.links.close(Port::Quorum, conn),
        }
    }

    fn role_changed(&self, machine: &mut Machine, role: ServerState) {
        // Everybody who waits for a role may be gone.
        machine.links.role.send_replace(role);
        let Server::Member(member) = &machine.server else { return };
        let epoch = member.epoch();
        match (role, member.leader_sid()) {
            (ServerState::Looking, _) => tracing::info!("LOOKING for a leader; the last epoch was {epoch}"),
            (ServerState::Leading, _) => tracing::info!("LEADING, elected after epoch {epoch}; waiting for a quorum"),
            (ServerState::Following, leader) => tracing::info!("FOLLOWING server {}", leader.unwrap_or(-1)),
            (ServerState::Observing, leader) => tracing::info!("OBSERVING server {}", leader.unwrap_or(-1)),
        }
    }

    /// The role, and its changes.
    pub(crate) fn role(&self) -> watch::Receiver<ServerState> {
        self.machine.lock().links.role.subscribe()
    }

    /// A new connection with another server, and what is to be sent on it; `tell` makes the input that says so.
    pub(crate) fn open_link<'a>(
        self: &Arc<Self>,
        port: Port,
        tell: impl FnOnce(ConnId) -> Input<'a>,
    ) -> (ConnId, Arc<Outgoing>) {
        let outgoing = Arc::new(Outgoing::default());
        let machine = &mut *self.machine.lock();
        let conn = machine.next_conn;
        machine.next_conn += 1;
        machine.links.of(port).insert(conn, Arc::clone(&outgoing));
        self.step_member(machine, tell(conn));
        self.rearm(machine);
        (conn, outgoing)
    }

    /// It is gone; `tell` says so, unless the server closed it itself.
    pub(crate) fn close_link(self: &Arc<Self>, port: Port, conn: ConnId, tell: Input<'_>) {
        let machine = &mut *self.machine.lock();
        if machine.links.of(port).remove(&conn).is_some() {
            self.step_member(machine, tell);
            self.rearm(machine);
        }
    }
}

fn tell_serving(machine: &Machine, epoch: i64) {
    let Server::Member(member) = &machine.server else { return };
    match (member.role(), member.leader_sid()) {
        (ServerState::Leading, _) => tracing::info!("LEADING in epoch {epoch}: a quorum follows; serving clients"),
        (role, leader) => {
            let doing = if role == ServerState::Observing { "OBSERVING" } else { "FOLLOWING" };
            tracing::info!("{doing} server {} in epoch {epoch}: synchronised; serving clients", leader.unwrap_or(-1));
        }
    }
}
