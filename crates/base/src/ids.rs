//! Identifiers that more than one crate speaks of.

use std::fmt;
use std::sync::Arc;

/// A topic's 128-bit id (KIP-516), also used for cluster, directory and client-instance ids: shown as Kafka shows it, in
/// 22 characters of URL-safe base64 without padding.
#[doc(alias = "TopicId")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Uuid {
    /// All zeros: "no id" in the protocol.
    pub const ZERO: Self = Self([0; 16]);

    /// Makes a version 4 id of 16 random bytes.
    #[must_use]
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// Reads the 22-character form; `None` when it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('=');
        if text.len() != 22 {
            return None;
        }
        let mut bits = 0u32;
        let mut bit_count = 0;
        let mut out = [0u8; 16];
        let mut at = 0;
        for c in text.bytes() {
            let value = BASE64_URL.iter().position(|&b| b == c)? as u32;
            bits = (bits << 6) | value;
            bit_count += 6;
            if bit_count >= 8 {
                bit_count -= 8;
                if at < 16 {
                    out[at] = (bits >> bit_count) as u8;
                    at += 1;
                }
                bits &= (1 << bit_count) - 1;
            }
        }
        Some(Self(out))
    }

    /// True for the id that means "none".
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(22);
        for chunk in self.0.chunks(3) {
            let word = chunk.iter().fold(0u32, |word, &b| (word << 8) | u32::from(b)) << (8 * (3 - chunk.len()));
            for i in 0..=chunk.len() {
                text.push(BASE64_URL[(word >> (18 - 6 * i)) as usize & 63] as char);
            }
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A partition of a topic, by the topic's name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    pub topic: Arc<str>,
    pub partition: i32,
}

impl TopicPartition {
    #[must_use]
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

impl fmt::Debug for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_text_is_kafkas() {
        // The topic id of a real 3.9.2 cluster's dump.
        let id = Uuid::parse("J3djl-ghQxmTpt0mk55D_Q").expect("an id");
        assert_eq!(id.to_string(), "J3djl-ghQxmTpt0mk55D_Q");
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid::parse("short"), None);
        assert_eq!(Uuid::parse("J3djl+ghQxmTpt0mk55D_Q"), None);
    }

    #[test]
    fn random_ids_are_version_4() {
        let id = Uuid::from_random([0xff; 16]);
        assert_eq!((id.0[6] >> 4, id.0[8] >> 6), (4, 2));
    }
}
