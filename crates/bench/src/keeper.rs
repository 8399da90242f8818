//! `ottla-bench keeper`: Ottla's keeper beside the real ZooKeeper, from the same client and the same `zoo.cfg`.

use std::path::{Path, PathBuf};

use crate::keeper_ensemble::{Ensemble, Side};
use crate::process::Setup;
use crate::wire::Result;
use crate::{keeper_failover, keeper_rates, keeper_state};

const HELP: &str = "\
ottla-bench keeper: Ottla's keeper beside the real ZooKeeper 3.9.5, in one run on one machine

  cargo run --release -p ottla-bench -- keeper [OPTION...] [FIGURE...]

Figures: set create get latency memory snapshot failover (all by default)

  --ottla FILE     the binary to measure   (default: target/release/ottla, built before)
  --peers FILE     the script that installs and starts the real ZooKeeper (default: tests/peers/peers; needs Java 17 and Maven)
  --disk DIR       a folder on a disk      (default: ./bench-data; removed afterwards)
  --tmpfs DIR      a folder on a tmpfs     (default: /dev/shm/ottla-bench)
  --place NAME     tmpfs or disk alone
  --servers N      ensembles of so many servers alone (default: 1 and 3)
  --rounds N       rounds of each figure, the best counts (default 3)
  --scale X        share of the full number of requests and nodes (default 1.0)
  --only NAME      ottla or zookeeper alone

`set`, `create` and `get` are of 100 B, with 1,000 requests on their way: of one client, or 10 of each of 100 clients.
Prints a table in Markdown: the figure, Ottla, ZooKeeper, their ratio.
";

pub struct Options {
    pub setup: Setup,
    pub rounds: u32,
    sides: Vec<Side>,
    servers: Vec<usize>,
    places: Vec<(&'static str, PathBuf)>,
    figures: Vec<String>,
}

impl Options {
    /// A number at this run's scale.
    pub fn scaled(&self, full: f64) -> u64 {
        (full * self.setup.scale).max(1000.0) as u64
    }

    pub fn wants(&self, figure: &str) -> bool {
        self.figures.is_empty() || self.figures.iter().any(|f| f == figure)
    }

    fn start(&self, side: Side, directory: &Path, servers: usize, settings: &str) -> Result<Ensemble> {
        let name = format!("{side:?}-{servers}").to_lowercase();
        let port = if side == Side::Ottla { 19_600 } else { 19_650 };
        Ensemble::start(&self.setup, side, &directory.join(name), port, servers, settings)
    }
}

/// Runs what the arguments after `keeper` ask for.
pub fn main(args: Vec<String>) -> Result<()> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        print!("{HELP}");
        return Ok(());
    }
    let options = options(args)?;
    println!("| figure | Ottla | ZooKeeper 3.9.5 | ratio |\n|---|---|---|---|");
    for (place, directory) in &options.places {
        std::fs::create_dir_all(directory)?;
        let directory = directory.canonicalize()?;
        for &servers in &options.servers {
            if ["set", "create", "get", "latency"].into_iter().any(|f| options.wants(f)) {
                rates(&options, place, &directory, servers)?;
            }
        }
        if options.servers.contains(&1) && (options.wants("memory") || options.wants("snapshot")) {
            states(&options, place, &directory)?;
        }
        if options.servers.iter().any(|n| *n > 1) && options.wants("failover") {
            failovers(&options, place, &directory)?;
        }
        let _ = std::fs::remove_dir_all(directory);
    }
    Ok(())
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
        rounds: 3,
        sides: vec![Side::ZooKeeper, Side::Ottla],
        servers: vec![1, 3],
        places: vec![("tmpfs", "/dev/shm/ottla-bench".into()), ("disk", "bench-data".into())],
        figures: Vec::new(),
    };
    let mut only_place = None;
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value; see keeper --help"));
        match arg.as_str() {
            "--ottla" => options.setup.ottla = value()?.into(),
            "--peers" => options.setup.peers = value()?.into(),
            "--tmpfs" => options.places[0].1 = value()?.into(),
            "--disk" => options.places[1].1 = value()?.into(),
            "--place" => only_place = Some(value()?),
            "--servers" => options.servers = vec![value()?.parse()?],
            "--rounds" => options.rounds = value()?.parse()?,
            "--scale" => options.setup.scale = value()?.parse()?,
            "--only" => match value()?.as_str() {
                "ottla" => options.sides = vec![Side::Ottla],
                "zookeeper" => options.sides = vec![Side::ZooKeeper],
                other => return Err(format!("--only {other}: it is ottla or zookeeper").into()),
            },
            "set" | "create" | "get" | "latency" | "memory" | "snapshot" | "failover" => options.figures.push(arg),
            _ => return Err(format!("{arg} is not an option or a figure; see keeper --help").into()),
        }
    }
    if let Some(name) = only_place {
        options.places.retain(|(place, _)| *place == name);
    }
    Ok(options)
}

/// Both sides side by side, in turns.
fn rates(options: &Options, place: &str, directory: &Path, servers: usize) -> Result<()> {
    let mut ensembles = Vec::new();
    for &side in &options.sides {
        ensembles.push(options.start(side, directory, servers, "")?);
    }
    for ensemble in &mut ensembles {
        keeper_rates::warm_up(options, ensemble)?;
    }
    let which = format!("{place}, {}", if servers == 1 { "1 server".to_owned() } else { format!("{servers} servers") });
    for figure in ["set", "create", "get"].into_iter().filter(|f| options.wants(f)) {
        for clients in [1, 100] {
            let mut best = vec![0f64; ensembles.len()];
            for round in 0..options.rounds {
                for (ensemble, best) in ensembles.iter_mut().zip(&mut best) {
                    *best = best.max(keeper_rates::rate(options, ensemble, figure, clients, round)?);
                }
            }
            let plural = if clients == 1 { "client" } else { "clients" };
            print_row(options, &format!("thousand `{figure}` per s, {clients} {plural}, {which}"), &best, 1e-3, 1);
        }
    }
    if options.wants("latency") {
        let mut best = vec![(f64::INFINITY, f64::INFINITY); ensembles.len()];
        let mut floor = (f64::INFINITY, f64::INFINITY);
        for _ in 0..options.rounds {
            let (p50, p99) = keeper_rates::floor(options)?;
            floor = (floor.0.min(p50), floor.1.min(p99));
            for (ensemble, best) in ensembles.iter_mut().zip(&mut best) {
                let (p50, p99) = keeper_rates::latency(options, ensemble)?;
                *best = (best.0.min(p50), best.1.min(p99));
            }
        }
        let (p50, p99): (Vec<f64>, Vec<f64>) = best.into_iter().unzip();
        print_row(options, &format!("us for a `set`, p50, 1,000/s, {which}"), &p50, 1.0, 0);
        print_row(options, &format!("us for a `set`, p99, 1,000/s, {which}"), &p99, 1.0, 0);
        let (p50, p99) = floor;
        println!("| us for an answer of a thread that does nothing, p50, 1,000/s | {p50:.0} | | |");
        println!("| the same, p99 | {p99:.0} | | |");
    }
    Ok(())
}

/// Memory and snapshots of a million nodes, one side after the other.
fn states(options: &Options, place: &str, directory: &Path) -> Result<()> {
    let mut found = Vec::new();
    for &side in &options.sides {
        let ensemble = options.start(side, directory, 1, "")?;
        found.push(keeper_state::measure(options, ensemble)?);
    }
    let nodes = options.scaled(1e6);
    let column = |pick: fn(&keeper_state::State) -> f64| found.iter().map(pick).collect::<Vec<_>>();
    if options.wants("memory") {
        let name = format!("resident MB, {nodes} nodes of 100 B, {place}");
        print_row(options, &name, &column(|s| s.resident_bytes), 1e-6, 0);
    }
    if options.wants("snapshot") {
        let name = format!("ms to write a snapshot of {nodes} nodes, {place}");
        print_row(options, &name, &column(|s| s.write_ms), 1.0, 0);
        let name = format!("ms from start to serving with {nodes} nodes, {place}");
        print_row(options, &name, &column(|s| s.load_ms), 1.0, 0);
        let name = format!("resident MB after that start, {place}");
        print_row(options, &name, &column(|s| s.resident_after_load), 1e-6, 0);
    }
    Ok(())
}

fn failovers(options: &Options, place: &str, directory: &Path) -> Result<()> {
    let mut found = Vec::new();
    for &side in &options.sides {
        let mut best = f64::INFINITY;
        let mut ensemble = options.start(side, directory, 3, keeper_failover::SETTINGS)?;
        for _ in 0..options.rounds {
            best = best.min(keeper_failover::measure(&mut ensemble)?);
        }
        found.push(best);
    }
    print_row(options, &format!("ms from `kill -9` of the leader to a write, 3 servers, {place}"), &found, 1.0, 0);
    Ok(())
}

/// A row of the table: the ratio is Ottla's figure over ZooKeeper's.
fn print_row(options: &Options, name: &str, values: &[f64], unit: f64, digits: usize) {
    let of = |side: Side| options.sides.iter().position(|s| *s == side).map(|i| values[i] * unit);
    let show = |value: Option<f64>| value.map_or_else(String::new, |v| format!("{v:.digits$}"));
    let (ottla, zookeeper) = (of(Side::Ottla), of(Side::ZooKeeper));
    let ratio = ottla.zip(zookeeper).map_or_else(String::new, |(a, b)| format!("{:.2}", a / b));
    println!("| {name} | {} | {} | {ratio} |", show(ottla), show(zookeeper));
}
