//! The network threads: one single-threaded tokio runtime each. A connection stays on the thread it was given to, so
//! nothing of it is shared and nothing is stolen.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::metrics::{CoreMetrics, Metrics};

/// Threads per network thread that may wait for a cold disk at the same time.
const COLD_READERS: usize = 4;
/// How long such a thread waits for more work.
const COLD_READER_IDLE: Duration = Duration::from_secs(5);

/// One network thread.
#[derive(Debug)]
pub(crate) struct Core {
    handle: Handle,
    pub(crate) metrics: Arc<CoreMetrics>,
    /// Connections it serves now.
    pub(crate) load: AtomicUsize,
    stop: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

/// All network threads (`num.network.threads`).
#[doc(alias = "Processor")]
#[derive(Debug)]
pub struct Cores(Vec<Arc<Core>>);

impl Cores {
    /// Starts `count` threads.
    pub fn start(count: usize, metrics: &Metrics) -> io::Result<Arc<Self>> {
        let cores = (0..count.max(1)).map(|index| Core::start(index, metrics)).collect::<io::Result<_>>()?;
        Ok(Arc::new(Self(cores)))
    }

    /// Runs a task on the first thread, where everything goes that is not a client's connection.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.0[0].spawn(task)
    }

    /// Lets the caller spawn tasks of its own onto the first thread while the guard lives.
    pub(crate) fn enter(&self) -> tokio::runtime::EnterGuard<'_> {
        self.0[0].handle.enter()
    }

    /// Runs `task` on the first thread and waits for it; not to be called on a network thread.
    pub(crate) fn block_on(&self, task: impl Future<Output = ()> + Send + 'static) {
        let (done, ended) = std::sync::mpsc::channel::<()>();
        self.spawn(async move {
            task.await;
            drop(done);
        });
        // Ends when the task does, or is dropped with its thread.
        let _ = ended.recv();
    }

    /// The thread that serves the fewest connections.
    pub(crate) fn least_loaded(&self) -> Arc<Core> {
        let least = self.0.iter().min_by_key(|core| core.load.load(Ordering::Relaxed));
        Arc::clone(least.unwrap_or(&self.0[0]))
    }

    /// Drops every task and ends the threads.
    pub fn stop(&self) {
        let stops: Vec<_> = self.0.iter().filter_map(|core| core.stop.lock().take()).collect();
        let mut threads = Vec::new();
        for (stop, thread) in stops {
            // A thread that is gone needs no word.
            let _ = stop.send(());
            threads.push(thread);
        }
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Core {
    fn start(index: usize, metrics: &Metrics) -> io::Result<Arc<Self>> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(COLD_READERS)
            .thread_keep_alive(COLD_READER_IDLE)
            .thread_name("ottla-cold-read")
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name(format!("ottla-net-{index}")).spawn(move || {
            // An error means that the sender is gone, which ends the thread too.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        })?;
        Ok(Arc::new(Self {
            handle,
            metrics: metrics.add_core(),
            load: AtomicUsize::new(0),
            stop: Mutex::new(Some((stop, thread))),
        }))
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.handle.spawn(task).abort_handle()
    }
}
