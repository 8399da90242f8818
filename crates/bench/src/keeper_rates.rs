//! Requests per second, and how long one takes.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::keeper::Options;
use crate::keeper_client::{CREATE, Client, GET_DATA, SET_DATA, drive, paced, put_create, put_get, put_set};
use crate::keeper_ensemble::Ensemble;
use crate::wire::Result;

/// Requests on their way at any time, of all clients together.
const IN_FLIGHT: usize = 1_000;
/// Nodes that are read and changed.
const NODES: u64 = 1_000;
const DATA: [u8; 100] = [b'x'; 100];

fn path(i: u64) -> String {
    format!("/bench/node-{:05}", i % NODES)
}

/// Makes the nodes and lets the server work on them: a JVM compiles what it runs often.
pub fn warm_up(options: &Options, ensemble: &mut Ensemble) -> Result<()> {
    let mut client = ensemble.clients(1)?;
    client[0].create("/bench", &[])?;
    drive(&mut client, 100, NODES, CREATE, |i, out| put_create(out, &path(i), &DATA))?;
    drop(client);
    let paths: Vec<String> = (0..NODES).map(path).collect();
    let mut clients = ensemble.clients(50)?;
    for part in 0..4 {
        let count = options.scaled(60_000.0);
        drive(&mut clients, 20, count, SET_DATA, |i, out| put_set(out, &paths[(i % NODES) as usize], &DATA))?;
        drive(&mut clients, 20, 2 * count, GET_DATA, |i, out| put_get(out, &paths[(i % NODES) as usize]))?;
        create(&mut clients, 20, count, &format!("/warm-up-{part}"))?;
    }
    Ok(())
}

fn create(clients: &mut [Client], depth: usize, count: u64, parent: &str) -> Result<f64> {
    clients[0].create(parent, &[])?;
    for group in 0..=count / NODES {
        clients[0].create(&format!("{parent}/{group:05}"), &[])?;
    }
    drive(clients, depth, count, CREATE, |i, out| {
        put_create(out, &format!("{parent}/{:05}/node-{i:07}", i / NODES), &DATA);
    })
}

/// Requests per second; of reads, per second and server.
pub fn rate(options: &Options, ensemble: &mut Ensemble, figure: &str, clients: usize, round: u32) -> Result<f64> {
    let depth = IN_FLIGHT / clients;
    let paths: Vec<String> = (0..NODES).map(path).collect();
    // Writes may come from any server; reads are a matter of each.
    let sessions = if figure == "get" { clients * ensemble.len() } else { clients };
    let mut clients_of = ensemble.clients(sessions)?;
    let count = options.scaled(100_000.0);
    let (count, seconds) = match figure {
        "set" => (
            count,
            drive(&mut clients_of, depth, count, SET_DATA, |i, out| {
                put_set(out, &paths[(i % NODES) as usize], &DATA);
            })?,
        ),
        "create" => (count, create(&mut clients_of, depth, count, &format!("/create-{clients}-{round}"))?),
        _ => (
            4 * count,
            drive(&mut clients_of, depth, 4 * count, GET_DATA, |i, out| {
                put_get(out, &paths[(i % NODES) as usize]);
            })?,
        ),
    };
    let servers = if figure == "get" { ensemble.len() } else { 1 };
    Ok(count as f64 / seconds / servers as f64)
}

/// p50 and p99 of a `set` in microseconds, one client, 1,000 a second whatever the server does.
pub fn latency(options: &Options, ensemble: &mut Ensemble) -> Result<(f64, f64)> {
    of_paced(options, &mut ensemble.connect(0, Duration::from_secs(30))?)
}

/// The same of a thread that answers at once and does nothing else: what the machine and the client themselves take.
pub fn floor(options: &Options) -> Result<(f64, f64)> {
    let socket = TcpListener::bind(("127.0.0.1", 0))?;
    let address = socket.local_addr()?.to_string();
    let thread = std::thread::spawn(move || socket.accept().and_then(|(stream, _)| answer(stream)));
    let found = of_paced(options, &mut Client::connect(&address, Duration::from_secs(5))?);
    match thread.join() {
        Ok(ended) => ended?,
        Err(_) => return Err("the thread that answers has panicked".into()),
    }
    found
}

/// Says that all is well, to the end of the connection.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut received = vec![0; 64 << 10];
    let (mut filled, mut connected) = (0, false);
    loop {
        match stream.read(&mut received[filled..])? {
            0 => return Ok(()),
            read => filled += read,
        }
        let mut answers = Vec::new();
        let mut at = 0;
        while let Some(&[a, b, c, d, ref rest @ ..]) = received.get(at..filled) {
            let len = u32::from_be_bytes([a, b, c, d]) as usize;
            let Some(frame) = rest.get(..len) else { break };
            at += 4 + len;
            // Protocol and timeout, session 1 and its password; then each request's number, a zxid and no error.
            let answer = if connected {
                [&frame[..4], &[0; 12]].concat()
            } else {
                [&[0; 8], &1i64.to_be_bytes()[..], &[0, 0, 0, 16], &[0; 17]].concat()
            };
            connected = true;
            answers.extend_from_slice(&(answer.len() as u32).to_be_bytes());
            answers.extend_from_slice(&answer);
        }
        received.copy_within(at..filled, 0);
        filled -= at;
        stream.write_all(&answers)?;
    }
}

fn of_paced(options: &Options, client: &mut Client) -> Result<(f64, f64)> {
    let path = path(1);
    let total = (10_000.0 * options.setup.scale).max(3_000.0) as u32;
    let mut micros = paced(client, Duration::from_millis(1), total, |out| put_set(out, &path, &DATA))?;
    // The first second warms up what is cold on either side.
    micros.drain(..1_000);
    micros.sort_by(f64::total_cmp);
    let at = |share: f64| micros[(micros.len() as f64 * share) as usize];
    Ok((at(0.5), at(0.99)))
}
