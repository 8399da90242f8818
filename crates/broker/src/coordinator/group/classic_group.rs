//! A group of the classic protocol: its members, generation and state, without timers or answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_base::random::Random;
use ottla_protocol::ErrorCode;

use super::classic_member::ClassicMember;
use super::consumer_protocol;
use super::messages::{JoinedMember, MemberProtocol, Text};

/// Where a group is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[doc(alias = "ClassicGroupState")]
pub enum GroupState {
    /// No members; may have offsets.
    Empty,
    /// Waiting for members to (re)join.
    PreparingRebalance,
    /// Waiting for the leader's assignment.
    CompletingRebalance,
    /// Every member has, or can fetch, its assignment.
    Stable,
}

impl GroupState {
    /// The name in ListGroups and DescribeGroups.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// How the join phase under way ends by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinPhase {
    /// The group was empty: wait `delay_ms`, and again while members keep coming, `remaining_ms` more at most.
    Initial { delay_ms: u64, remaining_ms: u64 },
    /// Members have their rebalance timeout to rejoin.
    Rebalance,
}

/// A group of the classic protocol.
#[derive(Clone, Debug)]
pub struct ClassicGroup {
    pub id: Text,
    state: GroupState,
    previous_state: GroupState,
    /// Wall-clock milliseconds since which the state holds; unknown for groups stored by very old brokers.
    pub state_since_ms: Option<i64>,
    /// `None` until a first member joins: a group that only stores offsets.
    pub protocol_type: Option<Text>,
    /// What the members voted for; `None` while empty.
    pub protocol_name: Option<Text>,
    /// 0 before the first.
    pub generation: i32,
    pub leader: Option<Text>,
    members: BTreeMap<Text, ClassicMember>,
    /// Member ids by `group.instance.id`.
    static_members: BTreeMap<Text, Text>,
    /// Members that were given an id and asked to come again with it (KIP-394).
    pending_join: BTreeSet<Text>,
    /// Members that joined this generation and have not synced yet.
    pub pending_sync: BTreeSet<Text>,
    /// Number of members that support each protocol.
    supported: BTreeMap<Text, usize>,
    /// Topics that the members subscribe to, where they use the consumer protocol and their metadata can be read.
    pub subscribed_topics: Option<BTreeSet<Text>>,
    /// A member came while the initial rebalance waited.
    pub new_member_added: bool,
    pub join_phase: JoinPhase,
}

impl ClassicGroup {
    /// A group without members.
    #[must_use]
    pub fn new(id: Text, now_ms: i64) -> Self {
        Self {
            id,
            state: GroupState::Empty,
            previous_state: GroupState::Empty,
            state_since_ms: Some(now_ms),
            protocol_type: None,
            protocol_name: None,
            generation: 0,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_join: BTreeSet::new(),
            pending_sync: BTreeSet::new(),
            supported: BTreeMap::new(),
            subscribed_topics: None,
            new_member_added: false,
            join_phase: JoinPhase::Rebalance,
        }
    }

    #[must_use]
    pub fn state(&self) -> GroupState {
        self.state
    }

    #[must_use]
    pub fn is(&self, state: GroupState) -> bool {
        self.state == state
    }

    #[must_use]
    pub fn previous_state(&self) -> GroupState {
        self.previous_state
    }

    /// Goes to `state`. Panics when there is no way from the current state to it: our own mistake.
    pub fn transition_to(&mut self, state: GroupState, now_ms: i64) {
        use GroupState::{CompletingRebalance, Empty, PreparingRebalance, Stable};
        let allowed = match state {
            Empty | CompletingRebalance => self.state == PreparingRebalance,
            PreparingRebalance => self.state != PreparingRebalance,
            Stable => self.state == CompletingRebalance,
        };
        assert!(allowed, "group {} cannot go from {:?} to {state:?}", self.id, self.state);
        self.previous_state = self.state;
        self.state = state;
        self.state_since_ms = Some(now_ms);
    }

    /// The state of a group just read from the log, which takes no transition.
    pub(super) fn set_loaded_state(&mut self) {
        self.state = if self.members.is_empty() { GroupState::Empty } else { GroupState::Stable };
        self.previous_state = self.state;
    }

    #[must_use]
    pub fn has_member(&self, member_id: &str) -> bool {
        self.members.contains_key(member_id)
    }

    #[must_use]
    pub fn member(&self, member_id: &str) -> Option<&ClassicMember> {
        self.members.get(member_id)
    }

    pub fn member_mut(&mut self, member_id: &str) -> Option<&mut ClassicMember> {
        self.members.get_mut(member_id)
    }

    /// All members, by id.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &ClassicMember> {
        self.members.values()
    }

    pub fn members_mut(&mut self) -> impl Iterator<Item = &mut ClassicMember> {
        self.members.values_mut()
    }

    #[must_use]
    pub fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    #[must_use]
    pub fn static_member_id(&self, instance_id: &str) -> Option<&Text> {
        self.static_members.get(instance_id)
    }

    #[must_use]
    pub fn is_pending_join(&self, member_id: &str) -> bool {
        self.pending_join.contains(member_id)
    }

    #[must_use]
    pub fn pending_join_count(&self) -> usize {
        self.pending_join.len()
    }

    pub fn add_pending_join(&mut self, member_id: Text) {
        self.pending_join.insert(member_id);
    }

    #[must_use]
    pub fn awaiting_join_count(&self) -> usize {
        self.members.values().filter(|member| member.awaiting_join.is_some()).count()
    }

    #[must_use]
    pub fn has_all_members_joined(&self) -> bool {
        self.pending_join.is_empty() && self.members.values().all(|member| member.awaiting_join.is_some())
    }

    /// Whether a rebalance can begin.
    #[must_use]
    pub fn can_rebalance(&self) -> bool {
        self.state != GroupState::PreparingRebalance
    }

    #[must_use]
    pub fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(consumer_protocol::PROTOCOL_TYPE)
    }

    /// The longest of the members' rebalance timeouts.
    #[must_use]
    pub fn rebalance_timeout_ms(&self) -> u64 {
        self.members.values().map(|member| member.rebalance_timeout_ms.max(0) as u64).max().unwrap_or(0)
    }

    /// Adds a member whose protocols were found supported. The first one of a group sets its protocol type and leads it.
    pub fn add(&mut self, member: ClassicMember) {
        if self.members.is_empty() {
            self.protocol_type = Some(member.protocol_type.clone());
        }
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), member.member_id.clone());
        }
        if self.leader.is_none() {
            self.leader = Some(member.member_id.clone());
        }
        self.pending_join.remove(&member.member_id);
        self.count_protocols(&member.protocols);
        self.members.insert(member.member_id.clone(), member);
    }

    /// Takes a member out, pending or not. A leader's place goes to another member.
    pub fn remove(&mut self, member_id: &str) -> Option<ClassicMember> {
        let removed = self.members.remove(member_id);
        if let Some(member) = &removed {
            self.uncount_protocols(&member.protocols);
            if let Some(instance_id) = &member.instance_id
                && self.static_members.get(instance_id).is_some_and(|id| **id == *member_id)
            {
                self.static_members.remove(instance_id);
            }
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_join.remove(member_id);
        self.pending_sync.remove(member_id);
        removed
    }

    /// Gives a static member, by its instance id, a new member id; gives the member as it was.
    pub fn replace_static_member(&mut self, instance_id: &Text, old_id: &str, new_id: &Text) -> ClassicMember {
        let old = self.members.remove(old_id).expect("a static member's id names a member");
        if self.is_leader(old_id) {
            self.leader = Some(new_id.clone());
        }
        self.pending_sync.remove(old_id);
        self.static_members.insert(instance_id.clone(), new_id.clone());
        let new = ClassicMember {
            member_id: new_id.clone(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
            ..old.clone()
        };
        self.members.insert(new_id.clone(), new);
        old
    }

    /// Takes over what a member's new JoinGroup says.
    pub fn update_member(&mut self, member_id: &str, protocols: Vec<MemberProtocol>, timeouts_ms: (i32, i32)) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        let old = std::mem::replace(&mut member.protocols, protocols.clone());
        (member.rebalance_timeout_ms, member.session_timeout_ms) = timeouts_ms;
        self.uncount_protocols(&old);
        self.count_protocols(&protocols);
    }

    fn count_protocols(&mut self, protocols: &[MemberProtocol]) {
        for protocol in protocols {
            *self.supported.entry(protocol.name.clone()).or_default() += 1;
        }
    }

    fn uncount_protocols(&mut self, protocols: &[MemberProtocol]) {
        for protocol in protocols {
            let count = self.supported.get_mut(&protocol.name).expect("a member's protocols are counted");
            *count -= 1;
            if *count == 0 {
                self.supported.remove(&protocol.name);
            }
        }
    }

    /// Whether a member with these protocols could be in the group without leaving it without a common one.
    #[must_use]
    pub fn supports(&self, protocol_type: &str, protocols: &[MemberProtocol]) -> bool {
        if self.state == GroupState::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|p| self.supported.get(&p.name).copied().unwrap_or(0) == self.members.len())
    }

    /// The protocol that most members prefer among those that all support. Panics without members.
    #[must_use]
    pub fn select_protocol(&self) -> Text {
        let all = self.members.len();
        let candidates: BTreeSet<Text> =
            self.supported.iter().filter(|(_, count)| **count == all).map(|(name, _)| name.clone()).collect();
        let mut votes: BTreeMap<&Text, usize> = BTreeMap::new();
        for vote in self.members.values().filter_map(|member| member.vote(&candidates)) {
            *votes.entry(vote).or_default() += 1;
        }
        // Of several with the most votes the first by name, so that the outcome depends on nothing else.
        let most = votes.values().copied().max().expect("the members have a protocol in common");
        let (selected, _) = votes.into_iter().find(|(_, count)| *count == most).expect("one has the most votes");
        selected.clone()
    }

    /// Begins the next generation with the members there are; ends in CompletingRebalance, or Empty without members.
    pub fn init_next_generation(&mut self, now_ms: i64) {
        self.generation = self.generation.wrapping_add(1);
        let next = if self.members.is_empty() {
            self.protocol_name = None;
            GroupState::Empty
        } else {
            self.protocol_name = Some(self.select_protocol());
            GroupState::CompletingRebalance
        };
        self.subscribed_topics = self.compute_subscribed_topics();
        self.transition_to(next, now_ms);
        self.pending_sync.clear();
    }

    /// If the leader did not rejoin, lets a member that did lead. False when nobody rejoined.
    pub fn elect_joined_leader(&mut self) -> bool {
        let Some(leader) = &self.leader else { return false };
        if self.members.get(leader).is_some_and(|member| member.awaiting_join.is_some()) {
            return true;
        }
        match self.members.values().find(|member| member.awaiting_join.is_some()) {
            Some(member) => {
                tracing::info!(group = %self.id, old = %leader, new = %member.member_id, "the leader did not rejoin; another member leads");
                self.leader = Some(member.member_id.clone());
                true
            }
            None => false,
        }
    }

    /// What the members subscribe to; `None` where that is not known.
    #[must_use]
    pub fn compute_subscribed_topics(&self) -> Option<BTreeSet<Text>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol_name.as_deref()?;
        let mut topics: BTreeSet<Text> = BTreeSet::new();
        for member in self.members.values() {
            match consumer_protocol::subscribed_topics(member.metadata(protocol)?) {
                Some(subscribed) => topics.extend(subscribed.into_iter().map(Arc::from)),
                None => {
                    tracing::warn!(group = %self.id, member = %member.member_id, "the subscription cannot be read");
                    return None;
                }
            }
        }
        Some(topics)
    }

    /// Whether the group consumes the topic; assumed of consumers whose subscriptions can't be read.
    #[must_use]
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    /// Whether `member_id` is a member, and the one that `instance_id` stands for now.
    pub fn validate_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(current) if **current != *member_id => {
                    tracing::info!(group = %self.id, %member_id, %instance_id, %current, "a static member was replaced and is fenced");
                    return Err(ErrorCode::FencedInstanceId);
                }
                Some(_) => {}
            }
        }
        if self.has_member(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// The members as the leader is told of them.
    #[must_use]
    pub fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol_name.as_deref().unwrap_or("");
        let joined = |member: &ClassicMember| JoinedMember {
            member_id: member.member_id.clone(),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(protocol).cloned().unwrap_or_default(),
        };
        self.members.values().map(joined).collect()
    }

    /// A group that nobody joined and that was never stored: nothing is lost with it.
    #[must_use]
    pub fn is_pristine(&self) -> bool {
        self.state == GroupState::Empty
            && self.generation == 0
            && self.protocol_type.is_none()
            && self.members.is_empty()
            && self.pending_join.is_empty()
    }
}

/// Longest prefix of a member id in bytes: the whole must fit the protocol's strings of 32 KB.
const MAX_PREFIX_BYTES: usize = 32_000;

/// `<client id or instance id>-<random UUID>`.
#[must_use]
pub fn generate_member_id(prefix: &str, random: &mut Random) -> Text {
    let prefix = &prefix[..prefix.floor_char_boundary(MAX_PREFIX_BYTES)];
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    let id = u128::from_be_bytes(ottla_base::ids::Uuid::from_random(bytes).0);
    // RFC 9562 sets two variant bits too.
    let id = (id & !(0b11 << 62)) | (0b10 << 62);
    let part = |shift: u32, bits: u32| (id >> shift) & ((1u128 << bits) - 1);
    format!(
        "{prefix}-{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        part(96, 32),
        part(80, 16),
        part(64, 16),
        part(48, 16),
        part(0, 48)
    )
    .into()
}
