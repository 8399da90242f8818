//! Logs: one event per line, for people or (as JSON) for programs.

use std::fmt;
use std::io::IsTerminal;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Names the levels: `debug`, or `info,ottla_storage=debug`.
pub const LEVEL_VARIABLE: &str = "OTTLA_LOG";
/// `text` (the default) or `json`.
pub const FORMAT_VARIABLE: &str = "OTTLA_LOG_FORMAT";

/// A variable that can't be understood; one line with the remedy.
#[derive(Debug, PartialEq, Eq)]
pub struct LoggingError(String);

impl fmt::Display for LoggingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LoggingError {}

/// Sends the events of this process to standard output, as the environment says. Does nothing when something else
/// listens to them already.
pub fn start() -> Result<(), LoggingError> {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let filter = levels(&variable(LEVEL_VARIABLE))?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_target(false);
    let started = match variable(FORMAT_VARIABLE).as_str() {
        "" | "text" => registry.with(lines.with_ansi(std::io::stdout().is_terminal())).try_init(),
        "json" => registry.with(lines.json().flatten_event(true).with_target(true)).try_init(),
        other => return Err(LoggingError(format!("{FORMAT_VARIABLE}={other}: use text or json"))),
    };
    // In tests, somebody else may listen.
    let _ = started;
    Ok(())
}

fn levels(text: &str) -> Result<Targets, LoggingError> {
    let text = if text.trim().is_empty() { "info" } else { text };
    text.to_ascii_lowercase().parse().map_err(|error| {
        LoggingError(format!(
            "{LEVEL_VARIABLE}={text}: {error}; use error, warn, info, debug or trace, or pairs such as \
             info,ottla_storage=debug"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_and_mistakes_named() {
        use tracing::Level;
        let levels_of = |text| levels(text).expect("levels");
        assert!(levels_of("").would_enable("ottla_server", &Level::INFO));
        assert!(!levels_of("").would_enable("ottla_server", &Level::DEBUG));
        assert!(levels_of("WARN,ottla_storage=debug").would_enable("ottla_storage::log", &Level::DEBUG));
        let error = levels("info,ottla=loud").expect_err("no level").to_string();
        assert!(error.starts_with("OTTLA_LOG=info,ottla=loud") && error.lines().count() == 1, "{error}");
    }
}
