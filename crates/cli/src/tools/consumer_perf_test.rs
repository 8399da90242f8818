//! `kafka-consumer-perf-test.sh`: how many records a second a consumer takes in.

use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command};
use ottla_client::consumer::Consumer;
use ottla_client::{ConsumerConfig, Properties};

use crate::common::{
    Pattern, block_on, connection_flags, flag, number, option, options, pair, properties, read_properties, text, texts,
};
use crate::time::{format_ms, now_ms};
use crate::tool::{Failure, Outcome, Tool};

pub const TOOL: Tool = Tool {
    name: "consumer-perf-test",
    scripts: &["kafka-consumer-perf-test"],
    classes: &["ConsumerPerformance"],
    about: "Measure how fast records are consumed",
    flags,
    run,
};

fn flags(command: Command) -> Command {
    connection_flags(command)
        .arg(option("topic", "TOPIC", "The topic to read"))
        .arg(option("include", "PATTERN", "Topics whose name matches"))
        .arg(option("num-records", "N", "How many records").visible_alias("messages"))
        .arg(option("group", "GROUP", "The group to be a member of [default: perf-consumer-<number>]"))
        .arg(option("fetch-size", "BYTES", "Most bytes of one partition in a fetch [default: 1048576]"))
        .arg(option("timeout", "MS", "Give up when no record has come for so long [default: 10000]"))
        .arg(option("reporting-interval", "MS", "How often --show-detailed-stats prints [default: 5000]"))
        .arg(flag("show-detailed-stats", "Print figures of each interval"))
        .arg(flag("hide-header", "Print no line of column names"))
        .arg(flag("from-latest", "Begin at the end, if the group has no offsets"))
        .arg(options("command-property", "NAME=VALUE", "A setting of the consumer; may be repeated"))
        .arg(option("consumer.config", "FILE", "The same as --command-config").hide(true))
        .arg(option("socket-buffer-size", "BYTES", "Without effect: the kernel sizes it").hide(true))
        .arg(option("date-format", "FORMAT", "Without effect").hide(true))
        .arg(
            Arg::new("print-metrics")
                .long("print-metrics")
                .action(ArgAction::SetTrue)
                .help("Print the settings used, too"),
        )
}

fn run(matches: &ArgMatches) -> Outcome {
    let wanted: u64 =
        number(matches, "num-records")?.ok_or_else(|| Failure::Usage("--num-records is missing".into()))?;
    let settings = settings(matches)?;
    if let Some(warning) = settings.warning("consumer") {
        eprintln!("WARN {warning}");
    }
    let config = ConsumerConfig::from_properties(&settings)?;
    if matches.get_flag("print-metrics") {
        println!("{config:?}");
    }
    let timeout = Duration::from_millis(number(matches, "timeout")?.unwrap_or(10_000));
    let detailed = matches.get_flag("show-detailed-stats");
    let interval = Duration::from_millis(number(matches, "reporting-interval")?.unwrap_or(5_000).max(1));
    if !matches.get_flag("hide-header") {
        println!("{}", header(detailed));
    }
    block_on(async {
        let mut consumer = Consumer::start(config).await?;
        match (text(matches, "topic"), text(matches, "include")) {
            (Some(topic), None) => consumer.subscribe(&[topic])?,
            (None, Some(pattern)) => {
                let pattern = Pattern::new(pattern)?;
                consumer.subscribe_matching(move |name| pattern.matches(name))?;
            }
            _ => return Err(Failure::Usage("exactly one of --topic and --include is required".into())),
        }
        let mut run = Run::new(detailed.then_some(interval));
        run.consume(&mut consumer, wanted, timeout).await?;
        if !detailed {
            println!("{}", run.summary());
        }
        let _ = tokio::time::timeout(Duration::from_secs(5), consumer.close()).await;
        if run.records < wanted {
            eprintln!(
                "WARNING: Exiting before consuming the expected number of records: timeout ({} ms) exceeded.",
                timeout.as_millis()
            );
        }
        Ok(())
    })
}

fn settings(matches: &ArgMatches) -> Result<Properties, Failure> {
    let mut settings = properties(matches)?;
    if let Some(file) = text(matches, "consumer.config") {
        for (name, value) in read_properties(file)? {
            settings.set(&name, value);
        }
    }
    for property in texts(matches, "command-property") {
        let (name, value) = pair(property)?;
        settings.set(&name, value);
    }
    let group = text(matches, "group").map_or_else(|| format!("perf-consumer-{}", now_ms() % 100_000), str::to_owned);
    settings.set("group.id", group);
    settings.set_default("client.id", "perf-consumer-client");
    settings.set("max.partition.fetch.bytes", text(matches, "fetch-size").unwrap_or("1048576"));
    settings.set("auto.offset.reset", if matches.get_flag("from-latest") { "latest" } else { "earliest" });
    settings.set_default("check.crcs", "false");
    Ok(settings)
}

fn header(detailed: bool) -> &'static str {
    if detailed {
        "time, threadId, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec"
    } else {
        "start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec"
    }
}

/// The figures so far.
struct Run {
    start_ms: i64,
    start: Instant,
    /// Until the first record came: joining the group, finding the leaders.
    joined: Option<Duration>,
    records: u64,
    bytes: u64,
    interval: Option<Duration>,
    reported: (Instant, u64, u64),
}

impl Run {
    fn new(interval: Option<Duration>) -> Self {
        let start = Instant::now();
        Self { start_ms: now_ms(), start, joined: None, records: 0, bytes: 0, interval, reported: (start, 0, 0) }
    }

    async fn consume(&mut self, consumer: &mut Consumer, wanted: u64, timeout: Duration) -> Outcome {
        let mut last = Instant::now();
        while self.records < wanted && last.elapsed() < timeout {
            for part in consumer.poll(Duration::from_millis(100)).await? {
                last = Instant::now();
                self.joined.get_or_insert(self.start.elapsed());
                let (mut records, mut bytes) = (0, 0);
                part.for_each(|_, record| {
                    records += 1;
                    bytes += record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
                    true
                })?;
                self.records += records;
                self.bytes += bytes as u64;
            }
            if self.interval.is_some_and(|interval| self.reported.0.elapsed() >= interval) {
                println!("{}", self.detail());
                self.reported = (Instant::now(), self.records, self.bytes);
            }
        }
        Ok(())
    }

    fn figures(&self, bytes: u64, records: u64, seconds: f64) -> String {
        let total_mb = self.bytes as f64 / (1024.0 * 1024.0);
        let mb = bytes as f64 / (1024.0 * 1024.0);
        let joined = self.joined.unwrap_or_default();
        let fetching = (seconds - joined.as_secs_f64()).max(1e-3);
        format!(
            "{total_mb:.4}, {:.4}, {}, {:.4}, {}, {}, {:.4}, {:.4}",
            mb / seconds,
            self.records,
            records as f64 / seconds,
            joined.as_millis(),
            (fetching * 1e3) as u64,
            mb / fetching,
            records as f64 / fetching
        )
    }

    fn summary(&self) -> String {
        let seconds = self.start.elapsed().as_secs_f64().max(1e-3);
        format!(
            "{}, {}, {}",
            format_ms(self.start_ms),
            format_ms(now_ms()),
            self.figures(self.bytes, self.records, seconds)
        )
    }

    fn detail(&self) -> String {
        let seconds = self.reported.0.elapsed().as_secs_f64().max(1e-3);
        let (records, bytes) = (self.records - self.reported.1, self.bytes - self.reported.2);
        format!("{}, 0, {}", format_ms(now_ms()), self.figures(bytes, records, seconds))
    }
}
