//! The part of the consumer's own protocol that the coordinator reads: which topics a member subscribes to.

/// The protocol type of consumers.
pub const PROTOCOL_TYPE: &str = "consumer";

/// Most topics that are taken from one subscription: a frame of 100 MB could name 50 million empty ones.
const MAX_TOPICS: usize = 1 << 20;

/// The topics of a member's metadata (`ConsumerProtocolSubscription`): version, then the array of topics, with which every
/// version begins. `None` when the bytes are not that.
#[must_use]
pub fn subscribed_topics(metadata: &[u8]) -> Option<Vec<&str>> {
    let (version, rest) = metadata.split_first_chunk::<2>()?;
    if i16::from_be_bytes(*version) < 0 {
        return None;
    }
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    let count = usize::try_from(i32::from_be_bytes(*count)).ok()?;
    if count > MAX_TOPICS || count > rest.len() / 2 {
        return None;
    }
    let mut topics = Vec::with_capacity(count);
    for _ in 0..count {
        let (len, after) = rest.split_first_chunk::<2>()?;
        let (topic, after) = after.split_at_checked(usize::try_from(i16::from_be_bytes(*len)).ok()?)?;
        topics.push(std::str::from_utf8(topic).ok()?);
        rest = after;
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_come_first_in_every_version() {
        // Version 3 of a 4.3.1 consumer subscribed to "t": no user data, no owned partitions, generation -1, no rack.
        let metadata = b"\0\x03\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\xff\xff";
        assert_eq!(subscribed_topics(metadata), Some(vec!["t"]));
        assert_eq!(subscribed_topics(b"\0\0\0\0\0\0"), Some(vec![]));
    }

    #[test]
    fn garbage_is_no_subscription() {
        for garbage in [
            &b""[..],
            b"\0",
            b"\0\x01\0\0",
            b"\xff\xff\0\0\0\0",
            b"\0\0\xff\xff\xff\xff",
            b"\0\0\x7f\xff\xff\xff",
            b"\0\0\0\0\0\x01\0\x05t",
            b"\0\0\0\0\0\x01\xff\xfft",
            b"\0\0\0\0\0\x01\0\x01\xff",
        ] {
            assert_eq!(subscribed_topics(garbage), None, "{garbage:?}");
        }
    }
}
