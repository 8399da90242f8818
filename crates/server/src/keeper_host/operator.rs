//! What an operator may have done to a running keeper that needs its files: a snapshot at once, and another tree in place
//! of its own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ottla_base::disk::{Disk, DiskFile, OpenMode};
use ottla_keeper::keeper_server::{KeeperServer, Output};
use ottla_keeper::snapshot::{self, FileSource};
use ottla_keeper::storage;

use super::{KeeperHost, Shared};
use crate::real_disk::RealDisk;

/// How long a snapshot that somebody waits for may take.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(300);
/// How often it is looked for.
const SNAPSHOT_POLL: Duration = Duration::from_millis(5);
/// Where a snapshot that comes from outside is kept until it was read; a start removes what begins like this.
const RECEIVED: &str = "unfinished-snapshot.received-";
/// Several may come at once.
static RECEIVED_COUNT: AtomicU64 = AtomicU64::new(0);

/// A file with a snapshot on its way in.
#[derive(Debug)]
pub(crate) struct ReceivedSnapshot {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    len: u64,
    most: u64,
}

impl ReceivedSnapshot {
    /// Refuses what would leave too little room for the keeper's own files.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.len + bytes.len() as u64 > self.most {
            return Err(io::Error::other(format!("it is larger than {} bytes, half of the free space", self.most)));
        }
        self.file.write_all_at(bytes, self.len)?;
        self.len += bytes.len() as u64;
        Ok(())
    }
}

impl Drop for ReceivedSnapshot {
    fn drop(&mut self) {
        if let Err(error) = RealDisk.remove_file(&self.path) {
            tracing::warn!("{} stays: {error}", self.path.display());
        }
    }
}

impl KeeperHost {
    /// Takes a snapshot and waits until it is on disk; gives its zxid and its file. Blocks.
    pub(crate) fn take_snapshot(&self) -> io::Result<(i64, PathBuf)> {
        let deadline = Instant::now() + SNAPSHOT_TIMEOUT;
        let zxid = loop {
            let begun = self.shared.operate(|server, outputs| {
                let zxid = server.db().last_zxid();
                // One that is under way is waited for: it may have begun before what is to be in this one.
                (!server.snapshot_running() && server.start_snapshot(outputs)).then_some(zxid)
            });
            if let Some(zxid) = begun {
                break zxid;
            }
            wait(deadline)?;
        };
        let path = self.shared.storage.snap_dir().join(format!("snapshot.{zxid:x}"));
        let written = |server: &mut KeeperServer| server.last_snapshot().is_some_and(|(last, _)| last == zxid);
        let failures = self.with_server(|server| server.stats().snapshot_errors);
        while self.with_server(|server| server.snapshot_running() || !written(server)) {
            if self.with_server(|server| server.stats().snapshot_errors != failures) {
                return Err(io::Error::other("the snapshot could not be written; the log says why"));
            }
            wait(deadline)?;
        }
        Ok((zxid, path))
    }

    /// A place for a snapshot that comes from outside.
    pub(crate) fn receive_snapshot(&self) -> io::Result<ReceivedSnapshot> {
        let dir = self.shared.storage.snap_dir();
        let number = RECEIVED_COUNT.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!("{RECEIVED}{number}"));
        let most = RealDisk.space(dir)?.usable / 2;
        let file = RealDisk.open(&path, OpenMode::Truncate)?;
        Ok(ReceivedSnapshot { path, file, len: 0, most })
    }

    /// Goes on from a snapshot: it is read, written as the newest of our own, and takes the tree's place. Gives the zxid
    /// that it has now. Blocks.
    pub(crate) fn restore(&self, received: &ReceivedSnapshot) -> io::Result<i64> {
        let began = self.now().mono_us;
        let options = self.with_server(|server| server.db().tree().options());
        let source = FileSource::new(Arc::clone(&received.file))?;
        let (mut database, info) = snapshot::read(source, 0, options).map_err(io::Error::other)?;
        if info.last_zxid.is_none() {
            return Err(io::Error::other("the snapshot does not say up to which transaction it goes (before 3.9)"));
        }
        let shared = &self.shared;
        let _exclusive = shared.naming.lock();
        shared.operate(|server, outputs| {
            if server.snapshot_running() {
                return Err(io::Error::other("a snapshot is being written; try again when it is there"));
            }
            // What has not got its name yet of the old tree is void.
            shared.generation.fetch_add(1, Ordering::AcqRel);
            server.prepare_restore(&mut database);
            // Before anybody can change the new tree: what is logged from now on follows this snapshot.
            shared.storage.save(&database).map_err(io::Error::other)?;
            let now = shared.clock.now();
            server.restore(now, database, outputs);
            let zxid = server.db().last_zxid();
            server.snapshot_written(now, zxid, now.mono_us.saturating_sub(began));
            server.stats_mut().restore_time.add(now.mono_us.saturating_sub(began));
            Ok(zxid)
        })
    }

    /// When the snapshot of a start was written, for `last_snapshot`.
    pub(crate) fn note_snapshot_found(&self) {
        let found = storage::snapshot_files(&RealDisk, self.shared.storage.snap_dir()).unwrap_or_default();
        if let Some((zxid, path)) = found.last()
            && let Some(written_ms) = modified_ms(path)
        {
            self.with_server(|server| server.snapshot_found(*zxid, written_ms));
        }
    }
}

impl Shared {
    /// Has something done to the server, and what follows from it.
    fn operate<T>(self: &Arc<Self>, act: impl FnOnce(&mut KeeperServer, &mut Vec<Output>) -> T) -> T {
        let machine = &mut *self.machine.lock();
        let mut outputs = Vec::new();
        let result = act(machine.server.keeper_mut(), &mut outputs);
        for output in outputs {
            self.carry_out(machine, output);
        }
        self.rearm(machine);
        result
    }
}

fn wait(deadline: Instant) -> io::Result<()> {
    if Instant::now() > deadline {
        return Err(io::Error::other("the snapshot takes too long"));
    }
    std::thread::sleep(SNAPSHOT_POLL);
    Ok(())
}

fn modified_ms(path: &Path) -> Option<i64> {
    let modified = std::fs::metadata(path).ok()?.modified().ok()?;
    let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}
