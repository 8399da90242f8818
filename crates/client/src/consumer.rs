//! A consumer: reads partitions it is given, or those that its group gives it.
//!
//! While the user works on what [`Consumer::poll`] returned, the next fetch is already under way. Records are handed out
//! borrowed from the fetched bytes ([`Fetched::for_each`]).

mod assignor;
mod fetched;
mod fetcher;
mod group;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use ottla_base::ids::TopicPartition;
use ottla_protocol::ErrorCode;
use tokio::task::JoinHandle;

use crate::admin::{Admin, CommittedOffset, OffsetSpec};
use crate::cluster::{Cluster, Topics};
use crate::config::{ConsumerConfig, OffsetReset};
use crate::connection::ResponseFrame;
use crate::error::{ClientError, Result};

pub use fetched::Fetched;
use fetcher::{FetchNode, Outcome};
use group::{Membership, Watch};

/// How long a close waits for a join under way, to be able to leave.
const CLOSE_WAITS_FOR_JOIN: Duration = Duration::from_secs(3);

/// What a consumer reads.
enum Subscription {
    None,
    Assigned,
    Topics(Vec<Arc<str>>),
    Matching(Box<dyn Fn(&str) -> bool + Send>),
}

/// A partition being read.
#[derive(Default)]
struct Partition {
    /// The next offset to read; `None`: to be found.
    position: Option<i64>,
    is_paused: bool,
    /// A follower to read from (KIP-392).
    preferred: Option<i32>,
    not_before: Option<Instant>,
}

/// A consumer. It works only while it is polled, apart from heartbeats and the fetch that is under way.
#[doc(alias = "KafkaConsumer")]
pub struct Consumer {
    cluster: Cluster,
    config: ConsumerConfig,
    subscription: Subscription,
    partitions: BTreeMap<TopicPartition, Partition>,
    nodes: BTreeMap<i32, FetchNode>,
    /// Away while a join is under way.
    group: Option<Membership>,
    joining: Option<JoinHandle<(Membership, Result<Vec<TopicPartition>>)>>,
    watch: Option<Arc<Watch>>,
    /// Generation and member id to commit with.
    identity: (i32, String),
    last_commit: Instant,
    metadata_at: Instant,
    wants_metadata: bool,
    /// Which leader's answer is looked at first: each gets its turn.
    turn: i32,
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer").field("partitions", &self.partitions.keys()).finish_non_exhaustive()
    }
}

impl Consumer {
    /// Connects.
    pub async fn start(config: ConsumerConfig) -> Result<Self> {
        let cluster = Cluster::connect(config.client.clone()).await?;
        let group = config.group_id.clone().map(|group| Membership::new(cluster.clone(), config.clone(), group));
        Ok(Self {
            watch: group.as_ref().map(Membership::watch),
            joining: None,
            identity: (-1, String::new()),
            cluster,
            config,
            subscription: Subscription::None,
            partitions: BTreeMap::new(),
            nodes: BTreeMap::new(),
            group,
            last_commit: Instant::now(),
            metadata_at: Instant::now(),
            wants_metadata: false,
            turn: 0,
        })
    }

    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Reads exactly these partitions, without a group's say.
    pub fn assign(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        self.subscription = Subscription::Assigned;
        self.set_partitions(partitions.into_iter().collect());
    }

    /// Reads the share of these topics that the group gives us.
    pub fn subscribe(&mut self, topics: &[&str]) -> Result<()> {
        self.need_group()?.join_again();
        self.subscription = Subscription::Topics(topics.iter().map(|&topic| topic.into()).collect());
        Ok(())
    }

    /// The same for all topics that match, also later ones.
    pub fn subscribe_matching(&mut self, matches: impl Fn(&str) -> bool + Send + 'static) -> Result<()> {
        self.need_group()?.join_again();
        self.subscription = Subscription::Matching(Box::new(matches));
        Ok(())
    }

    fn need_group(&self) -> Result<&Watch> {
        self.watch.as_deref().ok_or_else(|| ClientError::Config("a subscription needs group.id".to_owned()))
    }

    /// What is being read.
    pub fn assignment(&self) -> impl Iterator<Item = &TopicPartition> {
        self.partitions.keys()
    }

    /// The next offset to read, once it is known.
    #[must_use]
    pub fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.partitions.get(partition)?.position
    }

    /// Goes on from `offset`; false when the partition is not being read.
    pub fn seek(&mut self, partition: &TopicPartition, offset: i64) -> bool {
        self.partitions.get_mut(partition).map(|found| found.position = Some(offset)).is_some()
    }

    /// Stops to fetch a partition, or goes on.
    pub fn pause(&mut self, partition: &TopicPartition, paused: bool) -> bool {
        self.partitions.get_mut(partition).map(|found| found.is_paused = paused).is_some()
    }

    fn set_partitions(&mut self, wanted: BTreeSet<TopicPartition>) {
        self.partitions.retain(|partition, _| wanted.contains(partition));
        for partition in wanted {
            self.partitions.entry(partition).or_default();
        }
    }

    /// The next records: what one leader sent, by partition; empty when nothing came within `timeout`. Positions move to
    /// the end of what is returned. Joins, commits and looks leaders up as needed, which may take longer.
    pub async fn poll(&mut self, timeout: Duration) -> Result<Vec<Fetched>> {
        let deadline = Instant::now() + timeout;
        if let Some(watch) = &self.watch {
            watch.polled();
        }
        loop {
            match self.prepare(deadline).await {
                // Still joining: the deadline is over, but the join goes on.
                Ok(false) => {}
                Ok(true) => {
                    if let Some((node, answer)) = self.next_answer(deadline).await {
                        let fetched = self.take_answer(node, answer)?;
                        if !fetched.is_empty() {
                            // The next fetch is under way before the user has seen the first record of this one.
                            self.send_fetches().await;
                            return Ok(fetched);
                        }
                    }
                }
                Err(e) if e.is_retriable() => {
                    tracing::warn!(error = %e, "can't read yet");
                    self.wants_metadata = true;
                    let pause = Instant::now() + self.config.client.retry_backoff.1;
                    tokio::time::sleep_until(deadline.min(pause).into()).await;
                }
                Err(e) => return Err(e),
            }
            if Instant::now() >= deadline {
                return Ok(Vec::new());
            }
        }
    }

    /// Everything that comes before waiting for records.
    async fn prepare(&mut self, deadline: Instant) -> Result<bool> {
        if !self.keep_membership(deadline).await? {
            return Ok(false);
        }
        self.auto_commit().await;
        self.refresh_metadata().await?;
        self.find_positions().await?;
        self.send_fetches().await;
        if self.wants_metadata && self.metadata_at.elapsed() >= self.config.client.retry_backoff.0 {
            self.refresh_metadata().await?;
            self.send_fetches().await;
        }
        Ok(true)
    }

    /// Joins the group if it has to be, in a task of its own: a join waits for the other members, the user does not.
    /// False when there is nothing to read before it is done, and the deadline has come first.
    async fn keep_membership(&mut self, deadline: Instant) -> Result<bool> {
        if matches!(self.subscription, Subscription::None | Subscription::Assigned) {
            return Ok(true);
        }
        loop {
            if let Some(joining) = self.joining.as_mut() {
                // Cooperative members read on meanwhile.
                let reads_on = !self.partitions.is_empty();
                let limit = if reads_on { Instant::now() } else { deadline };
                let Ok(joined) = tokio::time::timeout_at(limit.into(), joining).await else { return Ok(reads_on) };
                self.joining = None;
                let (group, assigned) = joined.map_err(|e| ClientError::Protocol(format!("the join was lost: {e}")))?;
                self.identity = (group.generation, group.member_id.clone());
                let group = self.group.insert(group);
                let assigned: BTreeSet<TopicPartition> = assigned?.into_iter().collect();
                if group.is_cooperative() && self.partitions.keys().any(|owned| !assigned.contains(owned)) {
                    // Whom they go to is decided when everybody has let go.
                    group.join_again();
                }
                self.set_partitions(assigned);
                self.last_commit = Instant::now();
            }
            if !self.group.as_ref().is_some_and(Membership::must_join) {
                return Ok(true);
            }
            self.start_to_join().await?;
        }
    }

    async fn start_to_join(&mut self) -> Result<()> {
        let topics = self.subscribed_topics().await?;
        if self.config.auto_commit.is_some()
            && !self.partitions.is_empty()
            && let Err(e) = self.commit().await
        {
            tracing::warn!(error = %e, "offsets were not committed before the rebalance");
        }
        let Some(mut group) = self.group.take() else { return Ok(()) };
        group.polled();
        if !group.is_cooperative() {
            self.partitions.clear();
        }
        let owned: Vec<TopicPartition> = self.partitions.keys().cloned().collect();
        self.joining = Some(tokio::spawn(async move {
            let assigned = group.join(&topics, &owned).await;
            (group, assigned)
        }));
        Ok(())
    }

    async fn subscribed_topics(&mut self) -> Result<Vec<Arc<str>>> {
        match &self.subscription {
            Subscription::Topics(topics) => Ok(topics.clone()),
            Subscription::None | Subscription::Assigned => Ok(Vec::new()),
            Subscription::Matching(matches) => {
                let metadata = self.cluster.metadata(Topics::All).await;
                let topics = metadata?.topics.into_values().filter(|topic| !topic.is_internal && matches(&topic.name));
                Ok(topics.map(|topic| topic.name).collect())
            }
        }
    }

    async fn auto_commit(&mut self) {
        let due = self.config.auto_commit.is_some_and(|interval| self.last_commit.elapsed() >= interval);
        if due
            && !self.partitions.is_empty()
            && let Err(e) = self.commit().await
        {
            tracing::warn!(error = %e, "offsets were not committed");
        }
    }

    /// Commits all positions.
    pub async fn commit(&mut self) -> Result<()> {
        let positions = self.partitions.iter().filter_map(|(partition, state)| {
            let committed = CommittedOffset { offset: state.position?, leader_epoch: -1, metadata: String::new() };
            Some((partition.clone(), committed))
        });
        let offsets: BTreeMap<TopicPartition, CommittedOffset> = positions.collect();
        self.commit_offsets(&offsets).await
    }

    /// Commits these offsets.
    pub async fn commit_offsets(&mut self, offsets: &BTreeMap<TopicPartition, CommittedOffset>) -> Result<()> {
        self.last_commit = Instant::now();
        if offsets.is_empty() {
            return Ok(());
        }
        let cluster = self.cluster.clone();
        let is_member = !matches!(self.subscription, Subscription::Assigned);
        let group_id = self.config.group_id.clone().unwrap_or_default();
        self.need_group()?;
        let (generation, member) = if is_member { (self.identity.0, self.identity.1.as_str()) } else { (-1, "") };
        let instance = self.config.group_instance_id.as_deref().filter(|_| is_member);
        cluster.retry(|| cluster.commit(&group_id, generation, member, instance, offsets)).await
    }

    async fn refresh_metadata(&mut self) -> Result<()> {
        let limit =
            if self.wants_metadata { self.config.client.retry_backoff.0 } else { self.config.client.metadata_max_age };
        let knows_any =
            self.partitions.keys().any(|partition| self.cluster.partition_count(&partition.topic).is_some());
        if self.metadata_at.elapsed() < limit && (knows_any || self.partitions.is_empty()) {
            return Ok(());
        }
        self.wants_metadata = false;
        self.metadata_at = Instant::now();
        let mut names: BTreeSet<Arc<str>> = self.partitions.keys().map(|partition| partition.topic.clone()).collect();
        names.extend(self.subscribed_topics().await?);
        let names: Vec<Arc<str>> = names.into_iter().collect();
        self.cluster.metadata(Topics::Named { names: &names, create: self.config.auto_create_topics }).await?;
        let cluster = &self.cluster;
        let counts = |topic: &str| cluster.partition_count(topic).map(|count| count as i32);
        if let Some(group) = self.group.as_ref().filter(|group| group.leads_outdated(counts)) {
            group.join_again();
        }
        Ok(())
    }

    /// Finds where to begin: the committed offset, or what `auto.offset.reset` says.
    async fn find_positions(&mut self) -> Result<()> {
        let without = |partitions: &BTreeMap<TopicPartition, Partition>| -> Vec<TopicPartition> {
            partitions
                .iter()
                .filter(|(_, state)| state.position.is_none())
                .map(|(partition, _)| partition.clone())
                .collect()
        };
        let missing = without(&self.partitions);
        if missing.is_empty() {
            return Ok(());
        }
        let never_read = missing
            .iter()
            .filter(|partition| self.partitions.get(*partition).is_some_and(|state| state.not_before.is_none()));
        let never_read: Vec<TopicPartition> = never_read.cloned().collect();
        if let Some(group) = self.config.group_id.as_ref().filter(|_| !never_read.is_empty()) {
            let committed = self.cluster.committed_offsets(group, Some(&never_read), true).await?;
            for (partition, committed) in committed {
                let offset = committed?.offset;
                self.seek(&partition, offset);
            }
        }
        self.reset(&without(&self.partitions)).await
    }

    async fn reset(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let Some(first) = partitions.first() else { return Ok(()) };
        let spec = match self.config.offset_reset {
            OffsetReset::Earliest => OffsetSpec::Earliest,
            OffsetReset::Latest => OffsetSpec::Latest,
            OffsetReset::None => {
                let what = format!("{first} has no committed offset and auto.offset.reset=none");
                return Err(ClientError::Refused { code: ErrorCode::OffsetOutOfRange, message: None, what });
            }
        };
        if self.config.auto_create_topics {
            for topic in partitions.iter().map(|partition| &partition.topic).collect::<BTreeSet<_>>() {
                self.cluster.topic(topic, true).await?;
            }
        }
        let wanted = partitions.iter().map(|partition| (partition.clone(), spec)).collect();
        let admin = Admin::new(self.cluster.clone());
        for (partition, listed) in admin.list_offsets(&wanted, self.config.read_committed).await? {
            let offset = listed?.offset.unwrap_or(0);
            self.seek(&partition, offset);
        }
        Ok(())
    }

    /// Sends a fetch to every leader that has none under way.
    async fn send_fetches(&mut self) {
        let now = Instant::now();
        let mut by_node: BTreeMap<i32, BTreeMap<TopicPartition, i64>> = BTreeMap::new();
        for (partition, state) in &mut self.partitions {
            let Some(position) = state.position.filter(|_| !state.is_paused) else { continue };
            if state.not_before.is_some_and(|not_before| not_before > now) {
                continue;
            }
            state.not_before = None;
            match state.preferred.or_else(|| self.cluster.leader(partition).map(|(leader, _)| leader)) {
                Some(node) => drop(by_node.entry(node).or_default().insert(partition.clone(), position)),
                None => self.wants_metadata = true,
            }
        }
        for (id, wanted) in by_node {
            if self.nodes.get(&id).is_some_and(|node| node.in_flight.is_some()) {
                continue;
            }
            let sent = match self.fetch_node(id).await {
                Ok(()) => match self.nodes.get_mut(&id) {
                    Some(node) => node.fetch(&self.config, wanted.clone()),
                    None => Ok(()),
                },
                Err(e) => Err(e),
            };
            if let Err(e) = sent {
                tracing::debug!(node = id, error = %e, "can't fetch");
                self.nodes.remove(&id);
                self.back_off(wanted.keys());
            }
        }
    }

    /// Has a connection of our own to the node: a fetch waits on purpose, and nothing behind it is answered before it.
    async fn fetch_node(&mut self, id: i32) -> Result<()> {
        if self.nodes.get(&id).is_some_and(|node| node.connection.is_open()) {
            return Ok(());
        }
        let address = self.cluster.address(id);
        let address = address.ok_or_else(|| ClientError::Unreachable(format!("broker {id} is not available")))?;
        let connection = self.cluster.connect_to(&address).await?;
        self.nodes.insert(id, FetchNode::new(connection));
        Ok(())
    }

    fn back_off<'a>(&mut self, partitions: impl Iterator<Item = &'a TopicPartition>) {
        self.wants_metadata = true;
        let until = Instant::now() + self.config.client.retry_backoff.0;
        for partition in partitions {
            if let Some(state) = self.partitions.get_mut(partition) {
                state.preferred = None;
                state.not_before = Some(until);
            }
        }
    }

    /// Waits for the first answer to any fetch; `None` at the deadline, or when the group wants us.
    async fn next_answer(&mut self, deadline: Instant) -> Option<(i32, Result<ResponseFrame>)> {
        let watch = self.watch.clone();
        // What could not be sent is tried again before long.
        let backoff = self.config.client.retry_backoff.0;
        let is_waiting = self.wants_metadata || self.partitions.values().any(|state| state.not_before.is_some());
        let step = if is_waiting { backoff } else { self.config.fetch_max_wait.max(backoff) };
        let limit = deadline.min(Instant::now() + step);
        let request_limit = self.config.client.request_timeout + self.config.fetch_max_wait;
        let (nodes, turn) = (&mut self.nodes, &mut self.turn);
        let answer = std::future::poll_fn(|context| {
            let mut order: Vec<i32> = nodes.keys().copied().collect();
            let split = order.partition_point(|id| id <= turn);
            order.rotate_left(split);
            for id in order {
                let Some(in_flight) = nodes.get_mut(&id).and_then(|node| node.in_flight.as_mut()) else { continue };
                if let Poll::Ready(answer) = Pin::new(&mut in_flight.answer).poll(context) {
                    *turn = id;
                    return Poll::Ready((id, answer));
                }
            }
            Poll::Pending
        });
        let changed = async {
            match &watch {
                Some(watch) => watch.changed.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            answer = answer => Some(answer),
            () = changed => None,
            () = tokio::time::sleep_until(limit.into()) => {
                for node in self.nodes.values() {
                    if node.in_flight.as_ref().is_some_and(|in_flight| in_flight.since.elapsed() > request_limit) {
                        node.connection.close("a Fetch request was not answered in time");
                    }
                }
                None
            }
        }
    }

    /// Moves positions and sorts what to do about refusals.
    fn take_answer(&mut self, id: i32, answer: Result<ResponseFrame>) -> Result<Vec<Fetched>> {
        let Some(node) = self.nodes.get_mut(&id) else { return Ok(Vec::new()) };
        let Some(in_flight) = node.in_flight.take() else { return Ok(Vec::new()) };
        let outcomes = match answer.and_then(|frame| node.read(&self.config, &in_flight.asked, frame)) {
            Ok(outcomes) => outcomes,
            Err(e) => {
                tracing::debug!(node = id, error = %e, "a fetch failed");
                self.nodes.remove(&id);
                self.back_off(in_flight.asked.keys());
                return Ok(Vec::new());
            }
        };
        let mut fetched = Vec::new();
        for (partition, outcome) in outcomes {
            let asked = in_flight.asked.get(&partition).copied();
            let Some(state) = self.partitions.get_mut(&partition).filter(|state| state.position == asked) else {
                continue;
            };
            if state.is_paused {
                continue;
            }
            match outcome {
                Outcome::Nothing => {}
                Outcome::Records(records) => {
                    state.position = Some(records.next_offset);
                    fetched.push(records);
                }
                Outcome::Follow(broker) => state.preferred = Some(broker),
                Outcome::Failed(e) => return Err(e),
                Outcome::Refused(code) => self.refused(&partition, code)?,
            }
        }
        Ok(fetched)
    }

    fn refused(&mut self, partition: &TopicPartition, code: ErrorCode) -> Result<()> {
        let fatal = ClientError::Refused { code, message: None, what: format!("fetch of {partition}") };
        match code {
            ErrorCode::OffsetOutOfRange if self.config.offset_reset != OffsetReset::None => {
                if let Some(state) = self.partitions.get_mut(partition) {
                    tracing::warn!(%partition, position = state.position, "the offset is out of range: resetting it");
                    // A follower may lag behind what its leader has told us.
                    if state.preferred.take().is_none() {
                        state.position = None;
                        state.not_before = Some(Instant::now());
                    }
                }
                Ok(())
            }
            code if code.is_retriable() => {
                self.cluster.forget(&partition.topic);
                self.back_off(std::iter::once(partition));
                Ok(())
            }
            _ => Err(fatal),
        }
    }

    /// Commits (with auto commit) and leaves the group.
    pub async fn close(mut self) -> Result<()> {
        let mut result = Ok(());
        if self.config.auto_commit.is_some() && !self.partitions.is_empty() {
            result = self.commit().await;
        }
        if let Some(joining) = self.joining.as_mut()
            && let Ok(Ok((group, _))) = tokio::time::timeout(CLOSE_WAITS_FOR_JOIN, joining).await
        {
            self.group = Some(group);
        }
        if let Some(group) = self.group.as_mut() {
            group.leave().await;
        }
        result
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        if let Some(joining) = self.joining.take() {
            joining.abort();
        }
    }
}
