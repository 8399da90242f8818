//! One segment of a log: `<base offset>.log` with its indexes.
//!
//! Invariants: batches lie back to back from position 0 to [`LogSegment::size`]; what lies after that in the file (blocks
//! reserved ahead, a torn write) doesn't exist for us. Files are opened when first needed.

use std::io;
use std::sync::Arc;

use ottla_base::disk::{DiskFile, FileSlice, OpenMode};
use ottla_protocol::record_batch::{BatchError, RecordBatch};

use crate::batch::{BatchHeader, HEADER_LEN};
use crate::config::LogConfig;
use crate::error::Corrupt;
use crate::folder::{FileName, Folder};
use crate::log::OffsetAtTimestamp;
use crate::log_dir::{INDEX_SUFFIX, LOG_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX};
use crate::offset_index::OffsetIndex;
use crate::time_index::TimeIndex;
use crate::transaction_index::TransactionIndex;

/// Bytes read at once while stepping from header to header.
const HEADER_READ_AHEAD: usize = 1_024;

/// A timestamp and the offset of the batch that brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    pub timestamp: i64,
    pub offset: i64,
}

/// Lengths in bytes of a segment's files as the folder's listing has them; `None` for a missing file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentFileLens {
    pub log: Option<u64>,
    pub index: Option<u64>,
    pub time_index: Option<u64>,
    pub txn_index: Option<u64>,
}

#[derive(Debug)]
pub struct LogSegment {
    name: FileName,
    size: u32,
    log: Option<Arc<dyn DiskFile>>,
    pub(crate) offset_index: OffsetIndex,
    pub(crate) time_index: TimeIndex,
    pub(crate) txn_index: TransactionIndex,
    bytes_since_index_entry: u32,
    created_ms: i64,
    /// Largest timestamp of the first batch: what `segment.ms` counts from.
    first_timestamp: Option<i64>,
    /// Largest timestamp so far; `None` until it is looked up.
    max_timestamp: Option<TimestampOffset>,
    /// File content beyond `size` (reserved blocks) must be cut when the segment becomes inactive.
    reserved: bool,
}

fn name(folder: &Arc<Folder>, base_offset: i64, kind: &'static str, suffix: &'static str) -> FileName {
    FileName { folder: folder.clone(), base_offset, kind, suffix }
}

impl LogSegment {
    /// Makes an empty segment; files of that name are emptied.
    pub fn create(
        folder: &Arc<Folder>,
        base_offset: i64,
        suffix: &'static str,
        config: &LogConfig,
        now_ms: i64,
    ) -> io::Result<Self> {
        let log_name = name(folder, base_offset, LOG_SUFFIX, suffix);
        let log = log_name.open(OpenMode::Truncate)?;
        if config.preallocate {
            log.allocate(0, config.segment_bytes.into())?;
        }
        let offset_index = OffsetIndex::create(name(folder, base_offset, INDEX_SUFFIX, suffix))?;
        let time_index = TimeIndex::create(name(folder, base_offset, TIME_INDEX_SUFFIX, suffix))?;
        let txn_index = TransactionIndex::new(name(folder, base_offset, TXN_INDEX_SUFFIX, suffix));
        txn_index.name().remove()?;
        Ok(Self {
            name: log_name,
            size: 0,
            // Held only once something is written: a thousand empty partitions hold no descriptors.
            log: None,
            offset_index,
            time_index,
            txn_index,
            bytes_since_index_entry: 0,
            created_ms: now_ms,
            first_timestamp: None,
            max_timestamp: Some(TimestampOffset { timestamp: -1, offset: base_offset }),
            reserved: config.preallocate,
        })
    }

    /// A segment whose files are there; nothing is read.
    #[must_use]
    pub fn existing(folder: &Arc<Folder>, base_offset: i64, lens: &SegmentFileLens, now_ms: i64) -> Self {
        let index_name = name(folder, base_offset, INDEX_SUFFIX, "");
        let time_name = name(folder, base_offset, TIME_INDEX_SUFFIX, "");
        let txn_name = name(folder, base_offset, TXN_INDEX_SUFFIX, "");
        Self {
            name: name(folder, base_offset, LOG_SUFFIX, ""),
            size: u32::try_from(lens.log.unwrap_or(0)).unwrap_or(u32::MAX),
            log: None,
            offset_index: OffsetIndex::existing(index_name, lens.index.unwrap_or(0)),
            time_index: TimeIndex::existing(time_name, lens.time_index.unwrap_or(0)),
            txn_index: TransactionIndex::existing(txn_name, lens.txn_index.unwrap_or(0)),
            bytes_since_index_entry: 0,
            created_ms: now_ms,
            first_timestamp: None,
            max_timestamp: None,
            reserved: false,
        }
    }

    #[must_use]
    pub fn base_offset(&self) -> i64 {
        self.name.base_offset
    }

    /// Bytes of batches.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    pub(crate) fn set_size(&mut self, size: u32) {
        self.size = size;
    }

    /// The open `.log` file.
    pub fn log_file(&mut self) -> io::Result<&Arc<dyn DiskFile>> {
        if self.log.is_none() {
            self.log = Some(self.name.open(OpenMode::ReadWrite)?);
        }
        self.log.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Lets all descriptors go; they come back when needed.
    pub fn close_files(&mut self) {
        self.log = None;
        self.offset_index.entries.close_file();
        self.time_index.entries.close_file();
        self.txn_index.close_file();
    }

    /// Adds whole batches whose offsets are set. One write.
    pub fn append(&mut self, bytes: &[u8], config: &LogConfig) -> io::Result<()> {
        let position = self.size;
        let end = u32::try_from(bytes.len()).ok().and_then(|len| position.checked_add(len)).filter(|&end| {
            end <= i32::MAX as u32 // positions are int32 in the index
        });
        let end = end.ok_or_else(|| Corrupt("a segment can't hold more than 2 GiB".into()))?;
        self.log_file()?.write_all_at(bytes, position.into())?;
        self.size = end;
        let mut at = 0;
        while at < bytes.len() {
            let header = BatchHeader::parse(&bytes[at..])?;
            self.note_batch(&header, position + at as u32, config.index_interval_bytes)?;
            at += header.size;
        }
        Ok(())
    }

    /// Keeps indexes and timestamps up with a batch at `position`.
    pub(crate) fn note_batch(&mut self, header: &BatchHeader, position: u32, interval: u32) -> io::Result<()> {
        if position == 0 {
            self.first_timestamp = Some(header.max_timestamp);
        }
        let max = self.max_timestamp()?;
        if header.max_timestamp > max.timestamp {
            self.max_timestamp =
                Some(TimestampOffset { timestamp: header.max_timestamp, offset: header.last_offset() });
        }
        if self.bytes_since_index_entry > interval {
            self.offset_index.append(header.last_offset(), position)?;
            let max = self.max_timestamp()?;
            self.time_index.maybe_append(max.timestamp, max.offset)?;
            self.bytes_since_index_entry = 0;
        }
        self.bytes_since_index_entry = self.bytes_since_index_entry.saturating_add(header.size as u32);
        Ok(())
    }

    /// The largest timestamp in the segment and the last offset of its batch; -1 when there is none.
    pub fn max_timestamp(&mut self) -> io::Result<TimestampOffset> {
        if let Some(max) = self.max_timestamp {
            return Ok(max);
        }
        let last = self.time_index.last()?;
        let max = last.map_or(TimestampOffset { timestamp: -1, offset: self.base_offset() }, |(timestamp, offset)| {
            TimestampOffset { timestamp, offset }
        });
        self.max_timestamp = Some(max);
        Ok(max)
    }

    /// The header of the batch at `position`; `None` at the end.
    pub fn header_at(&mut self, position: u32) -> io::Result<Option<BatchHeader>> {
        let mut bytes = [0; HEADER_LEN];
        self.read_header(position, &mut bytes)
    }

    fn read_header(&mut self, position: u32, bytes: &mut [u8; HEADER_LEN]) -> io::Result<Option<BatchHeader>> {
        if position >= self.size {
            return Ok(None);
        }
        if (self.size - position) < HEADER_LEN as u32 || self.log_file()?.read_at(bytes, position.into())? < HEADER_LEN
        {
            return Err(Corrupt(format!("the segment ends inside the batch at {position}")).into());
        }
        let header = BatchHeader::parse(bytes)?;
        if header.size as u64 > u64::from(self.size - position) {
            return Err(Corrupt(format!("the segment ends inside the batch at {position}")).into());
        }
        Ok(Some(header))
    }

    /// Steps over the batch headers from `position` on until `visit` says to stop.
    pub fn scan_headers(
        &mut self,
        mut position: u32,
        mut visit: impl FnMut(u32, &BatchHeader) -> bool,
    ) -> io::Result<()> {
        let mut buffer = [0u8; HEADER_READ_AHEAD];
        let (mut start, mut filled) = (position, 0u32);
        while position < self.size {
            if position < start || position + HEADER_LEN as u32 > start + filled {
                start = position;
                let want = HEADER_READ_AHEAD.min((self.size - position) as usize);
                filled = self.log_file()?.read_at(&mut buffer[..want], position.into())? as u32;
                if filled < HEADER_LEN as u32 {
                    return Err(Corrupt(format!("the segment ends inside the batch at {position}")).into());
                }
            }
            let header = BatchHeader::parse(&buffer[(position - start) as usize..filled as usize])?;
            if header.size as u64 > u64::from(self.size - position) {
                return Err(Corrupt(format!("the segment ends inside the batch at {position}")).into());
            }
            if !visit(position, &header) {
                return Ok(());
            }
            position += header.size as u32;
        }
        Ok(())
    }

    /// The first batch whose last offset is at or above `offset`, and its position; `None` when all end before it.
    #[doc(alias = "translateOffset")]
    pub fn find_batch(&mut self, offset: i64) -> io::Result<Option<(u32, BatchHeader)>> {
        let mut from = self.offset_index.lookup(offset)?;
        // An index that lies (a foreign or damaged file) costs a scan, not a wrong answer.
        let sound = from < self.size && matches!(self.header_at(from), Ok(Some(h)) if h.base_offset <= offset);
        if from != 0 && !sound {
            tracing::warn!(path = %self.name.path().display(), offset, "the offset index points nowhere; scanning");
            from = 0;
        }
        let mut found = None;
        self.scan_headers(from, |position, header| {
            if header.last_offset() >= offset {
                found = Some((position, *header));
            }
            found.is_none()
        })?;
        Ok(found)
    }

    /// `len` bytes from `position` on.
    pub fn slice(&mut self, position: u32, len: usize) -> io::Result<FileSlice> {
        Ok(FileSlice { file: self.log_file()?.clone(), position: position.into(), len })
    }

    /// The whole batch at `position`, as stored.
    pub fn read_batch(&mut self, position: u32, header: &BatchHeader) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; header.size];
        if self.log_file()?.read_at(&mut bytes, position.into())? < header.size {
            return Err(Corrupt(format!("the segment ends inside the batch at {position}")).into());
        }
        Ok(bytes)
    }

    /// The first record at or above `start_offset` whose timestamp is at or above `timestamp`.
    #[doc(alias = "findOffsetByTimestamp")]
    pub fn find_timestamp(&mut self, timestamp: i64, start_offset: i64) -> io::Result<Option<OffsetAtTimestamp>> {
        let from = self.time_index.lookup(timestamp)?.max(start_offset);
        let Some((mut from, _)) = self.find_batch(from)? else { return Ok(None) };
        loop {
            let mut candidate = None;
            self.scan_headers(from, |position, header| {
                if header.max_timestamp >= timestamp && header.last_offset() >= start_offset {
                    candidate = Some((position, *header));
                }
                candidate.is_none()
            })?;
            let Some((position, header)) = candidate else { return Ok(None) };
            let found = find_record(&self.read_batch(position, &header)?, timestamp, start_offset);
            let found = found.map_err(|e| Corrupt(format!("the batch at {position}: {e}")))?;
            if found.is_some() {
                return Ok(found);
            }
            from = position + header.size as u32;
        }
    }

    /// How long the segment has waited for its roll, in milliseconds: by record time when there is any.
    pub fn time_waited_for_roll(&mut self, now_ms: i64, timestamp: i64) -> io::Result<i64> {
        if self.first_timestamp.is_none() {
            self.first_timestamp = self.header_at(0)?.map(|h| h.max_timestamp);
        }
        Ok(match self.first_timestamp {
            Some(first) if first >= 0 => timestamp - first,
            _ => now_ms - self.created_ms,
        })
    }

    #[must_use]
    pub fn created_ms(&self) -> i64 {
        self.created_ms
    }

    /// The offset after the last one, found by stepping over the headers behind the last index entry.
    pub fn read_next_offset(&mut self) -> io::Result<i64> {
        let from = self.offset_index.entries.last()?.map_or(0, |e| e.position);
        let from = if from < self.size { from } else { 0 };
        let mut next = self.base_offset();
        self.scan_headers(from, |_, header| {
            next = header.next_offset();
            true
        })?;
        Ok(next)
    }

    /// Puts the last timestamp into the index and cuts reserved blocks: no append follows.
    #[doc(alias = "onBecomeInactiveSegment")]
    pub fn become_inactive(&mut self) -> io::Result<()> {
        let max = self.max_timestamp()?;
        self.time_index.maybe_append(max.timestamp, max.offset)?;
        if self.reserved {
            let size = self.size;
            let file = self.log_file()?;
            file.set_len(size.into())?;
            // The segment may lie below the recovery point already, where nobody would look for its end again.
            file.sync_data()?;
            self.reserved = false;
        }
        self.write_out_indexes()
    }

    #[must_use]
    pub fn log_path(&self) -> std::path::PathBuf {
        self.name.path()
    }

    /// Forgets the indexes and what was derived from batches, before they are all noted again.
    pub(crate) fn reset_indexes(&mut self) -> io::Result<()> {
        self.offset_index.entries.reset()?;
        self.time_index.entries.reset()?;
        self.bytes_since_index_entry = 0;
        self.first_timestamp = None;
        self.max_timestamp = Some(TimestampOffset { timestamp: -1, offset: self.base_offset() });
        Ok(())
    }

    pub fn write_out_indexes(&mut self) -> io::Result<()> {
        self.offset_index.entries.write_out()?;
        self.time_index.entries.write_out()
    }

    /// The files to sync so that everything appended so far is durable.
    pub fn files_to_sync(&mut self, files: &mut Vec<Arc<dyn DiskFile>>) -> io::Result<()> {
        files.push(self.log_file()?.clone());
        files.push(self.offset_index.entries.file_to_sync()?);
        files.push(self.time_index.entries.file_to_sync()?);
        files.extend(self.txn_index.file_to_sync()?);
        Ok(())
    }

    /// Drops batches from the one that holds `offset` on; gives its base offset if that is lower, else `offset`.
    pub fn truncate_to(&mut self, offset: i64) -> io::Result<i64> {
        let Some((position, header)) = self.find_batch(offset)? else { return Ok(offset) };
        self.offset_index.truncate_to(offset)?;
        self.time_index.truncate_to(offset)?;
        self.txn_index.truncate_to(offset)?;
        let file = self.log_file()?;
        file.set_len(position.into())?;
        // Otherwise a crash could bring the dropped records back, below what is appended and synced next.
        file.sync_data()?;
        self.size = position;
        self.bytes_since_index_entry = 0;
        self.max_timestamp = None;
        self.reserved = false;
        if position == 0 {
            self.first_timestamp = None;
        }
        self.reload_max_timestamp()?;
        Ok(header.base_offset.min(offset))
    }

    /// Largest timestamp by the index, corrected by the batches behind its last entry.
    pub(crate) fn reload_max_timestamp(&mut self) -> io::Result<()> {
        self.max_timestamp = None;
        let mut max = self.max_timestamp()?;
        let from = self.offset_index.lookup(max.offset)?;
        let from = if from < self.size { from } else { 0 };
        self.scan_headers(from, |_, header| {
            if header.max_timestamp > max.timestamp {
                max = TimestampOffset { timestamp: header.max_timestamp, offset: header.last_offset() };
            }
            true
        })?;
        self.max_timestamp = Some(max);
        Ok(())
    }

    /// Renames all files to carry `suffix`.
    pub fn change_suffix(&mut self, suffix: &'static str) -> io::Result<()> {
        self.name.change_suffix(suffix, true)?;
        self.offset_index.entries.name_mut().change_suffix(suffix, true)?;
        self.time_index.entries.name_mut().change_suffix(suffix, true)?;
        self.txn_index.change_suffix(suffix)
    }

    /// Removes all files, by the names they have now.
    pub fn remove_files(&self) -> io::Result<()> {
        self.name.remove()?;
        self.offset_index.entries.name().remove()?;
        self.time_index.entries.name().remove()?;
        self.txn_index.name().remove()
    }

    /// Bytes of all files of the segment.
    #[must_use]
    pub fn size_on_disk(&self) -> u64 {
        u64::from(self.size)
    }
}

/// The first record of a batch that is late enough.
fn find_record(batch: &[u8], timestamp: i64, start_offset: i64) -> Result<Option<OffsetAtTimestamp>, BatchError> {
    let batch = RecordBatch::new(batch)?;
    for record in &batch.open()? {
        let record = record?;
        if record.timestamp >= timestamp && record.offset >= start_offset {
            return Ok(Some(OffsetAtTimestamp {
                offset: record.offset,
                timestamp: record.timestamp,
                leader_epoch: Some(batch.leader_epoch()).filter(|&epoch| epoch >= 0),
            }));
        }
    }
    Ok(None)
}
