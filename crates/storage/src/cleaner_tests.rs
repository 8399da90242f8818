use std::collections::BTreeMap;

use ottla_base::sim_disk::SimDisk;
use ottla_protocol::batch_builder::{BatchOptions, RecordBatchBuilder};
use ottla_protocol::compression::{Compression, Compressor};
use ottla_protocol::record_batch::RecordBatch;

use crate::config::{LogConfig, ManagerConfig};
use crate::log::{Log, ReadBound};
use crate::log_cleaner::CleanStats;
use crate::log_loader::LoadHints;
use crate::test_support::{TestLog, client, coordinator, idempotent, marker, read_all, transactional};

fn compacted() -> LogConfig {
    LogConfig {
        segment_bytes: 1_000,
        index_interval_bytes: 100,
        compact: true,
        delete: false,
        delete_retention_ms: 1_000,
        min_cleanable_dirty_ratio: 0.0,
        ..LogConfig::default()
    }
}

/// A batch of keys and values; no value is a tombstone.
fn keyed(compression: Compression, records: &[(&str, Option<&str>)]) -> Vec<u8> {
    let mut builder = RecordBatchBuilder::new(BatchOptions::default(), Compressor::new(compression, None));
    for (key, value) in records {
        let value = value.map(str::as_bytes);
        builder.append(crate::test_support::START.wall_ms, Some(key.as_bytes()), value, &[]);
    }
    builder.finish().expect("a batch")
}

fn clean(t: &mut TestLog, checkpoint: Option<i64>) -> CleanStats {
    let end = t.log.log_end_offset();
    t.log.update_high_watermark(end);
    let cleanable = t.log.cleanable(checkpoint, t.now).expect("looks");
    let job = t.log.start_cleaning(&cleanable).expect("starts");
    let cleaned = job.run(&ManagerConfig::default(), [1, 2], t.now).expect("cleans");
    let stats = cleaned.stats;
    assert_eq!(t.log.finish_cleaning(cleaned, t.now), Ok(true));
    stats
}

/// Key → (offset, value) of all records, in order of offsets.
fn records(log: &mut Log) -> Vec<(i64, String, Option<String>)> {
    let (mut offset, mut found) = (log.log_start_offset(), Vec::new());
    while let Some(slice) = log.read(offset, 1 << 20, ReadBound::LogEnd, true).expect("reads").records {
        let bytes = slice.read().expect("bytes");
        let mut rest = &bytes[..];
        while let Ok(batch) = RecordBatch::new(rest) {
            batch.check_crc().expect("a good checksum");
            for record in &batch.open().expect("opens") {
                let record = record.expect("a record");
                let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
                found.push((record.offset, text(record.key.unwrap_or_default()), record.value.map(text)));
            }
            offset = batch.next_offset();
            rest = &rest[batch.size()..];
        }
    }
    found
}

#[test]
fn the_newest_of_every_key_stays() {
    for compression in Compression::ALL {
        let mut t = TestLog::new(compacted());
        let mut newest = BTreeMap::new();
        for i in 0..100 {
            let (a, b) = (format!("k{}", i % 7), format!("k{}", i % 11));
            let value = format!("v{i}");
            let info = t.append(keyed(compression, &[(&a, Some(&value)), (&b, Some(&value))]));
            newest.insert(a, (info.first_offset, value.clone()));
            newest.insert(b, (info.last_offset, value));
        }
        let before = t.log.size();
        let stats = clean(&mut t, None);
        assert!(stats.records_kept < stats.records_read && t.log.size() < before);
        let check = |log: &mut Log| {
            let found = records(log);
            assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0));
            let last: BTreeMap<_, _> = found.into_iter().map(|(o, k, v)| (k, (o, v.expect("a value")))).collect();
            assert_eq!(last, newest, "{compression}");
        };
        check(&mut t.log);
        assert_eq!(t.log.log_end_offset(), 200);
        for from in 0..200 {
            assert!(t.log.read(from, 1, ReadBound::LogEnd, true).is_ok());
        }
        t.kill();
        check(&mut t.log);
        // A second cleaning of the same finds nothing dirty to speak of; all of it again is the same.
        clean(&mut t, Some(stats.end_offset));
        clean(&mut t, None);
        check(&mut t.log);
        t.restart();
        check(&mut t.log);
        assert_eq!(t.append(keyed(compression, &[("new", Some("x"))])).first_offset, 200);
    }
}

fn fill_up(t: &mut TestLog) {
    for i in 0..20 {
        t.append(keyed(Compression::None, &[(&format!("filler{i}"), Some("a value long enough to fill a segment"))]));
    }
}

#[test]
fn tombstones_stay_until_their_horizon() {
    let mut t = TestLog::new(compacted());
    t.append(keyed(Compression::None, &[("gone", Some("x")), ("kept", Some("y"))]));
    t.append(keyed(Compression::None, &[("gone", None)]));
    fill_up(&mut t);
    let has = |t: &mut TestLog| records(&mut t.log).iter().filter(|(_, key, _)| key == "gone").count();
    clean(&mut t, None);
    assert_eq!(has(&mut t), 1);
    t.now = t.now.plus_ms(999);
    clean(&mut t, None);
    assert_eq!(has(&mut t), 1);
    t.now = t.now.plus_ms(1);
    clean(&mut t, None);
    assert_eq!(has(&mut t), 0);
    assert_eq!(records(&mut t.log)[0].1, "kept");
}

#[test]
fn aborted_records_go_and_markers_follow() {
    let mut t = TestLog::new(compacted());
    t.append(transactional(1, 0, 0, &["aborted"]));
    t.append(transactional(2, 0, 0, &["committed"]));
    for (id, commit) in [(1, false), (2, true)] {
        t.log.append_as_leader(&mut marker(id, 0, commit), coordinator(0), t.now).expect("appended");
    }
    // The producers' last batches are elsewhere; those would be kept, empty.
    for id in [1, 2] {
        t.append(transactional(id, 0, 1, &["later"]));
        t.log.append_as_leader(&mut marker(id, 0, true), coordinator(0), t.now).expect("appended");
    }
    fill_up(&mut t);
    let check = |t: &mut TestLog, len: usize| {
        let committed = read_all(&mut t.log, 0, ReadBound::LastStable);
        assert_eq!(committed.iter().filter(|(_, v)| v == "later").count(), 1, "the newest of one key");
        assert_eq!(records(&mut t.log).len(), len);
    };
    clean(&mut t, None);
    check(&mut t, 25); // the records that are older or aborted went at once
    assert!(read_all(&mut t.log, 0, ReadBound::LogEnd).iter().all(|(_, v)| v != "aborted"));
    clean(&mut t, None); // now the first two markers get their horizon
    t.now = t.now.plus_ms(1_001);
    clean(&mut t, None);
    check(&mut t, 23);
    t.kill();
    t.log.update_high_watermark(28);
    check(&mut t, 23);
}

#[test]
fn a_producers_last_batch_keeps_its_sequence() {
    let mut t = TestLog::new(compacted());
    t.append(idempotent(7, 3, 10, &["a", "b"]));
    t.append(keyed(Compression::None, &[("key", Some("newer"))]));
    fill_up(&mut t);
    clean(&mut t, None);
    assert_eq!(records(&mut t.log)[0].0, 2, "both records are gone");
    t.kill();
    let producer = t.log.active_producers()[0];
    assert_eq!((producer.producer_id, producer.producer_epoch, producer.last_sequence), (7, 3, 11));
    assert!(t.log.append_as_leader(&mut idempotent(7, 3, 13, &["gap"]), client(0), t.now).is_err());
    assert!(t.log.append_as_leader(&mut idempotent(7, 3, 12, &["next"]), client(0), t.now).is_ok());
}

#[test]
fn work_on_changed_segments_is_thrown_away() {
    let mut t = TestLog::new(compacted());
    fill_up(&mut t);
    fill_up(&mut t);
    t.log.update_high_watermark(40);
    let cleanable = t.log.cleanable(None, t.now).expect("looks");
    let job = t.log.start_cleaning(&cleanable).expect("starts");
    let cleaned = job.run(&ManagerConfig::default(), [1, 2], t.now).expect("cleans");
    t.log.truncate_to(5, t.now).expect("truncates");
    assert_eq!(t.log.finish_cleaning(cleaned, t.now), Ok(false));
    assert_eq!(records(&mut t.log).len(), 5);
    t.kill();
    assert_eq!(records(&mut t.log).len(), 5);
}

#[test]
fn a_crash_at_any_step_keeps_the_newest_of_every_key() {
    let expected = |log: &mut Log| records(log).into_iter().map(|(o, k, v)| (k, (o, v))).collect::<BTreeMap<_, _>>();
    for step in 0..200 {
        let mut t = TestLog::on(SimDisk::new(step), compacted());
        for i in 0..60 {
            t.append(keyed(Compression::None, &[(&format!("k{}", i % 5), Some(&format!("v{i}")))]));
        }
        t.log.update_high_watermark(60);
        t.log.flush(t.now).expect("flushes");
        t.dir.disk().sync_dir("/logs".as_ref()).expect("synced");
        let before = expected(&mut t.log);
        let cleanable = t.log.cleanable(None, t.now).expect("looks");
        t.disk.fail_after(Some(step));
        let job = t.log.start_cleaning(&cleanable).expect("starts");
        let done = job
            .run(&ManagerConfig::default(), [1, 2], t.now)
            .is_ok_and(|cleaned| t.log.finish_cleaning(cleaned, t.now).is_ok());
        t.disk.crash();
        t.reopen(LoadHints { recovery_point: t.log.recovery_point(), ..LoadHints::default() });
        assert_eq!(expected(&mut t.log), before, "crashed after {step} calls");
        assert_eq!(t.log.log_end_offset(), 60, "crashed after {step} calls");
        if done {
            return;
        }
    }
    panic!("the cleaning never got through");
}

#[test]
fn a_small_map_takes_several_turns() {
    let mut t = TestLog::new(compacted());
    for i in 0..100 {
        t.append(keyed(Compression::None, &[(&format!("k{}", i % 40), Some(&format!("v{i}")))]));
    }
    t.log.update_high_watermark(100);
    let config = ManagerConfig { cleaner_dedupe_buffer_bytes: 24 * 20, ..ManagerConfig::default() };
    let mut checkpoint = None;
    let mut turns = 0;
    loop {
        let cleanable = t.log.cleanable(checkpoint, t.now).expect("looks");
        let cleaned = t.log.start_cleaning(&cleanable).expect("starts").run(&config, [1, 2], t.now).expect("cleans");
        let end = cleaned.stats.end_offset;
        assert_eq!(t.log.finish_cleaning(cleaned, t.now), Ok(true));
        turns += 1;
        if checkpoint == Some(end) || end >= cleanable.first_uncleanable {
            break;
        }
        checkpoint = Some(end);
    }
    assert!(turns > 3);
    let found = records(&mut t.log);
    let sealed_end = t.log.segments.last().expect("a segment").base_offset();
    let newest: Vec<i64> = (0..100).filter(|o| *o >= sealed_end || o + 40 >= sealed_end).collect();
    assert_eq!(found.iter().map(|(o, _, _)| *o).collect::<Vec<_>>(), newest);
}

#[test]
fn a_marker_stays_while_records_of_its_transaction_do() {
    let mut t = TestLog::new(compacted());
    t.append(transactional(2, 0, 0, &["committed"]));
    for i in 0..20 {
        let value = format!("a value long enough to fill a segment {i:?} {}", "x".repeat(60));
        t.append(keyed(Compression::None, &[(&format!("filler{i}"), Some(&value))]));
    }
    t.log.append_as_leader(&mut marker(2, 0, true), coordinator(0), t.now).expect("appended");
    fill_up(&mut t);
    assert!(t.log.segments[1].base_offset() < 21, "the marker is in a later group");
    let marker_at = 21;
    for _ in 0..3 {
        clean(&mut t, None);
        t.now = t.now.plus_ms(1_001);
        assert!(records(&mut t.log).iter().any(|(offset, _, _)| *offset == marker_at));
    }
}
