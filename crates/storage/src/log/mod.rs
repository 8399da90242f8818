//! The log of one partition: its segments, offsets and producers.
//!
//! Invariants: `log start ≤ last stable offset ≤ high watermark ≤ log end`; segments are in order of their base offsets,
//! and the last is the one appended to (others are empty only when cleaning left nothing); what lies below the recovery point is synced; nothing is changed
//! in memory before its bytes were written. All calls run under the partition's mutex, whose holder passes `&mut self`.

mod append;
mod flush;
mod offsets;
mod producers;
mod read;
mod retention;
#[cfg(test)]
mod tests;
mod truncate;

use std::io;
use std::sync::Arc;

use ottla_base::ids::{TopicPartition, Uuid};
use ottla_base::time::Now;
use parking_lot::Mutex;

pub use append::{AppendInfo, AppendOptions, AppendOrigin};
pub use flush::FlushJob;
pub(crate) use flush::FolderChanges;
pub use offsets::{EpochEndOffset, OffsetAtTimestamp};
pub use producers::ActiveProducer;
pub use read::{LogRead, ReadBound};
pub use retention::Deletion;

use crate::config::LogConfig;
use crate::error::{AppendError, StorageError};
use crate::folder::Folder;
use crate::leader_epoch_cache::LeaderEpochCache;
use crate::log_dir::LogDir;
use crate::log_segment::LogSegment;
use crate::producer_state_manager::ProducerStateManager;

/// A log with its mutex, as the broker's partitions hold it.
pub type SharedLog = Arc<Mutex<Log>>;

/// An offset and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOffsetMetadata {
    pub offset: i64,
    pub segment_base_offset: i64,
    /// Bytes from the segment's start.
    pub position: u32,
}

#[doc(alias = "UnifiedLog")]
#[doc(alias = "LocalLog")]
#[derive(Debug)]
pub struct Log {
    pub(crate) topic_partition: TopicPartition,
    pub(crate) topic_id: Option<Uuid>,
    pub(crate) folder: Arc<Folder>,
    pub(crate) config: Arc<LogConfig>,
    /// By base offset; never empty.
    pub(crate) segments: Vec<LogSegment>,
    pub(crate) log_start_offset: i64,
    pub(crate) log_end_offset: i64,
    pub(crate) high_watermark: i64,
    /// Where the high watermark lies, when it was looked up since it moved.
    pub(crate) high_watermark_position: Option<LogOffsetMetadata>,
    /// Everything below is synced.
    pub(crate) recovery_point: i64,
    pub(crate) producers: ProducerStateManager,
    pub(crate) epochs: LeaderEpochCache,
    pub(crate) last_flush_ms: i64,
    /// Segments renamed to `.deleted`, to be unlinked when their time comes.
    pub(crate) deletions: Vec<Deletion>,
    /// Files that came, went or were renamed since the folder was last synced.
    pub(crate) folder_changes: FolderChanges,
    /// Neither the folder itself nor `partition.metadata` was ever synced, as far as we know.
    pub(crate) is_unsynced: bool,
    pub(crate) is_future: bool,
    /// Deleted: whoever still holds it gets an error.
    pub(crate) closed: bool,
    /// Grows whenever sealed segments change, so that a cleaning of the old ones is thrown away.
    pub(crate) generation: u64,
}

impl Log {
    #[must_use]
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    #[must_use]
    pub fn topic_id(&self) -> Option<Uuid> {
        self.topic_id
    }

    #[must_use]
    pub fn config(&self) -> &Arc<LogConfig> {
        &self.config
    }

    /// Takes new settings from now on.
    pub fn set_config(&mut self, config: Arc<LogConfig>) {
        self.config = config;
    }

    #[must_use]
    pub fn log_dir(&self) -> &Arc<LogDir> {
        self.folder.log_dir()
    }

    /// First offset that may be read.
    #[must_use]
    pub fn log_start_offset(&self) -> i64 {
        self.log_start_offset
    }

    /// Offset of the next record.
    #[must_use]
    pub fn log_end_offset(&self) -> i64 {
        self.log_end_offset
    }

    #[must_use]
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// Offset below which no transaction is open; at most the high watermark.
    #[must_use]
    pub fn last_stable_offset(&self) -> i64 {
        self.producers.first_unstable_offset().map_or(self.high_watermark, |first| first.min(self.high_watermark))
    }

    #[must_use]
    pub fn recovery_point(&self) -> i64 {
        self.recovery_point
    }

    #[must_use]
    pub fn is_future(&self) -> bool {
        self.is_future
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.segments.iter().map(LogSegment::size_on_disk).sum()
    }

    /// Base offset of the first segment.
    #[must_use]
    pub fn first_base_offset(&self) -> i64 {
        self.segments[0].base_offset()
    }

    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// Where the next record will lie.
    #[must_use]
    pub fn log_end_metadata(&self) -> LogOffsetMetadata {
        let active = self.active();
        LogOffsetMetadata {
            offset: self.log_end_offset,
            segment_base_offset: active.base_offset(),
            position: active.size(),
        }
    }

    /// Moves the high watermark to `offset`, kept between log start and log end; gives the new one.
    #[doc(alias = "updateHighWatermark")]
    pub fn update_high_watermark(&mut self, offset: i64) -> i64 {
        let bounded = offset.min(self.log_end_offset).max(self.log_start_offset);
        if bounded != self.high_watermark {
            self.high_watermark = bounded;
            self.high_watermark_position = None;
            self.producers.on_high_watermark(bounded);
        }
        bounded
    }

    /// Moves the high watermark on to `offset` when that is ahead of it; gives the old one when it moved.
    #[doc(alias = "maybeIncrementHighWatermark")]
    pub fn maybe_increment_high_watermark(&mut self, offset: i64) -> Option<i64> {
        let old = self.high_watermark;
        (offset > old && self.update_high_watermark(offset) > old).then_some(old)
    }

    /// Sets the topic's id and writes `partition.metadata`; an existing other id is the caller's error to avoid.
    pub fn assign_topic_id(&mut self, id: Uuid) -> Result<(), StorageError> {
        if self.topic_id == Some(id) {
            return Ok(());
        }
        let folder = self.folder.clone();
        self.guard("write partition.metadata", |_| crate::partition_metadata::write(&folder, id))?;
        self.topic_id = Some(id);
        Ok(())
    }

    /// The newest leader epoch in the log.
    #[must_use]
    pub fn latest_epoch(&self) -> Option<i32> {
        self.epochs.latest_epoch()
    }

    /// Path of the log's folder.
    #[must_use]
    pub fn folder_path(&self) -> std::path::PathBuf {
        self.folder.path()
    }

    pub(crate) fn rename_folder(&mut self, name: &str) -> Result<(), StorageError> {
        self.guard("rename the folder", |log| log.folder.rename(name))
    }

    /// Lets the files of sealed segments go; a reader opens them again.
    pub(crate) fn close_sealed(&mut self) {
        let sealed = self.segments.len() - 1;
        for segment in &mut self.segments[..sealed] {
            segment.close_files();
        }
    }

    /// Lets all files go; every later call fails.
    pub(crate) fn close_for_good(&mut self) {
        self.closed = true;
        for segment in &mut self.segments {
            segment.close_files();
        }
    }

    /// A clean stop: the last index entries, a snapshot of the producers, everything synced.
    pub fn close(&mut self, now: Now) -> Result<(), StorageError> {
        self.guard("close", |log| {
            log.active_mut().become_inactive()?;
            let folder = log.folder.clone();
            log.producers.take_snapshot(&folder)?;
            log.folder_changes.note();
            Ok(())
        })?;
        self.flush(now)?;
        self.close_for_good();
        Ok(())
    }

    pub(crate) fn active(&self) -> &LogSegment {
        self.segments.last().expect("a log has a segment")
    }

    pub(crate) fn active_mut(&mut self) -> &mut LogSegment {
        self.segments.last_mut().expect("a log has a segment")
    }

    /// Index of the segment that holds `offset`, or would; `None` below the first.
    pub(crate) fn segment_of(&self, offset: i64) -> Option<usize> {
        self.segments.partition_point(|s| s.base_offset() <= offset).checked_sub(1)
    }

    /// Runs I/O on this log; a failure takes its directory offline.
    pub(crate) fn guard<T>(
        &mut self,
        what: &str,
        io: impl FnOnce(&mut Self) -> io::Result<T>,
    ) -> Result<T, StorageError> {
        self.check_open()?;
        let dir = self.folder.log_dir().clone();
        io(self).map_err(|e| dir.fail(&format!("{}: {what}", self.topic_partition), &e))
    }

    /// The error to answer with when the directory is offline or the log deleted.
    pub(crate) fn check_open(&self) -> Result<(), StorageError> {
        let dir = self.folder.log_dir();
        dir.check()?;
        if !self.closed {
            return Ok(());
        }
        let reason = format!("the log of {} is closed", self.topic_partition).into();
        Err(StorageError { dir: dir.path().to_owned().into(), reason })
    }

    /// Makes a new active segment for what begins at `first_offset`; the old one gets its last index entries, and the
    /// producers' state is kept in a snapshot.
    ///
    /// It begins at the log's end, so that segments join and recovery can see a lost one, unless the gap to `first_offset`
    /// (a follower's, of a compacted log) is too wide for one segment.
    pub(crate) fn roll(&mut self, now: Now, first_offset: i64) -> io::Result<()> {
        let end = self.log_end_offset;
        let offset = if first_offset - end < i64::from(i32::MAX) / 2 { end } else { first_offset };
        if self.active().base_offset() == offset && self.active().size() == 0 {
            // An empty segment of that name (a full index without data, or a roll repeated): made afresh.
            let active = self.active_mut();
            active.close_files();
            self.segments.pop();
        } else {
            self.active_mut().become_inactive()?;
            self.producers.update_map_end_offset(offset);
            self.producers.take_snapshot(&self.folder)?;
        }
        if self.is_unsynced && self.segments.len() == 1 {
            // A power cut that took the first segment and left the second would look like a log that starts there.
            self.folder.sync()?;
        }
        let segment = LogSegment::create(&self.folder, offset, "", &self.config, now.wall_ms)?;
        self.segments.push(segment);
        self.log_end_offset = offset;
        self.folder_changes.note();
        Ok(())
    }
}

pub(crate) fn storage(e: StorageError) -> AppendError {
    AppendError::Storage(e)
}
