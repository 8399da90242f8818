//! `--zookeeper`: the topic tools of the oldest tutorials, which read and wrote znodes themselves.

use clap::ArgMatches;

use crate::tool::{Failure, Outcome};

/// Carries out `action` of `ottla topics` through the keeper.
pub fn run(action: &str, _matches: &ArgMatches) -> Outcome {
    Err(Failure::Usage(format!("--{action} --zookeeper")))
}
