//! The topics that coordinators keep their state in.

use super::group::config::GroupConfig;

/// Groups and their offsets.
#[doc(alias = "GROUP_METADATA_TOPIC_NAME")]
pub const CONSUMER_OFFSETS: &str = "__consumer_offsets";
/// Transactions.
pub const TRANSACTION_STATE: &str = "__transaction_state";

/// `String.hashCode` of Java: over UTF-16 units.
#[must_use]
pub fn java_string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// The partition of an internal topic that a group or transactional id belongs to (`Utils.abs(hash) % partitions`, where the
/// lowest number, which has no absolute value, becomes 0). `partitions` is at least 1.
#[must_use]
pub fn partition_for(key: &str, partitions: i32) -> i32 {
    java_string_hash(key).checked_abs().unwrap_or(0) % partitions
}

/// What an internal topic is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalTopic {
    pub name: &'static str,
    pub partitions: i32,
    /// As configured; at creation no more than there are brokers alive (docs/differences.md).
    pub replication_factor: i16,
    /// Topic settings, by Kafka's names.
    pub settings: Vec<(String, String)>,
}

impl InternalTopic {
    /// What a coordinator's topic of this name is made with; `None` for other names, and for topics whose coordinator is not
    /// served yet.
    #[must_use]
    pub fn named(name: &str, config: &crate::config::BrokerConfig) -> Option<Self> {
        match name {
            CONSUMER_OFFSETS => Some(Self::consumer_offsets(&GroupConfig::from(config))),
            _ => None,
        }
    }

    #[must_use]
    pub fn consumer_offsets(config: &GroupConfig) -> Self {
        // The codec setting concerns the batches that the coordinator itself writes; they are kept as written.
        let settings = [
            ("cleanup.policy", "compact".to_owned()),
            ("compression.type", "producer".to_owned()),
            ("segment.bytes", config.offsets_topic_segment_bytes.to_string()),
        ];
        Self {
            name: CONSUMER_OFFSETS,
            partitions: config.offsets_topic_num_partitions,
            replication_factor: config.offsets_topic_replication_factor,
            settings: settings.map(|(name, value)| (name.to_owned(), value)).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_go_where_java_puts_them() {
        // Computed with java.lang.String.hashCode.
        for (text, hash) in
            [("", 0), ("a", 97), ("console-consumer-12345", 158_455_506), ("grüße", 98_768_023), ("😀", 1_772_899)]
        {
            assert_eq!(java_string_hash(text), hash, "{text}");
        }
        assert_eq!(java_string_hash("polygenelubricants"), i32::MIN);
        assert_eq!(partition_for("polygenelubricants", 50), 0);
        assert_eq!(partition_for("console-consumer-12345", 50), 6);
        // -1_906_497_762, whose lower 31 bits would give another partition.
        assert_eq!(partition_for("my-group", 50), 12);
    }
}
