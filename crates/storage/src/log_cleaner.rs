//! Compaction: keeping only the newest record of every key. Classes `LogCleaner`, `Cleaner`, `CleanedTransactionMetadata`.
//!
//! Three steps, of which only the first and last hold the partition's mutex: [`Log::start_cleaning`] decides what is to be
//! cleaned; [`CleanJob::run`] reads it and writes `.cleaned` segments; [`Log::finish_cleaning`] swaps them in. If the log's
//! segments changed meanwhile (truncation, retention), the work is thrown away.
//!
//! The swap survives a crash at any point: `.cleaned` files don't count, `.swap` files replace their whole range of offsets
//! (see [`crate::log_loader::plan_folder`]), and the directory is synced between the steps.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use ottla_base::disk::DiskFile;
use ottla_base::time::Now;
use ottla_protocol::batch_builder::{BatchOptions, RecordBatchBuilder};
use ottla_protocol::compression::{Compression, Compressor};
use ottla_protocol::record::Header;
use ottla_protocol::record_batch::{BatchError, RecordBatch};

use crate::batch::{self, BatchHeader, HEADER_LEN};
use crate::config::{LogConfig, ManagerConfig};
use crate::error::{Corrupt, StorageError};
use crate::folder::Folder;
use crate::log::Log;
use crate::log_dir::{CLEANED_SUFFIX, SWAP_SUFFIX};
use crate::log_recovery::BatchReader;
use crate::log_segment::LogSegment;
use crate::offset_map::OffsetMap;
use crate::producer_state_manager::EndTxnMarker;
use crate::transaction_index::AbortedTxn;

/// How much there is to clean in a log.
#[doc(alias = "LogToClean")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cleanable {
    /// First offset that no cleaning has seen.
    pub first_dirty: i64,
    /// Cleaning stops here: the active segment, an open transaction, or records that are too young.
    pub first_uncleanable: i64,
    /// Share of the cleanable bytes that is dirty.
    pub dirty_ratio: f64,
    /// `max.compaction.lag.ms` has passed.
    pub overdue: bool,
}

impl Cleanable {
    /// Worth the work?
    #[must_use]
    pub fn due(&self, config: &LogConfig) -> bool {
        self.first_uncleanable > self.first_dirty
            && (self.overdue || self.dirty_ratio > config.min_cleanable_dirty_ratio)
    }
}

/// What a cleaning did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleanStats {
    pub records_read: u64,
    pub records_kept: u64,
    pub bytes_read: u64,
    pub bytes_written: u64,
    /// Everything below was cleaned: the next cleaning's first dirty offset.
    pub end_offset: i64,
}

/// Why a cleaning failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CleanError {
    /// The log holds damaged batches: it is left as it is from now on.
    Corrupt(String),
    Storage(StorageError),
}

/// A sealed segment as the job reads it, without the log's mutex.
#[derive(Clone, Debug)]
struct Source {
    base_offset: i64,
    size: u32,
    file: Arc<dyn DiskFile>,
    aborted: Vec<AbortedTxn>,
}

/// The last thing the log knows of a producer: its batch is kept, empty, so that its sequence stays known.
#[derive(Clone, Copy, Debug)]
struct LastRecord {
    last_data_offset: Option<i64>,
    producer_epoch: i16,
}

/// A cleaning to be run without the log's mutex.
#[derive(Debug)]
pub struct CleanJob {
    folder: Arc<Folder>,
    config: Arc<LogConfig>,
    sources: Vec<Source>,
    first_dirty: i64,
    first_uncleanable: i64,
    producers: BTreeMap<i64, LastRecord>,
    generation: u64,
}

/// Segments to be swapped in.
#[derive(Debug)]
pub struct Cleaned {
    /// Each with the base offsets of the segments it replaces.
    groups: Vec<(LogSegment, Vec<i64>)>,
    generation: u64,
    pub stats: CleanStats,
}

impl Log {
    /// What there is to clean, given the cleaner's checkpoint.
    #[doc(alias = "cleanableOffsets")]
    pub fn cleanable(&mut self, checkpoint: Option<i64>, now: Now) -> Result<Cleanable, StorageError> {
        let first_dirty = checkpoint
            .filter(|&offset| offset >= self.log_start_offset && offset <= self.log_end_offset)
            .unwrap_or_else(|| self.log_start_offset.max(self.segments[0].base_offset()));
        let mut first_uncleanable = self.active().base_offset().min(self.last_stable_offset());
        let (lag_ms, max_lag_ms) = (self.config.min_compaction_lag_ms, self.config.max_compaction_lag_ms);
        self.guard("look for what to clean", |log| {
            let (mut clean, mut dirty, mut overdue) = (0u64, 0u64, false);
            let sealed = log.segments.len() - 1;
            for segment in &mut log.segments[..sealed] {
                if segment.base_offset() >= first_dirty {
                    if lag_ms > 0 && segment.max_timestamp()?.timestamp > now.wall_ms.saturating_sub(lag_ms) {
                        first_uncleanable = first_uncleanable.min(segment.base_offset());
                    }
                    overdue |= segment.time_waited_for_roll(now.wall_ms, now.wall_ms)? > max_lag_ms;
                }
                if segment.base_offset() < first_dirty {
                    clean += u64::from(segment.size());
                } else if segment.base_offset() < first_uncleanable {
                    dirty += u64::from(segment.size());
                }
            }
            let dirty_ratio = if clean + dirty == 0 { 0.0 } else { dirty as f64 / (clean + dirty) as f64 };
            Ok(Cleanable { first_dirty, first_uncleanable: first_uncleanable.max(first_dirty), dirty_ratio, overdue })
        })
    }

    /// Takes stock of what [`CleanJob::run`] needs.
    pub fn start_cleaning(&mut self, cleanable: &Cleanable) -> Result<CleanJob, StorageError> {
        let mut sources = Vec::new();
        self.guard("start cleaning", |log| {
            let sealed = log.segments.len() - 1;
            for segment in &mut log.segments[..sealed] {
                if segment.base_offset() >= cleanable.first_uncleanable {
                    break;
                }
                sources.push(Source {
                    base_offset: segment.base_offset(),
                    size: segment.size(),
                    file: segment.log_file()?.clone(),
                    aborted: segment.txn_index.entries()?,
                });
            }
            Ok(())
        })?;
        let last = |e: &crate::producer_state_manager::ProducerStateEntry| LastRecord {
            last_data_offset: e.last_batch().map(|b| b.last_offset),
            producer_epoch: e.producer_epoch,
        };
        Ok(CleanJob {
            folder: self.folder.clone(),
            config: self.config.clone(),
            sources,
            first_dirty: cleanable.first_dirty,
            first_uncleanable: cleanable.first_uncleanable,
            producers: self.producers.entries().iter().map(|e| (e.producer_id, last(e))).collect(),
            generation: self.generation,
        })
    }

    /// Swaps cleaned segments in; false when the log changed meanwhile and they were thrown away.
    #[doc(alias = "replaceSegments")]
    pub fn finish_cleaning(&mut self, cleaned: Cleaned, now: Now) -> Result<bool, StorageError> {
        self.guard("swap cleaned segments in", |log| {
            if log.generation != cleaned.generation {
                for (segment, _) in &cleaned.groups {
                    segment.remove_files()?;
                }
                return Ok(false);
            }
            for (segment, bases) in cleaned.groups {
                log.swap_in(segment, &bases, now)?;
            }
            Ok(true)
        })
    }

    fn swap_in(&mut self, mut segment: LogSegment, bases: &[i64], now: Now) -> io::Result<()> {
        segment.change_suffix(SWAP_SUFFIX)?;
        self.folder.sync()?;
        let from = self.segments.partition_point(|s| s.base_offset() < bases[0]);
        let old: Vec<LogSegment> = self.segments.drain(from..from + bases.len()).collect();
        self.producers.remove_snapshots(&self.folder.clone(), |offset| bases[1..].contains(&offset))?;
        for segment in old {
            self.delete_later(segment, now)?;
        }
        self.folder.sync()?;
        segment.change_suffix("")?;
        self.folder.sync()?;
        self.segments.insert(from, segment);
        self.high_watermark_position = None;
        Ok(())
    }
}

impl CleanJob {
    /// Reads what is dirty, and writes the cleaned segments beside the old ones. `secret` is random.
    pub fn run(&self, config: &ManagerConfig, secret: [u64; 2], now: Now) -> Result<Cleaned, CleanError> {
        let dir = self.folder.log_dir();
        dir.check().map_err(CleanError::Storage)?;
        self.clean(config, secret, now).map_err(|e| match e.kind() {
            // Bad bytes are this log's trouble, not the directory's.
            io::ErrorKind::InvalidData => CleanError::Corrupt(e.to_string()),
            _ => CleanError::Storage(dir.fail("clean", &e)),
        })
    }

    fn clean(&self, config: &ManagerConfig, secret: [u64; 2], now: Now) -> io::Result<Cleaned> {
        let mut stats = CleanStats::default();
        let map = self.build_map(config, secret)?;
        stats.end_offset = map.latest_offset() + 1;
        let mut groups = Vec::new();
        if stats.end_offset > self.first_dirty {
            // One for all groups: a transaction's records may lie in one group and its marker in the next.
            let mut transactions = Transactions::new(self.sources.iter().flat_map(|s| s.aborted.iter().copied()));
            for group in self.group_segments(stats.end_offset) {
                let mut pass = Pass { job: self, map: &map, group, transactions: &mut transactions, now };
                let segment = pass.run(&mut stats)?;
                groups.push((segment, group.iter().map(|s| s.base_offset).collect()));
            }
        } else {
            stats.end_offset = self.first_dirty;
        }
        Ok(Cleaned { groups, generation: self.generation, stats })
    }

    /// Key → newest offset over the dirty part.
    fn build_map(&self, config: &ManagerConfig, secret: [u64; 2]) -> io::Result<OffsetMap> {
        let keys = (self.first_uncleanable - self.first_dirty).max(0) as usize;
        let mut map = OffsetMap::new(keys, config.cleaner_dedupe_buffer_bytes, config.cleaner_load_factor, secret);
        map.set_latest_offset(self.first_dirty - 1);
        // The last cleaning may have stopped inside a segment, when its map was full.
        let first = self.sources.partition_point(|s| s.base_offset <= self.first_dirty).saturating_sub(1);
        let dirty: Vec<&Source> = self.sources[first..].iter().collect();
        let mut transactions = Transactions::new(dirty.iter().flat_map(|s| s.aborted.iter().copied()));
        for source in dirty {
            let mut batches = source.batches()?;
            while let Some(next) = batches.next()? {
                let (_, header, bytes) = next?;
                if header.base_offset >= self.first_uncleanable {
                    return Ok(map);
                }
                if header.is_control() {
                    transactions.on_control(&header, &bytes[HEADER_LEN..])?;
                } else if !transactions.on_batch(&header) {
                    let opened = RecordBatch::new(bytes).and_then(|b| b.open()).map_err(corrupt)?;
                    for record in &opened {
                        let record = record.map_err(corrupt)?;
                        let Some(key) = record.key.filter(|_| record.offset >= self.first_dirty) else { continue };
                        if map.is_full() {
                            return Ok(map);
                        }
                        map.put(key, record.offset);
                        map.set_latest_offset(record.offset);
                    }
                }
                map.set_latest_offset(header.last_offset().max(map.latest_offset()));
            }
        }
        Ok(map)
    }

    /// Runs of segments below `end` that fit one segment together.
    fn group_segments(&self, end: i64) -> Vec<&[Source]> {
        let count = self.sources.iter().take_while(|s| s.base_offset < end).count();
        let mut groups = Vec::new();
        let mut rest = &self.sources[..count];
        while let Some(first) = rest.first() {
            let (mut bytes, mut len) = (0u64, 0);
            for (at, source) in rest.iter().enumerate() {
                bytes += u64::from(source.size);
                let behind = rest.get(at + 1).map_or(self.first_uncleanable, |s| s.base_offset);
                let fits =
                    bytes <= u64::from(self.config.segment_bytes) && behind - first.base_offset <= i64::from(i32::MAX);
                if at > 0 && !fits {
                    break;
                }
                len = at + 1;
            }
            let (group, tail) = rest.split_at(len);
            groups.push(group);
            rest = tail;
        }
        groups
    }
}

fn corrupt(e: BatchError) -> io::Error {
    Corrupt(e.to_string()).into()
}

impl Source {
    fn batches(&self) -> io::Result<BatchReader<'_>> {
        BatchReader::new(self.file.as_ref(), 0)
    }
}

/// Which transactions were aborted, as the batches go by in order.
#[doc(alias = "CleanedTransactionMetadata")]
#[derive(Debug, Default)]
struct Transactions {
    /// To come, by first offset, the next one last.
    pending: Vec<AbortedTxn>,
    /// Aborted ones whose records go by now, by producer; whether a batch of theirs was seen.
    aborted: BTreeMap<i64, (AbortedTxn, bool)>,
    /// Producers with committed records whose marker is still to come.
    committed: BTreeSet<i64>,
}

impl Transactions {
    fn new(aborted: impl Iterator<Item = AbortedTxn>) -> Self {
        let mut pending: Vec<AbortedTxn> = aborted.collect();
        pending.sort_unstable_by_key(|t| std::cmp::Reverse(t.first_offset));
        Self { pending, ..Self::default() }
    }

    fn begin_up_to(&mut self, offset: i64) {
        while let Some(txn) = self.pending.pop_if(|t| t.first_offset <= offset) {
            self.aborted.entry(txn.producer_id).or_insert((txn, false));
        }
    }

    /// True when the data batch is part of an aborted transaction.
    fn on_batch(&mut self, header: &BatchHeader) -> bool {
        self.begin_up_to(header.last_offset());
        if !header.is_transactional() {
            return false;
        }
        match self.aborted.get_mut(&header.producer_id) {
            Some((_, seen)) => {
                *seen = true;
                true
            }
            None => {
                self.committed.insert(header.producer_id);
                false
            }
        }
    }

    /// For a marker: whether no batch of its transaction is left, and the transaction if it was aborted and one is.
    fn on_control(&mut self, header: &BatchHeader, body: &[u8]) -> Result<(bool, Option<AbortedTxn>), Corrupt> {
        self.begin_up_to(header.last_offset());
        // A record count of 0: the marker itself is gone, its batch is kept for the producer's sake.
        if body.is_empty() {
            return Ok((true, None));
        }
        Ok(match EndTxnMarker::read(body)? {
            Some(marker) if marker.commit => (!self.committed.remove(&header.producer_id), None),
            Some(_) => match self.aborted.remove(&header.producer_id) {
                Some((txn, true)) => (false, Some(txn)),
                _ => (true, None),
            },
            None => (false, None),
        })
    }
}

/// What becomes of a batch.
enum Fate {
    Keep,
    Drop,
    /// Only the header stays.
    Empty,
    Rewrite(Vec<u8>),
}

/// The cleaning of one group of segments into one.
struct Pass<'a> {
    job: &'a CleanJob,
    map: &'a OffsetMap,
    group: &'a [Source],
    transactions: &'a mut Transactions,
    now: Now,
}

impl Pass<'_> {
    fn run(&mut self, stats: &mut CleanStats) -> io::Result<LogSegment> {
        let base = self.group[0].base_offset;
        let mut segment =
            LogSegment::create(&self.job.folder, base, CLEANED_SUFFIX, &self.job.config, self.now.wall_ms)?;
        for source in self.group {
            let mut batches = source.batches()?;
            while let Some(next) = batches.next()? {
                let (_, header, bytes) = next?;
                stats.bytes_read += header.size as u64;
                stats.records_read += header.count.max(0) as u64;
                let fate = self.judge(&header, bytes, &mut segment)?;
                let kept = match &fate {
                    Fate::Drop => continue,
                    Fate::Keep => bytes,
                    Fate::Empty => &empty_batch(&header)?,
                    Fate::Rewrite(rewritten) => rewritten,
                };
                stats.bytes_written += kept.len() as u64;
                stats.records_kept += BatchHeader::parse(kept)?.count.max(0) as u64;
                segment.append(kept, &self.job.config)?;
            }
        }
        segment.become_inactive()?;
        let mut files = Vec::new();
        segment.files_to_sync(&mut files)?;
        for file in files {
            file.sync_data()?;
        }
        Ok(segment)
    }

    fn judge(&mut self, header: &BatchHeader, bytes: &[u8], segment: &mut LogSegment) -> io::Result<Fate> {
        let discard = if header.is_control() {
            let (discard, aborted) = self.transactions.on_control(header, &bytes[HEADER_LEN..])?;
            if let Some(txn) = aborted {
                segment.txn_index.append(&txn)?;
            }
            discard
        } else {
            self.transactions.on_batch(header)
        };
        if header.base_offset > self.map.latest_offset() {
            return Ok(Fate::Keep);
        }
        let gone = if self.is_last_of_producer(header) { Fate::Empty } else { Fate::Drop };
        if header.is_control() {
            let horizon_passed = header.delete_horizon_ms().is_some_and(|ms| ms <= self.now.wall_ms);
            return match (discard, header.delete_horizon_ms()) {
                (false, _) => Ok(Fate::Keep),
                (true, None) if header.count > 0 => self.rewrite(header, bytes, |_, _| true, true),
                (true, _) if horizon_passed || header.count == 0 => Ok(gone),
                (true, _) => Ok(Fate::Keep),
            };
        }
        if discard {
            return Ok(gone);
        }
        self.filter(header, bytes, gone)
    }

    /// The newest records of a data batch, and tombstones until their horizon.
    fn filter(&self, header: &BatchHeader, bytes: &[u8], gone: Fate) -> io::Result<Fate> {
        let keep_tombstones = header.delete_horizon_ms().is_none_or(|ms| self.now.wall_ms < ms);
        let keep = |offset: i64, key: Option<&[u8]>, has_value: bool| {
            if offset > self.map.latest_offset() {
                return true;
            }
            let Some(key) = key else { return false };
            self.map.get(key).is_none_or(|newest| offset >= newest) && (has_value || keep_tombstones)
        };
        let opened = RecordBatch::new(bytes).and_then(|b| b.open()).map_err(corrupt)?;
        let (mut kept, mut all, mut tombstones) = (0, 0, false);
        for record in &opened {
            let record = record.map_err(corrupt)?;
            let keep = keep(record.offset, record.key, record.value.is_some());
            kept += usize::from(keep);
            all += 1;
            tombstones |= keep && record.value.is_none();
        }
        let needs_horizon = tombstones && header.delete_horizon_ms().is_none();
        match kept {
            0 => Ok(gone),
            _ if kept == all && !needs_horizon => Ok(Fate::Keep),
            _ => self.rewrite(header, bytes, |record, value| keep(record.0, record.1, value), needs_horizon),
        }
    }

    /// The batch with the records that `keep` wants (called with offset and key, and whether there is a value).
    fn rewrite(
        &self,
        header: &BatchHeader,
        bytes: &[u8],
        keep: impl Fn((i64, Option<&[u8]>), bool) -> bool,
        set_horizon: bool,
    ) -> io::Result<Fate> {
        let horizon = self.now.wall_ms.saturating_add(self.job.config.delete_retention_ms);
        let horizon = if set_horizon { Some(horizon) } else { header.delete_horizon_ms() };
        let codec = header.codec().unwrap_or(Compression::None);
        let mut builder =
            RecordBatchBuilder::new(options(header, horizon), Compressor::new(codec, self.job.level(codec)));
        let opened = RecordBatch::new(bytes).and_then(|b| b.open()).map_err(corrupt)?;
        let mut headers: Vec<Header<'_>> = Vec::new();
        for record in &opened {
            let record = record.map_err(corrupt)?;
            if keep((record.offset, record.key), record.value.is_some()) {
                headers.clear();
                headers.extend(record.headers);
                builder
                    .append_at(record.offset, record.timestamp, record.key, record.value, &headers)
                    .map_err(corrupt)?;
            }
        }
        builder.set_last_offset(header.last_offset()).map_err(corrupt)?;
        Ok(Fate::Rewrite(builder.finish().map_err(corrupt)?))
    }

    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        header.has_producer_id()
            && self.job.producers.get(&header.producer_id).is_some_and(|last| match last.last_data_offset {
                Some(offset) => header.last_offset() == offset,
                None => header.is_control() && header.producer_epoch == last.producer_epoch,
            })
    }
}

impl CleanJob {
    fn level(&self, codec: Compression) -> Option<i32> {
        match codec {
            Compression::Gzip => Some(self.config.gzip_level).filter(|&level| level >= 0),
            Compression::Zstd => Some(self.config.zstd_level),
            _ => None,
        }
    }
}

fn options(header: &BatchHeader, delete_horizon_ms: Option<i64>) -> BatchOptions {
    BatchOptions {
        base_offset: header.base_offset,
        leader_epoch: header.leader_epoch,
        timestamp_type: header.timestamp_type(),
        log_append_time: header.max_timestamp,
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        base_sequence: header.base_sequence,
        is_transactional: header.is_transactional(),
        is_control: header.is_control(),
        delete_horizon_ms,
    }
}

/// The header alone, with no records: keeps offsets and the producer's sequence.
fn empty_batch(header: &BatchHeader) -> io::Result<Vec<u8>> {
    let mut builder = RecordBatchBuilder::new(options(header, None), Compressor::new(Compression::None, None));
    builder.set_last_offset(header.last_offset()).map_err(corrupt)?;
    let mut bytes = builder.finish().map_err(corrupt)?;
    batch::set_max_timestamp(&mut bytes, header.timestamp_type(), header.max_timestamp);
    Ok(bytes)
}
