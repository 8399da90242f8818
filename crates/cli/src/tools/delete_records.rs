//! `kafka-delete-records.sh`: deletes records before given offsets.

use std::collections::BTreeMap;

use clap::{ArgMatches, Command};
use ottla_base::ids::TopicPartition;
use ottla_client::admin::Admin;

use crate::common::{block_on, connect, connection_flags, option, text};
use crate::tool::{Failure, Outcome, Tool};

pub const TOOL: Tool = Tool {
    name: "delete-records",
    scripts: &["kafka-delete-records"],
    classes: &["DeleteRecordsCommand"],
    about: "Delete the records of partitions before given offsets",
    flags,
    run,
};

fn flags(command: Command) -> Command {
    connection_flags(command).arg(
        option(
            "offset-json-file",
            "FILE",
            "{\"partitions\": [{\"topic\": \"t\", \"partition\": 0, \"offset\": 10}], \"version\": 1}; offset -1 deletes all",
        )
        .required(true),
    )
}

fn run(matches: &ArgMatches) -> Outcome {
    let file = text(matches, "offset-json-file").unwrap_or_default();
    let json = std::fs::read_to_string(file).map_err(|e| Failure::Failed(format!("{file}: {e}")))?;
    let offsets = parse(&json).map_err(|problem| Failure::Failed(format!("{file}: {problem}")))?;
    block_on(async {
        let admin = Admin::new(connect(matches).await?);
        println!("Executing records delete operation");
        let results = admin.delete_records(&offsets).await?;
        println!("Records delete operation completed:");
        let mut failed = false;
        for (partition, result) in results {
            match result {
                Ok(low_watermark) => println!("partition: {partition}\tlow_watermark: {low_watermark}"),
                Err(error) => {
                    failed = true;
                    println!("partition: {partition}\terror: {error}");
                }
            }
        }
        if failed { Err(Failure::Silent(1)) } else { Ok(()) }
    })
}

fn parse(json: &str) -> Result<BTreeMap<TopicPartition, i64>, String> {
    let value: serde_json::Value = serde_json::from_str(json).map_err(|e| e.to_string())?;
    if !matches!(value["version"].as_i64(), None | Some(1)) {
        return Err(format!("version {} is not known, only 1", value["version"]));
    }
    let list = value["partitions"].as_array().ok_or("\"partitions\" is missing")?;
    let mut offsets = BTreeMap::new();
    for entry in list {
        let topic = entry["topic"].as_str().ok_or_else(|| format!("{entry}: \"topic\" is missing"))?;
        let partition = entry["partition"].as_i64().and_then(|p| i32::try_from(p).ok());
        let partition = partition.ok_or_else(|| format!("{entry}: \"partition\" is missing"))?;
        let offset = entry["offset"].as_i64().ok_or_else(|| format!("{entry}: \"offset\" is missing"))?;
        if offsets.insert(TopicPartition::new(topic, partition), offset).is_some() {
            return Err(format!("{topic}-{partition} is there twice"));
        }
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans() {
        let plan = parse(r#"{"partitions":[{"topic":"t","partition":1,"offset":-1}],"version":1}"#);
        assert_eq!(plan, Ok(BTreeMap::from([(TopicPartition::new("t", 1), -1)])));
        for bad in ["", "{}", r#"{"version":2,"partitions":[]}"#, r#"{"partitions":[{"topic":"t"}]}"#] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
