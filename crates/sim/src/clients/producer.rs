//! Publishes batches, idempotent or not, and sends them again when it has not heard what came of them.

use std::collections::BTreeMap;

use ottla_protocol::messages::init_producer_id_request::InitProducerIdRequest;
use ottla_protocol::messages::init_producer_id_response::InitProducerIdResponse;
use ottla_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ottla_protocol::messages::produce_response::ProduceResponse;
use ottla_protocol::{BatchOptions, Compression, Compressor, ErrorCode, Message, RecordBatchBuilder, Records};

use super::{Call, Client, Context, Outcome, version};
use crate::model::Check;
use crate::model::partition::{Kind, value_bytes};

/// How often a batch is sent before it is given up.
const MOST_ATTEMPTS: u32 = 12;

type Target = (&'static str, u32, i32);

#[derive(Debug)]
struct Batch {
    target: Target,
    bytes: Vec<u8>,
    values: Vec<u64>,
    keys: Vec<Option<u8>>,
    acks: i16,
    /// The oldest version that may carry it.
    oldest: i16,
    attempts: u32,
}

/// A producer.
#[derive(Debug)]
pub struct Producer {
    idempotent: bool,
    /// Id, epoch, and the losses of data before it was given out.
    id: Option<(i64, i16, u64)>,
    asking_for_id: bool,
    sequences: BTreeMap<Target, i32>,
    batch: Option<Batch>,
    /// Batches that were acknowledged.
    pub acked: u64,
}

impl Producer {
    #[must_use]
    pub fn new(idempotent: bool) -> Self {
        Self { idempotent, id: None, asking_for_id: false, sequences: BTreeMap::new(), batch: None, acked: 0 }
    }

    fn new_batch(&mut self, cx: &mut Context<'_>) -> Option<Batch> {
        let present = cx.model.topics.present();
        if present.is_empty() {
            return None;
        }
        let (name, partitions) = present[cx.random.index(present.len())];
        let index = cx.random.index(partitions) as i32;
        let topic = cx.model.topics.get(name);
        let (kind, incarnation) = (topic.kind, topic.incarnation);
        let target = (name, incarnation, index);
        let count = 1 + cx.random.index(5);
        let values: Vec<u64> = (0..count).map(|_| cx.model.new_value()).collect();
        let keyed = kind == Kind::Compact;
        let keys: Vec<Option<u8>> = values.iter().map(|_| keyed.then(|| cx.random.below(6) as u8)).collect();
        let acks = match cx.random.below(20) {
            0 if !self.idempotent => 0,
            1..=8 if !self.idempotent => 1,
            _ => -1,
        };
        let codec = if cx.random.chance(50_000) { Compression::ALL[cx.random.index(5)] } else { Compression::None };
        let mut options = BatchOptions::default();
        if let Some((id, epoch, _)) = self.id {
            options.producer_id = id;
            options.producer_epoch = epoch;
            options.base_sequence = *self.sequences.get(&target).unwrap_or(&0);
        }
        let mut builder = RecordBatchBuilder::new(options, Compressor::new(codec, None));
        for (value, key) in values.iter().zip(&keys) {
            let key = key.map(|key| [key]);
            builder.append(cx.now.wall_ms, key.as_ref().map(|key| &key[..]), Some(&value_bytes(*value)), &[]);
        }
        let bytes = builder.finish().expect("a batch");
        let oldest = if codec == Compression::Zstd { 7 } else { 3 };
        Some(Batch { target, bytes, values, keys, acks, oldest, attempts: 0 })
    }

    /// Gives the batch up: the sequence has a hole now, so an idempotent producer starts anew.
    fn give_up(&mut self) {
        self.batch = None;
        self.id = None;
        self.sequences.clear();
    }

    fn on_id(&mut self, cx: &mut Context<'_>, body: &[u8], version: i16) -> Check {
        let response = InitProducerIdResponse::from_bytes(body, version).map_err(|e| e.to_string())?;
        if response.error_code == 0 {
            self.id = Some((response.producer_id, response.producer_epoch, cx.model.losses));
            self.sequences.clear();
        }
        Ok(())
    }

    fn on_produced(&mut self, cx: &mut Context<'_>, body: &[u8], version: i16) -> Check {
        let response = ProduceResponse::from_bytes(body, version).map_err(|e| e.to_string())?;
        let answer = response.responses.first().and_then(|topic| topic.partition_responses.first());
        let answer = answer.ok_or("an answer to a produce request without its partition")?;
        let Some(batch) = &self.batch else { return Ok(()) };
        let (name, incarnation, index) = batch.target;
        let safe = self.id.is_none_or(|(_, _, losses)| losses == cx.model.losses);
        match ErrorCode::from_code(answer.error_code) {
            ErrorCode::None => {
                let values = batch.values.clone();
                if let Some(partition) = cx.model.topics.partition(name, incarnation, index) {
                    partition.acked(answer.base_offset, &values).map_err(|e| format!("{name}-{index}: {e}"))?;
                }
                *self.sequences.entry(batch.target).or_default() += values.len() as i32;
                self.batch = None;
                self.acked += 1;
            }
            error @ (ErrorCode::OutOfOrderSequenceNumber
            | ErrorCode::UnknownProducerId
            | ErrorCode::InvalidProducerEpoch
            | ErrorCode::DuplicateSequenceNumber) => {
                if safe && cx.model.topics.is_present(name, incarnation) {
                    let sequence = self.sequences.get(&batch.target).unwrap_or(&0);
                    return Err(format!(
                        "{name}-{index} answered {error:?} to producer {:?} with sequence {sequence}, attempt {}",
                        self.id, batch.attempts
                    ));
                }
                self.give_up();
            }
            ErrorCode::KafkaStorageError
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::RequestTimedOut => {}
            // Segments may be made very small.
            ErrorCode::RecordListTooLarge => self.give_up(),
            other => return Err(format!("{name}-{index} answered {other:?} to a good batch")),
        }
        Ok(())
    }
}

impl Client for Producer {
    fn call(&mut self, cx: &mut Context<'_>) -> Option<Call> {
        if self.idempotent && self.id.is_none() {
            self.asking_for_id = true;
            let request = InitProducerIdRequest { transaction_timeout_ms: 60_000, ..InitProducerIdRequest::default() };
            let version = version(cx.random, 0, 5);
            return Some(Call::new(&request, version));
        }
        if self.batch.is_none() {
            self.batch = self.new_batch(cx);
        }
        let batch = self.batch.as_ref()?;
        let (name, incarnation, index) = batch.target;
        if !cx.model.topics.is_present(name, incarnation) || batch.attempts >= MOST_ATTEMPTS {
            self.give_up();
            return None;
        }
        let id = cx.model.topics.get(name).id;
        let batch = self.batch.as_mut()?;
        batch.attempts += 1;
        let partition = cx.model.topics.partition(name, incarnation, index)?;
        for (value, key) in batch.values.iter().zip(&batch.keys) {
            partition.sent(*value, self.idempotent, *key);
        }
        let version = version(cx.random, batch.oldest, if id.is_some() { 13 } else { 12 });
        let data = PartitionProduceData { index, records: Some(Records::from(&batch.bytes[..])) };
        let topic = TopicProduceData {
            name: if version >= 13 { "".into() } else { name.into() },
            topic_id: id.filter(|_| version >= 13).unwrap_or_default(),
            partition_data: vec![data],
        };
        let request = ProduceRequest {
            acks: batch.acks,
            timeout_ms: 1_000,
            topic_data: vec![topic],
            ..ProduceRequest::default()
        };
        let mut call = Call::new(&request, version);
        call.writes_to = Some((name, index));
        Some(call)
    }

    fn outcome(&mut self, cx: &mut Context<'_>, outcome: Outcome<'_>) -> Check {
        let asked_for_id = std::mem::take(&mut self.asking_for_id);
        match outcome {
            Outcome::Body(body, version) if asked_for_id => self.on_id(cx, body, version),
            Outcome::Body(body, version) => self.on_produced(cx, body, version),
            Outcome::Refused => Err("the broker closed the connection of a producer".to_owned()),
            Outcome::Lost => {
                let gives_up = !self.idempotent && cx.random.chance(300_000);
                if self.batch.as_ref().is_some_and(|batch| batch.acks == 0 || gives_up) {
                    self.batch = None;
                }
                Ok(())
            }
        }
    }
}
