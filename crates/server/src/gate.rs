//! Between the connections and the broker: holds clients' requests back until the broker is ready, and wakes the timers
//! when a request waits for less than they sleep.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ottla_base::time::Now;
use ottla_broker::broker::Broker;
use ottla_broker::reply::{Reply, ReplySink};
use ottla_broker::request::ConnectionInfo;
use ottla_protocol::ApiKey;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::connection::RequestHandler;

/// What the broker itself needs to become ready, and what says nothing of the cluster.
const ALWAYS: [ApiKey; 7] = [
    ApiKey::ApiVersions,
    ApiKey::SaslHandshake,
    ApiKey::SaslAuthenticate,
    ApiKey::LeaderAndIsr,
    ApiKey::UpdateMetadata,
    ApiKey::StopReplica,
    ApiKey::ControlledShutdown,
];

/// Longest sleep of the timers: the broker wants a look at least this often.
const MAX_SLEEP_MS: u64 = 100;

/// The broker as the connections see it.
#[derive(Debug)]
pub(crate) struct Gate {
    broker: Arc<Broker>,
    clock: Clock,
    open: AtomicBool,
    /// At most one per connection.
    parked: Mutex<Vec<Parked>>,
    /// When the timers will wake by themselves, in milliseconds of the monotonic clock.
    sleeps_until_ms: AtomicU64,
    wake: Notify,
}

/// A request that waits for the broker to be ready.
struct Parked {
    frame: Vec<u8>,
    connection: ConnectionInfo,
    sink: Box<dyn ReplySink>,
}

impl std::fmt::Debug for Parked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parked({} bytes)", self.frame.len())
    }
}

impl Gate {
    pub(crate) fn new(broker: Arc<Broker>, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            broker,
            clock,
            open: AtomicBool::new(false),
            parked: Mutex::default(),
            sleeps_until_ms: AtomicU64::new(u64::MAX),
            wake: Notify::new(),
        })
    }

    pub(crate) fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// The broker is ready: answers what has waited for that.
    pub(crate) fn open(&self) {
        let parked = {
            let mut parked = self.parked.lock();
            self.open.store(true, Ordering::Release);
            std::mem::take(&mut *parked)
        };
        for Parked { mut frame, mut connection, sink } in parked {
            let mut sink = Some(sink);
            let mut make_sink = || sink.take().unwrap_or_else(|| Box::new(Lost));
            let reply = self.broker.handle(self.clock.now(), &mut frame, &mut connection, &mut make_sink);
            if let (Some(sink), false) = (sink, matches!(reply, Reply::Later)) {
                sink.reply(reply);
            }
        }
    }

    /// Parks a request that has to wait; `None` when it has not.
    fn park(
        &self,
        frame: &[u8],
        connection: &ConnectionInfo,
        sink: &mut dyn FnMut() -> Box<dyn ReplySink>,
    ) -> Option<Reply> {
        let key = frame.first_chunk().and_then(|key| ApiKey::from_i16(i16::from_be_bytes(*key)));
        if key.is_some_and(|key| ALWAYS.contains(&key)) {
            return None;
        }
        let mut parked = self.parked.lock();
        if self.open.load(Ordering::Acquire) {
            return None;
        }
        parked.push(Parked { frame: frame.to_vec(), connection: connection.clone(), sink: sink() });
        Some(Reply::Later)
    }

    /// Keeps the broker's timers going, for ever.
    pub(crate) async fn run_timers(self: Arc<Self>) {
        loop {
            let now_ms = self.clock.mono_us() / 1_000;
            let due_ms = self.broker.next_deadline_ms().unwrap_or(u64::MAX).clamp(now_ms, now_ms + MAX_SLEEP_MS);
            self.sleeps_until_ms.store(due_ms, Ordering::SeqCst);
            // Whoever came in between did not know how long we sleep.
            let due_ms = self.broker.next_deadline_ms().unwrap_or(u64::MAX).clamp(now_ms, due_ms);
            let sleep = tokio::time::sleep(std::time::Duration::from_millis(due_ms - now_ms));
            tokio::select! {
                () = sleep => {}
                () = self.wake.notified() => continue,
            }
            self.broker.tick(self.clock.now());
        }
    }
}

impl RequestHandler for Gate {
    fn handle(
        &self,
        now: Now,
        frame: &mut [u8],
        connection: &mut ConnectionInfo,
        sink: &mut dyn FnMut() -> Box<dyn ReplySink>,
    ) -> Reply {
        if !self.open.load(Ordering::Acquire)
            && let Some(reply) = self.park(frame, connection, sink)
        {
            return reply;
        }
        let reply = self.broker.handle(now, frame, connection, sink);
        if matches!(reply, Reply::Later)
            && self.broker.next_deadline_ms().is_some_and(|due_ms| due_ms < self.sleeps_until_ms.load(Ordering::SeqCst))
        {
            self.wake.notify_one();
        }
        reply
    }
}

/// Stands for a way to answer that was taken already.
struct Lost;

impl ReplySink for Lost {
    fn reply(self: Box<Self>, _reply: Reply) {
        tracing::error!("a parked request was answered twice");
    }
}
