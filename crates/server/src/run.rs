//! The two servers as the command line starts them: from a file to the end of the process.

use std::path::Path;
use std::time::Duration;

use ottla_broker::config;

use crate::clock::Clock;
use crate::keeper_config::KeeperConfig;
use crate::keeper_node::{KeeperNode, StartError};
use crate::logging;
use crate::node::start_node;
use crate::progress::Progress;

/// How long a start may take before it is given up; the keeper of `zookeeper.connect` may come up after us.
const READY_TIMEOUT: Duration = Duration::from_secs(18);

/// Runs a broker until SIGTERM or SIGINT. Without a file all settings have their defaults.
pub fn broker(file: Option<&Path>, overrides: &[String]) -> Result<(), StartError> {
    logging::start().map_err(StartError::new)?;
    let (name, text) = match file {
        Some(file) => (file.display().to_string(), read(file)?),
        None => ("the defaults".to_owned(), String::new()),
    };
    let (config, warning) = config::load(&name, &text, overrides).map_err(StartError::new)?;
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    let patience = config.zookeeper_connection_timeout_ms.and_then(|ms| u64::try_from(ms).ok());
    let patience = patience.map_or(READY_TIMEOUT, Duration::from_millis).max(READY_TIMEOUT);
    let node = start_node(config)?;
    node.stop_on_signals();
    node.give_up_after(patience);
    node.run_to_end()
}

/// Runs a keeper alone until SIGTERM or SIGINT.
pub fn keeper(file: &Path) -> Result<(), StartError> {
    logging::start().map_err(StartError::new)?;
    let (config, warning) = KeeperConfig::load(file).map_err(StartError::new)?;
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    let progress = std::sync::Arc::new(Progress::new());
    let failing = std::sync::Arc::clone(&progress);
    let mut keeper = KeeperNode::start(config, Clock::start(), move |why| failing.fail(why))?;
    progress.ready();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.map_err(|e| StartError::system(&e))?;
    let signalled = std::sync::Arc::clone(&progress);
    let signals = std::thread::Builder::new().name("ottla-signals".to_owned()).spawn(move || {
        match runtime.block_on(crate::signals::ending()) {
            Ok(name) => tracing::info!("{name}: stopping"),
            Err(error) => return tracing::warn!(%error, "signals end this process at once"),
        }
        signalled.ask_to_stop();
    });
    signals.map_err(|e| StartError::system(&e))?;
    progress.wait_over();
    keeper.stop();
    match progress.state() {
        crate::progress::NodeState::Failed(why) => Err(StartError(why)),
        _ => Ok(()),
    }
}

fn read(file: &Path) -> Result<String, StartError> {
    let bytes = std::fs::read(file).map_err(|error| StartError(format!("cannot read {}: {error}", file.display())))?;
    // Java reads these files as Latin-1 or UTF-8; only comments are likely to differ.
    Ok(String::from_utf8(bytes).unwrap_or_else(|e| e.into_bytes().iter().map(|&b| char::from(b)).collect()))
}
