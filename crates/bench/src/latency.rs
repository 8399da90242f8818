//! End-to-end latency: from handing a record to the connection until a waiting consumer has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ottla_protocol::messages::{FetchRequest, FetchResponse};
use ottla_protocol::{Message, Records, Request, response_head};

use crate::process::Broker;
use crate::throughput::{next_offset, now_ms};
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

/// `per_second` records of 1 KB, acks=all, a record per request, for `seconds`; a consumer long-polls on another connection.
pub fn measure(broker: &Broker, topic: &str, per_second: u32, seconds: f64) -> Result<Latency> {
    let epoch = Instant::now();
    let done = Arc::new(AtomicBool::new(false));
    let consumer = {
        let (address, topic, done) = (broker.address.clone(), topic.to_owned(), done.clone());
        std::thread::spawn(move || consume(&address, &topic, epoch, &done).map_err(|e| e.to_string()))
    };
    std::thread::sleep(Duration::from_millis(300));
    let mut wire = Wire::connect(&broker.address)?;
    let gap = Duration::from_secs(1) / per_second;
    let start = Instant::now();
    for i in 0..(f64::from(per_second) * seconds) as u32 {
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
        let frame = wire::produce_frame(topic, 0, -1, &wire::batch_of(&[value], now_ms()))?;
        match wire.produce(&frame)? {
            0 => {}
            code => return Err(format!("a record was refused: error {code}").into()),
        }
    }
    std::thread::sleep(Duration::from_millis(700));
    done.store(true, Ordering::Relaxed);
    let mut micros = consumer.join().map_err(|_| "the consumer panicked")??;
    // The first second warms up what is cold on either side.
    micros.drain(..micros.len().min(per_second as usize));
    micros.sort_by(f64::total_cmp);
    let at = |share: f64| micros.get((micros.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    Ok(Latency { p50: at(0.5), p99: at(0.99), p999: at(0.999) })
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
