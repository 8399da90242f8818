//! The files of a server of an ensemble: epochs, truncation, and a leader's snapshot in the place of everything.

use super::{KeeperStorage, StorageError, failed, snapshot_files};
use crate::database::Database;
use crate::ensemble::Restored;
use crate::txn_log::{LogReader, file_name, zxid_of_name};
use crate::zab::{self, Txn, journal::epoch_of};
use ottla_base::disk::OpenMode;
use std::collections::VecDeque;
use std::io;
use std::path::Path;

/// The file of the last leader's epoch whose history this server has.
pub const CURRENT_EPOCH: &str = "currentEpoch";
/// The file of the last epoch that this server promised to follow.
pub const ACCEPTED_EPOCH: &str = "acceptedEpoch";
/// A snapshot that takes the place of all others and of the logs: once it has this name, it happens. No ZooKeeper takes
/// it for a snapshot.
const INSTALLING: &str = "installing-snapshot";

impl KeeperStorage {
    /// Recovers a server of an ensemble: the tree, the epochs, and the last `retain` transactions
    /// (`commitLogCount`), from which learners that were away are brought up to date.
    #[doc(alias = "QuorumPeer.loadDataBase")]
    pub fn restore_ensemble(&self, retain: usize) -> Result<Restored, StorageError> {
        let mut tail: VecDeque<Txn> = VecDeque::new();
        let restored = self.restore_with(|zxid, bytes| {
            if tail.len() >= retain {
                tail.pop_front();
            }
            tail.push_back(Txn { zxid, data: bytes.into() });
        })?;
        let last_zxid = restored.database.last_zxid();
        let (accepted_epoch, current_epoch) = self.restore_epochs(last_zxid)?;
        let zab = zab::Restored {
            accepted_epoch,
            current_epoch,
            last_zxid,
            // Logs and snapshots before this one may be of another history, with a gap that no number tells of.
            floor: restored.snapshot_zxid,
            tail: tail.into(),
        };
        Ok(Restored { database: Box::new(restored.database), zab })
    }

    /// `acceptedEpoch` and `currentEpoch`, made when they are missing, and checked against each other and the data.
    fn restore_epochs(&self, last_zxid: i64) -> Result<(i64, i64), StorageError> {
        let of_data = epoch_of(last_zxid);
        let read = |name| match self.read_epoch(name)? {
            Some(epoch) => Ok(epoch),
            None => {
                tracing::info!("{name} is missing; the data's epoch {of_data} takes its place");
                self.write_epoch(name, of_data).map(|()| of_data)
            }
        };
        let mut current = read(CURRENT_EPOCH)?;
        let accepted = read(ACCEPTED_EPOCH)?;
        if accepted < current || accepted < of_data {
            return Err(StorageError::Unusable(format!(
                "{}: the accepted epoch {accepted} is less than the current epoch {current} or the data's epoch {of_data}: \
                 a file was lost or changed. Restore acceptedEpoch and currentEpoch; if no other server of the ensemble \
                 lacks anything, empty this server's data directory and let it start anew",
                self.snap_dir.display()
            )));
        }
        if current < of_data {
            // A crash while a leader's history was taken over. A history that ends in an epoch has all that the epoch
            // began with, so this is what the server may say it has.
            tracing::warn!("currentEpoch {current} is before {of_data}, the epoch of the data; taking the latter");
            self.write_epoch(CURRENT_EPOCH, of_data)?;
            current = of_data;
        }
        Ok((accepted, current))
    }

    /// Takes everything after `zxid` out of the logs, then the snapshots after it away. Durable when it returns; a crash
    /// in between leaves a history without holes that ends later.
    #[doc(alias = "FileTxnLog.truncate")]
    pub(crate) fn truncate(&self, zxid: i64) -> Result<(), StorageError> {
        for (first, path) in self.logs()?.into_iter().rev() {
            if first <= zxid {
                self.cut(&path, zxid).map_err(|error| failed(&path, error))?;
                break;
            }
            // One after the other, the last first, so that there is never a hole.
            self.remove(&path)?;
        }
        let snapshots = snapshot_files(&*self.disk, &self.snap_dir).map_err(|error| failed(&self.snap_dir, error))?;
        for (_, path) in snapshots.into_iter().rev().filter(|(at, _)| *at > zxid) {
            self.remove(&path)?;
        }
        Ok(())
    }

    fn cut(&self, path: &Path, zxid: i64) -> io::Result<()> {
        let mut reader = LogReader::open(self.disk.open(path, OpenMode::Read)?)?;
        let mut position = reader.position();
        while let Some(bytes) = reader.next_entry()? {
            if crate::txn::zxid_of(bytes).is_ok_and(|at| at > zxid) {
                let file = self.disk.open(path, OpenMode::ReadWrite)?;
                file.set_len(position)?;
                return file.sync_data();
            }
            position = reader.position();
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<(), StorageError> {
        let remove = || match self.disk.remove_file(path) {
            // Somebody purged it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => path.parent().map_or(Ok(()), |dir| self.disk.sync_dir(dir)),
        };
        remove().map_err(|error| failed(path, error))
    }

    /// Reads the tree again, after a truncation to `zxid`.
    pub(crate) fn reload(&self, zxid: i64) -> Result<Box<Database>, StorageError> {
        let database = self.restore_with(|_, _| ())?.database;
        if database.last_zxid() > zxid {
            return Err(StorageError::Unusable(format!(
                "{}: truncated to {zxid:#x}, but there is {:#x}",
                self.log_dir.display(),
                database.last_zxid()
            )));
        }
        Ok(Box::new(database))
    }

    /// Puts this state in the place of all snapshots and logs, at once even when there is a crash.
    pub(crate) fn install(&self, database: &Database) -> Result<(), StorageError> {
        self.save_as(INSTALLING, database)?;
        self.finish_install()
    }

    /// Ends what [`Self::install`] began, if anything. The old files go: they are of another history, perhaps with the
    /// same zxids, and nothing would tell that there is a hole between them and the snapshot.
    pub(super) fn finish_install(&self) -> Result<(), StorageError> {
        let entries = self.disk.list(&self.snap_dir).map_err(|error| failed(&self.snap_dir, error))?;
        let Some(zxid) = entries.iter().filter_map(|entry| zxid_of_name(&entry.name, INSTALLING)).max() else {
            return Ok(());
        };
        for (_, path) in self.logs()? {
            self.remove(&path)?;
        }
        let snapshots = snapshot_files(&*self.disk, &self.snap_dir).map_err(|error| failed(&self.snap_dir, error))?;
        for (_, path) in snapshots {
            self.remove(&path)?;
        }
        let (from, to) = (file_name(INSTALLING, zxid), file_name("snapshot", zxid));
        let rename = || {
            self.disk.rename(&self.snap_dir.join(from), &self.snap_dir.join(to))?;
            self.disk.sync_dir(&self.snap_dir)
        };
        rename().map_err(|error| failed(&self.snap_dir, error))
    }

    /// What to say when the log can't be written.
    pub(crate) fn log_failed(&self, error: io::Error) -> StorageError {
        failed(&self.log_dir, error)
    }
}
