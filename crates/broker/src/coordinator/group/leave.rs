//! LeaveGroup.

use ottla_base::time::Now;
use ottla_protocol::ErrorCode;

use super::classic_group::ClassicGroup;
use super::messages::{LeaveReply, LeaveRequest, LeavingMember, LeftMember};
use super::shard::{Fx, GroupShard};

impl GroupShard {
    pub(super) fn leave(&mut self, now: Now, request: LeaveRequest, fx: &mut Fx) -> LeaveReply {
        if request.group_id.is_empty() {
            return LeaveReply { error: ErrorCode::InvalidGroupId, members: Vec::new() };
        }
        let group_id = request.group_id;
        let mut members = Vec::with_capacity(request.members.len());
        for leaving in request.members {
            let error = match self.classic(&group_id) {
                None => ErrorCode::UnknownMemberId,
                Some(group) => match who_leaves(group, &leaving) {
                    Ok(member_id) => {
                        let reason = leaving.reason.as_deref().unwrap_or("not provided");
                        tracing::info!(group = %group_id, member = %member_id, reason, "a member leaves");
                        self.remove_member(&group_id, &member_id, fx);
                        ErrorCode::None
                    }
                    Err(error) => error,
                },
            };
            members.push(LeftMember { member_id: leaving.member_id, instance_id: leaving.instance_id, error });
        }
        if members.iter().any(|member| member.error == ErrorCode::None) {
            self.after_leaving(now, &group_id, fx);
        }
        LeaveReply { error: ErrorCode::None, members }
    }

    fn after_leaving(&mut self, now: Now, group_id: &super::messages::Text, fx: &mut Fx) {
        use super::classic_group::GroupState::{CompletingRebalance, Empty, PreparingRebalance, Stable};
        let Some(group) = self.classic(group_id) else { return };
        match group.state() {
            Stable | CompletingRebalance => self.prepare_rebalance(now, group_id, "members left", fx),
            PreparingRebalance => self.maybe_complete_join(now, group_id, fx),
            Empty => {}
        }
    }
}

/// The id of the member that is to go.
fn who_leaves(group: &ClassicGroup, leaving: &LeavingMember) -> Result<super::messages::Text, ErrorCode> {
    if leaving.member_id.is_empty() {
        // An administrator knows the instance id only.
        let instance_id = leaving.instance_id.as_deref().ok_or(ErrorCode::UnknownMemberId)?;
        return group.static_member_id(instance_id).cloned().ok_or(ErrorCode::UnknownMemberId);
    }
    if !group.is_pending_join(&leaving.member_id) {
        group.validate_member(&leaving.member_id, leaving.instance_id.as_deref())?;
    }
    Ok(leaving.member_id.clone())
}
