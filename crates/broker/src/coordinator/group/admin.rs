//! ListGroups, DescribeGroups and DeleteGroups.

use ottla_protocol::ErrorCode;

use super::classic_group::{ClassicGroup, GroupState};
use super::classic_member::ClassicMember;
use super::messages::{Blob, DescribedGroup, DescribedMember, GroupReply, ListedGroup, Text};
use super::records::GroupRecord;
use super::shard::{Fx, Group, GroupShard, Then};
use crate::coordinator::shard::Ticket;

impl GroupShard {
    /// The groups in one of these states and of one of these types; an empty filter lets all pass. Case doesn't matter.
    pub fn list_groups(&self, states: &[String], types: &[String], out: &mut Vec<ListedGroup>) {
        let passes =
            |filter: &[String], value: &str| filter.is_empty() || filter.iter().any(|f| f.eq_ignore_ascii_case(value));
        for (group_id, entry) in &self.groups {
            let Group::Classic(group) = entry;
            let state = group.state().name();
            if passes(states, state) && passes(types, entry.kind()) {
                out.push(ListedGroup {
                    group_id: group_id.clone(),
                    protocol_type: group.protocol_type.clone().unwrap_or_else(|| "".into()),
                    state,
                    kind: entry.kind(),
                });
            }
        }
    }

    /// What is known of a group; a group that isn't there is dead.
    #[must_use]
    pub fn describe_group(&self, group_id: &Text) -> DescribedGroup {
        match self.classic(group_id) {
            Some(group) => described(group),
            None => DescribedGroup {
                error: ErrorCode::GroupIdNotFound,
                error_message: Some(format!("Group {group_id} not found.")),
                group_id: group_id.clone(),
                state: "Dead",
                protocol_type: "".into(),
                protocol_data: "".into(),
                members: Vec::new(),
            },
        }
    }

    pub(super) fn delete_groups(&mut self, ticket: Ticket, group_ids: Vec<Text>, fx: &mut Fx) {
        let mut records = Vec::new();
        let mut results = Vec::with_capacity(group_ids.len());
        for group_id in group_ids {
            let error = match self.classic(&group_id) {
                None => ErrorCode::GroupIdNotFound,
                Some(group) if !group.is(GroupState::Empty) => ErrorCode::NonEmptyGroup,
                Some(_) => {
                    let offsets = self.offsets.partitions(&group_id).into_iter();
                    records.extend(offsets.map(|(topic, p)| GroupRecord::offset_tombstone(group_id.clone(), topic, p)));
                    records.push(GroupRecord::group_tombstone(group_id.clone()));
                    ErrorCode::None
                }
            };
            results.push((group_id, error));
        }
        self.append(fx, records, Then::Reply { ticket, reply: GroupReply::DeleteGroups(results) });
    }

    /// Visits every committed offset as (group, topic, partition, offset).
    pub fn committed_offsets(&self, visit: &mut dyn FnMut(&str, &str, i32, i64)) {
        for group_id in self.groups.keys() {
            for (topic, partitions) in self.offsets.of_group(group_id) {
                partitions.iter().for_each(|(partition, stored)| visit(group_id, topic, *partition, stored.offset));
            }
        }
    }

    /// Number of groups in each state, for metrics.
    pub fn count_states(&self, counts: &mut std::collections::BTreeMap<GroupState, usize>) {
        for Group::Classic(group) in self.groups.values() {
            *counts.entry(group.state()).or_default() += 1;
        }
    }
}

fn described(group: &ClassicGroup) -> DescribedGroup {
    // Metadata is of the protocol voted for, which a group has in this state only.
    let protocol = group.protocol_name.as_deref().filter(|_| group.is(GroupState::Stable));
    let member = |member: &ClassicMember| DescribedMember {
        member_id: member.member_id.clone(),
        instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        metadata: protocol.and_then(|p| member.metadata(p)).cloned().unwrap_or_else(Blob::default),
        assignment: member.assignment.clone(),
    };
    DescribedGroup {
        error: ErrorCode::None,
        error_message: None,
        group_id: group.id.clone(),
        state: group.state().name(),
        protocol_type: group.protocol_type.clone().unwrap_or_else(|| "".into()),
        protocol_data: protocol.unwrap_or("").into(),
        members: group.members().map(member).collect(),
    }
}
