//! Syncing to disk, in two steps so that the partition's mutex isn't held during the wait.

use std::fmt;
use std::io;
use std::sync::Arc;

use ottla_base::disk::{DiskFile, OpenMode};
use ottla_base::time::Now;

use super::Log;
use crate::error::StorageError;
use crate::folder::Folder;
use crate::log_dir::LogDir;
use crate::partition_metadata::PARTITION_METADATA_FILE;

/// What has to be synced so that everything below `offset` is durable. Run it without the log's mutex, then hand it to
/// [`Log::finish_flush`].
pub struct FlushJob {
    /// The recovery point when the job is done.
    pub offset: i64,
    generation: u64,
    log_dir: Arc<LogDir>,
    what: String,
    files: Vec<Arc<dyn DiskFile>>,
    folder: Option<Arc<Folder>>,
    /// Changes of the folder's entries that the job covers.
    folder_changes: u64,
    /// The folder itself may be new in its log directory.
    folder_is_new: bool,
}

/// Changes of a folder's entries, and those that are known to be durable. Counted, because one job's sync may be under way
/// while another one, which must not rely on it, begins and ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FolderChanges {
    made: u64,
    synced: u64,
}

impl FolderChanges {
    pub(crate) fn note(&mut self) {
        self.made += 1;
    }

    pub(crate) fn is_dirty(self) -> bool {
        self.made > self.synced
    }

    /// The folder was synced, with the log's mutex held.
    pub(crate) fn settle(&mut self) {
        self.synced = self.made;
    }
}

impl fmt::Debug for FlushJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FlushJob({} to {})", self.what, self.offset)
    }
}

impl FlushJob {
    /// Syncs; a failure takes the directory offline.
    pub fn run(&self) -> Result<(), StorageError> {
        self.log_dir.guard(&self.what, || {
            for file in &self.files {
                file.sync_data()?;
            }
            if let Some(folder) = &self.folder {
                folder.sync_if_there()?;
            }
            match self.folder_is_new {
                true => self.log_dir.disk().sync_dir(self.log_dir.path()),
                false => Ok(()),
            }
        })
    }
}

impl Log {
    /// Records that are not known to be on disk.
    #[must_use]
    pub fn unflushed_records(&self) -> i64 {
        self.log_end_offset - self.recovery_point
    }

    #[must_use]
    pub fn last_flush_ms(&self) -> i64 {
        self.last_flush_ms
    }

    /// What has to be synced for everything appended so far; `None` when that is nothing.
    pub fn start_flush(&mut self) -> Result<Option<FlushJob>, StorageError> {
        if self.unflushed_records() <= 0 && !self.folder_changes.is_dirty() {
            return Ok(None);
        }
        let end = self.log_end_offset;
        self.guard("flush", |log| log.flush_job(end)).map(Some)
    }

    /// What has to be synced for the sealed segments, so that a restart needs to check the active one only; `None` when
    /// that is nothing.
    pub fn start_flush_sealed(&mut self) -> Result<Option<FlushJob>, StorageError> {
        let base = self.active().base_offset();
        if self.recovery_point >= base {
            return Ok(None);
        }
        self.guard("flush", |log| log.flush_job(base)).map(Some)
    }

    fn flush_job(&mut self, end: i64) -> io::Result<FlushJob> {
        // One that was sealed exactly at the recovery point got its last index entries after its sync.
        let first = self.segment_of(self.recovery_point.saturating_sub(1)).unwrap_or(0);
        let mut files = Vec::new();
        for segment in self.segments[first..].iter_mut().take_while(|s| s.base_offset() < end) {
            segment.files_to_sync(&mut files)?;
        }
        self.producers.unsynced_snapshots(&mut files);
        let folder = self.folder.clone();
        self.epochs.write_if_dirty(&folder)?;
        if self.is_unsynced && self.topic_id.is_some() {
            files.push(folder.disk().open(&folder.file(PARTITION_METADATA_FILE), OpenMode::ReadWrite)?);
        }
        let changes = self.folder_changes;
        Ok(FlushJob {
            offset: end,
            generation: self.generation,
            log_dir: self.log_dir().clone(),
            what: format!("{}: sync", self.topic_partition),
            files,
            folder: changes.is_dirty().then_some(folder),
            folder_changes: changes.made,
            folder_is_new: self.is_unsynced,
        })
    }

    /// Takes note that `job` ran. A log that was truncated meanwhile may have other records there, not synced yet.
    pub fn finish_flush(&mut self, job: &FlushJob, now: Now) {
        self.folder_changes.synced = self.folder_changes.synced.max(job.folder_changes);
        self.is_unsynced &= !job.folder_is_new;
        if self.generation == job.generation {
            self.recovery_point = self.recovery_point.max(job.offset);
            // Sealed and synced: nobody writes them any more, and a log may have thousands.
            self.close_sealed();
        }
        self.last_flush_ms = now.wall_ms;
    }

    /// Syncs everything appended so far, holding the mutex for as long as it takes.
    pub fn flush(&mut self, now: Now) -> Result<(), StorageError> {
        if let Some(job) = self.start_flush()? {
            job.run()?;
            self.finish_flush(&job, now);
        }
        Ok(())
    }
}
