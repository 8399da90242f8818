use std::sync::Arc;

use ottla_protocol::batch_builder::BatchOptions;
use ottla_protocol::compression::Compression;
use ottla_protocol::record_batch::{RecordBatch, TimestampType};

use super::ReadBound;
use crate::config::{CompressionType, LogConfig};
use crate::error::{AppendError, ReadError};
use crate::log::OffsetAtTimestamp;
use crate::log_loader::LoadHints;
use crate::test_support::{
    START, TestLog, batch, batch_with, client, coordinator, idempotent, marker, marker_of, read_all, transactional,
};
use crate::transaction_index::AbortedTxn;

/// Segments of about ten batches of [`batch`], and an index entry for nearly every one.
fn small() -> LogConfig {
    LogConfig { segment_bytes: 1_000, index_interval_bytes: 100, ..LogConfig::default() }
}

fn offsets(found: &[(i64, String)]) -> Vec<i64> {
    found.iter().map(|(offset, _)| *offset).collect()
}

fn fill(t: &mut TestLog, batches: usize) {
    for i in 0..batches {
        t.append(batch(&[&format!("a{i}"), &format!("b{i}")]));
    }
    let end = t.log.log_end_offset();
    t.log.update_high_watermark(end);
}

#[test]
fn what_is_appended_is_read() {
    let mut t = TestLog::new(small());
    let info = t.append(batch(&["x", "y"]));
    assert_eq!((info.first_offset, info.last_offset, info.record_count), (0, 1, 2));
    assert_eq!(info.max_timestamp, START.wall_ms + 1);
    fill(&mut t, 50);
    assert!(t.log.segment_count() >= 4);
    let all = read_all(&mut t.log, 0, ReadBound::LogEnd);
    assert_eq!(offsets(&all), (0..102).collect::<Vec<_>>());
    assert_eq!(all[0].1, "x");
    for from in 0..=102 {
        assert_eq!(read_all(&mut t.log, from, ReadBound::LogEnd).len() as i64, 102 - from, "from {from}");
    }
    let out_of_range = Err(ReadError::OffsetOutOfRange { log_start: 0, log_end: 102 });
    assert_eq!(t.log.read(103, 1, ReadBound::LogEnd, true).map(drop), out_of_range);
    assert_eq!(t.log.read(-1, 1, ReadBound::LogEnd, true).map(drop), out_of_range);
}

#[test]
fn reads_stop_at_the_high_watermark() {
    let mut t = TestLog::new(small());
    fill(&mut t, 20);
    for high_watermark in [0, 2, 20, 38, 40] {
        t.log.update_high_watermark(high_watermark);
        assert_eq!(read_all(&mut t.log, 0, ReadBound::HighWatermark).len() as i64, high_watermark);
    }
    assert_eq!(t.log.update_high_watermark(1_000), 40);
    assert_eq!(t.log.maybe_increment_high_watermark(30), None);
}

#[test]
fn a_read_gives_the_first_batch_whole_when_asked_to() {
    let mut t = TestLog::new(small());
    fill(&mut t, 3);
    let read = t.log.read(2, 10, ReadBound::LogEnd, true).expect("reads");
    let slice = read.records.expect("records");
    let bytes = slice.read().expect("bytes");
    assert_eq!(RecordBatch::new(&bytes).expect("whole").base_offset(), 2);
    let read = t.log.read(2, 10, ReadBound::LogEnd, false).expect("reads");
    assert!(read.first_entry_incomplete);
    assert_eq!(read.records.expect("records").len, 10);
    assert!(t.log.read(2, 0, ReadBound::LogEnd, false).expect("reads").records.is_none());
}

#[test]
fn a_clean_stop_reads_no_segment() {
    let mut t = TestLog::new(small());
    fill(&mut t, 30);
    t.append(idempotent(5, 0, 0, &["p"]));
    let before = read_all(&mut t.log, 0, ReadBound::LogEnd);
    t.disk.reset_counters();
    t.restart();
    assert_eq!(t.disk.counters(".log").bytes_read, 0);
    assert_eq!(t.disk.counters("index").bytes_read, 0);
    assert_eq!((t.log.log_end_offset(), t.log.recovery_point(), t.log.high_watermark()), (61, 61, 60));
    assert_eq!(t.log.active_producers().len(), 1);
    assert_eq!(read_all(&mut t.log, 0, ReadBound::LogEnd), before);
    assert_eq!(t.log.offset_for_timestamp(START.wall_ms + 1), Ok(Some(at(1, 1))));
    fill(&mut t, 30);
    assert_eq!(t.log.log_end_offset(), 121);
    assert_eq!(read_all(&mut t.log, 0, ReadBound::LogEnd).len(), 121);
}

fn at(offset: i64, ms: i64) -> OffsetAtTimestamp {
    OffsetAtTimestamp { offset, timestamp: START.wall_ms + ms, leader_epoch: Some(0) }
}

#[test]
fn a_kill_loses_nothing_written() {
    let mut t = TestLog::new(small());
    fill(&mut t, 30);
    t.append(idempotent(5, 0, 0, &["p"]));
    let before = read_all(&mut t.log, 0, ReadBound::LogEnd);
    t.kill();
    assert_eq!(t.log.log_end_offset(), 61);
    assert_eq!(read_all(&mut t.log, 0, ReadBound::LogEnd), before);
    assert_eq!(t.log.active_producers().len(), 1);
    assert!(t.log.append_as_leader(&mut idempotent(5, 0, 0, &["p"]), client(0), t.now).expect("known").duplicate);
    assert_eq!(t.log.latest_epoch(), Some(0));
}

#[test]
fn a_duplicate_of_what_a_kill_left_unsynced_is_acknowledged_when_it_is_durable() {
    let mut t = TestLog::new(small());
    t.append(idempotent(5, 0, 0, &["p"]));
    t.config = Arc::new(LogConfig { flush_messages: 1, ..small() });
    t.kill();
    assert!(t.append(idempotent(5, 0, 0, &["p"])).duplicate);
    t.disk.crash();
    t.reopen(LoadHints::default());
    assert_eq!(t.log.log_end_offset(), 1);
}

#[test]
fn a_torn_tail_is_cut() {
    let mut t = TestLog::new(small());
    fill(&mut t, 30);
    let path = t.log.active().log_path();
    let size = u64::from(t.log.active().size());
    t.disk.kill();
    let file = t.dir.disk().open(&path, ottla_base::disk::OpenMode::ReadWrite).expect("opens");
    file.write_all_at(&batch(&["torn"])[..70], size).expect("writes");
    t.reopen(LoadHints::default());
    assert_eq!(t.log.log_end_offset(), 60);
    assert_eq!(t.dir.disk().metadata(&path).expect("there").len, size);
}

#[test]
fn damage_in_the_middle_cuts_all_behind_it() {
    let mut t = TestLog::new(small());
    fill(&mut t, 30);
    let base = t.log.segments[2].base_offset();
    let path = t.log.segments[2].log_path();
    t.disk.flip_bit(&path, 200, 3).expect("flips");
    t.kill();
    assert!(t.log.log_end_offset() > base && t.log.log_end_offset() < 60);
    assert_eq!(t.log.segment_count(), 3);
    assert_eq!(read_all(&mut t.log, 0, ReadBound::LogEnd).len() as i64, t.log.log_end_offset());
    let end = t.log.log_end_offset();
    t.kill();
    assert_eq!(t.log.log_end_offset(), end);
}

#[test]
fn missing_and_broken_indexes_are_rebuilt() {
    let mut t = TestLog::new(small());
    fill(&mut t, 30);
    t.log.close(t.now).expect("closes");
    let hints = LoadHints { recovery_point: 60, clean: true, ..LoadHints::default() };
    let disk = t.dir.disk().clone();
    disk.remove_file("/logs/t-0/00000000000000000000.index".as_ref()).expect("removes");
    let path = t.log.segments[1].time_index.entries.name().path();
    let file = disk.open(&path, ottla_base::disk::OpenMode::ReadWrite).expect("opens");
    file.set_len(13).expect("cuts");
    let whole = disk.read(&t.log.segments[2].offset_index.entries.name().path()).expect("reads");
    t.disk.kill();
    t.reopen(hints);
    assert_eq!(read_all(&mut t.log, 0, ReadBound::LogEnd).len(), 60);
    assert_eq!(t.log.max_timestamp_offset(), Ok(Some(at(1, 1))));
    assert!(!whole.is_empty());
}

#[test]
fn lying_indexes_cost_a_scan_only() {
    let mut t = TestLog::new(small());
    fill(&mut t, 30);
    t.log.close(t.now).expect("closes");
    let disk = t.dir.disk().clone();
    for segment in &t.log.segments {
        let path = segment.offset_index.entries.name().path();
        let file = disk.open(&path, ottla_base::disk::OpenMode::ReadWrite).expect("opens");
        let len = file.len().expect("a length");
        file.write_all_at(&vec![0x11; len as usize], 0).expect("writes");
    }
    t.disk.kill();
    t.reopen(LoadHints { recovery_point: 60, clean: true, ..LoadHints::default() });
    assert_eq!(read_all(&mut t.log, 0, ReadBound::LogEnd).len(), 60);
}

#[test]
fn leftovers_of_interrupted_work_are_cleared() {
    let mut t = TestLog::new(small());
    fill(&mut t, 30);
    t.log.close(t.now).expect("closes");
    let disk = t.dir.disk().clone();
    for name in ["00000000000000000000.log.deleted", "00000000000000000000.log.cleaned", "00000000000000000099.index"] {
        let path = t.log.folder.file(name);
        disk.open(&path, ottla_base::disk::OpenMode::Create).expect("makes");
    }
    t.disk.kill();
    t.reopen(LoadHints { recovery_point: 60, clean: true, ..LoadHints::default() });
    let names: Vec<String> = disk.list("/logs/t-0".as_ref()).expect("lists").into_iter().map(|e| e.name).collect();
    assert!(names.iter().all(|n| !n.ends_with("ed") && !n.contains("099.")), "{names:?}");
    assert_eq!(read_all(&mut t.log, 0, ReadBound::LogEnd).len(), 60);
}

#[test]
fn clients_are_held_to_the_rules() {
    let mut t = TestLog::new(small());
    let mut refuse = |mut bytes: Vec<u8>, want: &str| {
        let error = t.log.append_as_leader(&mut bytes, client(0), t.now).expect_err("refused");
        let name = format!("{error:?}");
        assert!(name.starts_with(want), "{name} instead of {want}");
    };
    refuse(Vec::new(), "CorruptMessage");
    refuse(vec![0; 61], "UnsupportedFormat");
    refuse(batch(&["x"])[..65].to_vec(), "CorruptMessage");
    let mut flipped = batch(&["x"]);
    flipped[64] ^= 1;
    refuse(flipped, "CorruptMessage");
    refuse([batch(&["x"]), batch(&["y"])].concat(), "InvalidRecord");
    refuse(
        batch_with(BatchOptions { base_offset: 3, ..BatchOptions::default() }, Compression::None, &["x"]),
        "InvalidRecord",
    );
    refuse(marker(1, 0, true), "InvalidRecord");
    refuse(batch(&[]), "InvalidRecord");
    for lie in [1i32, 3, -1, i32::MAX] {
        refuse(lying_count(&batch(&["x", "y"]), lie), "InvalidRecord");
        let packed = batch_with(BatchOptions::default(), Compression::Zstd, &["x", "y"]);
        refuse(lying_count(&packed, lie), "InvalidRecord");
    }
    let append_time = BatchOptions {
        timestamp_type: TimestampType::LogAppendTime,
        log_append_time: START.wall_ms,
        ..BatchOptions::default()
    };
    refuse(batch_with(append_time, Compression::None, &["x"]), "InvalidTimestamp");
    t.now = t.now.plus_ms(0);
    assert_eq!(t.log.log_end_offset(), 0);
}

/// A batch whose count and last offset delta say something else, with a good checksum.
fn lying_count(batch: &[u8], count: i32) -> Vec<u8> {
    let mut bytes = batch.to_vec();
    bytes[57..61].copy_from_slice(&count.to_be_bytes());
    bytes[23..27].copy_from_slice(&count.wrapping_sub(1).max(0).to_be_bytes());
    let crc = ottla_base::checksum::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}

#[test]
fn timestamps_out_of_the_window_are_named() {
    let config = LogConfig { timestamp_before_max_ms: 10, timestamp_after_max_ms: 0, ..small() };
    let mut t = TestLog::new(config);
    let error = t.log.append_as_leader(&mut batch(&["x", "y", "z"]), client(0), t.now).expect_err("refused");
    let AppendError::InvalidTimestamp { records, .. } = error else { panic!("{error:?}") };
    assert_eq!(records.iter().map(|r| r.batch_index).collect::<Vec<_>>(), [1, 2]);
    t.now = t.now.plus_ms(1_000);
    assert!(t.log.append_as_leader(&mut batch(&["x"]), client(0), t.now).is_err());
}

#[test]
fn the_brokers_time_replaces_the_producers() {
    let mut t = TestLog::new(LogConfig { timestamp_type: TimestampType::LogAppendTime, ..small() });
    t.now = t.now.plus_ms(77);
    let info = t.append(batch(&["x", "y"]));
    assert_eq!((info.log_append_time, info.max_timestamp), (START.wall_ms + 77, START.wall_ms + 77));
    let read = t.log.read(0, 1_000, ReadBound::LogEnd, true).expect("reads");
    let bytes = read.records.expect("records").read().expect("bytes");
    let stored = RecordBatch::new(&bytes).expect("a batch");
    assert!(stored.is_crc_valid());
    assert_eq!((stored.timestamp_type(), stored.max_timestamp()), (TimestampType::LogAppendTime, START.wall_ms + 77));
    assert_eq!(t.log.offset_for_timestamp(START.wall_ms + 2), Ok(Some(at(0, 77))));
}

#[test]
fn topics_may_want_another_codec() {
    for target in Compression::ALL {
        let mut t = TestLog::new(LogConfig { compression: CompressionType::Codec(target), ..small() });
        for source in Compression::ALL {
            t.append(batch_with(BatchOptions::default(), source, &["some text", "more text"]));
        }
        let read = t.log.read(0, 10_000, ReadBound::LogEnd, true).expect("reads");
        let bytes = read.records.expect("records").read().expect("bytes");
        assert_eq!(RecordBatch::new(&bytes).expect("a batch").compression(), Ok(target));
        assert_eq!(read_all(&mut t.log, 0, ReadBound::LogEnd).len(), 10);
        t.kill();
        assert_eq!(read_all(&mut t.log, 0, ReadBound::LogEnd).len(), 10);
    }
}

#[test]
fn sequences_are_checked() {
    let mut t = TestLog::new(LogConfig::default());
    let mut send = |epoch: i16, sequence: i32, values: &[&str]| {
        let mut bytes = idempotent(9, epoch, sequence, values);
        t.log.append_as_leader(&mut bytes, client(0), t.now).map(|info| (info.first_offset, info.duplicate))
    };
    assert_eq!(send(0, 5, &["a"]), Ok((0, false)), "an unknown producer may start anywhere");
    assert_eq!(send(0, 6, &["b", "c"]), Ok((1, false)));
    assert_eq!(send(0, 6, &["b", "c"]), Ok((1, true)));
    assert_eq!(send(0, 5, &["a"]), Ok((0, true)));
    assert!(matches!(send(0, 9, &["gap"]), Err(AppendError::OutOfOrderSequence(_))));
    assert!(matches!(send(0, 6, &["half"]), Err(AppendError::OutOfOrderSequence(_))));
    for sequence in 8..13 {
        assert!(matches!(send(0, sequence, &["d"]), Ok((_, false))));
    }
    assert!(matches!(send(0, 6, &["b", "c"]), Err(AppendError::OutOfOrderSequence(_))), "only five are remembered");
    assert_eq!(send(0, 8, &["d"]), Ok((3, true)));
    assert!(matches!(send(1, 3, &["e"]), Err(AppendError::OutOfOrderSequence(_))), "a new epoch starts at 0");
    assert!(matches!(send(1, 0, &["e"]), Ok((_, false))));
    assert!(matches!(send(0, 13, &["old"]), Err(AppendError::InvalidProducerEpoch(_))));
}

#[test]
fn sequences_wrap() {
    let mut t = TestLog::new(LogConfig::default());
    t.append(idempotent(9, 0, i32::MAX - 1, &["a", "b"]));
    t.append(idempotent(9, 0, 0, &["c"]));
    t.append(idempotent(8, 0, i32::MAX, &["a", "b"]));
    t.append(idempotent(8, 0, 1, &["c"]));
    assert!(t.append(idempotent(8, 0, i32::MAX, &["a", "b"])).duplicate);
}

#[test]
fn idle_producers_expire() {
    let mut t = TestLog::new(LogConfig::default());
    t.append(idempotent(9, 0, 0, &["a"]));
    t.append(transactional(8, 0, 0, &["a"]));
    assert_eq!(t.log.remove_expired_producers(t.now.plus_ms(86_399_999)), 0);
    assert_eq!(t.log.remove_expired_producers(t.now.plus_ms(86_400_000)), 1);
    assert_eq!(t.log.active_producers()[0].producer_id, 8, "an open transaction keeps its producer");
}

fn check_transactions(t: &mut TestLog) {
    assert_eq!(t.log.last_stable_offset(), 6);
    let read = t.log.read(0, 10_000, ReadBound::LastStable, true).expect("reads");
    let aborted = AbortedTxn { producer_id: 1, first_offset: 0, last_offset: 3, last_stable_offset: 1 };
    assert_eq!(read.aborted, [aborted]);
    assert!(t.log.read(4, 10_000, ReadBound::LastStable, true).expect("reads").aborted.is_empty());
    assert_eq!(offsets(&read_all(&mut t.log, 0, ReadBound::LastStable)), [0, 1, 2, 5]);
}

#[test]
fn transactions_hold_readers_back() {
    let mut t = TestLog::new(LogConfig::default());
    t.append(transactional(1, 0, 0, &["aborted"]));
    t.append(transactional(2, 0, 0, &["committed"]));
    t.append(batch(&["plain"]));
    t.log.update_high_watermark(3);
    assert_eq!(t.log.last_stable_offset(), 0);
    let mut end = |id, commit| t.log.append_as_leader(&mut marker(id, 0, commit), coordinator(0), t.now).map(drop);
    assert_eq!(end(1, false), Ok(()));
    assert_eq!(end(2, true), Ok(()));
    assert_eq!(t.log.last_stable_offset(), 0, "the markers are not replicated yet");
    t.append(batch(&["plain"]));
    t.append(transactional(2, 0, 1, &["open"]));
    t.log.update_high_watermark(7);
    check_transactions(&mut t);
    t.kill();
    t.log.update_high_watermark(7);
    check_transactions(&mut t);
    t.restart();
    check_transactions(&mut t);
    let plain = t.log.append_as_leader(&mut idempotent(2, 0, 2, &["no"]), client(0), t.now);
    assert!(matches!(plain, Err(AppendError::InvalidTxnState(_))));
    let mut old = marker_of(1, 0, true, 6); // markers of coordinator epoch 7 were seen
    let fenced = t.log.append_as_leader(&mut old, coordinator(0), t.now);
    assert!(matches!(fenced, Err(AppendError::CoordinatorFenced(_))), "{fenced:?}");
}

#[test]
fn times_find_offsets() {
    let mut t = TestLog::new(small());
    for i in 0..30i64 {
        let mut builder = ottla_protocol::batch_builder::RecordBatchBuilder::default();
        for j in 0..2 {
            builder.append(START.wall_ms - 1_000 + 10 * i + j, None, Some(b"v"), &[]);
        }
        t.append(builder.finish().expect("a batch"));
    }
    for i in 0..30i64 {
        let found = |t: &mut TestLog, ms| t.log.offset_for_timestamp(START.wall_ms - 1_000 + ms).expect("finds");
        assert_eq!(found(&mut t, 10 * i), Some(at(2 * i, 10 * i - 1_000)));
        assert_eq!(found(&mut t, 10 * i + 1), Some(at(2 * i + 1, 10 * i - 999)));
        let next = (i < 29).then(|| at(2 * i + 2, 10 * i - 990));
        assert_eq!(found(&mut t, 10 * i + 2), next);
    }
    assert_eq!(t.log.max_timestamp_offset(), Ok(Some(at(59, -709))));
    t.restart();
    assert_eq!(t.log.max_timestamp_offset(), Ok(Some(at(59, -709))));
    assert_eq!(t.log.offset_for_timestamp(0), Ok(Some(at(0, -1_000))));
}

#[test]
fn epochs_and_truncation() {
    let mut t = TestLog::new(small());
    for epoch in [0, 0, 3, 3, 5] {
        for _ in 0..5 {
            t.log.append_as_leader(&mut batch(&["x", "y"]), client(epoch), t.now).expect("appended");
        }
    }
    let end = |t: &TestLog, epoch| t.log.end_offset_for_epoch(epoch).map(|e| (e.epoch, e.end_offset));
    assert_eq!((end(&t, 0), end(&t, 2), end(&t, 5), end(&t, 6)), (Some((0, 20)), Some((0, 20)), Some((5, 50)), None));
    assert_eq!(t.log.truncate_to(37, t.now), Ok(true));
    // The batch that holds 37 goes whole.
    assert_eq!(t.log.log_end_offset(), 36);
    assert_eq!(offsets(&read_all(&mut t.log, 0, ReadBound::LogEnd)), (0..36).collect::<Vec<_>>());
    assert_eq!(t.log.latest_epoch(), Some(3));
    assert_eq!(t.log.truncate_to(37, t.now), Ok(false));
    t.log.truncate_fully_and_start_at(1_000, None, t.now).expect("truncates");
    assert_eq!((t.log.log_start_offset(), t.log.log_end_offset(), t.log.latest_epoch()), (1_000, 1_000, None));
    assert_eq!(t.append(batch(&["x"])).first_offset, 1_000);
    t.kill();
    assert_eq!((t.log.log_start_offset(), t.log.log_end_offset()), (1_000, 1_001));
}

#[test]
fn followers_take_batches_as_they_are() {
    let (mut leader, mut follower) = (TestLog::new(small()), TestLog::new(small()));
    fill(&mut leader, 4);
    let read = leader.log.read(0, 10_000, ReadBound::LogEnd, true).expect("reads");
    let bytes = read.records.expect("records").read().expect("bytes");
    let info = follower.log.append_as_follower(&bytes[..bytes.len() - 5], 0, START).expect("appends");
    assert_eq!((info.first_offset, info.last_offset), (0, 5), "the cut-off batch is left out");
    let again = follower.log.append_as_follower(&bytes, 0, START);
    assert!(matches!(again, Err(AppendError::OffsetsOutOfOrder(_))));
    let mut gap = batch_with(BatchOptions { base_offset: 100, ..BatchOptions::default() }, Compression::None, &["g"]);
    crate::batch::set_offset_and_epoch(&mut gap, 100, 2);
    assert_eq!(follower.log.append_as_follower(&gap, 1, START).expect("ignores").bytes, 0, "a later epoch's");
    follower.log.append_as_follower(&gap, 2, START).expect("appends");
    assert_eq!(offsets(&read_all(&mut follower.log, 0, ReadBound::LogEnd)), [0, 1, 2, 3, 4, 5, 100]);
    follower.kill();
    assert_eq!(offsets(&read_all(&mut follower.log, 3, ReadBound::LogEnd)), [3, 4, 5, 100]);
}

#[test]
fn retention_by_size_time_and_start() {
    let mut t = TestLog::new(LogConfig { retention_bytes: 2_500, retention_ms: 100_000, ..small() });
    fill(&mut t, 60);
    t.log.update_high_watermark(0);
    assert_eq!(t.log.run_retention(t.now), Ok(0), "nothing above the high watermark goes");
    t.log.update_high_watermark(120);
    assert!(t.log.run_retention(t.now).expect("runs") > 0);
    let start = t.log.log_start_offset();
    assert!(start > 0 && t.log.size() <= 3_500 && t.log.size() > 2_500 - 1_000);
    assert!(t.log.run_deletions(t.now.plus_ms(59_999)) == Ok(0));
    assert!(t.log.run_deletions(t.now.plus_ms(60_000)).expect("unlinks") > 0);
    assert_eq!(t.log.delete_records(start + 30), Ok(start + 30));
    assert!(t.log.delete_records(121).is_err());
    assert!(t.log.read(start, 1, ReadBound::LogEnd, true).is_err());
    t.log.run_retention(t.now).expect("runs");
    assert_eq!(t.log.log_start_offset(), start + 30);
    assert_eq!(t.log.delete_records(-1), Ok(120));
    t.now = t.now.plus_ms(200_000);
    t.log.run_retention(t.now).expect("runs");
    assert_eq!((t.log.segment_count(), t.log.size(), t.log.log_end_offset()), (1, 0, 120));
    t.restart();
    assert_eq!((t.log.log_start_offset(), t.log.log_end_offset()), (120, 120));
}

#[test]
fn segments_roll_by_time_and_index() {
    let mut t = TestLog::new(LogConfig { segment_ms: 1_000, ..LogConfig::default() });
    t.append(batch(&["x"]));
    t.append(batch(&["x"]));
    assert_eq!(t.log.segment_count(), 1);
    let mut builder = ottla_protocol::batch_builder::RecordBatchBuilder::default();
    builder.append(START.wall_ms + 1_001, None, Some(b"v"), &[]);
    t.append(builder.finish().expect("a batch"));
    assert_eq!(t.log.segment_count(), 2);
    let mut t = TestLog::new(LogConfig { segment_index_bytes: 24, index_interval_bytes: 0, ..LogConfig::default() });
    for _ in 0..20 {
        t.append(batch(&["x"]));
    }
    assert!(t.log.segment_count() > 4);
    assert_eq!(read_all(&mut t.log, 0, ReadBound::LogEnd).len(), 20);
}

#[test]
fn a_failing_disk_takes_the_directory_offline() {
    use ottla_base::sim_disk::{Call, Fault};
    for call in [Call::Write, Call::Sync] {
        let mut t = TestLog::new(LogConfig { flush_messages: 1, ..small() });
        fill(&mut t, 3);
        t.disk.inject(Fault::once(call, ".log"));
        let failed = t.log.append_as_leader(&mut batch(&["lost"]), client(0), t.now);
        assert!(matches!(failed, Err(AppendError::Storage(_))));
        let failed = t.log.append_as_leader(&mut batch(&["lost"]), client(0), t.now);
        assert!(matches!(failed, Err(AppendError::Storage(_))), "never tried again");
        assert!(matches!(t.log.read(0, 1, ReadBound::LogEnd, true), Err(ReadError::Storage(_))));
        assert!(t.dir.is_offline());
    }
}
