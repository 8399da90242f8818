//! The one way in which storage and keeper reach bytes on a disk.
//!
//! What we assume of a disk: a write that returned is seen by later reads of the same process; it survives a crash only
//! after [`DiskFile::sync_data`] returned; a rename, creation or removal survives only after [`Disk::sync_dir`] of its
//! directory; a rename replaces its target in one step; after a failed sync nothing is known of the unsynced bytes, so
//! the caller gives the whole directory up and never tries again.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Existing file, reads only.
    Read,
    /// Existing file, reads and writes.
    ReadWrite,
    /// Reads and writes; made when missing, kept when there.
    Create,
    /// Reads and writes; made when missing, emptied when there.
    Truncate,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    pub name: String,
    pub is_dir: bool,
    /// Length in bytes (files).
    pub len: u64,
}

/// What is known of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub is_dir: bool,
    /// Length in bytes (files).
    pub len: u64,
    /// Last modification, milliseconds since 1970.
    pub modified_ms: i64,
}

/// Bytes of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    pub usable: u64,
}

/// Held while a lock file is locked; unlocks when dropped.
pub trait DiskLock: Send + Sync {}

/// A file system, real or simulated. All errors are the operating system's.
pub trait Disk: Send + Sync + fmt::Debug {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;
    /// Entries of `dir`, sorted by name.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    fn remove_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in `dir` durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes the exclusive lock of `path` (made when missing); `WouldBlock` when another holder has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;
    fn space(&self, dir: &Path) -> io::Result<Space>;

    /// True when something is at `path`; an error other than "not found" is passed on.
    fn exists(&self, path: &Path) -> io::Result<bool> {
        match self.metadata(path) {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// The whole of a small file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path, OpenMode::Read)?;
        let mut bytes = vec![0; file.len()? as usize];
        let read = file.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Replaces `path` by `bytes` in one durable step: written beside it as `<path>.tmp`, synced, renamed, and the
    /// directory synced.
    fn write_atomic(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut tmp = path.as_os_str().to_owned();
        tmp.push(".tmp");
        let tmp = Path::new(&tmp);
        let file = self.open(tmp, OpenMode::Truncate)?;
        file.write_all_at(bytes, 0)?;
        file.sync_data()?;
        self.rename(tmp, path)?;
        match path.parent() {
            Some(dir) => self.sync_dir(dir),
            None => Ok(()),
        }
    }
}

/// An open file. Positions are absolute; there is no cursor, so a file is shared between threads freely.
#[allow(clippy::len_without_is_empty)]
pub trait DiskFile: Send + Sync + fmt::Debug {
    fn len(&self) -> io::Result<u64>;
    /// Reads at `position` until `bytes` is full or the file ends; gives the count read.
    fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize>;
    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()>;
    /// Cuts the file, or extends it by zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes the content and length durable (`fdatasync`).
    fn sync_data(&self) -> io::Result<()>;
    /// Reserves blocks for `len` bytes at `position`, which read as zeros; the length grows to cover them.
    fn allocate(&self, position: u64, len: u64) -> io::Result<()>;
    /// The descriptor for `sendfile`; `None` on a simulated disk.
    fn fd(&self) -> Option<BorrowedFd<'_>>;
}

/// A piece of a file that an answer carries instead of its bytes.
#[doc(alias = "FileRecords")]
#[derive(Clone, Debug)]
pub struct FileSlice {
    pub file: Arc<dyn DiskFile>,
    /// First byte.
    pub position: u64,
    /// Length in bytes.
    pub len: usize,
}

impl FileSlice {
    /// The bytes themselves: where `sendfile` can't be used (TLS, simulation, tests). `UnexpectedEof` when the file is
    /// shorter than the slice.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.len];
        if self.file.read_at(&mut bytes, self.position)? == self.len {
            Ok(bytes)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}
