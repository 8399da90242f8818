//! The keeper in a broker's process, and how the broker reaches its keeper: this one, those of other brokers, or the one
//! of `zookeeper.connect`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ottla_broker::config::BrokerConfig;
use ottla_client::keeper_client::{ConnectString, KeeperAddress, KeeperClientConfig};
use ottla_keeper::config::QuorumPeerConfig;

use crate::clock::Clock;
use crate::keeper_config::KeeperConfig;
use crate::keeper_node::{KeeperNode, StartError};
use crate::progress::Progress;

/// A keeper in this process.
pub(super) struct EmbeddedKeeper {
    pub node: KeeperNode,
    /// Where the others of its ensemble take clients, as far as their lines tell.
    others: Vec<KeeperAddress>,
}

/// The keeper in this process; `None` when `zookeeper.connect` names others.
pub(super) fn start(
    config: &BrokerConfig,
    first_dir: &Path,
    clock: Clock,
    progress: &Arc<Progress>,
    stored_id: Option<i32>,
) -> Result<Option<EmbeddedKeeper>, StartError> {
    if config.zookeeper_connect.is_some() {
        return Ok(None);
    }
    // Beside the log directory, not in it: Kafka takes every folder in there for a partition.
    let mut beside = first_dir.as_os_str().to_owned();
    beside.push("-keeper");
    let id = config.broker_id.map(i64::from);
    let (keeper_config, warning) =
        KeeperConfig::embedded(&config.keeper, PathBuf::from(beside), id).map_err(StartError::new)?;
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    let others = keeper_config.ensemble.as_ref().map(client_addresses).unwrap_or_default();
    let progress = Arc::clone(progress);
    let node = KeeperNode::start(keeper_config, clock, move |why| progress.fail(why))?;
    if !node.host().is_member() {
        end_former_session(&node, stored_id);
    }
    Ok(Some(EmbeddedKeeper { node, others }))
}

/// The other servers' `;clientPort`s; an address that stands for all of a machine's is that of the machine.
fn client_addresses(ensemble: &QuorumPeerConfig) -> Vec<KeeperAddress> {
    let others = ensemble.verifier.members().iter().filter(|(sid, _)| **sid != ensemble.sid);
    let address = |spec: &ottla_keeper::config::ServerSpec| {
        let (host, port) = spec.client.clone()?;
        let host = host.filter(|host| !matches!(host.as_str(), "0.0.0.0" | "::"));
        Some(KeeperAddress { host: host.or_else(|| Some(spec.addresses.first()?.host.clone()))?, port })
    };
    others.filter_map(|(_, spec)| address(spec)).collect()
}

/// The broker that lived in this process before is gone with it: the lock of the log directory says so. Its session need
/// not run out for this one to register.
fn end_former_session(keeper: &KeeperNode, stored_id: Option<i32>) {
    let Some(id) = stored_id else { return };
    let path = format!("/brokers/ids/{id}");
    let owner = keeper.host().with_server(|server| server.db().tree().get(&path).map(|n| n.stat().ephemeral_owner));
    if let Some(session_id) = owner.filter(|owner| *owner != 0) {
        tracing::info!("ending the session of this broker's former life");
        keeper.host().end_session(session_id);
    }
}

/// How the broker reaches its keeper.
pub(super) fn client(config: &BrokerConfig, keeper: Option<&EmbeddedKeeper>) -> Result<KeeperClientConfig, StartError> {
    let session = Duration::from_millis(config.zookeeper_session_timeout_ms.max(1) as u64);
    let seed = crate::random_seed();
    let servers = |text: &str| ConnectString::parse(text).map_err(|e| StartError(format!("zookeeper.connect: {e}")));
    Ok(match keeper {
        Some(keeper) => {
            let mut all = servers(&format!("127.0.0.1:{}", keeper.node.address().port()))?;
            all.servers.extend(keeper.others.iter().cloned());
            let connector = keeper.node.host().connector(keeper.others.clone());
            KeeperClientConfig { connector, ..KeeperClientConfig::new(all, session, seed) }
        }
        None => KeeperClientConfig::new(servers(config.zookeeper_connect.as_deref().unwrap_or(""))?, session, seed),
    })
}
