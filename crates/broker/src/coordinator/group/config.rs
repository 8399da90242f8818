//! The settings of the group coordinator.

use crate::config::BrokerConfig;

const NEW_MEMBER_JOIN_TIMEOUT_MS: i32 = 5 * 60 * 1_000;

/// Named as the broker's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    pub group_min_session_timeout_ms: i32,
    pub group_max_session_timeout_ms: i32,
    pub group_initial_rebalance_delay_ms: i32,
    pub group_max_size: i32,
    /// How long a new member's JoinGroup may wait; not a setting in Kafka either.
    #[doc(alias = "NewMemberJoinTimeoutMs")]
    pub new_member_join_timeout_ms: i32,
    pub offset_metadata_max_bytes: i32,
    pub offsets_commit_timeout_ms: i32,
    pub offsets_load_buffer_size: i32,
    pub offsets_retention_minutes: i32,
    pub offsets_retention_check_interval_ms: i64,
    /// 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub offsets_topic_compression_codec: i32,
    pub offsets_topic_num_partitions: i32,
}

impl GroupConfig {
    /// `offsets.retention.minutes` in milliseconds.
    #[must_use]
    pub fn offsets_retention_ms(&self) -> i64 {
        i64::from(self.offsets_retention_minutes) * 60_000
    }
}

impl From<&BrokerConfig> for GroupConfig {
    fn from(config: &BrokerConfig) -> Self {
        Self {
            group_min_session_timeout_ms: config.group_min_session_timeout_ms,
            group_max_session_timeout_ms: config.group_max_session_timeout_ms,
            group_initial_rebalance_delay_ms: config.group_initial_rebalance_delay_ms,
            group_max_size: config.group_max_size,
            new_member_join_timeout_ms: NEW_MEMBER_JOIN_TIMEOUT_MS,
            offset_metadata_max_bytes: config.offset_metadata_max_bytes,
            offsets_commit_timeout_ms: config.offsets_commit_timeout_ms,
            offsets_load_buffer_size: config.offsets_load_buffer_size,
            offsets_retention_minutes: config.offsets_retention_minutes,
            offsets_retention_check_interval_ms: config.offsets_retention_check_interval_ms,
            offsets_topic_compression_codec: config.offsets_topic_compression_codec,
            offsets_topic_num_partitions: config.offsets_topic_num_partitions,
        }
    }
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            group_min_session_timeout_ms: 6_000,
            group_max_session_timeout_ms: 1_800_000,
            group_initial_rebalance_delay_ms: 3_000,
            group_max_size: i32::MAX,
            new_member_join_timeout_ms: NEW_MEMBER_JOIN_TIMEOUT_MS,
            offset_metadata_max_bytes: 4_096,
            offsets_commit_timeout_ms: 5_000,
            offsets_load_buffer_size: 5 << 20,
            offsets_retention_minutes: 10_080,
            offsets_retention_check_interval_ms: 600_000,
            offsets_topic_compression_codec: 0,
            offsets_topic_num_partitions: 50,
        }
    }
}
