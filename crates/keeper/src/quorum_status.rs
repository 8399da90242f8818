//! What an ensemble tells of a server to operators: filled by whoever drives Zab
//! ([`crate::keeper_server::KeeperServer::set_quorum_status`]), read by the four-letter words, the admin commands and the
//! metrics.

use crate::config::ServerSpec;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What a server of an ensemble does.
#[doc(alias = "ServerState")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    #[default]
    Looking,
    Following,
    Observing,
    Leading,
}

impl Role {
    /// As `srvr` and `mntr` call it.
    #[must_use]
    pub fn mode(self) -> &'static str {
        match self {
            Self::Looking => "leaderelection",
            Self::Following => "follower",
            Self::Observing => "observer",
            Self::Leading => "leader",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Looking => "looking",
            Self::Following => "following",
            Self::Observing => "observing",
            Self::Leading => "leading",
        }
    }
}

/// Where a server is within Zab.
#[doc(alias = "QuorumPeer.ZabState")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ZabState {
    #[default]
    Election,
    Discovery,
    Synchronization,
    Broadcast,
}

impl ZabState {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Election => "election",
            Self::Discovery => "discovery",
            Self::Synchronization => "synchronization",
            Self::Broadcast => "broadcast",
        }
    }
}

/// A learner as its leader sees it (`observers`).
#[doc(alias = "LearnerHandler.getLearnerHandlerInfo")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnerStatus {
    pub address: SocketAddr,
    pub sid: i64,
    /// Milliseconds since 1970.
    pub established_ms: i64,
    pub queued_packets: u64,
    pub queued_bytes: u64,
    pub packets_received: u64,
    pub packets_sent: u64,
    pub requests: u64,
    pub last_zxid: i64,
}

/// A server's place in its ensemble.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuorumStatus {
    pub my_id: i64,
    pub role: Role,
    pub zab_state: ZabState,
    pub leader_id: Option<i64>,
    /// All servers of the configuration, and its version.
    pub servers: BTreeMap<i64, ServerSpec>,
    pub config_version: i64,
    pub init_limit: u32,
    pub sync_limit: u32,
    /// As a leader: everybody connected, and those of them that have our state.
    pub learners: u64,
    pub synced_followers: u64,
    pub synced_non_voting_followers: u64,
    /// Observers that have our state.
    pub observers: Vec<LearnerStatus>,
    /// `sync` requests that wait for a commit.
    pub pending_syncs: u64,
    pub leader_uptime_ms: u64,
    /// It looks for a leader, and serves reads meanwhile.
    pub read_only: bool,
}

impl QuorumStatus {
    /// As `srvr` tells it.
    #[must_use]
    pub fn mode(&self) -> &'static str {
        if self.read_only { "read-only" } else { self.role.mode() }
    }

    /// As `mntr` tells it: `leading - broadcast`.
    #[must_use]
    pub fn peer_state(&self) -> String {
        format!("{} - {}", self.role.name(), self.zab_state.name())
    }

    /// Servers that vote.
    #[must_use]
    pub fn voters(&self) -> usize {
        self.servers.values().filter(|server| server.role == crate::config::Role::Participant).count()
    }
}
