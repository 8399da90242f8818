//! From one generation to the next: the join phase, its timers, and its end.

use ottla_base::time::Now;
use ottla_protocol::ErrorCode;

use super::classic_group::{ClassicGroup, GroupState, JoinPhase};
use super::messages::{Blob, GroupReply, JoinReply, SyncReply, Text};
use super::records::GroupRecord;
use super::shard::{Fx, GroupShard, Then, TimerKey};

impl GroupShard {
    pub(super) fn max_group_size(&self) -> usize {
        self.config.group_max_size.max(1) as usize
    }

    fn arm_join_phase(&mut self, now: Now, group_id: &Text, after_ms: u64, phase: JoinPhase) {
        if let Some(group) = self.classic_mut(group_id) {
            group.join_phase = phase;
            self.timers.arm(TimerKey::Join(group_id.clone()), now.mono_ms() + after_ms);
        }
    }

    /// Begins a rebalance, or sees whether the one under way can end.
    pub(super) fn rebalance_or_complete_join(&mut self, now: Now, group_id: &Text, reason: &str, fx: &mut Fx) {
        if self.classic(group_id).is_some_and(ClassicGroup::can_rebalance) {
            self.prepare_rebalance(now, group_id, reason, fx);
        } else {
            self.maybe_complete_join(now, group_id, fx);
        }
    }

    /// Ends the join phase if everybody joined; the initial one ends by time only.
    pub(super) fn maybe_complete_join(&mut self, now: Now, group_id: &Text, fx: &mut Fx) {
        let Some(group) = self.classic(group_id) else { return };
        if group.is(GroupState::PreparingRebalance)
            && group.previous_state() != GroupState::Empty
            && group.has_all_members_joined()
        {
            self.complete_join_phase(now, group_id, fx);
        }
    }

    /// Has all members join again. Panics when they are being asked to already.
    pub(super) fn prepare_rebalance(&mut self, now: Now, group_id: &Text, reason: &str, fx: &mut Fx) {
        let Some(group) = self.classic_mut(group_id) else { return };
        if group.is(GroupState::CompletingRebalance) {
            // Whoever waits for the leader's assignment joins again instead.
            reset_assignments(group, ErrorCode::RebalanceInProgress, fx);
        }
        group.pending_sync.clear();
        let initial = group.is(GroupState::Empty);
        group.transition_to(GroupState::PreparingRebalance, now.wall_ms);
        tracing::info!(group = %group_id, generation = group.generation, reason, "preparing to rebalance");
        let rebalance_timeout_ms = group.rebalance_timeout_ms();
        let all_joined = group.has_all_members_joined();
        self.timers.cancel(&TimerKey::Sync(group_id.clone()));
        let delay_ms = self.config.group_initial_rebalance_delay_ms.max(0) as u64;
        if initial && delay_ms > 0 {
            // The group is new: give more members the time to come, so that they share one rebalance.
            let remaining_ms = rebalance_timeout_ms.saturating_sub(delay_ms);
            self.arm_join_phase(now, group_id, delay_ms, JoinPhase::Initial { delay_ms, remaining_ms });
        } else if initial || all_joined {
            self.complete_join_phase(now, group_id, fx);
        } else {
            self.arm_join_phase(now, group_id, rebalance_timeout_ms, JoinPhase::Rebalance);
        }
    }

    pub(super) fn join_phase_expired(&mut self, now: Now, group_id: &Text, fx: &mut Fx) {
        let full_delay_ms = self.config.group_initial_rebalance_delay_ms.max(0) as u64;
        let Some(group) = self.classic_mut(group_id) else { return };
        if !group.is(GroupState::PreparingRebalance) {
            return;
        }
        match group.join_phase {
            JoinPhase::Initial { delay_ms, remaining_ms } if group.new_member_added && remaining_ms != 0 => {
                group.new_member_added = false;
                let next_delay_ms = full_delay_ms.min(remaining_ms);
                let phase =
                    JoinPhase::Initial { delay_ms: next_delay_ms, remaining_ms: remaining_ms.saturating_sub(delay_ms) };
                self.arm_join_phase(now, group_id, next_delay_ms, phase);
            }
            JoinPhase::Initial { .. } | JoinPhase::Rebalance => self.complete_join_phase(now, group_id, fx),
        }
    }

    /// Ends the join phase with those who joined; dynamic members who didn't are out.
    pub(super) fn complete_join_phase(&mut self, now: Now, group_id: &Text, fx: &mut Fx) {
        self.timers.cancel(&TimerKey::Join(group_id.clone()));
        let Some(group) = self.classic_mut(group_id) else { return };
        let absent: Vec<Text> = group
            .members()
            .filter(|member| member.awaiting_join.is_none() && !member.is_static())
            .map(|member| member.member_id.clone())
            .collect();
        if !absent.is_empty() {
            tracing::info!(group = %group_id, members = ?absent, "members did not rejoin in time and are out");
        }
        for member_id in &absent {
            self.remove_member(group_id, member_id, fx);
        }
        let Some(group) = self.classic_mut(group_id) else { return };
        if !group.elect_joined_leader() && group.members().len() > 0 {
            // Only static members are left, and none of them joined: wait until one does, or until their sessions expire.
            tracing::warn!(group = %group_id, "no member rejoined; waiting on");
            let timeout_ms = group.rebalance_timeout_ms();
            self.arm_join_phase(now, group_id, timeout_ms, JoinPhase::Rebalance);
            return;
        }
        group.init_next_generation(now.wall_ms);
        if group.is(GroupState::Empty) {
            tracing::info!(group = %group_id, generation = group.generation, "the group is empty now");
            let record = GroupRecord::of(group);
            self.append_group(fx, record, Then::Nothing);
        } else {
            self.start_sync_phase(now, group_id, fx);
        }
    }

    /// Answers all who joined, and waits for them to sync.
    fn start_sync_phase(&mut self, now: Now, group_id: &Text, fx: &mut Fx) {
        let Some(group) = self.classic_mut(group_id) else { return };
        tracing::info!(group = %group_id, generation = group.generation, members = group.members().len(), "stabilized");
        let joined: Vec<Text> = group.members().map(|member| member.member_id.clone()).collect();
        for member_id in &joined {
            let reply = joined_reply(group, member_id);
            group.pending_sync.insert(member_id.clone());
            let Some(member) = group.member_mut(member_id) else { continue };
            member.is_new = false;
            if let Some(ticket) = member.awaiting_join.take() {
                fx.reply(ticket, GroupReply::Join(reply));
            }
        }
        let sync_timeout_ms = group.rebalance_timeout_ms();
        for member_id in &joined {
            self.renew_session(now, group_id, member_id);
        }
        self.timers.arm(TimerKey::Sync(group_id.clone()), now.mono_ms() + sync_timeout_ms);
    }

    pub(super) fn sync_expired(&mut self, now: Now, group_id: &Text, fx: &mut Fx) {
        let Some(group) = self.classic_mut(group_id) else { return };
        let syncing = group.is(GroupState::CompletingRebalance) || group.is(GroupState::Stable);
        let absent = std::mem::take(&mut group.pending_sync);
        if !syncing || absent.is_empty() {
            return;
        }
        for member_id in &absent {
            self.remove_member(group_id, member_id, fx);
        }
        self.prepare_rebalance(now, group_id, &format!("members did not sync in time: {absent:?}"), fx);
    }
}

/// The answer to a member that is in the current generation; the leader is told of all members.
pub(super) fn joined_reply(group: &ClassicGroup, member_id: &Text) -> JoinReply {
    JoinReply {
        error: ErrorCode::None,
        generation: group.generation,
        protocol_type: group.protocol_type.clone(),
        protocol_name: group.protocol_name.clone(),
        leader: group.leader.clone().unwrap_or_else(|| "".into()),
        skip_assignment: false,
        member_id: member_id.clone(),
        members: if group.is_leader(member_id) { group.joined_members() } else { Vec::new() },
    }
}

/// Forgets all assignments and answers the SyncGroups that wait with `error`.
pub(super) fn reset_assignments(group: &mut ClassicGroup, error: ErrorCode, fx: &mut Fx) {
    for member in group.members_mut() {
        member.assignment = Blob::default();
        if let Some(ticket) = member.awaiting_sync.take() {
            fx.reply(ticket, GroupReply::Sync(SyncReply::error(error)));
        }
    }
}
