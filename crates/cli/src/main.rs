//! The one binary: `ottla COMMAND …`, or any of Kafka's and ZooKeeper's script names by a link to it.

mod common;
mod daemon;
mod histogram;
mod output;
mod time;
mod tool;
mod tools;

use std::process::ExitCode;

fn main() -> ExitCode {
    tool::main(std::env::args_os().collect())
}
