//! `cargo xtask tidy`: what the compiler can't see of the project's rules.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::generate;

/// Which crates of the workspace a crate may depend on: rows of the design below its own, never sideways.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("ottla-base", &[]),
    ("ottla-protocol", &["ottla-base"]),
    ("ottla-keeper", &["ottla-base"]),
    ("ottla-storage", &["ottla-base", "ottla-protocol"]),
    ("ottla-broker", &["ottla-base", "ottla-protocol", "ottla-storage", "ottla-keeper"]),
    ("ottla-client", &["ottla-base", "ottla-protocol", "ottla-keeper"]),
    (
        "ottla-server",
        &["ottla-base", "ottla-protocol", "ottla-storage", "ottla-keeper", "ottla-broker", "ottla-client"],
    ),
    ("ottla-sim", &["ottla-base", "ottla-protocol", "ottla-storage", "ottla-keeper", "ottla-broker", "ottla-client"]),
    ("xtask", &[]),
];

/// Programs on top of everything, which may depend on any of it.
const ON_TOP: &[&str] = &["ottla", "ottla-cli", "ottla-bench"];

/// Folders of the crates that name no socket, thread, clock, file system or random source.
const PURE: &[&str] = &["base", "protocol", "keeper", "storage", "broker"];

/// What a pure crate's source may not name: a path, and what is wrong with it.
const IMPURE: &[(&str, &str)] = &[
    ("std::net", "a socket"),
    ("std::thread", "a thread"),
    ("std::fs", "the file system, which is reached through the Disk trait"),
    ("std::process", "another process"),
    ("std::env", "the environment"),
    ("std::collections::HashMap", "a map whose order changes from run to run: base::hash has another"),
    ("std::collections::HashSet", "a set whose order changes from run to run: base::hash has another"),
    ("Instant::now", "a clock"),
    ("SystemTime", "a clock"),
    ("tokio", "an async runtime"),
    ("rand", "a random source"),
    ("getrandom", "a random source"),
];

/// Addresses are data, though they live beside the sockets.
const DATA: &[&str] = &["std::net::IpAddr", "std::net::Ipv4Addr", "std::net::Ipv6Addr", "std::net::SocketAddr"];

/// Words of unfinished work. The first are looked for as they are, the others in any case.
const STUB_WORDS: &[&str] = &["TODO", "FIXME", "XXX", "HACK"];
const STUB_PHRASES: &[&str] = &["not implemented", "not yet implemented", "unimplemented!", "todo!(", "lorem ipsum"];

/// Runs every check and tells all that is wrong.
pub fn run(root: &Path) -> Result<(), String> {
    let mut wrong = Vec::new();
    dependencies(root, &mut wrong)?;
    for name in PURE {
        purity(&root.join("crates").join(name).join("src"), root, &mut wrong)?;
    }
    stub_words(root, &mut wrong)?;
    if let Err(error) = generate::run(root, true) {
        wrong.push(error);
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn output(root: &Path, program: &str, arguments: &[&str]) -> Result<String, String> {
    let output =
        Command::new(program).args(arguments).current_dir(root).output().map_err(|e| format!("{program}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Compares the dependencies between our crates with [`MAY_DEPEND_ON`]. Those of tests are free.
fn dependencies(root: &Path, wrong: &mut Vec<String>) -> Result<(), String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let text = output(root, &cargo, &["metadata", "--no-deps", "--offline", "--format-version", "1"])?;
    let metadata: Value = serde_json::from_str(&text).map_err(|e| format!("cargo metadata: {e}"))?;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        if ON_TOP.contains(&name) {
            continue;
        }
        let Some((_, allowed)) = MAY_DEPEND_ON.iter().find(|(crate_name, _)| *crate_name == name) else {
            wrong.push(format!("{name}: a crate that the picture in xtask/src/tidy.rs does not have"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let is_ours = dependency["path"].is_string();
            let is_for_tests = dependency["kind"] == "dev";
            let other = dependency["name"].as_str().unwrap_or_default();
            if is_ours && !is_for_tests && !allowed.contains(&other) {
                wrong.push(format!("{name} may not depend on {other}"));
            }
        }
    }
    Ok(())
}

/// Looks for [`IMPURE`] names in all sources below `dir`, tests left out.
fn purity(dir: &Path, root: &Path, wrong: &mut Vec<String>) -> Result<(), String> {
    let mut entries: Vec<_> =
        fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
        if is_test {
            continue;
        }
        if path.is_dir() {
            purity(&path, root, wrong)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            for (name, what) in impure_names(&text) {
                let path = path.strip_prefix(root).unwrap_or(&path);
                wrong.push(format!("{}: a pure crate names {name}, {what}", path.display()));
            }
        }
    }
    Ok(())
}

/// The forbidden names in a source.
fn impure_names(source: &str) -> Vec<(&'static str, &'static str)> {
    let paths = paths_in(&code_of(source));
    let is_in = |name: &str| {
        paths.iter().filter(|path| !DATA.iter().any(|data| path.starts_with(data))).any(|path| {
            let tail = path.strip_prefix(name);
            let at_front = tail.is_some_and(|tail| tail.is_empty() || tail.starts_with("::"));
            at_front
                || (name.contains("::") && path.ends_with(&format!("::{name}")))
                || path.split("::").any(|part| part == name)
        })
    };
    IMPURE.iter().copied().filter(|(name, _)| is_in(name)).collect()
}

/// A source without its comments, string literals and the tests at its end.
fn code_of(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut code = String::new();
    for line in source.lines() {
        let line = line.split("//").next().unwrap_or_default();
        // Every other piece between quotation marks is text.
        for (i, piece) in line.replace("\\\"", "").split('"').enumerate() {
            code.push_str(if i % 2 == 0 { piece } else { " " });
        }
        code.push('\n');
    }
    code
}

/// All paths in a source, those of `use a::{b, c}` written out: `a::b`, `a::c`.
fn paths_in(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut path = String::new();
    // What stood before each open brace.
    let mut groups: Vec<String> = Vec::new();
    let chars: Vec<char> = code.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        at += 1;
        if c.is_alphanumeric() || c == '_' {
            path.push(c);
        } else if c == ':' && chars.get(at) == Some(&':') {
            at += 1;
            path.push_str("::");
        } else {
            let prefix = groups.last().cloned().unwrap_or_default();
            let full = format!("{prefix}{path}");
            match c {
                '{' => groups.push(if path.ends_with("::") { full } else { String::new() }),
                '}' => {
                    groups.pop();
                    paths.push(full);
                }
                _ if path.is_empty() => {}
                _ => paths.push(full),
            }
            path.clear();
        }
    }
    paths.push(path);
    paths
}

/// Looks for [`STUB_WORDS`] in everything that is in the repository and ours to write.
fn stub_words(root: &Path, wrong: &mut Vec<String>) -> Result<(), String> {
    for name in output(root, "git", &["ls-files", "--", "*.rs", "*.md", "*.toml", "*.sh", "*.html", "*.js"])?.lines() {
        if name == "xtask/src/tidy.rs" || name.starts_with("crates/protocol/src/messages/") {
            continue;
        }
        // A file that is listed and gone is being moved by somebody.
        let Ok(text) = fs::read_to_string(root.join(name)) else { continue };
        for (i, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            let mut words = line.split(|c: char| !c.is_alphanumeric());
            if words.any(|word| STUB_WORDS.contains(&word)) || STUB_PHRASES.iter().any(|phrase| lower.contains(phrase))
            {
                wrong.push(format!("{name}:{}: unfinished: {}", i + 1, line.trim()));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> Vec<&'static str> {
        impure_names(source).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn impure_names_are_found_however_they_are_written() {
        assert_eq!(names("use std::fs;"), ["std::fs"]);
        assert_eq!(names("let x = std::fs::read(path);"), ["std::fs"]);
        assert_eq!(names("use std::{\n    fmt,\n    fs::File,\n};"), ["std::fs"]);
        assert_eq!(names("use std::collections::{BTreeMap, HashMap};"), ["std::collections::HashMap"]);
        assert_eq!(names("let now = std::time::Instant::now();"), ["Instant::now"]);
        assert_eq!(names("use std::net::{IpAddr, TcpStream};"), ["std::net"]);
        assert_eq!(names("let now = Instant::now();"), ["Instant::now"]);
        assert_eq!(names("use rand::Rng;\nasync fn f() { tokio::spawn(g()); }"), ["tokio", "rand"]);
    }

    #[test]
    fn other_names_are_left_alone() {
        assert!(names("use std::fmt; // not std::fs").is_empty());
        assert!(names("let text = \"std::fs and tokio\";").is_empty());
        assert!(names("use std::time::{Duration, Instant}; let operand = 1;").is_empty());
        assert!(names("use std::net::{IpAddr, SocketAddr};").is_empty());
        assert!(names("use hashbrown::HashMap; use std::collections::BTreeMap;").is_empty());
        assert!(names("fn f() {}\n#[cfg(test)]\nmod tests { use std::fs; }").is_empty());
    }
}
