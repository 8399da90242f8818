//! Fetch 4–18: batches leave as pieces of their files.
//!
//! 0–3 carry the old message format and are refused, as 4.3.1 does. Since 7 in sessions (KIP-227), since 12 with divergence
//! (KIP-595), since 13 by topic id, since 16 a wrong broker names the leader. A request waits until `min_bytes` are there,
//! `max_wait_ms` have passed, or a partition has an error. A follower's request also says how far it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use ottla_base::ids::Uuid;
use ottla_base::limits;
use ottla_base::time::Now;
use ottla_protocol::messages::fetch_request::FetchRequest;
use ottla_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint,
    PartitionData,
};
use ottla_protocol::{ApiKey, ErrorCode, Records, Str};
use ottla_storage::ReadBound;
use parking_lot::Mutex;

use super::leader_hints::{LeaderEndpoints, current_leader};
use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::fetch_plan::{FetchParams, FetchPlan, PartitionAnswer, PlannedPartition};
use crate::fetch_session::{FINAL_EPOCH, FetchSession, INITIAL_EPOCH, INVALID_SESSION_ID, SlotWatcher, next_epoch};
use crate::metadata_cache::ClusterImage;
use crate::purgatory::{DelayedOperation, TimerSlot, Watcher};
use crate::replica_manager::ReplicaManager;
use crate::reply::{Reply, Responder};
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::Fetch, versions: (4, 18), facing: Facing::Client, handle };

const READ_COMMITTED: i8 = 1;
/// The replica id of a replica that moves between directories of one broker.
const FUTURE_REPLICA_ID: i32 = -3;

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: FetchRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let params = params(broker, context, &request);
    let (session, is_incremental) = match open_session(broker, context, &request, &params) {
        Ok(opened) => opened,
        Err(error) => {
            return context.reply(&FetchResponse { error_code: error.code(), ..Default::default() });
        }
    };
    let fetch = Fetch { replicas: broker.replicas.clone(), session, params, is_incremental };
    match fetch.answer_now(context) {
        Some(reply) => reply,
        None => {
            DelayedFetch::start(fetch, context);
            Reply::Later
        }
    }
}

fn params(broker: &Broker, context: &RequestContext<'_>, request: &FetchRequest<'_>) -> FetchParams {
    let version = context.api_version;
    let replica_id = if version < 15 { request.replica_id } else { request.replica_state.replica_id };
    let is_consumer = replica_id < 0 && replica_id != FUTURE_REPLICA_ID;
    let bound = match (is_consumer, request.isolation_level) {
        (false, _) => ReadBound::LogEnd,
        (true, READ_COMMITTED) => ReadBound::LastStable,
        (true, _) => ReadBound::HighWatermark,
    };
    let asked_bytes = request.max_bytes.max(0) as usize;
    let most = if is_consumer { broker.replicas.fetch_max_bytes() } else { usize::MAX };
    let max_bytes = asked_bytes.min(most);
    FetchParams {
        version,
        replica_id,
        bound,
        // Consumers that say where they are may read from a follower (KIP-392).
        only_leader: !is_consumer || version < 11,
        max_bytes,
        min_bytes: (request.min_bytes.max(0) as usize).min(max_bytes),
        max_wait_ms: request.max_wait_ms.max(0) as u64,
        listener: context.connection.listener.clone(),
    }
}

/// Finds or makes the session that the request works on; true when the answer tells only what is new.
#[doc(alias = "newContext")]
fn open_session(
    broker: &Broker,
    context: &RequestContext<'_>,
    request: &FetchRequest<'_>,
    params: &FetchParams,
) -> Result<(Arc<FetchSession>, bool), ErrorCode> {
    let (id, epoch) = (request.session_id, request.session_epoch);
    let (by_id, now) = (params.version >= 13, context.now);
    if epoch == INITIAL_EPOCH || epoch == FINAL_EPOCH {
        if id != INVALID_SESSION_ID {
            broker.fetch_sessions.remove(id);
        }
        let mut plan = FetchPlan::default();
        add_topics(broker, &mut plan, request, by_id);
        if epoch == FINAL_EPOCH || plan.len() > limits::FETCH_SESSION_PARTITIONS {
            return Ok((FetchSession::unlisted(plan, by_id, now), false));
        }
        let random = &broker.shared.random;
        return Ok((broker.fetch_sessions.create(plan, by_id, params.is_follower(), now, random), false));
    }
    let session = broker.fetch_sessions.find(id, by_id)?;
    let len = {
        let mut state = session.state.lock();
        if state.epoch != epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        let watcher: Arc<dyn Watcher> = session.clone();
        add_topics(broker, &mut state.plan, request, by_id);
        for topic in &request.forgotten_topics_data {
            let topic_id = if by_id { topic.topic_id } else { Uuid::ZERO };
            for &partition in &topic.partitions {
                state.plan.forget(&topic.topic, topic_id, partition, &watcher);
            }
        }
        state.epoch = next_epoch(epoch);
        state.plan.len()
    };
    if len == 0 || len > limits::FETCH_SESSION_PARTITIONS {
        broker.fetch_sessions.remove(id);
        return Ok((FetchSession::unlisted(FetchPlan::default(), by_id, now), false));
    }
    session.touch(now, len);
    Ok((session, true))
}

fn add_topics(broker: &Broker, plan: &mut FetchPlan, request: &FetchRequest<'_>, by_id: bool) {
    if request.topics.is_empty() {
        return;
    }
    let image = broker.shared.metadata.image();
    for topic in &request.topics {
        let known = if by_id { image.topic_by_id(topic.topic_id) } else { image.topic(&topic.topic) };
        let name = match known {
            Some(known) => Some(known.name.clone()),
            None if by_id => None,
            None => Some(Arc::from(&*topic.topic)),
        };
        let topic_id = if by_id { topic.topic_id } else { Uuid::ZERO };
        for partition in &topic.partitions {
            plan.add(name.as_ref(), topic_id, partition);
        }
    }
}

/// A fetch under way.
#[derive(Debug)]
struct Fetch {
    replicas: Arc<ReplicaManager>,
    session: Arc<FetchSession>,
    params: FetchParams,
    is_incremental: bool,
}

impl Fetch {
    /// The answer, unless it has to wait.
    fn answer_now(&self, context: &RequestContext<'_>) -> Option<Reply> {
        let watcher: Option<Arc<dyn Watcher>> = match self.session.is_listed() {
            true => Some(self.session.clone()),
            false => None,
        };
        let mut state = self.session.state.lock();
        self.enqueue_changes(&mut state.plan);
        let answers = state.plan.read_all(&self.replicas, &self.params, watcher.as_ref());
        let positions = match self.params.is_follower() {
            true => state.plan.follower_positions(&answers),
            false => Vec::new(),
        };
        let reply = match self.may_wait(&state.plan, &answers) {
            true => None,
            false => Some(self.respond(&mut state.plan, answers, |response| context.reply(response))),
        };
        drop(state);
        // This may wake other sessions, so no lock of this one is held.
        for (partition, offset, log_start) in positions {
            self.replicas.follower_fetched(context.now, &partition, self.params.replica_id, offset, log_start);
        }
        reply
    }

    fn may_wait(&self, plan: &FetchPlan, answers: &[PartitionAnswer]) -> bool {
        let bytes: usize = answers.iter().map(PartitionAnswer::bytes).sum();
        // Somebody has to be there who can wake it.
        let is_watching = answers.len() < plan.len() || answers.iter().any(|answer| !answer.is_unknown());
        self.params.max_wait_ms > 0
            && bytes < self.params.min_bytes
            && is_watching
            && !answers.iter().any(PartitionAnswer::is_urgent)
    }

    fn enqueue_changes(&self, plan: &mut FetchPlan) {
        let mut changed = Vec::new();
        self.session.take_changes(&mut changed);
        for slot in changed {
            plan.enqueue(slot);
        }
    }

    /// Tells what the answers say; `encode` gets the response while the plan, of which it borrows, is held.
    fn respond(
        &self,
        plan: &mut FetchPlan,
        answers: Vec<PartitionAnswer>,
        encode: impl FnOnce(&FetchResponse<'_>) -> Reply,
    ) -> Reply {
        let answers = plan.settle(answers, self.is_incremental);
        self.count(&answers);
        let image = self.replicas.shared.metadata.image();
        let mut endpoints = LeaderEndpoints::default();
        let mut responses: Vec<FetchableTopicResponse<'_>> = Vec::new();
        for answer in answers {
            let Some(planned) = plan.get(answer.slot) else { continue };
            let data = self.partition_data(planned, answer, &image, &mut endpoints);
            let topic = planned.topic.as_deref().unwrap_or("");
            match responses.last_mut() {
                Some(last) if last.topic == topic && last.topic_id == planned.topic_id => last.partitions.push(data),
                _ => responses.push(FetchableTopicResponse {
                    topic: Str::Borrowed(topic),
                    topic_id: planned.topic_id,
                    partitions: vec![data],
                }),
            }
        }
        let node_endpoints = endpoints.iter().map(|node| NodeEndpoint {
            node_id: node.id,
            host: Str::Borrowed(&node.host),
            port: node.port,
            rack: node.rack.as_deref().map(Str::Borrowed),
        });
        let node_endpoints = node_endpoints.collect();
        // Nobody before version 7 knows of sessions.
        let session_id = if self.params.version >= 7 { self.session.id } else { INVALID_SESSION_ID };
        encode(&FetchResponse { session_id, responses, node_endpoints, ..Default::default() })
    }

    fn count(&self, answers: &[PartitionAnswer]) {
        let metrics = &self.replicas.shared.metrics;
        let bytes: usize = answers.iter().map(PartitionAnswer::bytes).sum();
        let counter = if self.params.is_follower() { &metrics.replicated_bytes } else { &metrics.fetched_bytes };
        counter.add(bytes as u64);
        let failed = answers.iter().filter(|answer| answer.error != ErrorCode::None).count();
        metrics.failed_fetches.add(failed as u64);
    }

    fn partition_data<'a>(
        &self,
        planned: &PlannedPartition,
        answer: PartitionAnswer,
        image: &ClusterImage,
        endpoints: &mut LeaderEndpoints,
    ) -> PartitionData<'a> {
        let is_misled = matches!(answer.error, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch);
        let leader = match &planned.topic {
            Some(topic) if is_misled && self.params.version >= 16 => {
                current_leader(&self.replicas, image, topic, planned.index)
            }
            _ => (-1, -1),
        };
        if !self.params.is_follower() {
            endpoints.add(image, leader.0, &self.params.listener);
        }
        let (epoch, end_offset) = answer.diverging.unwrap_or((-1, -1));
        // An unknown partition has the empty list, as Kafka's messages do by default.
        let has_aborted =
            answer.is_unknown() || (self.params.bound == ReadBound::LastStable && answer.error == ErrorCode::None);
        let (records, aborted) = answer.read.map_or((None, Vec::new()), |read| (read.records, read.aborted));
        let aborted = aborted.iter().map(|transaction| AbortedTransaction {
            producer_id: transaction.producer_id,
            first_offset: transaction.first_offset,
        });
        PartitionData {
            partition_index: planned.index,
            error_code: answer.error.code(),
            high_watermark: answer.high_watermark,
            last_stable_offset: answer.last_stable_offset,
            log_start_offset: answer.log_start_offset,
            diverging_epoch: EpochEndOffset { epoch, end_offset },
            current_leader: LeaderIdAndEpoch { leader_id: leader.0, leader_epoch: leader.1 },
            aborted_transactions: has_aborted.then(|| aborted.collect()),
            records: Some(records.map_or_else(|| Records::from(&[][..]), Records::File)),
            ..Default::default()
        }
    }
}

/// A fetch that waits for records.
#[derive(Debug)]
struct DelayedFetch {
    fetch: Fetch,
    timer: TimerSlot,
    /// `None` once answered. Locked after the session's state.
    waiting: Mutex<Option<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    responder: Responder,
    /// The session's epoch during this request.
    epoch: i32,
    /// Bytes that are there, by slot, of the partitions that changed since.
    counted: BTreeMap<u32, usize>,
    bytes: usize,
}

impl DelayedFetch {
    fn start(fetch: Fetch, context: &mut RequestContext<'_>) {
        let epoch = fetch.session.state.lock().epoch;
        let waiting = Waiting { responder: context.responder(), epoch, counted: BTreeMap::new(), bytes: 0 };
        let delayed = Arc::new(Self { fetch, timer: TimerSlot::default(), waiting: Mutex::new(Some(waiting)) });
        if let Some(waiting) = &*delayed.waiting.lock() {
            let operation: Weak<dyn DelayedOperation> = Arc::downgrade(&delayed) as _;
            waiting.responder.set_operation(operation);
        }
        delayed.fetch.session.set_waiting(Some(delayed.clone()));
        // What happened between the first look and now has told nobody.
        if !delayed.look_again() {
            let purgatory = &delayed.fetch.replicas.shared.purgatory;
            purgatory.watch(context.now, delayed.fetch.params.max_wait_ms, &delayed.timer, delayed.clone());
        }
    }

    fn look_again(self: &Arc<Self>) -> bool {
        let watcher: Arc<dyn Watcher> = self.fetch.session.clone();
        let is_enough = {
            let mut state = self.fetch.session.state.lock();
            self.fetch.enqueue_changes(&mut state.plan);
            let answers = state.plan.read_all(&self.fetch.replicas, &self.fetch.params, Some(&watcher));
            let mut waiting = self.waiting.lock();
            let Some(waiting) = waiting.as_mut() else { return true };
            for answer in &answers {
                waiting.count(answer);
            }
            waiting.bytes >= self.fetch.params.min_bytes || answers.iter().any(PartitionAnswer::is_urgent)
        };
        if is_enough {
            self.complete();
        }
        is_enough
    }

    /// Answers with what there is, unless somebody else did.
    fn complete(&self) {
        let fetch = &self.fetch;
        let (responder, reply) = {
            let mut state = fetch.session.state.lock();
            let Some(waiting) = self.waiting.lock().take() else { return };
            fetch.enqueue_changes(&mut state.plan);
            let reply = if state.epoch == waiting.epoch {
                let answers = state.plan.read_all(&fetch.replicas, &fetch.params, None);
                fetch.respond(&mut state.plan, answers, |response| waiting.responder.encode(response))
            } else {
                // Another request of the same session was quicker.
                let error_code = ErrorCode::InvalidFetchSessionEpoch.code();
                waiting.responder.encode(&FetchResponse { error_code, ..Default::default() })
            };
            (waiting.responder, reply)
        };
        fetch.replicas.shared.purgatory.cancel(&self.timer);
        fetch.session.set_waiting(None);
        if !fetch.session.is_listed() {
            fetch.session.close();
        }
        responder.deliver(reply);
    }
}

impl Waiting {
    fn count(&mut self, answer: &PartitionAnswer) {
        let before = self.counted.insert(answer.slot, answer.bytes()).unwrap_or(0);
        self.bytes = self.bytes - before + answer.bytes();
    }
}

impl SlotWatcher for DelayedFetch {
    fn slot_changed(self: Arc<Self>, _now: Now, slot: u32) {
        let is_enough = {
            let mut state = self.fetch.session.state.lock();
            let answer = state.plan.read_one(slot, &self.fetch.replicas, &self.fetch.params);
            let mut waiting = self.waiting.lock();
            let (Some(waiting), Some(answer)) = (waiting.as_mut(), answer) else { return };
            waiting.count(&answer);
            answer.is_urgent() || waiting.bytes >= self.fetch.params.min_bytes
        };
        if is_enough {
            self.complete();
        }
    }
}

impl DelayedOperation for DelayedFetch {
    fn expire(self: Arc<Self>, _now: Now) {
        self.complete();
    }
}
