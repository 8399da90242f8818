//! Mutates valid bytes and hands them to every entry point for fuzzing, for a bounded time. Deterministic from its seed.
//! `cargo xtask fuzz --seconds S` runs it. An input that panics is printed as hex, with the command that repeats it.

use std::cell::RefCell;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ottla_base::random::Random;
use ottla_sim::fuzz::{self, Target};

const USAGE: &str = "usage: fuzz [--seconds S] [--seed X] [--target NAME [--input HEX]]";

thread_local! {
    /// The target and input under way, for the message of a panic.
    static CURRENT: RefCell<(&'static str, Vec<u8>)> = const { RefCell::new(("", Vec::new())) };
}

#[derive(Debug)]
struct Options {
    time: Duration,
    seed: u64,
    target: Option<String>,
    input: Option<Vec<u8>>,
}

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
        CURRENT.with_borrow(|(name, input)| {
            eprintln!("the input of {} bytes ({name}): {}", input.len(), hex(input));
            eprintln!(
                "repeat with: cargo run --release -p ottla-sim --bin fuzz -- --target {name} --input {}",
                hex(input)
            );
        });
    }));
    let targets: Vec<Target> =
        fuzz::targets().into_iter().filter(|t| options.target.as_ref().is_none_or(|name| *name == t.name)).collect();
    if targets.is_empty() {
        eprintln!("no such target; there are: {}", names(&fuzz::targets()));
        return ExitCode::FAILURE;
    }
    if let Some(input) = &options.input {
        targets.iter().for_each(|target| call(target, input));
        println!("{} came back", names(&targets));
        return ExitCode::SUCCESS;
    }
    run(&options, &targets);
    ExitCode::SUCCESS
}

fn names(targets: &[Target]) -> String {
    targets.iter().map(|target| target.name).collect::<Vec<_>>().join(", ")
}

/// Takes the targets in turns, so that each gets its share of the time however slow others are.
fn run(options: &Options, targets: &[Target]) {
    const TURN: Duration = Duration::from_millis(100);
    let end = Instant::now() + options.time;
    let mut states: Vec<(Random, u64)> =
        (0..targets.len()).map(|i| (Random::new(options.seed ^ ((i as u64) << 32)), 0)).collect();
    while Instant::now() < end {
        for (target, (random, inputs)) in targets.iter().zip(&mut states) {
            let turn_end = (Instant::now() + TURN).min(end);
            while Instant::now() < turn_end {
                let input = fuzz::mutate(&target.corpus, random);
                call(target, &input);
                *inputs += 1;
            }
        }
    }
    for (target, (_, inputs)) in targets.iter().zip(&states) {
        println!("{:<22} {inputs:>9} inputs from {:>3} seeds", target.name, target.corpus.len());
    }
    println!("no input made any of {} entry points panic (seed {})", targets.len(), options.seed);
}

fn call(target: &Target, input: &[u8]) {
    CURRENT.with_borrow_mut(|current| {
        current.0 = target.name;
        current.1.clear();
        current.1.extend_from_slice(input);
    });
    (target.run)(input);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a string takes everything
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { time: Duration::from_secs(60), seed: 1, target: None, input: None };
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{argument} {value}: expected a number"));
        match argument.as_str() {
            "--seconds" => options.time = Duration::from_secs(number()?),
            "--seed" => options.seed = number()?,
            "--target" => options.target = Some(value),
            "--input" => {
                options.input = Some(unhex(&value).ok_or_else(|| "--input: expected hexadecimal digits".to_owned())?);
            }
            _ => return Err(format!("{argument} is not known")),
        }
    }
    Ok(options)
}
