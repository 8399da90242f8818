//! Dropping old segments, by time, by size and below the log start; unlinking them later.

use std::io;

use ottla_base::time::Now;

use super::Log;
use crate::error::StorageError;
use crate::log_dir::DELETED_SUFFIX;
use crate::log_segment::LogSegment;

/// A segment renamed to `.deleted`, to be unlinked.
#[derive(Debug)]
pub struct Deletion {
    due_ms: u64,
    segment: LogSegment,
}

impl Log {
    /// Drops the segments that retention no longer keeps; gives their number. Without `delete` in the cleanup policy only
    /// those below the log start go.
    #[doc(alias = "deleteOldSegments")]
    pub fn run_retention(&mut self, now: Now) -> Result<usize, StorageError> {
        self.guard("retention", |log| {
            log.close_sealed(); // what readers opened since the last run
            let mut dropped = 0;
            if log.config.delete {
                dropped += log.drop_expired(now)? + log.drop_oversize(now)?;
            }
            Ok(dropped + log.drop_below_start(now)?)
        })
    }

    fn drop_expired(&mut self, now: Now) -> io::Result<usize> {
        let retention_ms = self.config.retention_ms;
        if retention_ms < 0 {
            return Ok(0);
        }
        let mut count = 0;
        for at in 0..self.segments.len() {
            let segment = &mut self.segments[at];
            let max = segment.max_timestamp()?.timestamp;
            let last = if max >= 0 { max } else { segment.created_ms() };
            if now.wall_ms.saturating_sub(last) <= retention_ms || !self.may_drop(at) {
                break;
            }
            count = at + 1;
        }
        self.drop_segments(count, now, "their records are too old")
    }

    fn drop_oversize(&mut self, now: Now) -> io::Result<usize> {
        let Ok(limit) = u64::try_from(self.config.retention_bytes) else { return Ok(0) };
        let mut excess = self.size().saturating_sub(limit);
        let mut count = 0;
        for (at, segment) in self.segments.iter().enumerate() {
            if excess < u64::from(segment.size()) || !self.may_drop(at) {
                break;
            }
            excess -= u64::from(segment.size());
            count = at + 1;
        }
        self.drop_segments(count, now, "the log is too large")
    }

    fn drop_below_start(&mut self, now: Now) -> io::Result<usize> {
        let start = self.log_start_offset;
        let count = self.segments.windows(2).take_while(|pair| pair[1].base_offset() <= start).count();
        self.drop_segments(count, now, "they lie before the log start")
    }

    /// Only what lies below the high watermark goes, and no empty active segment.
    fn may_drop(&self, at: usize) -> bool {
        let end = self.segments.get(at + 1).map_or(self.log_end_offset, LogSegment::base_offset);
        let empty_active = at + 1 == self.segments.len() && self.segments[at].size() == 0;
        end <= self.high_watermark && !empty_active
    }

    /// Drops the first `count` segments. A new active one is made first when none would be left.
    fn drop_segments(&mut self, count: usize, now: Now, why: &str) -> io::Result<usize> {
        if count == 0 {
            return Ok(0);
        }
        if count == self.segments.len() {
            self.roll(now, self.log_end_offset)?;
        }
        tracing::info!(partition = %self.topic_partition, count, "dropping segments: {why}");
        // The log start first: a crash in between leaves segments below it, which the next run drops.
        self.generation += 1;
        let start = self.segments[count].base_offset();
        self.increment_log_start(start);
        let dropped: Vec<LogSegment> = self.segments.drain(..count).collect();
        let folder = self.folder.clone();
        for segment in dropped {
            let base = segment.base_offset();
            if self.folder_changes.is_dirty() {
                // In order, also behind one that an earlier call dropped: a power cut must not bring one back without those
                // behind it.
                folder.sync()?;
                self.folder_changes.settle();
            }
            self.delete_later(segment, now)?;
            self.producers.remove_snapshots(&folder, |offset| offset == base)?;
        }
        self.producers.on_log_start(self.log_start_offset);
        Ok(count)
    }

    /// Renames a segment away now and unlinks it after `file.delete.delay.ms`.
    pub(crate) fn delete_later(&mut self, mut segment: LogSegment, now: Now) -> io::Result<()> {
        segment.change_suffix(DELETED_SUFFIX)?;
        segment.close_files();
        let delay_ms = u64::try_from(self.config.file_delete_delay_ms).unwrap_or(0);
        self.deletions.push(Deletion { due_ms: now.mono_ms().saturating_add(delay_ms), segment });
        self.folder_changes.note();
        Ok(())
    }

    /// Unlinks dropped segments whose time has come; gives their number.
    pub fn run_deletions(&mut self, now: Now) -> Result<usize, StorageError> {
        if self.deletions.is_empty() {
            return Ok(0);
        }
        self.guard("delete segments", |log| {
            let (due, later): (Vec<_>, Vec<_>) =
                std::mem::take(&mut log.deletions).into_iter().partition(|d| d.due_ms <= now.mono_ms());
            log.deletions = later;
            for deletion in &due {
                deletion.segment.remove_files()?;
            }
            Ok(due.len())
        })
    }
}
