//! Configurations of an ensemble that changes, as the files know them: those of the log, and those that a leader's snapshot
//! has overtaken. A server that acknowledged one may not forget it before it knows a later one to be committed: others count
//! on it to ask for that one's quorum in elections.

use super::{KeeperStorage, StorageError, failed};
use crate::ensemble::{Restored, reconfig::version_in_tree};
use crate::txn::zxid_of;
use crate::txn_log::LogReader;
use crate::zab::membership::configuration_of;
use ottla_base::disk::OpenMode;
use std::io;

/// Configurations that were in the log before a leader's snapshot took its place, while the leader's own are not known yet:
/// their texts, one after the other, with an empty line behind each. No ZooKeeper looks at it.
const UNDECIDED: &str = "undecidedConfigurations";

impl KeeperStorage {
    /// As [`Self::restore_ensemble`], for members that may change: finds all configurations after the one of this version,
    /// which is known to be committed.
    pub fn restore_members(&self, retain: usize, version: i64) -> Result<Restored, StorageError> {
        let mut restored = self.restore_ensemble(retain)?;
        // The tree has the last one; others, which it overtook, may be older than the snapshot.
        if version_in_tree(&restored.database) > version {
            let before = self.overtaken(version, restored.zab.floor).map_err(|error| failed(&self.log_dir, error))?;
            restored.overtaken.extend(before);
        }
        restored.overtaken.extend(self.undecided()?);
        Ok(restored)
    }

    /// Those of the log files, as far as there are any, after `version` and up to `until`.
    fn overtaken(&self, version: i64, until: i64) -> io::Result<Vec<Vec<u8>>> {
        let logs = crate::txn_log::log_files(&*self.disk, &self.log_dir)?;
        // A file is called by its first transaction.
        let first = logs.partition_point(|(first, _)| *first <= version.saturating_add(1)).saturating_sub(1);
        let mut found = Vec::new();
        for (_, path) in logs.iter().skip(first).take_while(|(first, _)| *first <= until) {
            let mut reader = LogReader::open(self.disk.open(path, OpenMode::Read)?)?;
            while let Some(bytes) = reader.next_entry()? {
                if zxid_of(bytes).is_ok_and(|zxid| zxid > version && zxid <= until) {
                    found.extend(configuration_of(bytes).map(<[u8]>::to_vec));
                }
            }
        }
        Ok(found)
    }

    fn undecided(&self) -> Result<Vec<Vec<u8>>, StorageError> {
        let path = self.snap_dir.join(UNDECIDED);
        if !self.disk.exists(&path).map_err(|error| failed(&path, error))? {
            return Ok(Vec::new());
        }
        let text = self.disk.read(&path).map_err(|error| failed(&path, error))?;
        let text = String::from_utf8_lossy(&text);
        let each = text.split("\n\n").filter(|text| !text.trim().is_empty());
        Ok(each.map(|text| text.as_bytes().to_vec()).collect())
    }

    /// Keeps these and no others; durable when it returns.
    pub(crate) fn keep_configurations(&self, texts: &[String]) -> Result<(), StorageError> {
        let path = self.snap_dir.join(UNDECIDED);
        let write = || {
            if !texts.is_empty() {
                let text: String = texts.iter().map(|text| format!("{}\n\n", text.trim_end())).collect();
                return self.disk.write_atomic(&path, text.as_bytes());
            }
            match self.disk.remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => self.disk.sync_dir(&self.snap_dir),
            }
        };
        write().map_err(|error| failed(&path, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Database;
    use crate::ensemble::{Entry, Job, JournalWriter};
    use crate::jute::Jute;
    use crate::proto::{CONFIG_NODE, OpCode};
    use crate::storage::StorageConfig;
    use crate::txn::{SetDataTxn, TxnEntry, TxnHeader};
    use crate::zab::{QuorumVerifier, Txn};
    use ottla_base::disk::Disk;
    use ottla_base::sim_disk::SimDisk;
    use std::sync::Arc;

    const E1: i64 = 1 << 32;

    fn storage(disk: &SimDisk) -> KeeperStorage {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        KeeperStorage::open(disk, StorageConfig::new("/zk")).expect("opens")
    }

    fn text(version: i64) -> String {
        format!("server.1=a:1:2:participant\nserver.2=b:1:2:participant\nversion={version:x}")
    }

    /// Configurations at 10, 20 and 30; every other transaction changes nothing of interest.
    fn txn(zxid: i64) -> Txn {
        let is_config = (zxid - E1) % 10 == 0;
        let op = if is_config { OpCode::Reconfig } else { OpCode::SetData };
        let mut data = TxnHeader { zxid, time: 1, txn_type: op.code(), ..Default::default() }.to_bytes();
        let config = text(zxid);
        let (path, value) = if is_config { (CONFIG_NODE, config.as_str()) } else { ("/zookeeper/quota", "") };
        SetDataTxn { path, data: Some(value.as_bytes()), version: -1 }.write(&mut data);
        Txn { zxid, data: data.into() }
    }

    fn database(last: i64) -> Box<Database> {
        let mut db = Database::new(false);
        for zxid in E1 + 1..=last {
            db.apply(&TxnEntry::decode(&txn(zxid).data).expect("good"), &mut ());
        }
        Box::new(db)
    }

    fn carry_out(storage: &KeeperStorage, jobs: Vec<Job>) {
        let entries = jobs.into_iter().zip(1..).map(|(job, ticket)| Entry { ticket, job });
        JournalWriter::new(storage).carry_out(entries).expect("works");
    }

    fn found(storage: &KeeperStorage, version: i64) -> Vec<i64> {
        let restored = storage.restore_members(3, version).expect("restores");
        assert!(restored.zab.tail.len() <= 3);
        let version =
            |text: &Vec<u8>| QuorumVerifier::parse(std::str::from_utf8(text).expect("text")).expect("good").version;
        let mut versions: Vec<i64> =
            restored.configurations.iter().chain(&restored.overtaken).map(|text| version(text) - E1).collect();
        versions.sort_unstable();
        versions.dedup();
        versions
    }

    #[test]
    fn configurations_behind_the_tail_and_before_the_snapshot_are_found() {
        let disk = SimDisk::new(3);
        let files = storage(&disk);
        files.restore().expect("new");
        let jobs = (0..7).flat_map(|file| {
            let first = E1 + 5 * file + 1;
            [Job::Append((first..first + 5).map(txn).collect()), Job::Roll]
        });
        carry_out(&files, jobs.collect());
        assert_eq!(found(&files, 0), [10, 20, 30], "all are replayed, the kept tail is short");
        files.save(&database(E1 + 25)).expect("works");
        assert_eq!(found(&files, 0), [10, 20, 30], "of which two are in the snapshot's past");
        assert_eq!(found(&files, E1 + 10), [20, 30]);
        files.save(&database(E1 + 35)).expect("works");
        assert_eq!(found(&files, E1 + 10), [20, 30]);
        assert_eq!(found(&files, E1 + 30), [], "the last one is committed: nobody reads old logs");
    }

    #[test]
    fn configurations_outlive_a_leaders_snapshot() {
        let disk = SimDisk::new(4);
        let files = storage(&disk);
        files.restore().expect("new");
        carry_out(&files, vec![Job::Append((E1 + 1..=E1 + 12).map(txn).collect())]);
        let kept = || Job::KeepConfigurations(vec![text(E1 + 10), text(E1 + 11)]);
        carry_out(&files, vec![kept(), Job::InstallSnapshot(database(E1 + 25))]);
        disk.crash();
        assert_eq!(found(&storage(&disk), 0), [10, 11], "and the tree has 20");
        carry_out(&storage(&disk), vec![Job::KeepConfigurations(Vec::new())]);
        disk.crash();
        assert_eq!(found(&storage(&disk), 0), []);
        carry_out(&storage(&disk), vec![Job::KeepConfigurations(Vec::new())]);
    }
}
