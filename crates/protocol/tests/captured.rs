//! Bytes of the real thing: batches that the Java client's builder made, and answers of a 4.3.1 broker.
//!
//! `captured/java_batches.txt`: name, record count and bytes of what `MemoryRecordsBuilder` of kafka-clients 4.3.1 makes
//! of 1 and 20 records in each compression, of its two transaction markers, and of one message of each old magic.
//! `captured/broker_4_3_1.txt`: API, version, request and response frame (without sizes) of a one-node cluster.

use ottla_protocol::batch_validation::{Checks, Origin, validate};
use ottla_protocol::control_record::{EndTransaction, TransactionResult};
use ottla_protocol::messages::{
    ApiVersionsResponse, CreateTopicsRequest, CreateTopicsResponse, DescribeClusterResponse, DescribeConfigsResponse,
    FindCoordinatorResponse, ListOffsetsResponse, MetadataResponse,
};
use ottla_protocol::{
    ApiKey, BatchError, BatchIter, BatchOptions, Compression, Compressor, Header, RecordBatch, RecordBatchBuilder,
    RequestHead, Response, Segment, response_frame, response_head,
};

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hex")).collect()
}

/// Name, record count and bytes.
fn java_batches() -> Vec<(&'static str, usize, Vec<u8>)> {
    let lines = include_str!("captured/java_batches.txt").lines();
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(' ').collect();
            (cells[0], cells[1].parse().expect("a count"), from_hex(cells[2]))
        })
        .collect()
}

/// Key, value, timestamp and headers of the record at `i` in the batches of the Java builder.
struct Expected {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    timestamp: i64,
    header: Option<Vec<u8>>,
}

fn expected(i: usize) -> Expected {
    let far = if i.is_multiple_of(2) { 1 } else { 1_000_000 };
    Expected {
        key: (!i.is_multiple_of(4)).then(|| format!("k{i}").into_bytes()),
        value: (i % 5 != 4).then(|| format!("value value value value {}", i * i).into_bytes()),
        timestamp: 1_700_000_000_000 + i as i64 * far,
        header: i.is_multiple_of(3).then(|| format!("x{i}").into_bytes()),
    }
}

#[test]
fn batches_of_the_java_client_are_read() {
    let mut seen = 0;
    for (name, count, bytes) in java_batches() {
        let Some(compression) = Compression::parse(name) else { continue };
        seen += 1;
        let batch = RecordBatch::new(&bytes).expect("a batch");
        assert_eq!((batch.compression(), batch.count() as usize), (Ok(compression), count), "{name}");
        assert_eq!((batch.producer_id(), batch.producer_epoch(), batch.base_sequence()), (1234, 3, 40));
        assert_eq!((batch.is_transactional(), batch.last_sequence()), (count == 20, 39 + count as i32));
        let checks = Checks { origin: Origin::Client, max_batch_bytes: 1 << 20, records: true, allow_zstd: true };
        let summary = validate(&batch, &checks).expect("valid").expect("records");
        assert_eq!(summary.max_timestamp, batch.max_timestamp());
        let open = batch.open().expect("opens");
        for (i, record) in open.iter().enumerate() {
            let (record, expected) = (record.expect("sound"), expected(i));
            assert_eq!((record.offset, record.timestamp), (i as i64, expected.timestamp));
            assert_eq!((record.key, record.value), (expected.key.as_deref(), expected.value.as_deref()));
            let headers: Vec<Header<'_>> = record.headers.into_iter().collect();
            match &expected.header {
                Some(x) => {
                    assert_eq!(headers, [Header { key: "h", value: Some(x) }, Header { key: "null", value: None }]);
                }
                None => assert!(headers.is_empty()),
            }
        }
        assert_eq!(open.iter().count(), count);
    }
    assert_eq!(seen, 10);
}

#[test]
fn our_builder_makes_the_same_bytes() {
    for (name, count, bytes) in java_batches() {
        if name != "none" {
            continue;
        }
        let options = BatchOptions {
            producer_id: 1234,
            producer_epoch: 3,
            base_sequence: 40,
            is_transactional: count == 20,
            ..BatchOptions::default()
        };
        let mut builder = RecordBatchBuilder::new(options, Compressor::new(Compression::None, None));
        for record in (0..count).map(expected) {
            let headers = record
                .header
                .as_ref()
                .map(|x| [Header { key: "h", value: Some(x.as_slice()) }, Header { key: "null", value: None }]);
            let headers: &[Header<'_>] = headers.as_ref().map_or(&[], |headers| headers);
            builder.append(record.timestamp, record.key.as_deref(), record.value.as_deref(), headers);
        }
        assert_eq!(builder.finish().expect("finishes"), bytes);
    }
}

#[test]
fn our_transaction_markers_are_the_same_bytes() {
    for (name, result) in [("commit", TransactionResult::Commit), ("abort", TransactionResult::Abort)] {
        let (_, _, bytes) = java_batches().into_iter().find(|batch| batch.0 == name).expect("captured");
        let marker = EndTransaction { result, coordinator_epoch: 9 };
        assert_eq!(marker.to_batch(42, 3, 1234, 3, 1_700_000_000_000).expect("a batch"), bytes);
    }
}

#[test]
fn old_batches_are_recognised_and_passed() {
    let all = java_batches();
    let of = |name: &str| all.iter().find(|batch| batch.0 == name).expect("captured").2.clone();
    let run = [of("magic0"), of("none"), of("magic1"), of("none")[..70].to_vec()].concat();
    let mut batches = BatchIter::new(&run);
    let size = of("magic0").len();
    assert_eq!(batches.next().map(|b| b.err()), Some(Some(BatchError::OldMagic { magic: 0, size })));
    assert!(batches.next().expect("one").is_ok());
    let size = of("magic1").len();
    assert_eq!(batches.next().map(|b| b.err()), Some(Some(BatchError::OldMagic { magic: 1, size })));
    assert!(batches.next().is_none());
    assert_eq!(batches.truncated().len(), 70);
}

/// The captured request and response of an API and version.
fn captured(api: ApiKey, version: i16) -> (Vec<u8>, Vec<u8>) {
    let lines = include_str!("captured/broker_4_3_1.txt").lines();
    let mut found = lines.filter_map(|line| {
        let cells: Vec<&str> = line.split(' ').collect();
        (cells[0] == api.name() && cells[1] == version.to_string()).then(|| (from_hex(cells[2]), from_hex(cells[3])))
    });
    found.next().expect("captured")
}

/// Reads a captured response, and writes it again to the same bytes.
fn response<'a, M: Response<'a>>(frame: &'a [u8], version: i16) -> M {
    let (correlation_id, mut body) = response_head(frame, M::KEY, version).expect("a header");
    assert_eq!(correlation_id, 77);
    let message = M::decode(&mut body, version).expect("a response");
    body.finish().expect("all of it");
    let written = response_frame(77, &message, version).expect("writes").into_bytes().expect("in memory");
    assert_eq!(&written[4..], frame, "{} {version}", M::NAME);
    assert_eq!(written[..4], (frame.len() as i32).to_be_bytes());
    message
}

#[test]
fn a_broker_is_understood() {
    for version in [0, 3, 4] {
        let (request, frame) = captured(ApiKey::ApiVersions, version);
        let head = RequestHead::decode(&request).expect("a request");
        assert_eq!((head.api_key, head.version, head.correlation_id), (ApiKey::ApiVersions, version, 77));
        assert_eq!(head.client_id.as_deref(), Some("cap"));
        let versions: ApiVersionsResponse<'_> = response(&frame, version);
        // What the table says a 4.3.1 broker tells is what it tells.
        let told: Vec<_> =
            versions.api_keys.iter().map(|key| (key.api_key, key.min_version, key.max_version)).collect();
        for (key, min, max) in &told {
            let live = ApiKey::from_i16(*key).and_then(ApiKey::live_versions).expect("a live API");
            assert_eq!(live, *min..=*max, "API {key}");
        }
        assert_eq!(told.len(), ApiKey::ALL.iter().filter(|key| key.live_versions().is_some()).count());
    }
    let (request, frame) = captured(ApiKey::CreateTopics, 7);
    let create: CreateTopicsRequest<'_> = RequestHead::decode(&request).expect("a head").decode_body().expect("a body");
    assert_eq!((&*create.topics[0].name, create.topics[0].num_partitions), ("topic", 3));
    let created: CreateTopicsResponse<'_> = response(&frame, 7);
    assert_eq!(created.topics[0].error_code, 0);
    let id = created.topics[0].topic_id;

    let (_, frame) = captured(ApiKey::Metadata, 13);
    let metadata: MetadataResponse<'_> = response(&frame, 13);
    assert_eq!((metadata.topics[0].name.as_deref(), metadata.topics[0].topic_id), (Some("topic"), id));
    assert_eq!(metadata.topics[0].partitions.len(), 3);
    let (_, frame) = captured(ApiKey::Metadata, 0);
    let old: MetadataResponse<'_> = response(&frame, 0);
    assert_eq!(old.brokers[0].port, metadata.brokers[0].port);

    let (_, frame) = captured(ApiKey::DescribeCluster, 2);
    let cluster: DescribeClusterResponse<'_> = response(&frame, 2);
    assert_eq!(Some(&cluster.cluster_id), metadata.cluster_id.as_ref());
    let (_, frame) = captured(ApiKey::DescribeConfigs, 4);
    let configs: DescribeConfigsResponse<'_> = response(&frame, 4);
    assert_eq!(configs.results[0].configs[0].value.as_deref(), Some("compact"));
    let (_, frame) = captured(ApiKey::ListOffsets, 1);
    let offsets: ListOffsetsResponse<'_> = response(&frame, 1);
    assert_eq!(offsets.topics[0].partitions[0].offset, 0);
    let (_, frame) = captured(ApiKey::FindCoordinator, 4);
    let coordinator: FindCoordinatorResponse<'_> = response(&frame, 4);
    assert_eq!(&*coordinator.coordinators[0].key, "group");
}

#[test]
fn large_records_become_their_own_segment() {
    use ottla_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
    let records = vec![7; 200_000];
    let partition = |records| PartitionProduceData { index: 0, records: Some(records) };
    let request = ProduceRequest {
        topic_data: vec![TopicProduceData {
            name: "t".into(),
            partition_data: vec![partition(records.clone().into()), partition(vec![1].into())],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    };
    let frame = ottla_protocol::request_frame(1, Some("c"), &request, 9).expect("writes");
    assert_eq!(frame.segments.len(), 3);
    assert!(matches!(&frame.segments[1], Segment::Bytes(bytes) if *bytes == records));
    let len = frame.len();
    let bytes = frame.into_bytes().expect("in memory");
    assert_eq!((bytes.len(), &bytes[..4]), (len, &(len as i32 - 4).to_be_bytes()[..]));
    let back: ProduceRequest<'_> = RequestHead::decode(&bytes[4..]).expect("a head").decode_body().expect("a body");
    assert_eq!(back, request);
    assert_eq!(back.clone().into_owned(), request);
}
