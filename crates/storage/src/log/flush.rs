//! Syncing to disk, in two steps so that the partition's mutex isn't held during the wait.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ottla_base::disk::DiskFile;
use ottla_base::time::Now;

use super::Log;
use crate::error::StorageError;
use crate::log_dir::LogDir;

/// What has to be synced so that everything below `offset` is durable. Run it without the log's mutex, then hand it to
/// [`Log::finish_flush`].
pub struct FlushJob {
    /// The recovery point when the job is done.
    pub offset: i64,
    log_dir: Arc<LogDir>,
    what: String,
    files: Vec<Arc<dyn DiskFile>>,
    folder: Option<PathBuf>,
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
            match &self.folder {
                Some(folder) => self.log_dir.disk().sync_dir(folder),
                None => Ok(()),
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
        if self.unflushed_records() <= 0 && !self.folder_dirty {
            return Ok(None);
        }
        self.guard("flush", |log| log.flush_job()).map(Some)
    }

    fn flush_job(&mut self) -> io::Result<FlushJob> {
        let first = self.segment_of(self.recovery_point).unwrap_or(0);
        let mut files = Vec::new();
        for segment in &mut self.segments[first..] {
            segment.files_to_sync(&mut files)?;
        }
        self.producers.unsynced_snapshots(&mut files);
        let folder = self.folder.clone();
        self.epochs.write_if_dirty(&folder)?;
        let folder = std::mem::take(&mut self.folder_dirty).then(|| self.folder.path());
        Ok(FlushJob {
            offset: self.log_end_offset,
            log_dir: self.log_dir().clone(),
            what: format!("{}: sync", self.topic_partition),
            files,
            folder,
        })
    }

    /// Takes note that `job` ran. The log may have been truncated meanwhile.
    pub fn finish_flush(&mut self, job: &FlushJob, now: Now) {
        self.recovery_point = self.recovery_point.max(job.offset.min(self.log_end_offset));
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
