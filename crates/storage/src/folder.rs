//! The folder of one log, shared by its segments and indexes: the one place that knows its path, so that renaming the
//! folder (topic deletion) reaches files that are opened later.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ottla_base::disk::{Disk, DiskFile, OpenMode};
use parking_lot::Mutex;

use crate::log_dir::{LogDir, offset_file_name};

/// A log's folder inside a log directory.
#[derive(Debug)]
pub struct Folder {
    log_dir: Arc<LogDir>,
    path: Mutex<PathBuf>,
}

impl Folder {
    #[must_use]
    pub fn new(log_dir: Arc<LogDir>, name: &str) -> Arc<Self> {
        let path = log_dir.path().join(name);
        Arc::new(Self { log_dir, path: Mutex::new(path) })
    }

    #[must_use]
    pub fn log_dir(&self) -> &Arc<LogDir> {
        &self.log_dir
    }

    #[must_use]
    pub fn disk(&self) -> &Arc<dyn Disk> {
        self.log_dir.disk()
    }

    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.path.lock().clone()
    }

    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.lock().join(name)
    }

    /// Renames the folder and makes that durable.
    pub fn rename(&self, name: &str) -> io::Result<()> {
        let mut path = self.path.lock();
        let to = self.log_dir.path().join(name);
        self.disk().rename(&path, &to)?;
        *path = to;
        self.disk().sync_dir(self.log_dir.path())
    }

    pub fn sync(&self) -> io::Result<()> {
        self.disk().sync_dir(&self.path())
    }

    /// Syncs the folder, unless it was removed meanwhile: a flush runs without the log's mutex, and a deletion of the topic
    /// in between is no failure of the disk.
    #[doc(alias = "flushDirIfExists")]
    pub fn sync_if_there(&self) -> io::Result<()> {
        loop {
            let path = self.path();
            match self.disk().sync_dir(&path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                other => return other,
            }
            if self.path() == path {
                return Ok(());
            }
        }
    }
}

/// Which file: an offset, a kind (`.log`, `.index`, …) and a suffix while it is not in its final place.
#[derive(Clone, Debug)]
pub struct FileName {
    pub folder: Arc<Folder>,
    pub base_offset: i64,
    pub kind: &'static str,
    pub suffix: &'static str,
}

impl FileName {
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let mut name = offset_file_name(self.base_offset, self.kind);
        name.push_str(self.suffix);
        self.folder.file(&name)
    }

    pub fn open(&self, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        self.folder.disk().open(&self.path(), mode)
    }

    /// Renames the file to carry `suffix`; a missing file is fine when `missing_ok`.
    pub fn change_suffix(&mut self, suffix: &'static str, missing_ok: bool) -> io::Result<()> {
        let from = self.path();
        self.suffix = suffix;
        match self.folder.disk().rename(&from, &self.path()) {
            Err(e) if missing_ok && e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Removes the file; a missing one is fine.
    pub fn remove(&self) -> io::Result<()> {
        remove_if_there(self.folder.disk().as_ref(), &self.path())
    }
}

/// Removes a file; a missing one is fine.
pub fn remove_if_there(disk: &dyn Disk, path: &std::path::Path) -> io::Result<()> {
    match disk.remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
