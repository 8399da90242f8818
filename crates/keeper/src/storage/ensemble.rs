//! The files of a server of an ensemble: epochs, truncation, and a leader's snapshot in the place of everything.

use super::{KeeperStorage, StorageError, failed, snapshot_files};
use crate::database::Database;
use crate::ensemble::Restored;
use crate::txn_log::{self, LogReader, file_name, zxid_of_name};
use crate::zab::{self, Txn, journal::epoch_of};
use ottla_base::disk::OpenMode;
use ottla_base::limits::LOG_DIFFERENCE_BYTES;
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
        let mut configurations = Vec::new();
        let restored = self.restore_with(|zxid, bytes| {
            configurations.extend(zab::membership::configuration_of(bytes).map(<[u8]>::to_vec));
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
        Ok(Restored { database: Box::new(restored.database), zab, configurations, overtaken: Vec::new() })
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

    /// The transactions of the log files from this one on, up to their end; none when the files don't reach back so far, when
    /// they can't be read, or when a snapshot is the shorter way (`snapshotSizeFactor`, [`LOG_DIFFERENCE_BYTES`]).
    #[doc(alias = "ZKDatabase.getProposalsFromTxnLog")]
    pub(crate) fn txns_from(&self, zxid: i64) -> Vec<Txn> {
        self.try_txns_from(zxid).unwrap_or_else(|error| {
            // Purged meanwhile, perhaps; there is always the snapshot.
            tracing::warn!("{}: can't be read for a learner: {error}", self.log_dir.display());
            Vec::new()
        })
    }

    fn try_txns_from(&self, zxid: i64) -> io::Result<Vec<Txn>> {
        let Some(permille) = self.config.snapshot_size_permille else { return Ok(Vec::new()) };
        let mut limit = LOG_DIFFERENCE_BYTES;
        if let Some((_, path)) = snapshot_files(&*self.disk, &self.snap_dir)?.last()
            && permille > 0
        {
            limit = limit.min(self.disk.metadata(path)?.len.saturating_mul(permille) / 1_000);
        }
        let logs = txn_log::log_files(&*self.disk, &self.log_dir)?;
        // A file is called by its first transaction.
        let Some(first) = logs.partition_point(|(first, _)| *first <= zxid).checked_sub(1) else {
            return Ok(Vec::new());
        };
        let mut txns = Vec::new();
        for (_, path) in &logs[first..] {
            let mut reader = LogReader::open(self.disk.open(path, OpenMode::Read)?)?;
            while let Some(bytes) = reader.next_entry()? {
                let Some(at) = crate::txn::zxid_of(bytes).ok().filter(|at| *at >= zxid) else { continue };
                let Some(left) = limit.checked_sub(bytes.len() as u64) else { return Ok(Vec::new()) };
                limit = left;
                txns.push(Txn { zxid: at, data: bytes.into() });
            }
        }
        Ok(txns)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ensemble::{Entry, Job, JournalWriter};
    use crate::jute::Jute;
    use crate::proto::{OPEN_ACL, OpCode};
    use crate::storage::StorageConfig;
    use crate::txn::{CreateTxn, TxnHeader};
    use crate::{acl, acl::AclList};
    use ottla_base::disk::Disk;
    use ottla_base::sim_disk::SimDisk;
    use std::sync::Arc;

    fn storage(disk: &SimDisk) -> KeeperStorage {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        KeeperStorage::open(disk, StorageConfig::new("/zk")).expect("opens")
    }

    /// The creation of `/n<zxid>`.
    fn txn(zxid: i64) -> Txn {
        let mut data = TxnHeader { zxid, time: 1, txn_type: OpCode::Create.code(), ..Default::default() }.to_bytes();
        let list = acl::encode(&[OPEN_ACL]);
        let path = format!("/n{zxid:x}");
        let acl = AclList::from_encoded(&list);
        CreateTxn { path: &path, data: None, acl, ephemeral: false, parent_cversion: -1 }.write(&mut data);
        Txn { zxid, data: data.into() }
    }

    fn database(zxids: impl Iterator<Item = i64>) -> Box<Database> {
        let mut db = Database::new(false);
        for zxid in zxids {
            db.apply(&crate::txn::TxnEntry::decode(&txn(zxid).data).expect("good"), &mut ());
        }
        Box::new(db)
    }

    fn carry_out(storage: &KeeperStorage, jobs: Vec<Job>) -> Result<Option<Box<Database>>, StorageError> {
        let entries = jobs.into_iter().zip(1..).map(|(job, ticket)| Entry { ticket, job });
        Ok(JournalWriter::new(storage).carry_out(entries)?.and_then(|written| written.database))
    }

    /// Transactions 1 to 30 of epoch 1 in six logs, with snapshots of 10 and 20.
    fn filled() -> SimDisk {
        let disk = SimDisk::new(1);
        let storage = storage(&disk);
        storage.restore().expect("new");
        let jobs = (0..6).flat_map(|file| {
            let first = E1 + 5 * file + 1;
            [Job::Append((first..first + 5).map(txn).collect()), Job::Roll]
        });
        carry_out(&storage, jobs.collect()).expect("works");
        for last in [10, 20] {
            storage.save(&database(E1 + 1..=E1 + last)).expect("works");
        }
        disk
    }

    const E1: i64 = 1 << 32;

    /// What a start finds must be the transactions of this epoch up to the last, without a hole.
    fn whole(disk: &SimDisk) -> i64 {
        let restored = storage(disk).restore().expect("restores").database;
        let last = restored.last_zxid();
        let expected = database(E1 + 1..=last);
        assert_eq!(restored.tree().digest(), expected.tree().digest(), "up to {last:#x}");
        last
    }

    #[test]
    fn a_truncation_is_whole_after_any_crash() {
        for target in [30, 29, 25, 22, 20, 13, 10, 3] {
            let mut crashes = 0;
            loop {
                let disk = filled();
                let files = storage(&disk);
                disk.fail_after(Some(crashes));
                let done = files.truncate(E1 + target).is_ok();
                disk.crash();
                let last = whole(&disk);
                assert!(last >= E1 + target, "{target}: {last:#x}");
                storage(&disk).truncate(E1 + target).expect("again");
                disk.crash();
                assert_eq!(whole(&disk), E1 + target);
                if done {
                    break;
                }
                crashes += 1;
            }
            assert!(target == 30 || crashes > 0);
        }
    }

    #[test]
    fn truncated_to_nothing() {
        let disk = filled();
        let empty = carry_out(&storage(&disk), vec![Job::Truncate { zxid: 0, reload: true }]).expect("works");
        assert_eq!(empty.map(|db| (db.last_zxid(), db.tree().get("/n100000001").is_some())), Some((0, false)));
        let jobs = vec![Job::Append(vec![txn(E1 + 1), txn(E1 + 2)])];
        carry_out(&storage(&disk), jobs).expect("works");
        assert_eq!(whole(&disk), E1 + 2);
    }

    #[test]
    fn an_installation_is_whole_after_any_crash() {
        // Of another history: its 15th transaction is in epoch 2, before and after what is there.
        for last in [(2 << 32) + 15, E1 + 12] {
            let other = || {
                let mut db = database(E1 + 1..=E1 + 3);
                db.last_zxid = last;
                db
            };
            let mut crashes = 0;
            loop {
                let disk = filled();
                let files = storage(&disk);
                disk.fail_after(Some(crashes));
                let done = carry_out(&files, vec![Job::InstallSnapshot(other())]).is_ok();
                disk.crash();
                let restored = storage(&disk).restore_ensemble(500).expect("restores");
                let installed = restored.database.last_zxid() == last;
                if installed {
                    assert_eq!(restored.database.tree().digest(), other().tree().digest());
                    assert_eq!((restored.zab.floor, restored.zab.tail.len()), (last, 0));
                } else {
                    assert!(!done);
                    assert_eq!(whole(&disk), E1 + 30, "{crashes}");
                }
                if done {
                    break;
                }
                crashes += 1;
            }
            assert!(crashes > 5);
        }
    }

    #[test]
    fn the_end_of_the_log_is_kept_for_learners() {
        let disk = filled();
        let restored = storage(&disk).restore_ensemble(4).expect("restores").zab;
        assert_eq!(restored.tail, (27..=30).map(|n| txn(E1 + n)).collect::<Vec<_>>());
        assert_eq!((restored.last_zxid, restored.floor), (E1 + 30, E1 + 20));
    }

    #[test]
    fn epochs_are_checked() {
        let disk = filled();
        let storage = storage(&disk);
        let epochs =
            || storage.restore_ensemble(4).map(|restored| (restored.zab.accepted_epoch, restored.zab.current_epoch));
        assert_eq!(epochs().expect("made from the data"), (1, 1));
        assert_eq!(storage.read_epoch(CURRENT_EPOCH).expect("reads"), Some(1));
        carry_out(&storage, vec![Job::AcceptedEpoch(7)]).expect("works");
        assert_eq!(epochs().expect("promised"), (7, 1));
        storage.write_epoch(CURRENT_EPOCH, 0).expect("works");
        assert_eq!(epochs().expect("a crash while taking over a history"), (7, 1));
        assert_eq!(storage.read_epoch(CURRENT_EPOCH).expect("reads"), Some(1));
        for (accepted, current) in [(1, 2), (0, 0)] {
            storage.write_epoch(ACCEPTED_EPOCH, accepted).expect("works");
            storage.write_epoch(CURRENT_EPOCH, current).expect("works");
            let error = epochs().expect_err("an epoch that goes back").to_string();
            assert!(error.contains("acceptedEpoch"), "{error}");
        }
    }

    #[test]
    fn the_log_from_a_transaction_on() {
        let disk = SimDisk::new(5);
        let storage = storage(&disk);
        let zxids = |from: i64| storage.txns_from(from).iter().map(|txn| txn.zxid).collect::<Vec<_>>();
        assert_eq!(zxids(1), []);
        let mut writer = JournalWriter::new(&storage);
        for file in [3..=5, 6..=9] {
            let jobs = [Job::Append(file.map(txn).collect()), Job::Roll];
            writer.carry_out(jobs.map(|job| Entry { ticket: 1, job })).expect("written");
        }
        assert_eq!(zxids(2), [], "the files don't reach so far back");
        assert_eq!(zxids(3), [3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(zxids(5), [5, 6, 7, 8, 9]);
        assert_eq!(zxids(12), []);
        assert_eq!(storage.txns_from(9), [txn(9)]);
        // Through the thread of the log, behind what was to be written before.
        let jobs = [Job::Append(vec![txn(10)]), Job::ReadLog { conn: 7, from: 9 }];
        let written = writer.carry_out(jobs.map(|job| Entry { ticket: 2, job })).expect("written").expect("something");
        assert_eq!((written.ticket, written.read), (2, vec![(7, vec![txn(9), txn(10)])]));
        // A third of a snapshot's bytes, and no more.
        storage.save(&database(1..=10)).expect("saved");
        assert_eq!(zxids(3), []);
        assert_eq!(zxids(9), [9, 10]);
        for (permille, count) in [(None, 0), (Some(0), 8), (Some(100_000), 8)] {
            let config = StorageConfig { snapshot_size_permille: permille, ..StorageConfig::new("/zk") };
            let disk: Arc<dyn Disk> = Arc::new(disk.clone());
            let storage = KeeperStorage::open(disk, config).expect("opens");
            assert_eq!(storage.txns_from(3).len(), count);
        }
    }
}
