//! Transactions decided in one step, framed as the log holds them: one write for all.

use crate::jute::Jute;
use ottla_base::checksum::adler32;

/// Ends each entry of the log.
pub(crate) const END_OF_RECORD: u8 = 0x42;
/// Checksum (8) and length (4) before each entry.
pub(crate) const FRAME_LEN: usize = 12;

/// Room for what a client that sends several requests at once leads to.
const BATCH_BYTES: usize = 2 << 10;
const BATCH_TXNS: usize = 10;

/// Consecutive transactions, framed: checksum, length, transaction, [`END_OF_RECORD`].
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct TxnBatch {
    bytes: Vec<u8>,
    /// Zxid, and where the transaction (without frame) begins and ends.
    entries: Vec<(i64, usize, usize)>,
}

impl TxnBatch {
    /// Room for a frame; returns where it begins. The transaction follows.
    pub(crate) fn begin(&mut self) -> usize {
        if self.entries.is_empty() {
            self.bytes.reserve(BATCH_BYTES);
            self.entries.reserve(BATCH_TXNS);
        }
        let start = self.bytes.len();
        self.bytes.resize(start + FRAME_LEN, 0);
        start
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The transaction begun at `start` is complete.
    pub(crate) fn end(&mut self, start: usize, zxid: i64) {
        let txn = start + FRAME_LEN;
        let end = self.bytes.len();
        let checksum = u64::from(adler32(1, &self.bytes[txn..]));
        self.bytes[start..start + 8].copy_from_slice(&checksum.to_be_bytes());
        self.bytes[start + 8..txn].copy_from_slice(&((end - txn) as u32).to_be_bytes());
        self.bytes.push(END_OF_RECORD);
        self.entries.push((zxid, txn, end));
    }

    /// Nothing came of what was begun at `start`.
    pub(crate) fn cancel(&mut self, start: usize) {
        self.bytes.truncate(start);
    }

    /// Adds a transaction (header, record, digest) that another server decided.
    pub fn push(&mut self, zxid: i64, txn: &[u8]) {
        let start = self.begin();
        self.bytes.extend_from_slice(txn);
        self.end(start, zxid);
    }

    /// Forgets all, but keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Number of transactions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// As the log holds it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    #[must_use]
    pub fn first_zxid(&self) -> Option<i64> {
        self.entries.first().map(|entry| entry.0)
    }

    #[must_use]
    pub fn last_zxid(&self) -> Option<i64> {
        self.entries.last().map(|entry| entry.0)
    }

    /// The transaction at `index` with its zxid, without frame.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<(i64, &[u8])> {
        self.entries.get(index).map(|&(zxid, start, end)| (zxid, &self.bytes[start..end]))
    }

    /// Zxids and transactions (without frame) in order.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &[u8])> {
        self.entries.iter().map(|&(zxid, start, end)| (zxid, &self.bytes[start..end]))
    }
}

/// Writes the 8-byte form of an Adler-32 checksum.
pub(crate) fn write_checksum(checksum: u32, out: &mut Vec<u8>) {
    i64::from(checksum).write(out);
}
