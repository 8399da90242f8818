//! Sessions: heartbeats, and members whose heartbeats stay away.

use ottla_base::time::Now;
use ottla_protocol::ErrorCode;

use super::classic_group::GroupState;
use super::messages::{GroupReply, HeartbeatRequest, JoinReply, Text};
use super::shard::{Fx, GroupShard, TimerKey};

impl GroupShard {
    pub(super) fn arm_heartbeat(&mut self, now: Now, group_id: &Text, member_id: &Text, timeout_ms: i32) {
        let key = TimerKey::Heartbeat(group_id.clone(), member_id.clone());
        self.timers.arm(key, now.mono_ms() + timeout_ms.max(0) as u64);
    }

    /// Starts a member's session anew, if it is one.
    pub(super) fn renew_session(&mut self, now: Now, group_id: &str, member_id: &str) {
        let Some(group) = self.classic(group_id) else { return };
        let Some(member) = group.member(member_id) else { return };
        let (group_id, member_id, timeout_ms) = (group.id.clone(), member.member_id.clone(), member.session_timeout_ms);
        self.arm_heartbeat(now, &group_id, &member_id, timeout_ms);
    }

    pub(super) fn cancel_heartbeat(&mut self, group_id: &Text, member_id: &Text) {
        self.timers.cancel(&TimerKey::Heartbeat(group_id.clone(), member_id.clone()));
    }

    pub(super) fn heartbeat(&mut self, now: Now, request: &HeartbeatRequest) -> ErrorCode {
        if request.group_id.is_empty() {
            return ErrorCode::InvalidGroupId;
        }
        let Some(group) = self.classic(&request.group_id) else { return ErrorCode::UnknownMemberId };
        if let Err(error) = group.validate_member(&request.member_id, request.instance_id.as_deref()) {
            return error;
        }
        if request.generation != group.generation {
            return ErrorCode::IllegalGeneration;
        }
        let answer = match group.state() {
            GroupState::Empty => return ErrorCode::UnknownMemberId,
            GroupState::PreparingRebalance => ErrorCode::RebalanceInProgress,
            // A member may send heartbeats as soon as it has its JoinGroup answer.
            GroupState::CompletingRebalance | GroupState::Stable => ErrorCode::None,
        };
        self.renew_session(now, &request.group_id, &request.member_id);
        answer
    }

    pub(super) fn heartbeat_expired(&mut self, now: Now, group_id: &Text, member_id: &Text, fx: &mut Fx) {
        let Some(group) = self.classic_mut(group_id) else { return };
        if group.is_pending_join(member_id) {
            tracing::info!(group = %group_id, member = %member_id, "a pending member did not come back in time");
            group.remove(member_id);
            if group.is(GroupState::PreparingRebalance) && group.has_all_members_joined() {
                self.complete_join_phase(now, group_id, fx);
            }
            return;
        }
        if group.member(member_id).is_some_and(|member| !member.has_satisfied_heartbeat()) {
            tracing::info!(group = %group_id, member = %member_id, "a member's session expired");
            self.remove_member(group_id, member_id, fx);
            self.rebalance_without(now, group_id, &format!("the session of {member_id} expired"), fx);
        }
    }

    /// Takes a member out; a JoinGroup or SyncGroup of it that waits is told so that a live client joins again.
    pub(super) fn remove_member(&mut self, group_id: &Text, member_id: &Text, fx: &mut Fx) {
        self.cancel_heartbeat(group_id, member_id);
        let Some(member) = self.classic_mut(group_id).and_then(|group| group.remove(member_id)) else { return };
        if let Some(ticket) = member.awaiting_join {
            fx.reply(ticket, GroupReply::Join(JoinReply::error("", ErrorCode::UnknownMemberId)));
        }
        if let Some(ticket) = member.awaiting_sync {
            let reply = super::messages::SyncReply::error(ErrorCode::UnknownMemberId);
            fx.reply(ticket, GroupReply::Sync(reply));
        }
    }

    /// What follows when members are gone.
    pub(super) fn rebalance_without(&mut self, now: Now, group_id: &Text, reason: &str, fx: &mut Fx) {
        let Some(group) = self.classic(group_id) else { return };
        match group.state() {
            GroupState::Empty => {}
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(now, group_id, reason, fx),
            GroupState::PreparingRebalance => {
                if group.has_all_members_joined() {
                    self.complete_join_phase(now, group_id, fx);
                }
            }
        }
    }
}
