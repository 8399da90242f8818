//! A directory that a real 3.9.5 wrote, and directories that nobody should serve from.

use ottla_base::disk::{Disk, OpenMode};
use ottla_base::sim_disk::{Call, Fault, SimDisk};
use ottla_keeper::storage::{KeeperStorage, Restored, StorageConfig, StorageError};
use std::path::Path;
use std::sync::Arc;

const LOG_1: &[u8] = include_bytes!("../captures/data-3.9.5/log.1");
const SNAPSHOT_0: &[u8] = include_bytes!("../captures/data-3.9.5/snapshot.0");
const SNAPSHOT_80: &[u8] = include_bytes!("../captures/data-3.9.5/snapshot.80");

fn disk_with(files: &[(&str, &[u8])]) -> Arc<dyn Disk> {
    let disk = SimDisk::new(1);
    let dir = Path::new("/zk/version-2");
    disk.create_dir_all(dir).expect("made");
    for (name, bytes) in files {
        let file = disk.open(&dir.join(name), OpenMode::Truncate).expect("opened");
        file.write_all_at(bytes, 0).expect("written");
    }
    disk.sync_all();
    Arc::new(disk)
}

fn restore(disk: &Arc<dyn Disk>) -> Result<Restored, StorageError> {
    let config = StorageConfig { extended_types: true, ..StorageConfig::new("/zk") };
    KeeperStorage::open(Arc::clone(disk), config)?.restore()
}

fn restored(files: &[(&str, &[u8])]) -> Restored {
    restore(&disk_with(files)).expect("restores")
}

#[test]
fn snapshot_and_log_of_3_9_5_give_the_same_tree() {
    let all = [("log.1", LOG_1), ("snapshot.0", SNAPSHOT_0), ("snapshot.80", SNAPSHOT_80)];
    let from_snapshot = restored(&all);
    let from_log = restored(&all[..2]);
    assert_eq!((from_snapshot.snapshot_zxid, from_log.snapshot_zxid), (0x80, 0));
    assert!(from_log.txns >= 0x80);
    for restored in [&from_snapshot, &from_log] {
        // Every transaction carries the digest of the tree behind it, as the real server computed it.
        assert_eq!(restored.database.digest_mismatches(), 0);
    }
    let (a, b) = (from_snapshot.database, from_log.database);
    assert_eq!(a.last_zxid(), b.last_zxid());
    assert_eq!(a.tree().digest(), b.tree().digest());
    assert_eq!(a.sessions(), b.sessions());
    assert_eq!(a.tree().node_count(), b.tree().node_count());
    for path in ["/a", "/mine", "/quota", "/zookeeper/quota/quota/zookeeper_stats", "/both", "/m"] {
        let (a, b) = (a.tree().get(path).expect(path), b.tree().get(path).expect(path));
        assert_eq!((a.data(), a.stat(), a.acl()), (b.data(), b.stat(), b.acl()), "{path}");
    }
}

#[test]
fn what_we_wrote_comes_back() {
    let (host, _) = crate::conversation::converse();
    let disk = disk_with(&[]);
    let config = StorageConfig { extended_types: true, ..StorageConfig::new("/zk") };
    let storage = KeeperStorage::open(Arc::clone(&disk), config).expect("opens");
    storage.restore().expect("a first snapshot");
    let mut log = storage.log();
    for batch in &host.batches {
        log.append(batch).expect("appended");
    }
    assert_eq!(log.sync().expect("synced"), host.server.db().last_zxid());
    let from_log = storage.restore().expect("restores").database;
    storage.save(host.server.db()).expect("saved");
    let from_snapshot = storage.restore().expect("restores").database;
    for db in [&from_log, &from_snapshot] {
        assert_eq!(db.tree().digest(), host.server.db().tree().digest());
        assert_eq!(db.sessions(), host.server.db().sessions());
        assert_eq!(db.digest_mismatches(), 0);
    }
    assert_eq!(disk.metadata(Path::new("/zk/version-2/log.1")).expect("there").len, (64 << 20) + 16);
}

#[test]
fn a_new_directory_gets_its_first_snapshot() {
    let disk = disk_with(&[]);
    let first = restore(&disk).expect("restores");
    assert_eq!((first.database.last_zxid(), first.txns), (0, 0));
    let names: Vec<String> =
        disk.list(Path::new("/zk/version-2")).expect("lists").into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["snapshot.0"]);
    // The same bytes as a new 3.9.5 has, but for the order of two children.
    assert_eq!(disk.read(Path::new("/zk/version-2/snapshot.0")).expect("reads").len(), SNAPSHOT_0.len());
}

#[test]
fn a_broken_snapshot_is_passed_over() {
    let mut broken = SNAPSHOT_80.to_vec();
    broken[1_000] ^= 1;
    let restored = restored(&[("log.1", LOG_1), ("snapshot.0", SNAPSHOT_0), ("snapshot.80", &broken)]);
    assert_eq!((restored.snapshot_zxid, restored.database.last_zxid()), (0, 0x80));
}

#[test]
fn what_would_lose_data_is_refused() {
    let says = |files: &[(&str, &[u8])], want: &str| {
        let error = restore(&disk_with(files)).expect_err(want).to_string();
        assert!(error.contains(want), "{error}");
    };
    says(&[("log.1", LOG_1)], "snapshot.trust.empty");
    says(&[("snapshot.0", b"nothing")], "no valid snapshot");
    let mut torn = LOG_1.to_vec();
    torn[500] ^= 1;
    // Not at the end of the log, where a crash may have left it.
    says(&[("log.1", &torn), ("log.81", LOG_1), ("snapshot.0", SNAPSHOT_0)], "wrong checksum");
    let mut foreign = LOG_1.to_vec();
    foreign[0] = 0;
    says(&[("log.1", &foreign), ("snapshot.0", SNAPSHOT_0)], "not a ZooKeeper transaction log");
    let mut newer = SNAPSHOT_0.to_vec();
    newer[7] = 3;
    says(&[("snapshot.0", &newer)], "snapshot version 3");
}

#[test]
fn a_torn_end_is_cut_once() {
    let mut torn = LOG_1.to_vec();
    let end = torn.iter().rposition(|&b| b != 0).expect("content");
    torn[end - 20] ^= 1;
    let disk = disk_with(&[("log.1", &torn), ("snapshot.0", SNAPSHOT_0)]);
    let first = restore(&disk).expect("restores").database.last_zxid();
    assert_eq!(first, 0x7f);
    assert!(disk.metadata(Path::new("/zk/version-2/log.1")).expect("there").len < LOG_1.len() as u64);
    assert_eq!(restore(&disk).expect("restores").database.last_zxid(), first);
}

#[test]
fn mixed_up_directories_are_refused() {
    let disk = disk_with(&[("log.1", LOG_1), ("snapshot.0", SNAPSHOT_0)]);
    let config = StorageConfig { data_log_dir: "/logs".into(), ..StorageConfig::new("/zk") };
    let error = KeeperStorage::open(disk, config).expect_err("refused").to_string();
    assert!(error.contains("dataLogDir"), "{error}");
}

#[test]
fn purging_keeps_what_recovery_needs() {
    let names =
        ["snapshot.0", "snapshot.5", "snapshot.a", "snapshot.f", "snapshot.14", "log.1", "log.6", "log.8", "log.b"];
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, &b""[..])).collect();
    let storage = KeeperStorage::open(disk_with(&files), StorageConfig::new("/zk")).expect("opens");
    let removed = storage.purge(3).expect("purges");
    let removed: Vec<_> = removed.iter().map(|path| path.file_name().expect("name").to_str().expect("text")).collect();
    assert_eq!(removed, ["snapshot.0", "snapshot.5", "log.1", "log.6"]);
    assert!(storage.purge(3).expect("purges").is_empty());
}

#[test]
fn a_log_whose_sync_failed_is_written_anew() {
    let (host, _) = crate::conversation::converse();
    let sim = SimDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let config = || StorageConfig { extended_types: true, ..StorageConfig::new("/zk") };
    let storage = KeeperStorage::open(Arc::clone(&disk), config()).expect("opens");
    storage.restore().expect("restores");
    let mut log = storage.log();
    for batch in &host.batches {
        log.append(batch).expect("appended");
    }
    sim.inject(Fault::always(Call::Sync, "log."));
    log.sync().expect_err("the disk fails");
    sim.kill();
    sim.reset_counters();
    let again = KeeperStorage::open(Arc::clone(&disk), config()).expect("opens").restore().expect("restores");
    assert_eq!(again.database.last_zxid(), host.server.db().last_zxid());
    let written = |disk: &SimDisk| disk.counters("/log.").bytes_written;
    assert!(written(&sim) > 1_000, "a sync alone proves nothing after one that failed");
    sim.reset_counters();
    KeeperStorage::open(disk, config()).expect("opens").restore().expect("restores");
    assert_eq!(written(&sim), 0, "once is enough");
}
