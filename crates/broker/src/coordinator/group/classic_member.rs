//! A member of a classic group.

use std::collections::BTreeSet;

use super::messages::{Blob, MemberProtocol, Text};
use crate::coordinator::shard::Ticket;

/// What the coordinator knows of a member.
#[derive(Clone, Debug)]
#[doc(alias = "ClassicGroupMember")]
pub struct ClassicMember {
    pub member_id: Text,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<Text>,
    pub client_id: Text,
    pub client_host: Text,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub protocol_type: Text,
    /// In its order of preference; one at least.
    pub protocols: Vec<MemberProtocol>,
    /// Of the current generation; empty before it.
    pub assignment: Blob,
    /// Its JoinGroup that waits for the rebalance.
    pub awaiting_join: Option<Ticket>,
    /// Its SyncGroup that waits for the leader's.
    pub awaiting_sync: Option<Ticket>,
    /// Never saw a generation begin: it may be dropped even while it waits, because it may have gone without our noticing.
    pub is_new: bool,
}

impl ClassicMember {
    /// The metadata for a protocol, `None` if the member doesn't support it.
    #[must_use]
    pub fn metadata(&self, protocol: &str) -> Option<&Blob> {
        self.protocols.iter().find(|p| &*p.name == protocol).map(|p| &p.metadata)
    }

    /// The first of its protocols that is a candidate.
    #[must_use]
    pub fn vote(&self, candidates: &BTreeSet<Text>) -> Option<&Text> {
        self.protocols.iter().map(|p| &p.name).find(|name| candidates.contains(*name))
    }

    /// Whether a heartbeat that is due can be waived: the member waits for us.
    #[must_use]
    pub fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    #[must_use]
    pub fn is_static(&self) -> bool {
        self.instance_id.is_some()
    }
}
