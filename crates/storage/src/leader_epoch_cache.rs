//! Which leader epoch wrote which offsets of a log (KIP-101, KIP-279), kept in `leader-epoch-checkpoint`.
//!
//! Invariant: epochs and start offsets both ascend.
//!
//! A new epoch is written down with the next flush, not at once: until then its batches lie above the recovery point,
//! where recovery finds it again. So a thousand partitions can change their leader without a thousand syncs.

use std::io;

use crate::checkpoint::{EpochEntry, LEADER_EPOCH_FILE, decode_epochs, encode_epochs};
use crate::folder::Folder;

#[doc(alias = "LeaderEpochFileCache")]
#[derive(Debug, Default)]
pub struct LeaderEpochCache {
    entries: Vec<EpochEntry>,
    dirty: bool,
}

impl LeaderEpochCache {
    /// Reads the log's checkpoint; a missing one is empty. A damaged one is `InvalidData`.
    pub fn load(folder: &Folder) -> io::Result<Self> {
        match folder.disk().read(&folder.file(LEADER_EPOCH_FILE)) {
            Ok(bytes) => {
                let mut cache = Self::default();
                for entry in decode_epochs(&bytes)? {
                    cache.insert(entry);
                }
                Ok(cache)
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(e),
        }
    }

    #[must_use]
    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    /// Puts an entry in, taking out those it contradicts; false when it says nothing new.
    pub(crate) fn insert(&mut self, entry: EpochEntry) -> bool {
        if entry.epoch < 0 || entry.start_offset < 0 || self.entries.contains(&entry) {
            return false;
        }
        if let Some(last) = self.entries.last()
            && entry.epoch == last.epoch
        {
            return false; // the epoch began earlier
        }
        self.entries.retain(|e| e.epoch < entry.epoch && e.start_offset < entry.start_offset);
        self.entries.push(entry);
        true
    }

    /// Takes note that `epoch` writes from `start_offset` on.
    pub fn assign(&mut self, epoch: i32, start_offset: i64) {
        if self.entries.last().is_none_or(|last| last.epoch != epoch) {
            self.dirty |= self.insert(EpochEntry { epoch, start_offset });
        }
    }

    /// Replaces the log's checkpoint, durably, when there is something new.
    pub fn write_if_dirty(&mut self, folder: &Folder) -> io::Result<()> {
        if !self.dirty {
            return Ok(());
        }
        let text = encode_epochs(&self.entries);
        folder.disk().write_atomic(&folder.file(LEADER_EPOCH_FILE), text.as_bytes())?;
        self.dirty = false;
        Ok(())
    }

    /// The file is to be written again.
    pub(crate) fn set_dirty(&mut self) {
        self.dirty = true;
    }

    #[must_use]
    pub fn latest_epoch(&self) -> Option<i32> {
        self.entries.last().map(|e| e.epoch)
    }

    /// The largest epoch at or below `epoch` and the offset behind its last record; `None` when that is unknown.
    ///
    /// An epoch above all known ones, or below them, is unknown.
    #[must_use]
    pub fn end_offset_for(&self, epoch: i32, log_end: i64) -> Option<(i32, i64)> {
        let last = self.entries.last()?;
        if epoch < 0 || epoch > last.epoch {
            return None;
        }
        if epoch == last.epoch {
            return Some((epoch, log_end));
        }
        let above = self.entries.partition_point(|e| e.epoch <= epoch);
        let next = self.entries.get(above)?;
        // Below all known epochs: nothing of it is left, and it ended where the first known one began.
        let floor = above.checked_sub(1).map_or(epoch, |at| self.entries[at].epoch);
        Some((floor, next.start_offset))
    }

    /// The epoch that wrote `offset`.
    #[must_use]
    pub fn epoch_of(&self, offset: i64) -> Option<i32> {
        let at = self.entries.partition_point(|e| e.start_offset <= offset);
        at.checked_sub(1).map(|at| self.entries[at].epoch)
    }

    /// Drops epochs that begin at or behind `end`.
    pub fn truncate_from_end(&mut self, end: i64) {
        let before = self.entries.len();
        self.entries.retain(|e| e.start_offset < end);
        self.dirty |= self.entries.len() != before;
    }

    /// Drops epochs that ended before `start`; the one in force there begins at `start`.
    pub fn truncate_from_start(&mut self, start: i64) {
        let behind = self.entries.partition_point(|e| e.start_offset <= start);
        let Some(in_force) = behind.checked_sub(1) else { return };
        if self.entries[in_force].start_offset == start && in_force == 0 {
            return;
        }
        self.entries[in_force].start_offset = start;
        self.entries.drain(..in_force);
        self.dirty = true;
    }

    /// Forgets all epochs.
    pub fn clear(&mut self) {
        self.dirty |= !self.entries.is_empty();
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(entries: &[(i32, i64)]) -> LeaderEpochCache {
        let mut cache = LeaderEpochCache::default();
        for &(epoch, start) in entries {
            cache.assign(epoch, start);
        }
        cache
    }

    fn starts(cache: &LeaderEpochCache) -> Vec<(i32, i64)> {
        cache.entries().iter().map(|e| (e.epoch, e.start_offset)).collect()
    }

    #[test]
    fn end_offsets() {
        let c = cache(&[(2, 10), (4, 20), (5, 30)]);
        let ask = |epoch| c.end_offset_for(epoch, 99);
        assert_eq!(ask(5), Some((5, 99)));
        assert_eq!(ask(4), Some((4, 30)));
        assert_eq!(ask(3), Some((2, 20)));
        assert_eq!(ask(1), Some((1, 10)));
        assert_eq!(ask(6), None);
        assert_eq!(ask(-1), None);
        assert_eq!(LeaderEpochCache::default().end_offset_for(0, 5), None);
    }

    #[test]
    fn assigning_takes_contradictions_out() {
        assert_eq!(starts(&cache(&[(1, 10), (1, 12), (2, 20)])), [(1, 10), (2, 20)]);
        assert_eq!(starts(&cache(&[(1, 10), (2, 10)])), [(2, 10)]);
        assert_eq!(starts(&cache(&[(1, 10), (2, 20), (3, 15)])), [(1, 10), (3, 15)]);
    }

    #[test]
    fn truncation() {
        let mut c = cache(&[(2, 10), (4, 20), (5, 30)]);
        c.truncate_from_end(30);
        assert_eq!(starts(&c), [(2, 10), (4, 20)]);
        c.truncate_from_start(15);
        assert_eq!(starts(&c), [(2, 15), (4, 20)]);
        c.truncate_from_start(25);
        assert_eq!(starts(&c), [(4, 25)]);
        assert_eq!((c.epoch_of(24), c.epoch_of(25)), (None, Some(4)));
    }
}
