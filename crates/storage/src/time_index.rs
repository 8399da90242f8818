//! Timestamp → offset, sparse: "the largest timestamp up to this offset is this".
//!
//! Entry, 12 bytes big-endian: timestamp in milliseconds (int64), offset relative to the segment's base (int32).

use std::io;

use crate::folder::FileName;
use crate::index_file::{IndexEntry, IndexFile};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeEntry {
    pub timestamp: i64,
    pub relative_offset: u32,
}

impl IndexEntry for TimeEntry {
    const SIZE: usize = 12;

    fn encode(&self, out: &mut [u8]) {
        out[..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&self.relative_offset.to_be_bytes());
    }

    fn decode(b: &[u8]) -> Self {
        let mut timestamp = [0; 8];
        timestamp.copy_from_slice(&b[..8]);
        Self {
            timestamp: i64::from_be_bytes(timestamp),
            relative_offset: u32::from_be_bytes([b[8], b[9], b[10], b[11]]),
        }
    }
}

#[derive(Debug)]
pub struct TimeIndex {
    pub(crate) entries: IndexFile<TimeEntry>,
    base_offset: i64,
}

impl TimeIndex {
    pub fn create(name: FileName) -> io::Result<Self> {
        Ok(Self { base_offset: name.base_offset, entries: IndexFile::create(name)? })
    }

    #[must_use]
    pub fn existing(name: FileName, file_len: u64) -> Self {
        Self { base_offset: name.base_offset, entries: IndexFile::existing(name, file_len) }
    }

    /// True when only the entry kept free for the roll fits into `max_bytes`.
    #[must_use]
    pub fn is_full(&self, max_bytes: u32) -> bool {
        self.entries.len() + 1 >= max_bytes as usize / TimeEntry::SIZE
    }

    /// Last entry as (timestamp, offset).
    pub fn last(&mut self) -> io::Result<Option<(i64, i64)>> {
        let base = self.base_offset;
        Ok(self.entries.last()?.map(|e| (e.timestamp, base + i64::from(e.relative_offset))))
    }

    /// Adds an entry when its timestamp is above the last one's.
    pub fn maybe_append(&mut self, timestamp: i64, offset: i64) -> io::Result<()> {
        let Ok(relative_offset) = u32::try_from(offset - self.base_offset) else { return Ok(()) };
        let last = self.entries.last()?;
        if timestamp < 0 || last.is_some_and(|l| l.timestamp >= timestamp || l.relative_offset > relative_offset) {
            return Ok(());
        }
        self.entries.push(TimeEntry { timestamp, relative_offset })
    }

    /// The offset of the last entry at or before `timestamp`: no record up to it is later. The base offset when there is none.
    pub fn lookup(&mut self, timestamp: i64) -> io::Result<i64> {
        let found = self.entries.floor(|e| e.timestamp.cmp(&timestamp))?;
        Ok(self.base_offset + found.map_or(0, |(_, e)| i64::from(e.relative_offset)))
    }

    /// Drops entries at or above `offset`.
    pub fn truncate_to(&mut self, offset: i64) -> io::Result<()> {
        let keep = match u32::try_from((offset - 1 - self.base_offset).min(u32::MAX.into())) {
            Ok(target) => self.entries.floor(|e| e.relative_offset.cmp(&target))?.map_or(0, |(at, _)| at + 1),
            Err(_) => 0,
        };
        self.entries.truncate(keep)
    }
}
