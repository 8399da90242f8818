//! SyncGroup.

use std::collections::BTreeMap;

use ottla_base::time::Now;
use ottla_protocol::ErrorCode;

use super::classic_group::{ClassicGroup, GroupState};
use super::messages::{Blob, GroupReply, SyncReply, SyncRequest, Text};
use super::rebalance::reset_assignments;
use super::records::{GroupRecord, storage_error};
use super::shard::{Fx, GroupShard, Then, TimerKey};
use crate::coordinator::shard::Ticket;

impl GroupShard {
    pub(super) fn sync(&mut self, ticket: Ticket, request: SyncRequest, fx: &mut Fx) {
        let group_id = request.group_id.clone();
        let checked = match self.classic(&group_id) {
            _ if group_id.is_empty() => Err(ErrorCode::InvalidGroupId),
            None => Err(ErrorCode::UnknownMemberId),
            Some(group) => check(group, &request),
        };
        if let Err(error) = checked {
            return fx.reply(ticket, GroupReply::Sync(SyncReply::error(error)));
        }
        let Some(group) = self.classic_mut(&group_id) else { return };
        group.pending_sync.remove(&request.member_id);
        let all_synced = group.pending_sync.is_empty();
        let completing = group.is(GroupState::CompletingRebalance);
        let Some(member) = group.member_mut(&request.member_id) else { return };
        if !completing {
            let assignment = member.assignment.clone();
            let reply = assigned_reply(group, assignment);
            fx.reply(ticket, GroupReply::Sync(reply));
        } else if let Some(old) = member.awaiting_sync.replace(ticket) {
            // An older SyncGroup, on a connection it gave up: answered so that nothing waits forever.
            fx.reply(old, GroupReply::Sync(SyncReply::error(ErrorCode::RebalanceInProgress)));
        }
        if completing && group.is_leader(&request.member_id) {
            self.store_assignments(request, fx);
        }
        if all_synced {
            self.timers.cancel(&TimerKey::Sync(group_id.clone()));
        }
    }

    /// Takes the leader's assignment: members learn theirs when it is stored.
    fn store_assignments(&self, request: SyncRequest, fx: &mut Fx) {
        let Some(group) = self.classic(&request.group_id) else { return };
        tracing::info!(group = %group.id, generation = group.generation, leader = %request.member_id, "assignment received");
        let mut given: BTreeMap<Text, Blob> = request.assignments.into_iter().collect();
        // Members that the leader forgot get nothing; others than members are none of our business.
        let assignments: BTreeMap<Text, Blob> =
            group.members().map(|m| (m.member_id.clone(), given.remove(&m.member_id).unwrap_or_default())).collect();
        let record = GroupRecord::with_assignments(group, &assignments);
        let then = Then::Assigned { group_id: request.group_id, generation: group.generation, assignments };
        self.append_group(fx, record, then);
    }

    /// The leader's assignment is stored, or can't be.
    pub(super) fn assigned(
        &mut self,
        now: Now,
        group_id: &Text,
        generation: i32,
        mut assignments: BTreeMap<Text, Blob>,
        result: Result<(), ErrorCode>,
        fx: &mut Fx,
    ) {
        let Some(group) = self.classic_mut(group_id) else { return };
        if !group.is(GroupState::CompletingRebalance) || group.generation != generation {
            // Somebody joined or left meanwhile.
            return;
        }
        if let Err(error) = result {
            reset_assignments(group, storage_error(error), fx);
            return self.prepare_rebalance(now, group_id, "the assignment could not be stored", fx);
        }
        let mut synced = Vec::new();
        for member in group.members_mut() {
            member.assignment = assignments.remove(&member.member_id).unwrap_or_default();
            if let Some(ticket) = member.awaiting_sync.take() {
                synced.push((ticket, member.member_id.clone(), member.assignment.clone()));
            }
        }
        group.transition_to(GroupState::Stable, now.wall_ms);
        let mut members = Vec::with_capacity(synced.len());
        for (ticket, member_id, assignment) in synced {
            fx.reply(ticket, GroupReply::Sync(assigned_reply(group, assignment)));
            members.push(member_id);
        }
        for member_id in members {
            // A session that ended while we made the member wait was let pass, and has no timer any more.
            self.renew_session(now, group_id, &member_id);
        }
    }
}

fn check(group: &ClassicGroup, request: &SyncRequest) -> Result<(), ErrorCode> {
    if group.is(GroupState::Empty) {
        return Err(ErrorCode::UnknownMemberId);
    }
    group.validate_member(&request.member_id, request.instance_id.as_deref())?;
    if request.generation != group.generation {
        return Err(ErrorCode::IllegalGeneration);
    }
    let differs = |asked: &Option<Text>, have: &Option<Text>| asked.is_some() && have.is_some() && asked != have;
    if differs(&request.protocol_type, &group.protocol_type) || differs(&request.protocol_name, &group.protocol_name) {
        return Err(ErrorCode::InconsistentGroupProtocol);
    }
    if group.is(GroupState::PreparingRebalance) {
        return Err(ErrorCode::RebalanceInProgress);
    }
    Ok(())
}

fn assigned_reply(group: &ClassicGroup, assignment: Blob) -> SyncReply {
    SyncReply {
        error: ErrorCode::None,
        protocol_type: group.protocol_type.clone(),
        protocol_name: group.protocol_name.clone(),
        assignment,
    }
}
