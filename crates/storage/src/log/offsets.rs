//! Questions about offsets: by time, by leader epoch, earliest.

use std::io;

use super::Log;
use crate::error::ReadError;

/// A record found by its time.
#[doc(alias = "TimestampAndOffset")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetAtTimestamp {
    pub offset: i64,
    pub timestamp: i64,
    pub leader_epoch: Option<i32>,
}

/// Where a leader epoch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEndOffset {
    /// The largest known epoch at or below the one asked for.
    pub epoch: i32,
    /// The offset behind its last record.
    pub end_offset: i64,
}

impl Log {
    /// The first record at or above the log start whose timestamp is at or above `timestamp`.
    #[doc(alias = "fetchOffsetByTimestamp")]
    pub fn offset_for_timestamp(&mut self, timestamp: i64) -> Result<Option<OffsetAtTimestamp>, ReadError> {
        self.check_open()?;
        self.find_timestamp(timestamp).map_err(|e| self.read_failed(e))
    }

    fn find_timestamp(&mut self, timestamp: i64) -> io::Result<Option<OffsetAtTimestamp>> {
        for at in 0..self.segments.len() {
            let start = self.log_start_offset;
            if self.segments[at].max_timestamp()?.timestamp < timestamp {
                continue;
            }
            let found = self.segments[at].find_timestamp(timestamp, start)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The record with the largest timestamp; the first of several.
    pub fn max_timestamp_offset(&mut self) -> Result<Option<OffsetAtTimestamp>, ReadError> {
        self.check_open()?;
        let find = |log: &mut Self| {
            let mut max = -1;
            for segment in &mut log.segments {
                max = max.max(segment.max_timestamp()?.timestamp);
            }
            if max < 0 { Ok(None) } else { log.find_timestamp(max) }
        };
        find(self).map_err(|e| self.read_failed(e))
    }

    /// The first offset with its leader epoch: the answer to "earliest" and "earliest local".
    #[must_use]
    pub fn earliest_offset(&self) -> OffsetAtTimestamp {
        let offset = self.log_start_offset;
        OffsetAtTimestamp { offset, timestamp: -1, leader_epoch: self.epochs.epoch_of(offset) }
    }

    /// The leader epoch that wrote `offset`, or would write the log's end.
    #[must_use]
    pub fn epoch_of(&self, offset: i64) -> Option<i32> {
        self.epochs.epoch_of(offset)
    }

    /// Where `epoch` ended in this log (`OffsetForLeaderEpoch`); `None` when it isn't known.
    #[must_use]
    pub fn end_offset_for_epoch(&self, epoch: i32) -> Option<EpochEndOffset> {
        let (epoch, end_offset) = self.epochs.end_offset_for(epoch, self.log_end_offset)?;
        Some(EpochEndOffset { epoch, end_offset })
    }

    /// Takes note that a leader of `epoch` writes from `start_offset` on.
    pub fn assign_epoch_start_offset(&mut self, epoch: i32, start_offset: i64) {
        self.epochs.assign(epoch, start_offset);
    }
}
