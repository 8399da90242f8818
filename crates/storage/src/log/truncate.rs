//! Taking records off either end.

use ottla_base::time::Now;

use super::Log;
use crate::error::{ReadError, StorageError};
use crate::log_segment::LogSegment;

impl Log {
    /// Drops everything from the batch that holds `offset` on; false when there was nothing. A follower does this when its leader's log is
    /// another, through [`crate::LogManager::truncate_to`], which writes the lower recovery point down.
    pub fn truncate_to(&mut self, offset: i64, now: Now) -> Result<bool, StorageError> {
        if offset >= self.log_end_offset {
            return Ok(false);
        }
        tracing::info!(partition = %self.topic_partition, offset, end = self.log_end_offset, "truncating the log");
        if self.segments[0].base_offset() > offset {
            self.truncate_fully_and_start_at(offset, None, now)?;
            return Ok(true);
        }
        self.generation += 1;
        self.guard("truncate", |log| {
            let keep = log.segment_of(offset).unwrap_or(0) + 1;
            // From the end, so that a crash in between leaves a log without a hole.
            while log.segments.len() > keep {
                if let Some(segment) = log.segments.pop() {
                    segment.remove_files()?;
                }
            }
            let offset = log.active_mut().truncate_to(offset)?;
            log.folder.sync()?;
            log.log_end_offset = offset;
            log.epochs.truncate_from_end(offset);
            log.recovery_point = log.recovery_point.min(offset);
            log.log_start_offset = log.log_start_offset.min(offset);
            log.rebuild_producers(now)
        })?;
        self.update_high_watermark(self.high_watermark);
        Ok(true)
    }

    /// Drops all records; the next one gets `offset`. A follower does this when it is too far behind, through
    /// [`crate::LogManager::truncate_fully_and_start_at`].
    pub fn truncate_fully_and_start_at(
        &mut self,
        offset: i64,
        log_start: Option<i64>,
        now: Now,
    ) -> Result<(), StorageError> {
        tracing::info!(partition = %self.topic_partition, offset, "dropping the whole log");
        self.generation += 1;
        self.guard("truncate fully", |log| {
            while let Some(segment) = log.segments.pop() {
                segment.remove_files()?;
            }
            let segment = LogSegment::create(&log.folder, offset, "", &log.config, now.wall_ms)?;
            log.segments.push(segment);
            log.folder.sync()?;
            log.epochs.clear();
            let folder = log.folder.clone();
            log.producers.truncate_fully(&folder, offset)
        })?;
        self.log_end_offset = offset;
        self.log_start_offset = log_start.unwrap_or(offset);
        self.recovery_point = self.recovery_point.min(offset);
        self.high_watermark = self.log_start_offset;
        self.high_watermark_position = None;
        self.update_high_watermark(self.log_start_offset);
        Ok(())
    }

    /// Raises the log start to `offset` (`DeleteRecords`; -1 means the high watermark); gives the new log start. Segments
    /// below it go with the next retention. Errors above the high watermark.
    pub fn delete_records(&mut self, offset: i64) -> Result<i64, ReadError> {
        self.check_open()?;
        let offset = if offset == -1 { self.high_watermark } else { offset };
        if offset < 0 || offset > self.high_watermark {
            let (log_start, log_end) = (self.log_start_offset, self.log_end_offset);
            return Err(ReadError::OffsetOutOfRange { log_start, log_end });
        }
        self.increment_log_start(offset);
        Ok(self.log_start_offset)
    }

    /// Raises the log start to `offset`, at most the high watermark, if it is below; true when it moved.
    #[doc(alias = "maybeIncrementLogStartOffset")]
    pub fn increment_log_start(&mut self, offset: i64) -> bool {
        if offset <= self.log_start_offset || offset > self.high_watermark {
            return false;
        }
        self.log_start_offset = offset;
        self.epochs.truncate_from_start(offset);
        self.producers.on_log_start(offset);
        true
    }
}
