//! The operating system's file system behind [`Disk`].

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use ottla_base::disk::{DirEntry, Disk, DiskFile, DiskLock, Metadata, OpenMode, Space};
use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, FlockOperation};
use rustix::io::Errno;

/// The real disk. Paths mean what they mean to the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let writes = mode != OpenMode::Read;
        let makes = matches!(mode, OpenMode::Create | OpenMode::Truncate);
        let file = OpenOptions::new()
            .read(true)
            .write(writes)
            .create(makes)
            .truncate(mode == OpenMode::Truncate)
            .open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let metadata = match fs::metadata(entry.path()) {
                Ok(metadata) => metadata,
                // Removed since, or a link that leads nowhere.
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(e),
            };
            entries.push(DirEntry {
                name: entry.file_name().to_string_lossy().into_owned(),
                is_dir: metadata.is_dir(),
                len: if metadata.is_dir() { 0 } else { metadata.len() },
            });
        }
        entries.sort();
        Ok(entries)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let metadata = fs::metadata(path)?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Metadata {
            is_dir: metadata.is_dir(),
            len: if metadata.is_dir() { 0 } else { metadata.len() },
            modified_ms: modified.as_millis() as i64,
        })
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        Ok(Box::new(RealLock::take(path)?))
    }

    fn space(&self, dir: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(dir)?;
        Ok(Space { total: stat.f_blocks * stat.f_frsize, usable: stat.f_bavail * stat.f_frsize })
    }
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < bytes.len() {
            match self.0.read_at(&mut bytes[done..], position + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, position)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn allocate(&self, position: u64, len: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.0, FallocateFlags::empty(), position, len) {
            // Not every file system reserves; the length must grow all the same.
            Err(Errno::OPNOTSUPP) if position + len > self.len()? => self.set_len(position + len),
            Err(Errno::OPNOTSUPP) => Ok(()),
            result => Ok(result?),
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

/// Files locked by this process, by device and inode. `fcntl` locks belong to a process and are lost when it closes
/// *any* descriptor of the file, so a second attempt must be refused before the file is opened.
static HELD: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

/// Both kinds of lock: `fcntl` is what Java's `FileLock` sees, `flock` guards where `fcntl` locks don't reach.
struct RealLock {
    _file: File,
    key: (u64, u64),
}

impl RealLock {
    fn take(path: &Path) -> io::Result<Self> {
        let mut held = HELD.lock();
        if let Ok(there) = fs::metadata(path)
            && held.contains(&(there.dev(), there.ino()))
        {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            // POSIX lets either of the two say "held by another".
            Err(Errno::ACCESS | Errno::AGAIN) => return Err(io::ErrorKind::WouldBlock.into()),
            result => result?,
        }
        let metadata = file.metadata()?;
        let key = (metadata.dev(), metadata.ino());
        held.insert(key);
        Ok(Self { _file: file, key })
    }
}

impl DiskLock for RealLock {}

impl Drop for RealLock {
    fn drop(&mut self) {
        HELD.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn keeps_to_the_suite() {
        let scratch = Scratch::new("real-disk");
        ottla_base::disk_suite::run(&RealDisk, &scratch.path().join("suite"));
    }

    #[test]
    fn a_refused_lock_leaves_the_first_one_in_force() {
        let scratch = Scratch::new("lock");
        let path = scratch.path().join(".lock");
        let first = RealDisk.lock(&path).expect("locks");
        assert!(RealDisk.lock(&path).is_err());
        // Another process asks, with the tool of util-linux where it is installed.
        let mut other = std::process::Command::new("flock");
        if let Ok(status) = other.arg("--nonblock").arg(&path).arg("true").status() {
            assert!(!status.success());
        }
        drop(first);
    }
}
