//! The producer's task: turns closed batches into requests, and answers into acknowledgements or further tries.
//!
//! Order within a partition: batches leave in the order of their ordinals on one connection. When one has to be sent
//! again, the partition sends nothing until all its batches under way are back, and then goes on from the first one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_protocol::batch_builder::BatchOptions;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProduceResponse};
use ottla_protocol::{Compression, ErrorCode, RecordBatchMut, Records, Str};
use tokio::sync::{mpsc, oneshot};

use super::accumulator::{Accumulator, ClosedBatch, TopicState, lock};
use crate::cluster::{Backoff, Cluster, Topics};
use crate::config::{Acks, ProducerConfig};
use crate::connection::{Connection, PendingAnswer, ResponseFrame};
use crate::error::{ClientError, Result, check};

/// The highest version that names topics and does not carry their ids.
const PRODUCE_BY_NAME: i16 = 12;
/// The first version that may carry zstd (KIP-110).
const PRODUCE_ZSTD: i16 = 7;
/// Bytes that may wait for a socket before further batches stay where they are.
const UNSENT_BYTES: usize = 4 << 20;
/// How often what waits is looked through for being too old.
const EXPIRY_CHECK: Duration = Duration::from_millis(500);

/// What a handle asks of the task.
pub(super) enum Ask {
    Topic(Arc<TopicState>),
    Flush(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

/// What comes back to the task.
enum Event {
    Answered { node: i32, batches: Vec<(usize, ClosedBatch)>, answer: Result<ResponseFrame> },
    Connected { node: i32, connection: Result<Connection> },
    Metadata(Result<crate::cluster::Metadata>),
    ProducerId(Result<(i64, i16)>),
}

#[derive(Default)]
struct Node {
    connection: Option<Connection>,
    is_connecting: bool,
    in_flight: usize,
    not_before: Option<Instant>,
}

pub(super) struct Sender {
    cluster: Cluster,
    config: ProducerConfig,
    accumulator: Arc<Accumulator>,
    asks: mpsc::UnboundedReceiver<Ask>,
    events: mpsc::UnboundedReceiver<Event>,
    events_tx: mpsc::UnboundedSender<Event>,
    topics: Vec<Arc<TopicState>>,
    nodes: BTreeMap<i32, Node>,
    /// Id and epoch; `None` without idempotence, or while a new one is being fetched.
    producer: Option<(i64, i16)>,
    wants_producer: bool,
    is_fetching_producer: bool,
    is_fetching_metadata: bool,
    wants_metadata: bool,
    metadata_not_before: Option<Instant>,
    metadata_at: Instant,
    flushes: Vec<oneshot::Sender<()>>,
    closing: Option<oneshot::Sender<()>>,
    /// Every handle is gone or has asked to close: what is left is sent, then the task ends.
    is_closing: bool,
    next_expiry: Instant,
}

/// Asks any broker for a fresh producer id.
pub(super) async fn init_producer_id(cluster: &Cluster) -> Result<(i64, i16)> {
    cluster
        .retry(|| async {
            let connection = cluster.any().await?;
            let request = InitProducerIdRequest {
                transactional_id: None,
                transaction_timeout_ms: i32::MAX,
                producer_id: -1,
                producer_epoch: -1,
                ..Default::default()
            };
            let frame = connection.call(&request).await?;
            let answer: InitProducerIdResponse = frame.decode()?;
            check(answer.error_code, None, || "a producer id".to_owned())?;
            Ok((answer.producer_id, answer.producer_epoch))
        })
        .await
}

impl Sender {
    pub(super) fn new(
        cluster: Cluster,
        config: ProducerConfig,
        accumulator: Arc<Accumulator>,
        asks: mpsc::UnboundedReceiver<Ask>,
        producer: Option<(i64, i16)>,
    ) -> Self {
        let (events_tx, events) = mpsc::unbounded_channel();
        Self {
            wants_producer: config.idempotence && producer.is_none(),
            cluster,
            config,
            accumulator,
            asks,
            events,
            events_tx,
            topics: Vec::new(),
            nodes: BTreeMap::new(),
            producer,
            is_fetching_producer: false,
            is_fetching_metadata: false,
            wants_metadata: false,
            metadata_not_before: None,
            metadata_at: Instant::now(),
            flushes: Vec::new(),
            closing: None,
            is_closing: false,
            next_expiry: Instant::now(),
        }
    }

    pub(super) async fn run(mut self) {
        let accumulator = self.accumulator.clone();
        loop {
            let wake = self.work();
            if self.accumulator.pending() == 0 {
                for flush in self.flushes.drain(..) {
                    // Whoever flushed may have gone away.
                    let _ = flush.send(());
                }
                if self.is_closing {
                    if let Some(closing) = self.closing.take() {
                        let _ = closing.send(());
                    }
                    return;
                }
            }
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => {
                    self.take(event);
                    while let Ok(event) = self.events.try_recv() {
                        self.take(event);
                    }
                }
                ask = self.asks.recv(), if !self.is_closing => match ask {
                    Some(Ask::Topic(topic)) => self.topics.push(topic),
                    Some(Ask::Flush(done)) => self.flushes.push(done),
                    Some(Ask::Close(done)) => {
                        self.closing = Some(done);
                        self.is_closing = true;
                    }
                    None => self.is_closing = true,
                },
                () = accumulator.work.notified() => {}
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        }
    }

    /// Sends what can be sent; tells when to look again.
    fn work(&mut self) -> Instant {
        let now = Instant::now();
        let mut wake = now + EXPIRY_CHECK;
        if now >= self.next_expiry {
            self.next_expiry = now + EXPIRY_CHECK;
            self.expire(now);
        }
        if self.metadata_at + self.config.client.metadata_max_age < now {
            self.wants_metadata = true;
        }
        self.fetch_producer_id();
        while let Some(by_node) = self.drain(now, &mut wake) {
            for (node, batches) in by_node {
                self.send(node, batches);
            }
        }
        self.fetch_metadata(now, &mut wake);
        wake
    }

    /// Takes at most one batch of each partition whose leader can take a request, by leader; `None` when there is none.
    fn drain(&mut self, now: Instant, wake: &mut Instant) -> Option<BTreeMap<i32, Vec<(usize, ClosedBatch)>>> {
        let hurry = self.is_closing || !self.flushes.is_empty();
        let linger = if hurry { Duration::ZERO } else { self.config.linger };
        let mut by_node: BTreeMap<i32, (usize, Vec<(usize, ClosedBatch)>)> = BTreeMap::new();
        for (topic_index, topic) in self.topics.iter().enumerate() {
            let mut queues = lock(&topic.queues);
            for (index, queue) in queues.partitions.iter_mut().enumerate() {
                if let Some(due) = queue.close_if_due(index as i32, now, linger) {
                    *wake = (*wake).min(due);
                }
                let Some(first) = queue.closed.front() else { continue };
                if queue.is_recovering && queue.in_flight > 0 {
                    continue;
                }
                if self.config.idempotence && self.producer.is_none() {
                    continue;
                }
                if let Some(not_before) = queue.not_before {
                    if not_before > now {
                        *wake = (*wake).min(not_before);
                        continue;
                    }
                    queue.not_before = None;
                }
                let Some(leader) = queue.leader else {
                    self.wants_metadata = true;
                    continue;
                };
                if !node_is_ready(
                    &mut self.nodes,
                    &self.cluster,
                    &self.events_tx,
                    leader,
                    self.config.max_in_flight,
                    now,
                    wake,
                ) {
                    continue;
                }
                let len = first.builder.as_ref().map_or(first.bytes.len(), |builder| builder.len());
                let (bytes, batches) = by_node.entry(leader).or_default();
                if !batches.is_empty() && *bytes + len > self.config.max_request_size {
                    continue;
                }
                let Some(mut batch) = queue.closed.pop_front() else { continue };
                // One by one until something new is next.
                queue.is_recovering &= queue.closed.front().is_some_and(|next| next.attempts > 0);
                if self.producer.is_some() && batch.sequence.is_none() {
                    batch.sequence = Some(queue.next_sequence);
                    // Sequences go on at 0 after the largest.
                    queue.next_sequence = (queue.next_sequence.wrapping_add(batch.records)) & i32::MAX;
                }
                queue.in_flight += 1;
                *bytes += len;
                batches.push((topic_index, batch));
            }
        }
        if by_node.is_empty() {
            return None;
        }
        Some(by_node.into_iter().map(|(node, (_, batches))| (node, batches)).collect())
    }

    /// Finishes the batches and sends them in one request.
    fn send(&mut self, node: i32, mut batches: Vec<(usize, ClosedBatch)>) {
        for (_, batch) in &mut batches {
            batch.attempts += 1;
            let (producer_id, producer_epoch) = self.producer.unwrap_or((-1, -1));
            let base_sequence = batch.sequence.unwrap_or(-1);
            let options = BatchOptions { producer_id, producer_epoch, base_sequence, ..BatchOptions::default() };
            if let Err(e) = self.accumulator.finish(batch, options) {
                // Memory is the only thing that can be missing; the batch is empty and the broker refuses it.
                tracing::error!(error = %e, "a batch was not made");
            }
        }
        let Some(connection) = self.nodes.get(&node).and_then(|node| node.connection.clone()) else {
            return self.failed(batches, &ClientError::Closed);
        };
        match self.request(&connection, &batches) {
            Ok(Some(answer)) => {
                if let Some(node) = self.nodes.get_mut(&node) {
                    node.in_flight += 1;
                }
                let (events, limit) = (self.events_tx.clone(), self.config.client.request_timeout);
                tokio::spawn(async move {
                    let answer = match tokio::time::timeout(limit, answer).await {
                        Ok(answer) => answer,
                        Err(_) => {
                            connection.close("a Produce request was not answered in time");
                            Err(ClientError::Timeout { broker: connection.broker().to_owned(), what: "Produce".into() })
                        }
                    };
                    // The task is gone only when nothing is under way.
                    let _ = events.send(Event::Answered { node, batches, answer });
                });
            }
            Ok(None) => {
                for (topic, batch) in batches {
                    self.returned(topic, &batch);
                    self.accumulator.done(&self.topics[topic].name, batch, Ok((-1, -1)));
                }
            }
            Err(e) => self.failed(batches, &e),
        }
    }

    fn request(&self, connection: &Connection, batches: &[(usize, ClosedBatch)]) -> Result<Option<PendingAnswer>> {
        let version = connection.version_up_to::<ProduceRequest<'_>>(PRODUCE_BY_NAME)?;
        if self.config.compression == Compression::Zstd && version < PRODUCE_ZSTD {
            let what = "zstd".to_owned();
            return Err(ClientError::Unsupported { broker: connection.broker().to_owned(), what });
        }
        let mut topic_data: Vec<TopicProduceData<'_>> = Vec::new();
        let mut last_topic = usize::MAX;
        for (topic, batch) in batches {
            if *topic != last_topic {
                let name = Str::Borrowed(&self.topics[*topic].name);
                topic_data.push(TopicProduceData { name, ..Default::default() });
                last_topic = *topic;
            }
            let records = Some(Records::from(batch.bytes.as_slice()));
            if let Some(topic) = topic_data.last_mut() {
                topic.partition_data.push(PartitionProduceData { index: batch.partition, records });
            }
        }
        let timeout_ms = i32::try_from(self.config.client.request_timeout.as_millis()).unwrap_or(i32::MAX);
        let request = ProduceRequest { transactional_id: None, acks: self.config.acks.wire(), timeout_ms, topic_data };
        if self.config.acks == Acks::None {
            connection.send_one_way(&request, version)?;
            return Ok(None);
        }
        connection.send_version(&request, version).map(Some)
    }

    /// A batch is no longer under way.
    fn returned(&self, topic: usize, batch: &ClosedBatch) {
        let mut queues = lock(&self.topics[topic].queues);
        if let Some(queue) = queues.partitions.get_mut(batch.partition as usize) {
            queue.in_flight = queue.in_flight.saturating_sub(1);
        }
    }

    fn failed(&mut self, batches: Vec<(usize, ClosedBatch)>, error: &ClientError) {
        self.wants_metadata = true;
        for (topic, batch) in batches {
            self.returned(topic, &batch);
            self.retry_or_fail(topic, batch, error.clone());
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Answered { node, batches, answer } => {
                if let Some(node) = self.nodes.get_mut(&node) {
                    node.in_flight = node.in_flight.saturating_sub(1);
                }
                match answer {
                    Ok(frame) => self.answered(batches, &frame),
                    Err(e) => self.failed(batches, &e),
                }
            }
            Event::Connected { node, connection } => {
                let state = self.nodes.entry(node).or_default();
                state.is_connecting = false;
                match connection {
                    Ok(connection) => state.connection = Some(connection),
                    Err(e) => {
                        tracing::warn!(node, error = %e, "can't reach a broker");
                        state.not_before = Some(Instant::now() + self.config.client.retry_backoff.0);
                        self.wants_metadata = true;
                    }
                }
            }
            Event::Metadata(result) => {
                self.is_fetching_metadata = false;
                self.metadata_not_before = Some(Instant::now() + self.config.client.retry_backoff.0);
                match result {
                    Ok(metadata) => {
                        self.metadata_at = Instant::now();
                        for topic in &self.topics {
                            if let Some(found) = metadata.topics.get(&topic.name).filter(|found| found.error.is_none())
                            {
                                lock(&topic.queues).refresh(found);
                            }
                        }
                    }
                    Err(e) => tracing::warn!(error = %e, "no metadata"),
                }
            }
            Event::ProducerId(result) => {
                self.is_fetching_producer = false;
                match result {
                    Ok(producer) => self.renew(producer),
                    Err(e) => {
                        tracing::warn!(error = %e, "no producer id");
                        self.wants_producer = true;
                    }
                }
            }
        }
    }

    fn answered(&mut self, batches: Vec<(usize, ClosedBatch)>, frame: &ResponseFrame) {
        let answer: ProduceResponse<'_> = match frame.decode() {
            Ok(answer) => answer,
            Err(e) => return self.failed(batches, &e),
        };
        for (topic, batch) in batches {
            self.returned(topic, &batch);
            let name = self.topics[topic].name.clone();
            let found = answer.responses.iter().filter(|topic| *topic.name == *name);
            let found = found.flat_map(|topic| &topic.partition_responses).find(|p| p.index == batch.partition);
            let Some(found) = found else {
                let error =
                    ClientError::Protocol(format!("the answer to Produce leaves {name}-{} out", batch.partition));
                self.retry_or_fail(topic, batch, error);
                continue;
            };
            match ErrorCode::from_code(found.error_code) {
                ErrorCode::None => {
                    let result = Ok((found.base_offset, found.log_append_time_ms));
                    self.accumulator.done(&name, batch, result);
                }
                // It is there since an earlier try; where, the broker has forgotten.
                ErrorCode::DuplicateSequenceNumber => self.accumulator.done(&name, batch, Ok((-1, -1))),
                code => {
                    let message = found.error_message.as_deref().map(str::to_owned);
                    let what = format!("{name}-{}", batch.partition);
                    if code.refreshes_metadata() {
                        self.wants_metadata = true;
                        self.cluster.forget(&name);
                    }
                    self.retry_or_fail(topic, batch, ClientError::Refused { code, message, what });
                }
            }
        }
    }

    fn retry_or_fail(&mut self, topic: usize, batch: ClosedBatch, error: ClientError) {
        let now = Instant::now();
        let in_time = now < batch.created + self.config.delivery_timeout;
        // The broker has not seen what comes before, or has forgotten us: new numbers help.
        let is_lost_sequence = batch.sequence.is_some()
            && matches!(error.code(), Some(ErrorCode::OutOfOrderSequenceNumber | ErrorCode::UnknownProducerId));
        let may_retry = error.is_retriable() || is_lost_sequence || matches!(error, ClientError::Closed);
        if in_time && may_retry && batch.attempts <= self.config.retries {
            let backoff = self.config.client.retry_backoff;
            let mut queues = lock(&self.topics[topic].queues);
            if let Some(queue) = queues.partitions.get_mut(batch.partition as usize) {
                let earlier_waits = queue.closed.front().is_some_and(|first| first.ordinal < batch.ordinal);
                if is_lost_sequence && !earlier_waits {
                    self.wants_producer = true;
                }
                let pause = Backoff { bounds: backoff, count: batch.attempts - 1 }.next();
                queue.not_before = Some(now + pause);
                if error.code().is_some_and(ErrorCode::refreshes_metadata) {
                    queue.leader = None;
                }
                tracing::debug!(%error, partition = batch.partition, attempts = batch.attempts, "sending a batch again");
                queue.put_back(batch);
                return;
            }
        }
        // A gap in the sequence: the broker would refuse what follows, so all go on under a new producer id.
        if batch.sequence.is_some() {
            self.wants_producer = true;
        }
        self.accumulator.done(&self.topics[topic].name, batch, Err(error));
    }

    /// Gives up batches that have waited for too long.
    fn expire(&mut self, now: Instant) {
        for topic in &self.topics {
            let mut expired = Vec::new();
            for queue in &mut lock(&topic.queues).partitions {
                while queue.closed.front().is_some_and(|first| now >= first.created + self.config.delivery_timeout) {
                    expired.extend(queue.closed.pop_front());
                }
            }
            for batch in expired {
                self.wants_producer |= batch.sequence.is_some();
                let what =
                    format!("{} records for {}-{} (delivery.timeout.ms)", batch.records, topic.name, batch.partition);
                let broker = self.cluster.config().bootstrap.join(",");
                self.accumulator.done(&topic.name, batch, Err(ClientError::Timeout { broker, what }));
            }
        }
    }

    /// Fetches a new producer id once nothing is under way under the old one.
    fn fetch_producer_id(&mut self) {
        if !self.config.idempotence || !self.wants_producer || self.is_fetching_producer {
            return;
        }
        self.producer = None;
        if self.nodes.values().any(|node| node.in_flight > 0) {
            return;
        }
        self.wants_producer = false;
        self.is_fetching_producer = true;
        let (cluster, events) = (self.cluster.clone(), self.events_tx.clone());
        tokio::spawn(async move {
            let result = init_producer_id(&cluster).await;
            // The task is gone only when nobody needs the id.
            let _ = events.send(Event::ProducerId(result));
        });
    }

    /// Goes on under a new producer id: what waits to be sent again is numbered anew.
    fn renew(&mut self, producer: (i64, i16)) {
        self.producer = Some(producer);
        for topic in &self.topics {
            for queue in &mut lock(&topic.queues).partitions {
                queue.next_sequence = 0;
                for batch in &mut queue.closed {
                    if batch.sequence.is_none() {
                        break;
                    }
                    let sequence = queue.next_sequence;
                    batch.sequence = Some(sequence);
                    queue.next_sequence = sequence.wrapping_add(batch.records) & i32::MAX;
                    match RecordBatchMut::new(&mut batch.bytes) {
                        Ok(mut bytes) => bytes.set_producer(producer.0, producer.1, sequence),
                        Err(e) => tracing::error!(error = %e, "a batch of our own can't be read"),
                    }
                }
            }
        }
    }

    fn fetch_metadata(&mut self, now: Instant, wake: &mut Instant) {
        if !self.wants_metadata || self.is_fetching_metadata || self.topics.is_empty() {
            return;
        }
        if let Some(not_before) = self.metadata_not_before.filter(|&not_before| not_before > now) {
            *wake = (*wake).min(not_before);
            return;
        }
        self.wants_metadata = false;
        self.is_fetching_metadata = true;
        let names: Vec<Arc<str>> = self.topics.iter().map(|topic| topic.name.clone()).collect();
        let (cluster, events) = (self.cluster.clone(), self.events_tx.clone());
        tokio::spawn(async move {
            let result = cluster.metadata(Topics::Named { names: &names, create: false }).await;
            // The task is gone only when nobody needs metadata.
            let _ = events.send(Event::Metadata(result));
        });
    }
}

/// Whether a request can go to `id` now; starts to connect when there is no connection.
fn node_is_ready(
    nodes: &mut BTreeMap<i32, Node>,
    cluster: &Cluster,
    events: &mpsc::UnboundedSender<Event>,
    id: i32,
    max_in_flight: usize,
    now: Instant,
    wake: &mut Instant,
) -> bool {
    let node = nodes.entry(id).or_default();
    if let Some(connection) = node.connection.as_ref().filter(|connection| connection.is_open()) {
        // Without acknowledgements the socket is the only brake.
        if connection.unsent_bytes() > UNSENT_BYTES {
            *wake = (*wake).min(now + Duration::from_millis(1));
            return false;
        }
        return node.in_flight < max_in_flight;
    }
    node.connection = None;
    if node.is_connecting {
        return false;
    }
    if let Some(not_before) = node.not_before.filter(|&not_before| not_before > now) {
        *wake = (*wake).min(not_before);
        return false;
    }
    node.is_connecting = true;
    let (cluster, events) = (cluster.clone(), events.clone());
    tokio::spawn(async move {
        let connection = cluster.node(id).await;
        // The task is gone only when nobody needs the connection.
        let _ = events.send(Event::Connected { node: id, connection });
    });
    false
}
