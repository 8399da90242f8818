//! A tree put in place of the one that is there (`restore` of the admin server).

use super::{ConnId, KeeperServer, Output};
use crate::database::Database;
use crate::request_processor::RequestProcessor;
use crate::session_tracker::SessionTracker;
use ottla_base::time::Now;

impl KeeperServer {
    /// Gives a tree that comes from elsewhere a zxid beyond all that the log has, so that nothing of the log comes back
    /// at a start.
    pub fn prepare_restore(&self, db: &mut Database) {
        db.last_zxid = db.last_zxid.max(self.processor.last_zxid() + 1);
        db.snapshot_digest = None;
        db.remove_orphans();
    }

    /// Goes on from `db`, which [`KeeperServer::prepare_restore`] was given and which is on disk now. All connections
    /// end, because what their clients know of is gone; sessions of the restored tree get their whole timeout. What was
    /// logged but not answered yet is part of the past that the snapshot replaces.
    pub fn restore(&mut self, now: Now, db: Database, outputs: &mut Vec<Output>) {
        let zxid = db.last_zxid;
        let mut open: Vec<ConnId> = self.conns.keys().copied().collect();
        open.sort_unstable();
        for conn in open {
            self.close_now(conn, outputs);
        }
        self.unpersisted.clear();
        self.sync_waiters.clear();
        self.operator.notes.clear();
        let mut sessions = SessionTracker::new(self.config.tick_time_ms, self.sessions.next_id());
        for (&id, &timeout_ms) in db.sessions() {
            sessions.track(id, u32::try_from(timeout_ms).unwrap_or(0), now.mono_ms());
        }
        self.sessions = sessions;
        self.processor = RequestProcessor::new(super::prep_config(&self.config), zxid);
        self.db = db;
        self.txns_since_snapshot = 0;
        self.bytes_since_snapshot = 0;
        tracing::info!(znodes = self.db.tree.node_count(), "restored the keeper's tree, zxid {zxid:#x}");
    }
}
