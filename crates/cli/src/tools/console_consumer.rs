//! `kafka-console-consumer.sh`: prints the records of topics.

mod formatter;

use std::io::{BufWriter, Write};
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command};
use ottla_base::ids::TopicPartition;
use ottla_client::consumer::Consumer;
use ottla_client::{ConsumerConfig, Properties};

use crate::common::{
    Pattern, block_on, connection_flags, flag, number, option, options, pair, properties, read_properties, text, texts,
    zookeeper_flag,
};
use crate::tool::{Failure, Outcome, Tool};
use formatter::Formatter;

pub const TOOL: Tool = Tool {
    name: "console-consumer",
    scripts: &["kafka-console-consumer"],
    classes: &["ConsoleConsumer"],
    about: "Print the records of a topic",
    flags,
    run,
};

fn flags(command: Command) -> Command {
    connection_flags(command)
        .arg(zookeeper_flag())
        .arg(option("topic", "TOPIC", "The topic to read"))
        .arg(option("include", "PATTERN", "Topics whose name matches").alias("whitelist"))
        .arg(option("partition", "N", "Only this partition; it begins at --offset"))
        .arg(option("offset", "N|earliest|latest", "Where to begin with --partition; -2 is from the end back by two [default: latest]"))
        .arg(flag("from-beginning", "Begin at the first record, unless the group has committed offsets"))
        .arg(option("max-messages", "N", "Stop after so many records"))
        .arg(option("timeout-ms", "MS", "Stop when no record has come for so long"))
        .arg(option("group", "GROUP", "The group to be a member of"))
        .arg(option("isolation-level", "LEVEL", "read_uncommitted or read_committed [default: read_uncommitted]"))
        .arg(options("command-property", "NAME=VALUE", "A setting of the consumer; may be repeated").alias("consumer-property"))
        .arg(option("consumer.config", "FILE", "The same as --command-config").hide(true))
        .arg(options("formatter-property", "NAME=VALUE", "What is printed: print.timestamp, print.key, print.value, print.offset, print.partition, print.epoch, print.headers, print.delivery, key.separator, line.separator, headers.separator, null.literal").alias("property"))
        .arg(option("formatter-config", "FILE", "The same from a properties file"))
        .arg(option("formatter", "CLASS", "DefaultMessageFormatter, LoggingMessageFormatter or NoOpMessageFormatter"))
        .arg(option("key-deserializer", "CLASS", "Of the keys: String, Long, Integer, Short, Double, ByteArray or UUID deserializer"))
        .arg(option("value-deserializer", "CLASS", "Of the values: as for keys"))
        .arg(flag("skip-message-on-error", "Go on after a record that can't be printed"))
        .arg(Arg::new("enable-systest-events").long("enable-systest-events").hide(true).action(ArgAction::SetTrue))
}

fn run(matches: &ArgMatches) -> Outcome {
    let formatter = Formatter::new(matches)?;
    let plan = Plan::new(matches)?;
    block_on(async move {
        let bootstrap = match text(matches, "zookeeper") {
            // The consumers of old found the brokers, and kept their offsets, in the keeper; ours only finds the brokers there.
            Some(servers) => Some(brokers_in_keeper(servers).await?),
            None => None,
        };
        let settings = settings(matches, bootstrap)?;
        if let Some(warning) = settings.warning("consumer") {
            eprintln!("WARN {warning}");
        }
        let consumer = Consumer::start(ConsumerConfig::from_properties(&settings)?).await?;
        consume(consumer, &plan, &formatter).await
    })
}

async fn brokers_in_keeper(servers: &str) -> Result<String, Failure> {
    use ottla_client::keeper_client::{ConnectString, KeeperClient, KeeperClientConfig};
    let servers = ConnectString::parse(servers).map_err(Failure::Usage)?;
    let seed = crate::time::now_ms() as u64;
    let client = KeeperClient::spawn(KeeperClientConfig::new(servers, Duration::from_secs(30), seed), |_| {});
    client.wait_connected(Duration::from_secs(30)).await.map_err(Failure::Failed)?;
    let brokers = ottla_client::zk_admin::ZkAdmin::new(client.clone()).brokers().await;
    client.close(Duration::from_secs(5)).await;
    let addresses: Vec<String> = brokers?.into_iter().filter_map(|broker| broker.address).collect();
    if addresses.is_empty() {
        return Err(Failure::Failed("no broker is registered in the keeper".into()));
    }
    Ok(addresses.join(","))
}

fn settings(matches: &ArgMatches, bootstrap: Option<String>) -> Result<Properties, Failure> {
    let mut settings = properties(matches)?;
    for file in ["consumer.config"].iter().filter_map(|name| text(matches, name)) {
        for (name, value) in read_properties(file)? {
            settings.set(&name, value);
        }
    }
    for property in texts(matches, "command-property") {
        let (name, value) = pair(property)?;
        settings.set(&name, value);
    }
    if let Some(bootstrap) = bootstrap {
        settings.set("bootstrap.servers", bootstrap);
    }
    if let Some(level) = text(matches, "isolation-level") {
        settings.set("isolation.level", level);
    }
    match text(matches, "group") {
        Some(group) => {
            if settings.get("group.id").is_some_and(|other| other != group) {
                return Err(Failure::Usage("--group and group.id name different groups".into()));
            }
            settings.set("group.id", group);
        }
        // Without one the tool is a group of its own, whose offsets nobody needs.
        None => {
            settings.set_default("group.id", format!("console-consumer-{}", crate::time::now_ms() % 100_000));
            settings.set_default("enable.auto.commit", "false");
        }
    }
    settings.set_default("client.id", "console-consumer");
    if matches.get_flag("from-beginning") {
        settings.set("auto.offset.reset", "earliest");
    } else {
        settings.set_default("auto.offset.reset", "latest");
    }
    Ok(settings)
}

/// What to read, and when to stop.
struct Plan {
    topic: Option<String>,
    include: Option<Pattern>,
    partition: Option<(i32, Start)>,
    max_messages: Option<u64>,
    timeout: Option<Duration>,
    skip_errors: bool,
}

#[derive(Clone, Copy)]
enum Start {
    Earliest,
    Latest,
    At(i64),
}

impl Plan {
    fn new(matches: &ArgMatches) -> Result<Self, Failure> {
        let topic = text(matches, "topic").map(str::to_owned);
        let include = text(matches, "include").map(Pattern::new).transpose()?;
        if topic.is_some() == include.is_some() {
            return Err(Failure::Usage("Exactly one of --include/--topic is required.".into()));
        }
        let partition = number(matches, "partition")?;
        if partition.is_some() && topic.is_none() {
            return Err(Failure::Usage("The topic is required when partition is specified.".into()));
        }
        let offset = text(matches, "offset");
        if offset.is_some() && partition.is_none() {
            return Err(Failure::Usage("The partition is required when offset is specified.".into()));
        }
        let start = match (offset, matches.get_flag("from-beginning")) {
            (Some(_), true) => {
                return Err(Failure::Usage("--from-beginning and --offset cannot be specified together.".into()));
            }
            (None, true) | (Some("earliest"), _) => Start::Earliest,
            (None, false) | (Some("latest"), _) => Start::Latest,
            (Some(number), _) => Start::At(number.parse().map_err(|_| {
                Failure::Usage(format!("--offset {number}: this must be a number, earliest or latest"))
            })?),
        };
        Ok(Self {
            topic,
            include,
            partition: partition.map(|partition| (partition, start)),
            max_messages: number::<i64>(matches, "max-messages")?.and_then(|n| u64::try_from(n).ok()),
            timeout: number(matches, "timeout-ms")?.map(Duration::from_millis),
            skip_errors: matches.get_flag("skip-message-on-error"),
        })
    }
}

async fn consume(mut consumer: Consumer, plan: &Plan, formatter: &Formatter) -> Outcome {
    match (&plan.topic, &plan.include, plan.partition) {
        (Some(topic), _, Some((partition, start))) => {
            let partition = TopicPartition::new(topic.as_str(), partition);
            let offset = start_offset(&consumer, &partition, start).await?;
            consumer.assign([partition.clone()]);
            consumer.seek(&partition, offset);
        }
        (Some(topic), _, None) => consumer.subscribe(&[topic.as_str()])?,
        (None, Some(_), _) => {
            let pattern = Pattern::new(plan.include.as_ref().map_or("", Pattern::text))?;
            consumer.subscribe_matching(move |name| pattern.matches(name))?;
        }
        (None, None, _) => {}
    }
    let mut printed = 0;
    let outcome = tokio::select! {
        outcome = print_all(&mut consumer, plan, formatter, &mut printed) => outcome,
        _ = interrupted() => Ok(()),
    };
    let closed = tokio::time::timeout(Duration::from_secs(5), consumer.close()).await;
    eprintln!("Processed a total of {printed} messages");
    outcome?;
    match closed {
        Ok(Err(error)) => Err(error.into()),
        _ => Ok(()),
    }
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let term = async {
        match signal(SignalKind::terminate()) {
            Ok(mut term) => drop(term.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = term => {}
    }
}

async fn start_offset(consumer: &Consumer, partition: &TopicPartition, start: Start) -> Result<i64, Failure> {
    use ottla_client::admin::{Admin, OffsetSpec};
    let spec = match start {
        Start::At(offset) if offset >= 0 => return Ok(offset),
        Start::Earliest => OffsetSpec::Earliest,
        _ => OffsetSpec::Latest,
    };
    let admin = Admin::new(consumer.cluster().clone());
    let listed = admin.list_offsets(&[(partition.clone(), spec)].into(), false).await?;
    let offset = match listed.into_values().next() {
        Some(result) => result?.offset.unwrap_or(0),
        None => 0,
    };
    Ok(match start {
        // Counted from the end.
        Start::At(back) => (offset + back).max(0),
        _ => offset,
    })
}

async fn print_all(consumer: &mut Consumer, plan: &Plan, formatter: &Formatter, printed: &mut u64) -> Outcome {
    let mut out = BufWriter::with_capacity(64 << 10, std::io::stdout());
    let mut last = Instant::now();
    let wanted = plan.max_messages.unwrap_or(u64::MAX);
    while *printed < wanted {
        let wait = plan
            .timeout
            .map_or(Duration::from_secs(1), |limit| limit.saturating_sub(last.elapsed()).min(Duration::from_secs(1)));
        let fetched = consumer.poll(wait).await?;
        for part in &fetched {
            let mut failed = None;
            part.for_each(|batch, record| {
                match formatter.write(&mut out, &part.partition, batch, record) {
                    Ok(()) => *printed += 1,
                    Err(_) if plan.skip_errors => {}
                    Err(error) => failed = Some(error),
                }
                failed.is_none() && *printed < wanted
            })?;
            if let Some(error) = failed {
                // `| head` has seen enough.
                return if error.kind() == std::io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error.into()) };
            }
            if *printed >= wanted {
                break;
            }
        }
        if out.flush().is_err() {
            return Ok(());
        }
        if !fetched.is_empty() {
            last = Instant::now();
        } else if plan.timeout.is_some_and(|limit| last.elapsed() >= limit) {
            eprintln!("no record came for {} ms", last.elapsed().as_millis());
            return Ok(());
        }
    }
    Ok(())
}
