//! Connections for votes (`QuorumCnxManager`): one between any two servers, made by the one with the higher id. A server
//! with a lower id connects all the same, says who it is and closes: the other one then connects back.
//!
//! A step machine of its own beside [`super::ZabPeer`], over bytes: [`super::Output::Notify`] goes into
//! [`ElectionConnections::send`], [`ElectionOutput::Notification`] becomes [`super::Input::Notification`]. Only the newest
//! vote matters, so nothing queues up here, and each new connection begins with the last one.

use super::messages::{InitialMessage, MessageError, Notification, NotificationFrame};
use ottla_base::limits::ELECTION_CONNECTIONS;
use std::collections::BTreeMap;

/// A connection on the election port, numbered by the host and never reused.
pub type ElectionConnId = u64;

/// What the host has to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElectionOutput {
    /// Connect to the server's election port: [`ElectionConnections::connected`] or
    /// [`ElectionConnections::connect_failed`] follows.
    Connect {
        sid: i64,
        /// Where the server itself says it takes elections; empty: as configured.
        addresses: Vec<(String, u16)>,
    },
    Send {
        conn: ElectionConnId,
        bytes: Vec<u8>,
    },
    /// Close when everything before was sent.
    Close {
        conn: ElectionConnId,
    },
    /// A vote came in.
    Notification {
        from: i64,
        notification: Notification,
    },
}

#[derive(Debug, Default)]
struct Peer {
    conn: Option<ElectionConnId>,
    connecting: bool,
    /// The last vote, framed.
    last: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Connection {
    /// `None` until the other side has said.
    sid: Option<i64>,
    /// Received, not whole yet.
    unread: Vec<u8>,
}

/// One server's side of them.
#[doc(alias = "QuorumCnxManager")]
#[derive(Debug)]
pub struct ElectionConnections {
    me: InitialMessage,
    peers: BTreeMap<i64, Peer>,
    conns: BTreeMap<ElectionConnId, Connection>,
}

impl ElectionConnections {
    /// No connections yet. `me` is how this server introduces itself: one address, unless `multiAddress.enabled`.
    #[must_use]
    pub fn new(me: InitialMessage) -> Self {
        Self { me, peers: BTreeMap::new(), conns: BTreeMap::new() }
    }

    /// Servers that votes go to and come from right now.
    pub fn connected_sids(&self) -> impl Iterator<Item = i64> {
        self.peers.iter().filter(|(_, peer)| peer.conn.is_some()).map(|(sid, _)| *sid)
    }

    /// Sends a vote, connecting first when need be.
    #[doc(alias = "toSend")]
    pub fn send(&mut self, to: i64, notification: &Notification, out: &mut Vec<ElectionOutput>) {
        let mut bytes = Vec::new();
        notification.write_frame(&mut bytes);
        let peer = self.peers.entry(to).or_default();
        peer.last = Some(bytes.clone());
        match peer.conn {
            Some(conn) => out.push(ElectionOutput::Send { conn, bytes }),
            None => self.connect(to, Vec::new(), out),
        }
    }

    fn connect(&mut self, sid: i64, addresses: Vec<(String, u16)>, out: &mut Vec<ElectionOutput>) {
        let peer = self.peers.entry(sid).or_default();
        if !peer.connecting {
            peer.connecting = true;
            out.push(ElectionOutput::Connect { sid, addresses });
        }
    }

    /// Somebody connected.
    pub fn accepted(&mut self, conn: ElectionConnId, out: &mut Vec<ElectionOutput>) {
        if self.conns.len() >= ELECTION_CONNECTIONS {
            out.push(ElectionOutput::Close { conn });
            return;
        }
        self.conns.insert(conn, Connection { sid: None, unread: Vec::new() });
    }

    /// The connection of [`ElectionOutput::Connect`] is there: this server says who it is, and stays if its id is the
    /// higher one.
    #[doc(alias = "startConnection")]
    pub fn connected(&mut self, conn: ElectionConnId, sid: i64, out: &mut Vec<ElectionOutput>) {
        self.peers.entry(sid).or_default().connecting = false;
        let mut bytes = Vec::new();
        self.me.write(&mut bytes);
        out.push(ElectionOutput::Send { conn, bytes });
        if sid > self.me.sid {
            out.push(ElectionOutput::Close { conn });
            self.forget_stranger(sid);
        } else {
            self.conns.insert(conn, Connection { sid: Some(sid), unread: Vec::new() });
            self.adopt(conn, sid, out);
        }
    }

    /// It did not come about; the next vote tries again.
    pub fn connect_failed(&mut self, sid: i64) {
        if let Some(peer) = self.peers.get_mut(&sid) {
            peer.connecting = false;
        }
        self.forget_stranger(sid);
    }

    /// Nobody who has no vote of ours is remembered beyond the connection.
    fn forget_stranger(&mut self, sid: i64) {
        let idle = |peer: &Peer| peer.conn.is_none() && !peer.connecting && peer.last.is_none();
        if self.peers.get(&sid).is_some_and(idle) {
            self.peers.remove(&sid);
        }
    }

    /// A connection is gone; the next vote makes another one.
    pub fn disconnected(&mut self, conn: ElectionConnId) {
        if let Some(Connection { sid: Some(sid), .. }) = self.conns.remove(&conn)
            && let Some(peer) = self.peers.get_mut(&sid)
            && peer.conn == Some(conn)
        {
            peer.conn = None;
            self.forget_stranger(sid);
        }
    }

    /// Makes this the connection to the server, and sends the last vote.
    fn adopt(&mut self, conn: ElectionConnId, sid: i64, out: &mut Vec<ElectionOutput>) {
        self.let_go(sid, out);
        let peer = self.peers.entry(sid).or_default();
        peer.conn = Some(conn);
        if let Some(bytes) = peer.last.clone() {
            out.push(ElectionOutput::Send { conn, bytes });
        }
    }

    fn let_go(&mut self, sid: i64, out: &mut Vec<ElectionOutput>) {
        if let Some(conn) = self.peers.get_mut(&sid).and_then(|peer| peer.conn.take()) {
            self.conns.remove(&conn);
            out.push(ElectionOutput::Close { conn });
        }
    }

    /// Bytes of a connection, in any portions. What can't be read closes it.
    pub fn received(&mut self, conn: ElectionConnId, bytes: &[u8], out: &mut Vec<ElectionOutput>) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        connection.unread.extend_from_slice(bytes);
        if let Err(error) = self.read(conn, out) {
            tracing::warn!("closing a connection on the election port: {error}");
            self.disconnected(conn);
            out.push(ElectionOutput::Close { conn });
        }
    }

    fn read(&mut self, conn: ElectionConnId, out: &mut Vec<ElectionOutput>) -> Result<(), MessageError> {
        while let Some(connection) = self.conns.get_mut(&conn) {
            let Some(from) = connection.sid else {
                let Some((initial, len)) = InitialMessage::decode(&connection.unread)? else { return Ok(()) };
                connection.unread.drain(..len);
                self.introduced(conn, initial, out);
                continue;
            };
            let Some((body, len)) = NotificationFrame::split(&connection.unread)? else { return Ok(()) };
            let notification = Notification::decode(body)?;
            connection.unread.drain(..len);
            out.push(ElectionOutput::Notification { from, notification });
        }
        Ok(())
    }

    #[doc(alias = "handleConnection")]
    fn introduced(&mut self, conn: ElectionConnId, initial: InitialMessage, out: &mut Vec<ElectionOutput>) {
        let sid = initial.sid;
        if sid > self.me.sid {
            if let Some(connection) = self.conns.get_mut(&conn) {
                connection.sid = Some(sid);
            }
            self.adopt(conn, sid, out);
            return;
        }
        self.conns.remove(&conn);
        out.push(ElectionOutput::Close { conn });
        if sid == self.me.sid {
            tracing::warn!("a server with this server's id {sid} connected; every myid must be given once");
        } else {
            // It would not have connected if it still had the old connection.
            self.let_go(sid, out);
            self.connect(sid, initial.election_addresses, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zab::messages::ServerState;

    fn vote(leader: i64) -> Notification {
        Notification {
            state: ServerState::Looking,
            leader,
            zxid: 0,
            election_epoch: 1,
            peer_epoch: 0,
            version: 2,
            config: b"version=0".to_vec(),
        }
    }

    fn server(sid: i64) -> ElectionConnections {
        ElectionConnections::new(InitialMessage { sid, election_addresses: vec![("h".to_owned(), 3_888)] })
    }

    /// Servers 1 and 2 with a wire between them, whose bytes come in portions.
    struct Pair {
        servers: [ElectionConnections; 2],
        next_conn: ElectionConnId,
        /// The leaders of the votes that each got.
        got: [Vec<i64>; 2],
    }

    impl Pair {
        fn run(&mut self, at: usize, outputs: Vec<ElectionOutput>) {
            let other = 1 - at;
            for output in outputs {
                let mut out = Vec::new();
                match output {
                    ElectionOutput::Connect { sid, .. } => {
                        assert_eq!(sid, other as i64 + 1);
                        self.next_conn += 1;
                        self.servers[other].accepted(self.next_conn, &mut out);
                        let mut own = Vec::new();
                        self.servers[at].connected(self.next_conn, sid, &mut own);
                        self.run(at, own);
                    }
                    ElectionOutput::Send { conn, bytes } => {
                        for portion in bytes.chunks(7) {
                            self.servers[other].received(conn, portion, &mut out);
                        }
                    }
                    ElectionOutput::Close { conn } => self.servers[other].disconnected(conn),
                    ElectionOutput::Notification { notification, .. } => self.got[at].push(notification.leader),
                }
                self.run(other, out);
            }
        }

        fn send(&mut self, at: usize, leader: i64) {
            let mut out = Vec::new();
            self.servers[at].send(2 - at as i64, &vote(leader), &mut out);
            self.run(at, out);
        }
    }

    #[test]
    fn whoever_begins_the_higher_id_connects() {
        for first in [0, 1] {
            let mut pair = Pair { servers: [server(1), server(2)], next_conn: 0, got: Default::default() };
            pair.send(first, 10);
            pair.send(1 - first, 20);
            pair.send(first, 30);
            assert_eq!(pair.got[1 - first], [10, 30]);
            assert_eq!(pair.got[first], [20]);
            assert!(pair.servers.iter().all(|server| server.conns.len() == 1 && server.connected_sids().count() == 1));
            // One connection for both directions, and after it broke another one, which begins with the last votes.
            let conn = pair.servers[0].peers[&2].conn.expect("connected");
            pair.servers.iter_mut().for_each(|server| server.disconnected(conn));
            pair.send(0, 40);
            assert_eq!(pair.got[1].last(), Some(&40));
            assert_eq!(pair.got[0].last(), Some(&if first == 0 { 20 } else { 30 }));
        }
    }

    #[test]
    fn only_the_newest_vote_waits_for_a_connection() {
        let mut server = server(3);
        let mut out = Vec::new();
        server.send(1, &vote(1), &mut out);
        server.send(1, &vote(2), &mut out);
        assert_eq!(out, [ElectionOutput::Connect { sid: 1, addresses: Vec::new() }]);
        server.connect_failed(1);
        server.send(1, &vote(3), &mut out);
        assert_eq!(out.len(), 2);
        out.clear();
        server.connected(1, 1, &mut out);
        let mut expected = Vec::new();
        vote(3).write_frame(&mut expected);
        assert_eq!(out.last(), Some(&ElectionOutput::Send { conn: 1, bytes: expected }));
    }

    #[test]
    fn who_makes_no_sense_is_closed() {
        let hello = |sid: i64| {
            let mut bytes = Vec::new();
            InitialMessage { sid, election_addresses: vec![("h".to_owned(), 1)] }.write(&mut bytes);
            bytes
        };
        let mut garbage = hello(9);
        garbage.extend_from_slice(&[0, 0, 0, 4, 1, 2, 3, 4]);
        for bytes in [hello(3), b"GET / HTTP/1.1\r\n".to_vec(), garbage, (-7_i64).to_be_bytes().to_vec()] {
            let mut server = server(3);
            let mut out = Vec::new();
            server.accepted(1, &mut out);
            server.received(1, &bytes, &mut out);
            assert_eq!(out.last(), Some(&ElectionOutput::Close { conn: 1 }), "{bytes:?}");
            assert!(server.conns.is_empty() && server.peers.is_empty());
        }
    }
}
