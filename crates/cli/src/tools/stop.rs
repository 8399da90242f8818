//! `kafka-server-stop.sh` and `zookeeper-server-stop.sh`: asks the servers that run here to end in good order.

use std::time::Duration;

use clap::{ArgMatches, Command};

use crate::daemon;
use crate::tool::{Failure, Outcome, Tool};

pub const STOP: Tool = Tool {
    name: "stop",
    scripts: &["kafka-server-stop"],
    classes: &[],
    about: "Stop the brokers that run on this machine as this user",
    flags: |command| command,
    run: |matches| stop(matches, "start"),
};

pub const KEEPER_STOP: Tool = Tool {
    name: "keeper-stop",
    scripts: &["zookeeper-server-stop"],
    classes: &[],
    about: "Stop the keepers that run alone on this machine as this user",
    flags: no_flags,
    run: |matches| stop(matches, "keeper"),
};

fn no_flags(command: Command) -> Command {
    command
}

fn stop(_: &ArgMatches, command: &str) -> Outcome {
    let pids = daemon::find(command);
    if pids.is_empty() {
        return Err(Failure::Failed(format!("No server started by `ottla {command}` to stop")));
    }
    for pid in pids {
        daemon::stop(pid, Duration::from_secs(60))?;
        println!("stopped process {pid}");
    }
    Ok(())
}
