//! What `ephemeralOwner` says of a node (`EphemeralType`): nothing (0), the session of an ephemeral node, the mark of a
//! container, or a time to live. Times to live are known only with `extendedTypesEnabled`; without it the same number
//! is a session.

/// The owner of every container node.
pub const CONTAINER_OWNER: i64 = i64::MIN;
const EXTENDED_MASK: i64 = 0xff00_0000_0000_0000_u64 as i64;
const RESERVED_MASK: i64 = 0x00ff_ff00_0000_0000;
/// Longest time to live, in milliseconds (about 34 years).
pub const MAX_TTL_MS: i64 = !(EXTENDED_MASK | RESERVED_MASK);

/// The kinds of node that an owner tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EphemeralType {
    /// Persistent: no owner.
    Void,
    /// Ephemeral, owned by a session.
    Normal,
    Container,
    /// Persistent until unused for so many milliseconds.
    Ttl(i64),
}

impl EphemeralType {
    /// Reads an owner; `extended` is the setting `extendedTypesEnabled`.
    #[must_use]
    pub fn of(owner: i64, extended: bool) -> Self {
        if extended && owner & EXTENDED_MASK == EXTENDED_MASK {
            Self::Ttl(owner & MAX_TTL_MS)
        } else if owner == CONTAINER_OWNER {
            Self::Container
        } else if owner == 0 {
            Self::Void
        } else {
            Self::Normal
        }
    }
}

/// The owner that encodes a time to live; `None` when it is not in `1..=MAX_TTL_MS`.
#[must_use]
pub fn ttl_owner(ttl_ms: i64) -> Option<i64> {
    (1..=MAX_TTL_MS).contains(&ttl_ms).then_some(EXTENDED_MASK | ttl_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners() {
        assert_eq!(EphemeralType::of(0, true), EphemeralType::Void);
        assert_eq!(EphemeralType::of(0x100_0000, true), EphemeralType::Normal);
        assert_eq!(EphemeralType::of(i64::MIN, false), EphemeralType::Container);
        let owner = ttl_owner(5_000).expect("in range");
        assert_eq!(owner as u64, 0xff00_0000_0000_1388);
        assert_eq!(EphemeralType::of(owner, true), EphemeralType::Ttl(5_000));
        assert_eq!(EphemeralType::of(owner, false), EphemeralType::Normal);
        assert_eq!((ttl_owner(0), ttl_owner(MAX_TTL_MS + 1)), (None, None));
    }
}
