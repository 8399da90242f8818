//! `.properties` files, in the syntax that Java reads them in.

use std::fmt;

/// One setting of a file, as written there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    pub key: String,
    pub value: String,
    /// The line in which it begins, from 1.
    pub line: usize,
}

/// A file that can't be read as properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertiesError {
    pub line: usize,
    pub problem: String,
}

impl fmt::Display for PropertiesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl std::error::Error for PropertiesError {}

/// Reads a whole file. `#` and `!` begin comments; a backslash at the end of a line continues it; `=`, `:` or white space
/// end the key; `\t \n \r \f \uXXXX` are escapes and a backslash before anything else vanishes.
/// Of several lines with one key all are returned; the last one counts.
#[doc(alias = "java.util.Properties.load")]
pub fn parse_properties(text: &str) -> Result<Vec<Property>, PropertiesError> {
    let mut properties = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, first)) = lines.next() {
        let first = first.trim_start_matches(is_blank);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        while ends_in_continuation(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start_matches(is_blank));
        }
        let line = index + 1;
        let (key, value) = split(&logical);
        let unescaped = |raw| unescape(raw).map_err(|problem| PropertiesError { line, problem });
        properties.push(Property { key: unescaped(key)?, value: unescaped(value)?, line });
    }
    Ok(properties)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

/// An odd number of backslashes at the end.
fn ends_in_continuation(line: &str) -> bool {
    line.bytes().rev().take_while(|&b| b == b'\\').count() % 2 == 1
}

/// Key and value, both still escaped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line
        .char_indices()
        .find(|&(_, c)| {
            let ends = !escaped && (is_blank(c) || c == '=' || c == ':');
            escaped = !escaped && c == '\\';
            ends
        })
        .map_or(line.len(), |(at, _)| at);
    let rest = line[end..].trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (&line[..end], rest.trim_start_matches(is_blank))
}

fn unescape(raw: &str) -> Result<String, String> {
    if !raw.contains('\\') {
        return Ok(raw.to_owned());
    }
    let mut units: Vec<u16> = Vec::with_capacity(raw.len());
    let mut chars = raw.chars();
    let mut buffer = [0; 2];
    while let Some(c) = chars.next() {
        let c = if c == '\\' { chars.next() } else { Some(c) }.map(|plain| (c == '\\', plain));
        match c {
            Some((true, 'u')) => {
                let digits: String = chars.by_ref().take(4).collect();
                let all_hex = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                let unit = u16::from_str_radix(&digits, 16).ok().filter(|_| all_hex);
                units.push(
                    unit.ok_or_else(|| {
                        format!("\\u{digits} is no character: four hexadecimal digits must follow \\u")
                    })?,
                );
            }
            Some((true, 't')) => units.push(u16::from(b'\t')),
            Some((true, 'n')) => units.push(u16::from(b'\n')),
            Some((true, 'r')) => units.push(u16::from(b'\r')),
            Some((true, 'f')) => units.push(0x0c),
            Some((_, plain)) => units.extend_from_slice(plain.encode_utf16(&mut buffer)),
            None => {}
        }
    }
    String::from_utf16(&units).map_err(|_| "half of a surrogate pair stands alone".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse_properties(text).expect("properties").into_iter().map(|p| (p.key, p.value)).collect()
    }

    #[test]
    fn java_syntax_is_read() {
        let cases = [
            ("a=b", "a", "b"),
            ("  a : b", "a", "b"),
            ("a b c", "a", "b c"),
            ("a", "a", ""),
            ("a=  b  ", "a", "b  "),
            ("a\\=b=c", "a=b", "c"),
            ("a=one,\\\n   two", "a", "one,two"),
            ("a=C:\\\\logs", "a", "C:\\logs"),
            ("a=\\u00e9\\t!", "a", "é\t!"),
            ("a==b", "a", "=b"),
            ("a=\\ud83d\\ude00", "a", "😀"),
            ("a=tail\\", "a", "tail"),
            ("a=windows\r\n", "a", "windows"),
        ];
        for (text, key, value) in cases {
            assert_eq!(pairs(text), [(key.to_owned(), value.to_owned())], "{text:?}");
        }
        assert_eq!(pairs("# a=b\n! c=d\n\n   # e"), []);
    }

    #[test]
    fn errors_name_their_line() {
        let error = parse_properties("a=b\n\nc=\\u12g4\n").expect_err("no character");
        assert_eq!(error.line, 3);
        assert!(parse_properties("a=\\u").is_err());
        assert!(parse_properties("a=\\ud83d").is_err());
    }
}
