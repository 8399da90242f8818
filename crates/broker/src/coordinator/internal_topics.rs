//! The topics that coordinators keep their state in.

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
