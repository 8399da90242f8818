//! Authentication schemes: `world`, `digest`, `ip`, and `super` (`server/auth/*AuthenticationProvider`).

use crate::sha1;
use std::net::{Ipv4Addr, Ipv6Addr};

/// `user:base64(sha1(user:password))` of `user:password`, as ACLs hold it.
#[doc(alias = "DigestAuthenticationProvider.generateDigest")]
#[must_use]
pub fn digest_id(id_password: &str) -> String {
    let user = id_password.split(':').next().unwrap_or("");
    format!("{user}:{}", base64(&sha1::sha1(id_password.as_bytes())))
}

/// Standard base64 with padding.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, &b| (word << 8) | u32::from(b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i)) as usize & 63] as char;
            text.push(if i <= chunk.len() { digit } else { '=' });
        }
    }
    text
}

/// True when a scheme is known to the server.
#[must_use]
pub fn is_known(scheme: &str) -> bool {
    matches!(scheme, "digest" | "ip")
}

/// True when an id of this scheme proves an identity, so that an `auth` ACL may stand for it.
#[must_use]
pub fn is_authenticated(scheme: &str) -> bool {
    matches!(scheme, "digest" | "sasl" | "x509")
}

/// True when `id` may stand in an ACL of this scheme.
#[must_use]
pub fn is_valid_id(scheme: &str, id: &str) -> bool {
    match scheme {
        // As Java splits: what is empty at the end does not count.
        "digest" => id.trim_end_matches(':').split(':').count() == 2,
        "ip" => IpRange::parse(id).is_some(),
        _ => false,
    }
}

/// True when the authenticated `id` is meant by the ACL's `expression` (both of the same scheme).
#[must_use]
pub fn matches(scheme: &str, id: &str, expression: &str) -> bool {
    match scheme {
        "digest" | "sasl" | "x509" => id == expression,
        "ip" => match (IpRange::parse(expression), IpRange::parse(id)) {
            (Some(range), Some(address)) => range.contains(&address),
            _ => false,
        },
        _ => false,
    }
}

/// An address with the count of its leading bits that matter.
struct IpRange {
    bytes: Vec<u8>,
    bits: usize,
}

impl IpRange {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let bytes = if address.contains(':') {
            address.parse::<Ipv6Addr>().ok()?.octets().to_vec()
        } else {
            address.parse::<Ipv4Addr>().ok()?.octets().to_vec()
        };
        let most = bytes.len() * 8;
        let bits = match bits {
            None => most,
            Some(bits) => bits.parse().ok().filter(|&bits| bits <= most)?,
        };
        Some(Self { bytes, bits })
    }

    fn contains(&self, other: &Self) -> bool {
        self.bytes.len() == other.bytes.len()
            && (0..self.bits).all(|bit| {
                let mask = 0x80 >> (bit % 8);
                (self.bytes[bit / 8] ^ other.bytes[bit / 8]) & mask == 0
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_zookeepers() {
        // ZooKeeper's documentation and the output of its DigestAuthenticationProvider.
        assert_eq!(digest_id("super:test"), "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
        assert!(is_valid_id("digest", "u:x"));
        assert!(!is_valid_id("digest", "u"));
        assert!(!is_valid_id("digest", "u:"));
        assert!(!is_valid_id("world", "someone"));
    }

    #[test]
    fn ip_ranges() {
        assert!(matches("ip", "10.1.2.3", "10.1.0.0/16"));
        assert!(!matches("ip", "10.2.2.3", "10.1.0.0/16"));
        assert!(matches("ip", "127.0.0.1", "127.0.0.1"));
        assert!(matches("ip", "::1", "::/0"));
        assert!(!matches("ip", "::1", "0.0.0.0/0"));
        for bad in ["10.1.1", "10.1.1.1/33", "x", "10.1.1.256"] {
            assert!(!is_valid_id("ip", bad), "{bad}");
        }
    }
}
