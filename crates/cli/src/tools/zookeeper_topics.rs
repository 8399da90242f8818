//! `--zookeeper`, `kafka-create-topic.sh` and `kafka-list-topic.sh`: the topic tools of the oldest tutorials, which read and
//! write znodes themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{ArgMatches, Command};
use ottla_client::keeper_client::{ConnectString, KeeperClient, KeeperClientConfig};
use ottla_client::zk_admin::{ZkAdmin, ZkTopic};

use crate::common::{Pattern, block_on, number, option, pair, text, texts};
use crate::time::now_ms;
use crate::tool::{Failure, Outcome, Tool};
use crate::tools::topics::{ids, parse_assignment};

pub const CREATE: Tool = Tool {
    name: "create-topic",
    scripts: &["kafka-create-topic"],
    classes: &["CreateTopicCommand"],
    about: "Create a topic through the keeper, with the flags of Kafka 0.8.0",
    flags: create_flags,
    run: run_create,
};

pub const LIST: Tool = Tool {
    name: "list-topic",
    scripts: &["kafka-list-topic"],
    classes: &["ListTopicCommand"],
    about: "List partitions, leaders, replicas and ISR through the keeper, as Kafka 0.8.0 did",
    flags: list_flags,
    run: run_list,
};

fn required_zookeeper(command: Command) -> Command {
    command.arg(option("zookeeper", "HOST:PORT,…[/CHROOT]", "The keeper").required(true))
}

fn create_flags(command: Command) -> Command {
    required_zookeeper(command)
        .arg(option("topic", "TOPIC", "The topic").required(true))
        .arg(option("partition", "N", "Number of partitions [default: 1]"))
        .arg(option("replica", "N", "Number of replicas of each partition [default: 1]"))
        .arg(option("replica-assignment-list", "1:2,2:3", "Replicas of each partition, by hand"))
}

fn list_flags(command: Command) -> Command {
    required_zookeeper(command).arg(option("topic", "TOPIC", "Only this topic"))
}

fn run_create(matches: &ArgMatches) -> Outcome {
    let name = text(matches, "topic").unwrap_or_default();
    let (partitions, replicas) = (number(matches, "partition")?.unwrap_or(1), number(matches, "replica")?.unwrap_or(1));
    let assignment = text(matches, "replica-assignment-list").map(parse_assignment).transpose()?;
    with_keeper(matches, async |admin| {
        match assignment {
            Some(assignment) => admin.create_topic_with(name, &assignment, &BTreeMap::new(), seed()).await?,
            None => admin.create_topic(name, partitions, replicas, &BTreeMap::new(), seed()).await?,
        }
        println!("creation succeeded!");
        Ok(())
    })
}

fn run_list(matches: &ArgMatches) -> Outcome {
    let only = text(matches, "topic");
    with_keeper(matches, async |admin| {
        for name in admin.topics().await? {
            if only.is_none_or(|only| only == name) {
                let topic = admin.describe_topic(&name).await?;
                topic.partitions.iter().for_each(|partition| {
                    println!(
                        "topic: {name}\tpartition: {}\tleader: {}\treplicas: {}\tisr: {}",
                        partition.partition,
                        partition.leader.map_or("none".to_owned(), |leader| leader.to_string()),
                        ids(&partition.replicas),
                        ids(&partition.isr)
                    );
                });
            }
        }
        Ok(())
    })
}

/// Carries out `action` of `ottla topics` through the keeper.
pub fn run(action: &str, matches: &ArgMatches) -> Outcome {
    let outcome = with_keeper(matches, async |admin| match action {
        "create" => create(admin, matches).await,
        "alter" => alter(admin, matches).await,
        _ => {
            for name in matching(admin, matches).await? {
                match action {
                    "list" => println!("{name}"),
                    "describe" => describe(&admin.describe_topic(&name).await?),
                    _ => {
                        admin.delete_topic(&name).await?;
                        println!("Topic {name} is marked for deletion.");
                    }
                }
            }
            Ok(())
        }
    });
    outcome.map_err(|failure| match failure {
        Failure::Failed(text) => Failure::Failed(format!("Error while executing topic command : {text}")),
        other => other,
    })
}

fn seed() -> u64 {
    now_ms() as u64 ^ (u64::from(std::process::id()) << 40)
}

fn with_keeper<F: AsyncFnOnce(&ZkAdmin) -> Outcome>(matches: &ArgMatches, work: F) -> Outcome {
    let servers = ConnectString::parse(text(matches, "zookeeper").unwrap_or_default()).map_err(Failure::Usage)?;
    block_on(async {
        let client = KeeperClient::spawn(KeeperClientConfig::new(servers, Duration::from_secs(30), seed()), |_| {});
        client.wait_connected(Duration::from_secs(30)).await.map_err(Failure::Failed)?;
        let outcome = work(&ZkAdmin::new(client.clone())).await;
        client.close(Duration::from_secs(5)).await;
        outcome
    })
}

async fn matching(admin: &ZkAdmin, matches: &ArgMatches) -> Result<Vec<String>, Failure> {
    let pattern = text(matches, "topic").map(Pattern::new).transpose()?;
    let names = admin.topics().await?.into_iter();
    let names: Vec<String> = names.filter(|name| pattern.as_ref().is_none_or(|p| p.matches(name))).collect();
    match text(matches, "topic") {
        Some(name) if names.is_empty() && !matches.get_flag("if-exists") => {
            Err(Failure::Failed(format!("Topic '{name}' does not exist as expected")))
        }
        _ => Ok(names),
    }
}

async fn create(admin: &ZkAdmin, matches: &ArgMatches) -> Outcome {
    let name = text(matches, "topic").unwrap_or_default();
    let configs = texts(matches, "config").into_iter().map(pair).collect::<Result<BTreeMap<_, _>, _>>()?;
    if matches.get_flag("if-not-exists") && admin.topics().await?.contains(name) {
        return Ok(());
    }
    match text(matches, "replica-assignment").map(parse_assignment).transpose()? {
        Some(assignment) => admin.create_topic_with(name, &assignment, &configs, seed()).await?,
        None => {
            let missing = |flag: &str| Failure::Usage(format!("--create with --zookeeper needs --{flag}"));
            let partitions = number(matches, "partitions")?.ok_or_else(|| missing("partitions"))?;
            let factor = number(matches, "replication-factor")?.ok_or_else(|| missing("replication-factor"))?;
            admin.create_topic(name, partitions, factor, &configs, seed()).await?;
        }
    }
    println!("Created topic {name}.");
    Ok(())
}

async fn alter(admin: &ZkAdmin, matches: &ArgMatches) -> Outcome {
    let set = texts(matches, "config").into_iter().map(pair).collect::<Result<BTreeMap<_, _>, _>>()?;
    let remove: Vec<String> = texts(matches, "delete-config").into_iter().map(str::to_owned).collect();
    let partitions = number(matches, "partitions")?;
    for name in matching(admin, matches).await? {
        if !set.is_empty() || !remove.is_empty() {
            admin.alter_topic_configs(&name, &set, &remove).await?;
            println!("Updated config for topic {name}.");
        }
        if let Some(count) = partitions {
            admin.add_partitions(&name, count, seed()).await?;
            println!("Adding partitions succeeded!");
        }
    }
    Ok(())
}

fn describe(topic: &ZkTopic) {
    let configs: Vec<String> = topic.configs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    println!(
        "Topic: {}\tPartitionCount: {}\tReplicationFactor: {}\tConfigs: {}{}",
        topic.name,
        topic.partitions.len(),
        topic.partitions.first().map_or(0, |partition| partition.replicas.len()),
        configs.join(","),
        if topic.is_being_deleted { "\tMarkedForDeletion: true" } else { "" }
    );
    for partition in &topic.partitions {
        println!(
            "\tTopic: {}\tPartition: {}\tLeader: {}\tReplicas: {}\tIsr: {}",
            topic.name,
            partition.partition,
            partition.leader.map_or("none".to_owned(), |leader| leader.to_string()),
            ids(&partition.replicas),
            ids(&partition.isr)
        );
    }
}
