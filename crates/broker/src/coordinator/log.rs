//! What the runtime needs of a partition below it. `ReplicaLog` is the real one; tests have one in memory.

use std::fmt;

use ottla_base::ids::TopicPartition;
use ottla_base::time::Now;
use ottla_protocol::ErrorCode;

/// A record that its schema can't explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRecord(pub String);

impl fmt::Display for BadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a partition's log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOffsets {
    pub start: i64,
    /// The offset that the next record gets.
    pub end: i64,
    pub high_watermark: i64,
}

/// The outcome of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Offset of the batch's first record.
    pub base_offset: i64,
    /// The partition's high watermark after the append.
    pub high_watermark: i64,
}

/// What a log holds, as the loader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogEntry<'a> {
    /// A record; `producer_id` is set when it is part of a transaction.
    Record { offset: i64, producer_id: Option<i64>, key: &'a [u8], value: Option<&'a [u8]> },
    /// The marker that ends a transaction.
    EndTransaction { offset: i64, producer_id: i64, committed: bool },
}

/// A key and its value, `None` being a tombstone.
pub type KeyValue = (Vec<u8>, Option<Vec<u8>>);

/// The partitions of an internal topic that this broker leads.
pub trait CoordinatorLog: Send + Sync {
    /// Appends `records` as one batch if this broker leads the partition; acknowledged by a high watermark past its end.
    fn append(&self, now: Now, partition: &TopicPartition, records: &[KeyValue]) -> Result<Appended, ErrorCode>;

    /// Visits what is stored from `offset` on: whole batches, as many as begin within about `max_bytes`, at least one.
    /// Gives the offset to go on with, which is the log's end when nothing is left.
    fn read(
        &self,
        partition: &TopicPartition,
        offset: i64,
        max_bytes: usize,
        visit: &mut dyn FnMut(LogEntry<'_>),
    ) -> Result<i64, ErrorCode>;

    /// How many partitions the topic has; `None` while it isn't there.
    fn partition_count(&self, topic: &str) -> Option<i32>;

    /// Where the log stands; `None` when this broker doesn't lead it.
    fn offsets(&self, partition: &TopicPartition) -> Option<LogOffsets>;
}
