//! The broker's listeners: accepting, admission and idleness of connections.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ottla_broker::request::ConnectionInfo;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::buffers::FrameBudget;
use crate::clock::Clock;
use crate::connection::{self, Activity, Context, Ended, RequestHandler};
use crate::runtime::{Core, Cores};
use crate::transport::Transport;

/// Wait after a failed accept: mostly "too many open files", which passes when connections close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The settings of all listeners together.
#[derive(Clone, Debug)]
pub struct SocketServerConfig {
    /// `socket.request.max.bytes`
    pub max_request_bytes: usize,
    /// Bound on the memory of large requests under way (`queued.max.request.bytes`).
    pub max_queued_bytes: usize,
    /// `connections.max.idle.ms`; `None` for ever.
    pub max_idle: Option<Duration>,
    pub limits: ConnectionLimits,
}

/// How many connections are let in; may change while the server runs.
#[doc(alias = "ConnectionQuotas")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// `max.connections`
    pub max: usize,
    /// `max.connections.per.ip`
    pub max_per_ip: usize,
    /// `max.connections.per.ip.overrides`
    pub per_ip_overrides: BTreeMap<IpAddr, usize>,
}

impl ConnectionLimits {
    fn of(&self, ip: IpAddr) -> usize {
        self.per_ip_overrides.get(&ip).copied().unwrap_or(self.max_per_ip)
    }
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { max: usize::MAX, max_per_ip: usize::MAX, per_ip_overrides: BTreeMap::new() }
    }
}

impl Default for SocketServerConfig {
    fn default() -> Self {
        Self {
            max_request_bytes: 104_857_600,
            max_queued_bytes: ottla_base::limits::REQUEST_BYTES_IN_FLIGHT,
            max_idle: Some(Duration::from_secs(600)),
            limits: ConnectionLimits::default(),
        }
    }
}

/// Accepts connections and serves them.
#[derive(Debug)]
pub struct SocketServer<H> {
    shared: Arc<Shared<H>>,
}

#[derive(Debug)]
struct Shared<H> {
    config: SocketServerConfig,
    limits: Mutex<ConnectionLimits>,
    handler: Arc<H>,
    cores: Arc<Cores>,
    clock: Clock,
    budget: Arc<FrameBudget>,
    connections: Mutex<Connections>,
    /// Told when a connection ends while accepting waits for room.
    room: Notify,
    next_id: AtomicU64,
    accepting: Mutex<Vec<AbortHandle>>,
}

#[derive(Debug, Default)]
struct Connections {
    open: BTreeMap<u64, Open>,
    per_ip: BTreeMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Open {
    activity: Arc<Activity>,
    core: Arc<Core>,
    peer: IpAddr,
    /// There as soon as the task is.
    task: Option<AbortHandle>,
}

impl<H: RequestHandler> SocketServer<H> {
    /// A server without listeners yet.
    pub fn new(config: SocketServerConfig, handler: Arc<H>, cores: Arc<Cores>, clock: Clock) -> Self {
        let budget = FrameBudget::new(config.max_queued_bytes);
        let shared = Arc::new(Shared {
            limits: Mutex::new(config.limits.clone()),
            config,
            handler,
            cores,
            clock,
            budget,
            connections: Mutex::default(),
            room: Notify::new(),
            next_id: AtomicU64::new(1),
            accepting: Mutex::default(),
        });
        if let Some(max_idle) = shared.config.max_idle {
            let task = shared.cores.spawn(sweep(Arc::clone(&shared), max_idle));
            shared.accepting.lock().push(task);
        }
        Self { shared }
    }

    /// Accepts connections of listener `name` from now on.
    pub fn listen(&self, name: &str, socket: TcpListener) -> io::Result<()> {
        tracing::info!(listener = name, address = %socket.local_addr()?, "awaiting connections");
        let accept = accept(Arc::clone(&self.shared), name.into(), socket);
        self.shared.accepting.lock().push(self.shared.cores.spawn(accept));
        Ok(())
    }

    /// Other limits from now on. Connections that are too many by them stay.
    pub fn set_limits(&self, limits: ConnectionLimits) {
        *self.shared.limits.lock() = limits;
        self.shared.room.notify_one();
    }

    /// Connections open now.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.shared.connections.lock().open.len()
    }

    /// Bytes that large requests hold now.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.shared.budget.used()
    }

    /// Accepts no more and closes all connections.
    pub fn stop(&self) {
        for task in self.shared.accepting.lock().drain(..) {
            task.abort();
        }
        // Outside the lock: an aborted task's guard takes it.
        let tasks: Vec<_> = self.shared.connections.lock().open.values().filter_map(|open| open.task.clone()).collect();
        for task in tasks {
            task.abort();
        }
    }
}

async fn accept<H: RequestHandler>(shared: Arc<Shared<H>>, listener: Arc<str>, socket: TcpListener) {
    let socket = match tokio::net::TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::error!(%listener, %error, "cannot listen");
            return;
        }
    };
    loop {
        while shared.connections.lock().open.len() >= shared.limits.lock().max {
            shared.room.notified().await;
        }
        match socket.accept().await {
            Ok((stream, peer)) => shared.admit(&listener, stream, peer),
            Err(error) => {
                tracing::warn!(%listener, %error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Ends connections on which nothing happened for `max_idle`.
async fn sweep<H: RequestHandler>(shared: Arc<Shared<H>>, max_idle: Duration) {
    let max_idle_ms = max_idle.as_millis() as u64;
    let pause = (max_idle / 8).clamp(Duration::from_millis(10), Duration::from_secs(10));
    loop {
        tokio::time::sleep(pause).await;
        let now_ms = shared.clock.mono_us() / 1_000;
        let mut idle = Vec::new();
        for (id, open) in &shared.connections.lock().open {
            if open.activity.idle_ms(now_ms) > max_idle_ms {
                tracing::debug!(connection = id, peer = %open.peer, "closed: idle for connections.max.idle.ms");
                open.core.metrics.idle_closed.add(1);
                idle.extend(open.task.clone());
            }
        }
        // Outside the lock: an aborted task's guard takes it.
        for task in idle {
            task.abort();
        }
    }
}

impl<H: RequestHandler> Shared<H> {
    /// Hands a new connection to a network thread, unless its address has too many.
    fn admit(self: &Arc<Self>, listener: &Arc<str>, stream: TcpStream, peer: SocketAddr) {
        let ip = peer.ip().to_canonical();
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let core = self.cores.least_loaded();
        let activity = Activity::new(self.clock);
        {
            let limit = self.limits.lock().of(ip);
            let mut connections = self.connections.lock();
            let of_ip = connections.per_ip.entry(ip).or_default();
            if *of_ip >= limit {
                tracing::info!(peer = %ip, limit, "connection refused: max.connections.per.ip is reached");
                return;
            }
            *of_ip += 1;
            let open = Open { activity: Arc::clone(&activity), core: Arc::clone(&core), peer: ip, task: None };
            connections.open.insert(id, open);
        }
        core.load.fetch_add(1, Ordering::Relaxed);
        core.metrics.connections_opened.add(1);
        let guard = Guard {
            info: ConnectionInfo {
                id,
                peer: ip,
                listener: Arc::clone(listener),
                principal: "User:ANONYMOUS".into(),
                client_software: None,
            },
            core: Arc::clone(&core),
            shared: Arc::clone(self),
        };
        let task = match stream.into_std() {
            Ok(stream) => core.spawn(run(guard, stream, activity)),
            Err(error) => {
                tracing::warn!(peer = %ip, %error, "connection lost before it began");
                return;
            }
        };
        if let Some(open) = self.connections.lock().open.get_mut(&id) {
            open.task = Some(task);
        }
    }
}

/// Takes a connection off the books when its task ends, however it ends.
struct Guard<H: RequestHandler> {
    info: ConnectionInfo,
    core: Arc<Core>,
    shared: Arc<Shared<H>>,
}

impl<H: RequestHandler> Drop for Guard<H> {
    fn drop(&mut self) {
        {
            let mut connections = self.shared.connections.lock();
            connections.open.remove(&self.info.id);
            if let Some(of_ip) = connections.per_ip.get_mut(&self.info.peer) {
                *of_ip -= 1;
                if *of_ip == 0 {
                    connections.per_ip.remove(&self.info.peer);
                }
            }
        }
        self.core.load.fetch_sub(1, Ordering::Relaxed);
        self.core.metrics.connections_closed.add(1);
        self.shared.room.notify_one();
        self.shared.handler.closed(&self.info);
    }
}

async fn run<H: RequestHandler>(mut guard: Guard<H>, stream: std::net::TcpStream, activity: Arc<Activity>) {
    let stream = match adopt(stream) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(peer = %guard.info.peer, %error, "connection lost before it began");
            return;
        }
    };
    let context = Context {
        handler: Arc::clone(&guard.shared.handler),
        clock: guard.shared.clock,
        metrics: Arc::clone(&guard.core.metrics),
        budget: Arc::clone(&guard.shared.budget),
        max_request_bytes: guard.shared.config.max_request_bytes,
        activity,
    };
    let ended = connection::serve(&context, Transport::new(stream), &mut guard.info).await;
    let (peer, listener) = (guard.info.peer, &guard.info.listener);
    match ended {
        Ended::ByPeer => tracing::debug!(%peer, %listener, "connection closed by the peer"),
        Ended::Io(error) => tracing::debug!(%peer, %listener, %error, "connection lost"),
        Ended::Truncated => {
            context.metrics.bad_requests.add(1);
            tracing::debug!(%peer, %listener, "connection closed by the peer inside a request");
        }
        Ended::BadFrame(error) => {
            context.metrics.bad_requests.add(1);
            tracing::warn!(%peer, %listener, "connection closed: {error}");
        }
        Ended::Refused(why) => {
            context.metrics.bad_requests.add(1);
            tracing::warn!(%peer, %listener, "connection closed: {why}");
        }
    }
}

fn adopt(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    socket2::SockRef::from(&stream).set_keepalive(true)?;
    TcpStream::from_std(stream)
}

#[cfg(test)]
mod tests;
