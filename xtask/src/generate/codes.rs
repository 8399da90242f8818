//! The Rust of the API keys and error codes.

use std::fmt::Write as _;
use std::path::Path;

/// Rows of a table without its head, cut into cells.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines()
        .skip(1)
        .filter(|line| !line.is_empty())
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect()
}

/// `(a, b)` of two cells that are both empty or both numbers.
fn range(min: &str, max: &str) -> Option<(i16, i16)> {
    Some((min.parse().ok()?, max.parse().ok()?))
}

fn option(range: Option<(i16, i16)>) -> String {
    range.map_or("None".into(), |(min, max)| format!("Some({min}..={max})"))
}

/// A method that is true for the variants in `yes`.
fn predicate(doc: &str, name: &str, yes: impl Iterator<Item = String>) -> String {
    let yes: Vec<String> = yes.map(|variant| format!("Self::{variant}")).collect();
    let yes = yes.join(" | ");
    format!(
        "    /// {doc}\n    #[must_use]\n    pub const fn {name}(self) -> bool {{\n        matches!(self, {yes})\n    }}\n\n"
    )
}

/// `api_key.rs`.
pub fn api_keys(path: &Path) -> String {
    let rows = rows(path);
    let mut out = String::from(
        "//! The APIs of Kafka 3.9.2 and 4.3.1.\n\nuse std::ops::RangeInclusive;\n\n/// An API: which request a frame holds.\n#[doc(alias = \"ApiKeys\")]\n#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]\n#[repr(i16)]\npub enum ApiKey {\n",
    );
    for row in &rows {
        let _ = writeln!(out, "{} = {},", row[1], row[0]);
    }
    out += "}\n\n/// Who sends the requests of an API.\n#[derive(Clone, Copy, Debug, PartialEq, Eq)]\npub enum Facing {\n    /// Clients, and brokers where they act as clients.\n    Client,\n    /// Other brokers, or the controller of a ZooKeeper-mode cluster.\n    Broker,\n    /// Brokers and controllers, to the controller.\n    Controller,\n}\n\nimpl ApiKey {\n    /// Every API, by number.\n    pub const ALL: &'static [Self] = &[";
    for row in &rows {
        let _ = write!(out, "Self::{}, ", row[1]);
    }
    out += "];\n\n    /// The API of this number.\n    #[must_use]\n    pub const fn from_i16(key: i16) -> Option<Self> {\n        Some(match key {\n";
    for row in &rows {
        let _ = writeln!(out, "{} => Self::{},", row[0], row[1]);
    }
    out += "_ => return None,\n        })\n    }\n\n    #[must_use]\n    pub const fn code(self) -> i16 {\n        self as i16\n    }\n\n";
    let mut table = |doc: &str, head: &str, value: &dyn Fn(&[String]) -> String, rest: Option<&str>| {
        let _ = writeln!(out, "{doc}\n    #[must_use]\n    pub const fn {head} {{\n        match self {{");
        for row in &rows {
            let value = value(row);
            if rest != Some(&value) {
                let _ = writeln!(out, "Self::{} => {value},", row[1]);
            }
        }
        if let Some(rest) = rest {
            let _ = writeln!(out, "_ => {rest},");
        }
        out += "        }\n    }\n\n";
    };
    table("    /// Kafka's name of it.", "name(self) -> &'static str", &|row| format!("{:?}", row[1]), None);
    let union = |row: &[String]| {
        let (new, old) = (range(&row[4], &row[5]), range(&row[6], &row[7]));
        let both = match (new, old) {
            (Some(a), Some(b)) => (a.0.min(b.0), a.1.max(b.1)),
            (a, b) => a.or(b).unwrap_or_else(|| panic!("{} has no versions", row[1])),
        };
        format!("{}..={}", both.0, both.1)
    };
    table(
        "    /// Versions that 3.9.2 or 4.3.1 has a schema for.",
        "versions(self) -> RangeInclusive<i16>",
        &union,
        None,
    );
    table(
        "    /// Versions that a 4.3.1 broker tells its clients; `None` when it does not tell the API.",
        "live_versions(self) -> Option<RangeInclusive<i16>>",
        &|row| option(range(&row[2], &row[3])),
        Some("None"),
    );
    table(
        "    /// Versions that 3.9.2 has a schema for; `None` when the API is newer.",
        "versions_3_9(self) -> Option<RangeInclusive<i16>>",
        &|row| option(range(&row[6], &row[7])),
        Some("None"),
    );
    table(
        "    /// The first flexible version (KIP-482); `i16::MAX` when there is none.",
        "first_flexible(self) -> i16",
        &|row| if row[8].is_empty() { "i16::MAX".into() } else { row[8].clone() },
        None,
    );
    table(
        "    /// Who sends it.",
        "facing(self) -> Facing",
        &|row| match row[9].split([' ', '-', ';']).next() {
            Some("client") => "Facing::Client".into(),
            Some("broker") => "Facing::Broker".into(),
            Some("controller") => "Facing::Controller".into(),
            other => panic!("who is {other:?}?"),
        },
        Some("Facing::Client"),
    );
    for (doc, head, column) in [
        ("Whether the sender needs `ClusterAction` on the cluster.", "is_cluster_action", 12),
        ("Whether a KRaft broker passes it on to the controller.", "is_forwarded", 13),
    ] {
        out += &predicate(doc, head, rows.iter().filter(|row| row[column] == "true").map(|row| row[1].clone()));
    }
    out += "    /// Version of the request header before a request of `version`. `ControlledShutdown` 0 is older than client ids.\n    #[must_use]\n    pub const fn request_header_version(self, version: i16) -> i16 {\n        match self {\n            Self::ControlledShutdown if version == 0 => 0,\n            _ if version >= self.first_flexible() => 2,\n            _ => 1,\n        }\n    }\n\n    /// Version of the response header before a response of `version`. That of `ApiVersions` never changes, so that a\n    /// client can read it whatever the broker knows (KIP-511).\n    #[must_use]\n    pub const fn response_header_version(self, version: i16) -> i16 {\n        match self {\n            Self::ApiVersions => 0,\n            _ if version >= self.first_flexible() => 1,\n            _ => 0,\n        }\n    }\n}\n";
    out
}

/// `UNKNOWN_SERVER_ERROR` becomes `UnknownServerError`.
fn camel_case(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let (first, rest) = word.split_at(1);
            format!("{first}{}", rest.to_lowercase())
        })
        .collect()
}

/// `error_code.rs`.
pub fn error_codes(path: &Path) -> String {
    let rows = rows(path);
    let mut out = String::from(
        "//! The error codes of the protocol.\n\nuse std::error::Error;\nuse std::fmt;\n\n/// An error as a response carries it, in 16 bits.\n#[doc(alias = \"Errors\")]\n#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]\n#[repr(i16)]\npub enum ErrorCode {\n",
    );
    for row in &rows {
        if row[0] == "0" {
            out += "#[default]\n";
        }
        let _ = writeln!(out, "{} = {},", camel_case(&row[1]), row[0]);
    }
    out += "}\n\nimpl ErrorCode {\n    /// Every code, by number.\n    pub const ALL: &'static [Self] = &[";
    for row in &rows {
        let _ = write!(out, "Self::{}, ", camel_case(&row[1]));
    }
    out += "];\n\n    #[must_use]\n    pub const fn code(self) -> i16 {\n        self as i16\n    }\n\n    /// The error of this number; `UnknownServerError` when it has none, as Kafka's clients take it.\n    #[must_use]\n    pub const fn from_code(code: i16) -> Self {\n        match code {\n";
    for row in &rows {
        let _ = writeln!(out, "{} => Self::{},", row[0], camel_case(&row[1]));
    }
    out += "_ => Self::UnknownServerError,\n        }\n    }\n\n    /// Kafka's name of it.\n    #[must_use]\n    pub const fn name(self) -> &'static str {\n        match self {\n";
    for row in &rows {
        let _ = writeln!(out, "Self::{} => {:?},", camel_case(&row[1]), row[1]);
    }
    out += "        }\n    }\n\n";
    for (doc, head, column) in [
        ("Whether trying again may help.", "is_retriable", 2),
        ("Whether a client should ask for new metadata before it tries again.", "refreshes_metadata", 3),
    ] {
        let yes = rows.iter().filter(|row| row[column] == "true").map(|row| camel_case(&row[1]));
        out += &predicate(doc, head, yes);
    }
    out += "    /// True for [`ErrorCode::None`].\n    #[must_use]\n    pub const fn is_none(self) -> bool {\n        matches!(self, Self::None)\n    }\n}\n\nimpl fmt::Display for ErrorCode {\n    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {\n        f.write_str(self.message())\n    }\n}\n\nimpl Error for ErrorCode {}\n\nimpl From<ErrorCode> for i16 {\n    fn from(error: ErrorCode) -> Self {\n        error.code()\n    }\n}\n\nimpl From<i16> for ErrorCode {\n    fn from(code: i16) -> Self {\n        Self::from_code(code)\n    }\n}\n";
    out
}
