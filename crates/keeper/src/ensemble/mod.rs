//! A server of an ensemble as one step machine: a [`KeeperServer`](crate::keeper_server::KeeperServer) for its clients, a
//! [`ZabPeer`](crate::zab::ZabPeer) for what is agreed with the other servers, and the election's connections. Bytes,
//! time and "on disk" come in, bytes, closings and work for the log go out. The host (the real one, or the simulator) has
//! the sockets, the threads and the disk.
//!
//! How a host drives it:
//! 1. [`KeeperStorage::restore_ensemble`](crate::storage::KeeperStorage::restore_ensemble), or with `reconfigEnabled`
//!    [`KeeperStorage::restore_members`](crate::storage::KeeperStorage::restore_members), then [`EnsembleServer::new`].
//! 2. Every input under one lock, its outputs carried out in their order under the same lock: those for a connection in
//!    order on that connection, [`Output::Journal`] in order by one thread.
//! 3. That thread owns a [`JournalWriter`]: it takes all jobs that wait, calls [`JournalWriter::carry_out`], which syncs
//!    once, and gives the [`Written`] it gets back as [`Input::Persisted`]. An error is the end of the server.
//! 4. [`Input::Tick`] at [`EnsembleServer::next_wakeup_ms`], and no later than that.
//!
//! Connections have three namespaces (clients, election port, quorum port); numbers are chosen by the host and never used
//! again. All bytes come in and go out as they are on the wire, in any portions.
//!
//! A change of a client goes: [`KeeperServer`](crate::keeper_server::KeeperServer) → (a learner: REQUEST to the leader) →
//! the leader decides it → PROPOSAL → [`Output::Journal`] on every server → ACK → COMMIT → applied and answered.
//!
//! Without a leader for a while, a server may serve reads (`readonlymode.enabled`), with sessions of its own. With one, too,
//! sessions may be those of one server until they create ephemeral nodes (`localSessionsEnabled`).
//!
//! Not here: observer masters.

mod journal_writer;
mod latencies;
mod quorum_connections;
pub(crate) mod reconfig;
mod server;
mod status;
#[cfg(test)]
mod tests;

pub use journal_writer::{JournalWriter, Written};
pub use server::EnsembleServer;

use crate::database::Database;
use crate::keeper_server::{self, ServerConfig};
use crate::zab::messages::{InitialMessage, ServerState};
use crate::zab::{ConnId, QuorumVerifier, Txn, ZabConfig};
use std::net::SocketAddr;
use std::sync::Arc;

/// Settings of a server of an ensemble.
#[derive(Clone, Debug)]
pub struct EnsembleConfig {
    pub zab: ZabConfig,
    /// `session_server_id` is `myid`; `info.mode` is set by the machine.
    pub server: ServerConfig,
    /// How this server introduces itself on the election port.
    pub election: InitialMessage,
    /// `leaderServes`: does the leader take clients?
    pub leader_serves: bool,
}

/// What a start found: see [`KeeperStorage::restore_ensemble`](crate::storage::KeeperStorage::restore_ensemble) and
/// [`KeeperStorage::restore_members`](crate::storage::KeeperStorage::restore_members).
#[derive(Debug)]
pub struct Restored {
    pub database: Box<Database>,
    pub zab: crate::zab::Restored,
    /// Texts of the configurations of the log behind the snapshot, in their order.
    pub configurations: Vec<Vec<u8>>,
    /// And of earlier ones. Some may be there twice.
    pub overtaken: Vec<Vec<u8>>,
}

/// What happens to a server.
#[derive(Debug)]
pub enum Input<'a> {
    /// A client's connection, or the next step of a snapshot that goes to the disk. `Persisted` and `Tick` of the inner
    /// type mean nothing here.
    Client(keeper_server::Input<'a>),
    Election(ElectionInput<'a>),
    Quorum(QuorumInput<'a>),
    /// [`JournalWriter::carry_out`] came back.
    Persisted(Written),
    /// Some time has passed.
    Tick,
}

/// The election port.
#[derive(Clone, Copy, Debug)]
pub enum ElectionInput<'a> {
    /// Somebody connected.
    Accepted {
        conn: ConnId,
    },
    /// The connection of [`ElectionOutput::Connect`] is there; the host chose its number.
    Connected {
        conn: ConnId,
        sid: i64,
    },
    /// It did not come about (the host bounds the time: `cnxTimeout`).
    ConnectFailed {
        sid: i64,
    },
    Received {
        conn: ConnId,
        bytes: &'a [u8],
    },
    /// Gone. Not needed after [`ElectionOutput::Close`].
    Disconnected {
        conn: ConnId,
    },
}

/// The quorum port.
#[derive(Clone, Copy, Debug)]
pub enum QuorumInput<'a> {
    /// Somebody connected from there.
    Accepted { conn: ConnId, peer: SocketAddr },
    /// The connection of [`QuorumOutput::Connect`] is there; the host chose its number.
    Connected { conn: ConnId, leader: i64 },
    /// It did not come about (the host bounds the time).
    ConnectFailed { leader: i64 },
    /// Bytes, a snapshot's among them; the machine finds its end itself.
    Received { conn: ConnId, bytes: &'a [u8] },
    /// After [`QuorumOutput::SnapshotBegin`]: there is room for the next part. An unknown connection is fine.
    SnapshotStep { conn: ConnId },
    /// Gone. Not needed after [`QuorumOutput::Close`].
    Disconnected { conn: ConnId },
}

/// What the host has to do, in this order.
#[derive(Debug)]
pub enum Output {
    /// As for a server alone; `Append` and `RollLog` don't occur ([`Output::Journal`] has them).
    Client(keeper_server::Output),
    Election(ElectionOutput),
    Quorum(QuorumOutput),
    /// Work for the log's thread.
    Journal(Entry),
    /// The snapshot that is being written to the disk (`SnapshotBegin`) is void: no `SnapshotEnd` follows, its file goes.
    SnapshotAborted,
    /// The server's role changed; all clients are closed (their `Close` came before).
    RoleChanged(ServerState),
    /// Clients are served from now on.
    Serving {
        epoch: i64,
    },
    /// With `reconfigEnabled`: a configuration that may be committed. It has to be on disk (`zoo.cfg.dynamic.next`) before
    /// what follows; a host that keeps the log has it there already.
    ConfigSeen(Arc<QuorumVerifier>),
    /// With `reconfigEnabled`: a configuration was committed. It has to be on disk before what follows, and the server is
    /// to be started with it the next time.
    ConfigActivated(Arc<QuorumVerifier>),
}

/// The election port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElectionOutput {
    /// Connect to one of these hosts and ports: [`ElectionInput::Connected`] or [`ElectionInput::ConnectFailed`] follows.
    Connect {
        sid: i64,
        addresses: Vec<(String, u16)>,
    },
    Send {
        conn: ConnId,
        bytes: Vec<u8>,
    },
    /// Close when everything before was sent.
    Close {
        conn: ConnId,
    },
}

/// The quorum port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuorumOutput {
    /// Connect to one of these hosts and ports: [`QuorumInput::Connected`] or [`QuorumInput::ConnectFailed`] follows.
    Connect {
        leader: i64,
        addresses: Vec<(String, u16)>,
    },
    Send {
        conn: ConnId,
        bytes: Vec<u8>,
    },
    /// A snapshot goes out on this connection in parts: give [`QuorumInput::SnapshotStep`] whenever what was given out for
    /// it is (nearly) sent, until [`QuorumOutput::SnapshotEnd`]. Each step gives a `Send`; what else there is for the
    /// connection waits inside of the machine.
    SnapshotBegin {
        conn: ConnId,
    },
    SnapshotEnd {
        conn: ConnId,
    },
    /// Close when everything before was sent; it ends a snapshot too.
    Close {
        conn: ConnId,
    },
}

/// Work for the log, numbered in its order.
#[derive(Debug)]
pub struct Entry {
    pub ticket: u64,
    pub job: Job,
}

/// What is to be written.
#[derive(Debug)]
pub enum Job {
    /// Add to the log.
    Append(Vec<Txn>),
    /// The next transactions go to a new file.
    Roll,
    /// Read the log from this transaction on, for a learner on this connection.
    ReadLog { conn: ConnId, from: i64 },
    /// `acceptedEpoch`
    AcceptedEpoch(i64),
    /// `currentEpoch`
    CurrentEpoch(i64),
    /// Take everything after the zxid out of the log; with `reload`, read the tree again.
    Truncate { zxid: i64, reload: bool },
    /// These configurations may be committed, and the log will not have them any more: they are on disk before what follows.
    /// They take the place of those of before.
    KeepConfigurations(Vec<String>),
    /// The tree that the leader sent takes the place of all snapshots and logs. It is lent out to be written, and comes
    /// back with [`Written`].
    InstallSnapshot(Box<Database>),
}
