//! `kafka-server-start.sh`: a broker, with a keeper inside unless `zookeeper.connect` names another.

use std::path::Path;

use clap::{Arg, ArgMatches, Command};

use crate::common::{flag, options, text, texts};
use crate::daemon;
use crate::tool::{Outcome, Tool};

pub const TOOL: Tool = Tool {
    name: "start",
    scripts: &["kafka-server-start"],
    classes: &["Kafka"],
    about: "Start a broker, with its keeper inside unless zookeeper.connect is set",
    flags,
    run,
};

fn flags(command: Command) -> Command {
    command
        .arg(Arg::new("properties").value_name("server.properties").help("Kafka's settings; all have defaults"))
        .arg(options("override", "NAME=VALUE", "A setting that goes before the file's; may be repeated"))
        .arg(flag("daemon", "Go on in the background; what it prints goes to kafkaServer.out in $LOG_DIR or ./logs"))
        .after_help(
            "Without a file: clients on port 9092, the keeper's clients on 2181, data in /tmp/kafka-logs.\n\
             OTTLA_LOG sets what is logged (info, debug, or as in ottla_broker=debug,info); OTTLA_LOG_FORMAT=json logs JSON.",
        )
}

fn run(matches: &ArgMatches) -> Outcome {
    if matches.get_flag("daemon") {
        return daemon::respawn("kafkaServer.out", None);
    }
    let overrides: Vec<String> = texts(matches, "override").into_iter().map(str::to_owned).collect();
    Ok(ottla_server::run::broker(text(matches, "properties").map(Path::new), &overrides)?)
}
