//! The thread that writes a snapshot, part by part, while the server goes on.
//!
//! When the log's thread truncates or replaces what is there meanwhile, the snapshot is void: the generation tells, and a
//! lock is held while a snapshot gets its name, so that none appears behind the back of that thread.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use ottla_keeper::keeper_server::Input;

use super::Shared;

/// How long the server may take to give a part that it was asked for.
const PART_TIMEOUT: Duration = Duration::from_secs(10);

/// What the thread is given.
#[derive(Debug)]
pub(super) enum Part {
    Chunk(Vec<u8>),
    End,
    /// It is void.
    Abort,
}

/// Starts the thread; it asks the server for each part, so that no more than one waits.
pub(super) fn start(shared: &Arc<Shared>, zxid: i64) -> Option<Sender<Part>> {
    let (parts, queue) = std::sync::mpsc::channel();
    let shared = Arc::clone(shared);
    let generation = shared.generation.load(Ordering::Acquire);
    let thread = std::thread::Builder::new().name("ottla-keeper-snap".to_owned()).spawn(move || {
        let began_us = shared.clock.mono_us();
        match write(&shared, zxid, generation, &queue) {
            Ok(None) => tracing::info!("gave up a snapshot: the tree was replaced, or the keeper stops"),
            Ok(Some(bytes)) => {
                let now = shared.clock.now();
                let took_us = now.mono_us.saturating_sub(began_us);
                shared.machine.lock().server.keeper_mut().snapshot_written(now, zxid, took_us);
                tracing::info!(zxid = format_args!("{zxid:#x}"), bytes, "wrote a snapshot of the keeper's tree")
            }
            // The log still has everything; the next snapshot may succeed.
            Err(error) => {
                shared.machine.lock().server.keeper_mut().stats_mut().snapshot_errors += 1;
                tracing::error!(%error, "a snapshot of the keeper's tree failed");
            }
        }
    });
    match thread {
        Ok(_) => Some(parts),
        Err(error) => {
            tracing::error!(%error, "no thread for a snapshot");
            None
        }
    }
}

/// Writes part after part. After an error the rest is thrown away, part by part too: the server must get to the end to
/// begin another one later.
fn write(shared: &Arc<Shared>, zxid: i64, generation: u64, queue: &Receiver<Part>) -> io::Result<Option<u64>> {
    let mut store = shared.storage.snapshots();
    let mut outcome = store.begin(zxid);
    let mut written = 0;
    loop {
        shared.step(Input::SnapshotStep);
        let mut next = match queue.recv_timeout(PART_TIMEOUT) {
            Ok(part) => Some(part),
            // The host stops.
            Err(RecvTimeoutError::Disconnected) => Some(Part::Abort),
            Err(error @ RecvTimeoutError::Timeout) => return Err(io::Error::other(error)),
        };
        while let Some(part) = next {
            match part {
                Part::Chunk(bytes) => {
                    written += bytes.len() as u64;
                    outcome = outcome.and_then(|()| store.chunk(&bytes));
                }
                Part::End => {
                    outcome?;
                    let _exclusive = shared.naming.lock();
                    if shared.generation.load(Ordering::Acquire) != generation {
                        store.abort()?;
                        return Ok(None);
                    }
                    store.end()?;
                    return Ok(Some(written));
                }
                Part::Abort => {
                    store.abort()?;
                    return Ok(None);
                }
            }
            next = queue.try_recv().ok();
        }
    }
}
