//! Zab, ZooKeeper's atomic broadcast, wire compatible with 3.9: how several servers agree on one sequence of
//! transactions. One pure step machine, [`ZabPeer`]: [`Input`] in, [`Output`] out, no sockets, files or clocks.
//!
//! The phases are those of Junqueira, Reed, Serafini: *Zab: High-performance broadcast for primary-backup systems*
//! (DSN 2011), as ZooKeeper carries them out:
//!
//! | phase | what happens | file |
//! |---|---|---|
//! | 0 election | servers vote until a quorum wants the one with the latest history | [`election`] |
//! | 1 discovery | the leader learns the epochs that a quorum promised, and takes a later one | [`leader`], [`learner`] |
//! | 2 synchronisation | each learner's history becomes the leader's: DIFF, TRUNC, SNAP | `leader::sync` |
//! | 3 broadcast | propose, log on a quorum, commit, in the order of zxids | `leader::broadcast` |
//!
//! [`peer`] goes from phase to phase. [`election_connections`] is the election port's own little machine. [`messages`] has every byte on the wire, [`quorum_verifier`] says what a quorum is,
//! [`membership`] whose quorums count, [`journal`] what is on the disk and what waits for it.
//!
//! A page about all of this, with what the simulator does and how to run it: `docs/zab.md`.
//!
//! Invariants (the simulator in `tests` checks them all the time):
//! - nothing is said that a crash could make untrue: ACK, ACKEPOCH and LEADERINFO leave when the writes they speak of are
//!   on disk ([`Input::Persisted`]);
//! - an epoch has one established leader, and its first history holds everything that was ever committed;
//! - transactions are delivered in zxid order, and none is delivered that a quorum has not logged. Only after a restart
//!   the tree holds what was logged last and may not be committed: [`Persist::Truncate`] takes it back, before anybody
//!   is served.
//!
//! How a host drives it: restore the data directory, make a [`ZabPeer`], and carry out outputs *in order*. `Persist`
//! outputs go to the thread of the log as they come; one sync may cover many of them, then [`Input::Persisted`] tells
//! the last ticket. Between [`Output::Serving`] and the next [`Output::StateChanged`] clients may be served. A leader's
//! host decides requests (`RequestProcessor::prepare`, after `reset` to the zxid of `Serving`) and puts the
//! transactions in with [`Input::Propose`]; each comes back on every server as [`Output::Deliver`], for
//! `KeeperServer::commit`. A learner's host puts its clients' changes in with [`Input::Forward`]. Call with
//! [`Input::Tick`] at [`ZabPeer::next_wakeup_ms`].
//!
//! On purpose otherwise than in ZooKeeper:
//! - what was logged and not committed is not applied when a leader is lost, but kept until the next one decides;
//! - an acknowledgement counts as long as the learner's connection lives: a learner that comes back may be told to
//!   truncate, so what it said before is void;
//! - a leader whose voter promised a later epoch steps down and begins one later still, as else that voter could not join
//!   until some other reason brings an election;
//! - a learner appends what comes before UPTODATE at NEWLEADER, proposals included.
//!
//! The read-only mode, an oracle and observer masters are not here.

pub mod election;
pub mod election_connections;
pub mod journal;
pub mod leader;
pub mod learner;
pub mod membership;
pub mod messages;
pub mod peer;
pub mod quorum_verifier;

#[cfg(test)]
mod tests;

pub use journal::Restored;
pub use membership::Membership;
pub use peer::{ZabConfig, ZabPeer};
pub use quorum_verifier::QuorumVerifier;

use messages::{LearnerRequest, Notification, QuorumPacket, ServerState};
use std::sync::Arc;

/// A connection on the quorum port, numbered by the host and never reused while the machine lives.
pub type ConnId = u64;

/// A transaction as the log and PROPOSAL have it: header, record, digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Txn {
    pub zxid: i64,
    pub data: Arc<[u8]>,
}

/// What happens to a server.
#[derive(Clone, Debug)]
pub enum Input {
    /// A vote came in on the election port.
    Notification { from: i64, notification: Notification },
    /// Somebody connected to the quorum port.
    Accepted { conn: ConnId },
    /// The connection of [`Output::Connect`] is there.
    Connected { leader: i64, conn: ConnId },
    /// The connection of [`Output::Connect`] did not come about.
    ConnectFailed { leader: i64 },
    /// A packet on the quorum port. After SNAP the host takes the snapshot (and its signature) from the stream itself,
    /// keeps it aside, and says [`Input::SnapshotReceived`] before the next packet.
    Packet { conn: ConnId, packet: QuorumPacket },
    /// More of the snapshot has come: the leader is alive.
    SnapshotPart { conn: ConnId },
    /// The snapshot after a SNAP packet is here whole.
    SnapshotReceived { conn: ConnId },
    /// The learner has taken a part of the snapshot of [`Output::SendSnapshot`]: a sign of life.
    SnapshotPartSent { conn: ConnId },
    /// A connection is gone, or said what can't be read.
    Disconnected { conn: ConnId },
    /// Every write up to this ticket is on disk.
    Persisted { ticket: u64 },
    /// Leader: what [`Output::ReadLog`] asked for, in order up to the end of the log; nothing when it is too much, or gone.
    LogRead { conn: ConnId, txns: Vec<Txn> },
    /// The established leader decided a transaction: its zxid is one above the last.
    Propose(Txn),
    /// A client of this learner wants something that the leader must decide. `sync` goes this way too.
    Forward(LearnerRequest),
    /// The leader's host has come to a `sync` in the order of requests: of a learner's client ([`Output::Request`] named
    /// the connection), or of one of its own.
    Sync { conn: Option<ConnId> },
    /// The leader's host has come to a read that must see everything that was committed before it: as [`Input::Sync`], but
    /// answered when a quorum is known to have followed this leader still. Nothing is proposed for it.
    ConfirmedRead { conn: Option<ConnId> },
    /// A client of this learner came back with a session: is it alive?
    Revalidate { session_id: i64, timeout_ms: i32 },
    /// The leader's answer to [`Output::Revalidate`].
    Revalidated { conn: ConnId, session_id: i64, valid: bool },
    /// A client of this learner was heard of; the leader is told with the next PING.
    Touch { session_id: i64, timeout_ms: i32 },
    /// A committed reconfiguration changed the ensemble.
    Reconfigured(Arc<QuorumVerifier>),
    /// Some time has passed.
    Tick,
}

/// What the host has to do, in this order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a vote on the election port, connecting when there is no connection. When it can't leave at once, only the
    /// newest for each server is kept; the last one is sent again on each new connection.
    Notify {
        to: i64,
        notification: Notification,
    },
    /// Connect to this server's quorum port: [`Input::Connected`] or [`Input::ConnectFailed`] follows.
    Connect {
        leader: i64,
    },
    Send {
        conn: ConnId,
        packet: QuorumPacket,
    },
    /// Read what the log files have from this transaction on, and say [`Input::LogRead`].
    ReadLog {
        conn: ConnId,
        from: i64,
    },
    /// Send the tree as it is now: a SNAP packet with this zxid, the snapshot, its signature.
    SendSnapshot {
        conn: ConnId,
        zxid: i64,
    },
    /// Close when everything before was sent. Nothing of this connection is wanted any more.
    Close {
        conn: ConnId,
    },
    /// Write, in the order of tickets. A failed write ends the server.
    Persist {
        ticket: u64,
        what: Persist,
    },
    /// The transaction is committed: apply it.
    Deliver(Txn),
    /// The server's role changed. Whatever the role, clients are served only after `Serving`.
    StateChanged(ServerState),
    /// Synchronised: clients may be served. `zxid` is where the epoch's own transactions begin.
    Serving {
        epoch: i64,
        zxid: i64,
    },
    /// A configuration that may be committed: to be on disk before what follows.
    #[doc(alias = "setLastSeenQuorumVerifier")]
    ConfigSeen(Arc<QuorumVerifier>),
    /// A configuration was committed, and is gone by from now on.
    #[doc(alias = "setQuorumVerifier")]
    ConfigActivated(Arc<QuorumVerifier>),
    /// Leader: decide this for a client of another server, then [`Input::Propose`]; a `sync` comes back as [`Input::Sync`].
    Request {
        conn: ConnId,
        sid: i64,
        request: LearnerRequest,
    },
    /// Everything that was committed when the oldest unanswered `sync`, or confirmed read, of this server was asked for has
    /// been delivered. A host asks for one kind only, as those are answered out of each other's order.
    Synced,
    /// Leader: is this session alive? From now on it belongs to `sid`. Answer with [`Input::Revalidated`].
    Revalidate {
        conn: ConnId,
        sid: i64,
        session_id: i64,
        timeout_ms: i32,
    },
    /// Learner: the leader's answer about a client that came back.
    Revalidated {
        session_id: i64,
        valid: bool,
    },
    /// Leader: a client of a learner was heard of.
    Touch {
        session_id: i64,
        timeout_ms: i32,
    },
}

/// A write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Persist {
    /// Add to the log.
    Append(Txn),
    /// `acceptedEpoch`
    AcceptedEpoch(i64),
    /// `currentEpoch`
    CurrentEpoch(i64),
    /// Take everything after this zxid out of the log, and out of the tree when it was applied by a restart.
    Truncate { zxid: i64 },
    /// The snapshot received last takes the place of log and tree.
    Snapshot { zxid: i64 },
}
