//! An ensemble that changes while its servers run (`reconfigEnabled`): a leader that can do this, which ours can't, commits
//! the new members; every server goes by them from then on, after a start too, as they are in the tree.

use super::{EnsembleConfig, EnsembleServer};
use crate::database::Database;
use crate::keeper_server::KeeperServer;
use crate::proto::OpCode;
use crate::txn::{Txn, TxnEntry};
use crate::zab::{self, QuorumVerifier};
use ottla_base::time::Now;
use std::sync::Arc;

const NODE: &str = "/zookeeper/config";

/// The members that a text tells of, if they are later than those known.
fn later(config: &EnsembleConfig, text: &[u8]) -> Option<Arc<QuorumVerifier>> {
    let text = std::str::from_utf8(text).ok().filter(|text| config.server.reconfig_enabled && !text.is_empty())?;
    match QuorumVerifier::parse(text) {
        Ok(verifier) if verifier.version > config.zab.verifier.version => Some(Arc::new(verifier)),
        Ok(_) => None,
        Err(why) => {
            tracing::error!("the ensemble's new configuration can't be read ({why}); this server keeps the old one");
            None
        }
    }
}

fn in_tree(db: &Database) -> Option<&[u8]> {
    db.tree.get(NODE)?.data()
}

/// At a start: what was committed before counts, not what the file of then says.
pub(super) fn adopt_restored(config: &mut EnsembleConfig, db: &Database) {
    if let Some(verifier) = in_tree(db).and_then(|text| later(config, text)) {
        tracing::info!("going by the configuration of version {:#x} in the tree", verifier.version);
        config.zab.verifier = verifier;
    }
}

/// Puts this server's configuration into the tree, unless it has a later one.
pub(super) fn set_ensemble_node(config: &EnsembleConfig, db: &mut Database, now: Now) {
    if in_tree(db).and_then(|text| later(config, text)).is_none() {
        let verifier = &config.zab.verifier;
        KeeperServer::set_ensemble_node(db, &verifier.to_string(), verifier.version, now);
    }
}

/// The new configuration, when a transaction is one.
pub(super) fn committed(txn: &[u8]) -> Option<&[u8]> {
    // The type is the last field of the header.
    let kind = txn.get(28..32)?;
    if kind != OpCode::Reconfig.code().to_be_bytes() {
        return None;
    }
    match TxnEntry::decode(txn).ok()?.txn {
        Txn::SetData(txn) => txn.data,
        _ => None,
    }
}

impl EnsembleServer {
    /// Goes by a configuration that a leader told, if it is later.
    pub(super) fn adopt(&mut self, text: &[u8]) {
        if let Some(verifier) = later(&self.config, text) {
            tracing::info!("the ensemble is reconfigured: version {:#x}", verifier.version);
            self.config.zab.verifier = Arc::clone(&verifier);
            self.wants.push_back(zab::Input::Reconfigured(verifier));
            self.timeline.stale = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jute::Jute;
    use crate::keeper_server::ServerConfig;
    use crate::txn::{SetDataTxn, TxnHeader};
    use crate::zab::ZabConfig;
    use crate::zab::election::ElectionTiming;
    use crate::zab::messages::InitialMessage;
    use ottla_base::random::Random;

    fn members(count: i64, version: i64) -> String {
        let lines = (1..=count).map(|sid| format!("server.{sid}=h{sid}:2888:3888:participant\n"));
        lines.collect::<String>() + &format!("version={version:x}")
    }

    fn config(reconfig_enabled: bool) -> EnsembleConfig {
        EnsembleConfig {
            zab: ZabConfig {
                sid: 1,
                tick_time_ms: 2_000,
                init_limit: 10,
                sync_limit: 5,
                commit_log_count: 500,
                election: ElectionTiming::default(),
                verifier: Arc::new(QuorumVerifier::parse(&members(3, 0)).expect("good")),
            },
            server: ServerConfig { reconfig_enabled, ..ServerConfig::default() },
            election: InitialMessage { sid: 1, election_addresses: vec![("h1".to_owned(), 3_888)] },
            leader_serves: true,
        }
    }

    fn txn(zxid: i64, text: &str) -> Vec<u8> {
        let mut txn = TxnHeader { zxid, txn_type: OpCode::Reconfig.code(), ..Default::default() }.to_bytes();
        SetDataTxn { path: NODE, data: Some(text.as_bytes()), version: -1 }.write(&mut txn);
        txn
    }

    #[test]
    fn the_latest_members_count() {
        for enabled in [false, true] {
            let (mut db, now) = (Box::new(Database::new(false)), Now { mono_us: 5, wall_ms: 5 });
            let reconfigured = txn((1 << 32) + 1, &members(5, (1 << 32) + 1));
            assert_eq!(committed(&reconfigured), Some(members(5, (1 << 32) + 1).as_bytes()));
            assert_eq!(committed(&reconfigured[..31]), None);
            db.apply(&TxnEntry::decode(&reconfigured).expect("good"), &mut ());
            let restored = super::super::Restored { database: db, zab: zab::Restored::default() };
            let mut out = Vec::new();
            let mut server = EnsembleServer::new(config(enabled), restored, Random::new(1), now, &mut out);
            let known = |server: &EnsembleServer| {
                let text = in_tree(server.keeper().db()).map(|text| String::from_utf8_lossy(text).into_owned());
                assert_eq!(text, Some(server.config.zab.verifier.to_string()));
                (server.config.zab.verifier.members().len(), server.config.zab.verifier.version)
            };
            assert_eq!(known(&server), if enabled { (5, (1 << 32) + 1) } else { (3, 0) });
            // An earlier one and nonsense change nothing.
            for text in [members(4, 7).into_bytes(), vec![0xff], b"server.1=nowhere\nversion=fff00000000".to_vec()] {
                server.wants.clear();
                server.adopt(&text);
                assert_eq!(server.wants.len(), 0);
            }
            server.adopt(members(4, 9 << 32).as_bytes());
            assert_eq!(server.config.zab.verifier.members().len(), if enabled { 4 } else { 3 });
            assert_eq!(server.wants.len(), usize::from(enabled));
        }
    }
}
