//! End-to-end latency: from handing a record to the connection until a waiting consumer has it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ottla_protocol::messages::{FetchRequest, FetchResponse};
use ottla_protocol::{Message, Records, Request, response_head};

use crate::process::Broker;
use crate::throughput::{BareServer, next_offset, now_ms};
use crate::wire::{self, Result, Wire};

/// Where the value of a batch of one record of 1 KB begins: header 61, record length 2, attributes 1, timestamp and offset
/// deltas 1 each, key length 1, value length 2.
const VALUE_AT: usize = 69;

/// Percentiles in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
}

impl Latency {
    /// The better of each percentile.
    pub fn better(self, other: Self) -> Self {
        Self { p50: self.p50.min(other.p50), p99: self.p99.min(other.p99), p999: self.p999.min(other.p999) }
    }
}

/// `per_second` records of 1 KB for `seconds`.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub per_second: u32,
    pub seconds: f64,
}

/// The load's records with acks=all, a record per request; a consumer long-polls on another connection.
pub fn measure(broker: &Broker, topic: &str, load: Load) -> Result<Latency> {
    let epoch = Instant::now();
    let done = Arc::new(AtomicBool::new(false));
    let consumer = {
        let (address, topic, done) = (broker.address.clone(), topic.to_owned(), done.clone());
        std::thread::spawn(move || consume(&address, &topic, epoch, &done).map_err(|e| e.to_string()))
    };
    std::thread::sleep(Duration::from_millis(300));
    let mut wire = Wire::connect(&broker.address)?;
    at_a_pace(load, epoch, |value| {
        let frame = wire::produce_frame(topic, 0, -1, &wire::batch_of(&[value], now_ms()))?;
        match wire.produce(&frame)? {
            0 => Ok(()),
            code => Err(format!("a record was refused: error {code}").into()),
        }
    })?;
    std::thread::sleep(Duration::from_millis(700));
    done.store(true, Ordering::Relaxed);
    Ok(percentiles(consumer.join().map_err(|_| "the consumer panicked")??, load))
}

/// The bare counterpart: the same pace through a process that writes each record to a file and passes it on.
pub fn measure_bare(directory: &Path, load: Load) -> Result<Latency> {
    let epoch = Instant::now();
    let file = directory.join("bare.data");
    let mut server = BareServer::start("bare-relay", &file)?;
    let mut incoming = TcpStream::connect(server.stream.peer_addr()?)?;
    let consumer = std::thread::spawn(move || {
        let mut micros = Vec::new();
        let mut frame = [0; 4 + 1024];
        while incoming.read_exact(&mut frame).is_ok() {
            let now = epoch.elapsed().as_nanos() as u64;
            let sent = frame[4..12].iter().fold(0, |sent, byte| sent << 8 | u64::from(*byte));
            micros.push(now.saturating_sub(sent) as f64 / 1e3);
        }
        micros
    });
    at_a_pace(load, epoch, |value| {
        server.stream.write_all(&[&1024u32.to_be_bytes()[..], &value].concat())?;
        Ok(server.stream.read_exact(&mut [0; 60])?)
    })?;
    drop(server);
    let _ = std::fs::remove_file(file);
    Ok(percentiles(consumer.join().map_err(|_| "the consumer panicked")?, load))
}

/// Hands a value of 1 KB that begins with the moment at which it was due, in ns since `epoch`, to `send` at the load's pace.
fn at_a_pace(load: Load, epoch: Instant, mut send: impl FnMut(Vec<u8>) -> Result<()>) -> Result<()> {
    let gap = Duration::from_secs(1) / load.per_second;
    let start = Instant::now();
    for i in 0..(f64::from(load.per_second) * load.seconds) as u32 {
        // The moment it was due counts, not the moment a stalled server let us send: no coordinated omission. But that our
        // own sleep ends late is no server's doing.
        let mut began = start + gap * i;
        let now = Instant::now();
        if began > now {
            std::thread::sleep(began - now);
            began = Instant::now();
        }
        let mut value = vec![b'x'; 1024];
        value[..8].copy_from_slice(&((began - epoch).as_nanos() as u64).to_be_bytes());
        send(value)?;
    }
    Ok(())
}

fn percentiles(mut micros: Vec<f64>, load: Load) -> Latency {
    // The first second warms up what is cold on either side.
    micros.drain(..micros.len().min(load.per_second as usize));
    micros.sort_by(f64::total_cmp);
    let at = |share: f64| micros.get((micros.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    Latency { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
}

fn consume(address: &str, topic: &str, epoch: Instant, done: &AtomicBool) -> Result<Vec<f64>> {
    let mut wire = Wire::connect(address)?;
    let mut micros = Vec::new();
    let mut offset = 0;
    while !done.load(Ordering::Relaxed) {
        wire.send(&wire::fetch_frame(topic, &[offset], 200, 1 << 20)?)?;
        let frame = wire.receive()?;
        let now = epoch.elapsed().as_nanos() as u64;
        let (_, mut body) = response_head(frame, FetchRequest::KEY, wire::FETCH_VERSION)?;
        let response = FetchResponse::decode(&mut body, wire::FETCH_VERSION)?;
        let Some(partition) = response.responses.first().and_then(|t| t.partitions.first()) else { continue };
        let records = partition.records.as_ref().and_then(Records::as_bytes).unwrap_or_default();
        let mut rest = records;
        while let Some(size) = whole_batch(rest) {
            let sent = u64::from_be_bytes(rest[VALUE_AT..VALUE_AT + 8].try_into()?);
            micros.push(now.saturating_sub(sent) as f64 / 1e3);
            rest = &rest[size..];
        }
        if let Some(next) = next_offset(records) {
            offset = next;
        }
    }
    Ok(micros)
}

fn whole_batch(records: &[u8]) -> Option<usize> {
    let size = 12 + i32::from_be_bytes(records.get(8..12)?.try_into().ok()?) as usize;
    (records.len() >= size.max(80)).then_some(size)
}
