//! When a snapshot is due, and its parts. It is taken while the server goes on: the log makes good what changes
//! meanwhile (a fuzzy snapshot, as ZooKeeper's).

use super::{KeeperServer, Output};
use crate::snapshot::SnapshotWriter;

/// A part of a snapshot, in bytes: some hundred microseconds of work. Small in tests, so that much happens between two.
const CHUNK_BYTES: usize = if cfg!(test) { 512 } else { 256 << 10 };

/// Smaller ones are written as `snapCount` says, whatever the log has.
const LARGE_SNAPSHOT_BYTES: u64 = 16 << 20;

impl KeeperServer {
    /// Draws after how much log the next snapshot comes: between a half and the whole of the limit, so that the servers
    /// of an ensemble don't write theirs at once.
    pub(super) fn choose_next_snapshot(&mut self) {
        let spread = |random: &mut ottla_base::random::Random, limit: u64| {
            let half = limit / 2;
            half + if half > 0 { random.below(half) } else { 0 }
        };
        self.snap_after_txns = spread(&mut self.random, self.config.snap_count.max(2));
        self.snap_after_bytes = match self.config.snap_size_limit_bytes {
            0 => u64::MAX,
            limit => spread(&mut self.random, limit),
        };
    }

    pub(super) fn snapshot_if_due(&mut self, outputs: &mut Vec<Output>) {
        let enough_txns =
            self.txns_since_snapshot > self.snap_after_txns && self.bytes_since_snapshot >= self.worth_bytes();
        if !enough_txns && self.bytes_since_snapshot <= self.snap_after_bytes {
            return;
        }
        self.txns_since_snapshot = 0;
        self.bytes_since_snapshot = 0;
        self.choose_next_snapshot();
        outputs.push(Output::RollLog);
        self.start_snapshot(outputs);
    }

    /// After how much log a snapshot is worth its bytes. Of a large tree under many changes, snapshots would follow each other
    /// without an end, and cost more than the changes; half of the last one's size is read again at a start in less time
    /// than the snapshot itself.
    fn worth_bytes(&self) -> u64 {
        if self.last_snapshot_bytes < LARGE_SNAPSHOT_BYTES { 0 } else { self.last_snapshot_bytes / 2 }
    }

    /// Begins a snapshot now; false when one is running.
    pub fn start_snapshot(&mut self, outputs: &mut Vec<Output>) -> bool {
        if self.is_member() && !self.has_place() {
            tracing::warn!("this server has no leader, so its tree may not be what it will serve: no snapshot now");
            return false;
        }
        if self.snapshot.is_some() {
            tracing::warn!("a snapshot is still being written, skipping the next");
            return false;
        }
        outputs.push(Output::SnapshotBegin { zxid: self.db.last_zxid() });
        self.snapshot = Some(SnapshotWriter::new());
        true
    }

    /// True while [`super::Input::SnapshotStep`] is wanted; the host gives it when its writer has room for a chunk.
    #[must_use]
    pub fn snapshot_running(&self) -> bool {
        self.snapshot.is_some()
    }

    pub(super) fn snapshot_step(&mut self, outputs: &mut Vec<Output>) {
        let Some(mut writer) = self.snapshot.take() else { return };
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + (CHUNK_BYTES >> 3));
        let done = writer.step(&self.db, CHUNK_BYTES, &mut chunk);
        outputs.push(Output::SnapshotChunk(chunk));
        if done {
            self.stats.snapshots += 1;
            self.last_snapshot_bytes = writer.bytes();
            outputs.push(Output::SnapshotEnd);
        } else {
            self.snapshot = Some(writer);
        }
    }
}
