//! Random messages as bytes, made by walking the field tables: a second reading of the tables, which knows nothing of
//! the generated code.

#[path = "../../../../xtask/src/schema.rs"]
#[allow(dead_code)]
pub mod schema;

use std::path::Path;
use std::sync::OnceLock;

use ottla_base::random::Random;
use schema::{Field, Message, Struct, Type};

/// Every message of the tables.
pub fn all_messages() -> &'static [Message] {
    static ALL: OnceLock<Vec<Message>> = OnceLock::new();
    ALL.get_or_init(|| schema::read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reference")))
}

/// Makes the bytes of messages.
pub struct Maker<'m> {
    pub message: &'m Message,
    pub version: i16,
    pub random: Random,
    /// Whether every struct gets a tagged field that no version knows.
    pub with_unknown_tags: bool,
}

/// Which value a field gets.
#[derive(Clone, Copy, PartialEq)]
enum Value {
    Random,
    Default,
}

impl Maker<'_> {
    pub fn make(&mut self) -> Vec<u8> {
        let message = self.message;
        let mut out = Vec::new();
        self.put_struct(message.find(&message.name), Value::Random, &mut out);
        out
    }

    fn is_flexible(&self) -> bool {
        self.message.first_flexible.is_some_and(|first| self.version >= first)
    }

    fn put_struct(&mut self, item: &Struct, value: Value, out: &mut Vec<u8>) {
        let version = self.version;
        let holds = |range: Option<schema::Versions>| range.is_some_and(|r| (r.min..=r.max).contains(&version));
        let mut tagged = Vec::new();
        for field in item.fields.iter().filter(|field| holds(Some(field.versions))) {
            if holds(field.tagged) {
                tagged.push(field);
            } else {
                self.put_field(field, value, out);
            }
        }
        if !self.is_flexible() {
            return;
        }
        tagged.sort_by_key(|field| field.tag);
        let mut fields = Vec::new();
        for field in tagged {
            if value == Value::Default || self.random.chance(300_000) {
                continue;
            }
            let (mut bytes, mut default) = (Vec::new(), Vec::new());
            self.put_field(field, Value::Random, &mut bytes);
            self.put_field(field, Value::Default, &mut default);
            // A default value is not written.
            if bytes != default {
                fields.push((field.tag.expect("tagged"), bytes));
            }
        }
        if self.with_unknown_tags {
            fields.push((9_999, b"unknown".to_vec()));
        }
        varint(out, fields.len());
        for (tag, bytes) in fields {
            varint(out, tag as usize);
            varint(out, bytes.len());
            out.extend(bytes);
        }
    }

    fn put_field(&mut self, field: &Field, value: Value, out: &mut Vec<u8>) {
        let may_be_null = field.nullable.is_some_and(|r| (r.min..=r.max).contains(&self.version));
        let null = match value {
            Value::Default => field.default.as_deref() == Some("null") || field.ty == Type::Records,
            Value::Random => may_be_null && self.random.chance(250_000),
        };
        if let Type::Struct(name) = &field.ty {
            if may_be_null {
                out.push(if null { 0xff } else { 1 });
            }
            if !null {
                self.put_struct(self.message.find(name), value, out);
            }
            return;
        }
        if null {
            match field.ty {
                Type::String if self.is_flexible() && !field.never_flexible => out.push(0),
                Type::String => out.extend([0xff; 2]),
                _ if self.is_flexible() => out.push(0),
                _ => out.extend([0xff; 4]),
            }
        } else if value == Value::Default {
            self.put_default(field, out);
        } else {
            self.put_value(&field.ty, field.never_flexible, out);
        }
    }

    fn put_default(&mut self, field: &Field, out: &mut Vec<u8>) {
        let text = field.default.as_deref().unwrap_or("0");
        let number = || match text.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).expect("a number"),
            None => text.parse::<i64>().expect("a number"),
        };
        match &field.ty {
            Type::Bool => out.push(u8::from(text.eq_ignore_ascii_case("true"))),
            Type::Number("f64") => out.extend([0; 8]),
            Type::Number(name) => out.extend(&number().to_be_bytes()[8 - width(name)..]),
            Type::Uuid => out.extend([0; 16]),
            Type::String => self.put_len(0, 2, out),
            _ => self.put_len(0, 4, out),
        }
    }

    fn put_len(&mut self, len: usize, width: usize, out: &mut Vec<u8>) {
        if self.is_flexible() {
            varint(out, len + 1);
        } else {
            out.extend(&(len as u32).to_be_bytes()[4 - width..]);
        }
    }

    fn put_value(&mut self, ty: &Type, never_flexible: bool, out: &mut Vec<u8>) {
        match ty {
            Type::Bool => out.push(self.random.below(2) as u8),
            Type::Number("f64") => out.extend((self.random.below(1_000) as f64 / 8.0).to_be_bytes()),
            Type::Number(name) => {
                let word = self.random.next_u64().to_be_bytes();
                out.extend(&word[..width(name)]);
            }
            Type::Uuid => {
                let mut id = [0; 16];
                self.random.fill(&mut id);
                out.extend(id);
            }
            Type::String => {
                let text =
                    ["", "a", "näme", "topic-with-a-longer-name.2", &"x".repeat(150)][self.random.index(5)].to_owned();
                if never_flexible {
                    out.extend((text.len() as u16).to_be_bytes());
                } else {
                    self.put_len(text.len(), 2, out);
                }
                out.extend(text.as_bytes());
            }
            Type::Bytes | Type::Records => {
                let mut bytes = vec![0; [0, 1, 40, 200][self.random.index(4)]];
                self.random.fill(&mut bytes);
                self.put_len(bytes.len(), 4, out);
                out.extend(bytes);
            }
            Type::Array(element) => {
                let len = self.random.index(4);
                self.put_len(len, 4, out);
                for _ in 0..len {
                    match &**element {
                        Type::Struct(name) => self.put_struct(self.message.find(name), Value::Random, out),
                        other => self.put_value(other, false, out),
                    }
                }
            }
            Type::Struct(name) => self.put_struct(self.message.find(name), Value::Random, out),
        }
    }
}

fn width(number: &str) -> usize {
    number[1..].parse::<usize>().expect("a width") / 8
}

fn varint(out: &mut Vec<u8>, value: usize) {
    ottla_base::varint::write_u64(out, value as u64);
}
