//! `ottla-sim`: runs seeds. See docs/simulation.md.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ottla_sim::runner::{self, Options};

const USAGE: &str = "usage: ottla-sim [--ensemble] [--seeds N] [--seconds S] [--seed FIRST] [--trace]";

/// The seed that is running, for the message of a panic.
static SEED: AtomicU64 = AtomicU64::new(0);
/// Seeds are of ensembles.
static ENSEMBLE: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        print(info);
        say_how_to_repeat(SEED.load(Ordering::Relaxed), "a panic");
    }));
    if options.trace {
        // What the node itself says, among the events.
        tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_ansi(false).init();
    }
    ENSEMBLE.store(options.ensemble, Ordering::Relaxed);
    let began = Instant::now();
    match runner::run(&options, |seed| SEED.store(seed, Ordering::Relaxed)) {
        Ok(report) => {
            println!(
                "{} seeds from {} ({} of them twice) in {:.1} s: {} acts, {} starts, {} requests, {} simulated seconds; \
                 every promise was kept",
                report.seeds,
                options.seed,
                report.twice,
                began.elapsed().as_secs_f64(),
                report.acts,
                report.boots,
                report.requests,
                report.simulated_seconds
            );
            ExitCode::SUCCESS
        }
        Err(failure) => {
            say_how_to_repeat(failure.seed, &failure.what);
            ExitCode::FAILURE
        }
    }
}

fn say_how_to_repeat(seed: u64, what: &str) {
    eprintln!("seed {seed}: {what}");
    let ensemble = if ENSEMBLE.load(Ordering::Relaxed) { "--ensemble " } else { "" };
    eprintln!("repeat with: cargo run --release -p ottla-sim -- {ensemble}--seeds 1 --seed {seed} --trace");
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { seed: 1, seeds: 100, time: Duration::from_secs(60), trace: false, ensemble: false };
    let mut one = false;
    let mut counted = false;
    while let Some(argument) = arguments.next() {
        let mut number = || -> Result<u64, String> {
            let value = arguments.next().ok_or_else(|| format!("{argument} needs a number"))?;
            value.parse().map_err(|_| format!("{argument} {value}: expected a number"))
        };
        match argument.as_str() {
            "--seeds" => (options.seeds, counted) = (number()?, true),
            "--seconds" => options.time = Duration::from_secs(number()?),
            "--seed" => (options.seed, one) = (number()?, true),
            "--trace" => options.trace = true,
            "--ensemble" => options.ensemble = true,
            _ => return Err(format!("{argument} is not known")),
        }
    }
    if one && !counted {
        options.seeds = 1;
    }
    Ok(options)
}
