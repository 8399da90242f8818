//! The field tables in `reference/`, read and merged into one description of every message.

use std::collections::BTreeMap;
use std::path::Path;

/// A range of versions, both ends included; `max` is `i16::MAX` when it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    pub min: i16,
    pub max: i16,
}

impl Versions {
    /// Reads `3`, `0-4` or `2+`; `None` for the empty text and `none`.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| text.parse::<i16>().unwrap_or_else(|_| panic!("not a version: {text}"));
        if text.is_empty() || text == "none" {
            None
        } else if let Some(min) = text.strip_suffix('+') {
            Some(Self { min: number(min), max: i16::MAX })
        } else if let Some((min, max)) = text.split_once('-') {
            Some(Self { min: number(min), max: number(max) })
        } else {
            Some(Self { min: number(text), max: number(text) })
        }
    }

    pub fn union(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }

    pub fn intersection(self, other: Self) -> Option<Self> {
        let both = Self { min: self.min.max(other.min), max: self.max.min(other.max) };
        (both.min <= both.max).then_some(both)
    }
}

fn union(a: Option<Versions>, b: Option<Versions>) -> Option<Versions> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.union(b)),
        (a, b) => a.or(b),
    }
}

/// Type of a field. A nullable field is told by [`Field::nullable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    Bool,
    /// `i8`, `i16`, `i32`, `i64`, `u16`, `u32` or `f64`.
    Number(&'static str),
    String,
    Bytes,
    Records,
    Uuid,
    Struct(String),
    Array(Box<Type>),
}

impl Type {
    fn parse(text: &str) -> Self {
        match text {
            "bool" => Self::Bool,
            "int8" => Self::Number("i8"),
            "int16" => Self::Number("i16"),
            "int32" => Self::Number("i32"),
            "int64" => Self::Number("i64"),
            "uint16" => Self::Number("u16"),
            "uint32" => Self::Number("u32"),
            "float64" => Self::Number("f64"),
            "string" => Self::String,
            "bytes" => Self::Bytes,
            "records" => Self::Records,
            "uuid" => Self::Uuid,
            _ => match text.strip_prefix("[]") {
                Some(element) => Self::Array(Box::new(Self::parse(element))),
                None => Self::Struct(text.to_owned()),
            },
        }
    }

    /// Name of the struct this is, or is an array of.
    pub fn struct_name(&self) -> Option<&str> {
        match self {
            Self::Struct(name) => Some(name),
            Self::Array(element) => element.struct_name(),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub ty: Type,
    pub versions: Versions,
    pub nullable: Option<Versions>,
    pub tagged: Option<Versions>,
    pub tag: Option<u32>,
    pub default: Option<String>,
    /// The field keeps its old encoding in flexible versions too (the client id of the request header).
    pub never_flexible: bool,
    pub ignorable: bool,
}

#[derive(Clone, Debug)]
pub struct Struct {
    pub name: String,
    pub fields: Vec<Field>,
    /// All versions in which something holds this struct.
    pub versions: Versions,
}

#[derive(Clone, Debug)]
pub struct Message {
    pub name: String,
    /// `request`, `response`, `header`, `coordinator-key`, `coordinator-value`, `metadata` or `data`.
    pub kind: String,
    pub api_key: Option<i16>,
    pub versions: Versions,
    pub first_flexible: Option<i16>,
    /// The message itself first, then the structs in it.
    pub structs: Vec<Struct>,
}

impl Message {
    pub fn find(&self, name: &str) -> &Struct {
        self.structs.iter().find(|s| s.name == name).unwrap_or_else(|| panic!("{}: no struct {name}", self.name))
    }

    /// Narrows the versions of every struct to those in which it can occur.
    fn narrow(&mut self) {
        let mut known: BTreeMap<String, Versions> = BTreeMap::from([(self.name.clone(), self.versions)]);
        let mut open = vec![(self.name.clone(), self.versions, 1)];
        while let Some((name, versions, depth)) = open.pop() {
            assert!(depth <= 16, "{}: nested too deep", self.name);
            for field in &self.find(&name).fields {
                let Some(inner) = field.ty.struct_name() else { continue };
                let Some(here) = field.versions.intersection(versions) else { continue };
                let seen = known.get(inner).copied();
                known.insert(inner.to_owned(), seen.map_or(here, |seen| seen.union(here)));
                open.push((inner.to_owned(), here, depth + 1));
            }
        }
        self.structs.retain(|s| known.contains_key(&s.name));
        for s in &mut self.structs {
            s.versions = known[&s.name];
        }
    }
}

/// Reads one table.
fn read_table(path: &Path) -> Vec<Message> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut messages: Vec<Message> = Vec::new();
    let mut paths: BTreeMap<String, String> = BTreeMap::new();
    for line in text.lines().skip(1).filter(|line| !line.is_empty()) {
        let mut cells: Vec<&str> = line.split('\t').collect();
        cells.resize(12, "");
        let versions = Versions::parse(cells[4]);
        if let Some(kind) = cells[1].strip_prefix("message:") {
            paths.clear();
            let name = cells[0].to_owned();
            let versions = versions.unwrap_or_else(|| panic!("{name} has no versions"));
            messages.push(Message {
                structs: vec![Struct { name: name.clone(), fields: Vec::new(), versions }],
                name,
                kind: kind.to_owned(),
                api_key: cells[2].strip_prefix("apiKey=").and_then(|key| key.parse().ok()),
                versions,
                first_flexible: Versions::parse(cells[9]).map(|versions| versions.min),
            });
            continue;
        }
        let message = messages.last_mut().expect("a message row comes first");
        assert_eq!(message.name, cells[0], "rows of a message stand together");
        let whole = Versions { min: 0, max: i16::MAX };
        if cells[1] == "struct" {
            if !message.structs.iter().any(|s| s.name == cells[2]) {
                message.structs.push(Struct { name: cells[2].to_owned(), fields: Vec::new(), versions: whole });
            }
            paths.insert(format!("<{}>", cells[2]), cells[2].to_owned());
            continue;
        }
        let (owner, name) = match cells[2].rsplit_once('.') {
            Some((parent, name)) => (paths[parent].clone(), name),
            None => (message.name.clone(), cells[2]),
        };
        let ty = Type::parse(cells[3]);
        if let Some(inner) = ty.struct_name() {
            paths.insert(cells[2].to_owned(), inner.to_owned());
            if !message.structs.iter().any(|s| s.name == inner) {
                message.structs.push(Struct { name: inner.to_owned(), fields: Vec::new(), versions: whole });
            }
        }
        let field = Field {
            name: name.to_owned(),
            ty,
            // A field that gives no versions of its own is there where it is tagged.
            versions: versions.or(Versions::parse(cells[6])).unwrap_or(whole),
            nullable: Versions::parse(cells[5]),
            tagged: Versions::parse(cells[6]),
            tag: cells[7].parse().ok(),
            default: (!cells[8].is_empty()).then(|| cells[8].to_owned()),
            never_flexible: cells[9] == "none",
            ignorable: cells[11].split(',').any(|flag| flag == "ignorable"),
        };
        let owner = message.structs.iter_mut().find(|s| s.name == owner).expect("made above");
        owner.fields.push(field);
    }
    messages
}

/// Adds to `new` what `old` has for versions that `new` no longer knows. `new` wins in everything else.
fn merge(new: &mut Message, old: &Message) {
    if new.kind != old.kind {
        // The records of coordinators: what 3.9.2 calls versions of a key is the type of the record in 4.3.1.
        return;
    }
    let known = new.versions;
    // An open range of the older release ends with the versions that release knew.
    let until_old = |versions: Option<Versions>| versions.and_then(|versions| versions.intersection(old.versions));
    for old_struct in &old.structs {
        let Some(new_struct) = new.structs.iter_mut().find(|s| s.name == old_struct.name) else {
            new.structs.push(old_struct.clone());
            continue;
        };
        let mut after = 0;
        for old_field in &old_struct.fields {
            let Some(old_versions) = until_old(Some(old_field.versions)) else { continue };
            match new_struct.fields.iter().position(|f| f.name == old_field.name) {
                Some(at) => {
                    let field = &mut new_struct.fields[at];
                    let merged = field.versions.union(old_versions);
                    let same = merged.intersection(known) == field.versions.intersection(known);
                    assert!(same, "{}.{} changed its versions", new_struct.name, field.name);
                    field.versions = merged;
                    field.nullable = union(field.nullable, until_old(old_field.nullable));
                    field.tagged = union(field.tagged, until_old(old_field.tagged));
                    field.ignorable |= old_field.ignorable;
                    after = at + 1;
                }
                // In versions that both know, a field that only the older release has was renamed.
                None => {
                    let before = Versions { min: 0, max: known.min.saturating_sub(1) };
                    if let Some(versions) = before.intersection(old_versions).filter(|_| known.min > 0) {
                        new_struct.fields.insert(after, Field { versions, ..old_field.clone() });
                        after += 1;
                    }
                }
            }
        }
    }
    new.versions = new.versions.union(old.versions);
    assert_eq!(new.first_flexible, old.first_flexible, "{} became flexible at another version", new.name);
}

/// What 3.9.2 calls `ListClientMetricsResources` is version 0 of `ListConfigResources` in 4.3.1.
const RENAMED: [&str; 2] = ["ListClientMetricsResourcesRequest", "ListClientMetricsResourcesResponse"];

/// Every message of either release, sorted by name.
pub fn read_all(reference: &Path) -> Vec<Message> {
    let mut all: BTreeMap<String, Message> = BTreeMap::new();
    for message in read_table(&reference.join("kafka-messages-4.3.1.tsv")) {
        all.insert(message.name.clone(), message);
    }
    for old in read_table(&reference.join("kafka-messages-3.9.2.tsv")) {
        if RENAMED.contains(&old.name.as_str()) {
            continue;
        }
        match all.get_mut(&old.name) {
            Some(new) => merge(new, &old),
            None => drop(all.insert(old.name.clone(), old)),
        }
    }
    let mut all: Vec<Message> = all.into_values().collect();
    all.iter_mut().for_each(Message::narrow);
    all
}

/// `ThrottleTimeMs` becomes `throttle_time_ms`; a name that Rust keeps for itself gets a `_` at its end.
pub fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.replace("KRaft", "Kraft").chars().collect();
    let mut out = String::new();
    for (i, &c) in chars.iter().enumerate() {
        let after_small = i > 0 && (chars[i - 1].is_lowercase() || chars[i - 1].is_ascii_digit());
        let before_small = i > 0 && chars[i - 1].is_uppercase() && chars.get(i + 1).is_some_and(|c| c.is_lowercase());
        if c.is_uppercase() && (after_small || before_small) {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    if matches!(out.as_str(), "type" | "match" | "where" | "use" | "mod" | "move" | "ref" | "self" | "struct") {
        out.push('_');
    }
    out
}
