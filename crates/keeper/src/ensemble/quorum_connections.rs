//! Connections of the quorum port: from bytes to packets and back, with snapshots between them.

use super::QuorumOutput;
use crate::data_tree::TreeOptions;
use crate::database::Database;
use crate::jute::JuteError;
use crate::snapshot::{SnapshotError, SnapshotReceiver, SnapshotWriter};
use crate::zab::ConnId;
use crate::zab::messages::{PacketType, QuorumPacket};
use ottla_base::limits::{
    KEEPER_TXN_BYTES, LEARNER_PACKET_BYTES, QUORUM_CONNECTIONS, QUORUM_INTRODUCTION_BYTES, QUORUM_WAITING_BYTES,
};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

/// A part of a snapshot, in bytes: some hundred microseconds of work. Small in tests, so that much happens between two.
const SNAPSHOT_PART_BYTES: usize = if cfg!(test) { 512 } else { 256 << 10 };

/// Figures of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QuorumConnStats {
    /// Of a learner.
    pub peer: Option<SocketAddr>,
    /// Milliseconds since 1970.
    pub established_ms: i64,
    pub received: u64,
    pub sent: u64,
    pub requests: u64,
    /// Of the last packet.
    pub last_zxid: i64,
}

#[derive(Debug, Default)]
struct Connection {
    stats: QuorumConnStats,
    /// To a leader: what comes may be as large as anything in a log, and a snapshot may be among it.
    to_leader: bool,
    /// Somebody has said who it is.
    introduced: bool,
    /// Received; used up to `used`.
    unread: Vec<u8>,
    used: usize,
    /// On its way here.
    incoming: Option<SnapshotReceiver>,
    unsent: Vec<u8>,
    /// On its way from here; `unsent` comes after it.
    outgoing: Option<SnapshotWriter>,
}

/// What bytes turn out to be.
#[derive(Debug)]
pub(super) enum Arrived {
    Packet(QuorumPacket),
    /// A part of a snapshot.
    SnapshotPart,
    Snapshot(Box<Database>),
}

/// Why a connection can't go on.
#[derive(Debug)]
pub(super) enum Unreadable {
    Packet(JuteError),
    Snapshot(SnapshotError),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packet(error) => write!(f, "a packet can't be read: {error}"),
            Self::Snapshot(error) => write!(f, "{error}"),
        }
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct QuorumConnections {
    /// Bytes that may wait behind a snapshot.
    pub most_waiting: usize,
    conns: BTreeMap<ConnId, Connection>,
    dirty: Vec<ConnId>,
    /// Behind a snapshot too much has gathered for these.
    overfull: Vec<ConnId>,
}

impl Default for QuorumConnections {
    fn default() -> Self {
        let (conns, dirty, overfull) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { most_waiting: QUORUM_WAITING_BYTES, conns, dirty, overfull }
    }
}

impl QuorumConnections {
    /// A new connection, to a leader when it is from nowhere; false when there are too many.
    pub fn add(&mut self, conn: ConnId, peer: Option<SocketAddr>, established_ms: i64) -> bool {
        let to_leader = peer.is_none();
        if !to_leader && self.conns.len() >= QUORUM_CONNECTIONS {
            return false;
        }
        let stats = QuorumConnStats { peer, established_ms, ..QuorumConnStats::default() };
        self.conns.insert(conn, Connection { stats, to_leader, ..Connection::default() });
        true
    }

    pub fn stats(&self, conn: ConnId) -> Option<QuorumConnStats> {
        self.conns.get(&conn).map(|connection| connection.stats)
    }

    pub fn contains(&self, conn: ConnId) -> bool {
        self.conns.contains_key(&conn)
    }

    /// It is gone.
    pub fn remove(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
    }

    /// Takes bytes in; [`Self::next`] tells what they are.
    pub fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        if let Some(connection) = self.conns.get_mut(&conn) {
            connection.unread.extend_from_slice(bytes);
        }
    }

    /// Has it said no more than who it is?
    pub fn is_brief(&self, conn: ConnId) -> bool {
        self.conns.get(&conn).is_none_or(|connection| connection.unread.len() <= QUORUM_INTRODUCTION_BYTES)
    }

    /// The next thing that is whole.
    pub fn next(&mut self, conn: ConnId, options: TreeOptions) -> Result<Option<Arrived>, Unreadable> {
        let Some(connection) = self.conns.get_mut(&conn) else { return Ok(None) };
        let unread = &connection.unread[connection.used..];
        if let Some(receiver) = &mut connection.incoming {
            if unread.is_empty() {
                return Ok(None);
            }
            let rest = receiver.push(unread).map_err(Unreadable::Snapshot)?;
            (connection.unread, connection.used) = (Vec::new(), 0);
            let Some(rest) = rest else {
                return Ok(Some(Arrived::SnapshotPart));
            };
            connection.unread = rest;
            return Ok(connection.incoming.take().map(|receiver| Arrived::Snapshot(receiver.into_database())));
        }
        let max_data = match (connection.to_leader, connection.introduced) {
            (true, _) => KEEPER_TXN_BYTES,
            (false, true) => LEARNER_PACKET_BYTES,
            (false, false) => QUORUM_INTRODUCTION_BYTES,
        };
        let Some((packet, len)) = QuorumPacket::decode(unread, max_data).map_err(Unreadable::Packet)? else {
            connection.unread.drain(..connection.used);
            connection.used = 0;
            return Ok(None);
        };
        connection.introduced = true;
        connection.stats.received += 1;
        connection.stats.requests += u64::from(packet.kind == PacketType::Request);
        connection.stats.last_zxid = packet.zxid;
        connection.used += len;
        if packet.kind == PacketType::Snap && connection.to_leader {
            connection.incoming = Some(SnapshotReceiver::new(packet.zxid, options));
        }
        Ok(Some(Arrived::Packet(packet)))
    }

    /// Sends a packet when the step is over, or after the snapshot.
    pub fn send(&mut self, conn: ConnId, packet: &QuorumPacket) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        if connection.unsent.is_empty() {
            self.dirty.push(conn);
        }
        connection.stats.sent += 1;
        packet.write(&mut connection.unsent);
        if connection.unsent.len() > self.most_waiting {
            self.overfull.push(conn);
        }
    }

    /// The connections for which too much waits behind a snapshot; they are to be closed.
    pub fn take_overfull(&mut self) -> Vec<ConnId> {
        std::mem::take(&mut self.overfull)
    }

    /// Gives out what is to be sent.
    pub fn flush(&mut self, out: &mut Vec<QuorumOutput>) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for conn in dirty.drain(..) {
            self.flush_one(conn, out);
        }
        self.dirty = dirty;
    }

    fn flush_one(&mut self, conn: ConnId, out: &mut Vec<QuorumOutput>) {
        if let Some(connection) = self.conns.get_mut(&conn)
            && connection.outgoing.is_none()
            && !connection.unsent.is_empty()
        {
            out.push(QuorumOutput::Send { conn, bytes: std::mem::take(&mut connection.unsent) });
        }
    }

    /// The tree goes out in parts ([`Self::snapshot_step`]), after its SNAP packet.
    pub fn begin_snapshot(&mut self, conn: ConnId, zxid: i64, out: &mut Vec<QuorumOutput>) {
        self.send(conn, &QuorumPacket::new(PacketType::Snap, zxid));
        self.flush_one(conn, out);
        if let Some(connection) = self.conns.get_mut(&conn) {
            connection.outgoing = Some(SnapshotWriter::for_learner());
            out.push(QuorumOutput::SnapshotBegin { conn });
        }
    }

    /// The next part.
    pub fn snapshot_step(&mut self, conn: ConnId, db: &Database, out: &mut Vec<QuorumOutput>) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let Some(writer) = &mut connection.outgoing else { return };
        let mut bytes = Vec::with_capacity(SNAPSHOT_PART_BYTES + (SNAPSHOT_PART_BYTES >> 3));
        let done = writer.step(db, SNAPSHOT_PART_BYTES, &mut bytes);
        out.push(QuorumOutput::Send { conn, bytes });
        if done {
            self.end_snapshot(conn, out);
        }
    }

    fn end_snapshot(&mut self, conn: ConnId, out: &mut Vec<QuorumOutput>) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        connection.outgoing = None;
        out.push(QuorumOutput::SnapshotEnd { conn });
        self.flush_one(conn, out);
    }

    /// Closes when everything before was sent; half a snapshot is good for nothing, so it ends at once.
    pub fn close(&mut self, conn: ConnId, out: &mut Vec<QuorumOutput>) {
        self.flush_one(conn, out);
        if self.conns.remove(&conn).is_some() {
            out.push(QuorumOutput::Close { conn });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_behind_a_snapshot_is_bounded() {
        let mut quorum = QuorumConnections { most_waiting: 1_000, ..QuorumConnections::default() };
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        for conn in [1, 2] {
            assert!(quorum.add(conn, Some(peer), 0));
        }
        let packet = QuorumPacket::with(PacketType::Commit, 7, [0; 190]);
        let mut out = Vec::new();
        quorum.begin_snapshot(1, 5, &mut out);
        for _ in 0..4 {
            quorum.send(1, &packet);
            quorum.send(2, &packet);
            quorum.flush(&mut out);
        }
        assert!(quorum.take_overfull().is_empty());
        quorum.send(1, &packet);
        quorum.send(2, &packet);
        assert_eq!(quorum.take_overfull(), [1], "the other one has none before it");
        assert!(quorum.take_overfull().is_empty(), "told once");
        // Another one, whose snapshot ends in time.
        quorum.close(1, &mut out);
        assert!(quorum.add(3, Some(peer), 0));
        quorum.begin_snapshot(3, 5, &mut out);
        quorum.send(3, &packet);
        out.clear();
        while !out.contains(&QuorumOutput::SnapshotEnd { conn: 3 }) {
            quorum.flush(&mut out);
            quorum.snapshot_step(3, &Database::new(false), &mut out);
            assert!(out.len() < 100);
        }
        let mut written = Vec::new();
        packet.write(&mut written);
        let Some(QuorumOutput::Send { conn: 3, bytes }) = out.last() else { panic!("{out:?}") };
        assert_eq!(*bytes, written, "what has waited comes behind it");
        quorum.send(3, &packet);
        assert!(quorum.take_overfull().is_empty());
    }
}
