//! Checking segments that may not have reached the disk whole, and rebuilding what follows from their batches.

use std::io;

use ottla_base::disk::{DiskFile, OpenMode};
use ottla_base::time::Now;

use crate::batch::{BatchHeader, HEADER_LEN};
use crate::config::LogConfig;
use crate::error::Corrupt;
use crate::folder::{FileName, Folder};
use crate::log::Log;
use crate::log_dir::LOG_SUFFIX;
use crate::log_loader::LoadHints;
use crate::log_segment::LogSegment;

/// Bytes read at once: large enough that the reads cost little, small enough that recovery needs next to no memory.
const READ_BYTES: usize = 256 << 10;

/// Position in the file, header, and the whole batch.
pub(crate) type Located<'a> = (u64, BatchHeader, &'a [u8]);

/// Reads the batches of a segment's file one after the other, whole.
pub(crate) struct BatchReader<'a> {
    file: &'a dyn DiskFile,
    file_len: u64,
    buffer: Vec<u8>,
    /// Position in the file of the buffer's first byte.
    start: u64,
    /// Where the next batch begins, from the file's start.
    position: u64,
}

impl<'a> BatchReader<'a> {
    pub(crate) fn new(file: &'a dyn DiskFile, position: u64) -> io::Result<Self> {
        Ok(Self { file, file_len: file.len()?, buffer: Vec::new(), start: position, position })
    }

    /// Makes `len` bytes from the position on be in the buffer; false when the file ends before.
    fn fill(&mut self, len: usize) -> io::Result<bool> {
        let have = (self.start + self.buffer.len() as u64).saturating_sub(self.position);
        if have >= len as u64 {
            return Ok(true);
        }
        let left = self.file_len.saturating_sub(self.position);
        if left < len as u64 {
            return Ok(false);
        }
        let want = (len.max(READ_BYTES) as u64).min(left) as usize;
        self.start = self.position;
        self.buffer.resize(want, 0);
        let read = self.file.read_at(&mut self.buffer, self.start)?;
        self.buffer.truncate(read);
        Ok(read >= len)
    }

    /// The next batch and its position. `None` at the end of the file; `Corrupt` where no batch with a good checksum is.
    pub(crate) fn next(&mut self) -> io::Result<Option<Result<Located<'_>, Corrupt>>> {
        if self.position >= self.file_len {
            return Ok(None);
        }
        let torn = |at: u64| Ok(Some(Err(Corrupt(format!("the file ends inside the batch at {at}")))));
        if !self.fill(HEADER_LEN)? {
            return torn(self.position);
        }
        let from = (self.position - self.start) as usize;
        let header = match BatchHeader::parse(&self.buffer[from..]) {
            Ok(header) => header,
            Err(e) => return Ok(Some(Err(e))),
        };
        if !self.fill(header.size)? {
            return torn(self.position);
        }
        let from = (self.position - self.start) as usize;
        let bytes = &self.buffer[from..from + header.size];
        if !header.checksum_ok(bytes) {
            return Ok(Some(Err(Corrupt(format!("the batch at {} fails its checksum", self.position)))));
        }
        let position = self.position;
        self.position += header.size as u64;
        Ok(Some(Ok((position, header, bytes))))
    }
}

/// The offset behind the last good batch of `<base>.log<suffix>`.
pub(crate) fn next_offset_of_file(folder: &std::sync::Arc<Folder>, base: i64, suffix: &'static str) -> io::Result<i64> {
    let name = FileName { folder: folder.clone(), base_offset: base, kind: LOG_SUFFIX, suffix };
    let file = name.open(OpenMode::Read)?;
    let mut reader = BatchReader::new(file.as_ref(), 0)?;
    let mut next = base;
    while let Some(Ok((_, header, _))) = reader.next()? {
        next = header.next_offset();
    }
    Ok(next)
}

/// Why a batch can't be where it is in its segment.
fn check_place(header: &BatchHeader, base: i64, next: i64) -> Result<(), Corrupt> {
    if header.base_offset < next {
        return Err(Corrupt(format!("offset {} follows {next}", header.base_offset)));
    }
    if header.last_offset() - base > i64::from(i32::MAX) {
        return Err(Corrupt(format!("offset {} is too far from the segment's base {base}", header.last_offset())));
    }
    Ok(())
}

/// Checks all batches of a segment, hands each good one to `visit`, rebuilds the indexes, and cuts the file behind the last
/// good one. Gives the offset behind it and whether anything was cut.
fn scan_segment(
    segment: &mut LogSegment,
    config: &LogConfig,
    mut visit: impl FnMut(u64, &BatchHeader, &[u8]) -> io::Result<()>,
) -> io::Result<(i64, bool)> {
    let base = segment.base_offset();
    let file = segment.log_file()?.clone();
    segment.reset_indexes()?;
    let mut reader = BatchReader::new(file.as_ref(), 0)?;
    let (file_len, mut next, mut valid) = (reader.file_len, base, 0u64);
    let damage = loop {
        match reader.next()? {
            None => break None,
            Some(Err(e)) => break Some(e),
            Some(Ok((position, header, bytes))) => {
                if let Err(e) = check_place(&header, base, next) {
                    break Some(e);
                }
                segment.note_batch(&header, position as u32, config.index_interval_bytes)?;
                if let Err(e) = visit(position, &header, bytes) {
                    if e.kind() == io::ErrorKind::InvalidData {
                        break Some(Corrupt(e.to_string()));
                    }
                    return Err(e);
                }
                next = header.next_offset();
                valid = position + header.size as u64;
            }
        }
    };
    segment.set_size(u32::try_from(valid).unwrap_or(u32::MAX));
    if let Some(what) = &damage {
        let (path, cut) = (segment.log_path(), file_len - valid);
        tracing::warn!(path = %path.display(), cut, next, "cutting the segment's end: {what}");
        file.set_len(valid)?;
        file.sync_data()?; // a later crash must not bring it back below the recovery point
    }
    segment.become_inactive()?;
    Ok((next, damage.is_some()))
}

/// Makes a sound segment's indexes anew, durably: it lies below the recovery point, where nobody will sync or check them
/// again, and retention would believe what a crash left of them.
pub(crate) fn rebuild_indexes(segment: &mut LogSegment, config: &LogConfig) -> io::Result<()> {
    scan_segment(segment, config, |_, _, _| Ok(()))?;
    let mut files = Vec::new();
    segment.files_to_sync(&mut files)?;
    files.iter().try_for_each(|file| file.sync_data())
}

impl Log {
    /// Checks the segments from `recovery_point` on, cuts behind the first bad batch, and rebuilds indexes, epochs and
    /// producers. `rebuild` are the bases of earlier segments whose indexes are bad. In a suspect directory the good
    /// batches are written anew.
    pub(crate) fn recover(
        &mut self,
        recovery_point: i64,
        rebuild: &[i64],
        hints: LoadHints,
        now: Now,
    ) -> io::Result<()> {
        let first = self.segment_of(recovery_point).unwrap_or(0);
        for segment in &mut self.segments[..first] {
            if rebuild.contains(&segment.base_offset()) {
                rebuild_indexes(segment, &self.config)?;
            }
        }
        let folder = self.folder.clone();
        let base = self.segments[first].base_offset();
        self.producers.reload(&folder, self.log_start_offset, base, now.wall_ms)?;
        self.replay_producers(base)?;

        // Settings may not be known yet when logs are opened: they are in the keeper.
        let joins_loosely = self.config.compact || hints.compacted;
        let mut next = base;
        for at in first..self.segments.len() {
            let (producers, epochs) = (&mut self.producers, &mut self.epochs);
            let start = self.segments[at].base_offset();
            if start < next {
                return Err(Corrupt(format!("segment {start} begins before offset {next} of the one before")).into());
            }
            let mut aborted = Vec::new();
            let file = self.segments[at].log_file()?.clone();
            let (end, cut) = scan_segment(&mut self.segments[at], &self.config, |position, header, batch| {
                if hints.suspect {
                    file.write_all_at(batch, position)?;
                }
                aborted.extend(producers.apply(header, &batch[HEADER_LEN..])?);
                if header.leader_epoch >= 0 && epochs.latest_epoch().is_none_or(|latest| latest < header.leader_epoch) {
                    epochs.assign(header.leader_epoch, header.base_offset);
                }
                Ok(())
            })?;
            self.segments[at].txn_index.reset()?;
            for txn in &aborted {
                self.segments[at].txn_index.append(txn)?;
            }
            next = end;
            if let Some(following) = self.segments.get(at + 1) {
                // Without compaction segments join: a gap means that this one lost its unsynced end without a trace.
                if cut || (next < following.base_offset() && !joins_loosely) {
                    self.drop_after(at)?;
                    break;
                }
                self.producers.update_map_end_offset(following.base_offset());
                self.producers.take_snapshot(&folder)?;
                self.segments[at].close_files();
            }
        }
        self.active_mut().close_files(); // a log that nobody uses holds no descriptors
        self.log_end_offset = next;
        self.producers.update_map_end_offset(next);
        self.recovery_point = recovery_point.min(next);
        Ok(())
    }

    /// Drops the segments behind the one at `at`, whose end was lost: what follows a hole is no part of the log.
    fn drop_after(&mut self, at: usize) -> io::Result<()> {
        let count = self.segments.len() - at - 1;
        tracing::warn!(partition = %self.topic_partition, count, "dropping the segments behind the damage");
        while self.segments.len() > at + 1 {
            if let Some(segment) = self.segments.pop() {
                segment.remove_files()?;
            }
        }
        self.folder.sync()
    }

    /// Applies the batches between the producers' state and `end` to it, reading headers and markers only.
    pub(crate) fn replay_producers(&mut self, end: i64) -> io::Result<()> {
        let from = self.producers.map_end_offset();
        if from < end {
            let first = self.segment_of(from).unwrap_or(0);
            for at in first..self.segments.len() {
                if self.segments[at].base_offset() >= end {
                    break;
                }
                self.replay_segment(at, from, end)?;
            }
        }
        self.producers.update_map_end_offset(end.max(from));
        Ok(())
    }

    fn replay_segment(&mut self, at: usize, from: i64, end: i64) -> io::Result<()> {
        let Some((start, _)) = self.segments[at].find_batch(from)? else { return Ok(()) };
        let producers = &mut self.producers;
        let mut markers = Vec::new();
        // Batches are applied in order, and a marker needs its body: gather headers up to one, then read it.
        self.segments[at].scan_headers(start, |position, header| {
            if header.base_offset >= end {
                return false;
            }
            if header.base_offset >= from && header.has_producer_id() {
                markers.push((position, *header));
            }
            true
        })?;
        for (position, header) in markers {
            let mut body = Vec::new();
            if header.is_control() {
                body.resize(header.size - HEADER_LEN, 0);
                self.segments[at].log_file()?.read_at(&mut body, u64::from(position) + HEADER_LEN as u64)?;
            }
            producers.apply(&header, &body)?;
        }
        Ok(())
    }
}
