//! From a connection's bytes to requests: framing, authentication, and the two ways that a request can go.

use super::local_sessions::WriteSession;
use super::{KeeperServer, Output, mark_dirty, words};
use crate::auth;
use crate::connection::{Kind, Outstanding, op_letters};
use crate::jute::{Jute, Reader};
use crate::proto::{AuthPacket, ErrorCode, OpCode, RequestHeader};
use crate::reads::{self, Reading};
use crate::request_processor::{Prepared, Request};
use crate::session_tracker::LOCAL_OWNER;
use crate::watch_manager::ConnId;
use ottla_base::limits::QUORUM_PACKET_AUTH_IDS;
use ottla_base::time::Now;

/// Answers to one input, in bytes, behind which the requests that are left wait for the next input of their connection:
/// the client has to take these first.
pub const ANSWERS_AT_ONCE: usize = 1 << 20;

impl KeeperServer {
    /// Splits what came into frames. A frame's beginning is kept, and the frames behind [`ANSWERS_AT_ONCE`]; no frame is
    /// longer than `jute.maxbuffer`.
    pub(super) fn receive(&mut self, now: Now, conn: ConnId, bytes: &[u8], outputs: &mut Vec<Output>) {
        self.stats.bytes_received += bytes.len() as u64;
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let mut kept = std::mem::take(&mut connection.input);
        if kept.is_empty() {
            let used = self.receive_frames(now, conn, bytes, outputs);
            kept.extend_from_slice(&bytes[used..]);
        } else {
            kept.extend_from_slice(bytes);
            let used = self.receive_frames(now, conn, &kept, outputs);
            kept.drain(..used);
        }
        if let Some(connection) = self.conns.get_mut(&conn) {
            connection.input = kept;
        }
    }

    /// Takes whole frames; gives the count of bytes used.
    fn receive_frames(&mut self, now: Now, conn: ConnId, bytes: &[u8], outputs: &mut Vec<Output>) -> usize {
        let mut used = 0;
        while let Some((len, rest)) = bytes[used..].split_first_chunk::<4>() {
            let Some(connection) = self.conns.get_mut(&conn) else { return bytes.len() };
            if connection.closing {
                return bytes.len();
            }
            if connection.revalidating || connection.output.len() >= ANSWERS_AT_ONCE {
                break;
            }
            if !connection.initialized && words::is_known(*len) {
                connection.stats.received += 1;
                self.stats.packets_received += 1;
                self.four_letter_word(now, conn, *len, rest);
                return bytes.len();
            }
            let len = i32::from_be_bytes(*len);
            let Some(len) = usize::try_from(len).ok().filter(|&len| len <= self.config.jute_max_buffer) else {
                tracing::warn!(
                    "connection {conn} from {} closed: a message of {len} bytes is malformed or larger than \
                     jute.maxbuffer={}",
                    connection.peer,
                    self.config.jute_max_buffer
                );
                self.stats.large_requests_rejected += 1;
                self.close_now(conn, outputs);
                return bytes.len();
            };
            let frame = rest.get(..len);
            if !self.admit_large(conn, len, frame.is_some()) {
                self.close_now(conn, outputs);
                return bytes.len();
            }
            let Some(frame) = frame else { break };
            let Some(connection) = self.conns.get_mut(&conn) else { return bytes.len() };
            if connection.confirming > 0 && is_change(frame) {
                self.hold(conn, outputs);
                break;
            }
            used += 4 + len;
            connection.stats.received += 1;
            self.stats.packets_received += 1;
            if connection.initialized {
                self.request(now, conn, frame, outputs);
            } else {
                self.connect(now, conn, frame, outputs);
            }
        }
        used
    }

    /// Counts a large request while it arrives (`largeRequestThreshold`); false when there are too many bytes of them.
    fn admit_large(&mut self, conn: ConnId, len: usize, complete: bool) -> bool {
        let limits = &self.config.operator;
        let Some(connection) = self.conns.get_mut(&conn) else { return true };
        self.operator.large_bytes -= std::mem::take(&mut connection.large);
        if limits.large_request_threshold.is_none_or(|threshold| len <= threshold) {
            return true;
        }
        if self.operator.large_bytes.saturating_add(len) > limits.large_request_max_bytes {
            tracing::warn!(
                "connection {conn} from {} closed: its request of {len} bytes is one large request too many \
                 (largeRequestMaxBytes={})",
                connection.peer,
                limits.large_request_max_bytes
            );
            self.stats.large_requests_rejected += 1;
            return false;
        }
        if !complete {
            connection.large = len;
            self.operator.large_bytes += len;
        }
        true
    }

    /// One request of a session.
    fn request(&mut self, now: Now, conn: ConnId, frame: &[u8], outputs: &mut Vec<Output>) {
        let mut reader = Reader::new(frame);
        let Ok(header) = reader.record::<RequestHeader>() else {
            return self.close_now(conn, outputs);
        };
        let body = reader.rest();
        let op = OpCode::from_i32(header.op);
        match op {
            Some(OpCode::Auth) => return self.authenticate(conn, header.xid, body, outputs),
            Some(OpCode::Sasl) => return self.sasl(conn, header.xid, outputs),
            _ => {}
        }
        let Some(connection) = self.conns.get(&conn) else { return };
        let (session_id, timeout_ms) = (connection.session_id, connection.timeout_ms);
        if let Some(alive) = self.touch_local(now, session_id) {
            if !alive {
                return;
            }
        } else if !self.decides() {
            self.touch_at_leader(session_id, timeout_ms);
        } else if !self.sessions.touch(session_id, now.mono_ms()) {
            // The session is about to end; its connection goes with it.
            return;
        }
        match op {
            Some(op) if self.is_read_only() && (op.is_change() || op == OpCode::Sync) => {
                self.refuse_change(now, conn, header.xid, op);
            }
            Some(op) if op.is_change() => self.write(now, conn, header.xid, op, body),
            Some(
                OpCode::Exists
                | OpCode::GetData
                | OpCode::GetAcl
                | OpCode::GetChildren
                | OpCode::GetChildren2
                | OpCode::GetAllChildrenNumber
                | OpCode::GetEphemerals
                | OpCode::MultiRead
                | OpCode::Ping
                | OpCode::Sync
                | OpCode::SetWatches
                | OpCode::SetWatches2
                | OpCode::CheckWatches
                | OpCode::RemoveWatches
                | OpCode::AddWatch
                | OpCode::WhoAmI,
            ) => self.read(now, conn, header.xid, op.unwrap_or(OpCode::Error), body),
            _ => {
                tracing::warn!("connection {conn} asks for the unknown operation {}", header.op);
                let Some(connection) = self.conns.get_mut(&conn) else { return };
                connection.reply(header.xid, -1, |_| Err(ErrorCode::Unimplemented));
                connection.closing = true;
                self.mark_dirty(conn);
            }
        }
        self.throttle(conn, outputs);
    }

    /// Stops reading from a client that waits for something while the server as a whole has too much to do.
    fn throttle(&mut self, conn: ConnId, outputs: &mut Vec<Output>) {
        if self.in_flight <= self.outstanding_limit() {
            return;
        }
        if let Some(connection) = self.conns.get_mut(&conn)
            && !connection.paused
            && !connection.queue.is_empty()
        {
            connection.paused = true;
            self.stats.throttled += 1;
            self.paused.push(conn);
            outputs.push(Output::Pause { conn });
        }
    }

    fn write(&mut self, now: Now, conn: ConnId, xid: i32, op: OpCode, body: &[u8]) {
        let Some(connection) = self.conns.get(&conn) else { return };
        let session_id = connection.session_id;
        let whose = self.session_of_write(now, session_id, op, body);
        if whose == WriteSession::Local && op == OpCode::CloseSession {
            return self.close_local(now, conn, xid);
        }
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let ip = connection.peer.ip();
        // Lent out while the request is decided.
        let auth = std::mem::take(&mut connection.auth);
        if self.config.operator.audit {
            self.audit_request(session_id, ip.to_string(), xid, op, body, &auth);
        }
        let prepared = if self.decides() {
            let (owner, local) = (LOCAL_OWNER, whose != WriteSession::Global);
            self.propose(now, Request { session_id, cxid: xid, op, body, auth: &auth, owner, local })
        } else {
            self.forward(session_id, xid, op, body, &auth);
            Prepared::Txn { zxid: 0 }
        };
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        connection.auth = auth;
        let kind = match prepared {
            Prepared::Txn { .. } if whose == WriteSession::LocalForGood => Kind::EphemeralRefused,
            Prepared::Txn { .. } => Kind::Write,
            Prepared::Refused(code) => Kind::Failed(code),
        };
        self.stats.session_queue.add(connection.queue.len() as u64);
        connection.queue.push_back(Outstanding { xid, op, received_us: now.mono_us, kind });
        self.in_flight += 1;
        if matches!(prepared, Prepared::Refused(_)) {
            self.audit_refused(session_id, xid);
            self.answer_ready(now, conn);
        }
    }

    fn read(&mut self, now: Now, conn: ConnId, xid: i32, op: OpCode, body: &[u8]) {
        if self.config.linearizable_reads && self.has_place() && self.is_member() && tells_of_the_tree(op) {
            return self.read_confirmed(now, conn, xid, op, body);
        }
        if op == OpCode::Sync && self.is_member() {
            return self.sync_with_leader(now, conn, xid, body);
        }
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let last_proposed = self.processor.last_zxid();
        let must_wait = op == OpCode::Sync && last_proposed > self.db.last_zxid();
        let checks = self.membership.decides() && !self.local.contains(connection.session_id);
        let alive = match checks {
            true => self.sessions.check(connection.session_id, LOCAL_OWNER),
            false => Ok(()),
        };
        if let Err(code) = alive {
            let kind = Kind::Failed(code);
            connection.queue.push_back(Outstanding { xid, op, received_us: now.mono_us, kind });
            self.in_flight += 1;
            self.answer_ready(now, conn);
        } else if connection.queue.is_empty() && !must_wait {
            self.serve(now, conn, xid, op, body, now.mono_us);
        } else {
            let kind = match op {
                OpCode::Sync => Kind::Sync(last_proposed, body.to_vec()),
                _ => Kind::Read(body.to_vec()),
            };
            connection.queue.push_back(Outstanding { xid, op, received_us: now.mono_us, kind });
            self.in_flight += 1;
            if must_wait {
                self.sync_waiters.push((last_proposed, conn));
            }
        }
    }

    /// Answers a read from the tree as it is now.
    fn serve(&mut self, now: Now, conn: ConnId, xid: i32, op: OpCode, body: &[u8], received_us: u64) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let zxid = self.db.last_zxid();
        let before = connection.output.len();
        if matches!(op, OpCode::SetWatches | OpCode::SetWatches2) {
            let result = reads::set_watches(&self.db, op, body, conn, &mut self.watches, |event, path| {
                self.stats.watch_events += 1;
                connection.notify(event, path, -1);
            });
            connection.reply(xid, zxid, |_| result);
        } else {
            let auth = std::mem::take(&mut connection.auth);
            let reading = Reading {
                db: &self.db,
                conn,
                session_id: connection.session_id,
                auth: &auth,
                skip_acl: self.config.skip_acl,
            };
            let (watches, namespaces) = (&mut self.watches, &mut self.stats.namespaces);
            connection.reply(xid, zxid, |out| {
                let before = out.len();
                reading.serve(op, body, watches, out)?;
                namespaces.answered(op, body, &out[before..]);
                Ok(())
            });
            connection.auth = auth;
        }
        connection.answered(op_letters(op), xid, zxid, received_us, now.mono_us);
        let us = now.mono_us.saturating_sub(received_us);
        self.stats.packets_sent += 1;
        self.stats.client_response.add(connection.output.len() - before);
        self.stats.latency.add(us);
        self.stats.read_latency.add(us);
        mark_dirty(&mut self.conns, &mut self.dirty, conn);
    }

    /// Answers what waits at the front of a connection's queue and no longer needs to.
    pub(super) fn answer_ready(&mut self, now: Now, conn: ConnId) {
        loop {
            let Some(connection) = self.conns.get_mut(&conn) else { return };
            if connection.closing {
                // Something before this was not answered.
                return;
            }
            let applied = self.db.last_zxid();
            let ready = match connection.queue.front().map(|waiting| &waiting.kind) {
                Some(Kind::Read(_) | Kind::Failed(_) | Kind::LocalClose) => true,
                Some(Kind::Sync(zxid, _)) => *zxid <= applied,
                Some(Kind::Confirmed(number, _)) => self.membership.is_confirmed(*number),
                Some(Kind::Write | Kind::EphemeralRefused | Kind::SyncAsked(_)) | None => false,
            };
            if !ready {
                return;
            }
            let Some(waiting) = connection.queue.pop_front() else { return };
            self.in_flight -= 1;
            if matches!(waiting.kind, Kind::Confirmed(..)) {
                connection.confirming -= 1;
                if connection.held && connection.confirming == 0 {
                    self.released.push(conn);
                }
            }
            match waiting.kind {
                Kind::Read(body) | Kind::Sync(_, body) | Kind::Confirmed(_, body) => {
                    self.serve(now, conn, waiting.xid, waiting.op, &body, waiting.received_us);
                }
                Kind::Failed(ErrorCode::SessionMoved) => {
                    // This connection is not the client's any more, so no answer on it would help.
                    connection.closing = true;
                    self.mark_dirty(conn);
                }
                Kind::Failed(code) => {
                    connection.reply(waiting.xid, applied, |_| Err(code));
                    self.stats.packets_sent += 1;
                    self.mark_dirty(conn);
                }
                Kind::LocalClose => {
                    connection.reply(waiting.xid, applied, |_| Ok(()));
                    connection.closing = true;
                    let session_id = connection.session_id;
                    self.stats.packets_sent += 1;
                    self.remove_local(session_id);
                    self.mark_dirty(conn);
                }
                Kind::Write | Kind::EphemeralRefused | Kind::SyncAsked(_) => {}
            }
        }
    }

    /// `addauth`: proves an identity, or ends the connection.
    fn authenticate(&mut self, conn: ConnId, xid: i32, body: &[u8], outputs: &mut Vec<Output>) {
        let Ok(packet) = Reader::new(body).record::<AuthPacket<'_>>() else {
            return self.close_now(conn, outputs);
        };
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let mut proved: Vec<(String, String)> = Vec::new();
        match packet.scheme {
            "digest" if self.config.digest_auth => {
                let id = auth::digest_id(&String::from_utf8_lossy(packet.auth.unwrap_or(&[])));
                if self.config.super_digest.as_deref() == Some(&id) {
                    proved.push(("super".to_owned(), String::new()));
                }
                proved.push(("digest".to_owned(), id));
            }
            "ip" => proved.push(("ip".to_owned(), connection.peer.ip().to_string())),
            _ => {}
        }
        if connection.auth.len() >= QUORUM_PACKET_AUTH_IDS {
            proved.clear();
        }
        if proved.is_empty() {
            tracing::warn!("connection {conn} failed to authenticate (scheme {:?})", packet.scheme);
            self.stats.auth_failed += 1;
            connection.reply(xid, 0, |_| Err(ErrorCode::AuthFailed));
            connection.closing = true;
        } else {
            for id in proved {
                if !connection.auth.contains(&id) {
                    connection.auth.push(id);
                }
            }
            connection.reply(xid, 0, |_| Ok(()));
        }
        self.mark_dirty(conn);
    }

    /// What a server without SASL says to a client that tries: nothing goes on from here, but the session stays.
    fn sasl(&mut self, conn: ConnId, xid: i32, outputs: &mut Vec<Output>) {
        let Some(connection) = self.conns.get_mut(&conn) else { return self.close_now(conn, outputs) };
        connection.reply(xid, 0, |out| {
            None::<&[u8]>.write(out);
            Ok(())
        });
        self.mark_dirty(conn);
    }
}

/// Is this request a change, or the end of the session?
fn is_change(frame: &[u8]) -> bool {
    let op = Reader::new(frame).record::<RequestHeader>().ok().and_then(|header| OpCode::from_i32(header.op));
    op.is_some_and(OpCode::is_change)
}

/// Is this a read of what changes are made to, or a `sync`? Others can't be stale.
fn tells_of_the_tree(op: OpCode) -> bool {
    matches!(
        op,
        OpCode::Exists
            | OpCode::GetData
            | OpCode::GetAcl
            | OpCode::GetChildren
            | OpCode::GetChildren2
            | OpCode::GetAllChildrenNumber
            | OpCode::GetEphemerals
            | OpCode::MultiRead
            | OpCode::Sync
    )
}
