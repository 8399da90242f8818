//! Every entry point for fuzzing with valid bytes to begin with, and how those are changed.

use std::path::Path;
use std::sync::Arc;

use ottla_base::disk::Disk;
use ottla_base::random::Random;
use ottla_base::sim_disk::SimDisk;
use ottla_keeper::database::Database;
use ottla_keeper::jute::Jute;
use ottla_keeper::proto;
use ottla_keeper::snapshot::SnapshotWriter;
use ottla_keeper::storage::{KeeperStorage, StorageConfig};
use ottla_keeper::txn_batch::TxnBatch;
use ottla_keeper::zab::election::{self, Vote};
use ottla_keeper::zab::election_connections::{ElectionConnections, ElectionOutput};
use ottla_keeper::zab::messages::{InitialMessage, LearnerRequest, PacketType, QuorumPacket, ServerState, Touched};
use ottla_protocol::messages::{FetchRequest, MetadataRequest, ProduceRequest};
use ottla_protocol::{BatchOptions, Compression, Compressor, RecordBatchBuilder, request_frame};

/// Largest input: enough for every structure, small enough to be quick.
const MOST_BYTES: usize = 16 << 10;

/// An entry point and valid inputs for it.
#[derive(Clone, Debug)]
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    pub corpus: Vec<Vec<u8>>,
}

/// All of them.
#[must_use]
pub fn targets() -> Vec<Target> {
    let batches = batches();
    let run_of_batches = batches.concat();
    let compressed = |bytes: &Vec<u8>| bytes[61..].to_vec();
    let mut targets: Vec<Target> = Vec::new();
    for (name, run) in ottla_protocol::fuzz::TARGETS {
        let corpus = match *name {
            "frames" => frames(),
            "messages" => frames().into_iter().map(|frame| [vec![4], frame[8..].to_vec()].concat()).collect(),
            "batches" => [batches.clone(), vec![run_of_batches.clone()]].concat(),
            "records" => batches.iter().map(|batch| batch[21..].to_vec()).collect(),
            _ => batches.iter().map(compressed).collect(),
        };
        targets.push(Target { name, run: *run, corpus });
    }
    let mut add = |name, run: fn(&[u8]), corpus: Vec<Vec<u8>>| targets.push(Target { name, run, corpus });
    use ottla_storage::fuzz as storage;
    let recoveries = [0u8, 0x83, 0x1b].iter().map(|how| [vec![*how], run_of_batches.clone()].concat()).collect();
    add("index", storage::fuzz_index, vec![vec![0; 36], (0..120).collect()]);
    add("producer-snapshot", storage::fuzz_snapshot, vec![vec![0; 6], producer_snapshot()]);
    add(
        "checkpoint",
        storage::fuzz_checkpoint,
        text(&["0\n2\nt 0 5\nu-v 11 7\n", "version=0\nbroker.id=3\ncluster.id=x\n"]),
    );
    add("log-dump", storage::fuzz_log_dump, vec![run_of_batches]);
    add("recovery", storage::fuzz_recovery, recoveries);
    use ottla_keeper::fuzz as keeper;
    add("jute", keeper::fuzz_jute, keeper_frames());
    add("keeper-connection", keeper::fuzz_connection, vec![keeper_frames().iter().flat_map(|f| framed(f)).collect()]);
    add("txn-log", keeper::fuzz_txn_log, txn_logs());
    add("keeper-snapshot", keeper::fuzz_snapshot, vec![snapshot()]);
    add("snapshot-stream", keeper::fuzz_snapshot_stream, vec![snapshot_stream()]);
    add("zab-messages", keeper::fuzz_zab_messages, zab_messages());
    add("zoo-cfg", keeper::fuzz_zoo_cfg, text(&["tickTime=2000\ndataDir=/d\nclientPort=2181\nserver.1=h:2888:3888\n"]));
    add(
        "properties",
        fuzz_properties,
        text(&["a=b\n# c\nkey : v\\\n  w\n\\u0041\\t=x\n", "listeners=PLAINTEXT://:9092\n"]),
    );
    targets
}

/// A settings file: any text becomes settings or one line that says why not.
fn fuzz_properties(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = ottla_broker::config::parse_properties(&text);
    let _ = ottla_broker::config::load("server.properties", &text, &[]);
}

/// A valid input with some changes: bits, bytes, lengths, pieces taken out, repeated or taken from another input.
#[must_use]
pub fn mutate(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = match corpus.len() {
        0 => Vec::new(),
        count => corpus[random.index(count)].clone(),
    };
    for _ in 0..1 + random.below(6) {
        change(&mut bytes, corpus, random);
    }
    bytes.truncate(MOST_BYTES);
    bytes
}

fn change(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    const TELLING: [u8; 9] = [0, 1, 2, 0x7f, 0x80, 0xff, 0xfe, 0x10, 0x40];
    if bytes.is_empty() {
        bytes.extend((0..1 + random.below(40)).map(|_| random.next_u64() as u8));
        return;
    }
    let at = random.index(bytes.len());
    match random.below(9) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.next_u64() as u8,
        2 => bytes[at] = TELLING[random.index(TELLING.len())],
        3 => bytes.truncate(at),
        4 => {
            // A number of four bytes: a length, a count.
            let number = [0, -1, 1, i32::MAX, i32::MIN, random.next_u64() as i32 & 0xffff][random.index(6)];
            let end = bytes.len().min(at + 4);
            bytes[at..end].copy_from_slice(&number.to_be_bytes()[..end - at]);
        }
        5 => {
            let end = bytes.len().min(at + 1 + random.index(16));
            bytes.drain(at..end);
        }
        6 => {
            let end = bytes.len().min(at + 1 + random.index(64));
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
        7 => {
            let other = &corpus[random.index(corpus.len())];
            if !other.is_empty() {
                let from = random.index(other.len());
                let end = other.len().min(from + 1 + random.index(128));
                bytes.splice(at..at, other[from..end].iter().copied());
            }
        }
        _ => {
            let more = random.index(16);
            bytes.splice(at..at, (0..more).map(|_| random.next_u64() as u8).collect::<Vec<_>>());
        }
    }
}

fn text(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// A batch in each compression, plain and idempotent.
fn batches() -> Vec<Vec<u8>> {
    let mut batches = Vec::new();
    for compression in Compression::ALL {
        for producer_id in [-1, 5] {
            let own = producer_id >= 0;
            let base_offset = 6 * batches.len() as i64;
            let (producer_epoch, base_sequence) = if own { (0, base_offset as i32) } else { (-1, -1) };
            let options = BatchOptions {
                base_offset,
                leader_epoch: 0,
                producer_id,
                producer_epoch,
                base_sequence,
                ..BatchOptions::default()
            };
            let mut builder = RecordBatchBuilder::new(options, Compressor::new(compression, None));
            for i in 0..6u8 {
                builder.append(1_700_000_000_000 + i64::from(i), Some(&[i]), Some(&[i; 40]), &[]);
            }
            batches.extend(builder.finish());
        }
    }
    batches
}

fn frames() -> Vec<Vec<u8>> {
    let produce = ProduceRequest { acks: 1, ..ProduceRequest::default() };
    let frames = [
        request_frame(1, Some("c"), &produce, 9),
        request_frame(2, None, &FetchRequest::default(), 12),
        request_frame(3, Some("c"), &MetadataRequest::default(), 1),
    ];
    frames.into_iter().flatten().filter_map(|frame| Some(frame.into_bytes().ok()?[4..].to_vec())).collect()
}

/// Version, checksum over the rest, no entries.
fn producer_snapshot() -> Vec<u8> {
    ottla_storage::producer_snapshot::encode(&[])
}

fn framed(frame: &[u8]) -> Vec<u8> {
    crate::keeper_process::framed(frame)
}

fn keeper_frames() -> Vec<Vec<u8>> {
    let passwd = [0; 16];
    let connect =
        proto::ConnectRequest { timeout_ms: 4_000, passwd: Some(&passwd), ..proto::ConnectRequest::default() };
    let header = |op: proto::OpCode| proto::RequestHeader { xid: 1, op: op.code() }.to_bytes();
    let create = proto::CreateRequest { path: "/a", data: Some(b"d"), acl: vec![proto::OPEN_ACL], flags: 0 };
    let multi = [
        proto::MultiHeader { op: proto::OpCode::Create.code(), done: false, err: -1 }.to_bytes(),
        create.to_bytes(),
        proto::MULTI_END.to_bytes(),
    ];
    let watches = proto::SetWatches { data_watches: vec!["/a", "/b"], ..proto::SetWatches::default() };
    vec![
        connect.to_bytes(),
        [header(proto::OpCode::Create), create.to_bytes()].concat(),
        [header(proto::OpCode::Multi), multi.concat()].concat(),
        [header(proto::OpCode::SetWatches), watches.to_bytes()].concat(),
    ]
}

/// A log as the keeper writes it.
fn txn_logs() -> Vec<Vec<u8>> {
    let disk = SimDisk::new(1);
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let written = || -> Option<Vec<u8>> {
        let mut config = StorageConfig::new("/k");
        config.log.prealloc_bytes = 0;
        let storage = KeeperStorage::open(shared, config).ok()?;
        let mut log = storage.log();
        let mut batch = TxnBatch::default();
        let header = [0u8; 28];
        batch.push(1, &header);
        batch.push(2, &[&header[..], &[0, 0, 0, 1][..]].concat());
        log.append(&batch).ok()?;
        log.sync().ok()?;
        disk.read(Path::new("/k/version-2/log.1")).ok()
    };
    written().into_iter().collect()
}

fn snapshot() -> Vec<u8> {
    let mut bytes = Vec::new();
    let database = Database::new(true);
    let mut writer = SnapshotWriter::new();
    while !writer.step(&database, 1 << 20, &mut bytes) {}
    bytes
}

/// As a leader sends it to a learner, with a packet behind.
fn snapshot_stream() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = SnapshotWriter::for_learner();
    while !writer.step(&Database::new(true), 1 << 20, &mut bytes) {}
    QuorumPacket::new(PacketType::NewLeader, 1 << 32).write(&mut bytes);
    bytes
}

/// What goes over the election port and the quorum port.
fn zab_messages() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let transaction = [0u8; 40];
    let request = LearnerRequest { session_id: 7, cxid: 1, op: 1, body: transaction[..9].into(), auth: Vec::new() };
    let packets = [
        QuorumPacket::new(PacketType::Ack, 5),
        QuorumPacket::with(PacketType::Proposal, 6, transaction),
        QuorumPacket::with(PacketType::Ping, 6, Touched(vec![(7, 4_000), (8, 4_000)]).to_bytes()),
        request.to_packet(),
    ];
    for packet in &packets {
        let mut bytes = Vec::new();
        packet.write(&mut bytes);
        all.push(bytes);
    }
    all.push(all.concat());
    all.extend(election_messages());
    all
}

/// A connection's first words and votes, as a server that starts says them.
fn election_messages() -> Vec<Vec<u8>> {
    let me = InitialMessage { sid: 2, election_addresses: vec![("host".to_owned(), 3_888)] };
    let vote = Vote { leader: 2, zxid: 9, election_epoch: 1, peer_epoch: 1, state: ServerState::Looking, version: 2 };
    let notification = election::notification(vote, ServerState::Looking, b"server.1=a:1:2\nserver.2=b:1:2\n");
    let mut connections = ElectionConnections::new(me);
    let mut out = Vec::new();
    connections.send(1, &notification, &mut out);
    connections.connected(1, 1, &mut out);
    out.into_iter()
        .filter_map(|output| match output {
            ElectionOutput::Send { bytes, .. } => Some(bytes),
            _ => None,
        })
        .flat_map(|bytes| [bytes.get(4..).unwrap_or(&[]).to_vec(), bytes])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_survives_its_corpus_and_some_changes() {
        let mut random = Random::new(1);
        for target in targets() {
            assert!(!target.corpus.is_empty(), "{}", target.name);
            target.corpus.iter().for_each(|input| (target.run)(input));
            for _ in 0..50 {
                (target.run)(&mutate(&target.corpus, &mut random));
            }
        }
    }
}
