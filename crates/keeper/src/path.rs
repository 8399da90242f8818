//! What a path may look like (`PathUtils.validatePath`).

/// True for a path that a node may have: absolute, no empty, `.` or `..` component, no trailing slash, no control,
/// surrogate or private-use characters.
#[must_use]
pub fn is_valid(path: &str) -> bool {
    if path == "/" {
        return true;
    }
    let Some(rest) = path.strip_prefix('/') else { return false };
    if rest.is_empty() || rest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'-')) {
        return !rest.is_empty();
    }
    rest.split('/').all(|name| !matches!(name, "" | "." | "..")) && rest.chars().all(is_valid_char)
}

/// Characters above the basic plane are pairs of surrogates for ZooKeeper, which it refuses.
fn is_valid_char(c: char) -> bool {
    !matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..)
}

/// Parent and name of an absolute path: `/` for the parent of a node at the top, `None` without a slash.
#[must_use]
pub fn split(path: &str) -> Option<(&str, &str)> {
    let slash = path.rfind('/')?;
    Some((if slash == 0 { "/" } else { &path[..slash] }, &path[slash + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_and_not() {
        for path in ["/", "/a", "/a/b", "/a..b", "/.a", "/a.", "/é/x y", "/...", "/\u{d7ff}"] {
            assert!(is_valid(path), "{path}");
        }
        for path in [
            "",
            "a",
            "/a/",
            "//",
            "/a//b",
            "/.",
            "/..",
            "/a/./b",
            "/a/..",
            "/\0",
            "/\u{1f}",
            "/\u{7f}",
            "/\u{e000}",
            "/\u{fff0}",
            "/\u{1f600}",
        ] {
            assert!(!is_valid(path), "{path:?}");
        }
    }

    #[test]
    fn splitting() {
        assert_eq!(split("/a/b"), Some(("/a", "b")));
        assert_eq!(split("/a"), Some(("/", "a")));
        assert_eq!(split("a"), None);
    }
}
