//! The table of commands, and the ways to each: `ottla topics …`, a link called `kafka-topics.sh`, the class that
//! `kafka-run-class.sh` is given.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{ArgMatches, Command};

use crate::tools;

/// Why a tool ended without success. The exit code is 1, as with Kafka's tools.
#[derive(Debug)]
pub enum Failure {
    /// The command line makes no sense; the text says what to change.
    Usage(String),
    /// What was wanted did not happen; one line that says why.
    Failed(String),
    /// Everything was said already.
    Silent(u8),
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

pub type Outcome = Result<(), Failure>;

/// One command.
pub struct Tool {
    /// After `ottla`.
    pub name: &'static str,
    /// Script names, without `.sh`, under which links may call it.
    pub scripts: &'static [&'static str],
    /// Main classes for `kafka-run-class.sh`, without or with their package.
    pub classes: &'static [&'static str],
    pub about: &'static str,
    /// Its flags; name and description are filled in from here.
    pub flags: fn(Command) -> Command,
    pub run: fn(&ArgMatches) -> Outcome,
}

/// What a shell says of a process that died because nobody reads what it prints.
pub const CLOSED_PIPE: u8 = 141;

/// `println!` panics when nobody reads any more (`| head`); a tool ends without a word then.
fn end_quietly_at_a_closed_pipe() {
    let otherwise = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let printing = panic.payload_as_str().is_some_and(|text| text.starts_with("failed printing to stdout"));
        if printing && panic.payload_as_str().is_some_and(|text| text.contains("Broken pipe")) {
            std::process::exit(i32::from(CLOSED_PIPE));
        }
        otherwise(panic);
    }));
}

/// Finds the tool in the way it was called, runs it, and says how it ended.
pub fn main(args: Vec<OsString>) -> ExitCode {
    end_quietly_at_a_closed_pipe();
    let called = args.first().map(|a| Path::new(a).file_name().unwrap_or_default().to_string_lossy().into_owned());
    let script = called.as_deref().map(|name| name.strip_suffix(".sh").unwrap_or(name)).unwrap_or_default();
    let rest = args.get(1..).unwrap_or_default().to_vec();
    if script == "kafka-run-class" {
        return run_class(rest);
    }
    if let Some(tool) = tools::ALL.iter().find(|tool| tool.scripts.contains(&script)) {
        return run(tool, script, rest);
    }
    let Some(command) = rest.first().map(|c| c.to_string_lossy().into_owned()) else {
        print!("{}", overview());
        return ExitCode::from(1);
    };
    let rest = rest[1..].to_vec();
    match command.as_str() {
        "--help" | "-h" | "help" => {
            print!("{}", overview());
            ExitCode::SUCCESS
        }
        "--version" | "-V" | "version" => {
            println!("ottla {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        "run-class" => run_class(rest),
        name => match tools::ALL.iter().find(|t| t.name == name || t.scripts.contains(&name)) {
            Some(tool) => run(tool, &format!("ottla {}", tool.name), rest),
            None => complain(&format!("there is no command {name}; `ottla --help` lists them")),
        },
    }
}

fn run_class(mut rest: Vec<OsString>) -> ExitCode {
    if rest.is_empty() {
        return complain("kafka-run-class.sh needs the name of a class");
    }
    let class = rest.remove(0).to_string_lossy().into_owned();
    let short = class.rsplit('.').next().unwrap_or(&class);
    match tools::ALL.iter().find(|tool| tool.classes.contains(&short)) {
        Some(tool) => run(tool, &class, rest),
        None => complain(&format!("{class} is not a class whose work Ottla does; `ottla --help` lists the commands")),
    }
}

fn run(tool: &Tool, called: &str, rest: Vec<OsString>) -> ExitCode {
    let command = Command::new(tool.name).bin_name(called).about(tool.about).infer_long_args(true);
    let command = (tool.flags)(command.version(env!("CARGO_PKG_VERSION")));
    // ZooKeeper's scripts, and one flag of Kafka's, have long flags with one dash.
    let one_dash = ["-daemon", "-server", "-timeout", "-waitforconnection", "-client-configuration", "-json"];
    let rest = rest.into_iter().map(|arg| match arg.to_str() {
        Some(text) if one_dash.contains(&text) => format!("-{text}").into(),
        _ => arg,
    });
    let args = std::iter::once(OsString::from(tool.name)).chain(rest);
    let matches = match command.try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => {
            // Help goes to standard output and is no failure.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    match (tool.run)(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(text)) => complain(&format!("{text}\nSee `{called} --help`.")),
        Err(Failure::Failed(text)) => complain(&text),
        Err(Failure::Silent(code)) => ExitCode::from(code),
    }
}

fn complain(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::from(1)
}

fn overview() -> String {
    let mut text = String::from(
        "Ottla: Apache Kafka and Apache ZooKeeper in one binary.\n\n  ottla start [server.properties]    start a broker with its keeper\n  \
         ottla COMMAND --help               what a command does\n\nCommands:\n",
    );
    for tool in tools::ALL {
        text.push_str(&format!("  {:24} {}\n", tool.name, tool.about));
    }
    text.push_str(
        "\nA link to this binary under the name of one of Kafka's scripts, such as kafka-topics.sh, is that script.\n",
    );
    text
}
