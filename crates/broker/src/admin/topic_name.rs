//! Names that a new topic may have among the others.

use crate::topic::check_name;

/// The topic of a KRaft cluster's metadata: never made.
pub(crate) const CLUSTER_METADATA: &str = "__cluster_metadata";

/// What is wrong with a name, in words for the client; `None` when nothing is.
pub(crate) fn problem_with(name: &str) -> Option<String> {
    check_name(name).err().map(|problem| format!("Topic name is invalid: {problem}"))
}

/// Metrics of two topics would have one name if they differ in `.` and `_` alone.
#[doc(alias = "Topic.hasCollision")]
pub(crate) fn collides(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| a == b || matches!((a, b), (b'.', b'_') | (b'_', b'.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert_eq!(problem_with("a.b_c-9"), None);
        assert_eq!(problem_with("").as_deref(), Some("Topic name is invalid: the empty string is not allowed"));
        assert!(collides("a.b", "a_b"));
        assert!(!collides("a.b", "a-b"));
    }
}
