//! Records on their way: open batches, closed ones, and the memory they take.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ottla_base::random::Random;
use ottla_protocol::batch_builder::{BatchOptions, RecordBatchBuilder};
use ottla_protocol::{Compression, Compressor, ErrorCode, Header};
use tokio::sync::Notify;

use super::partitioner::partition_of_key;
use crate::cluster::TopicMetadata;
use crate::error::{ClientError, Result};

/// Buffers and builders kept for the next batches; more would only be memory.
const SPARES: usize = 256;

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that panics runs under the locks of the producer except allocation.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A record to send; what it borrows is copied into its batch.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProducerRecord<'a> {
    /// `None`: by key, or spread evenly.
    pub partition: Option<i32>,
    /// Milliseconds since 1970; `None`: now.
    pub timestamp: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [Header<'a>],
}

/// What became of a batch.
#[derive(Clone, Debug)]
pub struct BatchReport {
    pub topic: Arc<str>,
    pub partition: i32,
    pub records: i32,
    /// On the wire.
    pub bytes: usize,
    /// When its first record was appended.
    pub created: Instant,
    /// Offset of the first record (-1 with `acks=0`, or when the broker had it already) and the broker's timestamp
    /// (-1: the records' own).
    pub result: Result<(i64, i64)>,
}

/// Shared by a batch and whoever waits for one of its records.
#[derive(Debug, Default)]
pub(super) struct BatchDone {
    result: OnceLock<Result<(i64, i64)>>,
    partition: i32,
    notify: Notify,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordMetadata {
    pub partition: i32,
    /// -1 when the broker did not tell.
    pub offset: i64,
    /// The broker's, ms since 1970; -1: the record's own counts.
    pub timestamp: i64,
}

/// A record that has been handed over.
#[derive(Debug)]
pub struct Delivery {
    done: Arc<BatchDone>,
    index: i32,
}

impl Delivery {
    /// Waits until the record is acknowledged, or given up.
    pub async fn acknowledged(self) -> Result<RecordMetadata> {
        loop {
            let notified = self.done.notify.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if let Some(result) = self.done.result.get() {
                let (base, timestamp) = result.clone()?;
                let offset = if base < 0 { -1 } else { base + i64::from(self.index) };
                return Ok(RecordMetadata { partition: self.done.partition, offset, timestamp });
            }
            notified.await;
        }
    }
}

/// A batch that takes no more records.
pub(super) struct ClosedBatch {
    pub(super) partition: i32,
    /// Still to be finished; `None` after the first try.
    pub(super) builder: Option<RecordBatchBuilder>,
    /// The finished batch.
    pub(super) bytes: Vec<u8>,
    pub(super) records: i32,
    /// Where it stands among the batches of its partition.
    pub(super) ordinal: u64,
    pub(super) sequence: Option<i32>,
    pub(super) attempts: u32,
    pub(super) created: Instant,
    memory: usize,
    done: Option<Arc<BatchDone>>,
}

struct OpenBatch {
    builder: RecordBatchBuilder,
    created: Instant,
    memory: usize,
    done: Option<Arc<BatchDone>>,
}

/// The batches of a partition.
#[derive(Default)]
pub(super) struct PartitionQueue {
    open: Option<OpenBatch>,
    pub(super) closed: VecDeque<ClosedBatch>,
    next_ordinal: u64,
    pub(super) in_flight: usize,
    pub(super) next_sequence: i32,
    /// A batch has to be sent again: nothing new goes out before those under way are back, so that the order stays.
    pub(super) is_recovering: bool,
    pub(super) not_before: Option<Instant>,
    /// `None`: to be asked for.
    pub(super) leader: Option<i32>,
}

impl PartitionQueue {
    fn close_open(&mut self, partition: i32) -> bool {
        let Some(open) = self.open.take() else { return false };
        self.closed.push_back(ClosedBatch {
            partition,
            records: open.builder.count(),
            builder: Some(open.builder),
            bytes: Vec::new(),
            ordinal: self.next_ordinal,
            sequence: None,
            attempts: 0,
            created: open.created,
            memory: open.memory,
            done: open.done,
        });
        self.next_ordinal += 1;
        true
    }

    /// Closes the open batch if it has waited for `linger`; otherwise tells when it will have.
    pub(super) fn close_if_due(&mut self, partition: i32, now: Instant, linger: Duration) -> Option<Instant> {
        let due = self.open.as_ref()?.created + linger;
        if due > now {
            return Some(due);
        }
        self.close_open(partition);
        None
    }

    /// Puts a batch that has to be sent again where it belongs.
    pub(super) fn put_back(&mut self, batch: ClosedBatch) {
        self.is_recovering = true;
        let at = self.closed.partition_point(|other| other.ordinal < batch.ordinal);
        self.closed.insert(at, batch);
    }
}

/// The partitions of a topic and where the next record without a key goes.
pub(super) struct TopicQueues {
    pub(super) partitions: Vec<PartitionQueue>,
    sticky: Option<usize>,
    sticky_bytes: usize,
    random: Random,
}

/// A topic of a producer.
pub(super) struct TopicState {
    pub(super) name: Arc<str>,
    pub(super) queues: Mutex<TopicQueues>,
}

#[derive(Default)]
struct Memory {
    used: usize,
    waiters: usize,
}

#[derive(Default)]
struct Spares {
    buffers: Vec<Vec<u8>>,
    builders: Vec<RecordBatchBuilder>,
}

/// What senders of records and the sender of requests share.
pub(super) struct Accumulator {
    batch_size: usize,
    max_record: usize,
    buffer_memory: usize,
    ignore_keys: bool,
    compression: (Compression, Option<i32>),
    memory: Mutex<Memory>,
    freed: Condvar,
    freed_async: Notify,
    spares: Mutex<Spares>,
    /// Batches that are not done.
    pending: Mutex<usize>,
    pub(super) all_done: Notify,
    /// Work for the sender.
    pub(super) work: Notify,
    /// Nothing more is taken: nobody would send it.
    pub(super) is_closed: AtomicBool,
    on_batch: Option<BatchCallback>,
}

/// Called from the producer's task for every batch that is acknowledged or given up; must not block.
pub type BatchCallback = Box<dyn Fn(&BatchReport) + Send + Sync>;

/// Why a record was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// `buffer.memory` is used up: wait for room.
    Full,
    Failed(ClientError),
}

impl Accumulator {
    pub(super) fn new(config: &crate::config::ProducerConfig, on_batch: Option<BatchCallback>) -> Self {
        Self {
            batch_size: config.batch_size.max(1),
            max_record: config.max_request_size,
            buffer_memory: config.buffer_memory,
            ignore_keys: config.ignore_keys,
            compression: (config.compression, config.compression_level),
            memory: Mutex::default(),
            freed: Condvar::new(),
            freed_async: Notify::new(),
            spares: Mutex::default(),
            pending: Mutex::new(0),
            all_done: Notify::new(),
            work: Notify::new(),
            is_closed: AtomicBool::new(false),
            on_batch,
        }
    }

    pub(super) fn new_topic(&self, metadata: &TopicMetadata, seed: u64) -> TopicState {
        let mut queues =
            TopicQueues { partitions: Vec::new(), sticky: None, sticky_bytes: 0, random: Random::new(seed) };
        queues.refresh(metadata);
        TopicState { name: metadata.name.clone(), queues: Mutex::new(queues) }
    }

    /// Copies the record into its batch, under the topic's lock. `track` gives a handle to wait for it.
    pub(super) fn append(
        &self,
        topic: &TopicState,
        record: &ProducerRecord<'_>,
        track: bool,
    ) -> std::result::Result<Option<Delivery>, AppendError> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(AppendError::Failed(ClientError::Closed));
        }
        let timestamp = record.timestamp.unwrap_or_else(now_ms);
        let mut queues = lock(&topic.queues);
        let queues = &mut *queues;
        let index = queues.choose(record, self.ignore_keys).map_err(|e| AppendError::Failed(e(&topic.name)))?;
        let queue = &mut queues.partitions[index];
        let mut is_new_work = false;
        let mut grown = 0;
        if let Some(open) = &queue.open {
            let len = open.builder.record_len(timestamp, record.key, record.value, record.headers);
            grown = len;
            if open.builder.len() + len > self.batch_size {
                is_new_work = queue.close_open(index as i32);
                queues.sticky_bytes = 0;
            }
        }
        if queue.open.is_none() {
            let estimate = 128
                + record.key.map_or(0, <[u8]>::len)
                + record.value.map_or(0, <[u8]>::len)
                + record.headers.iter().map(|h| h.key.len() + h.value.map_or(0, <[u8]>::len) + 20).sum::<usize>();
            if estimate > self.max_record || estimate > self.buffer_memory.max(self.batch_size) {
                let what = format!("a record of about {estimate} bytes for topic {}", topic.name);
                let error = ClientError::Refused { code: ErrorCode::MessageTooLarge, message: None, what };
                return Err(AppendError::Failed(error));
            }
            let opened = self.open(estimate);
            if is_new_work || opened.is_ok() {
                self.work.notify_one();
                is_new_work = false;
            }
            queue.open = Some(opened?);
        }
        let Some(open) = queue.open.as_mut() else { return Err(AppendError::Full) };
        open.builder.append(timestamp, record.key, record.value, record.headers);
        let delivery = track.then(|| {
            let done =
                open.done.get_or_insert_with(|| Arc::new(BatchDone { partition: index as i32, ..Default::default() }));
            Delivery { done: done.clone(), index: open.builder.count() - 1 }
        });
        if queues.sticky == Some(index) {
            queues.sticky_bytes += grown.max(1);
            // KIP-794: as many bytes to each, whatever the broker's speed makes of the batches.
            if queues.sticky_bytes >= self.batch_size {
                queues.sticky = None;
            }
        }
        if is_new_work {
            self.work.notify_one();
        }
        Ok(delivery)
    }

    fn open(&self, estimate: usize) -> std::result::Result<OpenBatch, AppendError> {
        let wanted = estimate.max(self.batch_size);
        {
            let mut memory = lock(&self.memory);
            // One batch is always let in: a buffer smaller than a batch would let nothing through.
            if memory.used > 0 && memory.used + wanted > self.buffer_memory {
                return Err(AppendError::Full);
            }
            memory.used += wanted;
        }
        *lock(&self.pending) += 1;
        let (buffer, builder) = {
            let mut spares = lock(&self.spares);
            (spares.buffers.pop(), spares.builders.pop())
        };
        let buffer = buffer.unwrap_or_else(|| Vec::with_capacity(wanted));
        let (compression, level) = self.compression;
        let mut builder = builder
            .unwrap_or_else(|| RecordBatchBuilder::new(BatchOptions::default(), Compressor::new(compression, level)));
        builder.reset(BatchOptions::default(), buffer);
        Ok(OpenBatch { builder, created: Instant::now(), memory: wanted, done: None })
    }

    /// Closes a builder: seals and compresses, outside of any lock.
    pub(super) fn finish(&self, batch: &mut ClosedBatch, options: BatchOptions) -> Result<()> {
        if let Some(mut builder) = batch.builder.take() {
            builder.set_options(options);
            let finished = builder.finish();
            let mut spares = lock(&self.spares);
            if spares.builders.len() < SPARES {
                spares.builders.push(builder);
            }
            drop(spares);
            batch.bytes = finished.map_err(|e| ClientError::Protocol(format!("a batch can't be made: {e}")))?;
        }
        Ok(())
    }

    /// Ends a batch: tells whoever waits for it, and frees its memory.
    pub(super) fn done(&self, topic: &Arc<str>, batch: ClosedBatch, result: Result<(i64, i64)>) {
        if let Some(on_batch) = &self.on_batch {
            on_batch(&BatchReport {
                topic: topic.clone(),
                partition: batch.partition,
                records: batch.records,
                bytes: batch.bytes.len(),
                created: batch.created,
                result: result.clone(),
            });
        }
        if let Some(done) = batch.done {
            // Set once, here.
            let _ = done.result.set(result);
            done.notify.notify_waiters();
        }
        if batch.bytes.capacity() >= self.batch_size && batch.bytes.capacity() <= 2 * self.batch_size {
            let mut spares = lock(&self.spares);
            if spares.buffers.len() < SPARES {
                spares.buffers.push(batch.bytes);
            }
        }
        {
            let mut memory = lock(&self.memory);
            memory.used -= batch.memory;
            if memory.waiters > 0 {
                self.freed.notify_all();
            }
        }
        self.freed_async.notify_waiters();
        let mut pending = lock(&self.pending);
        *pending -= 1;
        if *pending == 0 {
            self.all_done.notify_waiters();
        }
    }

    pub(super) fn pending(&self) -> usize {
        *lock(&self.pending)
    }

    /// Blocks the thread until memory was freed, or for a short while.
    pub(super) fn wait_for_room(&self, limit: Duration) {
        let mut memory = lock(&self.memory);
        if memory.used + self.batch_size <= self.buffer_memory {
            return;
        }
        memory.waiters += 1;
        let waited = self.freed.wait_timeout(memory, limit);
        let (mut memory, _) = waited.unwrap_or_else(PoisonError::into_inner);
        memory.waiters -= 1;
    }

    /// The same for a task.
    pub(super) async fn room(&self, limit: Duration) {
        let notified = self.freed_async.notified();
        // Over when nobody tells: the caller tries again anyway.
        let _ = tokio::time::timeout(limit, notified).await;
    }
}

pub(super) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

impl TopicQueues {
    /// Takes in who leads what; partitions only ever become more.
    pub(super) fn refresh(&mut self, metadata: &TopicMetadata) {
        let count = metadata.partitions.last().map_or(0, |last| last.partition as usize + 1);
        while self.partitions.len() < count {
            self.partitions.push(PartitionQueue::default());
        }
        for partition in &metadata.partitions {
            if let Some(queue) = self.partitions.get_mut(partition.partition as usize) {
                queue.leader = partition.leader;
            }
        }
    }

    fn choose(
        &mut self,
        record: &ProducerRecord<'_>,
        ignore_keys: bool,
    ) -> std::result::Result<usize, impl Fn(&str) -> ClientError + use<>> {
        let count = self.partitions.len();
        let unknown = move |partition: i32| {
            move |topic: &str| ClientError::Refused {
                code: ErrorCode::UnknownTopicOrPartition,
                message: None,
                what: format!("partition {partition} of topic {topic}, which has {count}"),
            }
        };
        if let Some(partition) = record.partition {
            return usize::try_from(partition).ok().filter(|&index| index < count).ok_or_else(|| unknown(partition));
        }
        if count == 0 {
            return Err(unknown(0));
        }
        if let Some(key) = record.key.filter(|_| !ignore_keys) {
            return Ok(partition_of_key(key, count));
        }
        if let Some(sticky) = self.sticky {
            return Ok(sticky);
        }
        // Partitions without a leader wait for one; the others can go on.
        let start = self.random.index(count);
        let with_leader = (0..count).map(|i| (start + i) % count).find(|&i| self.partitions[i].leader.is_some());
        let chosen = with_leader.unwrap_or(start);
        self.sticky = Some(chosen);
        self.sticky_bytes = 0;
        Ok(chosen)
    }
}
