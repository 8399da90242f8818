//! A broker from its settings to its end, with a keeper inside unless `zookeeper.connect` names another.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use ottla_base::disk::Disk;
use ottla_base::random::Random;
use ottla_broker::broker::{Broker, BrokerParts};
use ottla_broker::config::{BrokerConfig, Endpoint, SharedConfig};
use ottla_broker::control::{ControlInbox, ControlInput};
use ottla_broker::control_plane::{ControlPlane, ControlPlaneConfig, StoredIdentity};
use ottla_broker::metadata_cache::MetadataCache;
use ottla_storage::config::ManagerConfig;
use ottla_storage::meta_properties;
use ottla_storage::{LogConfig, LogManager, SharedLog};
use parking_lot::Mutex;

use crate::background::Background;
use crate::broker_link::BrokerLinks;
use crate::broker_metrics::{BrokerSource, KeeperSource};
use crate::clock::Clock;
use crate::control_driver::{ControlDriver, Inbox};
use crate::descriptors;
use crate::gate::Gate;
use crate::http;
use crate::keeper_node::{KeeperNode, StartError};
use crate::listener::{BindTo, Reserved};
use crate::log_tasks;
use crate::metrics::{Metrics, Process};
pub use crate::progress::NodeState;
use crate::progress::Progress;
use crate::real_disk::RealDisk;
use crate::runtime::Cores;
use crate::socket_server::{ConnectionLimits, SocketServer, SocketServerConfig};

mod embedded_keeper;

/// How long a stop waits for the control plane to leave the cluster in good order.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(30);
/// The same when the node stops because it has failed: the keeper may be what failed.
const FAILED_LEAVE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a broker may take to answer the controller (`controller.socket.timeout.ms`).
const BROKER_TIMEOUT: Duration = Duration::from_secs(30);
/// Logs that a clean stop closes at once. The threads only wait for the disk, which makes several syncs into one.
const CLOSING_THREADS: usize = 16;
/// How long looking up this machine's own name may take.
const NAME_TIMEOUT: Duration = Duration::from_secs(2);

/// A running broker.
pub struct Node {
    addresses: BTreeMap<String, SocketAddr>,
    metrics_address: Option<SocketAddr>,
    metrics: Arc<Metrics>,
    broker: Arc<Broker>,
    clock: Clock,
    cores: Arc<Cores>,
    server: Arc<SocketServer<Gate>>,
    inbox: Arc<dyn ControlInbox>,
    control: Option<JoinHandle<()>>,
    background: Vec<Background>,
    keeper: Option<KeeperNode>,
    progress: Arc<Progress>,
    stopped: bool,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({:?})", self.addresses)
    }
}

/// Starts a broker; it serves clients once [`Node::wait_ready`] says so.
pub fn start_node(config: BrokerConfig) -> Result<Node, StartError> {
    descriptors::raise_limit();
    let clock = Clock::start();
    let progress = Arc::new(Progress::new());
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let dirs: Vec<PathBuf> = config.log_dirs.iter().map(|dir| absolute(dir)).collect();
    let listening = Listening::bind(config)?;
    let logs = Arc::new(
        LogManager::open(Arc::clone(&disk), &dirs, manager_config(&listening.config)).map_err(StartError::new)?,
    );
    let config = &listening.config;
    let stored = meta_properties::identify(disk.as_ref(), &dirs, None, config.broker_id).map_err(StartError::new)?;

    let metrics = Arc::new(Metrics::default());
    metrics.add_source(Arc::new(Process::started_now()));
    let keeper = embedded_keeper::start(config, &dirs[0], clock, &progress, stored.broker_id)?;
    let keeper_client = embedded_keeper::client(config, keeper.as_ref())?;
    let keeper = keeper.map(|keeper| keeper.node);
    let cores = Cores::start(network_threads(config), &metrics).map_err(|e| StartError::system(&e))?;

    let shared = Arc::new(SharedConfig::new(config.clone()));
    load_logs(&logs, &shared, clock)?;
    let (sender, queue) = mpsc::channel();
    let inbox: Arc<dyn ControlInbox> = Arc::new(Inbox(sender));
    let broker = Broker::new(BrokerParts {
        config: Arc::clone(&shared),
        logs: Arc::clone(&logs),
        metadata: Arc::new(MetadataCache::default()),
        control: Arc::clone(&inbox),
        random: Random::new(crate::random_seed()),
    });
    metrics.add_source(Arc::new(BrokerSource::new(Arc::clone(&broker))));
    if let Some(keeper) = &keeper {
        metrics.add_source(Arc::new(KeeperSource::new(Arc::clone(keeper.host()))));
    }
    let gate = Gate::new(Arc::clone(&broker), clock);
    cores.spawn(Arc::clone(&gate).run_timers());

    let server = SocketServer::new(socket_server_config(config)?, Arc::clone(&gate), Arc::clone(&cores), clock);
    let server = Arc::new(server);
    let metrics_address = serve_metrics(config, &cores, &metrics)?;
    let background = log_tasks::start(config, &broker, clock).map_err(|e| StartError::system(&e))?;
    let addresses = listening.addresses()?;
    let mut plane = ControlPlane::new(ControlPlaneConfig {
        shared: Arc::clone(&shared),
        advertised: listening.advertised(),
        stored: StoredIdentity { cluster_id: stored.cluster_id, broker_id: stored.broker_id },
        seed: crate::random_seed(),
    });
    let driver = ControlDriver {
        step: Box::new(move |now, input, out| plane.step(now, input, out)),
        queue,
        inbox: Arc::clone(&inbox),
        gate: Arc::clone(&gate),
        cores: Arc::clone(&cores),
        clock,
        keeper: keeper_client,
        links: BrokerLinks::new(Arc::clone(&cores), Arc::clone(&inbox), BROKER_TIMEOUT),
        inter_broker_listener: config.inter_broker_listener_name.as_str().into(),
        progress: Arc::clone(&progress),
        open_listeners: Some(open_listeners(listening.sockets, Arc::clone(&server))),
        on_broker_config: on_broker_config(Arc::clone(&server)),
    };
    let control = std::thread::Builder::new().name("ottla-control".to_owned()).spawn(move || driver.run());
    let control = control.map_err(|e| StartError::system(&e))?;

    Ok(Node {
        addresses,
        metrics_address,
        metrics,
        broker,
        clock,
        cores,
        server,
        inbox,
        control: Some(control),
        background,
        keeper,
        progress,
        stopped: false,
    })
}

fn open_listeners(
    sockets: Vec<(Endpoint, Reserved)>,
    server: Arc<SocketServer<Gate>>,
) -> Box<dyn FnOnce() -> Result<(), StartError> + Send> {
    Box::new(move || {
        for (endpoint, socket) in sockets {
            let socket = socket.listen().map_err(StartError::new)?;
            server.listen(&endpoint.listener, socket).map_err(|e| StartError::system(&e))?;
        }
        Ok(())
    })
}

impl Node {
    /// Where each listener listens, by its name.
    #[must_use]
    pub fn addresses(&self) -> &BTreeMap<String, SocketAddr> {
        &self.addresses
    }

    /// Where clients of the keeper inside connect, if there is one.
    #[must_use]
    pub fn keeper_address(&self) -> Option<SocketAddr> {
        self.keeper.as_ref().map(KeeperNode::address)
    }

    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    #[must_use]
    pub fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    #[must_use]
    pub fn state(&self) -> NodeState {
        self.progress.state()
    }

    /// Waits until clients are served, or it is clear that they won't be.
    pub fn wait_ready(&self, timeout: Duration) -> Result<(), StartError> {
        match self.progress.wait_started(timeout) {
            NodeState::Ready => Ok(()),
            NodeState::Failed(why) => Err(StartError(why)),
            NodeState::Stopped => Err(StartError::new("the node was stopped")),
            NodeState::Starting => Err(StartError(format!(
                "not ready after {} s; is the keeper of zookeeper.connect reachable?",
                timeout.as_secs()
            ))),
        }
    }

    /// Stops the node when the process gets SIGTERM or SIGINT.
    pub fn stop_on_signals(&self) {
        let progress = Arc::clone(&self.progress);
        self.cores.spawn(async move {
            match crate::signals::ending().await {
                Ok(name) => tracing::info!("{name}: stopping"),
                Err(error) => return tracing::warn!(%error, "signals end this process at once"),
            }
            progress.ask_to_stop();
            if crate::signals::ending().await.is_ok() {
                tracing::warn!("a second signal: leaving at once");
                std::process::exit(1);
            }
        });
    }

    /// Fails the node when it is not ready in time. A keeper inside that is one of an ensemble waits for the others as
    /// long as it takes, and so does its broker: whoever starts three machines does not start them at once.
    pub fn give_up_after(&self, patience: Duration) {
        if self.keeper.as_ref().is_some_and(|keeper| keeper.host().is_member()) {
            return;
        }
        let progress = Arc::clone(&self.progress);
        self.cores.spawn(async move {
            tokio::time::sleep(patience).await;
            if progress.state() == NodeState::Starting {
                let seconds = patience.as_secs();
                progress.fail(format!(
                    "not ready after {seconds} s: no keeper answered; check zookeeper.connect, or raise \
                     zookeeper.connection.timeout.ms"
                ));
            }
        });
    }

    /// Waits until the node has to stop, stops it, and gives why it could not go on, if that was the reason.
    pub fn run_to_end(mut self) -> Result<(), StartError> {
        self.progress.wait_over();
        self.stop();
        match self.progress.state() {
            NodeState::Failed(why) => Err(StartError(why)),
            _ => Ok(()),
        }
    }

    /// Leaves the cluster in good order and closes the logs, so that the next start need not look through them.
    pub fn stop(&mut self) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        self.inbox.submit(ControlInput::Shutdown);
        let failed = matches!(self.progress.state(), NodeState::Failed(_));
        let patience = if failed { FAILED_LEAVE_TIMEOUT } else { LEAVE_TIMEOUT };
        if !self.progress.wait_control_ended(patience) {
            tracing::warn!("stopping without having left the cluster in good order: the keeper does not answer");
        }
        self.server.stop();
        for background in &mut self.background {
            background.stop();
        }
        let epoch = self.broker.shared.broker_epoch();
        self.broker.replicas.logs().close_with(epoch, self.clock.now(), close_logs);
        if let Some(keeper) = &mut self.keeper {
            keeper.stop();
        }
        self.cores.stop();
        if self.progress.wait_control_ended(Duration::ZERO)
            && let Some(control) = self.control.take()
        {
            let _ = control.join();
        }
        self.progress.stopped();
        tracing::info!("stopped");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The open listeners, and the settings with their real ports.
struct Listening {
    config: BrokerConfig,
    sockets: Vec<(Endpoint, Reserved)>,
}

impl Listening {
    fn bind(config: BrokerConfig) -> Result<Self, StartError> {
        let mut sockets = Vec::new();
        for endpoint in &config.listeners {
            if endpoint.security_protocol != "PLAINTEXT" {
                let protocol = &endpoint.security_protocol;
                return Err(StartError(format!(
                    "listeners={endpoint}: {protocol} is not served by this version; use a PLAINTEXT listener"
                )));
            }
            sockets.push((endpoint.clone(), bind_to(&config, endpoint).reserve().map_err(StartError::new)?));
        }
        let mut listening = Self { config, sockets };
        listening.fill_in_ports()?;
        Ok(listening)
    }

    /// Port 0 in `listeners` becomes the one that the system chose, wherever it is told.
    fn fill_in_ports(&mut self) -> Result<(), StartError> {
        if self.sockets.iter().all(|(endpoint, _)| endpoint.port != 0) {
            return Ok(());
        }
        for (endpoint, socket) in &mut self.sockets {
            endpoint.port = socket.local_addr().map_err(|e| StartError::system(&e))?.port();
        }
        let bound: Vec<&Endpoint> = self.sockets.iter().map(|(endpoint, _)| endpoint).collect();
        let told: Vec<Endpoint> = self.config.advertised_listeners.iter().map(|told| with_port(told, &bound)).collect();
        let join = |endpoints: &mut dyn Iterator<Item = &Endpoint>| {
            endpoints.map(ToString::to_string).collect::<Vec<_>>().join(",")
        };
        let mut file = self.config.layers.file.clone();
        file.insert("listeners".to_owned(), join(&mut bound.into_iter()));
        file.insert("advertised.listeners".to_owned(), join(&mut told.iter()));
        self.config = BrokerConfig::from_map(file).map_err(StartError::new)?;
        Ok(())
    }

    fn addresses(&self) -> Result<BTreeMap<String, SocketAddr>, StartError> {
        let address = |(endpoint, socket): &(Endpoint, Reserved)| Ok((endpoint.listener.clone(), socket.local_addr()?));
        self.sockets.iter().map(address).collect::<std::io::Result<_>>().map_err(|e| StartError::system(&e))
    }

    /// What clients and other brokers are told: every host and port is there.
    fn advertised(&self) -> Vec<Endpoint> {
        let mut told = self.config.advertised_listeners.clone();
        if told.iter().any(|endpoint| endpoint.host.is_empty()) {
            let name = own_name();
            for endpoint in told.iter_mut().filter(|endpoint| endpoint.host.is_empty()) {
                endpoint.host.clone_from(&name);
            }
        }
        told
    }
}

fn with_port(told: &Endpoint, bound: &[&Endpoint]) -> Endpoint {
    let real = bound.iter().find(|endpoint| endpoint.listener == told.listener && told.port == 0);
    Endpoint { port: real.map_or(told.port, |endpoint| endpoint.port), ..told.clone() }
}

fn bind_to(config: &BrokerConfig, endpoint: &Endpoint) -> BindTo {
    // For what is received, Kafka's default of 100 KB is from a time when the kernel did not choose well by itself.
    let buffer = |name: &str, bytes: i32| {
        let is_set = config.layers.get(name).is_some();
        usize::try_from(bytes).ok().filter(|bytes| is_set && *bytes > 0)
    };
    BindTo {
        host: endpoint.host.clone(),
        port: endpoint.port,
        // Kafka's default even when not set: what is sent stays in the processor's cache until it is received, which
        // saves a quarter of a fetch's CPU. -1 leaves it to the kernel, for links that are fast and long.
        send_buffer: usize::try_from(config.socket_send_buffer_bytes).ok().filter(|&bytes| bytes > 0),
        receive_buffer: buffer("socket.receive.buffer.bytes", config.socket_receive_buffer_bytes),
        backlog: config.socket_listen_backlog_size,
        setting: "listeners",
    }
}

/// The name by which other machines may know this one; `localhost` when its own name means nothing here.
fn own_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    let (sender, resolved) = mpsc::channel();
    let asked = name.clone();
    // A thread, because a lookup without network may take long; it ends by itself.
    let lookup = std::thread::Builder::new().name("ottla-name".to_owned()).spawn(move || {
        let known = std::net::ToSocketAddrs::to_socket_addrs(&(asked.as_str(), 0)).is_ok();
        let _ = sender.send(known);
    });
    if !name.is_empty() && lookup.is_ok() && resolved.recv_timeout(NAME_TIMEOUT) == Ok(true) {
        return name;
    }
    tracing::warn!(
        "this machine's name {name:?} can't be resolved: telling clients localhost; set advertised.listeners"
    );
    "localhost".to_owned()
}

fn absolute(dir: &str) -> PathBuf {
    std::path::absolute(dir).unwrap_or_else(|_| PathBuf::from(dir))
}

fn manager_config(config: &BrokerConfig) -> ManagerConfig {
    ManagerConfig {
        producer_id_expiration_ms: i64::from(config.producer_id_expiration_ms),
        cleaner_dedupe_buffer_bytes: usize::try_from(config.log_cleaner_dedupe_buffer_size).unwrap_or(usize::MAX),
        cleaner_load_factor: config.log_cleaner_io_buffer_load_factor,
    }
}

fn network_threads(config: &BrokerConfig) -> usize {
    match config.layers.get("num.network.threads") {
        Some(_) => usize::try_from(config.num_network_threads).unwrap_or(1),
        // One per core: more would only take turns.
        None => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
    }
}

/// Opens all logs, some per directory at the same time (`num.recovery.threads.per.data.dir`).
fn load_logs(logs: &Arc<LogManager>, shared: &SharedConfig, clock: Clock) -> Result<(), StartError> {
    let configs: Mutex<BTreeMap<String, Arc<LogConfig>>> = Mutex::default();
    let config_of = |topic: &str| {
        let mut configs = configs.lock();
        if let Some(config) = configs.get(topic) {
            return Arc::clone(config);
        }
        let config = Arc::new(shared.log_config(topic));
        configs.insert(topic.to_owned(), Arc::clone(&config));
        config
    };
    let now = clock.now();
    let tasks = logs.plan_load(now).map_err(StartError::new)?;
    let threads = shared.broker().num_recovery_threads_per_data_dir.max(1) as usize * logs.dirs().len();
    let (count, queue) = (tasks.len(), Mutex::new(tasks.into_iter()));
    let work = || {
        loop {
            let Some(task) = queue.lock().next() else { return };
            logs.run_load(&task, &config_of, now);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(count) {
            scope.spawn(work);
        }
        work();
    });
    if count > 0 {
        let ms = clock.now().mono_ms() - now.mono_ms();
        tracing::info!("opened {count} logs in {ms} ms");
    }
    logs.finish_load().map_err(StartError::new)
}

/// Closes logs, many at once.
fn close_logs(logs: &[SharedLog], close: &(dyn Fn(&SharedLog) + Sync)) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(log) = logs.get(next.fetch_add(1, Ordering::Relaxed)) {
            close(log);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..CLOSING_THREADS.min(logs.len()) {
            scope.spawn(work);
        }
        work();
    });
}

fn socket_server_config(config: &BrokerConfig) -> Result<SocketServerConfig, StartError> {
    let defaults = SocketServerConfig::default();
    let queued = config.layers.get("queued.max.request.bytes").and_then(|text| text.trim().parse::<i64>().ok());
    Ok(SocketServerConfig {
        max_request_bytes: bound(config.socket_request_max_bytes),
        max_queued_bytes: queued
            .and_then(|bytes| usize::try_from(bytes).ok())
            .filter(|bytes| *bytes > 0)
            .unwrap_or(defaults.max_queued_bytes),
        max_idle: u64::try_from(config.connections_max_idle_ms).ok().map(Duration::from_millis),
        limits: connection_limits(config)?,
    })
}

fn connection_limits(config: &BrokerConfig) -> Result<ConnectionLimits, StartError> {
    Ok(ConnectionLimits {
        max: bound(config.max_connections).min(descriptors::for_clients()),
        max_per_ip: bound(config.max_connections_per_ip),
        per_ip_overrides: per_ip_overrides(&config.max_connections_per_ip_overrides)?,
    })
}

/// A limit of the settings as a count.
fn bound(value: i32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// What of the dynamic settings the sockets have to know.
fn on_broker_config(server: Arc<SocketServer<Gate>>) -> Box<dyn Fn(&BrokerConfig) + Send> {
    Box::new(move |config| match connection_limits(config) {
        Ok(limits) => server.set_limits(limits),
        Err(error) => tracing::error!("the limits of connections stay as they are: {error}"),
    })
}

fn per_ip_overrides(text: &str) -> Result<BTreeMap<IpAddr, usize>, StartError> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let read = |item: &str| {
        let (host, count) = item.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let address = std::net::ToSocketAddrs::to_socket_addrs(&(host, 0)).ok()?.next()?;
        Some((address.ip().to_canonical(), count.trim().parse().ok()?))
    };
    let bad =
        |item: &str| StartError(format!("max.connections.per.ip.overrides: {item:?} is not of the form host:count"));
    items.map(|item| read(item).ok_or_else(|| bad(item))).collect()
}

/// A taken port is an error only where it was asked for: several brokers on one machine share the default.
fn serve_metrics(
    config: &BrokerConfig,
    cores: &Arc<Cores>,
    metrics: &Arc<Metrics>,
) -> Result<Option<SocketAddr>, StartError> {
    const SETTING: &str = "ottla.metrics.listener";
    let text = config.ottla_metrics_listener.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let address = text.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    let Some((host, port)) = address else {
        return Err(StartError(format!("{SETTING}={text} must be host:port, :port, or empty for none")));
    };
    let to = BindTo { host, port, send_buffer: None, receive_buffer: None, backlog: 16, setting: SETTING };
    match to.bind() {
        Ok(socket) => {
            let address = socket.local_addr().map_err(|e| StartError::system(&e))?;
            cores.spawn(http::serve(socket, Arc::clone(metrics)));
            tracing::info!("metrics for Prometheus on http://{address}/metrics");
            Ok(Some(address))
        }
        Err(error) if config.layers.get(SETTING).is_none() => {
            tracing::warn!("no metrics: {error}");
            Ok(None)
        }
        Err(error) => Err(StartError::new(error)),
    }
}

#[cfg(test)]
mod tests;
