//! A keeper's data directory (`FileTxnSnapLog`): what is in it, how a server starts from it, how snapshots get there
//! and old files go. What only a server of an ensemble does with its files is in [`ensemble`].

mod configurations;
mod ensemble;

pub use ensemble::{ACCEPTED_EPOCH, CURRENT_EPOCH};

use crate::data_tree::TreeOptions;
use crate::database::Database;
use crate::snapshot::{self, SnapshotError, SnapshotWriter};
use crate::txn_log::{self, LogOptions, SUSPECT_FILE, TxnLog, file_name, zxid_of_name};
use ottla_base::disk::{Disk, DiskFile, OpenMode};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder inside of `dataDir` and `dataLogDir`, named by the version of the formats.
const VERSION_DIR: &str = "version-2";
/// What an unfinished snapshot is called; no ZooKeeper takes it for one.
const UNFINISHED: &str = "unfinished-snapshot.";
/// Bytes of a suspect log that are written anew at once.
const REWRITE_BYTES: usize = 1 << 20;
/// Bytes of a snapshot that are written at once when nobody waits.
const SAVE_BYTES: usize = 1 << 20;

/// Why a data directory can't be used, with the remedy.
#[derive(Debug)]
pub enum StorageError {
    Io { path: PathBuf, error: io::Error },
    Unusable(String),
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Unusable(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for StorageError {}

/// Where and how.
#[derive(Clone, Debug)]
pub struct StorageConfig {
    /// `dataDir`
    pub data_dir: PathBuf,
    /// `dataLogDir`; the same as `data_dir` when not set.
    pub data_log_dir: PathBuf,
    pub log: LogOptions,
    /// `snapshotSizeFactor` in thousandths: how long a log may be, to a snapshot, that is sent in its place; `None` is never.
    pub snapshot_size_permille: Option<u64>,
    /// `extendedTypesEnabled`
    pub extended_types: bool,
    /// [`TreeOptions::name_seed`]: the host's, another one at each start.
    pub name_seed: u64,
    /// `snapshot.trust.empty`: logs without a snapshot are all right.
    pub trust_empty: bool,
}

impl StorageConfig {
    /// ZooKeeper's defaults for a directory.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let data_dir = data_dir.into();
        Self {
            data_log_dir: data_dir.clone(),
            data_dir,
            log: LogOptions::default(),
            snapshot_size_permille: Some(330),
            extended_types: false,
            name_seed: 0,
            trust_empty: false,
        }
    }
}

/// The files of a keeper.
#[derive(Clone, Debug)]
pub struct KeeperStorage {
    disk: Arc<dyn Disk>,
    config: StorageConfig,
    snap_dir: PathBuf,
    log_dir: PathBuf,
}

/// What a start found.
#[derive(Debug)]
pub struct Restored {
    pub database: Database,
    /// Zxid of the snapshot that was loaded.
    pub snapshot_zxid: i64,
    /// Transactions replayed on top.
    pub txns: u64,
}

impl KeeperStorage {
    /// Makes the directories when they are missing, and refuses those that hold something else.
    pub fn open(disk: Arc<dyn Disk>, config: StorageConfig) -> Result<Self, StorageError> {
        let snap_dir = config.data_dir.join(VERSION_DIR);
        let log_dir = config.data_log_dir.join(VERSION_DIR);
        let storage = Self { disk, config, snap_dir, log_dir };
        for dir in [&storage.snap_dir, &storage.log_dir] {
            storage.disk.create_dir_all(dir).map_err(|error| failed(dir, error))?;
            // The chain of new directories must be there after a crash too.
            for parent in dir.ancestors().skip(1).take(2).filter(|p| !p.as_os_str().is_empty()) {
                storage.disk.sync_dir(parent).map_err(|error| failed(parent, error))?;
            }
        }
        if storage.snap_dir != storage.log_dir {
            storage.refuse_mixed(&storage.snap_dir, "log", "dataDir", "logs")?;
            storage.refuse_mixed(&storage.log_dir, "snapshot", "dataLogDir", "snapshots")?;
        }
        Ok(storage)
    }

    fn refuse_mixed(&self, dir: &Path, prefix: &str, setting: &str, what: &str) -> Result<(), StorageError> {
        let entries = self.disk.list(dir).map_err(|error| failed(dir, error))?;
        if entries.iter().any(|entry| zxid_of_name(&entry.name, prefix).is_some()) {
            return Err(StorageError::Unusable(format!(
                "{} holds {what}: {setting} was probably changed; set dataDir and dataLogDir as they were, or move the files",
                dir.display()
            )));
        }
        Ok(())
    }

    #[must_use]
    pub fn snap_dir(&self) -> &Path {
        &self.snap_dir
    }

    #[must_use]
    pub fn log_dir(&self) -> &Path {
        &self.log_dir
    }

    /// The newest snapshot that is whole, and the log behind it. A torn end of the log is cut off; what is left is on
    /// disk before anybody sees it. An empty directory gets a first snapshot.
    pub fn restore(&self) -> Result<Restored, StorageError> {
        let mut restored = self.restore_with(|_, _| ())?;
        if let Some(promised) = restored.database.snapshot_digest.take() {
            tracing::warn!(
                "the log ends at {:#x}, before {:#x} where the snapshot {:#x} was finished",
                restored.database.last_zxid(),
                promised.zxid,
                restored.snapshot_zxid
            );
        }
        Ok(restored)
    }

    /// As [`Self::restore`]; `each` sees the replayed transactions (zxid and bytes). The tree may be ahead of the log: a
    /// server of an ensemble applies what a quorum has, its own log may be later.
    fn restore_with(&self, mut each: impl FnMut(i64, &[u8])) -> Result<Restored, StorageError> {
        self.remove_unfinished()?;
        self.finish_install()?;
        let (mut database, snapshot_zxid) = match self.load_snapshot()? {
            Some(loaded) => loaded,
            None => (Database::new(self.tree_options()), -1),
        };
        let has_logs = !self.logs()?.is_empty();
        if snapshot_zxid == -1 && has_logs && !self.config.trust_empty {
            let nothing = txn_log::replay(&*self.disk, &self.log_dir, 0, |_, _| Ok(()))
                .map_err(|error| failed(&self.log_dir, error))?;
            if nothing.txns > 0 {
                return Err(StorageError::Unusable(format!(
                    "{} has no snapshot, but {} has transactions: something was lost. Restore the snapshots, or set \
                     snapshot.trust.empty=true if this data never had one",
                    self.snap_dir.display(),
                    self.log_dir.display()
                )));
            }
        }
        let summary = txn_log::replay(&*self.disk, &self.log_dir, database.last_zxid(), |entry, bytes| {
            database.apply(entry, &mut ());
            each(entry.header.zxid, bytes);
            Ok(())
        })
        .map_err(|error| failed(&self.log_dir, error))?;
        self.settle_log(summary.torn.as_ref())?;
        database.remove_orphans();
        database.replayed_txns = summary.txns;
        if snapshot_zxid == -1 {
            self.save(&database)?;
        }
        Ok(Restored { database, snapshot_zxid: snapshot_zxid.max(0), txns: summary.txns })
    }

    /// Is what is acknowledged on the disk (`forceSync`)?
    #[must_use]
    pub fn force_sync(&self) -> bool {
        self.config.log.force_sync
    }

    /// A log for what comes after the restored state.
    #[must_use]
    pub fn log(&self) -> TxnLog {
        TxnLog::new(Arc::clone(&self.disk), self.log_dir.clone(), self.config.log)
    }

    /// A writer of snapshots; it may live on a thread of its own.
    #[must_use]
    pub fn snapshots(&self) -> SnapshotStore {
        SnapshotStore { disk: Arc::clone(&self.disk), dir: self.snap_dir.clone(), current: None }
    }

    fn tree_options(&self) -> TreeOptions {
        TreeOptions { extended_types: self.config.extended_types, name_seed: self.config.name_seed }
    }

    fn logs(&self) -> Result<Vec<(i64, PathBuf)>, StorageError> {
        txn_log::log_files(&*self.disk, &self.log_dir).map_err(|error| failed(&self.log_dir, error))
    }

    fn load_snapshot(&self) -> Result<Option<(Database, i64)>, StorageError> {
        let snapshots = snapshot_files(&*self.disk, &self.snap_dir).map_err(|error| failed(&self.snap_dir, error))?;
        let mut last_error = None;
        for (zxid, path) in snapshots.iter().rev() {
            match self.read_snapshot(path, *zxid) {
                Ok(database) => return Ok(Some((database, *zxid))),
                Err(SnapshotError::Io(error)) => return Err(failed(path, error)),
                Err(SnapshotError::Invalid(what)) => {
                    tracing::warn!("{}: {what}; trying the one before", path.display());
                    last_error = Some(format!("{}: {what}", path.display()));
                }
            }
        }
        match last_error {
            None => Ok(None),
            Some(what) => Err(StorageError::Unusable(format!(
                "no valid snapshot in {} (the last one tried: {what}); restore one from another server or a backup",
                self.snap_dir.display()
            ))),
        }
    }

    fn read_snapshot(&self, path: &Path, zxid: i64) -> Result<Database, SnapshotError> {
        snapshot::read_file(&*self.disk, path, zxid, self.tree_options()).map(|(database, _)| database)
    }

    /// Cuts a torn end off and makes what was read durable: it will be served, so it may not vanish any more.
    fn settle_log(&self, torn: Option<&(PathBuf, u64, String)>) -> Result<(), StorageError> {
        if let Some((path, position, what)) = torn {
            tracing::warn!("{}: {what}, as a crash leaves it; cut off", path.display());
            let cut = || -> io::Result<()> {
                let file = self.disk.open(path, OpenMode::ReadWrite)?;
                file.set_len(*position)?;
                file.sync_data()
            };
            cut().map_err(|error| failed(path, error))?;
        }
        let marker = self.log_dir.join(SUSPECT_FILE);
        let suspect = self.disk.exists(&marker).map_err(|error| failed(&marker, error))?;
        if let Some((_, path)) = self.logs()?.last() {
            let settle = || {
                let file = self.disk.open(path, OpenMode::ReadWrite)?;
                if suspect {
                    tracing::warn!("writing {} failed before; writing what was read of it anew", path.display());
                    rewrite(&*file)?;
                }
                file.sync_data()
            };
            settle().map_err(|error| failed(path, error))?;
            self.disk.sync_dir(&self.log_dir).map_err(|error| failed(&self.log_dir, error))?;
        }
        if suspect {
            self.disk.remove_file(&marker).map_err(|error| failed(&marker, error))?;
        }
        Ok(())
    }

    /// Writes a snapshot in one go.
    pub fn save(&self, database: &Database) -> Result<(), StorageError> {
        self.save_as("snapshot", database)
    }

    /// Writes a snapshot whose name begins with `prefix`.
    fn save_as(&self, prefix: &str, database: &Database) -> Result<(), StorageError> {
        let mut store = self.snapshots();
        let result = (|| -> io::Result<()> {
            store.begin(database.last_zxid())?;
            let mut writer = SnapshotWriter::new();
            loop {
                let mut chunk = Vec::new();
                let done = writer.step(database, SAVE_BYTES, &mut chunk);
                store.chunk(&chunk)?;
                if done {
                    return store.end_as(prefix).map(drop);
                }
            }
        })();
        result.map_err(|error| failed(&self.snap_dir, error))
    }

    fn remove_unfinished(&self) -> Result<(), StorageError> {
        for entry in self.disk.list(&self.snap_dir).map_err(|error| failed(&self.snap_dir, error))? {
            if entry.name.starts_with(UNFINISHED) {
                let path = self.snap_dir.join(&entry.name);
                self.disk.remove_file(&path).map_err(|error| failed(&path, error))?;
            }
        }
        Ok(())
    }

    /// Removes snapshots but the newest `retain` (at least 3, as ZooKeeper insists), and the logs that none of those
    /// needs; gives the removed files.
    #[doc(alias = "PurgeTxnLog")]
    pub fn purge(&self, retain: usize) -> Result<Vec<PathBuf>, StorageError> {
        let snapshots = snapshot_files(&*self.disk, &self.snap_dir).map_err(|error| failed(&self.snap_dir, error))?;
        let retain = retain.max(3);
        if snapshots.len() <= retain {
            return Ok(Vec::new());
        }
        let oldest_kept = snapshots[snapshots.len() - retain].0;
        let logs = self.logs()?;
        // The last log that begins at or before the oldest snapshot kept holds what follows it.
        let first_log = logs.iter().rev().map(|(zxid, _)| *zxid).find(|zxid| *zxid <= oldest_kept).unwrap_or(0);
        let old = snapshots
            .into_iter()
            .filter(|(zxid, _)| *zxid < oldest_kept)
            .chain(logs.into_iter().filter(|(zxid, _)| *zxid < first_log))
            .map(|(_, path)| path);
        let mut removed = Vec::new();
        for path in old {
            self.disk.remove_file(&path).map_err(|error| failed(&path, error))?;
            tracing::info!("removed {}", path.display());
            removed.push(path);
        }
        Ok(removed)
    }

    /// Bytes of snapshots and of logs.
    pub fn sizes(&self) -> Result<(u64, u64), StorageError> {
        let size = |dir: &Path, prefix: &str| -> Result<u64, StorageError> {
            let entries = self.disk.list(dir).map_err(|error| failed(dir, error))?;
            Ok(entries.iter().filter(|e| zxid_of_name(&e.name, prefix).is_some()).map(|e| e.len).sum())
        };
        Ok((size(&self.snap_dir, "snapshot")?, size(&self.log_dir, "log")?))
    }

    /// Reads `currentEpoch` or `acceptedEpoch`; `None` when the file is missing.
    pub fn read_epoch(&self, name: &str) -> Result<Option<i64>, StorageError> {
        let path = self.snap_dir.join(name);
        if !self.disk.exists(&path).map_err(|error| failed(&path, error))? {
            return Ok(None);
        }
        let bytes = self.disk.read(&path).map_err(|error| failed(&path, error))?;
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        match text.parse() {
            Ok(epoch) => Ok(Some(epoch)),
            Err(_) => Err(StorageError::Unusable(format!("{}: {text:?} is not an epoch", path.display()))),
        }
    }

    /// Writes `currentEpoch` or `acceptedEpoch` durably.
    pub fn write_epoch(&self, name: &str, epoch: i64) -> Result<(), StorageError> {
        let path = self.snap_dir.join(name);
        self.disk.write_atomic(&path, epoch.to_string().as_bytes()).map_err(|error| failed(&path, error))
    }
}

/// Writes every byte of a file again where it is, so that the next sync covers all of it.
fn rewrite(file: &dyn DiskFile) -> io::Result<()> {
    let mut buffer = vec![0; REWRITE_BYTES];
    let mut position = 0;
    loop {
        let read = file.read_at(&mut buffer, position)?;
        if read == 0 {
            return Ok(());
        }
        file.write_all_at(&buffer[..read], position)?;
        position += read as u64;
    }
}

fn failed(path: &Path, error: io::Error) -> StorageError {
    if error.kind() == io::ErrorKind::InvalidData {
        return StorageError::Unusable(error.to_string());
    }
    StorageError::Io { path: path.to_owned(), error }
}

/// Snapshots of a directory by zxid, in order.
pub fn snapshot_files(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<(i64, PathBuf)>> {
    let mut files: Vec<(i64, PathBuf)> = disk
        .list(dir)?
        .into_iter()
        .filter(|entry| !entry.is_dir)
        .filter_map(|entry| zxid_of_name(&entry.name, "snapshot").map(|zxid| (zxid, dir.join(&entry.name))))
        .collect();
    files.sort_unstable();
    Ok(files)
}

/// Writes snapshots chunk by chunk: under another name until they are whole and on disk.
#[derive(Debug)]
pub struct SnapshotStore {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    current: Option<(i64, Arc<dyn DiskFile>, u64)>,
}

impl SnapshotStore {
    pub fn begin(&mut self, zxid: i64) -> io::Result<()> {
        let file = self.disk.open(&self.unfinished(zxid), OpenMode::Truncate)?;
        self.current = Some((zxid, file, 0));
        Ok(())
    }

    pub fn chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some((_, file, position)) = &mut self.current {
            file.write_all_at(bytes, *position)?;
            *position += bytes.len() as u64;
        }
        Ok(())
    }

    /// Gives the snapshot its name once it is on disk; returns its path.
    pub fn end(&mut self) -> io::Result<Option<PathBuf>> {
        self.end_as("snapshot")
    }

    fn end_as(&mut self, prefix: &str) -> io::Result<Option<PathBuf>> {
        let Some((zxid, file, _)) = self.current.take() else { return Ok(None) };
        file.sync_data()?;
        let path = self.dir.join(file_name(prefix, zxid));
        self.disk.rename(&self.unfinished(zxid), &path)?;
        self.disk.sync_dir(&self.dir)?;
        Ok(Some(path))
    }

    /// Throws away what there is of it.
    pub fn abort(&mut self) -> io::Result<()> {
        let Some((zxid, _, _)) = self.current.take() else { return Ok(()) };
        self.disk.remove_file(&self.unfinished(zxid))
    }

    fn unfinished(&self, zxid: i64) -> PathBuf {
        self.dir.join(format!("{UNFINISHED}{zxid:x}"))
    }
}
