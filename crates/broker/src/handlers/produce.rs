//! Produce 3–13: batches are checked once, get their offsets in place and are written once.
//!
//! 0–2 carry the old message format and are refused as 4.3.1 refuses them, though ApiVersions lists them. Since 8 a refused
//! record is named, since 10 a wrong broker names the leader, since 13 topics come by id. With acks=-1 the answer waits
//! for the whole ISR, with acks=0 there is none: an error closes the connection, so that the client learns of it.
//! Transactional batches are refused with `INVALID_TXN_STATE` until transactions are served.

use std::ops::Range;
use std::sync::Arc;

use ottla_base::ids::Uuid;
use ottla_base::time::Now;
use ottla_protocol::messages::produce_request::ProduceRequest;
use ottla_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, ProduceResponse,
    TopicProduceResponse,
};
use ottla_protocol::record_batch::{self, BatchHeader};
use ottla_protocol::{ApiKey, Compression, ErrorCode, Records, Str};
use ottla_storage::AppendError;
use ottla_storage::error::RecordError;
use parking_lot::Mutex;

use super::leader_hints::{LeaderEndpoints, current_leader};
use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::partition::{Appended, Partition, PartitionAppendError};
use crate::purgatory::{DelayedOperation, TimerSlot, Watcher};
use crate::replica_manager::Shared;
use crate::reply::{Reply, Responder};
use crate::request::RequestContext;
use crate::topic;

pub static API: Api = Api { key: ApiKey::Produce, versions: (3, 13), facing: Facing::Client, handle };

/// The client id under which Kafka's own tools may write to internal topics.
const ADMIN_CLIENT: &str = "__admin_client";
const ALL_IN_SYNC: i16 = -1;

/// The partitions of one topic, first as they are asked for, then as they are answered.
#[derive(Debug)]
struct TopicWork {
    name: Arc<str>,
    id: Uuid,
    partitions: Vec<PartitionWork>,
}

#[derive(Debug)]
struct PartitionWork {
    index: i32,
    /// Where the batches lie in the request's body.
    records: Range<usize>,
    target: Option<Arc<Partition>>,
    error: ErrorCode,
    base_offset: i64,
    /// The offset that the high watermark has to reach for acks=-1.
    required_offset: i64,
    log_append_time: i64,
    log_start: i64,
    record_errors: Vec<RecordError>,
    message: Option<String>,
}

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: ProduceRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let (acks, timeout_ms) = (request.acks, request.timeout_ms);
    let mut topics = plan(broker, context, &request, body);
    if (-1..=1).contains(&acks) {
        append_all(broker, context.now, &mut topics, body, acks);
    } else {
        for work in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            work.error = ErrorCode::InvalidRequiredAcks;
        }
    }
    answer(broker, context, topics, acks, timeout_ms)
}

/// Finds each partition and checks what can be checked without its log.
fn plan(broker: &Broker, context: &RequestContext<'_>, request: &ProduceRequest<'_>, body: &[u8]) -> Vec<TopicWork> {
    let image = broker.shared.metadata.image();
    let by_id = context.api_version >= 13;
    // Without a transactional id nobody could be allowed to use it.
    let transactional = match request.transactional_id {
        None => ErrorCode::TransactionalIdAuthorizationFailed,
        Some(_) => ErrorCode::InvalidTxnState,
    };
    let mut topics = Vec::with_capacity(request.topic_data.len());
    for topic in &request.topic_data {
        let known = if by_id { image.topic_by_id(topic.topic_id) } else { image.topic(&topic.name) };
        let unknown = if by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
        let name = known.map_or_else(|| Arc::from(&*topic.name), |known| known.name.clone());
        let may_write = !topic::is_internal(&name) || context.client_id() == ADMIN_CLIENT;
        let partitions = topic.partition_data.iter().map(|data| {
            let mut work = PartitionWork::new(data.index);
            let is_known = known.is_some_and(|known| known.partitions.contains_key(&data.index));
            match check_records(context.api_version, data.records.as_ref(), body) {
                _ if !is_known && known.is_some() => work.error = ErrorCode::UnknownTopicOrPartition,
                _ if !is_known => work.error = unknown,
                Err(error) => {
                    work.error = error;
                    work.message = why_corrupt(error, data.records.as_ref());
                }
                _ if !may_write => work.error = ErrorCode::InvalidTopicException,
                Ok(checked) if checked.is_transactional => work.error = transactional,
                Ok(checked) => {
                    work.records = checked.place;
                    match broker.replicas.partition_or_error(&name, data.index) {
                        Ok(partition) => work.target = Some(partition),
                        Err(error) => work.error = error,
                    }
                }
            }
            work
        });
        let partitions = partitions.collect();
        topics.push(TopicWork { id: topic.topic_id, name, partitions });
    }
    topics
}

/// What is found out about a partition's records without looking into them.
struct Checked {
    /// Where the batch lies in the body.
    place: Range<usize>,
    is_transactional: bool,
}

/// Finds the one batch of a partition; a piece of a second one is dropped, as Kafka does.
#[doc(alias = "validateRecords")]
fn check_records(version: i16, records: Option<&Records<'_>>, body: &[u8]) -> Result<Checked, ErrorCode> {
    let bytes = records.and_then(Records::as_bytes).unwrap_or_default();
    let first = match record_batch::peek(bytes) {
        Ok(Some(first)) if first.size <= bytes.len() => first,
        Ok(_) => return Err(ErrorCode::InvalidRecord),
        Err(_) => return Err(ErrorCode::CorruptMessage),
    };
    if first.magic != record_batch::MAGIC {
        return Err(ErrorCode::InvalidRecord);
    }
    let header = BatchHeader::new(bytes).map_err(|error| error.code())?;
    if version < 7 && header.compression() == Ok(Compression::Zstd) {
        return Err(ErrorCode::UnsupportedCompressionType);
    }
    if matches!(record_batch::peek(&bytes[first.size..]), Ok(Some(second)) if second.size <= bytes.len() - first.size) {
        return Err(ErrorCode::InvalidRecord);
    }
    // The records are borrowed from the body, so this is their place in it.
    let start = bytes.as_ptr() as usize - body.as_ptr() as usize;
    Ok(Checked { place: start..start + first.size, is_transactional: header.is_transactional() })
}

/// What 4.3.1 says of bytes that can't be a batch.
fn why_corrupt(error: ErrorCode, records: Option<&Records<'_>>) -> Option<String> {
    let bytes = records.and_then(Records::as_bytes).filter(|_| error == ErrorCode::CorruptMessage)?;
    let length = i32::from_be_bytes(*bytes.get(8..)?.first_chunk()?);
    let magic = *bytes.get(16)? as i8;
    Some(match length {
        ..14 => format!("Record size {length} is less than the minimum record overhead (14)"),
        _ => format!("Invalid magic found in record: {magic}"),
    })
}

fn append_all(broker: &Broker, now: Now, topics: &mut [TopicWork], body: &mut [u8], acks: i16) {
    let metrics = &broker.shared.metrics;
    for work in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        let Some(partition) = &work.target else { continue };
        match broker.replicas.append(now, partition, &mut body[work.records.clone()], acks) {
            Ok(appended) => {
                if !appended.info.duplicate {
                    metrics.produced_bytes.add(appended.info.bytes as u64);
                    metrics.produced_records.add(appended.info.record_count.max(0) as u64);
                }
                work.appended(appended);
            }
            Err(error) => work.refused(error),
        }
    }
    let failed = topics.iter().flat_map(|topic| &topic.partitions).filter(|work| work.error != ErrorCode::None);
    metrics.failed_produces.add(failed.count() as u64);
}

impl PartitionWork {
    fn new(index: i32) -> Self {
        Self {
            index,
            records: 0..0,
            target: None,
            error: ErrorCode::None,
            base_offset: -1,
            required_offset: -1,
            log_append_time: -1,
            log_start: -1,
            record_errors: Vec::new(),
            message: None,
        }
    }

    fn appended(&mut self, appended: Appended) {
        self.base_offset = appended.info.first_offset;
        self.required_offset = appended.info.last_offset + 1;
        self.log_append_time = appended.info.log_append_time;
        self.log_start = appended.info.log_start_offset;
        if appended.high_watermark >= self.required_offset {
            self.required_offset = -1;
        }
    }

    fn refused(&mut self, error: PartitionAppendError) {
        let error = match error {
            PartitionAppendError::Refused(code) => {
                self.error = code;
                return;
            }
            PartitionAppendError::Log(error) => error,
        };
        self.error = append_error_code(&error);
        tracing::debug!(partition = self.index, %error, "an append was refused");
        if let AppendError::InvalidRecord { message, records } | AppendError::InvalidTimestamp { message, records } =
            error
            && !records.is_empty()
        {
            self.message = Some(message);
            self.record_errors = records;
        }
        let knows_start = !matches!(self.error, ErrorCode::CorruptMessage | ErrorCode::MessageTooLarge)
            && !matches!(self.error, ErrorCode::RecordListTooLarge | ErrorCode::KafkaStorageError);
        if let Some(offsets) = self.target.as_ref().filter(|_| knows_start).and_then(|partition| partition.offsets()) {
            self.log_start = offsets.log_start;
        }
    }

    fn response(&self, leader: (i32, i32)) -> PartitionProduceResponse<'_> {
        let record_errors = self.record_errors.iter().map(|record| BatchIndexAndErrorMessage {
            batch_index: record.batch_index,
            batch_index_error_message: Some(Str::Borrowed(&record.message)),
        });
        PartitionProduceResponse {
            index: self.index,
            error_code: self.error.code(),
            base_offset: self.base_offset,
            log_append_time_ms: self.log_append_time,
            log_start_offset: self.log_start,
            record_errors: record_errors.collect(),
            error_message: self.message.as_deref().map(Str::Borrowed),
            current_leader: LeaderIdAndEpoch { leader_id: leader.0, leader_epoch: leader.1 },
        }
    }
}

pub(crate) fn append_error_code(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::CorruptMessage(_) => ErrorCode::CorruptMessage,
        AppendError::InvalidRecord { .. } => ErrorCode::InvalidRecord,
        AppendError::InvalidTimestamp { .. } => ErrorCode::InvalidTimestamp,
        AppendError::MessageTooLarge(_) => ErrorCode::MessageTooLarge,
        AppendError::RecordListTooLarge(_) => ErrorCode::RecordListTooLarge,
        AppendError::UnsupportedFormat(_) => ErrorCode::UnsupportedForMessageFormat,
        AppendError::UnsupportedCompression(_) => ErrorCode::UnsupportedCompressionType,
        AppendError::OutOfOrderSequence(_) => ErrorCode::OutOfOrderSequenceNumber,
        AppendError::InvalidProducerEpoch(_) => ErrorCode::InvalidProducerEpoch,
        AppendError::UnknownProducer(_) => ErrorCode::UnknownProducerId,
        AppendError::CoordinatorFenced(_) => ErrorCode::TransactionCoordinatorFenced,
        AppendError::InvalidTxnState(_) => ErrorCode::InvalidTxnState,
        AppendError::OffsetsOutOfOrder(_) => ErrorCode::UnknownServerError,
        AppendError::Storage(_) => ErrorCode::KafkaStorageError,
    }
}

fn answer(
    broker: &Broker,
    context: &mut RequestContext<'_>,
    topics: Vec<TopicWork>,
    acks: i16,
    timeout_ms: i32,
) -> Reply {
    let mut works = topics.iter().flat_map(|topic| topic.partitions.iter().map(move |work| (topic, work)));
    if acks == 0 {
        return match works.find(|(_, work)| work.error != ErrorCode::None) {
            Some((topic, work)) => {
                Reply::Close(format!("Produce with acks=0 to {}-{}: {:?}", topic.name, work.index, work.error))
            }
            None => Reply::None,
        };
    }
    if acks == ALL_IN_SYNC && works.any(|(_, work)| work.required_offset >= 0) {
        DelayedProduce::start(broker, context, topics, timeout_ms);
        return Reply::Later;
    }
    let hints = Hints::of(broker, context, &topics);
    context.reply(&hints.response(&topics))
}

/// The leaders of partitions that are led elsewhere.
#[derive(Debug, Default)]
struct Hints {
    leaders: Vec<(Arc<str>, i32, (i32, i32))>,
    endpoints: LeaderEndpoints,
}

impl Hints {
    fn of(broker: &Broker, context: &RequestContext<'_>, topics: &[TopicWork]) -> Self {
        let mut hints = Self::default();
        if context.api_version < 10 {
            return hints;
        }
        for topic in topics {
            for work in topic.partitions.iter().filter(|work| work.error == ErrorCode::NotLeaderOrFollower) {
                let image = broker.shared.metadata.image();
                let leader = current_leader(&broker.replicas, &image, &topic.name, work.index);
                hints.endpoints.add(&image, leader.0, &context.connection.listener);
                hints.leaders.push((topic.name.clone(), work.index, leader));
            }
        }
        hints
    }

    fn leader(&self, topic: &str, index: i32) -> (i32, i32) {
        let found = self.leaders.iter().find(|(name, partition, _)| &**name == topic && *partition == index);
        found.map_or((-1, -1), |&(_, _, leader)| leader)
    }

    fn response<'a>(&'a self, topics: &'a [TopicWork]) -> ProduceResponse<'a> {
        let responses = topics.iter().map(|topic| TopicProduceResponse {
            name: Str::Borrowed(&topic.name),
            topic_id: topic.id,
            partition_responses: topic
                .partitions
                .iter()
                .map(|work| work.response(self.leader(&topic.name, work.index)))
                .collect(),
        });
        let node_endpoints = self.endpoints.iter().map(|node| NodeEndpoint {
            node_id: node.id,
            host: Str::Borrowed(&node.host),
            port: node.port,
            rack: node.rack.as_deref().map(Str::Borrowed),
        });
        ProduceResponse {
            responses: responses.collect(),
            throttle_time_ms: 0,
            node_endpoints: node_endpoints.collect(),
        }
    }
}

/// A produce answer that waits for the ISR.
#[derive(Debug)]
struct DelayedProduce {
    shared: Arc<Shared>,
    timer: TimerSlot,
    /// `None` once answered.
    waiting: Mutex<Option<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    topics: Vec<TopicWork>,
    hints: Hints,
    responder: Responder,
}

impl DelayedProduce {
    fn start(broker: &Broker, context: &mut RequestContext<'_>, topics: Vec<TopicWork>, timeout_ms: i32) {
        let targets: Vec<Arc<Partition>> = topics
            .iter()
            .flat_map(|topic| &topic.partitions)
            .filter(|work| work.required_offset >= 0)
            .filter_map(|work| work.target.clone())
            .collect();
        let hints = Hints::of(broker, context, &topics);
        let delayed = Arc::new(Self {
            shared: broker.shared.clone(),
            timer: TimerSlot::default(),
            waiting: Mutex::new(Some(Waiting { topics, hints, responder: context.responder() })),
        });
        let watcher: Arc<dyn Watcher> = delayed.clone();
        for partition in &targets {
            partition.watchers.add(watcher.clone(), 0);
        }
        if !delayed.try_complete() {
            let timeout_ms = timeout_ms.max(0) as u64;
            delayed.shared.purgatory.watch(context.now, timeout_ms, &delayed.timer, delayed.clone());
        }
    }

    /// Answers if every partition is replicated or failed. True when answered, now or before.
    fn try_complete(self: &Arc<Self>) -> bool {
        let watcher: Arc<dyn Watcher> = self.clone();
        let mut waiting = self.waiting.lock();
        let Some(state) = waiting.as_mut() else { return true };
        let mut is_done = true;
        for work in state.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            let Some(partition) = work.target.as_ref().filter(|_| work.required_offset >= 0) else { continue };
            match partition.check_replicated(work.required_offset) {
                Some(error) => {
                    work.error = error;
                    work.required_offset = -1;
                    partition.watchers.remove(&watcher, 0);
                }
                None => is_done = false,
            }
        }
        if is_done {
            let state = waiting.take();
            drop(waiting);
            self.shared.purgatory.cancel(&self.timer);
            answer_late(state);
        }
        is_done
    }
}

fn answer_late(state: Option<Waiting>) {
    if let Some(Waiting { topics, hints, responder }) = state {
        responder.send(&hints.response(&topics));
    }
}

impl Watcher for DelayedProduce {
    fn partition_changed(self: Arc<Self>, _now: Now, _token: u32) {
        self.try_complete();
    }
}

impl DelayedOperation for DelayedProduce {
    fn expire(self: Arc<Self>, _now: Now) {
        let watcher: Arc<dyn Watcher> = self.clone();
        let mut waiting = self.waiting.lock();
        for work in waiting.iter_mut().flat_map(|state| &mut state.topics).flat_map(|topic| &mut topic.partitions) {
            if let Some(partition) = work.target.as_ref().filter(|_| work.required_offset >= 0) {
                partition.watchers.remove(&watcher, 0);
                work.error = ErrorCode::RequestTimedOut;
            }
        }
        let state = waiting.take();
        drop(waiting);
        answer_late(state);
    }
}
