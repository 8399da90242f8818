//! JoinGroup.

use ottla_base::time::Now;
use ottla_protocol::ErrorCode;

use super::classic_group::{ClassicGroup, GroupState, generate_member_id};
use super::classic_member::ClassicMember;
use super::messages::{Blob, GroupReply, JoinReply, JoinRequest, SyncReply, Text};
use super::rebalance::joined_reply;
use super::records::{GroupRecord, storage_error};
use super::shard::{Fx, Group, GroupShard, ReplacedMember, Then};
use crate::coordinator::shard::Ticket;

/// Most members of a group that were given an id and have not come back with it. Each costs a session timeout of memory, and
/// a client gets one by asking.
const MAX_PENDING_MEMBERS: usize = 65_536;

impl GroupShard {
    pub(super) fn join(&mut self, now: Now, ticket: Ticket, request: JoinRequest, fx: &mut Fx) {
        let (min_ms, max_ms) = (self.config.group_min_session_timeout_ms, self.config.group_max_session_timeout_ms);
        if request.group_id.is_empty() {
            return refuse(fx, ticket, &request.member_id, ErrorCode::InvalidGroupId);
        }
        if request.session_timeout_ms < min_ms || request.session_timeout_ms > max_ms {
            return refuse(fx, ticket, &request.member_id, ErrorCode::InvalidSessionTimeout);
        }
        let group_id = request.group_id.clone();
        if !self.groups.contains_key(&group_id) {
            if !request.member_id.is_empty() {
                return refuse(fx, ticket, &request.member_id, ErrorCode::UnknownMemberId);
            }
            self.groups.insert(group_id.clone(), Group::Classic(ClassicGroup::new(group_id.clone(), now.wall_ms)));
        }
        self.join_group(now, ticket, request, fx);
        if self.classic(&group_id).is_some_and(ClassicGroup::is_pristine) && !self.offsets.has_group(&group_id) {
            // Refused: no need to keep a group for it.
            self.groups.remove(&group_id);
        }
    }

    fn join_group(&mut self, now: Now, ticket: Ticket, request: JoinRequest, fx: &mut Fx) {
        let max_size = self.max_group_size();
        let Some(group) = self.classic_mut(&request.group_id) else {
            return refuse(fx, ticket, &request.member_id, ErrorCode::InconsistentGroupProtocol);
        };
        if !accepts(group, &request.member_id, max_size) {
            let (group_id, member_id) = (request.group_id.clone(), request.member_id.clone());
            group.remove(&member_id);
            self.cancel_heartbeat(&group_id, &member_id);
            return refuse(fx, ticket, "", ErrorCode::GroupMaxSizeReached);
        }
        if !group.supports(&request.protocol_type, &request.protocols) {
            return refuse(fx, ticket, &request.member_id, ErrorCode::InconsistentGroupProtocol);
        }
        if request.member_id.is_empty() {
            self.join_new(now, ticket, request, fx);
        } else if group.is_pending_join(&request.member_id) {
            if request.instance_id.is_some() {
                // Only dynamic members are ever pending.
                return refuse(fx, ticket, &request.member_id, ErrorCode::UnknownMemberId);
            }
            let member_id = request.member_id.clone();
            self.add_member(now, ticket, request, member_id, fx);
        } else {
            self.rejoin(now, ticket, request, fx);
        }
    }

    /// A member without an id.
    fn join_new(&mut self, now: Now, ticket: Ticket, request: JoinRequest, fx: &mut Fx) {
        let prefix = request.instance_id.as_ref().unwrap_or(&request.client_id).clone();
        let member_id = generate_member_id(&prefix, &mut self.random);
        let group_id = request.group_id.clone();
        let Some(group) = self.classic_mut(&group_id) else { return };
        if let Some(instance_id) = &request.instance_id {
            return match group.static_member_id(instance_id).cloned() {
                Some(old) => self.replace_static_member(now, ticket, request, &old, member_id, fx),
                None => self.add_member(now, ticket, request, member_id, fx),
            };
        }
        if !request.requires_known_member_id {
            return self.add_member(now, ticket, request, member_id, fx);
        }
        if group.pending_join_count() >= MAX_PENDING_MEMBERS {
            return refuse(fx, ticket, "", ErrorCode::GroupMaxSizeReached);
        }
        // KIP-394: a client that gives up and tries again must not leave a member behind each time.
        group.add_pending_join(member_id.clone());
        self.arm_heartbeat(now, &group_id, &member_id, request.session_timeout_ms);
        refuse(fx, ticket, &member_id, ErrorCode::MemberIdRequired);
    }

    /// A member that has been in the group.
    fn rejoin(&mut self, now: Now, ticket: Ticket, request: JoinRequest, fx: &mut Fx) {
        let Some(group) = self.classic(&request.group_id) else { return };
        if let Err(error) = group.validate_member(&request.member_id, request.instance_id.as_deref()) {
            return refuse(fx, ticket, &request.member_id, error);
        }
        let Some(member) = group.member(&request.member_id) else { return };
        let same_protocols = member.protocols == request.protocols;
        match group.state() {
            GroupState::PreparingRebalance => self.update_member(now, ticket, request, "a member rejoins", fx),
            // It did not get the answer, or is a follower that asks again: tell it what it could know.
            GroupState::CompletingRebalance if same_protocols => {
                fx.reply(ticket, GroupReply::Join(joined_reply(group, &request.member_id)));
            }
            GroupState::CompletingRebalance => {
                self.update_member(now, ticket, request, "a member's protocols changed", fx)
            }
            // A leader that joins again wants a rebalance, for reasons that its metadata doesn't show.
            GroupState::Stable if group.is_leader(&request.member_id) => {
                self.update_member(now, ticket, request, "the leader rejoins", fx);
            }
            GroupState::Stable if same_protocols => {
                fx.reply(ticket, GroupReply::Join(joined_reply(group, &request.member_id)));
            }
            GroupState::Stable => self.update_member(now, ticket, request, "a member's protocols changed", fx),
            GroupState::Empty => refuse(fx, ticket, &request.member_id, ErrorCode::UnknownMemberId),
        }
    }

    fn add_member(&mut self, now: Now, ticket: Ticket, request: JoinRequest, member_id: Text, fx: &mut Fx) {
        let new_member_timeout_ms = self.config.new_member_join_timeout_ms;
        let group_id = request.group_id.clone();
        let Some(group) = self.classic_mut(&group_id) else { return };
        if group.is(GroupState::PreparingRebalance) && group.previous_state() == GroupState::Empty {
            group.new_member_added = true;
        }
        let reason = format!("{member_id} joins: {}", request.reason.as_deref().unwrap_or("not provided"));
        group.add(ClassicMember {
            member_id: member_id.clone(),
            instance_id: request.instance_id,
            client_id: request.client_id,
            client_host: request.client_host,
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            protocol_type: request.protocol_type,
            protocols: request.protocols,
            assignment: Blob::default(),
            awaiting_join: Some(ticket),
            awaiting_sync: None,
            is_new: true,
        });
        // It can't send heartbeats before it is answered, and we can't see it go meanwhile: bound the wait instead.
        self.arm_heartbeat(now, &group_id, &member_id, new_member_timeout_ms);
        self.rebalance_or_complete_join(now, &group_id, &reason, fx);
    }

    fn update_member(&mut self, now: Now, ticket: Ticket, request: JoinRequest, reason: &str, fx: &mut Fx) {
        let group_id = request.group_id.clone();
        let reason =
            format!("{reason} ({}): {}", request.member_id, request.reason.as_deref().unwrap_or("not provided"));
        let Some(group) = self.classic_mut(&group_id) else { return };
        group.update_member(
            &request.member_id,
            request.protocols,
            (request.rebalance_timeout_ms, request.session_timeout_ms),
        );
        set_awaiting_join(group, &request.member_id, ticket, fx);
        self.rebalance_or_complete_join(now, &group_id, &reason, fx);
    }

    /// A static member that lost its member id, mostly by a restart, takes its old place (KIP-345).
    fn replace_static_member(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: JoinRequest,
        old_id: &Text,
        new_id: Text,
        fx: &mut Fx,
    ) {
        let (group_id, Some(instance_id)) = (request.group_id.clone(), request.instance_id.clone()) else { return };
        let Some(group) = self.classic_mut(&group_id) else { return };
        let leader = group.leader.clone();
        let old = group.replace_static_member(&instance_id, old_id, &new_id);
        fence(&old, fx);
        group.update_member(&new_id, request.protocols, (request.rebalance_timeout_ms, request.session_timeout_ms));
        set_awaiting_join(group, &new_id, ticket, fx);
        let state = group.state();
        let keeps_protocol = group.protocol_name.as_deref() == Some(&*group.select_protocol());
        self.cancel_heartbeat(&group_id, old_id);
        self.arm_heartbeat(now, &group_id, &new_id, old.session_timeout_ms);
        match state {
            // Nothing changes for the others: no rebalance, only the new member id is stored.
            GroupState::Stable if keeps_protocol => {
                let Some(group) = self.classic(&group_id) else { return };
                let record = GroupRecord::of(group);
                let replaced = ReplacedMember {
                    group_id,
                    instance_id,
                    old_member_id: old_id.clone(),
                    new_member_id: new_id,
                    leader,
                    old_protocols: old.protocols,
                    old_timeouts_ms: (old.rebalance_timeout_ms, old.session_timeout_ms),
                    supports_skipping_assignment: request.supports_skipping_assignment,
                };
                self.append_group(fx, record, Then::StaticMemberReplaced(Box::new(replaced)));
            }
            // Or the leader could assign to the old member id, which is gone.
            GroupState::Stable | GroupState::CompletingRebalance => {
                self.prepare_rebalance(now, &group_id, &format!("static member {instance_id} was replaced"), fx);
            }
            GroupState::PreparingRebalance => self.maybe_complete_join(now, &group_id, fx),
            GroupState::Empty => unreachable!("an empty group has no members, static or not"),
        }
    }

    pub(super) fn static_member_replaced(
        &mut self,
        now: Now,
        replaced: ReplacedMember,
        result: Result<(), ErrorCode>,
        fx: &mut Fx,
    ) {
        let Some(group) = self.classic_mut(&replaced.group_id) else { return };
        let Some(member) = group.member_mut(&replaced.new_member_id) else { return };
        let ticket = member.awaiting_join.take();
        let mut reply = joined_reply(group, &replaced.new_member_id);
        match result {
            Ok(()) if replaced.supports_skipping_assignment => {
                // KIP-814: it leads, but the assignment of this generation stands.
                reply.skip_assignment = group.is_leader(&replaced.new_member_id);
            }
            Ok(()) => {
                // Told the old leader's id, it takes itself for a follower and doesn't assign anew.
                reply.members.clear();
                reply.leader = replaced.leader.unwrap_or_else(|| "".into());
            }
            Err(error) => {
                group.update_member(&replaced.new_member_id, replaced.old_protocols, replaced.old_timeouts_ms);
                group.replace_static_member(&replaced.instance_id, &replaced.new_member_id, &replaced.old_member_id);
                self.renew_session(now, &replaced.group_id, &replaced.old_member_id);
                reply = JoinReply::error("", storage_error(error));
            }
        }
        if let Some(ticket) = ticket {
            fx.reply(ticket, GroupReply::Join(reply));
        }
    }
}

fn refuse(fx: &mut Fx, ticket: Ticket, member_id: &str, error: ErrorCode) {
    fx.reply(ticket, GroupReply::Join(JoinReply::error(member_id, error)));
}

/// Whether there is room for the member.
fn accepts(group: &ClassicGroup, member_id: &str, max_size: usize) -> bool {
    match group.state() {
        GroupState::Empty => true,
        // Those who rejoined count, so that a group that is too large loses the last to rejoin.
        GroupState::PreparingRebalance => {
            group.members().len() < max_size
                || group.member(member_id).is_some_and(|member| member.awaiting_join.is_some())
                || group.awaiting_join_count() < max_size
        }
        GroupState::CompletingRebalance | GroupState::Stable => {
            group.has_member(member_id) || group.members().len() < max_size
        }
    }
}

/// Has the member wait for the rebalance. An older JoinGroup of it, on a connection it gave up, is answered so that nothing
/// waits forever.
fn set_awaiting_join(group: &mut ClassicGroup, member_id: &Text, ticket: Ticket, fx: &mut Fx) {
    if let Some(old) = group.member_mut(member_id).and_then(|member| member.awaiting_join.replace(ticket)) {
        refuse(fx, old, member_id, ErrorCode::RebalanceInProgress);
    }
}

/// Answers what a replaced static member waits for.
fn fence(old: &ClassicMember, fx: &mut Fx) {
    if let Some(ticket) = old.awaiting_join {
        refuse(fx, ticket, &old.member_id, ErrorCode::FencedInstanceId);
    }
    if let Some(ticket) = old.awaiting_sync {
        fx.reply(ticket, GroupReply::Sync(SyncReply::error(ErrorCode::FencedInstanceId)));
    }
}
