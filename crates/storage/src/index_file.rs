//! A file of equally sized, ascending entries: what the offset index and the time index share.
//!
//! Kafka maps these files into memory at their full size. Here an index is as long as its entries, the file is opened when
//! it is first needed, and only the newest entries are held: those not written yet, and a few before them, because
//! readers at the tail look there. Unwritten entries may be lost in a crash: they belong to a segment beyond the recovery
//! point, whose indexes are rebuilt anyway; [`IndexFile::write_out`] runs before the recovery point passes them.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use ottla_base::disk::{DiskFile, OpenMode};

use crate::folder::FileName;

/// Most entries held in memory; half of them are let go when it is reached.
const RECENT_ENTRIES: usize = 128;
/// Largest entry in bytes.
const MAX_ENTRY_SIZE: usize = 12;
/// Entries read at once when a search has come close.
const SEARCH_BLOCK: usize = 64;

/// An entry's form on disk.
pub trait IndexEntry: Copy {
    /// Bytes.
    const SIZE: usize;
    fn encode(&self, out: &mut [u8]);
    fn decode(bytes: &[u8]) -> Self;
}

#[derive(Debug)]
pub struct IndexFile<E> {
    name: FileName,
    file: Option<Arc<dyn DiskFile>>,
    /// All entries, written or not.
    len: usize,
    written: usize,
    /// The last entries; at least all unwritten ones.
    recent: VecDeque<E>,
}

impl<E: IndexEntry> IndexFile<E> {
    /// Makes an empty file.
    pub fn create(name: FileName) -> io::Result<Self> {
        let file = name.open(OpenMode::Truncate)?;
        drop(file); // opened again when entries are written, so that idle logs hold no descriptors
        Ok(Self { name, file: None, len: 0, written: 0, recent: VecDeque::new() })
    }

    /// An existing file of `file_len` bytes, not opened yet. A length that is no multiple of an entry is the caller's to
    /// refuse.
    #[must_use]
    pub fn existing(name: FileName, file_len: u64) -> Self {
        let len = file_len as usize / E::SIZE;
        Self { name, file: None, len, written: len, recent: VecDeque::new() }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn name_mut(&mut self) -> &mut FileName {
        &mut self.name
    }

    #[must_use]
    pub fn name(&self) -> &FileName {
        &self.name
    }

    fn file(&mut self) -> io::Result<&Arc<dyn DiskFile>> {
        if self.file.is_none() {
            self.file = Some(self.name.open(OpenMode::ReadWrite)?);
        }
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Lets the descriptor go; it comes back when needed.
    pub fn close_file(&mut self) {
        self.file = None;
    }

    pub fn push(&mut self, entry: E) -> io::Result<()> {
        if self.recent.len() >= RECENT_ENTRIES {
            self.write_out()?;
            self.recent.drain(..RECENT_ENTRIES / 2);
        }
        self.recent.push_back(entry);
        self.len += 1;
        Ok(())
    }

    /// Writes what is not in the file yet.
    pub fn write_out(&mut self) -> io::Result<()> {
        let unwritten = self.len - self.written;
        if unwritten == 0 {
            return Ok(());
        }
        let mut bytes = [0u8; RECENT_ENTRIES * MAX_ENTRY_SIZE];
        let first = self.recent.len() - unwritten;
        for (entry, out) in self.recent.range(first..).zip(bytes.chunks_exact_mut(E::SIZE)) {
            entry.encode(out);
        }
        let position = (self.written * E::SIZE) as u64;
        self.file()?.write_all_at(&bytes[..unwritten * E::SIZE], position)?;
        self.written = self.len;
        Ok(())
    }

    /// Writes what is not in the file yet and gives the file to sync.
    pub fn file_to_sync(&mut self) -> io::Result<Arc<dyn DiskFile>> {
        self.write_out()?;
        self.file().cloned()
    }

    fn read_block(&mut self, first: usize, count: usize, bytes: &mut [u8]) -> io::Result<()> {
        let want = count * E::SIZE;
        let position = (first * E::SIZE) as u64;
        if self.file()?.read_at(&mut bytes[..want], position)? < want {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// The entry at `at`, which is below [`Self::len`].
    pub fn get(&mut self, at: usize) -> io::Result<E> {
        let held_from = self.len - self.recent.len();
        if at >= held_from {
            return Ok(self.recent[at - held_from]);
        }
        let mut bytes = [0u8; MAX_ENTRY_SIZE];
        self.read_block(at, 1, &mut bytes)?;
        Ok(E::decode(&bytes))
    }

    pub fn last(&mut self) -> io::Result<Option<E>> {
        match self.len {
            0 => Ok(None),
            len => self.get(len - 1).map(Some),
        }
    }

    /// The last entry that `cmp` calls less or equal, with its place. `cmp` is ascending over the entries.
    pub fn floor(&mut self, cmp: impl Fn(&E) -> Ordering) -> io::Result<Option<(usize, E)>> {
        let held_from = self.len - self.recent.len();
        let le = |e: &E| cmp(e) != Ordering::Greater;
        if self.recent.front().is_some_and(le) {
            let at = self.recent.partition_point(le) - 1;
            return Ok(Some((held_from + at, self.recent[at])));
        }
        // Entries below `low` are less or equal, those from `high` on are greater.
        let (mut low, mut high) = (0, held_from);
        let mut bytes = [0u8; SEARCH_BLOCK * MAX_ENTRY_SIZE];
        while high - low > SEARCH_BLOCK {
            let middle = low + (high - low) / 2;
            self.read_block(middle, 1, &mut bytes)?;
            if le(&E::decode(&bytes)) { low = middle } else { high = middle }
        }
        self.read_block(low, high - low, &mut bytes)?;
        let block = bytes[..(high - low) * E::SIZE].chunks_exact(E::SIZE).map(E::decode);
        let found = block.take_while(le).enumerate().last();
        Ok(found.map(|(i, e)| (low + i, e)))
    }

    /// Drops all entries; makes the file when it is missing.
    pub fn reset(&mut self) -> io::Result<()> {
        self.file = Some(self.name.open(OpenMode::Truncate)?);
        (self.len, self.written) = (0, 0);
        self.recent.clear();
        Ok(())
    }

    /// Keeps the first `len` entries.
    pub fn truncate(&mut self, len: usize) -> io::Result<()> {
        if len >= self.len {
            return Ok(());
        }
        if len < self.written {
            self.file()?.set_len((len * E::SIZE) as u64)?;
            self.written = len;
        }
        let drop = (self.len - len).min(self.recent.len());
        self.recent.truncate(self.recent.len() - drop);
        self.len = len;
        Ok(())
    }
}
