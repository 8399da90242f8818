//! A producer: records are copied straight into the batch of their partition, batches go out full or when they have
//! lingered, and what became of them is told per batch or per record.
//!
//! Nothing is allocated for a record, and one short lock is taken for it; everything else happens once per batch.

mod accumulator;
mod partitioner;
mod sender;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::cluster::Cluster;
use crate::config::ProducerConfig;
use crate::error::{ClientError, Result};

use accumulator::{Accumulator, TopicState, lock};
pub use accumulator::{AppendError, BatchCallback, BatchReport, Delivery, ProducerRecord, RecordMetadata};
pub use partitioner::{murmur2, partition_of_key};
use sender::{Ask, Sender};

/// Longest sleep before a full buffer is looked at again.
const ROOM_CHECK: Duration = Duration::from_millis(100);

/// A producer; clones share it. What was sent is delivered even when every handle is dropped, as long as the runtime
/// lives; [`Producer::close`] waits for it.
#[doc(alias = "KafkaProducer")]
#[derive(Clone)]
pub struct Producer {
    cluster: Cluster,
    accumulator: Arc<Accumulator>,
    asks: mpsc::UnboundedSender<Ask>,
    topics: Arc<Mutex<BTreeMap<Arc<str>, Arc<TopicState>>>>,
    max_block: Duration,
}

/// A topic of a producer, ready to take records.
#[derive(Clone)]
pub struct ProducerTopic {
    accumulator: Arc<Accumulator>,
    state: Arc<TopicState>,
    max_block: Duration,
    // Keeps the producer's task alive.
    _asks: mpsc::UnboundedSender<Ask>,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ProducerTopic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProducerTopic").field("topic", &self.state.name).finish_non_exhaustive()
    }
}

impl Producer {
    /// Connects, and fetches a producer id where idempotence is on. `on_batch` hears of every batch.
    pub async fn start(config: ProducerConfig, on_batch: Option<BatchCallback>) -> Result<Self> {
        let cluster = Cluster::connect(config.client.clone()).await?;
        let producer_id = if config.idempotence { Some(sender::init_producer_id(&cluster).await?) } else { None };
        let accumulator = Arc::new(Accumulator::new(&config, on_batch));
        let (asks, inbox) = mpsc::unbounded_channel();
        let max_block = config.max_block;
        let sender = Sender::new(cluster.clone(), config, accumulator.clone(), inbox, producer_id);
        tokio::spawn(sender.run());
        Ok(Self { cluster, accumulator, asks, topics: Arc::default(), max_block })
    }

    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Finds a topic; one that is missing is created if the broker does that. Waits up to `max.block.ms`.
    pub async fn topic(&self, name: &str) -> Result<ProducerTopic> {
        let known = lock(&self.topics).get(name).cloned();
        let state = match known {
            Some(state) => state,
            None => {
                let name: Arc<str> = name.into();
                let found = tokio::time::timeout(self.max_block, self.cluster.topic(&name, true)).await;
                let metadata = found.map_err(|_| ClientError::Timeout {
                    broker: self.cluster.config().bootstrap.join(","),
                    what: format!("metadata of topic {name} (max.block.ms)"),
                })??;
                let seed = accumulator::now_ms() as u64 ^ u64::from(murmur2(name.as_bytes()));
                let fresh = Arc::new(self.accumulator.new_topic(&metadata, seed));
                let mut topics = lock(&self.topics);
                let state = topics.entry(name).or_insert_with(|| fresh.clone()).clone();
                drop(topics);
                if Arc::ptr_eq(&state, &fresh) && self.asks.send(Ask::Topic(state.clone())).is_err() {
                    return Err(ClientError::Closed);
                }
                state
            }
        };
        let accumulator = self.accumulator.clone();
        Ok(ProducerTopic { accumulator, state, max_block: self.max_block, _asks: self.asks.clone() })
    }

    /// Sends everything now and waits until all of it is acknowledged or given up.
    pub async fn flush(&self) -> Result<()> {
        let (done, flushed) = oneshot::channel();
        self.asks.send(Ask::Flush(done)).map_err(|_| ClientError::Closed)?;
        flushed.await.map_err(|_| ClientError::Closed)
    }

    /// Sends what is left and waits for it, at most for `limit`. No handle takes a record any more.
    pub async fn close(self, limit: Duration) -> Result<()> {
        self.accumulator.is_closed.store(true, Ordering::Relaxed);
        let (done, closed) = oneshot::channel();
        self.asks.send(Ask::Close(done)).map_err(|_| ClientError::Closed)?;
        match tokio::time::timeout(limit, closed).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(ClientError::Closed),
            Err(_) => Err(ClientError::Timeout {
                broker: self.cluster.config().bootstrap.join(","),
                what: format!("{} batches", self.accumulator.pending()),
            }),
        }
    }
}

impl ProducerTopic {
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.state.name
    }

    /// How many partitions it has, as far as is known.
    #[must_use]
    pub fn partitions(&self) -> usize {
        lock(&self.state.queues).partitions.len()
    }

    /// Takes a record if there is room, at once. What becomes of it only the batch callback hears.
    pub fn try_append(&self, record: &ProducerRecord<'_>) -> std::result::Result<(), AppendError> {
        self.accumulator.append(&self.state, record, false).map(drop)
    }

    /// The same, waiting for room up to `max.block.ms` on this thread, which must not be one of the runtime's.
    pub fn append_blocking(&self, record: &ProducerRecord<'_>) -> Result<()> {
        let mut deadline = None;
        loop {
            match self.try_append(record) {
                Ok(()) => return Ok(()),
                Err(AppendError::Failed(e)) => return Err(e),
                Err(AppendError::Full) => {
                    let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.max_block);
                    if Instant::now() >= deadline {
                        return Err(self.full());
                    }
                    self.accumulator.wait_for_room(ROOM_CHECK);
                }
            }
        }
    }

    /// Hands a record over, waiting for room up to `max.block.ms`; the [`Delivery`] tells what becomes of it.
    pub async fn send(&self, record: &ProducerRecord<'_>) -> Result<Delivery> {
        let deadline = Instant::now() + self.max_block;
        loop {
            match self.accumulator.append(&self.state, record, true) {
                Ok(Some(delivery)) => return Ok(delivery),
                Ok(None) => return Err(ClientError::Closed),
                Err(AppendError::Failed(e)) => return Err(e),
                Err(AppendError::Full) if Instant::now() >= deadline => return Err(self.full()),
                Err(AppendError::Full) => self.accumulator.room(ROOM_CHECK).await,
            }
        }
    }

    /// The same without a handle.
    pub async fn append(&self, record: &ProducerRecord<'_>) -> Result<()> {
        let deadline = Instant::now() + self.max_block;
        loop {
            match self.try_append(record) {
                Ok(()) => return Ok(()),
                Err(AppendError::Failed(e)) => return Err(e),
                Err(AppendError::Full) if Instant::now() >= deadline => return Err(self.full()),
                Err(AppendError::Full) => self.accumulator.room(ROOM_CHECK).await,
            }
        }
    }

    fn full(&self) -> ClientError {
        let what = format!("records for topic {} (buffer.memory is full, max.block.ms is over)", self.state.name);
        ClientError::Timeout { broker: "the cluster".to_owned(), what }
    }
}
