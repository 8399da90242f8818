//! The benchmark: Ottla beside the real Kafka in one run, on one machine, as ratios.
//!
//! See `--help`. Both brokers get the same bytes from the same client; a figure is the best of several rounds, taken in turns,
//! so that a slow minute of the machine hits both.

mod bare;
mod keeper;
mod keeper_client;
mod keeper_ensemble;
mod keeper_failover;
mod keeper_rates;
mod keeper_state;
mod latency;
mod process;
mod startup;
mod throughput;
mod wire;

use std::path::{Path, PathBuf};

use process::{Broker, Kind, Setup};
use throughput::Rate;
use wire::{Result, Wire};

const HELP: &str = "\
ottla-bench: Ottla beside the real Kafka 4.3.1, in one run on one machine

  cargo run --release -p ottla-bench -- [OPTION...] [FIGURE...]
  cargo run --release -p ottla-bench -- keeper [OPTION...] [FIGURE...]    the keeper beside the real ZooKeeper; keeper --help

Figures: produce fetch publish latency memory start list (all by default)

  --ottla FILE     the binary to measure   (default: target/release/ottla, built before)
  --peers FILE     the script that installs and starts the real Kafka (default: tests/peers/peers; needs Java 17 and Maven)
  --disk DIR       a folder on a disk      (default: ./bench-data; removed afterwards)
  --tmpfs DIR      a folder on a tmpfs     (default: /dev/shm/ottla-bench)
  --rounds N       rounds of each figure, the best counts (default 3)
  --scale X        share of the full amount of data (default 1.0)
  --only ottla     measure Ottla and the bare loops alone
  --set NAME=VALUE a setting for Ottla (any number of them)

Prints a table in Markdown: the figure, Ottla, Kafka, their ratio and, where there is one, the bare loop.
";

struct Options {
    setup: Setup,
    disk: PathBuf,
    tmpfs: PathBuf,
    rounds: u32,
    kinds: Vec<Kind>,
    figures: Vec<String>,
}

impl Options {
    /// Bytes of so many gigabytes, at this run's scale.
    fn amount(&self, gigabytes: f64) -> u64 {
        (gigabytes * 1e9 * self.setup.scale) as u64
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.first().map(String::as_str) {
        Some(verb @ ("bare-receive" | "bare-send" | "bare-relay")) => throughput::serve_bare(verb, Path::new(&args[1])),
        Some("keeper") => keeper::main(args[1..].to_vec()),
        Some("--help" | "-h") => {
            print!("{HELP}");
            Ok(())
        }
        _ => options(args).and_then(|options| run(&options)),
    };
    if let Err(error) = result {
        eprintln!("ottla-bench: {error}");
        std::process::exit(1);
    }
}

fn options(args: Vec<String>) -> Result<Options> {
    let target = std::env::current_exe()?.parent().map(Path::to_owned).unwrap_or_default();
    let mut options = Options {
        setup: Setup {
            ottla: target.join("ottla"),
            peers: "tests/peers/peers".into(),
            scale: 1.0,
            settings: Vec::new(),
        },
        disk: "bench-data".into(),
        tmpfs: "/dev/shm/ottla-bench".into(),
        rounds: 3,
        kinds: vec![Kind::Kafka, Kind::Ottla],
        figures: Vec::new(),
    };
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value; see --help"));
        match arg.as_str() {
            "--ottla" => options.setup.ottla = value()?.into(),
            "--peers" => options.setup.peers = value()?.into(),
            "--disk" => options.disk = value()?.into(),
            "--tmpfs" => options.tmpfs = value()?.into(),
            "--rounds" => options.rounds = value()?.parse()?,
            "--scale" => options.setup.scale = value()?.parse()?,
            "--set" => options.setup.settings.push(value()?),
            "--only" if value()? == "ottla" => options.kinds = vec![Kind::Ottla],
            "produce" | "fetch" | "publish" | "latency" | "memory" | "start" | "list" => options.figures.push(arg),
            _ => return Err(format!("{arg} is not an option or a figure; see --help").into()),
        }
    }
    for needed in [&options.setup.ottla, &options.setup.peers] {
        if !needed.exists() {
            return Err(format!(
                "{} is not there; build with `cargo build --release -p ottla -p ottla-bench`, and start this from the project's root",
                needed.display()
            )
            .into());
        }
    }
    std::fs::create_dir_all(&options.disk)?;
    options.disk = options.disk.canonicalize()?;
    Ok(options)
}

fn run(options: &Options) -> Result<()> {
    let wanted = |figure: &str| options.figures.is_empty() || options.figures.iter().any(|f| f == figure);
    println!("| figure | Ottla | Kafka 4.3.1 | ratio | bare loop | to bare |\n|---|---|---|---|---|---|");
    for (place, directory) in [("tmpfs", &options.tmpfs), ("disk", &options.disk)] {
        if ["produce", "fetch"].into_iter().any(wanted) {
            rates(options, place, directory, &wanted)?;
        }
        if ["publish", "latency"].into_iter().any(wanted) || (wanted("list") && place == "tmpfs") {
            side_by_side(options, place, directory, &wanted)?;
        }
    }
    if wanted("start") || wanted("memory") {
        starts(options, &wanted)?;
    }
    let _ = std::fs::remove_dir_all(&options.disk);
    Ok(())
}

/// Both brokers, empty, running side by side.
fn start_both(options: &Options, directory: &Path) -> Result<Vec<Broker>> {
    let mut brokers = Vec::new();
    for (i, &kind) in options.kinds.iter().enumerate() {
        // What a run that failed has left.
        let _ = std::fs::remove_dir_all(directory.join(format!("b{i}")));
        brokers.push(Broker::start(&options.setup, kind, &directory.join(format!("b{i}")), 19_092 + 10 * i as u16)?);
    }
    Ok(brokers)
}

fn end_both(brokers: Vec<Broker>, directory: &Path) {
    drop(brokers);
    for i in 0..2 {
        let _ = std::fs::remove_dir_all(directory.join(format!("b{i}")));
    }
}

/// Makes the topic and lets the brokers work on it: a JVM compiles what it runs often.
fn warm_up(options: &Options, brokers: &[Broker], topic: &str, record_bytes: usize) -> Result<()> {
    for broker in brokers {
        Wire::connect(&broker.address)?.create_topic(topic, throughput::PARTITIONS)?;
        throughput::produce(broker, topic, record_bytes, options.amount(1.0))?;
        throughput::fetch(broker, topic, options.amount(1.0))?;
    }
    Ok(())
}

/// CPU seconds per gigabyte. New brokers for each size of record: on a tmpfs the data of all rounds together would fill a
/// small machine's memory, and what is measured then is the kernel's search for free pages.
fn rates(options: &Options, place: &str, directory: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    for record_bytes in [100, 1000] {
        let brokers = start_both(options, directory)?;
        warm_up(options, &brokers, "records", record_bytes)?;
        if wanted("produce") {
            let amount = options.amount(1.0);
            let rates = rounds(options, &brokers, |b| throughput::produce(b, "records", record_bytes, amount))?;
            let bare = best(options.rounds, || throughput::bare_produce(directory, record_bytes, amount))?;
            print_rates(&format!("CPU s/GB produced, {record_bytes} B, {place}"), &rates, bare);
        }
        if wanted("fetch") {
            let amount = options.amount(2.0);
            let rates = rounds(options, &brokers, |b| throughput::fetch(b, "records", amount))?;
            let bare = best(options.rounds, || throughput::bare_fetch(directory, amount))?;
            print_rates(&format!("CPU s/GB consumed, {record_bytes} B, {place}"), &rates, bare);
        }
        end_both(brokers, directory);
    }
    Ok(())
}

/// The other figures for which both brokers run side by side.
fn side_by_side(options: &Options, place: &str, directory: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    let brokers = start_both(options, directory)?;
    warm_up(options, &brokers, "warm-up", 1000)?;
    if wanted("publish") {
        let mut rates = Vec::new();
        for broker in &brokers {
            Wire::connect(&broker.address)?.create_topic("publish", throughput::PARTITIONS)?;
            let records = (5e6 * options.setup.scale) as u64;
            let rate = startup::publish_rate(&options.setup, broker, "publish", records, options.rounds)?;
            rates.push((broker.kind, rate / 1e6));
        }
        print_row(&format!("million records of 100 B published per s, {place}"), &rates, 2, None);
    }
    if wanted("latency") {
        latencies(options, place, directory, &brokers)?;
    }
    if wanted("list") && place == "tmpfs" {
        let mut times = Vec::new();
        for broker in &brokers {
            times.push((broker.kind, startup::list_topics(&options.setup, broker, options.rounds.max(3))?));
        }
        print_row("ms for `topics --list`", &times, 1, None);
    }
    end_both(brokers, directory);
    Ok(())
}

fn latencies(options: &Options, place: &str, directory: &Path, brokers: &[Broker]) -> Result<()> {
    let load = latency::Load { per_second: 2_000, seconds: (20.0 * options.setup.scale).max(3.0) };
    let mut found: Vec<Option<latency::Latency>> = vec![None; brokers.len() + 1];
    for round in 0..options.rounds {
        let topic = format!("latency-{round}");
        for (i, best) in found.iter_mut().enumerate() {
            let one = match brokers.get(i) {
                Some(broker) => {
                    Wire::connect(&broker.address)?.create_topic(&topic, 1)?;
                    latency::measure(broker, &topic, load)?
                }
                None => latency::measure_bare(directory, load)?,
            };
            *best = Some(best.map_or(one, |b| b.better(one)));
        }
    }
    type Pick = fn(&latency::Latency) -> f64;
    let percentiles: [(&str, Pick); 3] = [("p50", |l| l.p50), ("p99", |l| l.p99), ("p99.9", |l| l.p999)];
    for (name, pick) in percentiles {
        let values: Vec<(Kind, f64)> =
            brokers.iter().zip(&found).filter_map(|(broker, l)| Some((broker.kind, pick(l.as_ref()?)))).collect();
        let bare = found.last().and_then(|l| l.as_ref().map(pick));
        print_row(&format!("end-to-end latency {name} in us, 2,000/s of 1 KB, acks=all, {place}"), &values, 0, bare);
    }
    Ok(())
}

/// The figures of start and memory: one broker at a time, on the disk.
fn starts(options: &Options, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    let (mut empty, mut killed, mut idle, mut full) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let partitions = (1000.0 * options.setup.scale).max(10.0) as i32;
    for &kind in &options.kinds {
        let directory = options.disk.join("start");
        let _ = std::fs::remove_dir_all(&directory);
        let mut best = f64::INFINITY;
        for round in 0..options.rounds {
            let directory = options.disk.join(format!("empty-{round}"));
            let _ = std::fs::remove_dir_all(&directory);
            if kind == Kind::Kafka {
                // Formatting the folder is not a part of a start.
                Broker::start(&options.setup, kind, &directory, 19_192)?.stop()?;
            }
            best = best.min(startup::first_record(&options.setup, kind, &directory, 19_192, "first")?.1);
            let _ = std::fs::remove_dir_all(directory);
        }
        empty.push((kind, best));
        let mut broker = Broker::start(&options.setup, kind, &directory, 19_192)?;
        std::thread::sleep(std::time::Duration::from_secs(3));
        idle.push((kind, broker.resident_bytes()? as f64 / 1e6));
        startup::fill_partitions(&broker, "many", partitions)?;
        std::thread::sleep(std::time::Duration::from_secs(2));
        full.push((kind, broker.resident_bytes()? as f64 / 1e6));
        let mut best = f64::INFINITY;
        for _ in 0..options.rounds {
            broker.kill()?;
            let (again, ms) = startup::first_record(&options.setup, kind, &directory, 19_192, "many")?;
            broker = again;
            best = best.min(ms);
        }
        killed.push((kind, best));
        drop(broker);
        let _ = std::fs::remove_dir_all(directory);
    }
    if wanted("start") {
        print_row("ms from start to first acknowledged record, empty", &empty, 0, None);
        print_row(&format!("the same with {partitions} partitions of 1 MB, after kill -9"), &killed, 0, None);
    }
    if wanted("memory") {
        print_row("resident MB, idle", &idle, 1, None);
        print_row(&format!("resident MB, {partitions} partitions of 1 MB"), &full, 1, None);
    }
    Ok(())
}

fn rounds(options: &Options, brokers: &[Broker], one: impl Fn(&Broker) -> Result<Rate>) -> Result<Vec<(Kind, Rate)>> {
    let mut best: Vec<Option<Rate>> = vec![None; brokers.len()];
    for _ in 0..options.rounds {
        for (broker, best) in brokers.iter().zip(&mut best) {
            let rate = one(broker)?;
            *best = Some(best.map_or(rate, |b| better(b, rate)));
        }
    }
    Ok(brokers.iter().zip(best).filter_map(|(broker, rate)| Some((broker.kind, rate?))).collect())
}

fn best(rounds: u32, one: impl Fn() -> Result<Rate>) -> Result<Rate> {
    let mut best = one()?;
    for _ in 1..rounds {
        best = better(best, one()?);
    }
    Ok(best)
}

fn better(a: Rate, b: Rate) -> Rate {
    Rate { cpu_per_gb: a.cpu_per_gb.min(b.cpu_per_gb), gb_per_second: a.gb_per_second.max(b.gb_per_second) }
}

fn print_rates(name: &str, rates: &[(Kind, Rate)], bare: Rate) {
    let cpu: Vec<(Kind, f64)> = rates.iter().map(|(kind, rate)| (*kind, rate.cpu_per_gb)).collect();
    print_row(name, &cpu, 3, Some(bare.cpu_per_gb));
    let speed: Vec<(Kind, f64)> = rates.iter().map(|(kind, rate)| (*kind, rate.gb_per_second)).collect();
    print_row(&name.replace("CPU s/GB", "GB/s"), &speed, 2, Some(bare.gb_per_second));
}

/// A row of the table: the ratio is Ottla's figure over Kafka's.
fn print_row(name: &str, values: &[(Kind, f64)], digits: usize, bare: Option<f64>) {
    let of = |kind: Kind| values.iter().find(|(k, _)| *k == kind).map(|(_, value)| *value);
    let show = |value: Option<f64>| value.map_or_else(String::new, |v| format!("{v:.digits$}"));
    let ratio = |a: Option<f64>, b: Option<f64>| a.zip(b).map_or_else(String::new, |(a, b)| format!("{:.2}", a / b));
    let (ottla, kafka) = (of(Kind::Ottla), of(Kind::Kafka));
    println!(
        "| {name} | {} | {} | {} | {} | {} |",
        show(ottla),
        show(kafka),
        ratio(ottla, kafka),
        show(bare),
        ratio(ottla, bare)
    );
}
