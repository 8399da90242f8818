//! Seeds, one after the other, within a time.

use std::time::{Duration, Instant};

use crate::world::{Summary, World};

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The first seed.
    pub seed: u64,
    /// Seeds to run at most.
    pub seeds: u64,
    /// Time after which no new seed is begun.
    pub time: Duration,
    /// Print every event.
    pub trace: bool,
    /// Ensembles of keepers, instead of a node.
    pub ensemble: bool,
}

/// Every seed of so many is run twice and its traces compared.
const TWICE_EVERY: u64 = 16;

/// What came of all seeds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    pub seeds: u64,
    pub acts: u64,
    pub boots: u64,
    pub requests: u64,
    pub twice: u64,
    pub simulated_seconds: u64,
}

/// A seed and the promise it broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub seed: u64,
    pub what: String,
}

/// Runs one seed of a node, or of an ensemble.
pub fn run_seed(seed: u64, ensemble: bool, trace: bool) -> Result<Summary, Failure> {
    if ensemble {
        return crate::ensemble::run_seed(seed, trace);
    }
    World::new(seed, trace).run().map_err(|what| Failure { seed, what })
}

/// Runs one seed twice: the same must happen.
pub fn run_twice(seed: u64, ensemble: bool) -> Result<Summary, Failure> {
    let (first, second) = (run_seed(seed, ensemble, false)?, run_seed(seed, ensemble, false)?);
    if first == second {
        return Ok(first);
    }
    Err(Failure { seed, what: format!("two runs of it differ: {first:?} and {second:?}") })
}

/// Runs seeds until one fails, all are done, or the time is over. `begin` hears of each before it runs.
pub fn run(options: &Options, mut begin: impl FnMut(u64)) -> Result<Report, Failure> {
    let end = Instant::now() + options.time;
    let mut report = Report::default();
    for seed in (options.seed..).take(usize::try_from(options.seeds).unwrap_or(usize::MAX)) {
        if Instant::now() >= end {
            break;
        }
        begin(seed);
        let twice = seed.is_multiple_of(TWICE_EVERY) && !options.trace;
        let summary =
            if twice { run_twice(seed, options.ensemble)? } else { run_seed(seed, options.ensemble, options.trace)? };
        report.seeds += 1;
        report.twice += u64::from(twice);
        report.acts += summary.acts;
        report.boots += summary.boots;
        report.requests += summary.requests;
        report.simulated_seconds += summary.seconds;
    }
    Ok(report)
}
