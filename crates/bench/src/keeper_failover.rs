//! The leader dies: how long nobody can write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::keeper_client::{Client, SET_DATA, put_set};
use crate::keeper_ensemble::Ensemble;
use crate::wire::Result;

/// Quick ticks, as for a machine room; `initLimit` and `syncLimit` are the tutorials' 10 and 5.
pub const SETTINGS: &str = "tickTime=200\n";
const PATIENCE: Duration = Duration::from_secs(60);

/// Milliseconds from the leader's end until another server has acknowledged a write. The ensemble is whole again
/// afterwards.
pub fn measure(ensemble: &mut Ensemble) -> Result<f64> {
    let leader = ensemble.leader()?;
    let mut client = ensemble.connect(leader, PATIENCE)?;
    client.create("/failover", b"x")?;
    // Some writes, so that both followers have something to follow.
    for _ in 0..200 {
        client.call(SET_DATA, 0, PATIENCE, |out| put_set(out, "/failover", b"y"))?;
    }
    let survivors: Vec<String> = (0..ensemble.len()).filter(|i| *i != leader).map(|i| ensemble.address(i)).collect();
    ensemble.kill(leader)?;
    let killed = Instant::now();
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = survivors
        .into_iter()
        .map(|address| {
            let done = Arc::clone(&done);
            std::thread::spawn(move || write_until_acknowledged(&address, &done))
        })
        .collect();
    let times: Vec<Instant> = writers.into_iter().filter_map(|writer| writer.join().ok().flatten()).collect();
    let first = times.into_iter().min().ok_or("nobody took a write any more")?;
    ensemble.start_again(SETTINGS)?;
    // The one that came back has to have followed before the next leader dies.
    std::thread::sleep(Duration::from_secs(2));
    Ok((first - killed).as_secs_f64() * 1e3)
}

fn write_until_acknowledged(address: &str, done: &AtomicBool) -> Option<Instant> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && !done.load(Ordering::Relaxed) {
        let patience = Duration::from_secs(2);
        let wrote = Client::connect(address, patience)
            .and_then(|mut client| client.call(SET_DATA, 0, patience, |out| put_set(out, "/failover", b"z")));
        if wrote.is_ok() {
            done.store(true, Ordering::Relaxed);
            return Some(Instant::now());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    None
}
