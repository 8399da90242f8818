//! A directory that Kafka wrote: we open it, and what we write for the same batches is the same, byte for byte.

use std::path::Path;
use std::sync::Arc;

use ottla_base::disk::{Disk, OpenMode};
use ottla_base::ids::{TopicPartition, Uuid};
use ottla_base::sim_disk::SimDisk;
use ottla_base::time::Now;
use ottla_protocol::batch_iter::BatchIter;
use ottla_storage::log::OffsetAtTimestamp;
use ottla_storage::meta_properties::MetaProperties;
use ottla_storage::{Log, LogConfig, LogManager, ManagerConfig, ReadBound};

macro_rules! fixture {
    ($($name:literal)*) => {
        &[$(($name, include_bytes!(concat!("fixtures/kafka-3.9.2/", $name)))),*]
    };
}

const FILES: &[(&str, &[u8])] = fixture!(
    "fix-0/00000000000000000000.index" "fix-0/00000000000000000000.log" "fix-0/00000000000000000000.timeindex"
    "fix-0/00000000000000000018.index" "fix-0/00000000000000000018.log" "fix-0/00000000000000000018.timeindex"
    "fix-0/00000000000000000036.index" "fix-0/00000000000000000036.log" "fix-0/00000000000000000036.timeindex"
    "fix-0/00000000000000000056.index" "fix-0/00000000000000000056.log" "fix-0/00000000000000000056.timeindex"
    "fix-0/00000000000000000072.index" "fix-0/00000000000000000072.log" "fix-0/00000000000000000072.timeindex"
    "fix-0/00000000000000000087.index" "fix-0/00000000000000000087.log" "fix-0/00000000000000000087.timeindex"
    "fix-0/00000000000000000099.index" "fix-0/00000000000000000099.log" "fix-0/00000000000000000099.timeindex"
    "fix-0/00000000000000000018.snapshot" "fix-0/00000000000000000036.snapshot" "fix-0/00000000000000000056.snapshot"
    "fix-0/00000000000000000072.snapshot" "fix-0/00000000000000000087.snapshot" "fix-0/00000000000000000099.snapshot"
    "fix-0/00000000000000000103.snapshot" "fix-0/leader-epoch-checkpoint" "fix-0/partition.metadata"
    "recovery-point-offset-checkpoint" "replication-offset-checkpoint" "log-start-offset-checkpoint" "meta.properties"
    "kafka_cleanshutdown"
);

const ROOT: &str = "/kafka";
const NOW: Now = Now { mono_us: 5_000_000, wall_ms: 1_795_340_000_000 };

fn config() -> Arc<LogConfig> {
    Arc::new(LogConfig { segment_bytes: 1_200, index_interval_bytes: 150, ..LogConfig::default() })
}

fn tp() -> TopicPartition {
    TopicPartition::new("fix", 0)
}

fn kafkas_disk() -> SimDisk {
    let disk = SimDisk::new(1);
    disk.create_dir_all(Path::new("/kafka/fix-0")).expect("a directory");
    for (name, bytes) in FILES {
        let name = name.replace("kafka_cleanshutdown", ".kafka_cleanshutdown");
        let file = disk.open(&Path::new(ROOT).join(name), OpenMode::Create).expect("opens");
        file.write_all_at(bytes, 0).expect("writes");
    }
    disk.sync_all();
    disk
}

fn open(disk: &SimDisk) -> LogManager {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let manager = LogManager::open(disk, &[ROOT.into()], ManagerConfig::default()).expect("opens");
    manager.load(&|_| config(), NOW).expect("loads");
    manager
}

/// Count and largest timestamp of the records from offset 0 on.
fn records(log: &mut Log) -> (usize, OffsetAtTimestamp) {
    let (mut offset, mut count) = (0, 0);
    let mut last = OffsetAtTimestamp { offset: -1, timestamp: -1, leader_epoch: Some(0) };
    while let Some(slice) = log.read(offset, 1 << 20, ReadBound::LastStable, true).expect("reads").records {
        let bytes = slice.read().expect("bytes");
        for batch in BatchIter::new(&bytes) {
            let batch = batch.expect("a batch");
            batch.check_crc().expect("a good checksum");
            for record in &batch.open().expect("opens") {
                let record = record.expect("a record");
                count += 1;
                if record.timestamp > last.timestamp {
                    last = OffsetAtTimestamp { offset: record.offset, timestamp: record.timestamp, ..last };
                }
            }
            offset = batch.next_offset();
        }
    }
    (count, last)
}

fn check(log: &mut Log) {
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.segment_count()), (0, 103, 7));
    assert_eq!((log.high_watermark(), log.last_stable_offset()), (103, 103));
    assert_eq!(log.topic_id(), Uuid::parse("MDtF9YD1SS2vTt126KbKdw"));
    let (count, last) = records(log);
    assert_eq!(count, 103); // 100 records and 3 markers
    assert_eq!(log.max_timestamp_offset(), Ok(Some(last)));
    let producers = log.active_producers();
    assert_eq!(producers.iter().map(|p| p.last_sequence).collect::<Vec<_>>(), [59, 39]);
    assert_eq!(log.latest_epoch(), Some(0));
}

#[test]
fn a_clean_directory_opens_without_reading_a_segment() {
    let disk = kafkas_disk();
    let manager = open(&disk);
    for kind in [".log", ".index", ".timeindex"] {
        assert_eq!(disk.counters(kind).bytes_read, 0, "{kind}");
    }
    check(&mut manager.get_log(&tp()).expect("a log").lock());
    let meta = MetaProperties::read(&disk, Path::new(ROOT)).expect("reads").expect("is there");
    assert_eq!(meta, MetaProperties::v0("GPOabLNpTrmi91s7pwIg3g", 0));
}

#[test]
fn a_killed_brokers_directory_opens_too() {
    let disk = kafkas_disk();
    disk.remove_file(Path::new("/kafka/.kafka_cleanshutdown")).expect("removes");
    disk.remove_file(Path::new("/kafka/fix-0/00000000000000000103.snapshot")).expect("removes");
    disk.remove_file(Path::new("/kafka/recovery-point-offset-checkpoint")).expect("removes");
    // Kafka's active indexes are as long as they may become.
    for (kind, len) in [("index", 10_485_760), ("timeindex", 10_485_756)] {
        let path = format!("/kafka/fix-0/00000000000000000099.{kind}");
        disk.open(Path::new(&path), OpenMode::ReadWrite).expect("opens").set_len(len).expect("extends");
    }
    let manager = open(&disk);
    check(&mut manager.get_log(&tp()).expect("a log").lock());
}

#[test]
fn the_same_batches_make_the_same_files() {
    let disk = SimDisk::new(1);
    let manager = open(&disk);
    let log = manager.get_or_create_log(&tp(), Uuid::parse("MDtF9YD1SS2vTt126KbKdw"), config(), NOW).expect("a log");
    for (_, bytes) in FILES.iter().filter(|(name, _)| name.ends_with(".log")) {
        for batch in BatchIter::new(bytes) {
            log.lock().append_as_follower(batch.expect("a batch").bytes(), 0, NOW).expect("appends");
        }
    }
    log.lock().update_high_watermark(103);
    manager.close(-1, NOW);
    let ours: Vec<String> = disk.list(Path::new("/kafka/fix-0")).expect("lists").into_iter().map(|e| e.name).collect();
    let kafkas: Vec<&str> = FILES.iter().filter_map(|(name, _)| name.strip_prefix("fix-0/")).collect();
    assert_eq!(ours.len(), kafkas.len(), "{ours:?}");
    for (name, bytes) in FILES.iter().filter(|(name, _)| *name != "meta.properties") {
        let name = name.replace("kafka_cleanshutdown", ".kafka_cleanshutdown");
        let mut written = disk.read(&Path::new(ROOT).join(&name)).expect("is there");
        let mut bytes = bytes.to_vec();
        if name.ends_with(".snapshot") {
            // Producers stand in no order in Kafka's file.
            written = sorted_snapshot(&written);
            bytes = sorted_snapshot(&bytes);
        }
        assert!(written == bytes, "{name}:\n{written:02x?}\n{bytes:02x?}");
    }
}

fn sorted_snapshot(bytes: &[u8]) -> Vec<u8> {
    let mut entries: Vec<&[u8]> = bytes[10..].chunks(46).collect();
    entries.sort();
    [&bytes[..2], &bytes[6..10], &entries.concat()].concat()
}
