use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_base::disk::{Disk, OpenMode};
use ottla_base::ids::{TopicPartition, Uuid};
use ottla_base::sim_disk::{Call, Fault, SimDisk};

use crate::config::{LogConfig, ManagerConfig};
use crate::log::ReadBound;
use crate::log_manager::{LogManager, OpenError, flush_log};
use crate::test_support::{START, batch, client, read_all};

fn dirs() -> Vec<PathBuf> {
    vec!["/a".into(), "/b".into()]
}

fn config() -> Arc<LogConfig> {
    Arc::new(LogConfig { segment_bytes: 1_000, index_interval_bytes: 100, ..LogConfig::default() })
}

fn open(disk: &SimDisk) -> LogManager {
    let manager = LogManager::open(Arc::new(disk.clone()), &dirs(), ManagerConfig::default()).expect("opens");
    manager.load(&|_| config(), START).expect("loads");
    manager
}

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn append(manager: &LogManager, partition: i32, count: usize) {
    let log = manager.get_or_create_log(&tp(partition), Some(Uuid([7; 16])), config(), START).expect("a log");
    for _ in 0..count {
        log.lock().append_as_leader(&mut batch(&["x"]), client(0), START).expect("appends");
    }
}

#[test]
fn logs_spread_over_directories_and_come_back() {
    let disk = SimDisk::new(1);
    let manager = open(&disk);
    for partition in 0..6 {
        append(&manager, partition, 10 * partition as usize);
    }
    let counts: Vec<usize> = manager.describe_log_dirs().iter().map(|d| d.logs.len()).collect();
    assert_eq!(counts, [3, 3]);
    manager.close(-1, START);
    disk.kill();
    disk.reset_counters();
    let manager = open(&disk);
    assert_eq!(disk.counters(".log").reads, 0);
    for partition in 0..6 {
        let log = manager.get_log(&tp(partition)).expect("a log");
        let mut log = log.lock();
        assert_eq!(log.topic_id(), Some(Uuid([7; 16])));
        assert_eq!(read_all(&mut log, 0, ReadBound::LogEnd).len(), 10 * partition as usize);
    }
    assert!(!disk.exists(Path::new("/a/.kafka_cleanshutdown")).expect("looks"));
}

#[test]
fn a_directory_is_used_once() {
    let disk = SimDisk::new(1);
    let _first = open(&disk);
    let second = LogManager::open(Arc::new(disk.clone()), &dirs(), ManagerConfig::default());
    assert!(matches!(second, Err(OpenError::Locked(_))));
}

#[test]
fn one_partition_in_two_directories_is_refused() {
    let disk = SimDisk::new(1);
    disk.create_dir_all(Path::new("/a/t-0")).expect("makes");
    disk.create_dir_all(Path::new("/b/t-0")).expect("makes");
    let manager = LogManager::open(Arc::new(disk.clone()), &dirs(), ManagerConfig::default()).expect("opens");
    assert!(matches!(manager.load(&|_| config(), START), Err(OpenError::Duplicate { .. })));
}

#[test]
fn deleted_logs_vanish_later() {
    let disk = SimDisk::new(1);
    let manager = open(&disk);
    append(&manager, 0, 30);
    let held = manager.get_log(&tp(0)).expect("a log");
    assert_eq!(manager.delete_log(&tp(0), Uuid([9; 16]), START), Ok(true));
    assert_eq!(manager.delete_log(&tp(0), Uuid([9; 16]), START), Ok(false));
    assert!(held.lock().append_as_leader(&mut batch(&["x"]), client(0), START).is_err());
    assert!(manager.dirs().iter().all(|d| !d.is_offline()));
    append(&manager, 0, 1);
    assert_eq!(manager.run_deletions(START.plus_ms(59_999)), 0);
    let folders = || disk.list(Path::new("/a")).expect("lists").into_iter().filter(|e| e.is_dir).count();
    assert_eq!(folders(), 2);
    assert_eq!(manager.run_deletions(START.plus_ms(60_000)), 1);
    assert_eq!(folders(), 1);
    assert_eq!(manager.delete_log(&tp(0), Uuid([8; 16]), START), Ok(true));
    disk.kill();
    let manager = open(&disk);
    assert!(manager.all_logs().is_empty());
    assert_eq!(manager.run_deletions(START), 1, "what was to be deleted is deleted after a restart");
}

#[test]
fn one_failing_directory_leaves_the_other_working() {
    let disk = SimDisk::new(1);
    let manager = open(&disk);
    for partition in 0..4 {
        append(&manager, partition, 5);
    }
    disk.inject(Fault::always(Call::Sync, "/a/"));
    for partition in 0..4 {
        let log = manager.get_log(&tp(partition)).expect("a log");
        let in_a = log.lock().log_dir().path() == Path::new("/a");
        assert_eq!(flush_log(&log, START).is_err(), in_a);
        assert_eq!(log.lock().append_as_leader(&mut batch(&["x"]), client(0), START).is_err(), in_a);
    }
    append(&manager, 9, 5);
    assert_eq!(manager.get_log(&tp(9)).expect("a log").lock().log_dir().path(), Path::new("/b"));
    let infos = manager.describe_log_dirs();
    assert!(infos[0].error.is_some() && infos[1].error.is_none());
    manager.close(-1, START);
    disk.kill();
    assert!(!disk.exists(Path::new("/a/.kafka_cleanshutdown")).expect("looks"));
    assert!(disk.exists(Path::new("/b/.kafka_cleanshutdown")).expect("looks"));
    let manager = open(&disk);
    assert_eq!(manager.all_logs().len(), 5);
}

#[test]
fn the_cleaner_takes_the_filthiest() {
    let disk = SimDisk::new(1);
    let manager = open(&disk);
    let compacted = Arc::new(LogConfig { compact: true, delete: false, ..(*config()).clone() });
    append(&manager, 0, 50);
    assert_eq!(manager.clean_one([1, 2], START), None, "not a compacted topic");
    manager.update_config("t", &compacted);
    manager.get_log(&tp(0)).expect("a log").lock().update_high_watermark(50);
    let (cleaned, stats) = manager.clean_one([1, 2], START).expect("cleans");
    assert_eq!(cleaned, tp(0));
    assert_eq!(stats.records_kept, 1);
    assert_eq!(manager.clean_one([1, 2], START), None, "nothing is dirty any more");
    manager.close(-1, START);
    disk.kill();
    let manager = open(&disk);
    manager.update_config("t", &compacted);
    assert_eq!(manager.clean_one([1, 2], START), None, "the checkpoint says so");
}

#[test]
fn a_new_log_waits_for_no_disk_and_its_first_flush_makes_it_durable() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let manager = open(&disk);
        disk.sync_all();
        disk.reset_counters();
        append(&manager, 0, 1);
        append(&manager, 1, 1);
        assert_eq!(disk.counters("").syncs, 0);
        flush_log(&manager.get_log(&tp(0)).expect("a log"), START).expect("flushes");
        drop(manager);
        disk.crash();
        // What was never flushed may be gone or torn, which does not hinder the start.
        let manager = open(&disk);
        let log = manager.get_log(&tp(0)).expect("was flushed");
        assert_eq!(log.lock().topic_id(), Some(Uuid([7; 16])));
        assert!(manager.live_dirs().count() == 2);
        append(&manager, 1, 1);
    }
}

#[test]
fn a_flush_does_not_rely_on_one_that_is_still_under_way() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let manager = open(&disk);
        disk.sync_all();
        append(&manager, 0, 1);
        let log = manager.get_log(&tp(0)).expect("a log");
        let slow = log.lock().start_flush().expect("starts").expect("there is something to sync");
        append(&manager, 0, 1);
        flush_log(&log, START).expect("flushes");
        assert_eq!(log.lock().recovery_point(), 2);
        drop((slow, log, manager));
        disk.crash();
        let log = open(&disk).get_log(&tp(0)).expect("was flushed");
        assert_eq!(log.lock().log_end_offset(), 2);
    }
}

#[test]
fn a_topic_may_be_deleted_while_its_log_is_flushed() {
    let disk = SimDisk::new(1);
    let manager = open(&disk);
    append(&manager, 0, 1);
    let job =
        manager.get_log(&tp(0)).expect("a log").lock().start_flush().expect("starts").expect("there is something");
    manager.delete_log(&tp(0), Uuid([1; 16]), START).expect("deletes");
    manager.run_deletions(START.plus_ms(100_000));
    job.run().expect("nothing is left to sync");
    assert_eq!(manager.live_dirs().count(), 2);
}

#[test]
fn what_a_killed_process_left_in_a_log_directory_is_made_durable() {
    for seed in 0..30 {
        let disk = SimDisk::new(seed);
        drop(open(&disk));
        let path = Path::new("/a/meta.properties");
        let tmp = Path::new("/a/meta.properties.tmp");
        let file = disk.open(tmp, OpenMode::Truncate).expect("opens");
        file.write_all_at(b"version=0", 0).and_then(|()| file.sync_data()).expect("writes");
        disk.rename(tmp, path).expect("renames");
        disk.kill();
        drop(open(&disk));
        disk.crash();
        assert!(disk.exists(path).expect("looks"), "whoever read it relies on it");
    }
}
