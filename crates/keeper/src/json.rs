//! JSON as ZooKeeper's admin server writes it (Jackson, indented), so that the same tools and eyes can read it.

use std::fmt::Write;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    List(Vec<Json>),
    /// In the order of writing.
    Object(Vec<(String, Json)>),
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Json {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Json>> FromIterator<T> for Json {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl Json {
    /// An object of these entries.
    #[must_use]
    pub fn object<const N: usize>(entries: [(&str, Self); N]) -> Self {
        Self::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// The text of the value.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        // Writing to a string never fails.
        let _ = match self {
            Self::Null => write!(out, "null"),
            Self::Bool(value) => write!(out, "{value}"),
            Self::Int(value) => write!(out, "{value}"),
            // What is no number is no JSON either.
            Self::Double(value) if !value.is_finite() => write!(out, "null"),
            Self::Double(value) => write!(out, "{value:?}"),
            Self::Text(text) => return write_text(text, out),
            Self::List(values) => return write_list(values, out, depth),
            Self::Object(entries) => return write_object(entries, out, depth),
        };
    }
}

fn write_list(values: &[Json], out: &mut String, depth: usize) {
    out.push('[');
    for (index, value) in values.iter().enumerate() {
        out.push_str(if index == 0 { " " } else { ", " });
        value.write(out, depth);
    }
    out.push_str(" ]");
}

fn write_object(entries: &[(String, Json)], out: &mut String, depth: usize) {
    out.push('{');
    for (index, (key, value)) in entries.iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.extend(std::iter::repeat_n("  ", depth + 1));
        write_text(key, out);
        out.push_str(" : ");
        value.write(out, depth + 1);
    }
    if entries.is_empty() {
        out.push(' ');
    } else {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    }
    out.push('}');
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_like_jacksons() {
        let connections = Json::List(vec![Json::object([("sid", Json::Int(3)), ("ok", true.into())])]);
        let value = Json::object([
            ("connections", connections),
            ("none", Json::List(Vec::new())),
            ("empty", Json::Object(Vec::new())),
            ("ids", [1_i64, 2].into_iter().collect()),
            ("avg", Json::Double(0.0)),
            ("error", Json::Null),
        ]);
        assert_eq!(
            value.to_text(),
            "{\n  \"connections\" : [ {\n    \"sid\" : 3,\n    \"ok\" : true\n  } ],\n  \"none\" : [ ],\n  \"empty\" : { },\n  \
             \"ids\" : [ 1, 2 ],\n  \"avg\" : 0.0,\n  \"error\" : null\n}"
        );
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(Json::from("a\"b\\c\n\u{1}é").to_text(), "\"a\\\"b\\\\c\\n\\u0001é\"");
        assert_eq!(Json::Double(f64::NAN).to_text(), "null");
    }
}
