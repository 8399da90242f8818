//! What is a topic's name, and which topics are the brokers' own.

/// Longest name: the folder of a partition adds a dash, a number and what renaming appends.
pub const MAX_NAME_LENGTH: usize = 249;

/// Why a name can't be a topic's; the text is for the client.
#[doc(alias = "Topic.validate")]
pub fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the empty string is not allowed".to_owned());
    }
    if name == "." || name == ".." {
        return Err("'.' or '..' is not allowed".to_owned());
    }
    if name.len() > MAX_NAME_LENGTH {
        return Err(format!("the length of '{name}' is longer than the max allowed length {MAX_NAME_LENGTH}"));
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
        return Err(format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        ));
    }
    Ok(())
}

/// True for the topics that coordinators keep their state in: clients may read them, not write to them.
#[must_use]
pub fn is_internal(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "A.b_c-9", "...", "__consumer_offsets", &"t".repeat(249)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "a b", "a/b", "grüße", "a\0", &"t".repeat(250)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
