//! Chores of the project: `cargo xtask generate [--check]`, `cargo xtask tidy` and `cargo xtask fuzz`.

mod generate;
mod schema;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask generate [--check] | tidy | fuzz [--seconds S] [--seed X]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask stands in the root");
    let result = match arguments[..] {
        ["generate"] => generate::run(root, false),
        ["tidy"] => tidy::run(root),
        ["generate", "--check"] => generate::run(root, true),
        ["fuzz", ref rest @ ..] => fuzz(root, rest),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the fuzzer, which is built only for that.
fn fuzz(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = std::process::Command::new(cargo);
    command.args(["run", "--release", "--locked", "-p", "ottla-sim", "--bin", "fuzz", "--"]).args(arguments);
    let status = command.current_dir(root).status().map_err(|e| format!("cargo can't be started: {e}"))?;
    if status.success() { Ok(()) } else { Err("the fuzzer found something, see above".to_owned()) }
}
