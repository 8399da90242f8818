//! Requests per second, and how long one takes.

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
    let mut client = ensemble.connect(0, Duration::from_secs(30))?;
    let path = path(1);
    let total = (10_000.0 * options.setup.scale).max(3_000.0) as u32;
    let mut micros = paced(&mut client, Duration::from_millis(1), total, |out| put_set(out, &path, &DATA))?;
    // The first second warms up what is cold on either side.
    micros.drain(..1_000);
    micros.sort_by(f64::total_cmp);
    let at = |share: f64| micros[(micros.len() as f64 * share) as usize];
    Ok((at(0.5), at(0.99)))
}
