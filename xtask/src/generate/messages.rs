//! The Rust of one message: its structs, and how they are read and written.

use std::fmt::Write as _;

use crate::schema::{Field, Message, Struct, Type, Versions, snake_case};

/// One struct being written, with what is needed to know about its message.
struct Context<'m> {
    message: &'m Message,
    item: &'m Struct,
}

/// Whether a type holds something borrowed from the frame.
fn borrows(message: &Message, ty: &Type) -> bool {
    match ty {
        Type::String | Type::Bytes | Type::Records => true,
        Type::Struct(name) => struct_borrows(message, message.find(name)),
        Type::Array(element) => borrows(message, element),
        Type::Bool | Type::Number(_) | Type::Uuid => false,
    }
}

fn struct_borrows(message: &Message, item: &Struct) -> bool {
    item.fields.iter().any(|field| borrows(message, &field.ty))
}

/// The condition under which `version` is in `range`, given that it is in `all`; empty when always.
fn condition(range: Versions, all: Versions) -> String {
    let Some(range) = range.intersection(all) else { return "false".to_owned() };
    match (range.min > all.min, range.max < all.max) {
        (false, false) => String::new(),
        (true, false) => format!("version >= {}", range.min),
        (false, true) => format!("version <= {}", range.max),
        (true, true) if range.min == range.max => format!("version == {}", range.min),
        (true, true) => format!("({}..={}).contains(&version)", range.min, range.max),
    }
}

/// The condition under which `version` is outside `range`, given that it is in `all`.
fn negation(range: Versions, all: Versions) -> String {
    match (range.min > all.min, range.max < all.max) {
        (true, false) => format!("version < {}", range.min),
        (false, true) => format!("version > {}", range.max),
        _ => format!("!({}..={}).contains(&version)", range.min, range.max),
    }
}

impl Context<'_> {
    fn lifetime(&self, ty: &Type) -> &'static str {
        if borrows(self.message, ty) { "<'a>" } else { "" }
    }

    fn base_type(&self, ty: &Type) -> String {
        match ty {
            Type::Bool => "bool".into(),
            Type::Number(name) => (*name).into(),
            Type::String => "Str<'a>".into(),
            Type::Bytes => "Blob<'a>".into(),
            Type::Records => "Records<'a>".into(),
            Type::Uuid => "Uuid".into(),
            Type::Struct(name) => format!("{name}{}", self.lifetime(ty)),
            Type::Array(element) => format!("Vec<{}>", self.base_type(element)),
        }
    }

    fn is_option(&self, field: &Field) -> bool {
        field.nullable.is_some() || field.ty == Type::Records
    }

    fn rust_type(&self, field: &Field) -> String {
        let base = self.base_type(&field.ty);
        if self.is_option(field) { format!("Option<{base}>") } else { base }
    }

    /// Default of a field, and whether that is what Rust's `Default` gives for its type.
    fn default(&self, field: &Field) -> (String, bool) {
        let text = field.default.as_deref();
        if text == Some("null") || field.ty == Type::Records {
            return ("None".into(), true);
        }
        let (value, plain) = match &field.ty {
            Type::Bool => {
                let on = text.is_some_and(|text| text.eq_ignore_ascii_case("true"));
                (on.to_string(), !on)
            }
            Type::Number("f64") => {
                (format!("{:?}", text.map_or(0.0, |text| text.parse::<f64>().expect("a number"))), text.is_none())
            }
            Type::Number(_) => {
                let value = text.map_or(0, |text| match text.strip_prefix("0x") {
                    Some(hex) => i64::from_str_radix(hex, 16).expect("a number"),
                    None => text.parse().expect("a number"),
                });
                (value.to_string(), value == 0)
            }
            Type::String => {
                (text.map_or("Str::Borrowed(\"\")".into(), |text| format!("Str::Borrowed({text:?})")), text.is_none())
            }
            Type::Bytes => ("Blob::Borrowed(&[])".into(), true),
            Type::Uuid => ("Uuid::ZERO".into(), true),
            Type::Struct(name) => (format!("{name}::default()"), true),
            Type::Array(_) => ("Vec::new()".into(), true),
            Type::Records => unreachable!("handled above"),
        };
        if self.is_option(field) { (format!("Some({value})"), false) } else { (value, plain) }
    }

    /// Expression that is true when the field differs from its default.
    fn is_set(&self, field: &Field) -> String {
        let name = snake_case(&field.name);
        let (default, _) = self.default(field);
        match (self.is_option(field), &field.ty) {
            (true, _) if default == "None" => format!("self.{name}.is_some()"),
            (true, Type::String) => format!("self.{name}.as_deref() != Some(\"\")"),
            (true, Type::Bytes) => format!("self.{name}.as_deref() != Some(&[])"),
            (true, Type::Array(_)) => format!("self.{name}.as_ref().is_none_or(|all| !all.is_empty())"),
            (true, _) => format!("self.{name} != {default}"),
            (false, Type::Bool) => format!("{}self.{name}", if default == "true" { "!" } else { "" }),
            (false, Type::String) if field.default.is_none() => format!("!self.{name}.is_empty()"),
            (false, Type::Bytes | Type::Array(_)) => format!("!self.{name}.is_empty()"),
            (false, _) => format!("self.{name} != {default}"),
        }
    }

    /// Expression that reads one value of a type that is not null.
    fn read_value(&self, ty: &Type) -> String {
        match ty {
            Type::Bool => "r.bool()".into(),
            Type::Number(name) => format!("r.{name}()"),
            Type::String => "r.string()".into(),
            Type::Bytes => "r.bytes()".into(),
            Type::Records => "r.records()".into(),
            Type::Uuid => "r.uuid()".into(),
            Type::Struct(name) => format!("{name}::read(r, version)"),
            Type::Array(element) => format!("r.array({})", self.read_element(element)),
        }
    }

    fn read_element(&self, ty: &Type) -> String {
        match ty {
            Type::Struct(_) | Type::Array(_) => format!("|r| {}", self.read_value(ty)),
            _ => format!("Reader::{}", self.read_value(ty).trim_start_matches("r.").trim_end_matches("()")),
        }
    }

    /// Expression that reads a field's value, `Option` where the field is one.
    fn read_field(&self, field: &Field, versions: Versions) -> String {
        if field.ty == Type::Records {
            return "r.records()?".into();
        }
        let plain = format!("{}?", self.read_value(&field.ty));
        let Some(nullable) = field.nullable else { return plain };
        let with_null = match &field.ty {
            Type::String if field.never_flexible => "r.legacy_nullable_string()?".into(),
            Type::String => "r.nullable_string()?".into(),
            Type::Bytes => "r.nullable_bytes()?".into(),
            Type::Array(element) => format!("r.nullable_array({})?", self.read_element(element)),
            Type::Struct(_) => format!("if r.is_present()? {{ Some({plain}) }} else {{ None }}"),
            other => panic!("{}.{}: {other:?} can't be null", self.item.name, field.name),
        };
        match condition(nullable, versions).as_str() {
            "" => with_null,
            "false" => format!("Some({plain})"),
            when => format!("if {when} {{ {with_null} }} else {{ Some({plain}) }}"),
        }
    }

    /// Versions in which a field stands in the body, and those in which it is tagged.
    fn places(&self, field: &Field) -> (Option<Versions>, Option<Versions>) {
        let Some(here) = field.versions.intersection(self.item.versions) else { return (None, None) };
        let Some(tagged) = field.tagged.and_then(|tagged| tagged.intersection(here)) else { return (Some(here), None) };
        let before = Versions { min: here.min, max: tagged.min.saturating_sub(1) };
        assert_eq!(tagged.max, here.max, "a field that is tagged stays so");
        ((before.min <= before.max && tagged.min > here.min).then_some(before), Some(tagged))
    }

    fn definition(&self, out: &mut String) {
        let item = self.item;
        let generics = if struct_borrows(self.message, item) { "<'a>" } else { "" };
        let derived = item.fields.iter().all(|field| self.default(field).1);
        if item.name == self.message.name {
            let what = match self.message.api_key {
                Some(key) if self.message.kind == "request" || self.message.kind == "response" => {
                    format!("{} of API {key}", self.message.kind)
                }
                Some(key) => format!("{} of record type {key}", self.message.kind),
                None => self.message.kind.clone(),
            };
            let Versions { min, max } = self.message.versions;
            let _ = writeln!(out, "/// `{}`: {what}, versions {min} to {max}.", item.name);
        }
        let _ = writeln!(out, "#[derive(Clone, Debug, PartialEq{})]", if derived { ", Default" } else { "" });
        let _ = writeln!(out, "pub struct {}{generics} {{", item.name);
        for field in &item.fields {
            if matches!(self.places(field), (None, None)) {
                panic!("{}.{} is in no version", item.name, field.name);
            }
            let _ = writeln!(out, "    pub {}: {},", snake_case(&field.name), self.rust_type(field));
        }
        let _ = writeln!(out, "}}\n");
        if !derived {
            let anonymous = if generics.is_empty() { "" } else { "<'_>" };
            let _ = writeln!(
                out,
                "impl Default for {}{anonymous} {{\n    fn default() -> Self {{\n        Self {{",
                item.name
            );
            for field in &item.fields {
                let (value, plain) = self.default(field);
                // Values that every type has are left to the type.
                let value = if plain && matches!(field.ty, Type::Struct(_) | Type::String | Type::Bytes) {
                    "Default::default()".into()
                } else {
                    value
                };
                let _ = writeln!(out, "{}: {value},", snake_case(&field.name));
            }
            let _ = writeln!(out, "        }}\n    }}\n}}\n");
        }
    }

    fn read(&self, out: &mut String) {
        let uses_version = self.uses_version();
        let tagged: Vec<&Field> = self.item.fields.iter().filter(|field| self.places(field).1.is_some()).collect();
        let version = if uses_version { "version" } else { "_version" };
        let _ = writeln!(
            out,
            "fn read(r: &mut Reader<{}>, {version}: i16) -> Result<Self, DecodeError> {{",
            self.frame_lifetime()
        );
        let open = if tagged.is_empty() { "let this = Self {" } else { "let mut this = Self {" };
        let _ = writeln!(out, "{open}");
        for field in &self.item.fields {
            let name = snake_case(&field.name);
            let default = self.default(field).0;
            let value = match self.places(field).0 {
                None => default,
                Some(body) => match condition(body, self.item.versions).as_str() {
                    "" => self.read_field(field, body),
                    when => format!("if {when} {{ {} }} else {{ {default} }}", self.read_field(field, body)),
                },
            };
            let _ = writeln!(out, "{name}: {value},");
        }
        let _ = writeln!(out, "}};");
        if tagged.is_empty() {
            if self.message.first_flexible.is_some() {
                let _ = writeln!(out, "r.skip_tags()?;");
            }
        } else {
            let _ = writeln!(
                out,
                "let mut tags = r.tags()?;\nwhile let Some(tag) = r.next_tag(&mut tags)? {{\nmatch tag {{"
            );
            for field in tagged {
                let versions = self.places(field).1.expect("filtered");
                let guard = match condition(versions, self.item.versions).as_str() {
                    "" => String::new(),
                    when => format!(" if {when}"),
                };
                let tag = field.tag.expect("a tagged field has a tag");
                let _ = writeln!(
                    out,
                    "{tag}{guard} => this.{} = {},",
                    snake_case(&field.name),
                    self.read_field(field, versions)
                );
            }
            let _ = writeln!(out, "_ => r.skip_tag(&tags),\n}}\n}}");
        }
        let _ = writeln!(out, "Ok(this)\n}}\n");
    }

    fn frame_lifetime(&self) -> &'static str {
        if struct_borrows(self.message, self.item) { "'a" } else { "'_" }
    }

    /// Statements that write a value of a type that is not null; `value` is a place expression.
    fn write_value(&self, ty: &Type, value: &str, is_reference: bool) -> String {
        let star = if is_reference { "*" } else { "" };
        let reference = if is_reference { "" } else { "&" };
        match ty {
            Type::Bool => format!("w.bool({star}{value});"),
            Type::Number(name) => format!("w.{name}({star}{value});"),
            Type::String => format!("w.string({reference}{value});"),
            Type::Bytes => format!("w.bytes({reference}{value});"),
            Type::Records => format!("w.records({value}.as_ref());"),
            Type::Uuid => format!("w.uuid({reference}{value});"),
            Type::Struct(_) => format!("{value}.write(w, version);"),
            Type::Array(element) => {
                let inner = self.write_value(element, "item", true);
                format!("w.array_len({value}.len());\nfor item in {reference}{value} {{ {inner} }}")
            }
        }
    }

    fn write_field(&self, field: &Field, versions: Versions) -> String {
        let name = snake_case(&field.name);
        let value = format!("self.{name}");
        if field.ty == Type::Records {
            return self.write_value(&field.ty, &value, false);
        }
        let Some(nullable) = field.nullable else { return self.write_value(&field.ty, &value, false) };
        let mut out = String::new();
        let label = format!("{}.{name}", self.item.name);
        match condition(nullable, versions).as_str() {
            "" => {}
            "false" => drop(writeln!(out, "if {value}.is_none() {{ w.null_field(\"{label}\"); }}")),
            _ => {
                let not = negation(nullable, versions);
                let _ = writeln!(out, "if {value}.is_none() && {not} {{ w.null_field(\"{label}\"); }}");
            }
        }
        out += &match &field.ty {
            Type::String if field.never_flexible => format!("w.legacy_nullable_string({value}.as_deref());"),
            Type::String => format!("w.nullable_string({value}.as_deref());"),
            Type::Bytes => format!("w.nullable_bytes({value}.as_deref());"),
            Type::Array(element) => {
                let inner = self.write_value(element, "item", true);
                format!(
                    "w.nullable_array_len({value}.as_ref().map(Vec::len));\nfor item in {value}.iter().flatten() {{ {inner} }}"
                )
            }
            Type::Struct(_) => {
                format!("match &{value} {{ Some(item) => {{ w.i8(1); item.write(w, version); }} None => w.i8(-1), }}")
            }
            other => panic!("{label}: {other:?} can't be null"),
        };
        out
    }

    fn write(&self, out: &mut String) {
        let version = if self.uses_version() { "version" } else { "_version" };
        let _ = writeln!(out, "fn write(&self, w: &mut Writer, {version}: i16) {{");
        for field in &self.item.fields {
            let body = self.places(field).0;
            let label = format!("{}.{}", self.item.name, snake_case(&field.name));
            // What the version can't carry may be dropped only if the field says so.
            let refuse = format!("if {} {{ w.unsupported(\"{label}\"); }}", self.is_set(field));
            let carried = condition(field.versions, self.item.versions);
            let refused = !carried.is_empty() && !field.ignorable;
            match body.map(|body| (condition(body, self.item.versions), self.write_field(field, body))) {
                Some((when, write)) if when.is_empty() => drop(writeln!(out, "{write}")),
                Some((when, write)) if refused && when == carried => {
                    let _ = writeln!(out, "if {when} {{ {write} }} else {refuse}");
                }
                Some((when, write)) => {
                    assert!(!refused, "{label}: in the body, then tagged, then gone");
                    let _ = writeln!(out, "if {when} {{ {write} }}");
                }
                None if refused => {
                    let not = negation(field.versions, self.item.versions);
                    let _ = writeln!(out, "if {not} && {} {{ w.unsupported(\"{label}\"); }}", self.is_set(field));
                }
                None => {}
            }
        }
        self.write_tags(out);
        let _ = writeln!(out, "}}\n");
    }

    fn write_tags(&self, out: &mut String) {
        let mut tagged: Vec<&Field> = self.item.fields.iter().filter(|field| self.places(field).1.is_some()).collect();
        tagged.sort_by_key(|field| field.tag);
        if tagged.is_empty() {
            if self.message.first_flexible.is_some() {
                let _ = writeln!(out, "w.no_tags();");
            }
            return;
        }
        let _ = writeln!(out, "if w.flexible {{\nlet mut tags = w.tags();");
        for field in tagged {
            let versions = self.places(field).1.expect("filtered");
            let mut when = self.is_set(field);
            let condition = condition(versions, self.item.versions);
            if !condition.is_empty() {
                when = format!("{condition} && {when}");
            }
            let tag = field.tag.expect("a tagged field has a tag");
            let write = self.write_field(field, versions);
            let _ = writeln!(out, "if {when} {{ w.tag(&mut tags, {tag}); {write} w.end_tag(&tags); }}");
        }
        let _ = writeln!(out, "}}");
    }

    fn uses_version(&self) -> bool {
        self.item.fields.iter().any(|field| {
            let (body, tagged) = self.places(field);
            let places = [body, tagged];
            let mut places = places.iter().flatten();
            field.ty.struct_name().is_some()
                || places.any(|&place| {
                    !condition(place, self.item.versions).is_empty()
                        || field
                            .nullable
                            .is_some_and(|nullable| !matches!(condition(nullable, place).as_str(), "" | "false"))
                })
        })
    }

    fn owned_value(&self, ty: &Type, value: &str) -> String {
        match ty {
            Type::String | Type::Bytes => format!("Cow::Owned({value}.into_owned())"),
            Type::Records => format!("{value}.into_owned()"),
            Type::Struct(_) if borrows(self.message, ty) => format!("{value}.into_owned()"),
            Type::Array(element) if borrows(self.message, element) => match &**element {
                Type::Struct(name) => format!("{value}.into_iter().map({name}::into_owned).collect()"),
                _ => format!("{value}.into_iter().map(|x| {}).collect()", self.owned_value(element, "x")),
            },
            _ => value.to_owned(),
        }
    }

    fn owned(&self, out: &mut String) {
        if !struct_borrows(self.message, self.item) {
            return;
        }
        let name = &self.item.name;
        let _ = writeln!(
            out,
            "/// The same, holding its own bytes.\n#[must_use]\npub fn into_owned(self) -> {name}<'static> {{\n{name} {{"
        );
        for field in &self.item.fields {
            let field_name = snake_case(&field.name);
            let value = format!("self.{field_name}");
            let owned = if !self.is_option(field) || !borrows(self.message, &field.ty) {
                self.owned_value(&field.ty, &value)
            } else if let Type::Struct(inner) = &field.ty {
                format!("{value}.map({inner}::into_owned)")
            } else if field.ty == Type::Records {
                format!("{value}.map(Records::into_owned)")
            } else {
                format!("{value}.map(|x| {})", self.owned_value(&field.ty, "x"))
            };
            let _ = writeln!(out, "{field_name}: {owned},");
        }
        let _ = writeln!(out, "}}\n}}\n");
    }
}

/// The traits of the message itself.
fn traits(message: &Message, all: &[Message], out: &mut String) {
    let name = &message.name;
    let borrowing = struct_borrows(message, message.find(name));
    let generics = if borrowing { "<'a>" } else { "" };
    let Versions { min, max } = message.versions;
    let flexible = message.first_flexible.map_or("i16::MAX".to_owned(), |version| version.to_string());
    let _ = write!(
        out,
        "impl<'a> Message<'a> for {name}{generics} {{
    const NAME: &'static str = \"{name}\";
    const VERSIONS: RangeInclusive<i16> = {min}..={max};
    const FIRST_FLEXIBLE: i16 = {flexible};

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {{
        r.begin(Self::NAME, version, ({min}, {max}), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }}

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {{
        w.begin(Self::NAME, version, ({min}, {max}), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }}
}}

"
    );
    let key = message.api_key;
    if message.kind == "request" {
        let api = name.strip_suffix("Request").expect("a request's name ends so");
        let _ = writeln!(
            out,
            "impl<'a> Request<'a> for {name}{generics} {{
    const KEY: ApiKey = ApiKey::{api};
    type Response<'r> = {};
}}\n",
            response_type(all, name)
        );
    } else if message.kind == "response" {
        let api = name.strip_suffix("Response").expect("a response's name ends so");
        let _ = writeln!(
            out,
            "impl<'a> Response<'a> for {name}{generics} {{\n    const KEY: ApiKey = ApiKey::{api};\n}}\n"
        );
    } else if let Some(key) = key {
        let any = if borrowing { "<'_>" } else { "" };
        let _ = writeln!(
            out,
            "impl {name}{any} {{\n    /// The number by which a record says that it is of this type.\n    pub const RECORD_TYPE: i16 = {key};\n}}\n"
        );
    }
}

/// The module of one message.
pub fn module(message: &Message, all: &[Message]) -> String {
    let mut body = String::new();
    for item in &message.structs {
        let context = Context { message, item };
        context.definition(&mut body);
    }
    for item in &message.structs {
        let context = Context { message, item };
        let generics = if struct_borrows(message, item) { "<'a>" } else { "" };
        let _ = writeln!(body, "impl{generics} {}{generics} {{", item.name);
        context.read(&mut body);
        context.write(&mut body);
        context.owned(&mut body);
        let _ = writeln!(body, "}}\n");
    }
    traits(message, all, &mut body);
    let mut out = String::new();
    if body.contains("Cow::") {
        out += "use std::borrow::Cow;\n";
    }
    out += "use std::ops::RangeInclusive;\n\n";
    if body.contains("Uuid") && !message.structs.iter().any(|s| s.name == "Uuid") {
        out += "use ottla_base::ids::Uuid;\n\n";
    }
    if body.contains("ApiKey::") {
        out += "use crate::api_key::ApiKey;\n";
    }
    out += "use crate::error::{DecodeError, EncodeError};\n";
    let mut names = vec!["Message"];
    names.extend(["Request", "Response"].into_iter().filter(|name| body.contains(&format!("impl<'a> {name}<'a>"))));
    let _ = writeln!(out, "use crate::message::{{{}}};", names.join(", "));
    out += "use crate::reader::Reader;\n";
    let types: Vec<&str> = ["Blob", "Records", "Str"]
        .into_iter()
        .filter(|ty| body.contains(&format!("{ty}<'a>")) || body.contains(&format!("{ty}::")))
        .collect();
    if !types.is_empty() {
        let _ = writeln!(out, "use crate::types::{{{}}};", types.join(", "));
    }
    out += "use crate::writer::Writer;\n\n";
    out + &body
}

/// `messages/mod.rs`.
pub fn index(all: &[Message]) -> String {
    let mut out = String::from("//! Every message of Kafka 3.9.2 and 4.3.1, one module each.\n\n");
    for message in all {
        let _ = writeln!(out, "pub mod {};", snake_case(&message.name));
    }
    out.push('\n');
    for message in all {
        let _ = writeln!(out, "pub use {}::{};", snake_case(&message.name), message.name);
    }
    out += "\n/// Calls `$do!(Name)` for every message: for code that goes through all of them.\n#[doc(hidden)]\n#[macro_export]\nmacro_rules! for_every_message {\n    ($do:ident) => {\n";
    for message in all {
        let _ = writeln!(out, "        $do!({});", message.name);
    }
    out += "    };\n}\n";
    out
}

/// The type of the response to `request`, with its lifetime.
fn response_type(all: &[Message], request: &str) -> String {
    let name = format!("{}Response", request.strip_suffix("Request").expect("a request's name ends so"));
    let response = all.iter().find(|message| message.name == name).unwrap_or_else(|| panic!("no {name}"));
    let generics = if struct_borrows(response, response.find(&name)) { "<'r>" } else { "" };
    format!("crate::messages::{name}{generics}")
}
