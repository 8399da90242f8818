//! An ensemble that changes while its servers run (`reconfigEnabled`): which configuration a server starts with, and what
//! follows when another one is committed. Who decides what is in [`crate::zab::membership`] and
//! [`crate::request_processor`].

use super::{EnsembleConfig, EnsembleServer, Output};
use crate::database::Database;
use crate::keeper_server::KeeperServer;
use crate::proto::CONFIG_NODE;
use crate::request_processor::EnsembleView;
use crate::zab::{Membership, QuorumVerifier};
use ottla_base::time::Now;
use std::collections::BTreeSet;
use std::sync::Arc;

fn readable(text: &[u8]) -> Option<QuorumVerifier> {
    QuorumVerifier::parse(std::str::from_utf8(text).ok()?).ok().filter(|verifier| !verifier.voters().is_empty())
}

/// The configuration in the tree, when it is later than this version.
fn later_in_tree(db: &Database, version: i64) -> Option<QuorumVerifier> {
    readable(db.tree.get(CONFIG_NODE)?.data()?).filter(|verifier| verifier.version > version)
}

/// The version of the configuration in the tree; 0 when there is none.
pub(crate) fn version_in_tree(db: &Database) -> i64 {
    later_in_tree(db, 0).map_or(0, |verifier| verifier.version)
}

/// At a start: the host keeps what was committed. Each later one that is known, or in a snapshot's tree, may be committed.
pub(super) fn membership(
    config: &EnsembleConfig,
    db: &Database,
    logged: &[Vec<u8>],
    overtaken: &[Vec<u8>],
) -> Membership {
    let active = Arc::clone(&config.zab.verifier);
    if !config.server.reconfig_enabled {
        return Membership::fixed(active);
    }
    let mut membership = Membership::dynamic(active, None);
    let in_tree = later_in_tree(db, membership.active().version);
    let mut all: Vec<QuorumVerifier> = logged.iter().filter_map(|text| readable(text)).chain(in_tree).collect();
    all.sort_by_key(|verifier| verifier.version);
    for verifier in all {
        membership.propose(Arc::new(verifier));
    }
    for verifier in overtaken.iter().filter_map(|text| readable(text)) {
        membership.was_overtaken(Arc::new(verifier));
    }
    if membership.is_changing() {
        let version = membership.last_seen().version;
        tracing::info!("the configuration of version {version:#x} was logged, and may be committed");
    }
    membership
}

/// Puts this server's configuration into the tree, unless it has a later one.
pub(super) fn set_ensemble_node(config: &EnsembleConfig, db: &mut Database, now: Now) {
    let verifier = &config.zab.verifier;
    if !config.server.reconfig_enabled || later_in_tree(db, verifier.version).is_none() {
        KeeperServer::set_ensemble_node(db, &verifier.to_string(), verifier.version, now);
    }
}

impl EnsembleServer {
    /// A configuration is committed: addresses, the tree and what operators are told go by it.
    pub(super) fn activated(&mut self, now: Now, verifier: Arc<QuorumVerifier>, out: &mut Vec<Output>) {
        self.config.zab.verifier = Arc::clone(&verifier);
        // The transaction has put it there; what others told has none. A tree that is away gets it when it comes back.
        if self.has_tree() && !self.keeper.has_ensemble_node(verifier.version) {
            self.keeper.put_ensemble_node(&verifier.to_string(), verifier.version, now);
        }
        self.timeline.stale = true;
        out.push(Output::ConfigActivated(verifier));
    }

    /// Tells those who decide requests who follows, when that changed.
    pub(super) fn refresh_view(&mut self) {
        let generation = self.zab.generation();
        if std::mem::replace(&mut self.seen_generation, generation) == generation {
            return;
        }
        let (membership, leader) = (self.zab.membership(), self.zab.leader());
        let view = leader.filter(|_| membership.is_dynamic()).map(|leader| {
            // Who is to observe by what was just committed follows for a moment still, and logs nothing more.
            let followers =
                leader.synced_learners().map(|(sid, observer)| (sid, observer || membership.is_observer(sid)));
            let followers = followers.filter(|(_, observer)| !observer).map(|(sid, _)| sid);
            let synced: BTreeSet<i64> = followers.chain([self.config.zab.sid]).collect();
            EnsembleView { active: Arc::clone(membership.active()), changing: membership.is_changing(), synced }
        });
        self.keeper.set_ensemble_view(view);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ensemble::Restored;
    use crate::jute::Jute;
    use crate::keeper_server::ServerConfig;
    use crate::proto::OpCode;
    use crate::txn::{SetDataTxn, TxnEntry, TxnHeader};
    use crate::zab::election::ElectionTiming;
    use crate::zab::messages::InitialMessage;
    use crate::zab::{Txn, ZabConfig};
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

    fn reconfig_txn(text: &str, version: i64) -> Txn {
        let header = TxnHeader { zxid: version, txn_type: OpCode::Reconfig.code(), ..Default::default() };
        let mut txn = header.to_bytes();
        SetDataTxn { path: CONFIG_NODE, data: Some(text.as_bytes()), version: -1 }.write(&mut txn);
        Txn { zxid: version, data: txn.into() }
    }

    #[test]
    fn of_two_changes_in_the_log_either_may_be_committed() {
        let epoch = 1 << 32;
        let txns = [reconfig_txn(&members(5, epoch + 1), epoch + 1), reconfig_txn(&members(3, epoch + 2), epoch + 2)];
        let mut db = Database::new(false);
        for txn in &txns {
            db.apply(&TxnEntry::decode(&txn.data).expect("good"), &mut ());
        }
        let membership = membership(&config(true), &db, &texts([members(5, epoch + 1), members(3, epoch + 2)]), &[]);
        assert_eq!(membership.last_seen().version, epoch + 2);
        assert!(!membership.has_quorums(&BTreeSet::from([1, 2])), "no quorum of the five");
        assert!(membership.has_quorums(&BTreeSet::from([1, 2, 3])));
    }

    fn texts<const N: usize>(texts: [String; N]) -> Vec<Vec<u8>> {
        texts.map(String::into_bytes).to_vec()
    }

    #[test]
    fn what_was_overtaken_is_asked_until_a_later_one_is_committed() {
        let epoch = 1 << 32;
        let mut db = Database::new(false);
        let last = reconfig_txn(&members(3, epoch + 9), epoch + 9);
        db.apply(&TxnEntry::decode(&last.data).expect("good"), &mut ());
        // The first of them is known to be committed, and one is there twice.
        let overtaken = texts([members(9, 0), members(5, epoch + 4), members(5, epoch + 4)]);
        let membership = membership(&config(true), &db, &[], &overtaken);
        assert_eq!(membership.last_seen().version, epoch + 9);
        assert!(!membership.has_quorums(&BTreeSet::from([1, 2])), "no quorum of the five");
        assert!(membership.has_quorums(&BTreeSet::from([1, 2, 3])));
        assert_eq!(membership.undecided().len(), 3);
        let now = Now { mono_us: 5, wall_ms: 5 };
        let (configurations, zab) = (Vec::new(), crate::zab::Restored::default());
        let restored = Restored { database: Box::new(db), zab, configurations, overtaken };
        let server = EnsembleServer::new(config(true), restored, Random::new(1), now, &mut Vec::new());
        assert!(!server.zab().membership().has_quorums(&BTreeSet::from([1, 2])));
    }

    #[test]
    fn what_was_logged_may_be_committed() {
        let version = (1 << 32) + 1;
        for enabled in [false, true] {
            let (mut db, now) = (Box::new(Database::new(false)), Now { mono_us: 5, wall_ms: 5 });
            let text = members(5, version);
            db.apply(&TxnEntry::decode(&reconfig_txn(&text, version).data).expect("good"), &mut ());
            let restored = Restored {
                database: db,
                zab: crate::zab::Restored::default(),
                configurations: Vec::new(),
                overtaken: Vec::new(),
            };
            let mut out = Vec::new();
            let server = EnsembleServer::new(config(enabled), restored, Random::new(1), now, &mut out);
            let membership = server.zab().membership();
            assert_eq!((membership.active().version, membership.is_changing()), (0, enabled));
            assert_eq!(membership.has_quorums(&BTreeSet::from([1, 2])), !enabled);
            assert!(membership.has_quorums(&BTreeSet::from([1, 2, 3])));
            let in_tree = server.keeper().db().tree().get(CONFIG_NODE).and_then(|node| node.data().map(<[u8]>::to_vec));
            let expected = if enabled { text } else { members(3, 0) };
            assert_eq!(in_tree, Some(expected.into_bytes()));
        }
    }
}
