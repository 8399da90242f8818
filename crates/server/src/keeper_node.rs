//! A keeper from its settings to its end: alone (`ottla keeper`), or inside of a broker.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_base::disk::{Disk, DiskLock};
use ottla_base::random::Random;
use ottla_keeper::keeper_server::KeeperServer;
use ottla_keeper::storage::KeeperStorage;

use crate::background::{Background, Task};
use crate::clock::Clock;
use crate::keeper_config::KeeperConfig;
use crate::keeper_host::{KeeperHost, KeeperParts};
use crate::real_disk::RealDisk;

/// How often the sizes of the data directories, which `dirs` and `mntr` tell, are looked up.
const SIZES_EVERY: Duration = Duration::from_secs(30);

/// Why a node can't start; one line with the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError(pub String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

impl StartError {
    pub(crate) fn new(text: impl fmt::Display) -> Self {
        Self(text.to_string())
    }

    /// No thread, no descriptor: the machine is out of something.
    pub(crate) fn system(error: &io::Error) -> Self {
        Self(format!("the system refused what a start needs: {error}; look at its limits (`ulimit -a`)"))
    }
}

/// A running keeper with its client port.
pub struct KeeperNode {
    host: Arc<KeeperHost>,
    address: SocketAddr,
    background: Background,
    /// Until the stop.
    lock: Option<Box<dyn DiskLock>>,
}

impl fmt::Debug for KeeperNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeeperNode({})", self.address)
    }
}

impl KeeperNode {
    /// Recovers the data and serves clients. `fatal` is called when the keeper can't go on.
    pub fn start(
        config: KeeperConfig,
        clock: Clock,
        fatal: impl Fn(String) + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let began = Instant::now();
        let socket = config.client.bind().map_err(StartError::new)?;
        let address = socket.local_addr().map_err(|e| StartError::system(&e))?;
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let lock = lock(disk.as_ref(), &config)?;
        let storage = KeeperStorage::open(Arc::clone(&disk), config.storage).map_err(StartError::new)?;
        let restored = storage.restore().map_err(StartError::new)?;
        tracing::info!(
            znodes = restored.database.tree().node_count(),
            snapshot = format_args!("{:#x}", restored.snapshot_zxid),
            transactions = restored.txns,
            "the keeper's tree is there"
        );
        let mut server_config = config.server;
        server_config.info.client_port = i32::from(address.port());
        let random = Random::new(crate::random_seed());
        let server = KeeperServer::new(server_config, restored.database, random, clock.now());
        let parts = KeeperParts { server, storage, clock, fatal: Box::new(fatal) };
        let host = Arc::new(KeeperHost::start(parts).map_err(|e| StartError::system(&e))?);
        let mut tasks = vec![sizes(Arc::clone(&host))];
        if let Some(every) = config.purge_interval {
            tasks.push(purge(Arc::clone(&host), every, config.purge_retain));
        }
        let background = Background::start("ottla-keeper-bg", clock, tasks).map_err(|e| StartError::system(&e))?;
        host.listen(socket).map_err(|e| StartError::system(&e))?;
        tracing::info!("the keeper is ready after {} ms", began.elapsed().as_millis());
        Ok(Self { host, address, background, lock: Some(lock) })
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    #[must_use]
    pub fn host(&self) -> &Arc<KeeperHost> {
        &self.host
    }

    /// Ends all connections; what was decided is on disk when this returns.
    pub fn stop(&mut self) {
        self.background.stop();
        self.host.stop();
        self.lock = None;
    }
}

fn lock(disk: &dyn Disk, config: &KeeperConfig) -> Result<Box<dyn DiskLock>, StartError> {
    let dir = &config.storage.data_dir;
    let locked = disk.create_dir_all(dir).and_then(|()| disk.lock(&dir.join(".lock")));
    locked.map_err(|error| {
        let dir = dir.display();
        match error.kind() {
            io::ErrorKind::WouldBlock => {
                StartError(format!("{dir} is locked by another keeper; stop that one, or point dataDir elsewhere"))
            }
            _ => StartError(format!("{dir} can't be used: {error}; make it writable, or point dataDir elsewhere")),
        }
    })
}

fn sizes(host: Arc<KeeperHost>) -> Task {
    let run = move |_| {
        match host.storage().sizes() {
            Ok((snapshots, logs)) => host.with_server(|server| server.set_dir_sizes(snapshots, logs)),
            Err(error) => tracing::warn!("{error}"),
        }
        false
    };
    Task { name: "keeper sizes", delay: Duration::ZERO, every: SIZES_EVERY, run: Box::new(run) }
}

fn purge(host: Arc<KeeperHost>, every: Duration, retain: usize) -> Task {
    let run = move |_| {
        if let Err(error) = host.storage().purge(retain) {
            tracing::warn!("old files of the keeper stay: {error}");
        }
        false
    };
    Task { name: "keeper purge", delay: Duration::ZERO, every, run: Box::new(run) }
}

#[cfg(test)]
mod tests;
