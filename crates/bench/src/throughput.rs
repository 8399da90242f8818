//! CPU seconds per gigabyte, in and out: broker against broker, and against the bare loops.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use ottla_protocol::messages::{FetchRequest, FetchResponse};
use ottla_protocol::{Message, Records, Request, response_head};

use crate::bare;
use crate::process::{Broker, cpu_seconds};
use crate::wire::{self, Result, Wire};

pub const PARTITIONS: i32 = 6;
const BATCH_BYTES: usize = 64 << 10;
/// Requests under way at once, as `max.in.flight.requests.per.connection` has it.
const IN_FLIGHT: usize = 5;

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// The server's user and system seconds per 10^9 bytes.
    pub cpu_per_gb: f64,
    pub gb_per_second: f64,
}

/// The value size that makes records of about `record_bytes`, and how many fill a batch of 64 KB.
fn batch(record_bytes: usize) -> Vec<u8> {
    wire::batch(BATCH_BYTES / (record_bytes + 8), record_bytes, now_ms())
}

pub fn now_ms() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

/// Produces `bytes` to the topic's six partitions in turn, a batch of 64 KB per request, acks=1.
pub fn produce(broker: &Broker, topic: &str, record_bytes: usize, bytes: u64) -> Result<Rate> {
    let batch = batch(record_bytes);
    let frames: Vec<Vec<u8>> =
        (0..PARTITIONS).map(|p| wire::produce_frame(topic, p, 1, &batch)).collect::<Result<_>>()?;
    let mut wire = Wire::connect(&broker.address)?;
    let requests = (bytes / batch.len() as u64).max(PARTITIONS as u64);
    measure(
        || broker.cpu_seconds(),
        || {
            let mut under_way = 0;
            for i in 0..requests {
                if under_way == IN_FLIGHT {
                    expect_success(wire.receive()?)?;
                    under_way -= 1;
                }
                wire.send(&frames[i as usize % frames.len()])?;
                under_way += 1;
            }
            for _ in 0..under_way {
                expect_success(wire.receive()?)?;
            }
            Ok(requests * batch.len() as u64)
        },
    )
}

fn expect_success(frame: &[u8]) -> Result<()> {
    match wire::produce_error(frame)? {
        0 => Ok(()),
        code => Err(format!("a batch was refused: error {code}").into()),
    }
}

/// Reads the six partitions from their start, a megabyte of each at once, until `bytes` have come.
pub fn fetch(broker: &Broker, topic: &str, bytes: u64) -> Result<Rate> {
    let mut wire = Wire::connect(&broker.address)?;
    measure(
        || broker.cpu_seconds(),
        || {
            let mut offsets = vec![0i64; PARTITIONS as usize];
            let mut total = 0;
            while total < bytes {
                wire.send(&wire::fetch_frame(topic, &offsets, 500, 1 << 20)?)?;
                let (came, ended) = advance(wire.receive()?, &mut offsets)?;
                total += came;
                if ended {
                    offsets.fill(0);
                }
            }
            Ok(total)
        },
    )
}

/// Moves the offsets past what a fetch answer holds; gives its bytes of records, and whether there were none.
fn advance(frame: &[u8], offsets: &mut [i64]) -> Result<(u64, bool)> {
    let (_, mut body) = response_head(frame, FetchRequest::KEY, wire::FETCH_VERSION)?;
    let response = FetchResponse::decode(&mut body, wire::FETCH_VERSION)?;
    let mut came = 0;
    for partition in response.responses.iter().flat_map(|t| &t.partitions) {
        if partition.error_code != 0 {
            return Err(format!("a fetch was refused: error {}", partition.error_code).into());
        }
        let records = partition.records.as_ref().and_then(Records::as_bytes).unwrap_or_default();
        came += records.len() as u64;
        if let Some(next) = next_offset(records) {
            offsets[partition.partition_index as usize] = next;
        }
    }
    Ok((came, came == 0))
}

/// The offset after the last whole batch of a run of batches.
pub fn next_offset(mut records: &[u8]) -> Option<i64> {
    let mut next = None;
    while records.len() >= 61 {
        let size = 12 + i32::from_be_bytes(records[8..12].try_into().ok()?) as usize;
        if size > records.len() {
            break;
        }
        let base = i64::from_be_bytes(records[..8].try_into().ok()?);
        next = Some(base + i64::from(i32::from_be_bytes(records[23..27].try_into().ok()?)) + 1);
        records = &records[size..];
    }
    next
}

/// The bare counterpart of [`produce`], in a thread of a process of its own.
pub fn bare_produce(directory: &Path, record_bytes: usize, bytes: u64) -> Result<Rate> {
    let frame = wire::produce_frame("bare", 0, 1, &batch(record_bytes))?;
    let file = directory.join("bare.data");
    let mut server = BareServer::start("bare-receive", &file)?;
    let requests = bytes / frame.len() as u64;
    let rate = measure(
        || cpu_seconds(server.child.id()),
        || {
            let mut answers = VecDeque::new();
            let mut answer = [0; 60];
            for _ in 0..requests {
                if answers.len() == IN_FLIGHT {
                    server.stream.read_exact(&mut answer)?;
                    answers.pop_front();
                }
                server.stream.write_all(&frame)?;
                answers.push_back(());
            }
            for _ in answers {
                server.stream.read_exact(&mut answer)?;
            }
            Ok(requests * frame.len() as u64)
        },
    );
    drop(server);
    let _ = std::fs::remove_file(file);
    rate
}

/// The bare counterpart of [`fetch`]: pieces of six megabytes of a warm file by `sendfile`.
pub fn bare_fetch(directory: &Path, bytes: u64) -> Result<Rate> {
    let file = directory.join("bare.data");
    let piece = 6usize << 20;
    let file_bytes = 512u64 << 20;
    std::fs::write(&file, vec![7u8; file_bytes as usize])?;
    let mut server = BareServer::start("bare-send", &file)?;
    let rate = measure(
        || cpu_seconds(server.child.id()),
        || {
            let mut buffer = vec![0; piece + 60];
            let (mut total, mut position) = (0, 0u64);
            while total < bytes {
                let mut request = 12u32.to_be_bytes().to_vec();
                request.extend_from_slice(&position.to_be_bytes());
                request.extend_from_slice(&(piece as u32).to_be_bytes());
                server.stream.write_all(&request)?;
                server.stream.read_exact(&mut buffer)?;
                total += piece as u64;
                position = (position + piece as u64) % (file_bytes - piece as u64);
            }
            Ok(total)
        },
    );
    drop(server);
    let _ = std::fs::remove_file(file);
    rate
}

/// This program again, as a bare server: a process of its own, so that its CPU seconds are its own.
pub struct BareServer {
    child: std::process::Child,
    pub stream: TcpStream,
}

impl BareServer {
    pub fn start(verb: &str, file: &Path) -> Result<Self> {
        let mut child = std::process::Command::new(std::env::current_exe()?)
            .arg(verb)
            .arg(file)
            .stdout(std::process::Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("no output")?;
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line)?;
        let stream = TcpStream::connect(line.trim())?;
        stream.set_nodelay(true)?;
        Ok(Self { child, stream })
    }
}

impl Drop for BareServer {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        let _ = self.child.wait();
    }
}

/// The bare servers' side of [`BareServer`].
pub fn serve_bare(verb: &str, file: &Path) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    match verb {
        "bare-receive" => bare::receive(&listener, file),
        "bare-relay" => bare::relay(&listener, file),
        _ => bare::send(&listener, file),
    }
}

fn measure(cpu: impl Fn() -> Result<f64>, work: impl FnOnce() -> Result<u64>) -> Result<Rate> {
    let (cpu_before, start) = (cpu()?, Instant::now());
    let bytes = work()? as f64;
    let elapsed = start.elapsed();
    // What the server does after its last answer belongs to it too.
    std::thread::sleep(Duration::from_millis(20));
    Ok(Rate { cpu_per_gb: (cpu()? - cpu_before) / (bytes / 1e9), gb_per_second: bytes / 1e9 / elapsed.as_secs_f64() })
}
