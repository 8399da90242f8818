//! The topic-level settings that a log obeys, as plain fields with Kafka's defaults (4.3.1). Parsing of names and values
//! belongs to the broker.

pub use ottla_protocol::compression::Compression;
pub use ottla_protocol::record_batch::TimestampType;

/// What is stored, whatever the producer sent (`compression.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionType {
    /// As the producer sent it.
    Producer,
    /// Recompressed unless it has this codec already; `None` means uncompressed.
    Codec(Compression),
}

/// Settings of one log. Times in milliseconds, sizes in bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes` (or `internal.segment.bytes`): a segment rolls before it would exceed this.
    pub segment_bytes: u32,
    /// `segment.ms`: a segment rolls when its first record is older than this.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: the largest random part taken off `segment_ms`.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`: an index of this size is full and its segment rolls.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: log bytes between two index entries.
    pub index_interval_bytes: u32,
    /// `flush.messages`: records between forced syncs; they are done inside the append.
    pub flush_messages: i64,
    /// `flush.ms`: time between forced syncs.
    pub flush_ms: i64,
    /// `retention.bytes`; -1 means no limit.
    pub retention_bytes: i64,
    /// `retention.ms`; -1 means no limit.
    pub retention_ms: i64,
    /// `local.retention.bytes`; -2 means as `retention_bytes`.
    pub local_retention_bytes: i64,
    /// `local.retention.ms`; -2 means as `retention_ms`.
    pub local_retention_ms: i64,
    /// `max.message.bytes`: largest record batch.
    pub max_message_bytes: u32,
    /// `file.delete.delay.ms`: wait between renaming a segment to `.deleted` and unlinking it.
    pub file_delete_delay_ms: i64,
    /// `delete.retention.ms`: how long tombstones and transaction markers outlive compaction.
    pub delete_retention_ms: i64,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: i64,
    /// `min.cleanable.dirty.ratio`.
    pub min_cleanable_dirty_ratio: f64,
    /// `cleanup.policy` has `compact`.
    pub compact: bool,
    /// `cleanup.policy` has `delete`.
    pub delete: bool,
    /// `compression.type`.
    pub compression: CompressionType,
    /// `compression.gzip.level`; -1 means the codec's own default.
    pub gzip_level: i32,
    /// `compression.lz4.level`.
    pub lz4_level: i32,
    /// `compression.zstd.level`.
    pub zstd_level: i32,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far in the past a client's timestamp may lie.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far in the future a client's timestamp may lie.
    pub timestamp_after_max_ms: i64,
    /// `preallocate`: reserve a segment's blocks when it is made.
    pub preallocate: bool,
    /// `min.insync.replicas`: not used by the log, kept for its owner.
    pub min_insync_replicas: i32,
    /// `unclean.leader.election.enable`: not used by the log, kept for its owner.
    pub unclean_leader_election: bool,
}

impl LogConfig {
    /// Age at which a segment rolls: a compacted topic's sealed segments must come within `max.compaction.lag.ms`.
    #[must_use]
    pub fn max_segment_ms(&self) -> i64 {
        if self.compact { self.segment_ms.min(self.max_compaction_lag_ms) } else { self.segment_ms }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        const DAY_MS: i64 = 86_400_000;
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY_MS,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4_096,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            retention_bytes: -1,
            retention_ms: 7 * DAY_MS,
            local_retention_bytes: -2,
            local_retention_ms: -2,
            max_message_bytes: 1_048_588,
            file_delete_delay_ms: 60_000,
            delete_retention_ms: DAY_MS,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_cleanable_dirty_ratio: 0.5,
            compact: false,
            delete: true,
            compression: CompressionType::Producer,
            gzip_level: -1,
            lz4_level: 9,
            zstd_level: 3,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            preallocate: false,
            min_insync_replicas: 1,
            unclean_leader_election: false,
        }
    }
}

/// Broker-level settings that all logs share. Times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagerConfig {
    /// `producer.id.expiration.ms`: an idle producer's state is forgotten after this.
    pub producer_id_expiration_ms: i64,
    /// `log.cleaner.dedupe.buffer.size`: bytes of the map of keys that one cleaning holds.
    pub cleaner_dedupe_buffer_bytes: usize,
    /// `log.cleaner.io.buffer.load.factor`: how full that map may get.
    pub cleaner_load_factor: f64,
}

impl Default for ManagerConfig {
    fn default() -> Self {
        Self { producer_id_expiration_ms: 86_400_000, cleaner_dedupe_buffer_bytes: 128 << 20, cleaner_load_factor: 0.9 }
    }
}
