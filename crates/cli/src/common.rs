//! What the tools share: flags, connections, properties files.

use std::future::Future;

use clap::{Arg, ArgAction, ArgMatches, Command};
use ottla_broker::config::parse_properties;
use ottla_client::{ClientConfig, Cluster, Properties};

use crate::tool::{Failure, Outcome};

/// A flag without a value.
pub fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// A flag with one value.
pub fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).num_args(1).allow_hyphen_values(true).help(help)
}

/// A flag with one value that may be given several times.
pub fn options(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    option(name, value, help).action(ArgAction::Append)
}

/// The flags of every tool that talks to brokers. `--broker-list` is the name of old.
pub fn connection_flags(command: Command) -> Command {
    command
        .arg(
            option("bootstrap-server", "HOST:PORT,…", "The brokers to connect to first [default: localhost:9092]")
                .alias("broker-list"),
        )
        .arg(option("command-config", "FILE", "A properties file with settings for the client"))
}

/// The value of a flag, if given.
pub fn text<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a str> {
    matches.get_one::<String>(name).map(String::as_str)
}

/// All values of a flag that may be repeated.
pub fn texts<'a>(matches: &'a ArgMatches, name: &str) -> Vec<&'a str> {
    matches.get_many::<String>(name).map(|values| values.map(String::as_str).collect()).unwrap_or_default()
}

/// The value of a flag as a number.
pub fn number<T: std::str::FromStr>(matches: &ArgMatches, name: &str) -> Result<Option<T>, Failure> {
    match text(matches, name) {
        None => Ok(None),
        Some(value) => {
            value.parse().map(Some).map_err(|_| Failure::Usage(format!("--{name} {value}: this must be a number")))
        }
    }
}

/// `key=value` pairs, as `--config` and `--producer-property` take them.
pub fn pair(text: &str) -> Result<(String, String), Failure> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err(Failure::Usage(format!("{text}: this must be KEY=VALUE"))),
    }
}

/// The settings of a properties file, in its order.
pub fn read_properties(file: &str) -> Result<Vec<(String, String)>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|e| Failure::Failed(format!("{file}: {e}")))?;
    let parsed = parse_properties(&text).map_err(|e| Failure::Failed(format!("{file}: {e}")))?;
    Ok(parsed.into_iter().map(|property| (property.key, property.value)).collect())
}

/// The client's settings from `--bootstrap-server`, `--command-config` and what the tool adds.
pub fn properties(matches: &ArgMatches) -> Result<Properties, Failure> {
    let mut properties = Properties::default();
    if let Some(file) = text(matches, "command-config") {
        properties = read_properties(file)?.into_iter().collect();
    }
    match text(matches, "bootstrap-server") {
        Some(servers) => properties.set("bootstrap.servers", servers),
        None => properties.set_default("bootstrap.servers", "localhost:9092"),
    }
    Ok(properties)
}

/// Connects as the flags say.
pub async fn connect(matches: &ArgMatches) -> Result<Cluster, Failure> {
    let config = ClientConfig::from_properties(&properties(matches)?)?;
    Ok(Cluster::connect(config).await?)
}

/// Runs a tool's work on a runtime of this thread.
pub fn block_on<F: Future<Output = Outcome>>(work: F) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(work);
    // A connection's tasks must not keep the tool from ending.
    runtime.shutdown_background();
    outcome
}

/// The flag of the oldest tools, which went to ZooKeeper themselves.
pub fn zookeeper_flag() -> Arg {
    option("zookeeper", "HOST:PORT,…[/CHROOT]", "Go to the keeper instead of a broker, as tools did of old")
}

/// A pattern for whole names, as `--topic` and `--include` take it: a regular expression; a comma is an "or".
#[derive(Debug)]
pub struct Pattern(regex_lite::Regex, String);

impl Pattern {
    pub fn new(text: &str) -> Result<Self, Failure> {
        let alternatives = text.trim().replace(',', "|");
        match regex_lite::Regex::new(&format!("^(?:{alternatives})$")) {
            Ok(regex) => Ok(Self(regex, text.to_owned())),
            Err(error) => Err(Failure::Usage(format!("{text}: this is not a regular expression: {error}"))),
        }
    }

    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }

    /// As it was given.
    pub fn text(&self) -> &str {
        &self.1
    }
}
