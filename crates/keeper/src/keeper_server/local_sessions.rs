//! Sessions that only this server knows (`LocalSessionTracker`): no transaction makes or ends them, and no other server
//! takes them up. A server that is cut off has no others (`ReadOnlyZooKeeperServer`); with `localSessionsEnabled` a server of
//! an ensemble makes such sessions only, and one becomes a session of the ensemble once it creates an ephemeral node
//! (`UpgradeableSessionTracker`).

use super::member::Place;
use super::{KeeperServer, Output};
use crate::connection::{Kind, Outstanding, op_letters};
use crate::jute::{Jute, Reader};
use crate::multi::{self, Op};
use crate::proto::{CreateMode, CreateRequest, ErrorCode, OpCode};
use crate::request_processor::Request;
use crate::session_tracker::{LOCAL_OWNER, SessionTracker};
use crate::txn::CreateSessionTxn;
use crate::watch_manager::ConnId;
use ottla_base::time::Now;

/// No id is made here.
const NO_ID: i64 = 0;

/// The sessions that only this server knows.
#[derive(Debug)]
pub(super) struct LocalSessions {
    tracker: SessionTracker,
    tick_ms: u32,
}

impl LocalSessions {
    pub fn new(tick_ms: u32) -> Self {
        Self { tracker: SessionTracker::new(tick_ms, NO_ID), tick_ms }
    }

    pub fn tracker(&self) -> &SessionTracker {
        &self.tracker
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::new(self.tick_ms);
    }

    /// The session's client has been heard of; false when the session is unknown or has ended.
    pub fn touch(&mut self, session_id: i64, now: Now) -> bool {
        self.tracker.touch(session_id, now.mono_ms())
    }

    pub fn contains(&self, session_id: i64) -> bool {
        self.tracker.timeout_ms(session_id).is_some()
    }
}

/// In which session a client writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteSession {
    /// One that all servers know.
    Global,
    /// One that only this server knows.
    Local,
    /// Such a one that would have to be known to all, and may not come to be.
    LocalForGood,
}

/// Does a request create ephemeral nodes? What can't be read does not.
fn creates_ephemerals(op: OpCode, body: &[u8]) -> bool {
    let ephemeral = |flags: i32| CreateMode::from_i32(flags).is_some_and(CreateMode::is_ephemeral);
    let mut reader = Reader::new(body);
    match op {
        OpCode::Create | OpCode::Create2 => {
            reader.record::<CreateRequest<'_>>().is_ok_and(|request| ephemeral(request.flags))
        }
        OpCode::Multi => multi::read_ops(&mut reader)
            .is_ok_and(|ops| ops.iter().any(|op| matches!(op, Op::Create(r) | Op::Create2(r) if ephemeral(r.flags)))),
        _ => false,
    }
}

impl KeeperServer {
    /// Does it serve reads without a leader, to clients that are content with that?
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.membership.place() == Place::ReadOnly
    }

    /// May there be sessions that only this server knows?
    pub(super) fn knows_local_sessions(&self) -> bool {
        self.is_read_only() || self.config.local_sessions && self.is_member() && self.has_place()
    }

    /// Are there clients, of whatever kind?
    pub(super) fn takes_clients(&self) -> bool {
        self.is_serving() || self.is_read_only()
    }

    /// A session without a transaction.
    pub(super) fn create_local_session(&mut self, now: Now, conn: ConnId, timeout_ms: u32, outputs: &mut Vec<Output>) {
        let session_id = self.sessions.next_id();
        self.local.tracker.track(session_id, timeout_ms, now.mono_ms());
        self.reopened(conn, session_id, true, outputs);
        self.stats.packets_sent += 1;
        let zxid = self.db.last_zxid();
        if let Some(connection) = self.conns.get_mut(&conn) {
            connection.answered(op_letters(OpCode::CreateSession), 0, zxid, now.mono_us, now.mono_us);
        }
    }

    /// A client came back to its session here.
    pub(super) fn reattach_local(&mut self, now: Now, session_id: i64, timeout_ms: u32) -> bool {
        self.local.tracker.reattach(session_id, timeout_ms, now.mono_ms())
    }

    /// The session's client has been heard of; `None` when it is not one of these, `Some(false)` when it has ended.
    pub(super) fn touch_local(&mut self, now: Now, session_id: i64) -> Option<bool> {
        self.local.contains(session_id).then(|| self.local.touch(session_id, now))
    }

    /// Whose session is a write's, after it was made one of the ensemble because the write asks for that.
    #[doc(alias = "checkUpgradeSession")]
    pub(super) fn session_of_write(&mut self, now: Now, session_id: i64, op: OpCode, body: &[u8]) -> WriteSession {
        let Some(timeout_ms) = self.local.tracker.timeout_ms(session_id) else { return WriteSession::Global };
        if !creates_ephemerals(op, body) {
            return WriteSession::Local;
        }
        if !self.config.local_sessions_upgrading {
            return WriteSession::LocalForGood;
        }
        tracing::info!("session {session_id:#x} becomes one of the whole ensemble: it creates ephemeral nodes");
        self.remove_local(session_id);
        let (op, body) = (OpCode::CreateSession, CreateSessionTxn { timeout_ms: timeout_ms as i32 }.to_bytes());
        if self.decides() {
            let (auth, owner, local) = (Vec::new(), LOCAL_OWNER, false);
            self.propose(now, Request { session_id, cxid: 0, op, body: &body, auth: &auth, owner, local });
        } else {
            self.forward(session_id, 0, op, &body, &[]);
        }
        WriteSession::Global
    }

    /// The client ends its session: answered in its turn.
    pub(super) fn close_local(&mut self, now: Now, conn: ConnId, xid: i32) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let (op, kind) = (OpCode::CloseSession, Kind::LocalClose);
        connection.queue.push_back(Outstanding { xid, op, received_us: now.mono_us, kind });
        self.in_flight += 1;
        self.answer_ready(now, conn);
    }

    /// A server that is cut off is asked for more than to read.
    #[doc(alias = "ReadOnlyRequestProcessor")]
    pub(super) fn refuse_change(&mut self, now: Now, conn: ConnId, xid: i32, op: OpCode) {
        if op == OpCode::CloseSession {
            return self.close_local(now, conn, xid);
        }
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let kind = Kind::Failed(ErrorCode::NotReadOnly);
        connection.queue.push_back(Outstanding { xid, op, received_us: now.mono_us, kind });
        self.in_flight += 1;
        self.answer_ready(now, conn);
    }

    /// The session is gone.
    pub(super) fn remove_local(&mut self, session_id: i64) {
        self.local.tracker.remove(session_id);
    }

    /// Ends those whose time is over; their connections go with them.
    pub(super) fn expire_local(&mut self, now: Now, outputs: &mut Vec<Output>) {
        if self.local.tracker.is_empty() {
            return;
        }
        for session_id in self.local.tracker.expire(now.mono_ms()) {
            tracing::info!("the local session {session_id:#x} has expired");
            self.stats.sessions_expired += 1;
            self.remove_local(session_id);
            if let Some(&conn) = self.conn_by_session.get(&session_id) {
                self.close_now(conn, outputs);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::OPEN_ACL;

    fn create(flags: i32) -> CreateRequest<'static> {
        CreateRequest { path: "/a", data: None, acl: vec![OPEN_ACL], flags }
    }

    #[test]
    fn what_needs_a_session_that_all_servers_know() {
        let (persistent, ephemeral, sequential, container) = (0, 1, 3, 4);
        for (flags, expected) in [(persistent, false), (ephemeral, true), (sequential, true), (container, false)] {
            let body = create(flags).to_bytes();
            assert_eq!(creates_ephemerals(OpCode::Create, &body), expected, "{flags}");
            assert_eq!(creates_ephemerals(OpCode::Create2, &body), expected, "{flags}");
            assert!(!creates_ephemerals(OpCode::SetData, &body));
            let mut body = Vec::new();
            multi::write_ops(&[Op::Create(create(0)), Op::Create2(create(flags))], &mut body);
            assert_eq!(creates_ephemerals(OpCode::Multi, &body), expected, "{flags}");
        }
        assert!(!creates_ephemerals(OpCode::Create, &create(77).to_bytes()), "there is no such kind of node");
    }

    #[test]
    fn what_cannot_be_read_needs_nothing() {
        let mut body = create(1).to_bytes();
        for op in [OpCode::Create, OpCode::Create2, OpCode::Multi] {
            assert!(!creates_ephemerals(op, &[]));
            assert!(!creates_ephemerals(op, &[0xff; 40]));
        }
        while body.pop().is_some() {
            assert!(!creates_ephemerals(OpCode::Create, &body), "{} bytes", body.len());
        }
    }
}
