//! Connections come, and sessions are made or found again.

use super::{KeeperServer, Output, Place, mark_dirty};
use crate::connection::{Connection, Kind, Outstanding};
use crate::jute::{Jute, Reader};
use crate::proto::{ConnectRequest, ConnectResponse, OpCode};
use crate::request_processor::{Prepared, Request};
use crate::session_tracker::{LOCAL_OWNER, password};
use crate::txn::CreateSessionTxn;
use crate::watch_manager::ConnId;
use ottla_base::time::Now;
use std::net::SocketAddr;

impl KeeperServer {
    pub(super) fn open(&mut self, now: Now, conn: ConnId, peer: SocketAddr, outputs: &mut Vec<Output>) {
        let of_ip = self.conns_by_ip.get(&peer.ip()).copied().unwrap_or(0);
        let too_many = |limit: u32, count: u64| limit != 0 && count >= u64::from(limit);
        // A peer without a port is the broker around this keeper, which nobody may lock out.
        let is_limited = peer.port() != 0;
        if is_limited
            && (too_many(self.config.max_client_cnxns, u64::from(of_ip))
                || too_many(self.config.max_cnxns, self.conns.len() as u64))
        {
            tracing::warn!("too many connections from {peer}: refused (maxClientCnxns, maxCnxns)");
            self.stats.connections_rejected += 1;
            outputs.push(Output::Close { conn });
            return;
        }
        *self.conns_by_ip.entry(peer.ip()).or_default() += 1;
        self.conns.insert(conn, Connection::new(conn, peer, now.mono_ms(), now.wall_ms));
    }

    /// The first frame: makes a session or takes one up again.
    pub(super) fn connect(&mut self, now: Now, conn: ConnId, frame: &[u8], outputs: &mut Vec<Output>) {
        let Ok(request) = Reader::new(frame).record::<ConnectRequest<'_>>() else {
            return self.close_now(conn, outputs);
        };
        if self.is_read_only() && request.read_only != Some(true) {
            tracing::info!("connection {conn} closed: its client wants more than to read, and there is no leader");
            return self.close_now(conn, outputs);
        }
        if !self.takes_clients() {
            tracing::debug!("connection {conn} closed: this server of an ensemble is not serving");
            self.stats.closed_without_server += 1;
            return self.close_now(conn, outputs);
        }
        if request.last_zxid_seen > self.seen_zxid() {
            tracing::info!(
                "connection {conn} has seen zxid {:#x}, this server only {:#x}: it must try another server",
                request.last_zxid_seen,
                self.seen_zxid()
            );
            return self.close_now(conn, outputs);
        }
        let timeout_ms = u32::try_from(request.timeout_ms)
            .unwrap_or(0)
            .max(self.config.min_session_timeout_ms)
            .min(self.config.max_session_timeout_ms);
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        connection.initialized = true;
        connection.timeout_ms = timeout_ms;
        connection.knows_read_only = request.read_only.is_some();
        connection.input = Vec::new();
        self.stats.connect_requests += 1;
        self.stats.revalidations += u64::from(request.session_id != 0);
        if request.session_id == 0 && self.knows_local_sessions() {
            self.create_local_session(now, conn, timeout_ms, outputs);
        } else if request.session_id == 0 {
            self.create_session(now, conn, timeout_ms);
        } else {
            self.reopen_session(now, conn, &request, timeout_ms, outputs);
        }
    }

    fn create_session(&mut self, now: Now, conn: ConnId, timeout_ms: u32) {
        let session_id = self.sessions.next_id();
        let body = CreateSessionTxn { timeout_ms: timeout_ms as i32 }.to_bytes();
        let op = OpCode::CreateSession;
        if self.decides() {
            let auth = Vec::new();
            let request =
                Request { session_id, cxid: 0, op, body: &body, auth: &auth, owner: LOCAL_OWNER, local: false };
            let Prepared::Txn { .. } = self.propose(now, request) else { return };
        } else {
            self.forward(session_id, 0, op, &body, &[]);
        }
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        connection.session_id = session_id;
        connection.queue.push_back(Outstanding { xid: 0, op, received_us: now.mono_us, kind: Kind::Write });
        self.in_flight += 1;
        self.conn_by_session.insert(session_id, conn);
    }

    fn reopen_session(
        &mut self,
        now: Now,
        conn: ConnId,
        request: &ConnectRequest<'_>,
        timeout_ms: u32,
        outputs: &mut Vec<Output>,
    ) {
        let session_id = request.session_id;
        let proved = request.passwd == Some(&password(session_id)[..]);
        if self.is_read_only() {
            if self.db.sessions().contains_key(&session_id) {
                tracing::info!(
                    "connection {conn} closed: only a leader knows whether its session {session_id:#x} lives"
                );
                return self.close_now(conn, outputs);
            }
            let known = proved && self.reattach_local(now, session_id, timeout_ms);
            return self.reopened(conn, session_id, known, outputs);
        }
        if proved && self.reattach_local(now, session_id, timeout_ms) {
            return self.reopened(conn, session_id, true, outputs);
        }
        if proved && !self.decides() {
            return self.ask_for_session(conn, session_id, timeout_ms, outputs);
        }
        let known = proved
            && self.sessions.reattach(session_id, timeout_ms, now.mono_ms())
            && self.sessions.set_owner(session_id, LOCAL_OWNER).is_ok();
        self.reopened(conn, session_id, known, outputs);
    }

    /// Tells a client that came back whether its session is alive.
    pub(super) fn reopened(&mut self, conn: ConnId, session_id: i64, known: bool, outputs: &mut Vec<Output>) {
        if known {
            // Where the client was before: it has left that connection, or never had it.
            if let Some(&old) = self.conn_by_session.get(&session_id)
                && old != conn
            {
                self.close_now(old, outputs);
            }
            self.conn_by_session.insert(session_id, conn);
        }
        if let Some(connection) = self.conns.get_mut(&conn) {
            connection.session_id = if known { session_id } else { 0 };
            answer_connect(connection, known, self.membership.place() == Place::ReadOnly);
        }
        mark_dirty(&mut self.conns, &mut self.dirty, conn);
    }
}

/// Answers the connect frame; a session that is not valid is told as id 0 and the connection closed.
pub(super) fn answer_connect(connection: &mut Connection, valid: bool, read_only: bool) {
    let passwd = if valid { password(connection.session_id) } else { [0; 16] };
    let response = ConnectResponse {
        protocol_version: 0,
        timeout_ms: if valid { connection.timeout_ms as i32 } else { 0 },
        session_id: if valid { connection.session_id } else { 0 },
        passwd: Some(&passwd),
        read_only: connection.knows_read_only.then_some(read_only),
    };
    connection.send_record(&response);
    connection.closing |= !valid;
}
