//! A keeper from its settings to its end: alone (`ottla keeper`), or inside of a broker.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_base::disk::{Disk, DiskLock};
use ottla_base::random::Random;
use ottla_keeper::config::QuorumPeerConfig;
use ottla_keeper::ensemble::{EnsembleConfig, EnsembleServer, JournalWriter};
use ottla_keeper::keeper_server::{KeeperServer, ServerConfig};
use ottla_keeper::storage::{KeeperStorage, StorageConfig};
use ottla_keeper::zab::ZabConfig;
use ottla_keeper::zab::messages::InitialMessage;

use crate::background::{Background, Task};
use crate::clock::Clock;
use crate::keeper_config::KeeperConfig;
use crate::keeper_host::{Journal, KeeperHost, KeeperParts, Server};
use crate::keeper_operator::{self, Operator};
use crate::keeper_quorum::{Patience, Ports};
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
    operator: Operator,
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
        crate::descriptors::raise_limit();
        let socket = config.client.bind().map_err(StartError::new)?;
        let address = socket.local_addr().map_err(|e| StartError::system(&e))?;
        let ports = config.ensemble.as_ref().map(Ports::bind).transpose().map_err(StartError::new)?;
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let lock = lock(disk.as_ref(), &config)?;
        // Whoever knew it could make names that are all in one place of their table.
        let storage_config = StorageConfig { name_seed: crate::random_seed(), ..config.storage };
        let storage = KeeperStorage::open(Arc::clone(&disk), storage_config).map_err(StartError::new)?;
        let mut server_config = config.server;
        server_config.info.client_port = i32::from(address.port());
        server_config.info.client_address = address.to_string();
        server_config.info.environment = keeper_operator::environment();
        let parts = match config.ensemble {
            None => alone(server_config, storage, clock, Box::new(fatal))?,
            Some(ensemble) => KeeperParts {
                dynamic_files: config.dynamic_files,
                ..member(&ensemble, server_config, storage, clock, Box::new(fatal))?
            },
        };
        let host = Arc::new(KeeperHost::start(parts).map_err(|e| StartError::system(&e))?);
        if let Some(ports) = ports {
            host.listen_to_peers(ports);
        }
        let mut tasks = vec![sizes(Arc::clone(&host))];
        if let Some(every) = config.purge_interval {
            tasks.push(purge(Arc::clone(&host), every, config.purge_retain));
        }
        let background = Background::start("ottla-keeper-bg", clock, tasks).map_err(|e| StartError::system(&e))?;
        host.listen(socket).map_err(|e| StartError::system(&e))?;
        host.note_snapshot_found();
        let operator = Operator::start(&host, config.operator)?;
        tracing::info!("the keeper is ready after {} ms", began.elapsed().as_millis());
        Ok(Self { host, address, operator, background, lock: Some(lock) })
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
        self.operator.stop();
        self.background.stop();
        self.host.stop();
        self.lock = None;
    }
}

type Fatal = Box<dyn Fn(String) + Send + Sync>;

/// A server alone, with what its directory holds.
pub(crate) fn alone(
    config: ServerConfig,
    storage: KeeperStorage,
    clock: Clock,
    fatal: Fatal,
) -> Result<KeeperParts, StartError> {
    let began_us = clock.mono_us();
    let restored = storage.restore().map_err(StartError::new)?;
    let took_us = clock.mono_us().saturating_sub(began_us);
    tracing::info!(
        znodes = restored.database.tree().node_count(),
        snapshot = format_args!("{:#x}", restored.snapshot_zxid),
        transactions = restored.txns,
        "the keeper's tree is there"
    );
    let random = Random::new(crate::random_seed());
    let mut server = KeeperServer::new(config, restored.database, random, clock.now());
    server.stats_mut().db_init_time.add(took_us);
    server.stats_mut().startup_txns_loaded.add(restored.txns);
    Ok(KeeperParts {
        server: Server::Alone(Box::new(server)),
        journal: Journal::Alone(storage.log()),
        first: Vec::new(),
        patience: Patience::default(),
        dynamic_files: None,
        storage,
        clock,
        fatal,
    })
}

/// A server of an ensemble, with what its directory holds; it looks for a leader from now on.
fn member(
    quorum: &QuorumPeerConfig,
    server: ServerConfig,
    storage: KeeperStorage,
    clock: Clock,
    fatal: Fatal,
) -> Result<KeeperParts, StartError> {
    let tail = quorum.commit_log_count as usize;
    let restored = match quorum.reconfig_enabled {
        true => storage.restore_members(tail, quorum.verifier.version),
        false => storage.restore_ensemble(tail),
    };
    let restored = restored.map_err(StartError::new)?;
    tracing::info!(
        znodes = restored.database.tree().node_count(),
        last_zxid = format_args!("{:#x}", restored.zab.last_zxid),
        epoch = restored.zab.current_epoch,
        "the keeper's tree is there; this is server {} of {:?}",
        quorum.sid,
        quorum.verifier.members().keys().collect::<Vec<_>>()
    );
    let addresses = quorum.own().map(|own| own.addresses.as_slice()).unwrap_or_default();
    let config = EnsembleConfig {
        zab: ZabConfig {
            sid: quorum.sid,
            tick_time_ms: quorum.tick_time_ms.into(),
            init_limit: quorum.init_limit.into(),
            sync_limit: quorum.sync_limit.into(),
            commit_log_count: quorum.commit_log_count as usize,
            election: quorum.election,
            verifier: Arc::clone(&quorum.verifier),
        },
        server,
        election: InitialMessage {
            sid: quorum.sid,
            election_addresses: addresses.iter().map(|a| (a.host.clone(), a.election_port)).collect(),
        },
        leader_serves: quorum.leader_serves,
    };
    let mut first = Vec::new();
    let random = Random::new(crate::random_seed());
    let server = EnsembleServer::new(config, restored, random, clock.now(), &mut first);
    Ok(KeeperParts {
        server: Server::Member(Box::new(server)),
        journal: Journal::Member(Box::new(JournalWriter::new(&storage))),
        first,
        patience: Patience::new(quorum),
        dynamic_files: None,
        storage,
        clock,
        fatal,
    })
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
        keeper_operator::note_descriptors(&host);
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
