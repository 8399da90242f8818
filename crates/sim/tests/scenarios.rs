//! Promises that were broken once, each in its shortest form, and some seeds as a whole.

use std::path::PathBuf;
use std::sync::Arc;

use ottla_base::ids::TopicPartition;
use ottla_base::sim_disk::SimDisk;
use ottla_base::time::Now;
use ottla_protocol::{BatchOptions, Compression, Compressor, RecordBatchBuilder};
use ottla_sim::runner::{Options, run, run_twice};
use ottla_storage::{AppendOptions, AppendOrigin, LogConfig, LogManager, ManagerConfig, ReadBound};

const NOW: Now = Now { mono_us: 1_000_000, wall_ms: 1_760_000_000_000 };

fn config(compact: bool) -> Arc<LogConfig> {
    let (segment_bytes, min_cleanable_dirty_ratio) = (300, 0.01);
    Arc::new(LogConfig { segment_bytes, min_cleanable_dirty_ratio, compact, ..LogConfig::default() })
}

/// Opened as at a start: no topic's settings are known yet.
fn open(disk: &SimDisk) -> LogManager {
    let manager_config = ManagerConfig { cleaner_dedupe_buffer_bytes: 1 << 20, ..ManagerConfig::default() };
    let manager = LogManager::open(Arc::new(disk.clone()), &[PathBuf::from("/a")], manager_config).expect("opens");
    manager.load(&|_| config(false), NOW).expect("loads");
    manager
}

fn append(manager: &LogManager, tp: &TopicPartition, key: u8, compact: bool) {
    let log = manager.get_or_create_log(tp, None, config(compact), NOW).expect("a log");
    let mut builder = RecordBatchBuilder::new(BatchOptions::default(), Compressor::new(Compression::None, None));
    builder.append(NOW.wall_ms, Some(&[key]), Some(&[key; 30]), &[]);
    let options = AppendOptions { origin: AppendOrigin::Client, leader_epoch: 0 };
    log.lock().append_as_leader(&mut builder.finish().expect("a batch"), options, NOW).expect("appends");
}

#[test]
fn a_compacted_log_keeps_its_records_at_a_start_that_does_not_know_its_settings() {
    let (disk, tp) = (SimDisk::new(1), TopicPartition::new("t", 0));
    let manager = open(&disk);
    for i in 0..40u8 {
        append(&manager, &tp, i % 3, true);
    }
    let log = manager.get_log(&tp).expect("a log");
    let end = log.lock().log_end_offset();
    log.lock().update_high_watermark(end);
    assert!(manager.clean_one([1, 2], NOW).is_some());
    disk.kill();
    let log = open(&disk).get_log(&tp).expect("a log");
    assert_eq!(log.lock().log_end_offset(), end);
    assert!(log.lock().read(end - 1, 1_000, ReadBound::LogEnd, true).expect("reads").records.is_some());
}

#[test]
fn a_topic_made_again_does_not_inherit_the_old_one_s_checkpoints() {
    let (disk, tp) = (SimDisk::new(1), TopicPartition::new("t", 0));
    let manager = open(&disk);
    for i in 0..40 {
        append(&manager, &tp, i, false);
    }
    let log = manager.get_log(&tp).expect("a log");
    log.lock().update_high_watermark(40);
    log.lock().delete_records(35).expect("deletes");
    manager.checkpoint_log_start_offsets();
    manager.delete_log(&tp, ottla_base::ids::Uuid([1; 16]), NOW).expect("deletes");
    disk.kill();
    // Not even when the node died in between.
    let manager = open(&disk);
    for i in 0..5 {
        append(&manager, &tp, i, false);
    }
    disk.kill();
    let log = open(&disk).get_log(&tp).expect("a log");
    let log = log.lock();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (0, 5));
}

#[test]
fn a_new_log_that_lost_its_first_segment_does_not_keep_the_second() {
    let tp = TopicPartition::new("t", 0);
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        let manager = open(&disk);
        disk.sync_all();
        for i in 0..8 {
            append(&manager, &tp, i, false);
        }
        let segments = manager.get_log(&tp).map_or(0, |log| log.lock().segment_count());
        assert!(segments >= 2);
        drop(manager);
        disk.crash(); // nothing of it was ever flushed
        if let Some(log) = open(&disk).get_log(&tp) {
            assert_eq!(log.lock().log_start_offset(), 0, "nobody deleted records");
        }
    }
}

#[test]
fn one_seed_is_one_run() {
    for seed in [3, 16] {
        let summary = run_twice(seed, false).expect("every promise is kept");
        assert!(summary.boots > 1 && summary.requests > 0, "{summary:?}");
    }
}

/// Those that showed: holes of compaction and retention, checkpoints of a deleted topic, an end that went back, a start
/// amid unsynced transactions of the keeper, a new log whose first segment was lost, an answer that was old when it came,
/// an identity that a killed process left unsynced, segments dropped in two steps.
#[test]
fn seeds_that_failed_once() {
    for seed in [12, 30, 44, 69, 75, 113, 124, 128, 157, 234, 237, 274, 550, 915, 943] {
        let options =
            Options { seed, seeds: 1, time: std::time::Duration::from_secs(60), trace: false, ensemble: false };
        run(&options, |_| {}).expect("every promise is kept");
    }
}
