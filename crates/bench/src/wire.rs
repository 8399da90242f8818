//! A client as thin as can be: prebuilt frames in, sizes out. Blocking, one connection, no cleverness, so that the time measured
//! is the server's.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use ottla_base::checksum::crc32c;
use ottla_base::varint;
use ottla_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, FetchRequest, FetchResponse, MetadataRequest, MetadataResponse,
    ProduceRequest, create_topics_request, fetch_request, produce_request,
};
use ottla_protocol::{Message, Request, request_frame, response_head};

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

pub const PRODUCE_VERSION: i16 = 9;
pub const FETCH_VERSION: i16 = 11;

/// A connection with a reusable receive buffer.
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    correlation_id: i32,
}

impl Wire {
    pub fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream, buffer: Vec::new(), correlation_id: 0 })
    }

    pub fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.stream.write_all(frame)
    }

    /// The next frame without its size.
    pub fn receive(&mut self) -> io::Result<&[u8]> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let size = u32::from_be_bytes(size) as usize;
        if self.buffer.len() < size {
            self.buffer.resize(size, 0);
        }
        self.stream.read_exact(&mut self.buffer[..size])?;
        Ok(&self.buffer[..size])
    }

    /// One request, one answer's frame.
    fn exchange<'q, R: Request<'q>>(&mut self, request: &R, version: i16) -> Result<&[u8]> {
        self.correlation_id += 1;
        let frame = request_frame(self.correlation_id, Some("bench"), request, version)?.into_bytes()?;
        self.send(&frame)?;
        Ok(self.receive()?)
    }

    /// Creates the topic and waits until all of its partitions have leaders which know that they are.
    pub fn create_topic(&mut self, name: &str, partitions: i32) -> Result<()> {
        let request = CreateTopicsRequest {
            topics: vec![create_topics_request::CreatableTopic {
                name: name.into(),
                num_partitions: partitions,
                replication_factor: 1,
                ..Default::default()
            }],
            timeout_ms: 30_000,
            ..Default::default()
        };
        let frame = self.exchange(&request, 5)?;
        let (_, mut body) = response_head(frame, CreateTopicsRequest::KEY, 5)?;
        let response = CreateTopicsResponse::decode(&mut body, 5)?;
        match response.topics.first().map(|t| t.error_code) {
            Some(0 | 36) => self.wait_for_leaders(name, partitions),
            code => Err(format!("the topic {name} was not created: error {code:?}").into()),
        }
    }

    fn wait_for_leaders(&mut self, name: &str, partitions: i32) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            if self.leaders(name, false)? >= partitions && self.leaders_serve(name, partitions)? {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(format!("{name} has no leaders after 30 s").into())
    }

    /// A broker may tell clients of a leader before that one has heard of it: ask the leaders themselves.
    fn leaders_serve(&mut self, name: &str, partitions: i32) -> Result<bool> {
        self.send(&fetch_frame(name, &vec![0; partitions as usize], 0, 1)?)?;
        let (_, mut body) = response_head(self.receive()?, FetchRequest::KEY, FETCH_VERSION)?;
        let response = FetchResponse::decode(&mut body, FETCH_VERSION)?;
        Ok(response.responses.iter().flat_map(|t| &t.partitions).all(|p| p.error_code == 0))
    }

    /// How many partitions of the topic have a leader; asks for its creation when `create`.
    pub fn leaders(&mut self, name: &str, create: bool) -> Result<i32> {
        let topic = ottla_protocol::messages::metadata_request::MetadataRequestTopic {
            name: Some(name.into()),
            ..Default::default()
        };
        let request =
            MetadataRequest { topics: Some(vec![topic]), allow_auto_topic_creation: create, ..Default::default() };
        let frame = self.exchange(&request, 7)?;
        let (_, mut body) = response_head(frame, MetadataRequest::KEY, 7)?;
        let response = MetadataResponse::decode(&mut body, 7)?;
        let led = response.topics.iter().flat_map(|t| &t.partitions).filter(|p| p.error_code == 0 && p.leader_id >= 0);
        Ok(led.count() as i32)
    }

    /// Sends a prebuilt produce frame and gives the partition's error code.
    pub fn produce(&mut self, frame: &[u8]) -> Result<i16> {
        self.send(frame)?;
        produce_error(self.receive()?)
    }
}

/// The error code of a produce answer with one partition.
pub fn produce_error(frame: &[u8]) -> Result<i16> {
    let (_, mut body) = response_head(frame, ProduceRequest::KEY, PRODUCE_VERSION)?;
    let response = ottla_protocol::messages::ProduceResponse::decode(&mut body, PRODUCE_VERSION)?;
    let partition = response.responses.first().and_then(|t| t.partition_responses.first());
    partition.map(|p| p.error_code).ok_or_else(|| "an answer without a partition".into())
}

/// A record batch of `count` records with values of `value_size` bytes, uncompressed, no producer id.
pub fn batch(count: usize, value_size: usize, now_ms: i64) -> Vec<u8> {
    let value: Vec<u8> = (0..value_size).map(|i| b'a' + (i % 23) as u8).collect();
    batch_of(&vec![value; count], now_ms)
}

/// A record batch of these values.
pub fn batch_of(values: &[Vec<u8>], now_ms: i64) -> Vec<u8> {
    let mut records = Vec::new();
    for (i, value) in values.iter().enumerate() {
        let mut body = vec![0]; // attributes
        varint::write_i64(&mut body, 0);
        varint::write_i32(&mut body, i as i32);
        varint::write_i32(&mut body, -1);
        varint::write_i32(&mut body, value.len() as i32);
        body.extend_from_slice(value);
        varint::write_i32(&mut body, 0);
        varint::write_i32(&mut records, body.len() as i32);
        records.extend_from_slice(&body);
    }
    let mut tail = Vec::new();
    tail.extend_from_slice(&0i16.to_be_bytes());
    tail.extend_from_slice(&(values.len() as i32 - 1).to_be_bytes());
    tail.extend_from_slice(&now_ms.to_be_bytes());
    tail.extend_from_slice(&now_ms.to_be_bytes());
    tail.extend_from_slice(&(-1i64).to_be_bytes());
    tail.extend_from_slice(&(-1i16).to_be_bytes());
    tail.extend_from_slice(&(-1i32).to_be_bytes());
    tail.extend_from_slice(&(values.len() as i32).to_be_bytes());
    tail.extend_from_slice(&records);
    let mut batch = Vec::new();
    batch.extend_from_slice(&0i64.to_be_bytes());
    batch.extend_from_slice(&(tail.len() as i32 + 9).to_be_bytes());
    batch.extend_from_slice(&(-1i32).to_be_bytes());
    batch.push(2);
    batch.extend_from_slice(&crc32c(&tail).to_be_bytes());
    batch.extend_from_slice(&tail);
    batch
}

/// A whole produce request for one partition.
pub fn produce_frame(topic: &str, partition: i32, acks: i16, records: &[u8]) -> Result<Vec<u8>> {
    let request = ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 30_000,
        topic_data: vec![produce_request::TopicProduceData {
            name: topic.into(),
            partition_data: vec![produce_request::PartitionProduceData {
                index: partition,
                records: Some(records.into()),
            }],
            ..Default::default()
        }],
    };
    Ok(request_frame(1, Some("bench"), &request, PRODUCE_VERSION)?.into_bytes()?)
}

/// A whole fetch request without a session: `offsets` by partition.
pub fn fetch_frame(topic: &str, offsets: &[i64], max_wait_ms: i32, partition_bytes: i32) -> Result<Vec<u8>> {
    let partitions = offsets.iter().enumerate().map(|(i, &offset)| fetch_request::FetchPartition {
        partition: i as i32,
        current_leader_epoch: -1,
        fetch_offset: offset,
        partition_max_bytes: partition_bytes,
        ..Default::default()
    });
    let request = FetchRequest {
        replica_id: -1,
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 50 << 20,
        session_epoch: -1,
        topics: vec![fetch_request::FetchTopic {
            topic: topic.into(),
            partitions: partitions.collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    Ok(request_frame(1, Some("bench"), &request, FETCH_VERSION)?.into_bytes()?)
}
