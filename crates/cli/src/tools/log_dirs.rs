//! `kafka-log-dirs.sh`: what lies in the log directories of brokers.

use clap::{ArgMatches, Command};
use ottla_client::admin::{Admin, LogDir};
use ottla_protocol::ErrorCode;
use serde_json::{Value, json};

use crate::common::{block_on, connect, flag, option, text};
use crate::tool::{Failure, Outcome, Tool};

pub const TOOL: Tool = Tool {
    name: "log-dirs",
    scripts: &["kafka-log-dirs"],
    classes: &["LogDirsCommand"],
    about: "Show the size of each replica in each log directory",
    flags,
    run,
};

fn flags(command: Command) -> Command {
    command
        .arg(option("bootstrap-server", "HOST:PORT,…", "The brokers to connect to first [default: localhost:9092]"))
        .arg(option("command-config", "FILE", "A properties file with settings for the client"))
        .arg(flag("describe", "Show the log directories"))
        .arg(option("topic-list", "T,U", "Only these topics"))
        .arg(option("broker-list", "1,2", "Only these brokers"))
}

fn run(matches: &ArgMatches) -> Outcome {
    if !matches.get_flag("describe") {
        return Err(Failure::Usage("--describe is missing".into()));
    }
    let list = |name| text(matches, name).unwrap_or_default().split(',').map(str::trim).filter(|s| !s.is_empty());
    let topics: Vec<String> = list("topic-list").map(str::to_owned).collect();
    let wanted: Vec<i32> = list("broker-list")
        .map(|id| id.parse().map_err(|_| Failure::Usage(format!("--broker-list {id}: this must be broker ids"))))
        .collect::<Result<_, _>>()?;
    block_on(async {
        let admin = Admin::new(connect(matches).await?);
        let alive: Vec<i32> = admin.describe_cluster().await?.brokers.iter().map(|broker| broker.id).collect();
        if let Some(missing) = wanted.iter().find(|id| !alive.contains(id)) {
            return Err(Failure::Failed(format!("broker {missing} is not among the live ones: {alive:?}")));
        }
        let brokers = if wanted.is_empty() { alive } else { wanted };
        println!("Querying brokers for log directories information");
        let mut answers = Vec::new();
        for &broker in &brokers {
            let dirs = admin.describe_log_dirs(broker, None).await?;
            let dirs: Vec<Value> = dirs.iter().map(|dir| describe(dir, &topics)).collect();
            answers.push(json!({"broker": broker, "logDirs": dirs}));
        }
        println!("Received log directory information from brokers {}", super::topics::ids(&brokers));
        println!("{}", json!({"brokers": answers, "version": 1}));
        Ok(())
    })
}

fn describe(dir: &LogDir, topics: &[String]) -> Value {
    let replicas =
        dir.replicas.iter().filter(|r| topics.is_empty() || topics.iter().any(|t| **t == *r.partition.topic));
    let partitions: Vec<Value> = replicas
        .map(|replica| {
            json!({
                "partition": replica.partition.to_string(),
                "size": replica.size,
                "offsetLag": replica.offset_lag,
                "isFuture": replica.is_future,
            })
        })
        .collect();
    let error = if dir.error == ErrorCode::None { Value::Null } else { Value::from(dir.error.name()) };
    json!({"partitions": partitions, "error": error, "logDir": dir.path})
}
