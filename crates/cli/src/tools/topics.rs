//! `kafka-topics.sh`: create, list, describe, alter and delete topics.

use clap::{Arg, ArgMatches, Command};
use ottla_base::ids::Uuid;
use ottla_client::admin::{Admin, ConfigResource, ConfigSource, NewTopic, ResourceKind};
use ottla_client::cluster::{PartitionMetadata, TopicMetadata};

use crate::common::{
    Pattern, block_on, connect, connection_flags, flag, number, option, options, pair, text, texts, zookeeper_flag,
};
use crate::tool::{Failure, Outcome, Tool};
use crate::tools::zookeeper_topics;

pub const TOOL: Tool = Tool {
    name: "topics",
    scripts: &["kafka-topics"],
    classes: &["TopicCommand"],
    about: "Create, list, describe, alter and delete topics",
    flags,
    run,
};

const ACTIONS: [&str; 5] = ["list", "describe", "create", "alter", "delete"];

fn flags(command: Command) -> Command {
    connection_flags(command)
        .arg(zookeeper_flag())
        .arg(flag("create", "Create a topic"))
        .arg(flag("list", "List the topics"))
        .arg(flag("describe", "Show partitions, leaders, replicas and settings"))
        .arg(flag("alter", "Change the number of partitions"))
        .arg(flag("delete", "Delete topics"))
        .arg(option("topic", "TOPIC", "The topic; except with --create also a pattern, such as 'logs-.*'"))
        .arg(option("topic-id", "ID", "The topic's id, with --describe"))
        .arg(option("partitions", "N", "Number of partitions"))
        .arg(option("replication-factor", "N", "Number of replicas of each partition"))
        .arg(option("replica-assignment", "1:2,2:3", "Replicas of each partition, by hand"))
        .arg(options("config", "NAME=VALUE", "A setting of the new topic; may be repeated"))
        .arg(options("delete-config", "NAME", "Not any more: use `ottla configs`").hide(true))
        .arg(flag("if-exists", "With --alter, --delete and --describe: do nothing when there is no such topic"))
        .arg(flag("if-not-exists", "With --create: do nothing when there is such a topic"))
        .arg(flag("exclude-internal", "Leave Kafka's own topics out"))
        .arg(flag("topics-with-overrides", "With --describe: only topics with settings of their own"))
        .arg(flag("under-replicated-partitions", "With --describe: only partitions whose ISR is not complete"))
        .arg(flag("unavailable-partitions", "With --describe: only partitions without a leader"))
        .arg(flag("under-min-isr-partitions", "With --describe: only partitions below min.insync.replicas"))
        .arg(flag("at-min-isr-partitions", "With --describe: only partitions at min.insync.replicas"))
        .arg(option("partition-size-limit-per-response", "N", "Most partitions in one answer").hide(true))
        .arg(Arg::new("force").long("force").hide(true).action(clap::ArgAction::SetTrue))
}

fn run(matches: &ArgMatches) -> Outcome {
    let mut actions = ACTIONS.iter().filter(|action| matches.get_flag(action));
    let (Some(&action), None) = (actions.next(), actions.next()) else {
        return Err(Failure::Usage(
            "Command must include exactly one action: --list, --describe, --create, --alter or --delete".into(),
        ));
    };
    if matches.get_flag("create") && text(matches, "topic").is_none() {
        return Err(Failure::Usage("Missing required argument \"[topic]\"".into()));
    }
    if text(matches, "zookeeper").is_some() {
        return zookeeper_topics::run(action, matches);
    }
    let outcome = block_on(async {
        let admin = Admin::new(connect(matches).await?);
        match action {
            "list" => list(&admin, matches).await,
            "describe" => describe(&admin, matches).await,
            "create" => create(&admin, matches).await,
            "alter" => alter(&admin, matches).await,
            _ => delete(&admin, matches).await,
        }
    });
    outcome.map_err(|failure| match failure {
        Failure::Failed(text) => Failure::Failed(format!("Error while executing topic command : {text}")),
        other => other,
    })
}

/// The topics that `--topic` (a pattern) and `--exclude-internal` leave.
async fn wanted(admin: &Admin, matches: &ArgMatches) -> Result<Vec<TopicMetadata>, Failure> {
    let pattern = text(matches, "topic").map(Pattern::new).transpose()?;
    let id = match text(matches, "topic-id") {
        Some(id) => {
            Some(Uuid::parse(id).ok_or_else(|| Failure::Usage(format!("--topic-id {id}: this is not a topic id")))?)
        }
        None => None,
    };
    let internal = !matches.get_flag("exclude-internal");
    let metadata = admin.list_topics().await?;
    let topics = metadata.topics.into_values().filter(|topic| {
        pattern.as_ref().is_none_or(|pattern| pattern.matches(&topic.name))
            && id.is_none_or(|id| topic.id == id)
            && (internal || !topic.is_internal)
    });
    Ok(topics.collect())
}

/// As [`wanted`]; none at all for a named topic is an error, unless `--if-exists`.
async fn expected(admin: &Admin, matches: &ArgMatches) -> Result<Vec<TopicMetadata>, Failure> {
    let topics = wanted(admin, matches).await?;
    let name = text(matches, "topic").or(text(matches, "topic-id"));
    match name {
        Some(name) if topics.is_empty() && !matches.get_flag("if-exists") => {
            Err(Failure::Failed(format!("Topic '{name}' does not exist as expected")))
        }
        _ => Ok(topics),
    }
}

async fn list(admin: &Admin, matches: &ArgMatches) -> Outcome {
    for topic in wanted(admin, matches).await? {
        println!("{}", topic.name);
    }
    Ok(())
}

async fn create(admin: &Admin, matches: &ArgMatches) -> Outcome {
    let name = text(matches, "topic").unwrap_or_default();
    if name.contains(['.', '_']) {
        println!(
            "WARNING: Metric names don't tell '.' from '_' in topic names, so names that differ only there collide. \
             It is best to use one of the two, not both."
        );
    }
    let topic = NewTopic {
        name: name.to_owned(),
        partitions: number(matches, "partitions")?,
        replication_factor: number(matches, "replication-factor")?,
        assignments: text(matches, "replica-assignment").map(parse_assignment).transpose()?.unwrap_or_default(),
        configs: texts(matches, "config").into_iter().map(pair).collect::<Result<_, _>>()?,
    };
    if matches.get_flag("if-not-exists") && admin.list_topics().await?.topics.contains_key(name) {
        return Ok(());
    }
    for (name, result) in admin.create_topics(&[topic], false).await? {
        result?;
        println!("Created topic {name}.");
    }
    Ok(())
}

/// `1:2,2:3`: a comma between partitions, a colon between the replicas of one.
pub fn parse_assignment(text: &str) -> Result<Vec<Vec<i32>>, Failure> {
    let bad = |_| Failure::Usage(format!("--replica-assignment {text}: this must be broker ids, as in 1:2,2:3"));
    text.split(',').map(|ids| ids.split(':').map(|id| id.trim().parse().map_err(bad)).collect()).collect()
}

async fn alter(admin: &Admin, matches: &ArgMatches) -> Outcome {
    if !texts(matches, "config").is_empty() || !texts(matches, "delete-config").is_empty() {
        return Err(Failure::Usage("settings are changed by `ottla configs --alter --entity-type topics`".into()));
    }
    let count = number(matches, "partitions")?
        .ok_or_else(|| Failure::Usage("--alter needs --partitions, the new number".into()))?;
    let assignments: Vec<Vec<i32>> =
        text(matches, "replica-assignment").map(parse_assignment).transpose()?.unwrap_or_default();
    for topic in expected(admin, matches).await? {
        // Of a whole assignment only the new partitions' part is sent.
        let new = assignments.get(topic.partitions.len()..).unwrap_or_default();
        admin.create_partitions(&topic.name, count, new, false).await?;
    }
    Ok(())
}

async fn delete(admin: &Admin, matches: &ArgMatches) -> Outcome {
    if text(matches, "topic").is_none() {
        return Err(Failure::Usage("--delete needs --topic".into()));
    }
    let names: Vec<String> = expected(admin, matches).await?.iter().map(|topic| topic.name.to_string()).collect();
    if names.is_empty() {
        return Ok(());
    }
    for (_, result) in admin.delete_topics(&names).await? {
        result?;
    }
    Ok(())
}

async fn describe(admin: &Admin, matches: &ArgMatches) -> Outcome {
    let filters =
        ["under-replicated-partitions", "unavailable-partitions", "under-min-isr-partitions", "at-min-isr-partitions"];
    let filtered = filters.iter().any(|name| matches.get_flag(name));
    let alive: Vec<i32> = admin.describe_cluster().await?.brokers.iter().map(|broker| broker.id).collect();
    for topic in expected(admin, matches).await? {
        let resource = ConfigResource { kind: ResourceKind::Topic, name: topic.name.to_string() };
        let entries = admin.describe_configs(&resource, None, false, false).await?;
        let own: Vec<String> = entries
            .iter()
            .filter(|entry| entry.source == ConfigSource::DynamicTopic)
            .map(|entry| format!("{}={}", entry.name, entry.value.as_deref().unwrap_or_default()))
            .collect();
        let overridden = matches.get_flag("topics-with-overrides");
        if overridden && own.is_empty() {
            continue;
        }
        if !filtered {
            println!("{}", headline(&topic, &own));
        }
        if overridden {
            continue;
        }
        let min_isr = entries.iter().find(|entry| entry.name == "min.insync.replicas");
        let min_isr = min_isr.and_then(|entry| entry.value.as_deref()?.parse().ok()).unwrap_or(1);
        for partition in &topic.partitions {
            if !filtered || passes(matches, partition, min_isr, &alive) {
                println!("{}", partition_line(&topic.name, partition));
            }
        }
    }
    Ok(())
}

fn headline(topic: &TopicMetadata, configs: &[String]) -> String {
    format!(
        "Topic: {}\tTopicId: {}\tPartitionCount: {}\tReplicationFactor: {}\tConfigs: {}",
        topic.name,
        topic.id,
        topic.partitions.len(),
        topic.partitions.first().map_or(0, |partition| partition.replicas.len()),
        configs.join(",")
    )
}

fn partition_line(topic: &str, partition: &PartitionMetadata) -> String {
    format!(
        "\tTopic: {topic}\tPartition: {}\tLeader: {}\tReplicas: {}\tIsr: {}",
        partition.partition,
        partition.leader.map_or("none".to_owned(), |leader| leader.to_string()),
        ids(&partition.replicas),
        ids(&partition.isr)
    )
}

/// Broker ids as the tools print them.
pub fn ids(ids: &[i32]) -> String {
    ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

fn passes(matches: &ArgMatches, partition: &PartitionMetadata, min_isr: usize, alive: &[i32]) -> bool {
    let led = partition.leader.is_some_and(|leader| alive.contains(&leader));
    (matches.get_flag("under-replicated-partitions") && partition.isr.len() < partition.replicas.len())
        || (matches.get_flag("unavailable-partitions") && !led)
        || (matches.get_flag("under-min-isr-partitions") && partition.isr.len() < min_isr)
        || (matches.get_flag("at-min-isr-partitions") && partition.isr.len() == min_isr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments() {
        assert_eq!(parse_assignment("1:2,2:3").ok(), Some(vec![vec![1, 2], vec![2, 3]]));
        assert!(parse_assignment("1:x").is_err());
    }
}
