//! Java's properties files, as far as `zoo.cfg` needs them: comments, continued lines, escapes.

/// A setting and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    pub key: String,
    pub value: String,
    /// Counted from 1.
    pub line: usize,
}

/// All settings of a text, in order; values are trimmed.
#[must_use]
pub fn parse_properties(text: &str) -> Vec<Property> {
    let mut properties = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut whole = line.to_owned();
        while ends_in_continuation(&whole) {
            whole.pop();
            match lines.next() {
                Some((_, next)) => whole.push_str(next.trim_start()),
                None => break,
            }
        }
        let (key, value) = split(&whole);
        properties.push(Property { key, value: value.trim().to_owned(), line: number + 1 });
    }
    properties
}

/// An odd number of backslashes at the end continues the line.
fn ends_in_continuation(line: &str) -> bool {
    line.bytes().rev().take_while(|&b| b == b'\\').count() % 2 == 1
}

fn split(line: &str) -> (String, String) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let found = !escaped && (c == '=' || c == ':' || c.is_whitespace());
        escaped = c == '\\' && !escaped;
        found
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start();
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (unescape(key), unescape(rest.trim_start()))
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &[(&str, &str, usize)]) {
        let got = parse_properties(text);
        let got: Vec<_> = got.iter().map(|p| (p.key.as_str(), p.value.as_str(), p.line)).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn forms() {
        check("a=1\n b : 2 \n# c=3\n!d\n\ne 5", &[("a", "1", 1), ("b", "2", 2), ("e", "5", 6)]);
        check("server.1=h:1:2", &[("server.1", "h:1:2", 1)]);
        check("a=1,\\\n   2\nb=x\\\\\nc\\==y", &[("a", "1,2", 1), ("b", "x\\", 3), ("c=", "y", 4)]);
        check("a=\\", &[("a", "", 1)]);
        check("empty=\r\nx", &[("empty", "", 1), ("x", "", 2)]);
    }
}
