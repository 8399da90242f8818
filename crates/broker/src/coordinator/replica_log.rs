//! The partitions of internal topics as the replica manager has them.

use std::sync::{Arc, Weak};

use ottla_base::ids::TopicPartition;
use ottla_base::time::Now;
use ottla_protocol::batch_builder::{BatchOptions, RecordBatchBuilder};
use ottla_protocol::compression::{Compression, Compressor};
use ottla_protocol::{BatchIter, ErrorCode, RecordBatch};
use ottla_storage::ReadBound;
use parking_lot::Mutex;

use super::log::{Appended, CoordinatorLog, KeyValue, LogEntry, LogOffsets};
use crate::handlers::produce::append_error_code;
use crate::partition::{Partition, PartitionAppendError, ReadOutcome, ReadRequest};
use crate::replica_manager::ReplicaManager;

/// Appends to, and reads from, partitions that this broker leads.
#[derive(Debug)]
pub struct ReplicaLog {
    /// The replica manager holds the coordinator, which holds this.
    replicas: Weak<ReplicaManager>,
    /// Keeps its buffers; an append holds it for as long as it takes to encode.
    builder: Mutex<RecordBatchBuilder>,
}

impl ReplicaLog {
    /// `codec` is the number of the compression (`offsets.topic.compression.codec`); an unknown one is none.
    #[must_use]
    pub fn new(replicas: &Arc<ReplicaManager>, codec: i32) -> Self {
        let compression = Compression::ALL.into_iter().find(|c| *c as i32 == codec).unwrap_or_default();
        let builder = RecordBatchBuilder::new(BatchOptions::default(), Compressor::new(compression, None));
        Self { replicas: Arc::downgrade(replicas), builder: Mutex::new(builder) }
    }

    fn encode(&self, now: Now, records: &[KeyValue]) -> Result<Vec<u8>, ErrorCode> {
        let mut builder = self.builder.lock();
        builder.reset(BatchOptions::default(), Vec::new());
        for (key, value) in records {
            builder.append(now.wall_ms, Some(key), value.as_deref(), &[]);
        }
        builder.finish().map_err(|error| {
            tracing::error!(%error, "a coordinator's batch cannot be encoded");
            ErrorCode::UnknownServerError
        })
    }

    fn led(&self, partition: &TopicPartition) -> Option<Arc<Partition>> {
        self.replicas
            .upgrade()?
            .partition(&partition.topic, partition.partition)
            .filter(|partition| partition.is_leader())
    }
}

impl CoordinatorLog for ReplicaLog {
    fn append(&self, now: Now, partition: &TopicPartition, records: &[KeyValue]) -> Result<Appended, ErrorCode> {
        let replicas = self.replicas.upgrade().ok_or(ErrorCode::NotLeaderOrFollower)?;
        let replica = replicas.partition_or_error(&partition.topic, partition.partition)?;
        let mut batch = self.encode(now, records)?;
        match replicas.append_internal(now, &replica, &mut batch) {
            Ok(appended) => {
                Ok(Appended { base_offset: appended.info.first_offset, high_watermark: appended.high_watermark })
            }
            Err(PartitionAppendError::Refused(code)) => Err(code),
            Err(PartitionAppendError::Log(error)) => {
                tracing::warn!(%partition, %error, "the log refused a coordinator's batch");
                Err(append_error_code(&error))
            }
        }
    }

    fn read(
        &self,
        partition: &TopicPartition,
        offset: i64,
        max_bytes: usize,
        visit: &mut dyn FnMut(LogEntry<'_>),
    ) -> Result<i64, ErrorCode> {
        let replica = self.led(partition).ok_or(ErrorCode::NotLeaderOrFollower)?;
        let request = ReadRequest {
            offset,
            max_bytes,
            bound: ReadBound::LogEnd,
            min_one_message: true,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
            only_leader: true,
        };
        let ReadOutcome::Data(data) = replica.read(&request)? else { return Err(ErrorCode::UnknownServerError) };
        let Some(slice) = data.records else { return Ok(data.log_end_offset) };
        let bytes = slice.read().map_err(|error| {
            tracing::error!(%partition, %error, "a coordinator's log cannot be read");
            ErrorCode::KafkaStorageError
        })?;
        let mut next = offset;
        for batch in BatchIter::new(&bytes) {
            let batch = batch.map_err(|error| corrupt(partition, next, &error))?;
            visit_batch(&batch, offset, visit).map_err(|error| corrupt(partition, next, &error))?;
            next = batch.next_offset();
        }
        Ok(next)
    }

    fn partition_count(&self, topic: &str) -> Option<i32> {
        let replicas = self.replicas.upgrade()?;
        let image = replicas.shared.metadata.image();
        image.topic(topic).map(|topic| topic.partitions.len() as i32)
    }

    fn offsets(&self, partition: &TopicPartition) -> Option<LogOffsets> {
        let offsets = self.led(partition)?.offsets()?;
        Some(LogOffsets { start: offsets.log_start, end: offsets.log_end, high_watermark: offsets.high_watermark })
    }
}

fn corrupt(partition: &TopicPartition, offset: i64, error: &dyn std::fmt::Display) -> ErrorCode {
    tracing::error!(%partition, offset, %error, "a coordinator's log is damaged");
    ErrorCode::CorruptMessage
}

/// Visits the records of a batch from `from` on; the batch may begin before it.
fn visit_batch(
    batch: &RecordBatch<'_>,
    from: i64,
    visit: &mut dyn FnMut(LogEntry<'_>),
) -> Result<(), ottla_protocol::BatchError> {
    batch.check_crc()?;
    let opened = batch.open()?;
    let producer_id = batch.is_transactional().then(|| batch.producer_id());
    for record in &opened {
        let record = record?;
        if record.offset < from {
            continue;
        }
        let Some(key) = record.key else { continue };
        if batch.is_control() {
            // Version and kind: 0 aborts, 1 commits, others are no end of a transaction.
            if let Some(&[_, _, 0, kind @ (0 | 1)]) = key.first_chunk::<4>() {
                let (producer_id, committed) = (batch.producer_id(), kind == 1);
                visit(LogEntry::EndTransaction { offset: record.offset, producer_id, committed });
            }
        } else {
            visit(LogEntry::Record { offset: record.offset, producer_id, key, value: record.value });
        }
    }
    Ok(())
}
