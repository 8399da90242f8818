//! What the log knows of its producers: their last batches (to find duplicates and gaps) and open transactions (to know
//! how far a reader of committed records may see). KIP-98, KIP-360; classes `ProducerStateManager`, `ProducerAppendInfo`.
//!
//! Checks come first and change nothing; `apply_*` runs after the bytes were written, and in recovery. The state follows
//! from the log and from expiry alone; snapshots only spare the reading.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use ottla_base::disk::{DiskFile, OpenMode};
use ottla_base::hash::FixedMap;

use crate::batch::{BatchHeader, NO_SEQUENCE, Records, increment_sequence};
use crate::error::{AppendError, Corrupt};
use crate::folder::{Folder, remove_if_there};
use crate::log::AppendOrigin;
use crate::log_dir::{SNAPSHOT_SUFFIX, offset_file_name};
use crate::producer_snapshot;
use crate::transaction_index::AbortedTxn;

/// Batches remembered per producer: as many as it may have in flight (KAFKA-5494).
pub const BATCHES_KEPT: usize = 5;
/// No epoch is known.
pub const NO_PRODUCER_EPOCH: i16 = -1;

/// A batch as far as duplicates need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct BatchMetadata {
    pub last_sequence: i32,
    pub last_offset: i64,
    /// Records minus one.
    pub offset_delta: i32,
    pub timestamp: i64,
}

impl BatchMetadata {
    #[must_use]
    pub fn first_sequence(&self) -> i32 {
        increment_sequence(self.last_sequence, -self.offset_delta)
    }

    #[must_use]
    pub fn first_offset(&self) -> i64 {
        self.last_offset - i64::from(self.offset_delta)
    }
}

/// One producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerStateEntry {
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub coordinator_epoch: i32,
    pub last_timestamp: i64,
    pub current_txn_first_offset: Option<i64>,
    batches: [BatchMetadata; BATCHES_KEPT],
    batch_count: u8,
}

impl ProducerStateEntry {
    #[must_use]
    pub fn new(producer_id: i64) -> Self {
        Self {
            producer_id,
            producer_epoch: NO_PRODUCER_EPOCH,
            coordinator_epoch: -1,
            last_timestamp: -1,
            current_txn_first_offset: None,
            batches: [BatchMetadata::default(); BATCHES_KEPT],
            batch_count: 0,
        }
    }

    /// Oldest first.
    #[must_use]
    pub fn batches(&self) -> &[BatchMetadata] {
        &self.batches[..self.batch_count.into()]
    }

    #[must_use]
    pub fn last_batch(&self) -> Option<&BatchMetadata> {
        self.batches().last()
    }

    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        self.last_batch().map_or(NO_SEQUENCE, |b| b.last_sequence)
    }

    fn set_epoch(&mut self, epoch: i16) {
        if self.producer_epoch != epoch {
            self.producer_epoch = epoch;
            self.batch_count = 0;
        }
    }

    pub(crate) fn push_batch(&mut self, batch: BatchMetadata) {
        if usize::from(self.batch_count) == BATCHES_KEPT {
            self.batches.copy_within(1.., 0);
            self.batch_count -= 1;
        }
        self.batches[usize::from(self.batch_count)] = batch;
        self.batch_count += 1;
    }
}

/// A transaction that has begun, and perhaps ended without its marker being replicated yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Txn {
    producer_id: i64,
    /// Offset of the marker, once it is there.
    last_offset: Option<i64>,
}

/// A transaction that a marker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedTxn {
    pub producer_id: i64,
    pub first_offset: i64,
    /// Offset of the marker.
    pub last_offset: i64,
    pub aborted: bool,
}

/// A control batch that ends a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTxnMarker {
    pub commit: bool,
    pub coordinator_epoch: i32,
}

impl EndTxnMarker {
    /// Reads the marker of a control batch, given its body; `None` when the control record is of another type.
    pub fn read(body: &[u8]) -> Result<Option<Self>, Corrupt> {
        let record = Records::new(body).next().ok_or_else(|| Corrupt("a control batch without a record".into()))??;
        let kind = match record.key {
            Some([v0, v1, t0, t1, ..]) if i16::from_be_bytes([*v0, *v1]) >= 0 => i16::from_be_bytes([*t0, *t1]),
            _ => return Err(Corrupt("a control record without a type".into())),
        };
        let commit = match kind {
            0 => false,
            1 => true,
            _ => return Ok(None),
        };
        match record.value {
            Some([_, _, a, b, c, d, ..]) => {
                Ok(Some(Self { commit, coordinator_epoch: i32::from_be_bytes([*a, *b, *c, *d]) }))
            }
            _ => Err(Corrupt("a transaction marker without a coordinator epoch".into())),
        }
    }
}

#[derive(Debug)]
pub struct ProducerStateManager {
    producers: FixedMap<i64, ProducerStateEntry>,
    /// By first offset.
    ongoing: BTreeMap<i64, Txn>,
    /// Ended, but the marker is not below the high watermark yet. By first offset.
    unreplicated: BTreeMap<i64, Txn>,
    /// The state is that of the log up to here.
    map_end_offset: i64,
    last_snapshot_offset: i64,
    /// Offsets of the snapshot files, ascending.
    snapshots: Vec<i64>,
    /// Snapshots written since the last flush.
    unsynced: Vec<Arc<dyn DiskFile>>,
    expiration_ms: i64,
}

impl ProducerStateManager {
    /// Knows nobody. `snapshots` are the offsets of the files in the folder.
    #[must_use]
    pub fn new(start_offset: i64, mut snapshots: Vec<i64>, expiration_ms: i64) -> Self {
        snapshots.sort_unstable();
        Self {
            producers: FixedMap::default(),
            ongoing: BTreeMap::new(),
            unreplicated: BTreeMap::new(),
            map_end_offset: start_offset,
            last_snapshot_offset: start_offset,
            snapshots,
            unsynced: Vec::new(),
            expiration_ms,
        }
    }

    #[must_use]
    pub fn get(&self, producer_id: i64) -> Option<&ProducerStateEntry> {
        self.producers.get(&producer_id)
    }

    /// All producers, by id.
    #[must_use]
    pub fn entries(&self) -> Vec<ProducerStateEntry> {
        let mut entries: Vec<_> = self.producers.values().copied().collect();
        entries.sort_unstable_by_key(|e| e.producer_id);
        entries
    }

    #[must_use]
    pub fn map_end_offset(&self) -> i64 {
        self.map_end_offset
    }

    pub fn update_map_end_offset(&mut self, offset: i64) {
        self.map_end_offset = offset;
    }

    #[must_use]
    pub fn snapshots(&self) -> &[i64] {
        &self.snapshots
    }

    pub fn set_expiration_ms(&mut self, ms: i64) {
        self.expiration_ms = ms;
    }

    /// First offset of the oldest transaction that is open, or ended above the high watermark.
    #[must_use]
    pub fn first_unstable_offset(&self) -> Option<i64> {
        let first = |txns: &BTreeMap<i64, Txn>| txns.first_key_value().map(|(&offset, _)| offset);
        match (first(&self.ongoing), first(&self.unreplicated)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The last stable offset right after `txn` ended: what its entry in the transaction index says.
    fn last_stable_offset(&self, txn: &CompletedTxn) -> i64 {
        let other = self.ongoing.iter().find(|(_, t)| t.producer_id != txn.producer_id);
        other.map_or(txn.last_offset + 1, |(&first, _)| first)
    }

    /// The batch in the log that `header` repeats.
    #[must_use]
    pub fn find_duplicate(&self, header: &BatchHeader) -> Option<BatchMetadata> {
        let entry = self.producers.get(&header.producer_id)?;
        if entry.producer_epoch != header.producer_epoch {
            return None;
        }
        let last = header.last_sequence();
        entry.batches().iter().find(|b| b.first_sequence() == header.base_sequence && b.last_sequence == last).copied()
    }

    /// May `header`'s batch come next? Refuses older epochs, gaps in the sequence, and plain batches inside a transaction.
    pub fn check_data(&self, header: &BatchHeader, origin: AppendOrigin) -> Result<(), AppendError> {
        let Some(entry) = self.producers.get(&header.producer_id) else {
            return Ok(()); // an unknown producer may start anywhere: its state may have expired
        };
        check_epoch(entry, header.producer_epoch, origin)?;
        if origin == AppendOrigin::Client {
            check_sequence(entry, header)?;
        }
        if entry.current_txn_first_offset.is_some() && !header.is_transactional() && origin != AppendOrigin::Replication
        {
            return Err(AppendError::InvalidTxnState(format!(
                "producer {} has an open transaction, but its batch is not transactional",
                header.producer_id
            )));
        }
        Ok(())
    }

    /// May this marker come next? Refuses older epochs of the producer or its coordinator.
    pub fn check_marker(
        &self,
        header: &BatchHeader,
        marker: &EndTxnMarker,
        origin: AppendOrigin,
    ) -> Result<(), AppendError> {
        let Some(entry) = self.producers.get(&header.producer_id) else { return Ok(()) };
        check_epoch(entry, header.producer_epoch, origin)?;
        if entry.coordinator_epoch > marker.coordinator_epoch && origin != AppendOrigin::Replication {
            return Err(AppendError::CoordinatorFenced(format!(
                "a marker of coordinator epoch {} for producer {}, which has seen {}",
                marker.coordinator_epoch, header.producer_id, entry.coordinator_epoch
            )));
        }
        Ok(())
    }

    /// Takes note of a batch in the log, given its body; gives the transaction that it aborts.
    pub fn apply(&mut self, header: &BatchHeader, body: &[u8]) -> Result<Option<AbortedTxn>, Corrupt> {
        if !header.has_producer_id() {
            return Ok(None);
        }
        if !header.is_control() {
            self.apply_data(header);
            return Ok(None);
        }
        let Some(marker) = EndTxnMarker::read(body)? else { return Ok(None) };
        let Some(txn) = self.apply_marker(header, &marker) else { return Ok(None) };
        let aborted = txn.aborted.then(|| AbortedTxn {
            producer_id: txn.producer_id,
            first_offset: txn.first_offset,
            last_offset: txn.last_offset,
            last_stable_offset: self.last_stable_offset(&txn),
        });
        self.complete(&txn);
        Ok(aborted)
    }

    fn apply_data(&mut self, header: &BatchHeader) {
        let id = header.producer_id;
        let entry = self.producers.entry(id).or_insert_with(|| ProducerStateEntry::new(id));
        entry.set_epoch(header.producer_epoch);
        entry.push_batch(BatchMetadata {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        });
        entry.last_timestamp = header.max_timestamp;
        if header.is_transactional() && entry.current_txn_first_offset.is_none() {
            entry.current_txn_first_offset = Some(header.base_offset);
            self.ongoing.insert(header.base_offset, Txn { producer_id: id, last_offset: None });
        }
    }

    /// The transaction that a marker ends, if there is one.
    fn apply_marker(&mut self, header: &BatchHeader, marker: &EndTxnMarker) -> Option<CompletedTxn> {
        let id = header.producer_id;
        let entry = self.producers.entry(id).or_insert_with(|| ProducerStateEntry::new(id));
        entry.set_epoch(header.producer_epoch);
        entry.coordinator_epoch = marker.coordinator_epoch;
        entry.last_timestamp = header.max_timestamp;
        let first_offset = entry.current_txn_first_offset.take()?;
        Some(CompletedTxn { producer_id: id, first_offset, last_offset: header.last_offset(), aborted: !marker.commit })
    }

    /// The transaction no longer is open, but holds readers back until the high watermark passes its marker.
    fn complete(&mut self, txn: &CompletedTxn) {
        if let Some(mut metadata) = self.ongoing.remove(&txn.first_offset) {
            metadata.last_offset = Some(txn.last_offset);
            self.unreplicated.insert(txn.first_offset, metadata);
        }
    }

    /// Forgets ended transactions whose marker lies below `offset`.
    pub fn on_high_watermark(&mut self, offset: i64) {
        self.unreplicated.retain(|_, txn| txn.last_offset.is_none_or(|last| last >= offset));
    }

    /// Forgets producers that were idle for too long and have no open transaction; gives their number.
    pub fn remove_expired(&mut self, now_ms: i64) -> usize {
        let before = self.producers.len();
        let expiration_ms = self.expiration_ms;
        self.producers.retain(|_, e| !is_expired(e, now_ms, expiration_ms));
        before - self.producers.len()
    }

    /// Forgets everything and loads the newest good snapshot at or below `log_end`; bad ones are removed. The log from
    /// [`Self::map_end_offset`] on is for the caller to apply.
    #[doc(alias = "truncateAndReload")]
    pub fn reload(&mut self, folder: &Folder, log_start: i64, log_end: i64, now_ms: i64) -> io::Result<()> {
        self.remove_snapshots(folder, |offset| offset > log_end || offset <= log_start)?;
        self.clear(log_start);
        while let Some(&offset) = self.snapshots.last() {
            let path = folder.file(&offset_file_name(offset, SNAPSHOT_SUFFIX));
            match producer_snapshot::decode(&folder.disk().read(&path)?) {
                Ok(entries) => {
                    for entry in entries.into_iter().filter(|e| !is_expired(e, now_ms, self.expiration_ms)) {
                        if let Some(first) = entry.current_txn_first_offset {
                            self.ongoing.insert(first, Txn { producer_id: entry.producer_id, last_offset: None });
                        }
                        self.producers.insert(entry.producer_id, entry);
                    }
                    self.map_end_offset = offset;
                    self.last_snapshot_offset = offset;
                    return Ok(());
                }
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a producer snapshot is damaged; removing it");
                    remove_if_there(folder.disk().as_ref(), &path)?;
                    self.snapshots.pop();
                }
            }
        }
        Ok(())
    }

    /// Forgets everything; the state is that of an empty log at `offset`.
    pub fn clear(&mut self, offset: i64) {
        self.producers.clear();
        self.ongoing.clear();
        self.unreplicated.clear();
        self.map_end_offset = offset;
        self.last_snapshot_offset = offset;
    }

    /// Removes all snapshots and forgets everything.
    #[doc(alias = "truncateFullyAndStartAt")]
    pub fn truncate_fully(&mut self, folder: &Folder, offset: i64) -> io::Result<()> {
        self.clear(offset);
        self.remove_snapshots(folder, |_| true)
    }

    /// The log now starts at `offset`.
    pub fn on_log_start(&mut self, offset: i64) {
        self.unreplicated.retain(|_, txn| txn.last_offset.is_none_or(|last| last >= offset));
        self.map_end_offset = self.map_end_offset.max(offset);
        self.last_snapshot_offset = self.snapshots.last().copied().unwrap_or(offset);
    }

    /// Writes the state as of [`Self::map_end_offset`] to a file, unless one is there. Durable after the next flush.
    pub fn take_snapshot(&mut self, folder: &Folder) -> io::Result<()> {
        let offset = self.map_end_offset;
        if offset <= self.last_snapshot_offset {
            return Ok(());
        }
        let path = folder.file(&offset_file_name(offset, SNAPSHOT_SUFFIX));
        let file = folder.disk().open(&path, OpenMode::Truncate)?;
        file.write_all_at(&producer_snapshot::encode(&self.entries()), 0)?;
        self.unsynced.push(file);
        if let Err(at) = self.snapshots.binary_search(&offset) {
            self.snapshots.insert(at, offset);
        }
        self.last_snapshot_offset = offset;
        Ok(())
    }

    /// Moves the snapshots that still have to be synced to `files`.
    pub fn unsynced_snapshots(&mut self, files: &mut Vec<Arc<dyn DiskFile>>) {
        files.append(&mut self.unsynced);
    }

    /// Removes the snapshot files whose offset is `unwanted`.
    pub fn remove_snapshots(&mut self, folder: &Folder, unwanted: impl Fn(i64) -> bool) -> io::Result<()> {
        for &offset in self.snapshots.iter().filter(|&&offset| unwanted(offset)) {
            remove_if_there(folder.disk().as_ref(), &folder.file(&offset_file_name(offset, SNAPSHOT_SUFFIX)))?;
        }
        self.snapshots.retain(|&offset| !unwanted(offset));
        Ok(())
    }
}

fn is_expired(entry: &ProducerStateEntry, now_ms: i64, expiration_ms: i64) -> bool {
    entry.current_txn_first_offset.is_none() && now_ms.saturating_sub(entry.last_timestamp) >= expiration_ms
}

fn check_epoch(entry: &ProducerStateEntry, epoch: i16, origin: AppendOrigin) -> Result<(), AppendError> {
    if epoch < entry.producer_epoch && origin != AppendOrigin::Replication {
        return Err(AppendError::InvalidProducerEpoch(format!(
            "producer {} comes with epoch {epoch}, but {} was seen",
            entry.producer_id, entry.producer_epoch
        )));
    }
    Ok(())
}

fn check_sequence(entry: &ProducerStateEntry, header: &BatchHeader) -> Result<(), AppendError> {
    let first = header.base_sequence;
    if header.producer_epoch != entry.producer_epoch {
        if first != 0 && entry.producer_epoch != NO_PRODUCER_EPOCH {
            return Err(AppendError::OutOfOrderSequence(format!(
                "producer {} starts epoch {} with sequence {first} instead of 0",
                entry.producer_id, header.producer_epoch
            )));
        }
        return Ok(());
    }
    let last = entry.last_sequence();
    let in_sequence = i64::from(first) == i64::from(last) + 1 || (first == 0 && last == i32::MAX);
    if entry.producer_epoch == NO_PRODUCER_EPOCH || in_sequence {
        return Ok(());
    }
    Err(AppendError::OutOfOrderSequence(format!(
        "producer {} comes with sequence {first} after {last}",
        entry.producer_id
    )))
}
