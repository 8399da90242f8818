//! A million nodes: memory, the time to write a snapshot of them, and the time to start from it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::keeper::Options;
use crate::keeper_client::{CREATE, SET_DATA, drive, put_create, put_set};
use crate::keeper_ensemble::Ensemble;
use crate::wire::Result;

const DATA: [u8; 100] = [b'x'; 100];
const PATIENCE: Duration = Duration::from_secs(120);
/// A snapshot is due after at most so many transactions.
const SNAP_OFTEN: &str = "snapCount=1000\n";
/// What every whole snapshot ends with: the string `/` behind its last checksum.
const END: [u8; 5] = [0, 0, 0, 1, b'/'];

#[derive(Clone, Copy, Debug)]
pub struct State {
    pub resident_bytes: f64,
    pub write_ms: f64,
    pub load_ms: f64,
    pub resident_after_load: f64,
}

/// Fills a server and measures it.
pub fn measure(options: &Options, mut ensemble: Ensemble) -> Result<State> {
    let nodes = options.scaled(1e6);
    fill(&mut ensemble, nodes)?;
    let directory = ensemble.snapshots(0);
    settle(&directory)?;
    let mut state = State {
        resident_bytes: ensemble.resident_bytes(0)? as f64,
        write_ms: f64::INFINITY,
        load_ms: f64::INFINITY,
        resident_after_load: f64::INFINITY,
    };
    if !options.wants("snapshot") {
        return Ok(state);
    }
    for _ in 0..options.rounds {
        // Ours takes the second snapshot of a large tree after more log only.
        ensemble.kill(0)?;
        ensemble.start_again(SNAP_OFTEN)?;
        state.write_ms = state.write_ms.min(written(&mut ensemble, &directory)?);
    }
    for _ in 0..options.rounds {
        ensemble.kill(0)?;
        state.load_ms = state.load_ms.min(ensemble.start_again("")?);
        state.resident_after_load = state.resident_after_load.min(ensemble.resident_bytes(0)? as f64);
    }
    Ok(state)
}

/// A thousand nodes below each of a thousand.
fn fill(ensemble: &mut Ensemble, nodes: u64) -> Result<()> {
    let mut clients = ensemble.clients(10)?;
    clients[0].create("/many", &[])?;
    for group in 0..=nodes / 1_000 {
        clients[0].create(&format!("/many/group-{group:05}"), &[])?;
    }
    drive(&mut clients, 100, nodes, CREATE, |i, out| {
        put_create(out, &format!("/many/group-{:05}/node-{i:07}", i / 1_000), &DATA);
    })?;
    Ok(())
}

/// Waits until no snapshot is being written.
fn settle(directory: &Path) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut quiet = Instant::now();
    let mut before = 0;
    while quiet.elapsed() < Duration::from_secs(3) {
        let bytes = snapshots(directory)?.iter().map(|path| fs::metadata(path).map_or(0, |m| m.len())).sum();
        if bytes != std::mem::replace(&mut before, bytes) {
            quiet = Instant::now();
        }
        if Instant::now() > deadline {
            return Err("snapshots are written without an end".into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Snapshots, whole or not: the real server writes under the final name, ours under another one.
fn snapshots(directory: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().contains("snapshot.")) {
            found.insert(path);
        }
    }
    Ok(found)
}

/// Milliseconds from the moment at which a new snapshot begins until it is whole and has its name.
fn written(ensemble: &mut Ensemble, directory: &Path) -> Result<f64> {
    settle(directory)?;
    let before = snapshots(directory)?;
    let mut clients = ensemble.clients(1)?;
    let deadline = Instant::now() + PATIENCE;
    let mut begin = None;
    while Instant::now() < deadline {
        let new: Vec<PathBuf> = snapshots(directory)?.difference(&before).cloned().collect();
        match begin {
            None if !new.is_empty() => begin = Some(Instant::now()),
            None => {
                drive(&mut clients, 20, 20, SET_DATA, |i, out| {
                    put_set(out, &format!("/many/group-00000/node-{i:07}"), &DATA);
                })?;
            }
            Some(begin) => {
                let whole = |path: &PathBuf| {
                    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snapshot."))
                        && is_whole(path)
                };
                if new.iter().any(whole) {
                    return Ok(Instant::duration_since(&Instant::now(), begin).as_secs_f64() * 1e3);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
    Err("no snapshot was written".into())
}

fn is_whole(path: &Path) -> bool {
    let read = || -> std::io::Result<[u8; 5]> {
        let mut file = File::open(path)?;
        let mut end = [0; 5];
        if file.metadata()?.len() > 1 << 16 {
            file.seek(SeekFrom::End(-5))?;
            file.read_exact(&mut end)?;
        }
        Ok(end)
    };
    read().is_ok_and(|end| end == END)
}
