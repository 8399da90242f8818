//! `kafka-broker-api-versions.sh`: which APIs each broker serves, and which version a client of ours would use.

use clap::{ArgMatches, Command};
use ottla_client::cluster::Topics;
use ottla_protocol::ApiKey;

use crate::common::{block_on, connect, connection_flags};
use crate::tool::{Outcome, Tool};

pub const TOOL: Tool = Tool {
    name: "broker-api-versions",
    scripts: &["kafka-broker-api-versions"],
    classes: &["BrokerApiVersionsCommand"],
    about: "List which versions of which APIs each broker serves",
    flags,
    run,
};

fn flags(command: Command) -> Command {
    connection_flags(command)
}

fn run(matches: &ArgMatches) -> Outcome {
    block_on(async {
        let cluster = connect(matches).await?;
        let metadata = cluster.metadata(Topics::None).await?;
        for broker in metadata.brokers.values() {
            let connection = cluster.node(broker.id).await?;
            let rack = broker.rack.as_deref().unwrap_or("null");
            println!("{}:{} (id: {} rack: {rack} isFenced: false) -> (", broker.host, broker.port, broker.id);
            let served = &connection.api_versions().api_keys;
            for (i, api) in served.iter().enumerate() {
                let comma = if i + 1 < served.len() { "," } else { "" };
                println!("\t{}{comma}", line(api.api_key, api.min_version, api.max_version));
            }
            println!(")");
        }
        Ok(())
    })
}

fn line(key: i16, min: i16, max: i16) -> String {
    let range = if min == max { min.to_string() } else { format!("{min} to {max}") };
    let Some(known) = ApiKey::from_i16(key) else {
        return format!("UNKNOWN({key}): {range} [usable: ?]");
    };
    let (our_min, our_max) = known.versions().into_inner();
    let usable = if max < our_min || our_max < min { "none".to_owned() } else { max.min(our_max).to_string() };
    format!("{}({key}): {range} [usable: {usable}]", known.name())
}
