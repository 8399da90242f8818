//! Membership in a group by the classic protocol: join, sync, heartbeat, leave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ottla_base::ids::TopicPartition;
use ottla_protocol::messages::consumer_protocol_assignment::TopicPartition as AssignedTopic;
use ottla_protocol::messages::consumer_protocol_subscription::TopicPartition as OwnedTopic;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest, SyncGroupResponse,
};
use ottla_protocol::{Blob, ErrorCode, Message, Reader, Str};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::assignor::{Member, assign};
use crate::cluster::{Backoff, Cluster, CoordinatorKind, Topics};
use crate::config::{Assignor, ConsumerConfig};
use crate::connection::Connection;
use crate::error::{ClientError, Result, check};

const PROTOCOL_TYPE: &str = "consumer";
/// How long a leave may take: the session's timeout removes us anyway.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the heartbeats found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Good,
    /// The group is rebalancing: join again, as the member we are.
    Rebalance,
    /// The group does not know us any more.
    Fenced,
    /// The coordinator is somewhere else.
    Moved,
}

/// Between the heartbeats and the user's polls.
pub(super) struct Watch {
    health: Mutex<Health>,
    last_poll: Mutex<Instant>,
    /// Told when [`Membership::must_join`] may have become true.
    pub(super) changed: Notify,
}

impl Watch {
    /// Notes that the user is alive.
    pub(super) fn polled(&self) {
        *lock(&self.last_poll) = Instant::now();
    }

    /// Asks for a rebalance at the next poll.
    pub(super) fn join_again(&self) {
        set_health(self, Health::Rebalance);
    }
}

/// This consumer's place in its group.
pub(super) struct Membership {
    cluster: Cluster,
    config: ConsumerConfig,
    group: String,
    pub(super) member_id: String,
    pub(super) generation: i32,
    coordinator: Option<Connection>,
    watch: Arc<Watch>,
    heartbeats: Option<JoinHandle<()>>,
    /// What the leader gave out partitions by; a change means to join again.
    led: Option<BTreeMap<Arc<str>, i32>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.stop_heartbeats();
    }
}

impl Membership {
    pub(super) fn new(cluster: Cluster, config: ConsumerConfig, group: String) -> Self {
        let watch = Watch {
            health: Mutex::new(Health::Rebalance),
            last_poll: Mutex::new(Instant::now()),
            changed: Notify::new(),
        };
        Self {
            cluster,
            config,
            group,
            member_id: String::new(),
            generation: -1,
            coordinator: None,
            watch: Arc::new(watch),
            heartbeats: None,
            led: None,
        }
    }

    /// Whether partitions stay with their owners while the group rebalances: only if every strategy can do that.
    pub(super) fn is_cooperative(&self) -> bool {
        self.config.assignors.iter().all(|&assignor| assignor == Assignor::CooperativeSticky)
    }

    pub(super) fn instance(&self) -> Option<&str> {
        self.config.group_instance_id.as_deref()
    }

    /// Notes that the user is alive.
    pub(super) fn polled(&self) {
        self.watch.polled();
    }

    pub(super) fn must_join(&self) -> bool {
        *lock(&self.watch.health) != Health::Good
    }

    pub(super) fn watch(&self) -> Arc<Watch> {
        self.watch.clone()
    }

    /// Asks for a rebalance at the next poll.
    pub(super) fn join_again(&self) {
        set_health(&self.watch, Health::Rebalance);
    }

    fn stop_heartbeats(&mut self) {
        if let Some(heartbeats) = self.heartbeats.take() {
            heartbeats.abort();
        }
    }

    /// Whether the partitions that we gave out as leader are not what there is now.
    pub(super) fn leads_outdated(&self, counts: impl Fn(&str) -> Option<i32>) -> bool {
        let Some(led) = &self.led else { return false };
        led.iter().any(|(topic, &count)| counts(topic).is_some_and(|now| now != count))
    }

    /// Joins (again) and gives what we are to read. Tries until the API timeout is over or the group refuses us.
    pub(super) async fn join(&mut self, topics: &[Arc<str>], owned: &[TopicPartition]) -> Result<Vec<TopicPartition>> {
        self.stop_heartbeats();
        match *lock(&self.watch.health) {
            Health::Fenced => (self.member_id, self.generation) = (String::new(), -1),
            Health::Moved => self.coordinator = None,
            Health::Good | Health::Rebalance => {}
        }
        let deadline = Instant::now() + self.config.max_poll_interval;
        let mut tries = Backoff::new(self.config.client.retry_backoff);
        loop {
            let error = match self.join_once(topics, owned).await {
                Ok(assignment) => {
                    set_health(&self.watch, Health::Good);
                    self.start_heartbeats();
                    return Ok(assignment);
                }
                Err(e) => e,
            };
            match error.code() {
                // The member id that the coordinator gave us is used at once.
                Some(ErrorCode::MemberIdRequired) => continue,
                Some(ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration) => {
                    (self.member_id, self.generation) = (String::new(), -1);
                }
                Some(ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable) => self.coordinator = None,
                Some(ErrorCode::RebalanceInProgress | ErrorCode::CoordinatorLoadInProgress) => {}
                _ if error.is_retriable() && !matches!(error, ClientError::Unreachable(_)) => self.coordinator = None,
                _ => return Err(error),
            }
            if Instant::now() >= deadline {
                return Err(error);
            }
            tries.pause().await;
        }
    }

    /// A connection of our own: a JoinGroup waits for the others, and nothing else gets an answer before it.
    async fn coordinator(&mut self) -> Result<Connection> {
        if let Some(open) = self.coordinator.as_ref().filter(|connection| connection.is_open()) {
            return Ok(open.clone());
        }
        let shared = self.cluster.coordinator(CoordinatorKind::Group, &self.group).await?;
        let own = self.cluster.connect_to(shared.broker()).await?;
        self.coordinator = Some(own.clone());
        Ok(own)
    }

    async fn join_once(&mut self, topics: &[Arc<str>], owned: &[TopicPartition]) -> Result<Vec<TopicPartition>> {
        let connection = self.coordinator().await?;
        let version = connection.version_up_to::<JoinGroupRequest<'_>>(i16::MAX)?;
        let metadata = self.subscription(topics, owned)?;
        let protocols = self.config.assignors.iter().map(|assignor| JoinGroupRequestProtocol {
            name: Str::Borrowed(assignor.name()),
            metadata: Blob::Borrowed(&metadata),
        });
        let rebalance_timeout = self.config.max_poll_interval;
        let ms = |duration: Duration| i32::try_from(duration.as_millis()).unwrap_or(i32::MAX);
        let request = JoinGroupRequest {
            group_id: Str::Borrowed(&self.group),
            session_timeout_ms: ms(self.config.session_timeout),
            rebalance_timeout_ms: ms(rebalance_timeout),
            member_id: Str::Borrowed(&self.member_id),
            group_instance_id: self.instance().filter(|_| version >= 5).map(Str::Borrowed),
            protocol_type: Str::Borrowed(PROTOCOL_TYPE),
            protocols: protocols.collect(),
            reason: None,
        };
        let limit = rebalance_timeout + self.config.client.request_timeout;
        let frame = connection.call_within(&request, version, limit).await?;
        let answer: JoinGroupResponse<'_> = frame.decode()?;
        if ErrorCode::from_code(answer.error_code) == ErrorCode::MemberIdRequired {
            self.member_id = answer.member_id.to_string();
        }
        check(answer.error_code, None, || format!("group {}", self.group))?;
        self.member_id = answer.member_id.to_string();
        self.generation = answer.generation_id;
        let is_leader = answer.leader == answer.member_id;
        let name = answer.protocol_name.as_deref().unwrap_or_default();
        let assignor = self.config.assignors.iter().find(|assignor| assignor.name() == name);
        let Some(&assignor) = assignor else {
            return Err(ClientError::Protocol(format!("group {} chose the unknown strategy '{name}'", self.group)));
        };
        tracing::info!(group = self.group, member = self.member_id, generation = self.generation, is_leader, "joined");
        self.led = None;
        let assignments =
            if is_leader && !answer.skip_assignment { self.lead(assignor, &answer).await? } else { Vec::new() };
        self.sync(&connection, assignor, &assignments).await
    }

    fn subscription(&self, topics: &[Arc<str>], owned: &[TopicPartition]) -> Result<Vec<u8>> {
        let cooperative = self.is_cooperative();
        let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for partition in owned.iter().filter(|_| cooperative) {
            by_topic.entry(&partition.topic).or_default().push(partition.partition);
        }
        let owned = by_topic.into_iter().map(|(topic, partitions)| OwnedTopic { topic: topic.into(), partitions });
        let subscription = ConsumerProtocolSubscription {
            topics: topics.iter().map(|topic| Str::Borrowed(topic)).collect(),
            owned_partitions: owned.collect(),
            generation_id: if cooperative { self.generation } else { -1 },
            ..Default::default()
        };
        // Version 2 tells the generation; version 1 is what older members of a group of eager strategies send.
        let version = if cooperative { 2 } else { 1 };
        subscription.to_versioned_bytes(version).map_err(|e| ClientError::Protocol(e.to_string()))
    }

    /// Spreads the partitions of all topics that members want.
    async fn lead(&mut self, assignor: Assignor, answer: &JoinGroupResponse<'_>) -> Result<Vec<(String, Vec<u8>)>> {
        let mut members = Vec::new();
        for member in &answer.members {
            let mut reader = Reader::new(&member.metadata);
            let read = |reader: &mut Reader<'_>| -> std::result::Result<Member, ottla_protocol::DecodeError> {
                let version = reader.i16()?.clamp(0, *ConsumerProtocolSubscription::VERSIONS.end());
                let subscription = ConsumerProtocolSubscription::decode(reader, version)?;
                let owned = subscription.owned_partitions.iter().flat_map(|topic| {
                    let name: Arc<str> = topic.topic.as_ref().into();
                    topic.partitions.iter().map(move |&partition| TopicPartition::new(name.clone(), partition))
                });
                Ok(Member {
                    id: member.member_id.to_string(),
                    instance: member.group_instance_id.as_deref().map(str::to_owned),
                    topics: subscription.topics.iter().map(|topic| topic.as_ref().into()).collect(),
                    owned: owned.collect(),
                    generation: subscription.generation_id,
                })
            };
            members.push(read(&mut reader).map_err(|e| {
                ClientError::Protocol(format!("the subscription of {} can't be read: {e}", member.member_id))
            })?);
        }
        let names: BTreeSet<Arc<str>> = members.iter().flat_map(|member| member.topics.iter().cloned()).collect();
        let names: Vec<Arc<str>> = names.into_iter().collect();
        let metadata =
            self.cluster.metadata(Topics::Named { names: &names, create: self.config.auto_create_topics }).await?;
        let counts = |topic: &Arc<str>| metadata.topics.get(topic).map_or(0, |found| found.partitions.len() as i32);
        let counts: BTreeMap<Arc<str>, i32> = names.iter().map(|name| (name.clone(), counts(name))).collect();
        let assignment = assign(assignor, &members, &counts);
        self.led = Some(counts);
        assignment
            .into_iter()
            .map(|(member, partitions)| {
                let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
                for partition in &partitions {
                    by_topic.entry(&partition.topic).or_default().push(partition.partition);
                }
                let topic = |(topic, partitions): (&str, Vec<i32>)| AssignedTopic {
                    topic: Str::Owned(topic.to_owned()),
                    partitions,
                };
                let assignment = ConsumerProtocolAssignment {
                    assigned_partitions: by_topic.into_iter().map(topic).collect(),
                    user_data: None,
                };
                let bytes = assignment.to_versioned_bytes(1).map_err(|e| ClientError::Protocol(e.to_string()))?;
                Ok((member, bytes))
            })
            .collect()
    }

    async fn sync(
        &self,
        connection: &Connection,
        assignor: Assignor,
        assignments: &[(String, Vec<u8>)],
    ) -> Result<Vec<TopicPartition>> {
        let version = connection.version_up_to::<SyncGroupRequest<'_>>(i16::MAX)?;
        let assignments = assignments.iter().map(|(member, bytes)| SyncGroupRequestAssignment {
            member_id: Str::Borrowed(member),
            assignment: Blob::Borrowed(bytes),
        });
        let request = SyncGroupRequest {
            group_id: Str::Borrowed(&self.group),
            generation_id: self.generation,
            member_id: Str::Borrowed(&self.member_id),
            group_instance_id: self.instance().filter(|_| version >= 3).map(Str::Borrowed),
            protocol_type: (version >= 5).then_some(Str::Borrowed(PROTOCOL_TYPE)),
            protocol_name: (version >= 5).then_some(Str::Borrowed(assignor.name())),
            assignments: assignments.collect(),
        };
        let limit = self.config.max_poll_interval + self.config.client.request_timeout;
        let frame = connection.call_within(&request, version, limit).await?;
        let answer: SyncGroupResponse<'_> = frame.decode()?;
        check(answer.error_code, None, || format!("group {}", self.group))?;
        if answer.assignment.is_empty() {
            return Ok(Vec::new());
        }
        let mut reader = Reader::new(&answer.assignment);
        let read = |reader: &mut Reader<'_>| -> std::result::Result<Vec<TopicPartition>, ottla_protocol::DecodeError> {
            let version = reader.i16()?.clamp(0, *ConsumerProtocolAssignment::VERSIONS.end());
            let assignment = ConsumerProtocolAssignment::decode(reader, version)?;
            let partitions = assignment.assigned_partitions.iter().flat_map(|topic| {
                let name: Arc<str> = topic.topic.as_ref().into();
                topic.partitions.iter().map(move |&partition| TopicPartition::new(name.clone(), partition))
            });
            Ok(partitions.collect())
        };
        read(&mut reader).map_err(|e| ClientError::Protocol(format!("our assignment can't be read: {e}")))
    }

    fn start_heartbeats(&mut self) {
        let Some(connection) = self.coordinator.clone() else { return };
        let beat = Heartbeats {
            connection,
            watch: self.watch.clone(),
            group: self.group.clone(),
            member_id: self.member_id.clone(),
            instance: self.config.group_instance_id.clone(),
            generation: self.generation,
            interval: self.config.heartbeat_interval,
            max_poll_interval: self.config.max_poll_interval,
        };
        self.heartbeats = Some(tokio::spawn(beat.run()));
    }

    /// Leaves, so that the others need not wait for the session's timeout. Static members stay (KIP-345).
    pub(super) async fn leave(&mut self) {
        self.stop_heartbeats();
        let Some(connection) = self.coordinator.take().filter(|_| self.generation >= 0 && self.instance().is_none())
        else {
            return;
        };
        leave(&connection, &self.group, &self.member_id).await;
        (self.member_id, self.generation) = (String::new(), -1);
        set_health(&self.watch, Health::Rebalance);
    }
}

async fn leave(connection: &Connection, group: &str, member_id: &str) {
    let Ok(version) = connection.version_up_to::<LeaveGroupRequest<'_>>(i16::MAX) else { return };
    let mut request = LeaveGroupRequest { group_id: Str::Borrowed(group), ..Default::default() };
    if version >= 3 {
        request.members = vec![MemberIdentity { member_id: Str::Borrowed(member_id), ..Default::default() }];
    } else {
        request.member_id = Str::Borrowed(member_id);
    }
    if let Err(e) = connection.call_within(&request, version, LEAVE_TIMEOUT).await {
        tracing::debug!(group, error = %e, "did not leave");
    }
}

fn set_health(watch: &Watch, health: Health) {
    *lock(&watch.health) = health;
    watch.changed.notify_waiters();
}

/// The task that keeps the membership alive while the user works.
struct Heartbeats {
    connection: Connection,
    watch: Arc<Watch>,
    group: String,
    member_id: String,
    instance: Option<String>,
    generation: i32,
    interval: Duration,
    max_poll_interval: Duration,
}

impl Heartbeats {
    async fn run(self) {
        loop {
            tokio::time::sleep(self.interval).await;
            if lock(&self.watch.last_poll).elapsed() > self.max_poll_interval {
                tracing::warn!(
                    group = self.group,
                    "poll was not called within max.poll.interval.ms: leaving the group"
                );
                leave(&self.connection, &self.group, &self.member_id).await;
                return set_health(&self.watch, Health::Fenced);
            }
            let health = match self.beat().await {
                Ok(()) => continue,
                Err(e) => match e.code() {
                    Some(ErrorCode::RebalanceInProgress) => Health::Rebalance,
                    Some(ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable) | None => Health::Moved,
                    Some(ErrorCode::CoordinatorLoadInProgress) => continue,
                    Some(_) => Health::Fenced,
                },
            };
            tracing::debug!(group = self.group, ?health, "the group changes");
            return set_health(&self.watch, health);
        }
    }

    async fn beat(&self) -> Result<()> {
        let version = self.connection.version_up_to::<HeartbeatRequest<'_>>(i16::MAX)?;
        let request = HeartbeatRequest {
            group_id: Str::Borrowed(&self.group),
            generation_id: self.generation,
            member_id: Str::Borrowed(&self.member_id),
            group_instance_id: self.instance.as_deref().filter(|_| version >= 3).map(Str::Borrowed),
        };
        let frame = self.connection.call_version(&request, version).await?;
        let answer: HeartbeatResponse = frame.decode()?;
        check(answer.error_code, None, || format!("group {}", self.group))
    }
}
