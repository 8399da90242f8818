//! `cargo xtask generate`: the Rust of the messages, API keys and error codes, from the tables in `reference/`.

mod codes;
mod messages;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::schema;

/// Says in the first line of each file where it comes from.
const NOTICE: &str =
    "// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.\n";

/// All generated files with their content, by path under `crates/protocol/src`.
fn sources(reference: &Path) -> BTreeMap<PathBuf, String> {
    let all = schema::read_all(reference);
    let mut files = BTreeMap::new();
    for message in &all {
        let path = PathBuf::from(format!("messages/{}.rs", schema::snake_case(&message.name)));
        files.insert(path, messages::module(message, &all));
    }
    files.insert("messages/mod.rs".into(), messages::index(&all));
    files.insert("api_key.rs".into(), codes::api_keys(&reference.join("kafka-api-versions.tsv")));
    files.insert("error_code.rs".into(), codes::error_codes(&reference.join("kafka-error-codes.tsv")));
    files.into_iter().map(|(path, text)| (path, format!("{NOTICE}{text}"))).collect()
}

/// Runs rustfmt over `files`, in a scratch folder under `target/`.
fn formatted(root: &Path, files: &BTreeMap<PathBuf, String>) -> Result<BTreeMap<PathBuf, String>, String> {
    let scratch = root.join("target/xtask/generated");
    let io = |e: std::io::Error| format!("{}: {e}", scratch.display());
    if scratch.exists() {
        fs::remove_dir_all(&scratch).map_err(io)?;
    }
    fs::create_dir_all(scratch.join("messages")).map_err(io)?;
    for (path, text) in files {
        fs::write(scratch.join(path), text).map_err(io)?;
    }
    let status = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root.join("rustfmt.toml"))
        // The index names every message module, so rustfmt finds the others by itself.
        .args([scratch.join("messages/mod.rs"), scratch.join("api_key.rs"), scratch.join("error_code.rs")])
        .status()
        .map_err(|e| format!("rustfmt: {e}"))?;
    if !status.success() {
        return Err(format!("rustfmt: {status}"));
    }
    files.keys().map(|path| Ok((path.clone(), fs::read_to_string(scratch.join(path)).map_err(io)?))).collect()
}

/// Files that are there but should not be, or the other way round, or differ.
fn stale(target: &Path, files: &BTreeMap<PathBuf, String>) -> Vec<PathBuf> {
    let mut stale: Vec<PathBuf> = files
        .iter()
        .filter(|(path, text)| fs::read_to_string(target.join(path)).ok().as_ref() != Some(text))
        .map(|(path, _)| path.clone())
        .collect();
    for entry in fs::read_dir(target.join("messages")).into_iter().flatten().flatten() {
        let path = Path::new("messages").join(entry.file_name());
        if !files.contains_key(&path) {
            stale.push(path);
        }
    }
    stale
}

/// Writes the files, or with `check` only says which are out of date.
pub fn run(root: &Path, check: bool) -> Result<(), String> {
    let files = formatted(root, &sources(&root.join("reference")))?;
    let target = root.join("crates/protocol/src");
    let stale = stale(&target, &files);
    if check && !stale.is_empty() {
        let list: Vec<String> = stale.iter().map(|path| path.display().to_string()).collect();
        return Err(format!("out of date, run `cargo xtask generate`: {}", list.join(", ")));
    }
    fs::create_dir_all(target.join("messages")).map_err(|e| e.to_string())?;
    for path in &stale {
        let result = match files.get(path) {
            Some(text) => fs::write(target.join(path), text),
            None => fs::remove_file(target.join(path)),
        };
        result.map_err(|e| format!("{}: {e}", path.display()))?;
    }
    println!("{} files, {} written", files.len(), stale.len());
    Ok(())
}
