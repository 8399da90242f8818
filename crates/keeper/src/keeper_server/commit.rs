//! What is on disk is applied: the tree changes, watches fire, and whoever asked gets the answer.

use super::{KeeperServer, audit::audit_applied, connect::answer_connect, mark_dirty};
use crate::acl::{self, AclList};
use crate::connection::{Connection, Kind, op_letters};
use crate::data_tree::ChangeSink;
use crate::database::TxnResult;
use crate::jute::Jute;
use crate::proto::{CONFIG_NODE, ErrorCode, EventType, GetDataResponse, MULTI_END, MultiHeader, OpCode, perms};
use crate::reads::write_multi_error;
use crate::stats::ServerStats;
use crate::txn::{Txn, TxnEntry};
use crate::watch_manager::{ConnId, Watches};
use ottla_base::hash::FixedMap;
use ottla_base::time::Now;

/// Sends events to those who watch, before anything else that the change leads to.
struct Events<'a> {
    watches: &'a mut Watches,
    conns: &'a mut FixedMap<ConnId, Connection>,
    dirty: &'a mut Vec<ConnId>,
    skip_acl: bool,
    sent: u64,
    sent_bytes: u64,
    hit: Vec<ConnId>,
    stats: &'a mut ServerStats,
}

impl<'a> Events<'a> {
    fn new(
        watches: &'a mut Watches,
        conns: &'a mut FixedMap<ConnId, Connection>,
        dirty: &'a mut Vec<ConnId>,
        stats: &'a mut ServerStats,
        skip_acl: bool,
    ) -> Self {
        Self { watches, conns, dirty, skip_acl, sent: 0, sent_bytes: 0, hit: Vec::new(), stats }
    }

    fn send(&mut self, event: EventType, path: &str, acl: &[u8], zxid: i64) {
        let hit = std::mem::take(&mut self.hit);
        let watchers = match event {
            EventType::NodeCreated => &mut self.stats.node_created_watchers,
            EventType::NodeDeleted => &mut self.stats.node_deleted_watchers,
            EventType::NodeDataChanged => &mut self.stats.node_changed_watchers,
            _ => &mut self.stats.node_children_watchers,
        };
        if !hit.is_empty() {
            watchers.add(hit.len() as u64);
        }
        for conn in hit {
            let Some(connection) = self.conns.get_mut(&conn) else { continue };
            // Who may not read the node does not hear of it.
            if !self.skip_acl && !acl::allows(AclList::from_encoded(acl), perms::READ, &connection.auth) {
                continue;
            }
            let before = connection.output.len();
            connection.notify(event, path, zxid);
            self.sent += 1;
            self.sent_bytes += (connection.output.len() - before) as u64;
            mark_dirty(self.conns, self.dirty, conn);
        }
    }
}

impl ChangeSink for Events<'_> {
    fn node_created(&mut self, path: &str, len: usize, acl: &[u8], parent: &str, parent_acl: &[u8], zxid: i64) {
        self.stats.namespaces.wrote(path, len);
        if self.watches.is_empty() {
            return;
        }
        self.watches.trigger_data(path, &mut self.hit);
        self.send(EventType::NodeCreated, path, acl, zxid);
        self.watches.trigger_child(parent, &mut self.hit);
        self.send(EventType::NodeChildrenChanged, parent, parent_acl, zxid);
    }

    fn node_deleted(&mut self, path: &str, acl: &[u8], parent: &str, parent_acl: &[u8], zxid: i64) {
        self.stats.namespaces.wrote(path, 0);
        if self.watches.is_empty() {
            return;
        }
        self.watches.trigger_deleted(path, &mut self.hit);
        self.send(EventType::NodeDeleted, path, acl, zxid);
        self.watches.trigger_child(parent, &mut self.hit);
        self.send(EventType::NodeChildrenChanged, parent, parent_acl, zxid);
    }

    fn data_changed(&mut self, path: &str, len: usize, acl: &[u8], zxid: i64) {
        self.stats.namespaces.wrote(path, len);
        if self.watches.is_empty() {
            return;
        }
        self.watches.trigger_data(path, &mut self.hit);
        self.send(EventType::NodeDataChanged, path, acl, zxid);
    }
}

impl KeeperServer {
    /// The ensemble's configuration, which others told, goes into its node; who watches it hears of that.
    pub(crate) fn put_ensemble_node(&mut self, text: &str, version: i64, now: Now) {
        let skip_acl = self.config.skip_acl;
        let mut events = Events::new(&mut self.watches, &mut self.conns, &mut self.dirty, &mut self.stats, skip_acl);
        // The node is always there; it is no part of the digest.
        let _ = self.db.tree.set_data(CONFIG_NODE, Some(text.as_bytes()), -1, version, now.wall_ms, &mut events);
    }

    /// A server alone: what is on disk is committed.
    pub(super) fn persisted(&mut self, now: Now, zxid: i64) {
        while let Some(batch) = self.unpersisted.front()
            && batch.last_zxid().is_some_and(|last| last <= zxid)
        {
            let Some(batch) = self.unpersisted.pop_front() else { break };
            for (_, txn) in batch.iter() {
                self.commit(now, txn);
            }
        }
    }

    /// Applies a transaction (header, record, digest) whose turn it is, and answers the client when it is one of ours.
    pub fn commit(&mut self, now: Now, txn: &[u8]) {
        let entry = match TxnEntry::decode(txn) {
            Ok(entry) => entry,
            Err(error) => {
                // Everything that gets here was encoded by this code, or checked when it came from a peer.
                self.stats.unrecoverable_errors += 1;
                tracing::error!(
                    "a transaction can't be decoded ({error}); this server's tree falls behind: restart it"
                );
                return;
            }
        };
        if self.config.operator.audit {
            self.audit_before(&entry);
        }
        let skip_acl = self.config.skip_acl;
        let mut events = Events::new(&mut self.watches, &mut self.conns, &mut self.dirty, &mut self.stats, skip_acl);
        let result = self.db.apply(&entry, &mut events);
        let (sent, sent_bytes) = (events.sent, events.sent_bytes);
        self.stats.watch_events += sent;
        self.stats.watch_bytes += sent_bytes;
        let age_ms = u64::try_from(now.wall_ms - entry.header.time).unwrap_or(0);
        self.stats.propagation_latency.add(age_ms.saturating_mul(1_000));
        self.stats.commits += 1;
        if self.membership.is_member() {
            self.txns_since_snapshot += 1;
            self.bytes_since_snapshot += txn.len() as u64;
        }
        if self.config.operator.audit {
            audit_applied(&mut self.operator.notes, &entry, &result);
        }
        self.processor.applied(entry.header.zxid);
        let session = entry.header.client_id;
        match &entry.txn {
            Txn::CreateSession(txn) => {
                self.sessions.track(session, u32::try_from(txn.timeout_ms).unwrap_or(0), now.mono_ms());
                self.remove_local(session);
            }
            Txn::CloseSession(_) => self.sessions.remove(session),
            _ => {}
        }
        if let Some(&conn) = self.conn_by_session.get(&session) {
            self.answer_write(now, conn, &entry, &result);
        }
        self.answer_syncs(now);
    }

    /// Answers the write at the front of the queue, if the transaction is its, and the reads behind it.
    fn answer_write(&mut self, now: Now, conn: ConnId, entry: &TxnEntry<'_>, result: &TxnResult<'_>) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let zxid = self.db.last_zxid();
        let mine = connection.queue.front().is_some_and(|waiting| {
            matches!(waiting.kind, Kind::Write | Kind::EphemeralRefused)
                && waiting.xid == entry.header.cxid
                && (waiting.op.code() == entry.header.txn_type || entry.header.txn_type == OpCode::Error.code())
        });
        if mine && let Some(waiting) = connection.queue.pop_front() {
            self.in_flight -= 1;
            let refused = matches!(waiting.kind, Kind::EphemeralRefused).then(|| ephemeral_refused(result));
            let result = refused.as_ref().unwrap_or(result);
            let before = connection.output.len();
            if result.err == ErrorCode::SessionMoved.code() {
                // This connection is not the client's any more, so no answer on it would help.
                connection.closing = true;
            } else if waiting.op == OpCode::CreateSession {
                answer_connect(connection, result.err == 0, false);
            } else {
                connection.reply(waiting.xid, zxid, |out| write_response(waiting.op, entry, result, out));
            }
            connection.answered(op_letters(waiting.op), waiting.xid, zxid, waiting.received_us, now.mono_us);
            let us = now.mono_us.saturating_sub(waiting.received_us);
            self.stats.packets_sent += 1;
            self.stats.client_response.add(connection.output.len() - before);
            self.stats.latency.add(us);
            self.stats.update_latency.add(us);
            self.stats.local_write_committed.add(us);
        }
        if matches!(entry.txn, Txn::CloseSession(_)) {
            connection.closing = true;
        }
        mark_dirty(&mut self.conns, &mut self.dirty, conn);
        self.answer_ready(now, conn);
    }

    fn answer_syncs(&mut self, now: Now) {
        let applied = self.db.last_zxid();
        while let Some(at) = self.sync_waiters.iter().position(|(zxid, _)| *zxid <= applied) {
            let (_, conn) = self.sync_waiters.swap_remove(at);
            self.answer_ready(now, conn);
        }
    }
}

/// The leader does not know a local session, and takes it for an expired one.
fn ephemeral_refused<'a>(result: &TxnResult<'a>) -> TxnResult<'a> {
    let mut told = result.clone();
    for part in std::iter::once(&mut told.err).chain(told.multi.iter_mut().map(|part| &mut part.err)) {
        if *part == ErrorCode::SessionExpired.code() {
            *part = ErrorCode::EphemeralOnLocalSession.code();
        }
    }
    told
}

/// The body of the answer to a write.
fn write_response(
    op: OpCode,
    entry: &TxnEntry<'_>,
    result: &TxnResult<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ErrorCode> {
    // A multi tells of errors part by part, unless it failed as a whole.
    if result.err != 0 && (op != OpCode::Multi || result.txn_type == OpCode::Error.code()) {
        return Err(ErrorCode::from_i32(result.err).unwrap_or(ErrorCode::SystemError));
    }
    match op {
        OpCode::Create => result.path.write(out),
        OpCode::Create2 | OpCode::CreateTtl | OpCode::CreateContainer => {
            result.path.write(out);
            result.stat.write(out);
        }
        OpCode::SetData | OpCode::SetAcl => result.stat.write(out),
        OpCode::Reconfig => {
            if let Txn::SetData(txn) = &entry.txn {
                GetDataResponse { data: txn.data, stat: result.stat }.write(out);
            }
        }
        OpCode::Multi => {
            for part in &result.multi {
                write_part(part, out);
            }
            MULTI_END.write(out);
        }
        _ => {}
    }
    Ok(())
}

fn write_part(part: &TxnResult<'_>, out: &mut Vec<u8>) {
    let header = |op: OpCode| MultiHeader { op: op.code(), done: false, err: 0 };
    match OpCode::from_i32(part.txn_type) {
        Some(OpCode::Create) => {
            header(OpCode::Create).write(out);
            part.path.write(out);
        }
        Some(OpCode::Create2 | OpCode::CreateTtl | OpCode::CreateContainer) => {
            header(OpCode::Create2).write(out);
            part.path.write(out);
            part.stat.write(out);
        }
        Some(OpCode::SetData) => {
            header(OpCode::SetData).write(out);
            part.stat.write(out);
        }
        Some(op @ (OpCode::Delete | OpCode::Check)) => header(op).write(out),
        _ => write_multi_error(part.err, out),
    }
}
