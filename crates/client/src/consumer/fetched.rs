//! What a fetch brought for a partition.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_base::ids::TopicPartition;
use ottla_protocol::batch_iter::BatchIter;
use ottla_protocol::messages::fetch_response::AbortedTransaction;
use ottla_protocol::{BatchError, BatchHeader, Record};

use crate::connection::Connection;
use crate::error::{ClientError, Result};

/// An answer's bytes; they go back to the connection when nobody reads them any more.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    pub(super) connection: Connection,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.connection.recycle(std::mem::take(&mut self.bytes));
    }
}

/// Records of one partition, as they came: no record is looked at before it is asked for.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub partition: TopicPartition,
    pub high_watermark: i64,
    pub log_start_offset: i64,
    /// Where the next fetch goes on.
    pub next_offset: i64,
    /// Records before it were not asked for: a batch may begin earlier.
    pub(super) from: i64,
    pub(super) buffer: Arc<Buffer>,
    /// Where the batches are in the buffer.
    pub(super) range: (usize, usize),
    /// Present for `read_committed` only: by first offset.
    pub(super) aborted: Vec<AbortedTransaction>,
    pub(super) check_crcs: bool,
}

impl Fetched {
    /// The batches as they came.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer.bytes[self.range.0..self.range.1]
    }

    /// Calls `each` for every record, in order, until it says `false`. Records borrow from the fetched bytes (or the
    /// decompressed batch): nothing is allocated for them. Control records and aborted transactions are left out.
    pub fn for_each(&self, mut each: impl FnMut(&BatchHeader<'_>, &Record<'_>) -> bool) -> Result<()> {
        let mut aborted = Aborted::new(&self.aborted);
        for batch in BatchIter::new(self.bytes()) {
            let batch = batch.map_err(|e| self.broken(&e))?;
            if batch.next_offset() <= self.from || aborted.skips(&batch) {
                continue;
            }
            if self.check_crcs {
                batch.check_crc().map_err(|e| self.broken(&e))?;
            }
            if batch.is_control() {
                aborted.marker(&batch);
                continue;
            }
            let open = batch.open().map_err(|e| self.broken(&e))?;
            for record in &open {
                let record = record.map_err(|e| self.broken(&e))?;
                if record.offset >= self.from && !each(&open.header, &record) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn broken(&self, why: &BatchError) -> ClientError {
        ClientError::Protocol(format!("a batch of {} near offset {} can't be read: {why}", self.partition, self.from))
    }
}

/// Which producers' transactions are being aborted at the batch that is looked at.
struct Aborted<'a> {
    left: std::slice::Iter<'a, AbortedTransaction>,
    next: Option<&'a AbortedTransaction>,
    producers: BTreeSet<i64>,
}

impl<'a> Aborted<'a> {
    fn new(transactions: &'a [AbortedTransaction]) -> Self {
        let mut left = transactions.iter();
        Self { next: left.next(), left, producers: BTreeSet::new() }
    }

    /// Whether the batch belongs to an aborted transaction.
    fn skips(&mut self, batch: &BatchHeader<'_>) -> bool {
        while let Some(next) = self.next.filter(|next| next.first_offset <= batch.last_offset()) {
            self.producers.insert(next.producer_id);
            self.next = self.left.next();
        }
        !batch.is_control() && batch.is_transactional() && self.producers.contains(&batch.producer_id())
    }

    /// A marker ends its producer's transaction: what follows is another one.
    fn marker(&mut self, batch: &BatchHeader<'_>) {
        self.producers.remove(&batch.producer_id());
    }
}

/// The offset after the last whole batch, from the headers alone; `None` when there is no whole batch.
pub(super) fn next_offset(bytes: &[u8]) -> std::result::Result<Option<i64>, BatchError> {
    let mut next = None;
    for batch in BatchIter::new(bytes) {
        next = Some(batch?.next_offset());
    }
    Ok(next)
}
