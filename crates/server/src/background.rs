//! Work that no request waits for, each kind on a thread of its own: flushing (waits for the disk), cleaning (takes its
//! time) and everything else.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ottla_base::time::Now;
use parking_lot::{Condvar, Mutex};

use crate::clock::Clock;

/// Something done again and again.
pub(crate) struct Task {
    pub(crate) name: &'static str,
    /// Time before the first run.
    pub(crate) delay: Duration,
    /// Time from the end of one run to the start of the next.
    pub(crate) every: Duration,
    /// True when there is more to do at once; a stop comes in between all the same.
    pub(crate) run: Box<dyn FnMut(Now) -> bool + Send>,
}

/// A thread that runs tasks when they are due.
#[doc(alias = "KafkaScheduler")]
#[derive(Debug)]
pub(crate) struct Background {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts thread `name`.
    pub(crate) fn start(name: &str, clock: Clock, tasks: Vec<Task>) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run(&clock, tasks, &stopped.0, &stopped.1))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends the thread once the task that is running has ended.
    pub(crate) fn stop(&mut self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(clock: &Clock, tasks: Vec<Task>, stopped: &Mutex<bool>, wake: &Condvar) {
    let start = Instant::now();
    // A delay of centuries ("never") is not an instant that the clock knows.
    let mut tasks: Vec<_> = tasks.into_iter().map(|task| (start.checked_add(task.delay), task)).collect();
    loop {
        let next = tasks.iter().filter_map(|(due, _)| *due).min();
        {
            let mut stopped = stopped.lock();
            while !*stopped && next.is_none_or(|due| Instant::now() < due) {
                match next {
                    Some(due) => drop(wake.wait_until(&mut stopped, due)),
                    None => wake.wait(&mut stopped),
                }
            }
            if *stopped {
                return;
            }
        }
        for (due, task) in &mut tasks {
            if due.is_some_and(|due| due <= Instant::now()) {
                let began = Instant::now();
                let more = (task.run)(clock.now());
                let took = began.elapsed();
                if took > Duration::from_secs(1) {
                    tracing::debug!(task = task.name, ?took, "a background task took long");
                }
                *due = Instant::now().checked_add(if more { Duration::ZERO } else { task.every });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn tasks_run_when_due_and_stop_at_once() {
        let count = Arc::new(AtomicU32::new(0));
        let task = |delay: Duration, every: Duration, add: u32| {
            let count = Arc::clone(&count);
            let run = Box::new(move |_: Now| count.fetch_add(add, Ordering::SeqCst) == 0 && add == 1);
            Task { name: "count", delay, every, run }
        };
        let ms = Duration::from_millis;
        let tasks = vec![
            task(ms(5), ms(5), 1),
            task(ms(5), Duration::MAX, 1_000),
            task(Duration::MAX, Duration::MAX, 1_000_000),
        ];
        let mut background = Background::start("test", Clock::start(), tasks).expect("starts");
        let end = Instant::now() + Duration::from_secs(10);
        while count.load(Ordering::SeqCst) < 1_003 && Instant::now() < end {
            std::thread::sleep(ms(1));
        }
        background.stop();
        let seen = count.load(Ordering::SeqCst);
        assert!((1_003..2_000).contains(&seen), "{seen}");
        std::thread::sleep(ms(20));
        assert_eq!(count.load(Ordering::SeqCst), seen);
    }
}
