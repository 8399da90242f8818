//! Measures the producer and the consumer: `perf produce|consume BOOTSTRAP TOPIC RECORDS [key=value…]`, against a running
//! Kafka, or the producer alone against `perf sink HOST:PORT - 0`, a broker that throws everything away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ottla_base::ids::TopicPartition;
use ottla_client::consumer::Consumer;
use ottla_client::producer::{Producer, ProducerRecord};
use ottla_client::{ConsumerConfig, ProducerConfig, Properties};
use ottla_protocol::messages::api_versions_response::ApiVersion;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::messages::produce_request::TopicProduceData;
use ottla_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use ottla_protocol::messages::{
    ApiVersionsResponse, InitProducerIdResponse, MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse,
};
use ottla_protocol::{ApiKey, Frame, RequestHead, response_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [what, bootstrap, topic, records, settings @ ..] = args.as_slice() else {
        eprintln!("perf produce|consume BOOTSTRAP TOPIC RECORDS [key=value…]");
        std::process::exit(2);
    };
    let records: u64 = records.parse().expect("a number");
    let mut properties: Properties = settings.iter().map(|pair| pair.split_once('=').expect("key=value")).collect();
    properties.set("bootstrap.servers", bootstrap.as_str());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    match what.as_str() {
        "sink" => runtime.block_on(sink(bootstrap)),
        "produce" => produce(&runtime, &properties, topic, records),
        _ => runtime.block_on(consume(&properties, topic, records)),
    }
}

fn produce(runtime: &tokio::runtime::Runtime, properties: &Properties, topic: &str, records: u64) {
    let acknowledged = Arc::new(AtomicU64::new(0));
    let counter = acknowledged.clone();
    let config = ProducerConfig::from_properties(properties).expect("settings");
    let producer = runtime
        .block_on(Producer::start(
            config,
            Some(Box::new(move |report| match &report.result {
                Ok(_) => drop(counter.fetch_add(report.records as u64, Ordering::Relaxed)),
                Err(e) => eprintln!("{e}"),
            })),
        ))
        .expect("a producer");
    let topic = runtime.block_on(producer.topic(topic)).expect("a topic");
    let value = [b'x'; 100];
    let start = Instant::now();
    for _ in 0..records {
        let record = ProducerRecord { value: Some(&value), ..Default::default() };
        topic.append_blocking(&record).expect("room");
    }
    let appended = start.elapsed();
    drop(topic);
    runtime.block_on(producer.close(Duration::from_secs(60))).expect("closes");
    let all = start.elapsed();
    let rate = records as f64 / all.as_secs_f64();
    println!(
        "{} acknowledged; appended in {appended:?}, all in {all:?}: {rate:.0} records/s",
        acknowledged.load(Ordering::Relaxed)
    );
}

async fn consume(properties: &Properties, topic: &str, records: u64) {
    let mut consumer =
        Consumer::start(ConsumerConfig::from_properties(properties).expect("settings")).await.expect("connects");
    let found = consumer.cluster().topic(&topic.into(), false).await.expect("a topic");
    if properties.get("group.id").is_some() {
        consumer.subscribe(&[topic]).expect("a group");
    } else {
        consumer.assign(found.partitions.iter().map(|partition| TopicPartition::new(topic, partition.partition)));
        let all: Vec<TopicPartition> = consumer.assignment().cloned().collect();
        for partition in &all {
            consumer.seek(partition, 0);
        }
    }
    let (mut count, mut bytes) = (0u64, 0u64);
    let start = Instant::now();
    while count < records && start.elapsed() < Duration::from_secs(60) {
        for fetched in consumer.poll(Duration::from_secs(1)).await.expect("polls") {
            let read = fetched.for_each(|_, record| {
                count += 1;
                bytes += record.value.map_or(0, <[u8]>::len) as u64;
                true
            });
            read.expect("reads");
        }
    }
    let all = start.elapsed();
    let rate = count as f64 / all.as_secs_f64();
    println!("{count} records, {bytes} bytes in {all:?}: {rate:.0} records/s");
    consumer.close().await.expect("closes");
}

/// Answers what a producer asks, whatever the topic, and keeps nothing.
async fn sink(address: &str) {
    let listener = tokio::net::TcpListener::bind(address).await.expect("binds");
    loop {
        let (stream, _) = listener.accept().await.expect("accepts");
        let address = address.to_owned();
        tokio::spawn(async move { swallow(stream, &address).await });
    }
}

async fn swallow(stream: tokio::net::TcpStream, address: &str) {
    stream.set_nodelay(true).expect("a socket");
    let (reader, mut writer) = stream.into_split();
    let mut reader = tokio::io::BufReader::with_capacity(256 << 10, reader);
    let mut frame = Vec::new();
    while let Ok(len) = reader.read_i32().await {
        frame.resize(len as usize, 0);
        if reader.read_exact(&mut frame).await.is_err() {
            return;
        }
        let answer = answer(&frame, address).into_bytes().expect("bytes");
        if writer.write_all(&answer).await.is_err() {
            return;
        }
    }
}

fn answer(frame: &[u8], address: &str) -> Frame {
    let head = RequestHead::decode(frame).expect("a request");
    let (id, version) = (head.correlation_id, head.version);
    let built = match head.api_key {
        ApiKey::ApiVersions => {
            let known = [ApiKey::ApiVersions, ApiKey::Metadata, ApiKey::InitProducerId, ApiKey::Produce];
            let api = |key: &ApiKey| ApiVersion {
                api_key: key.code(),
                min_version: *key.versions().start(),
                max_version: *key.versions().end(),
            };
            let answer = ApiVersionsResponse { api_keys: known.iter().map(api).collect(), ..Default::default() };
            response_frame(id, &answer, version)
        }
        ApiKey::Metadata => {
            let (host, port) = address.rsplit_once(':').expect("host:port");
            let broker = MetadataResponseBroker {
                node_id: 1,
                host: host.into(),
                port: port.parse().expect("a port"),
                ..Default::default()
            };
            let request: MetadataRequest<'_> = head.decode_body().expect("a body");
            let partition = MetadataResponsePartition { leader_id: 1, ..Default::default() };
            let topic = |topic: MetadataRequestTopic<'static>| MetadataResponseTopic {
                name: topic.name,
                partitions: vec![partition.clone()],
                ..Default::default()
            };
            let topics = request.into_owned().topics.unwrap_or_default().into_iter().map(topic).collect();
            let answer = MetadataResponse { brokers: vec![broker], topics, ..Default::default() };
            response_frame(id, &answer, version)
        }
        ApiKey::InitProducerId => {
            response_frame(id, &InitProducerIdResponse { producer_id: 1, ..Default::default() }, version)
        }
        _ => {
            let request: ProduceRequest<'_> = head.decode_body().expect("a body");
            let topic = |topic: &TopicProduceData<'_>| TopicProduceResponse {
                name: topic.name.to_string().into(),
                partition_responses: topic
                    .partition_data
                    .iter()
                    .map(|data| PartitionProduceResponse { index: data.index, ..Default::default() })
                    .collect(),
                ..Default::default()
            };
            let responses = request.topic_data.iter().map(topic).collect();
            response_frame(id, &ProduceResponse { responses, ..Default::default() }, version)
        }
    };
    built.expect("encodes")
}
