//! A disk in memory for tests and the simulator: everything a real one may do to us happens here by seed or by order.
//!
//! What a crash may leave is what [`crate::disk`] assumes and no more: unsynced content is lost, kept or torn between
//! sectors of 512 bytes, an unsynced length lies anywhere between the old and the new one, unsynced directory changes
//! are lost one by one. The same seed and the same calls give the same bytes. One state under one lock: sharing
//! between threads is allowed, but then the order of the calls is not ours.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::{DirEntry, Disk, DiskFile, DiskLock, Metadata, OpenMode, Space};
use crate::random::Random;

mod content;
mod fault;
mod tree;

use fault::Faults;
pub use fault::{Call, EIO, ENOSPC, Fault};
use tree::{FileNode, Node, Tree};

/// Size that [`Disk::space`] gives when no capacity is set, in bytes.
const BOUNDLESS: u64 = 1 << 50;

/// Calls made so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub opens: u64,
    pub reads: u64,
    pub bytes_read: u64,
    pub writes: u64,
    pub bytes_written: u64,
    pub syncs: u64,
}

impl std::ops::AddAssign<&Counters> for Counters {
    fn add_assign(&mut self, other: &Counters) {
        self.opens += other.opens;
        self.reads += other.reads;
        self.bytes_read += other.bytes_read;
        self.writes += other.writes;
        self.bytes_written += other.bytes_written;
        self.syncs += other.syncs;
    }
}

#[derive(Debug)]
struct State {
    tree: Tree,
    random: Random,
    faults: Faults,
    capacity: Option<u64>,
    used: u64,
    /// Grows with every crash; a handle of an older one is dead.
    incarnation: u64,
    locks: BTreeSet<PathBuf>,
    counters: BTreeMap<PathBuf, Counters>,
    wall_ms: i64,
}

impl State {
    fn check(&mut self, call: Call, path: &Path) -> io::Result<()> {
        self.faults.check(call, path, &mut self.random)
    }

    fn count(&mut self, path: &Path) -> &mut Counters {
        if !self.counters.contains_key(path) {
            self.counters.insert(path.to_owned(), Counters::default());
        }
        self.counters.entry(path.to_owned()).or_default()
    }

    fn forget(&mut self, node: Option<Node>) {
        if let Some(Node::File(file)) = node {
            let mut file = file.lock();
            if std::mem::take(&mut file.linked) {
                self.used -= file.content.used();
            }
        }
    }

    /// Runs `edit` on a file and keeps the count of used bytes right.
    fn edit<T>(&mut self, file: &mut FileNode, edit: impl FnOnce(&mut FileNode) -> T) -> T {
        let before = file.content.used();
        let result = edit(file);
        if file.linked {
            self.used = self.used - before + file.content.used();
        }
        file.modified_ms = self.wall_ms;
        result
    }

    fn room(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used))
    }
}

/// The simulated disk; clones share it.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    /// An empty disk whose every accident follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            tree: Tree::default(),
            random: Random::new(seed),
            faults: Faults::default(),
            capacity: None,
            used: 0,
            incarnation: 0,
            locks: BTreeSet::new(),
            counters: BTreeMap::new(),
            wall_ms: 0,
        })))
    }

    /// Cuts the power: what was not synced is lost, kept or torn; open files err from now on; locks and faults are
    /// gone.
    pub fn crash(&self) {
        let state = &mut *self.0.lock();
        state.incarnation += 1;
        state.locks.clear();
        state.faults = Faults::default();
        state.tree.crash(&mut state.random);
        state.used = state.tree.files().map(|file| file.lock().content.used()).sum();
    }

    /// Kills the process but not the machine: everything written stays, open files err, locks are gone.
    pub fn kill(&self) {
        let state = &mut *self.0.lock();
        state.incarnation += 1;
        state.locks.clear();
        state.faults = Faults::default();
    }

    /// Makes everything durable, as an orderly unmount does.
    pub fn sync_all(&self) {
        let state = &mut *self.0.lock();
        state.tree.sync_all();
        for file in state.tree.files() {
            file.lock().content.sync();
        }
    }

    /// Adds a rule by which calls fail.
    pub fn inject(&self, fault: Fault) {
        self.0.lock().faults.rules.push(fault);
    }

    /// After `calls` more calls that change the disk (writes, syncs, directory changes), all such calls fail; a write
    /// that fails so may have done a part of its work. `None` ends it.
    pub fn fail_after(&self, calls: Option<u64>) {
        let faults = &mut self.0.lock().faults;
        (faults.calls_left, faults.spent) = (calls, false);
    }

    /// True once a call failed because of [`SimDisk::fail_after`]: what the caller did from then on may be taken as not
    /// done at all, which makes of the failure a crash in the midst of a call.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.0.lock().faults.spent
    }

    /// Ends all rules.
    pub fn heal(&self) {
        self.0.lock().faults = Faults::default();
    }

    /// Bounds the disk: writes beyond give `ENOSPC`.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.0.lock().capacity = bytes;
    }

    /// The time that changed files get, in milliseconds since 1970.
    pub fn set_time_ms(&self, wall_ms: i64) {
        self.0.lock().wall_ms = wall_ms;
    }

    /// Turns bit `bit` (0-7) of the byte at `position` over, durably.
    pub fn flip_bit(&self, path: &Path, position: u64, bit: u8) -> io::Result<()> {
        let state = &mut *self.0.lock();
        match state.tree.find(path)? {
            Node::File(file) => {
                state.edit(&mut file.lock(), |file| file.content.flip(position, bit));
                Ok(())
            }
            Node::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    /// Turns a random bit of a file over; gives the position of its byte, `None` when the file is empty.
    pub fn flip_random_bit(&self, path: &Path) -> io::Result<Option<u64>> {
        let len = self.metadata(path)?.len;
        if len == 0 {
            return Ok(None);
        }
        let (position, bit) = {
            let random = &mut self.0.lock().random;
            (random.below(len), random.below(8) as u8)
        };
        self.flip_bit(path, position, bit)?;
        Ok(Some(position))
    }

    /// Calls so far on paths that contain `path_contains` ("" for all).
    #[must_use]
    pub fn counters(&self, path_contains: &str) -> Counters {
        let state = self.0.lock();
        let mut sum = Counters::default();
        for (path, counters) in &state.counters {
            if path.to_string_lossy().contains(path_contains) {
                sum += counters;
            }
        }
        sum
    }

    /// Starts counting anew.
    pub fn reset_counters(&self) {
        self.0.lock().counters.clear();
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let state = &mut *self.0.lock();
        state.check(Call::Open, path)?;
        state.count(path).opens += 1;
        let node = match (state.tree.find(path), mode) {
            (Ok(Node::Dir(_)), _) => return Err(io::ErrorKind::IsADirectory.into()),
            (Ok(Node::File(node)), OpenMode::Truncate) => {
                state.edit(&mut node.lock(), |file| file.content.set_len(0));
                node
            }
            (Ok(Node::File(node)), _) => node,
            (Err(e), OpenMode::Create | OpenMode::Truncate) if e.kind() == io::ErrorKind::NotFound => {
                state.check(Call::Dir, path)?;
                state.tree.create_file(path, state.wall_ms)?
            }
            (Err(e), _) => return Err(e),
        };
        Ok(Arc::new(SimFile {
            disk: Arc::clone(&self.0),
            node,
            path: path.to_owned(),
            incarnation: state.incarnation,
            writable: mode != OpenMode::Read,
        }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let state = &mut *self.0.lock();
        state.check(Call::Read, dir)?;
        let entries = state.tree.entries(state.tree.find_dir(dir)?)?;
        Ok(entries
            .iter()
            .map(|(name, node)| match node {
                Node::File(file) => DirEntry { name: name.clone(), is_dir: false, len: file.lock().content.len() },
                Node::Dir(_) => DirEntry { name: name.clone(), is_dir: true, len: 0 },
            })
            .collect())
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let state = &mut *self.0.lock();
        state.check(Call::Read, path)?;
        Ok(match state.tree.find(path)? {
            Node::File(file) => {
                let file = file.lock();
                Metadata { is_dir: false, len: file.content.len(), modified_ms: file.modified_ms }
            }
            Node::Dir(_) => Metadata { is_dir: true, len: 0, modified_ms: 0 },
        })
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let state = &mut *self.0.lock();
        if state.tree.find_dir(dir).is_ok() {
            return Ok(());
        }
        state.check(Call::Dir, dir)?;
        state.tree.create_dir_all(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let state = &mut *self.0.lock();
        state.check(Call::Dir, to)?;
        let replaced = state.tree.rename(from, to)?;
        state.forget(replaced);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let state = &mut *self.0.lock();
        state.check(Call::Dir, path)?;
        let removed = state.tree.remove_file(path)?;
        state.forget(Some(removed));
        Ok(())
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        let state = &mut *self.0.lock();
        state.check(Call::Dir, dir)?;
        for removed in state.tree.remove_dir_all(dir)? {
            state.forget(Some(removed));
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let state = &mut *self.0.lock();
        state.check(Call::Dir, dir)?;
        let id = state.tree.find_dir(dir)?;
        state.tree.sync_dir(id);
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.open(path, OpenMode::Create)?;
        let mut state = self.0.lock();
        if !state.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let incarnation = state.incarnation;
        Ok(Box::new(SimLock { disk: Arc::clone(&self.0), path: path.to_owned(), incarnation }))
    }

    fn space(&self, dir: &Path) -> io::Result<Space> {
        let state = self.0.lock();
        state.tree.find(dir)?;
        let total = state.capacity.unwrap_or(BOUNDLESS);
        Ok(Space { total, usable: total.saturating_sub(state.used) })
    }
}

#[derive(Debug)]
struct SimFile {
    disk: Arc<Mutex<State>>,
    node: Arc<Mutex<FileNode>>,
    path: PathBuf,
    incarnation: u64,
    writable: bool,
}

impl SimFile {
    /// The disk, when this handle is of its present incarnation.
    fn alive(&self) -> io::Result<parking_lot::MutexGuard<'_, State>> {
        let state = self.disk.lock();
        if state.incarnation == self.incarnation { Ok(state) } else { Err(io::Error::from_raw_os_error(EIO)) }
    }

    fn writable(&self) -> io::Result<parking_lot::MutexGuard<'_, State>> {
        if self.writable { self.alive() } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        let _state = self.alive()?;
        Ok(self.node.lock().content.len())
    }

    fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        let mut state = self.alive()?;
        state.check(Call::Read, &self.path)?;
        let count = self.node.lock().content.read(bytes, position);
        let counters = state.count(&self.path);
        counters.reads += 1;
        counters.bytes_read += count as u64;
        Ok(count)
    }

    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        let state = &mut *self.writable()?;
        let mut file = self.node.lock();
        let mut outcome = state.check(Call::Write, &self.path);
        let mut written = bytes.len();
        if outcome.is_err() {
            written = state.random.index(bytes.len() + 1);
        } else if file.content.growth(position, written) > state.room() {
            outcome = Err(io::Error::from_raw_os_error(ENOSPC));
            while written > 0 && file.content.growth(position, written) > state.room() {
                written = written.saturating_sub(512);
            }
        }
        state.edit(&mut file, |file| file.content.write(&bytes[..written], position));
        let counters = state.count(&self.path);
        counters.writes += 1;
        counters.bytes_written += written as u64;
        outcome
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let state = &mut *self.writable()?;
        state.check(Call::Write, &self.path)?;
        state.edit(&mut self.node.lock(), |file| file.content.set_len(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let state = &mut *self.alive()?;
        let mut file = self.node.lock();
        state.count(&self.path).syncs += 1;
        if let Err(e) = state.check(Call::Sync, &self.path) {
            // A process that dies in the call leaves the pages to a later sync; a failed sync has dropped them.
            if !state.faults.spent {
                file.content.sync_failed();
            }
            return Err(e);
        }
        file.content.sync();
        Ok(())
    }

    fn allocate(&self, position: u64, len: u64) -> io::Result<()> {
        let state = &mut *self.writable()?;
        state.check(Call::Write, &self.path)?;
        let mut file = self.node.lock();
        if (position + len).saturating_sub(file.content.used()) > state.room() {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        state.edit(&mut file, |file| file.content.allocate(position, len));
        Ok(())
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

struct SimLock {
    disk: Arc<Mutex<State>>,
    path: PathBuf,
    incarnation: u64,
}

impl DiskLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.lock();
        if state.incarnation == self.incarnation {
            state.locks.remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
