//! Groups and their committed offsets.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_base::ids::TopicPartition;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use ottla_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use ottla_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerProtocolAssignment, DeleteGroupsRequest,
    DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, LeaveGroupRequest, LeaveGroupResponse,
    ListGroupsRequest, ListGroupsResponse, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest,
    OffsetDeleteResponse, OffsetFetchRequest, OffsetFetchResponse,
};
use ottla_protocol::{ErrorCode, Message, Reader, Str};

use super::Admin;
use crate::cluster::{Cluster, CoordinatorKind, Topics};
use crate::error::{ClientError, Result, check};

/// Highest versions of OffsetCommit and OffsetFetch that speak of topics by name.
pub(crate) const OFFSETS_BY_NAME: i16 = 9;

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    pub group_id: String,
    /// `consumer`, `connect`, …; empty for a group that only holds offsets.
    pub protocol_type: String,
    /// Empty before 2.6.
    pub state: String,
    /// `classic`, `consumer`, …; empty before 3.8.
    pub group_type: String,
    pub coordinator: i32,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub assignment: Vec<TopicPartition>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    pub group_id: String,
    /// As the broker says it: `Stable`, `Empty`, `Dead`, …
    pub state: String,
    pub protocol_type: String,
    pub assignor: String,
    pub members: Vec<GroupMember>,
    /// `host:port (id)` can be made of it.
    pub coordinator: Option<crate::cluster::Broker>,
}

/// What a group has committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    pub offset: i64,
    /// -1 for none.
    pub leader_epoch: i32,
    pub metadata: String,
}

fn partitions_by_topic(partitions: &[TopicPartition]) -> BTreeMap<Arc<str>, Vec<i32>> {
    let mut topics: BTreeMap<Arc<str>, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(partition.topic.clone()).or_default().push(partition.partition);
    }
    topics
}

/// Reads what an assignment says; nothing for the bytes of another protocol.
fn read_assignment(bytes: &[u8]) -> Vec<TopicPartition> {
    let mut reader = Reader::new(bytes);
    let Ok(version) = reader.i16() else { return Vec::new() };
    let version = version.clamp(0, *ConsumerProtocolAssignment::VERSIONS.end());
    let Ok(assignment) = ConsumerProtocolAssignment::decode(&mut reader, version) else { return Vec::new() };
    let mut partitions = Vec::new();
    for topic in &assignment.assigned_partitions {
        let name: Arc<str> = topic.topic.as_ref().into();
        partitions.extend(topic.partitions.iter().map(|&partition| TopicPartition::new(name.clone(), partition)));
    }
    partitions
}

impl Cluster {
    /// The offsets that `group` has committed: for `partitions`, or for all. Partitions without are left out.
    pub async fn committed_offsets(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
        require_stable: bool,
    ) -> Result<BTreeMap<TopicPartition, Result<CommittedOffset>>> {
        self.retry(|| async {
            let connection = self.coordinator(CoordinatorKind::Group, group).await?;
            let version = connection.version_up_to::<OffsetFetchRequest<'_>>(OFFSETS_BY_NAME)?;
            let topics = partitions.map(partitions_by_topic);
            let name = |topic: &Arc<str>| Str::Owned(topic.to_string());
            let mut request =
                OffsetFetchRequest { require_stable: require_stable && version >= 7, ..Default::default() };
            if version >= 8 {
                let topics = topics.map(|topics| {
                    let topic = |(topic, ids): (Arc<str>, Vec<i32>)| OffsetFetchRequestTopics {
                        name: name(&topic),
                        partition_indexes: ids,
                        ..Default::default()
                    };
                    topics.into_iter().map(topic).collect()
                });
                let group_id = Str::Borrowed(group);
                request.groups = vec![OffsetFetchRequestGroup { group_id, topics, ..Default::default() }];
            } else {
                request.group_id = Str::Borrowed(group);
                request.topics = topics.map(|topics| {
                    let topic = |(topic, ids): (Arc<str>, Vec<i32>)| OffsetFetchRequestTopic {
                        name: name(&topic),
                        partition_indexes: ids,
                    };
                    topics.into_iter().map(topic).collect()
                });
            }
            let frame = connection.call_version(&request, version).await?;
            let answer: OffsetFetchResponse<'_> = frame.decode()?;
            check(answer.error_code, None, || format!("group {group}"))?;
            let mut offsets = BTreeMap::new();
            let mut note =
                |topic: &str, partition: i32, error: i16, offset: i64, leader_epoch: i32, metadata: Option<&str>| {
                    let partition = TopicPartition::new(topic, partition);
                    let result = check(error, None, || format!("offset of {partition} in group {group}"));
                    // -1: nothing is committed.
                    if result.is_err() || offset >= 0 {
                        let metadata = metadata.unwrap_or_default().to_owned();
                        let committed = result.map(|()| CommittedOffset { offset, leader_epoch, metadata });
                        offsets.insert(partition, committed);
                    }
                };
            for topic in &answer.topics {
                for p in &topic.partitions {
                    let (epoch, metadata) = (p.committed_leader_epoch, p.metadata.as_deref());
                    note(&topic.name, p.partition_index, p.error_code, p.committed_offset, epoch, metadata);
                }
            }
            for found in &answer.groups {
                check(found.error_code, None, || format!("group {group}"))?;
                for topic in &found.topics {
                    for p in &topic.partitions {
                        let (epoch, metadata) = (p.committed_leader_epoch, p.metadata.as_deref());
                        note(&topic.name, p.partition_index, p.error_code, p.committed_offset, epoch, metadata);
                    }
                }
            }
            Ok(offsets)
        })
        .await
    }

    /// Commits offsets for `group` as `member` of `generation` (`""` and -1: from outside of the group, which must be
    /// empty then). The first refusal is the error.
    pub(crate) async fn commit(
        &self,
        group: &str,
        generation: i32,
        member: &str,
        instance: Option<&str>,
        offsets: &BTreeMap<TopicPartition, CommittedOffset>,
    ) -> Result<()> {
        let connection = self.coordinator(CoordinatorKind::Group, group).await?;
        let version = connection.version_up_to::<OffsetCommitRequest<'_>>(OFFSETS_BY_NAME)?;
        let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition<'_>>> = BTreeMap::new();
        for (partition, committed) in offsets {
            topics.entry(&partition.topic).or_default().push(OffsetCommitRequestPartition {
                partition_index: partition.partition,
                committed_offset: committed.offset,
                committed_leader_epoch: if version >= 6 { committed.leader_epoch } else { -1 },
                committed_metadata: Some(Str::Borrowed(&committed.metadata)),
                ..Default::default()
            });
        }
        let topic = |(name, partitions)| OffsetCommitRequestTopic {
            name: Str::Borrowed(name),
            partitions,
            ..Default::default()
        };
        let request = OffsetCommitRequest {
            group_id: Str::Borrowed(group),
            generation_id_or_member_epoch: generation,
            member_id: Str::Borrowed(member),
            group_instance_id: instance.filter(|_| version >= 7).map(Str::Borrowed),
            topics: topics.into_iter().map(topic).collect(),
            ..Default::default()
        };
        let frame = connection.call_version(&request, version).await?;
        let answer: OffsetCommitResponse<'_> = frame.decode()?;
        for topic in &answer.topics {
            for p in &topic.partitions {
                check(p.error_code, None, || {
                    format!("commit of {}-{} in group {group}", topic.name, p.partition_index)
                })?;
            }
        }
        Ok(())
    }
}

impl Admin {
    /// All groups of all brokers; an error if a broker can't be asked, since its groups would be missing. `states` and
    /// `types` filter where the broker can (2.6, 3.8).
    pub async fn list_groups(&self, states: &[String], types: &[String]) -> Result<Vec<GroupListing>> {
        let metadata = self.cluster.metadata(Topics::None).await?;
        let mut groups = Vec::new();
        for &coordinator in metadata.brokers.keys() {
            let listed = self.cluster.retry(|| self.list_groups_of(coordinator, states, types)).await?;
            groups.extend(listed);
        }
        groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        Ok(groups)
    }

    async fn list_groups_of(&self, coordinator: i32, states: &[String], types: &[String]) -> Result<Vec<GroupListing>> {
        let connection = self.cluster.node(coordinator).await?;
        let version = connection.version_up_to::<ListGroupsRequest<'_>>(i16::MAX)?;
        let own = |names: &[String]| names.iter().map(|name| Str::Owned(name.clone())).collect();
        if (version < 4 && !states.is_empty()) || (version < 5 && !types.is_empty()) {
            let what = "listing groups by state or type".to_owned();
            return Err(ClientError::Unsupported { broker: connection.broker().to_owned(), what });
        }
        let request = ListGroupsRequest { states_filter: own(states), types_filter: own(types) };
        let frame = connection.call_version(&request, version).await?;
        let answer: ListGroupsResponse<'_> = frame.decode()?;
        check(answer.error_code, None, || "list groups".to_owned())?;
        let listing = answer.groups.iter().map(|group| GroupListing {
            group_id: group.group_id.to_string(),
            protocol_type: group.protocol_type.to_string(),
            state: group.group_state.to_string(),
            group_type: group.group_type.to_string(),
            coordinator,
        });
        Ok(listing.collect())
    }

    /// A group of the classic or the newer consumer protocol. A group that nobody knows has the state `Dead`.
    pub async fn describe_group(&self, group: &str) -> Result<GroupDescription> {
        let classic = self.cluster.retry(|| self.describe_classic_group(group)).await;
        match classic {
            Ok(found) if found.state != "Dead" => Ok(found),
            // Which error a group of another protocol gives differs between versions.
            other => match self.describe_consumer_group(group).await {
                Ok(found) => Ok(found),
                Err(_) => match other {
                    Err(ClientError::Refused { code: ErrorCode::GroupIdNotFound, .. }) => Ok(GroupDescription {
                        group_id: group.to_owned(),
                        state: "Dead".to_owned(),
                        protocol_type: String::new(),
                        assignor: String::new(),
                        members: Vec::new(),
                        coordinator: None,
                    }),
                    other => other,
                },
            },
        }
    }

    fn broker_of(&self, address: &str) -> Option<crate::cluster::Broker> {
        self.cluster.brokers().into_iter().find(|broker| format!("{}:{}", broker.host, broker.port) == address)
    }

    async fn describe_classic_group(&self, group: &str) -> Result<GroupDescription> {
        let connection = self.cluster.coordinator(CoordinatorKind::Group, group).await?;
        let request = DescribeGroupsRequest { groups: vec![Str::Borrowed(group)], ..Default::default() };
        let frame = connection.call(&request).await?;
        let answer: DescribeGroupsResponse<'_> = frame.decode()?;
        let found =
            answer.groups.first().ok_or_else(|| ClientError::Protocol("the answer names no group".to_owned()))?;
        check(found.error_code, found.error_message.as_deref(), || format!("group {group}"))?;
        let members = found.members.iter().map(|member| GroupMember {
            member_id: member.member_id.to_string(),
            group_instance_id: member.group_instance_id.as_deref().map(str::to_owned),
            client_id: member.client_id.to_string(),
            client_host: member.client_host.to_string(),
            assignment: read_assignment(&member.member_assignment),
        });
        Ok(GroupDescription {
            group_id: group.to_owned(),
            state: found.group_state.to_string(),
            protocol_type: found.protocol_type.to_string(),
            assignor: found.protocol_data.to_string(),
            members: members.collect(),
            coordinator: self.broker_of(connection.broker()),
        })
    }

    async fn describe_consumer_group(&self, group: &str) -> Result<GroupDescription> {
        let connection = self.cluster.coordinator(CoordinatorKind::Group, group).await?;
        let request = ConsumerGroupDescribeRequest { group_ids: vec![Str::Borrowed(group)], ..Default::default() };
        let frame = connection.call(&request).await?;
        let answer: ConsumerGroupDescribeResponse<'_> = frame.decode()?;
        let found =
            answer.groups.first().ok_or_else(|| ClientError::Protocol("the answer names no group".to_owned()))?;
        check(found.error_code, found.error_message.as_deref(), || format!("group {group}"))?;
        let members = found.members.iter().map(|member| {
            let mut assignment = Vec::new();
            for topic in &member.assignment.topic_partitions {
                let name: Arc<str> = topic.topic_name.as_ref().into();
                assignment
                    .extend(topic.partitions.iter().map(|&partition| TopicPartition::new(name.clone(), partition)));
            }
            GroupMember {
                member_id: member.member_id.to_string(),
                group_instance_id: member.instance_id.as_deref().map(str::to_owned),
                client_id: member.client_id.to_string(),
                client_host: member.client_host.to_string(),
                assignment,
            }
        });
        Ok(GroupDescription {
            group_id: group.to_owned(),
            state: found.group_state.to_string(),
            protocol_type: "consumer".to_owned(),
            assignor: found.assignor_name.to_string(),
            members: members.collect(),
            coordinator: self.broker_of(connection.broker()),
        })
    }

    /// Deletes a group, which must be empty.
    pub async fn delete_group(&self, group: &str) -> Result<()> {
        self.cluster
            .retry(|| async {
                let connection = self.cluster.coordinator(CoordinatorKind::Group, group).await?;
                let frame = connection.call(&DeleteGroupsRequest { groups_names: vec![Str::Borrowed(group)] }).await?;
                let answer: DeleteGroupsResponse<'_> = frame.decode()?;
                answer.results.iter().try_for_each(|result| check(result.error_code, None, || format!("group {group}")))
            })
            .await
    }

    /// The offsets that `group` has committed.
    pub async fn committed_offsets(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<BTreeMap<TopicPartition, Result<CommittedOffset>>> {
        self.cluster.committed_offsets(group, partitions, false).await
    }

    /// Sets the offsets of `group`, which must be empty.
    pub async fn commit_offsets(&self, group: &str, offsets: &BTreeMap<TopicPartition, CommittedOffset>) -> Result<()> {
        self.cluster.retry(|| self.cluster.commit(group, -1, "", None, offsets)).await
    }

    /// Forgets the offsets of `group` for partitions that it is not subscribed to.
    pub async fn delete_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, Result<()>)>> {
        let topics = partitions_by_topic(partitions);
        self.cluster
            .retry(|| async {
                let connection = self.cluster.coordinator(CoordinatorKind::Group, group).await?;
                let topic = |(name, ids): (&Arc<str>, &Vec<i32>)| OffsetDeleteRequestTopic {
                    name: Str::Owned(name.to_string()),
                    partitions: ids.iter().map(|&id| OffsetDeleteRequestPartition { partition_index: id }).collect(),
                };
                let request =
                    OffsetDeleteRequest { group_id: Str::Borrowed(group), topics: topics.iter().map(topic).collect() };
                let frame = connection.call(&request).await?;
                let answer: OffsetDeleteResponse<'_> = frame.decode()?;
                check(answer.error_code, None, || format!("group {group}"))?;
                let mut results = Vec::new();
                for topic in &answer.topics {
                    for p in &topic.partitions {
                        let partition = TopicPartition::new(topic.name.as_ref(), p.partition_index);
                        let result = check(p.error_code, None, || format!("offset of {partition} in group {group}"));
                        results.push((partition, result));
                    }
                }
                Ok(results)
            })
            .await
    }

    /// Sends members away, by member id.
    pub async fn remove_members(&self, group: &str, members: &[String]) -> Result<()> {
        let connection = self.cluster.coordinator(CoordinatorKind::Group, group).await?;
        let version = connection.version_up_to::<LeaveGroupRequest<'_>>(i16::MAX)?;
        let member = |member: &String| MemberIdentity { member_id: Str::Owned(member.clone()), ..Default::default() };
        // Before version 3 a request names one member.
        let requests: Vec<LeaveGroupRequest<'_>> = if version >= 3 {
            let members = members.iter().map(member).collect();
            vec![LeaveGroupRequest { group_id: Str::Borrowed(group), members, ..Default::default() }]
        } else {
            let one = |member: &String| LeaveGroupRequest {
                group_id: Str::Borrowed(group),
                member_id: Str::Owned(member.clone()),
                ..Default::default()
            };
            members.iter().map(one).collect()
        };
        for request in &requests {
            let frame = connection.call_version(request, version).await?;
            let answer: LeaveGroupResponse<'_> = frame.decode()?;
            check(answer.error_code, None, || format!("group {group}"))?;
            for member in &answer.members {
                check(member.error_code, None, || format!("member {} of group {group}", member.member_id))?;
            }
        }
        Ok(())
    }
}
