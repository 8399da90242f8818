//! Measures the producer and the consumer against a running Kafka: `perf produce|consume BOOTSTRAP TOPIC RECORDS [key=value…]`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ottla_base::ids::TopicPartition;
use ottla_client::consumer::Consumer;
use ottla_client::producer::{Producer, ProducerRecord};
use ottla_client::{ConsumerConfig, ProducerConfig, Properties};

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
