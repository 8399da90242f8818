//! The aborted transactions of a segment, so that a reader of committed records can skip theirs. Made only when there is one.
//!
//! Entry, 34 bytes big-endian: version (int16, 0), producer id (int64), first offset (int64), last offset (int64), last
//! stable offset when the transaction ended (int64).

use std::io;
use std::sync::Arc;

use ottla_base::disk::{DiskFile, OpenMode};

use crate::error::Corrupt;
use crate::folder::FileName;

/// Bytes of an entry.
pub const ENTRY_LEN: usize = 34;

/// A transaction that was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTxn {
    pub producer_id: i64,
    pub first_offset: i64,
    /// Offset of the marker.
    pub last_offset: i64,
    pub last_stable_offset: i64,
}

impl AbortedTxn {
    #[must_use]
    pub fn encode(&self) -> [u8; ENTRY_LEN] {
        let mut out = [0; ENTRY_LEN];
        for (i, word) in
            [self.producer_id, self.first_offset, self.last_offset, self.last_stable_offset].into_iter().enumerate()
        {
            out[2 + 8 * i..10 + 8 * i].copy_from_slice(&word.to_be_bytes());
        }
        out
    }

    /// Reads one entry of [`ENTRY_LEN`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        let (Some((version, words)), true) = (bytes.split_first_chunk::<2>(), bytes.len() == ENTRY_LEN) else {
            return Err(Corrupt(format!("an entry of {} bytes", bytes.len())));
        };
        let version = i16::from_be_bytes(*version);
        if version != 0 {
            return Err(Corrupt(format!("an aborted transaction of version {version}")));
        }
        let word = |i: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&words[8 * i..8 * i + 8]);
            i64::from_be_bytes(word)
        };
        Ok(Self { producer_id: word(0), first_offset: word(1), last_offset: word(2), last_stable_offset: word(3) })
    }
}

#[derive(Debug)]
pub struct TransactionIndex {
    name: FileName,
    file: Option<Arc<dyn DiskFile>>,
    len: u64,
}

impl TransactionIndex {
    /// An index without a file.
    #[must_use]
    pub fn new(name: FileName) -> Self {
        Self { name, file: None, len: 0 }
    }

    /// An index whose file has `len` bytes; not opened yet.
    #[must_use]
    pub fn existing(name: FileName, len: u64) -> Self {
        Self { name, file: None, len }
    }

    #[must_use]
    pub fn name(&self) -> &FileName {
        &self.name
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn close_file(&mut self) {
        self.file = None;
    }

    pub fn change_suffix(&mut self, suffix: &'static str) -> io::Result<()> {
        self.name.change_suffix(suffix, true)
    }

    fn file(&mut self) -> io::Result<&Arc<dyn DiskFile>> {
        if self.file.is_none() {
            self.file = Some(self.name.open(OpenMode::Create)?);
        }
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Entries must come with ascending last offsets.
    pub fn append(&mut self, txn: &AbortedTxn) -> io::Result<()> {
        let at = self.len;
        self.file()?.write_all_at(&txn.encode(), at)?;
        self.len += ENTRY_LEN as u64;
        Ok(())
    }

    /// The file, when there is one.
    pub fn file_to_sync(&mut self) -> io::Result<Option<Arc<dyn DiskFile>>> {
        if self.len == 0 { Ok(self.file.clone()) } else { self.file().cloned().map(Some) }
    }

    /// All entries, by ascending last offset.
    pub fn entries(&mut self) -> io::Result<Vec<AbortedTxn>> {
        if self.len == 0 {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; self.len as usize];
        let read = self.file()?.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        Ok(bytes.chunks(ENTRY_LEN).map(AbortedTxn::decode).collect::<Result<_, _>>()?)
    }

    /// Adds the transactions that overlap `fetch_offset..upper_bound` to `found`; true when no later segment can have more.
    #[doc(alias = "collectAbortedTxns")]
    pub fn collect(&mut self, fetch_offset: i64, upper_bound: i64, found: &mut Vec<AbortedTxn>) -> io::Result<bool> {
        for txn in self.entries()? {
            if txn.last_offset >= fetch_offset && txn.first_offset < upper_bound {
                found.push(txn);
            }
            if txn.last_stable_offset >= upper_bound {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Drops entries whose last offset is at or above `offset`.
    pub fn truncate_to(&mut self, offset: i64) -> io::Result<()> {
        let keep = self.entries()?.iter().take_while(|t| t.last_offset < offset).count() * ENTRY_LEN;
        if (keep as u64) < self.len {
            self.file()?.set_len(keep as u64)?;
            self.len = keep as u64;
        }
        Ok(())
    }

    /// Empties the index.
    pub fn reset(&mut self) -> io::Result<()> {
        if self.len > 0 {
            self.file()?.set_len(0)?;
            self.len = 0;
        }
        Ok(())
    }

    /// Whole entries, ascending and at or above the segment's base offset?
    pub fn sanity_check(&mut self) -> io::Result<()> {
        if !self.len.is_multiple_of(ENTRY_LEN as u64) {
            return Err(Corrupt(format!("{} bytes are no whole entries", self.len)).into());
        }
        let base = self.name.base_offset;
        match self.entries()?.iter().find(|t| t.last_offset < base) {
            Some(t) => Err(Corrupt(format!("last offset {} lies before the segment", t.last_offset)).into()),
            None => Ok(()),
        }
    }
}
