//! Offset → position in the segment, sparse: one entry per `index.interval.bytes` of log.
//!
//! Entry, 8 bytes big-endian: offset relative to the segment's base (int32), position of its batch (int32).

use std::io;

use crate::folder::FileName;
use crate::index_file::{IndexEntry, IndexFile};

/// One entry: the last offset of a batch, relative to the base offset, and the batch's position in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetEntry {
    pub relative_offset: u32,
    pub position: u32,
}

impl IndexEntry for OffsetEntry {
    const SIZE: usize = 8;

    fn encode(&self, out: &mut [u8]) {
        out[..4].copy_from_slice(&self.relative_offset.to_be_bytes());
        out[4..8].copy_from_slice(&self.position.to_be_bytes());
    }

    fn decode(b: &[u8]) -> Self {
        Self {
            relative_offset: u32::from_be_bytes([b[0], b[1], b[2], b[3]]),
            position: u32::from_be_bytes([b[4], b[5], b[6], b[7]]),
        }
    }
}

#[derive(Debug)]
pub struct OffsetIndex {
    pub(crate) entries: IndexFile<OffsetEntry>,
    base_offset: i64,
}

impl OffsetIndex {
    pub fn create(name: FileName) -> io::Result<Self> {
        Ok(Self { base_offset: name.base_offset, entries: IndexFile::create(name)? })
    }

    #[must_use]
    pub fn existing(name: FileName, file_len: u64) -> Self {
        Self { base_offset: name.base_offset, entries: IndexFile::existing(name, file_len) }
    }

    /// True when no further entry fits into `max_bytes`.
    #[must_use]
    pub fn is_full(&self, max_bytes: u32) -> bool {
        self.entries.len() >= max_bytes as usize / OffsetEntry::SIZE
    }

    /// Adds an entry; one that isn't above the last is left out.
    pub fn append(&mut self, offset: i64, position: u32) -> io::Result<()> {
        let Ok(relative_offset) = u32::try_from(offset - self.base_offset) else { return Ok(()) };
        if self.entries.last()?.is_some_and(|last| last.relative_offset >= relative_offset) {
            return Ok(());
        }
        self.entries.push(OffsetEntry { relative_offset, position })
    }

    /// Position of the last batch known to start at or before the one with `offset`; 0 when none is.
    pub fn lookup(&mut self, offset: i64) -> io::Result<u32> {
        let Ok(target) = u32::try_from((offset - self.base_offset).min(u32::MAX.into())) else { return Ok(0) };
        Ok(self.entries.floor(|e| e.relative_offset.cmp(&target))?.map_or(0, |(_, e)| e.position))
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
