//! The machine itself.

use super::{EnsembleConfig, Input, Output, Restored};
use crate::keeper_server::KeeperServer;
use crate::zab::ZabPeer;
use crate::zab::election_connections::ElectionConnections;
use crate::zab::messages::ServerState;
use ottla_base::random::Random;
use ottla_base::time::Now;

/// A server of an ensemble; see the module.
#[derive(Debug)]
pub struct EnsembleServer {
    config: EnsembleConfig,
    keeper: KeeperServer,
    zab: ZabPeer,
    election: ElectionConnections,
}

impl EnsembleServer {
    /// A server whose data directory holds `restored`; its first election begins.
    #[must_use]
    pub fn new(config: EnsembleConfig, restored: Restored, random: Random, now: Now, out: &mut Vec<Output>) -> Self {
        let mut zab_out = Vec::new();
        let zab = ZabPeer::new(config.zab.clone(), restored.zab, now, &mut zab_out);
        let keeper = KeeperServer::new(config.server.clone(), *restored.database, random, now);
        let election = ElectionConnections::new(config.election.clone());
        out.clear();
        Self { config, keeper, zab, election }
    }

    /// One input, and what follows from it.
    pub fn step(&mut self, now: Now, input: Input<'_>, out: &mut Vec<Output>) {
        let _ = (now, input, out, &self.election, &self.config);
    }

    /// When [`Input::Tick`] is next needed, in milliseconds of the clock that never goes back.
    #[must_use]
    pub fn next_wakeup_ms(&self) -> u64 {
        self.zab.next_wakeup_ms().min(self.keeper.next_tick_ms())
    }

    /// What its clients are served by: for words, metrics and the admin server.
    #[must_use]
    pub fn keeper(&self) -> &KeeperServer {
        &self.keeper
    }

    /// As [`Self::keeper`]. Nothing is put in here.
    pub fn keeper_mut(&mut self) -> &mut KeeperServer {
        &mut self.keeper
    }

    /// What the server does.
    #[must_use]
    pub fn role(&self) -> ServerState {
        self.zab.state()
    }

    /// Whom it follows, itself when it leads.
    #[must_use]
    pub fn leader_sid(&self) -> Option<i64> {
        self.zab.leader_sid()
    }

    /// Is it synchronised with a quorum? (A leader with `leaderServes=no` is, and serves no clients.)
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.zab.is_serving()
    }

    /// The last epoch whose history it has.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.zab.journal().current_epoch()
    }
}
