//! An idempotent producer against a broker that refuses, forgets to answer and hangs up: every record arrives once and in
//! order. The broker checks sequences as Kafka does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ottla_base::random::Random;
use ottla_client::producer::{Producer, ProducerRecord};
use ottla_client::{ProducerConfig, Properties};
use ottla_protocol::messages::api_versions_response::ApiVersion;
use ottla_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use ottla_protocol::messages::{
    ApiVersionsResponse, InitProducerIdResponse, MetadataResponse, ProduceRequest, ProduceResponse,
};
use ottla_protocol::{ApiKey, ErrorCode, Frame, RecordBatch, Records, RequestHead, response_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const RECORDS: usize = 3_000;

struct Log {
    values: Vec<u32>,
    producer_id: i64,
    next_sequence: i32,
    next_producer_id: i64,
    random: Random,
    refusals: usize,
}

impl Log {
    /// Takes a batch or refuses it; `None`: hang up without an answer.
    fn produce(&mut self, bytes: &[u8]) -> Option<(ErrorCode, i64)> {
        let batch = RecordBatch::new(bytes).expect("a batch");
        batch.check_crc().expect("sound");
        let refuses = self.random.chance(150_000);
        if refuses && self.random.chance(500_000) {
            self.refusals += 1;
            return Some((ErrorCode::NotEnoughReplicas, -1));
        }
        let offset = self.values.len() as i64;
        let (id, sequence) = (batch.producer_id(), batch.base_sequence());
        let expected = if id == self.producer_id { self.next_sequence } else { 0 };
        if id == self.producer_id && sequence < expected {
            return Some((ErrorCode::DuplicateSequenceNumber, -1));
        }
        if sequence != expected {
            return Some((ErrorCode::OutOfOrderSequenceNumber, -1));
        }
        (self.producer_id, self.next_sequence) = (id, sequence + batch.count());
        for record in &batch.open().expect("opens") {
            let value = record.expect("a record").value.expect("a value").try_into().expect("four bytes");
            self.values.push(u32::from_be_bytes(value));
        }
        if refuses {
            self.refusals += 1;
            return None;
        }
        Some((ErrorCode::None, offset))
    }
}

async fn serve(mut stream: TcpStream, log: Arc<Mutex<Log>>, port: i32) -> std::io::Result<()> {
    loop {
        let mut bytes = vec![0; stream.read_i32().await? as usize];
        stream.read_exact(&mut bytes).await?;
        let Some(answer) = answer(&bytes, &log, port) else { return Ok(()) };
        stream.write_all(&answer.into_bytes()?).await?;
    }
}

fn answer(frame: &[u8], log: &Mutex<Log>, port: i32) -> Option<Frame> {
    let mut log = log.lock().expect("unpoisoned");
    let head = RequestHead::decode(frame).expect("a request");
    let (id, version) = (head.correlation_id, head.version);
    let frame = match head.api_key {
        ApiKey::ApiVersions => {
            let known = [ApiKey::ApiVersions, ApiKey::Metadata, ApiKey::InitProducerId, ApiKey::Produce];
            let range = |key: ApiKey| (key.code(), key.versions());
            let api = |(api_key, versions): (i16, std::ops::RangeInclusive<i16>)| ApiVersion {
                api_key,
                min_version: *versions.start(),
                max_version: *versions.end(),
            };
            let api_keys = known.into_iter().map(range).map(api).collect();
            response_frame(id, &ApiVersionsResponse { api_keys, ..Default::default() }, version)
        }
        ApiKey::Metadata => {
            let broker = MetadataResponseBroker { node_id: 1, host: "127.0.0.1".into(), port, ..Default::default() };
            let partition = MetadataResponsePartition { leader_id: 1, ..Default::default() };
            let topic =
                MetadataResponseTopic { name: Some("t".into()), partitions: vec![partition], ..Default::default() };
            response_frame(
                id,
                &MetadataResponse { brokers: vec![broker], topics: vec![topic], ..Default::default() },
                version,
            )
        }
        ApiKey::InitProducerId => {
            log.next_producer_id += 1;
            let answer = InitProducerIdResponse { producer_id: log.next_producer_id, ..Default::default() };
            response_frame(id, &answer, version)
        }
        _ => {
            let request: ProduceRequest<'_> = head.decode_body().expect("a body");
            let data = &request.topic_data[0].partition_data[0];
            let (error, base_offset) =
                log.produce(data.records.as_ref().and_then(Records::as_bytes).expect("records"))?;
            let partition = PartitionProduceResponse { error_code: error.code(), base_offset, ..Default::default() };
            let topic =
                TopicProduceResponse { name: "t".into(), partition_responses: vec![partition], ..Default::default() };
            response_frame(id, &ProduceResponse { responses: vec![topic], ..Default::default() }, version)
        }
    };
    Some(frame.expect("encodes"))
}

#[tokio::test]
async fn every_record_once_and_in_order() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound");
    let log = Arc::new(Mutex::new(Log {
        values: Vec::new(),
        producer_id: -1,
        next_sequence: 0,
        next_producer_id: 0,
        random: Random::new(42),
        refusals: 0,
    }));
    let shared = log.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (log, port) = (shared.clone(), i32::from(address.port()));
            // A client that hangs up is part of the game.
            tokio::spawn(async move { serve(stream, log, port).await.ok() });
        }
    });
    let properties: Properties = [
        ("bootstrap.servers", address.to_string().as_str()),
        ("batch.size", "200"),
        ("linger.ms", "0"),
        ("retry.backoff.ms", "2"),
        ("retry.backoff.max.ms", "5"),
    ]
    .into_iter()
    .collect();
    let config = ProducerConfig::from_properties(&properties).expect("settings");
    let producer = Producer::start(config, None).await.expect("starts");
    let topic = producer.topic("t").await.expect("a topic");
    for i in 0..RECORDS as u32 {
        topic.append(&ProducerRecord { value: Some(&i.to_be_bytes()), ..Default::default() }).await.expect("room");
    }
    producer.close(Duration::from_secs(60)).await.expect("all acknowledged");
    let closed = topic.try_append(&ProducerRecord { value: Some(b"late"), ..Default::default() });
    assert!(closed.is_err());
    let log = log.lock().expect("unpoisoned");
    assert!(log.refusals > 10, "{}", log.refusals);
    assert_eq!(log.values.len(), RECORDS);
    assert!(log.values.iter().enumerate().all(|(i, &value)| i == value as usize));
}
