//! `kafka-producer-perf-test.sh`: how many records a second a producer publishes, and how long each takes.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command};
use ottla_base::random::Random;
use ottla_client::producer::{BatchReport, Producer, ProducerRecord, ProducerTopic};
use ottla_client::{ProducerConfig, Properties};

use crate::common::{number, option, pair, read_properties, text, texts};
use crate::histogram::Histogram;
use crate::tool::{Failure, Outcome, Tool};

pub const TOOL: Tool = Tool {
    name: "producer-perf-test",
    scripts: &["kafka-producer-perf-test"],
    classes: &["ProducerPerformance"],
    about: "Measure how fast records are published",
    flags,
    run,
};

fn flags(command: Command) -> Command {
    let list = |name: &'static str, help| {
        Arg::new(name).long(name).value_name("NAME=VALUE").num_args(1..).action(ArgAction::Append).help(help)
    };
    command
        .arg(option("topic", "TOPIC", "The topic to publish to").required(true))
        .arg(option("num-records", "N", "How many records").required(true))
        .arg(option("throughput", "N", "At most so many records a second; -1 for no limit").required(true))
        .arg(option("record-size", "BYTES", "Size of each record's value"))
        .arg(option("payload-file", "FILE", "Values to choose from at random"))
        .arg(option("payload-delimiter", "TEXT", "What separates the values in the file [default: \\n]"))
        .arg(
            Arg::new("payload-monotonic")
                .long("payload-monotonic")
                .action(ArgAction::SetTrue)
                .help("Values 0, 1, 2, …"),
        )
        .arg(list("command-property", "Settings of the producer, such as acks=1").visible_alias("producer-props"))
        .arg(option("command-config", "FILE", "The same from a properties file").visible_alias("producer.config"))
        .arg(option("bootstrap-server", "HOST:PORT,…", "The brokers to connect to first"))
        .arg(option("warmup-records", "N", "Leave the first records out of the summary [default: 0]"))
        .arg(option("reporting-interval", "MS", "How often to print [default: 5000]"))
        .arg(
            Arg::new("print-metrics")
                .long("print-metrics")
                .action(ArgAction::SetTrue)
                .help("Print the settings used, too"),
        )
}

fn run(matches: &ArgMatches) -> Outcome {
    let settings = settings(matches)?;
    if let Some(warning) = settings.warning("producer") {
        eprintln!("WARN {warning}");
    }
    let config = ProducerConfig::from_properties(&settings)?;
    let plan = Plan::new(matches)?;
    let stats = Arc::new(Mutex::new(Stats::new(number(matches, "reporting-interval")?.unwrap_or(5_000), plan.warmup)));
    if matches.get_flag("print-metrics") {
        println!("{config:?}");
    }
    let topic = text(matches, "topic").unwrap_or_default();
    // The producer works on a thread of its own, so that making records and sending them use a core each.
    let limit = config.delivery_timeout + Duration::from_secs(5);
    let (ready, topics) = mpsc::channel::<Result<ProducerTopic, ottla_client::ClientError>>();
    let (appended, all_appended) = tokio::sync::oneshot::channel::<()>();
    let network = {
        let (topic, stats) = (topic.to_owned(), stats.clone());
        std::thread::spawn(move || -> Outcome {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let outcome = runtime.block_on(async {
                let on_batch = move |report: &BatchReport| lock(&stats).record(report);
                let started = async {
                    let producer = Producer::start(config, Some(Box::new(on_batch))).await?;
                    let topic = producer.topic(&topic).await?;
                    Ok((producer, topic))
                };
                let producer = match started.await {
                    Ok((producer, topic)) => {
                        let _ = ready.send(Ok(topic));
                        producer
                    }
                    Err(error) => {
                        let _ = ready.send(Err(error));
                        return Ok(());
                    }
                };
                let _ = all_appended.await;
                Ok(producer.close(limit).await?)
            });
            runtime.shutdown_background();
            outcome
        })
    };
    let topic = topics.recv().map_err(|_| Failure::Failed("the producer did not start".into()))??;
    lock(&stats).start();
    plan.append_all(&topic)?;
    let _ = appended.send(());
    let outcome = network.join().map_err(|_| Failure::Failed("the producer's thread failed".into()))?;
    let stats = lock(&stats);
    println!("{}", stats.total());
    match &stats.error {
        Some((records, error)) => Err(Failure::Failed(format!("{records} records were not published: {error}"))),
        None => outcome,
    }
}

fn settings(matches: &ArgMatches) -> Result<Properties, Failure> {
    let mut settings: Properties = match text(matches, "command-config") {
        Some(file) => read_properties(file)?.into_iter().collect(),
        None => Properties::default(),
    };
    for property in texts(matches, "command-property") {
        let (name, value) = pair(property)?;
        settings.set(&name, value);
    }
    if let Some(servers) = text(matches, "bootstrap-server") {
        settings.set("bootstrap.servers", servers);
    }
    settings.set_default("bootstrap.servers", "localhost:9092");
    settings.set_default("client.id", "perf-producer-client");
    Ok(settings)
}

/// What is published, and how fast.
struct Plan {
    records: u64,
    warmup: u64,
    /// Records a second.
    throughput: Option<f64>,
    payload: Payload,
}

enum Payload {
    /// One value over and over: what is in it costs the same.
    Fixed(Vec<u8>),
    File(Vec<Vec<u8>>),
    Monotonic,
}

impl Plan {
    fn new(matches: &ArgMatches) -> Result<Self, Failure> {
        let size: Option<usize> = number(matches, "record-size")?;
        let payload = match (size, text(matches, "payload-file"), matches.get_flag("payload-monotonic")) {
            (Some(size), None, false) if size > 0 => {
                let mut random = Random::new(0);
                Payload::Fixed((0..size).map(|_| b'A' + random.below(26) as u8).collect())
            }
            (None, Some(file), false) => {
                Payload::File(read_payloads(file, text(matches, "payload-delimiter").unwrap_or("\\n"))?)
            }
            (None, None, true) => Payload::Monotonic,
            _ => {
                return Err(Failure::Usage(
                    "exactly one of --record-size (above 0), --payload-file and --payload-monotonic is needed".into(),
                ));
            }
        };
        let throughput: f64 = number(matches, "throughput")?.unwrap_or(-1.0);
        let records = number(matches, "num-records")?.unwrap_or(0);
        let warmup: u64 = number(matches, "warmup-records")?.unwrap_or(0);
        if warmup >= records && warmup > 0 {
            return Err(Failure::Usage("--warmup-records must be less than --num-records".into()));
        }
        Ok(Self { records, warmup, throughput: (throughput > 0.0).then_some(throughput), payload })
    }

    fn append_all(&self, topic: &ProducerTopic) -> Outcome {
        let start = Instant::now();
        let mut random = Random::new(1);
        for n in 0..self.records {
            let number;
            let value: &[u8] = match &self.payload {
                Payload::Fixed(value) => value,
                Payload::File(values) => &values[random.index(values.len())],
                Payload::Monotonic => {
                    number = n.to_string();
                    number.as_bytes()
                }
            };
            topic.append_blocking(&ProducerRecord { value: Some(value), ..Default::default() })?;
            if let Some(throughput) = self.throughput {
                let due = Duration::from_secs_f64((n + 1) as f64 / throughput);
                let elapsed = start.elapsed();
                if due > elapsed + Duration::from_millis(1) {
                    std::thread::sleep(due - elapsed);
                }
            }
        }
        Ok(())
    }
}

fn read_payloads(file: &str, delimiter: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let content = std::fs::read_to_string(file).map_err(|e| Failure::Failed(format!("{file}: {e}")))?;
    let delimiter = delimiter.replace("\\n", "\n").replace("\\t", "\t");
    let values: Vec<Vec<u8>> =
        content.split(delimiter.as_str()).filter(|value| !value.is_empty()).map(|v| v.as_bytes().to_vec()).collect();
    if values.is_empty() {
        return Err(Failure::Failed(format!("{file}: there is no value in it")));
    }
    Ok(values)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Figures of a stretch of time.
struct Window {
    start: Instant,
    records: u64,
    bytes: u64,
    latencies: Histogram,
}

impl Window {
    fn new() -> Self {
        Self { start: Instant::now(), records: 0, bytes: 0, latencies: Histogram::default() }
    }

    fn summary(&self) -> String {
        let seconds = self.start.elapsed().as_secs_f64().max(1e-9);
        let (rate, megabytes) = (self.records as f64 / seconds, self.bytes as f64 / seconds / (1024.0 * 1024.0));
        format!(
            "{} records sent, {rate:.6} records/sec ({megabytes:.2} MB/sec), {:.2} ms avg latency, {:.2} ms max latency",
            self.records,
            self.latencies.mean() / 1e3,
            self.latencies.max() as f64 / 1e3
        )
    }
}

struct Stats {
    interval: Duration,
    warmup_left: u64,
    total: Window,
    window: Window,
    error: Option<(u64, String)>,
}

impl Stats {
    fn new(interval_ms: u64, warmup: u64) -> Self {
        let interval = Duration::from_millis(interval_ms.max(1));
        Self { interval, warmup_left: warmup, total: Window::new(), window: Window::new(), error: None }
    }

    fn start(&mut self) {
        self.total = Window::new();
        self.window = Window::new();
    }

    fn record(&mut self, report: &BatchReport) {
        let records = report.records as u64;
        if let Err(error) = &report.result {
            let failed = self.error.take().map_or(0, |(failed, _)| failed);
            self.error = Some((failed + records, error.to_string()));
            return;
        }
        if self.warmup_left > 0 {
            self.warmup_left = self.warmup_left.saturating_sub(records);
            if self.warmup_left == 0 {
                self.start();
            }
            return;
        }
        let latency_us = report.created.elapsed().as_micros() as u64;
        for window in [&mut self.total, &mut self.window] {
            window.records += records;
            window.bytes += report.bytes as u64;
            window.latencies.record(latency_us, records);
        }
        if self.window.start.elapsed() >= self.interval {
            println!("{}.", self.window.summary());
            self.window = Window::new();
        }
    }

    fn total(&self) -> String {
        let at = |share| self.total.latencies.percentile(share) as f64 / 1e3;
        format!(
            "{}, {:.0} ms 50th, {:.0} ms 95th, {:.0} ms 99th, {:.0} ms 99.9th.",
            self.total.summary(),
            at(0.5),
            at(0.95),
            at(0.99),
            at(0.999)
        )
    }
}
