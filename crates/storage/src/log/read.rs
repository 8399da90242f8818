//! Reading batches: from an offset up to a bound, as a piece of a segment's file.

use std::io;

use ottla_base::disk::FileSlice;

use super::{Log, LogOffsetMetadata};
use crate::error::ReadError;
use crate::transaction_index::AbortedTxn;

/// How far a reader may see.
#[doc(alias = "FetchIsolation")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadBound {
    /// All of it: a follower.
    LogEnd,
    /// What the whole ISR has: a consumer.
    HighWatermark,
    /// What no open transaction holds back: a consumer of committed records.
    LastStable,
}

/// What a read gives.
#[doc(alias = "FetchDataInfo")]
#[derive(Clone, Debug)]
pub struct LogRead {
    /// Whole batches, the last one possibly cut off; `None` when there is nothing.
    pub records: Option<FileSlice>,
    /// The first batch is larger than was asked for, and cut off.
    pub first_entry_incomplete: bool,
    /// The offset asked for and where its batch lies (position 0 and base -1 when nothing was read).
    pub fetch_offset: LogOffsetMetadata,
    /// Aborted transactions among the records; only for [`ReadBound::LastStable`].
    pub aborted: Vec<AbortedTxn>,
    pub log_start_offset: i64,
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    pub log_end_offset: i64,
}

impl Log {
    /// Reads from `offset` on, at most `max_bytes`, but the whole first batch when `min_one_message`.
    pub fn read(
        &mut self,
        offset: i64,
        max_bytes: usize,
        bound: ReadBound,
        min_one_message: bool,
    ) -> Result<LogRead, ReadError> {
        self.check_open()?;
        if offset > self.log_end_offset || offset < self.log_start_offset {
            return Err(ReadError::OffsetOutOfRange { log_start: self.log_start_offset, log_end: self.log_end_offset });
        }
        let result = self.read_inner(offset, max_bytes, bound, min_one_message);
        result.map_err(|e| self.read_failed(e))
    }

    /// A damaged batch is the reader's problem alone; a failing disk is everyone's.
    pub(crate) fn read_failed(&self, e: io::Error) -> ReadError {
        if e.kind() == io::ErrorKind::InvalidData {
            tracing::error!(partition = %self.topic_partition, error = %e, "a read met damaged data");
            return ReadError::Corrupt(e.to_string());
        }
        ReadError::Storage(self.log_dir().fail(&format!("{}: read", self.topic_partition), &e))
    }

    fn read_inner(&mut self, offset: i64, max_bytes: usize, bound: ReadBound, min_one: bool) -> io::Result<LogRead> {
        let mut read = LogRead {
            records: None,
            first_entry_incomplete: false,
            fetch_offset: LogOffsetMetadata { offset, segment_base_offset: -1, position: 0 },
            aborted: Vec::new(),
            log_start_offset: self.log_start_offset,
            high_watermark: self.high_watermark,
            last_stable_offset: self.last_stable_offset(),
            log_end_offset: self.log_end_offset,
        };
        let end = match bound {
            ReadBound::LogEnd => self.log_end_offset,
            ReadBound::HighWatermark => self.high_watermark,
            ReadBound::LastStable => read.last_stable_offset,
        };
        if offset >= end {
            if offset == self.log_end_offset {
                read.fetch_offset = self.log_end_metadata();
            }
            return Ok(read);
        }
        let end = self.locate(end)?;
        let first = self.segment_of(offset).unwrap_or(0);
        for at in first..self.segments.len() {
            let segment = &mut self.segments[at];
            if segment.base_offset() > end.segment_base_offset {
                break;
            }
            let Some((position, header)) = segment.find_batch(offset)? else { continue };
            let end_position =
                if segment.base_offset() == end.segment_base_offset { end.position } else { segment.size() };
            read.fetch_offset.segment_base_offset = segment.base_offset();
            read.fetch_offset.position = position;
            if position >= end_position {
                break;
            }
            let wanted = if min_one { max_bytes.max(header.size) } else { max_bytes };
            let len = wanted.min((end_position - position) as usize);
            read.first_entry_incomplete = wanted < header.size;
            if len > 0 {
                read.records = Some(segment.slice(position, len)?);
                if bound == ReadBound::LastStable {
                    read.aborted = self.aborted_in(at, offset, position, len)?;
                }
            }
            break;
        }
        Ok(read)
    }

    /// Where `offset` lies; the log's end for offsets from there on.
    pub(crate) fn locate(&mut self, offset: i64) -> io::Result<LogOffsetMetadata> {
        if offset >= self.log_end_offset {
            return Ok(self.log_end_metadata());
        }
        if let Some(known) = self.high_watermark_position.filter(|known| known.offset == offset) {
            return Ok(known);
        }
        let first = self.segment_of(offset).unwrap_or(0);
        let mut place = self.log_end_metadata();
        for segment in &mut self.segments[first..] {
            if let Some((position, _)) = segment.find_batch(offset)? {
                place = LogOffsetMetadata { offset, segment_base_offset: segment.base_offset(), position };
                break;
            }
        }
        if offset == self.high_watermark {
            self.high_watermark_position = Some(place);
        }
        Ok(place)
    }

    /// Aborted transactions that overlap what was read from segment `at`.
    fn aborted_in(&mut self, at: usize, offset: i64, position: u32, len: usize) -> io::Result<Vec<AbortedTxn>> {
        let mut found = Vec::new();
        if self.segments[at..].iter().all(|s| s.txn_index.is_empty()) {
            return Ok(found);
        }
        let upper = self.offset_behind(at, position, len)?;
        for segment in &mut self.segments[at..] {
            if segment.txn_index.collect(offset, upper, &mut found)? {
                break;
            }
        }
        Ok(found)
    }

    /// An offset at or behind the end of the bytes read, as near as the index tells.
    #[doc(alias = "fetchUpperBoundOffset")]
    fn offset_behind(&mut self, at: usize, position: u32, len: usize) -> io::Result<i64> {
        let after = position as u64 + len as u64;
        let index = &mut self.segments[at].offset_index;
        let base = index.entries.name().base_offset;
        let floor = index.entries.floor(|e| u64::from(e.position).cmp(&after))?;
        let next = floor.map_or(0, |(i, e)| if u64::from(e.position) == after { i } else { i + 1 });
        if next < index.entries.len() {
            return Ok(base + i64::from(index.entries.get(next)?.relative_offset));
        }
        Ok(self.segments.get(at + 1).map_or(self.log_end_offset, |s| s.base_offset()))
    }
}
