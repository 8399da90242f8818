//! How long until the first record is acknowledged, how much memory, how long a tool takes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::{Broker, Kind, Setup};
use crate::throughput::now_ms;
use crate::wire::{self, Result, Wire};

/// Longest wait for a broker that starts, in seconds.
const PATIENCE_S: u64 = 300;

/// Starts a broker and gives it with the milliseconds until it acknowledged a record; creates the topic by asking for it.
pub fn first_record(setup: &Setup, kind: Kind, directory: &Path, port: u16, topic: &str) -> Result<(Broker, f64)> {
    let frame = wire::produce_frame(topic, 0, -1, &wire::batch(1, 100, now_ms()))?;
    let start = Instant::now();
    let mut broker = Broker::launch(setup, kind, directory, port)?;
    let deadline = start + Duration::from_secs(PATIENCE_S);
    loop {
        if Instant::now() > deadline {
            return Err(format!("{} acknowledged nothing in {PATIENCE_S} s", kind.name()).into());
        }
        if kind == Kind::Ottla {
            broker.check_alive()?;
        }
        if let Ok(mut wire) = Wire::connect(&broker.address)
            && wire.leaders(topic, true).is_ok_and(|n| n > 0)
            && wire.produce(&frame).is_ok_and(|code| code == 0)
        {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let ms = start.elapsed().as_secs_f64() * 1e3;
    broker.settle()?;
    Ok((broker, ms))
}

/// A topic of `count` partitions with a megabyte in each.
pub fn fill_partitions(broker: &Broker, topic: &str, count: i32) -> Result<()> {
    let mut wire = Wire::connect(&broker.address)?;
    wire.create_topic(topic, count)?;
    let batch = wire::batch(600, 100, now_ms());
    for partition in 0..count {
        let frame = wire::produce_frame(topic, partition, 1, &batch)?;
        for _ in 0..16 {
            match wire.produce(&frame)? {
                0 => {}
                code => return Err(format!("partition {partition} refused a batch: error {code}").into()),
            }
        }
    }
    Ok(())
}

/// Best of `runs` of a tool's listing of topics, in milliseconds: the whole process.
pub fn list_topics(setup: &Setup, broker: &Broker, runs: u32) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..runs {
        let mut command = match broker.kind {
            Kind::Ottla => {
                let mut command = Command::new(&setup.ottla);
                command.args(["topics", "--list"]);
                command
            }
            Kind::Kafka => {
                let mut command = Command::new(&setup.peers);
                command.args(["java", "kafka-4.3.1", "org.apache.kafka.tools.TopicCommand", "--list"]);
                command
            }
        };
        command.args(["--bootstrap-server", &broker.address]).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        if !command.status()?.success() {
            return Err(format!("{}: listing the topics failed", broker.kind.name()).into());
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(best)
}

/// Records of 100 B per second that our own producer, a process on its own, publishes to the broker: best of `runs`.
pub fn publish_rate(setup: &Setup, broker: &Broker, topic: &str, records: u64, runs: u32) -> Result<f64> {
    let mut best = 0.0f64;
    for _ in 0..runs {
        let out = Command::new(&setup.ottla)
            .args(["producer-perf-test", "--topic", topic, "--record-size", "100", "--throughput", "-1"])
            .args(["--num-records", &records.to_string()])
            .args(["--producer-props", &format!("bootstrap.servers={}", broker.address)])
            .args(["acks=1", "batch.size=65536", "linger.ms=5"])
            .output()?;
        let text = String::from_utf8_lossy(&out.stdout);
        let last = text.lines().rfind(|l| l.contains("records/sec")).ok_or_else(|| format!("no figure in {text}"))?;
        let figure = last.split(',').find(|f| f.contains("records/sec")).ok_or("no figure")?;
        best = best.max(figure.split_whitespace().next().ok_or("no figure")?.parse()?);
    }
    Ok(best)
}
