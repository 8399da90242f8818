//! What the tests of this crate share: batches, and a log on a simulated disk.

use std::sync::Arc;

use ottla_base::disk::Disk;
use ottla_base::ids::TopicPartition;
use ottla_base::sim_disk::SimDisk;
use ottla_base::time::Now;
use ottla_protocol::batch_builder::{BatchOptions, RecordBatchBuilder};
use ottla_protocol::compression::{Compression, Compressor};
use ottla_protocol::record_batch::RecordBatch;

use crate::config::LogConfig;
use crate::log::{AppendInfo, AppendOptions, AppendOrigin, Log, ReadBound};
use crate::log_dir::LogDir;
use crate::log_loader::{self, LoadHints};

pub const START: Now = Now { mono_us: 1_000_000, wall_ms: 1_700_000_000_000 };

/// A batch as a producer sends it: values with START's time, one millisecond apart.
pub fn batch(values: &[&str]) -> Vec<u8> {
    batch_with(BatchOptions::default(), Compression::None, values)
}

pub fn batch_with(options: BatchOptions, compression: Compression, values: &[&str]) -> Vec<u8> {
    let mut builder = RecordBatchBuilder::new(options, Compressor::new(compression, None));
    for (i, value) in values.iter().enumerate() {
        builder.append(START.wall_ms + i as i64, Some(b"key"), Some(value.as_bytes()), &[]);
    }
    builder.finish().expect("a batch")
}

/// A batch of an idempotent producer.
pub fn idempotent(producer_id: i64, epoch: i16, sequence: i32, values: &[&str]) -> Vec<u8> {
    let options =
        BatchOptions { producer_id, producer_epoch: epoch, base_sequence: sequence, ..BatchOptions::default() };
    batch_with(options, Compression::None, values)
}

pub fn transactional(producer_id: i64, epoch: i16, sequence: i32, values: &[&str]) -> Vec<u8> {
    let options = BatchOptions {
        producer_id,
        producer_epoch: epoch,
        base_sequence: sequence,
        is_transactional: true,
        ..BatchOptions::default()
    };
    batch_with(options, Compression::None, values)
}

/// A marker of coordinator epoch 7 that ends a transaction.
pub fn marker(producer_id: i64, epoch: i16, commit: bool) -> Vec<u8> {
    marker_of(producer_id, epoch, commit, 7)
}

pub fn marker_of(producer_id: i64, epoch: i16, commit: bool, coordinator_epoch: u8) -> Vec<u8> {
    let options = BatchOptions {
        producer_id,
        producer_epoch: epoch,
        is_transactional: true,
        is_control: true,
        ..BatchOptions::default()
    };
    let mut builder = RecordBatchBuilder::new(options, Compressor::new(Compression::None, None));
    builder.append(START.wall_ms, Some(&[0, 0, 0, u8::from(commit)]), Some(&[0, 0, 0, 0, 0, coordinator_epoch]), &[]);
    builder.finish().expect("a batch")
}

pub fn client(leader_epoch: i32) -> AppendOptions {
    AppendOptions { origin: AppendOrigin::Client, leader_epoch }
}

pub fn coordinator(leader_epoch: i32) -> AppendOptions {
    AppendOptions { origin: AppendOrigin::Coordinator, leader_epoch }
}

pub struct TestLog {
    pub disk: SimDisk,
    pub dir: Arc<LogDir>,
    pub log: Log,
    pub config: Arc<LogConfig>,
    pub now: Now,
}

pub const EXPIRATION_MS: i64 = 86_400_000;

impl TestLog {
    pub fn new(config: LogConfig) -> Self {
        Self::on(SimDisk::new(1), config)
    }

    pub fn on(disk: SimDisk, config: LogConfig) -> Self {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        shared.create_dir_all("/logs".as_ref()).expect("a directory");
        shared.sync_dir("/".as_ref()).expect("synced");
        let dir = LogDir::new("/logs", shared);
        let config = Arc::new(config);
        let tp = TopicPartition::new("t", 0);
        let log = log_loader::create(&dir, "t-0", tp, None, config.clone(), EXPIRATION_MS, START).expect("a log");
        Self { disk, dir, log, config, now: START }
    }

    pub fn append(&mut self, mut bytes: Vec<u8>) -> AppendInfo {
        self.log.append_as_leader(&mut bytes, client(0), self.now).expect("appended")
    }

    /// Opens the log's files anew, as after a stop.
    pub fn reopen(&mut self, hints: LoadHints) {
        let dir = LogDir::new("/logs", self.dir.disk().clone());
        let tp = TopicPartition::new("t", 0);
        let config = self.config.clone();
        self.log = log_loader::load(&dir, "t-0", tp, config, hints, EXPIRATION_MS, self.now).expect("loads");
        self.dir = dir;
    }

    /// Kills the process and opens the log again.
    pub fn kill(&mut self) {
        let hints = LoadHints { recovery_point: self.log.recovery_point(), ..LoadHints::default() };
        self.disk.kill();
        self.reopen(hints);
    }

    /// Stops cleanly and opens the log again.
    pub fn restart(&mut self) {
        self.log.close(self.now).expect("closes");
        let hints = LoadHints {
            recovery_point: self.log.recovery_point(),
            log_start_offset: self.log.log_start_offset(),
            high_watermark: self.log.high_watermark(),
            clean: true,
            compacted: false,
            suspect: false,
        };
        self.disk.kill();
        self.reopen(hints);
    }
}

/// Offsets and values of everything that can be read from `offset` on.
pub fn read_all(log: &mut Log, mut offset: i64, bound: ReadBound) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    let from = offset;
    loop {
        let read = log.read(offset, 1 << 20, bound, true).expect("reads");
        let Some(slice) = read.records else { return found };
        let bytes = slice.read().expect("bytes");
        let mut rest = &bytes[..];
        while let Ok(batch) = RecordBatch::new(rest) {
            batch.check_crc().expect("a good checksum");
            if !batch.is_control() {
                for record in &batch.open().expect("opens") {
                    let record = record.expect("a record");
                    if record.offset >= from {
                        let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
                        found.push((record.offset, value));
                    }
                }
            }
            offset = batch.next_offset();
            rest = &rest[batch.size()..];
        }
    }
}
