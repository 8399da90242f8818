//! Crashes at any step, from seeds: nothing acknowledged is lost, and what comes back is a prefix of what was decided.

use ottla_base::disk::Disk;
use ottla_base::random::Random;
use ottla_base::sim_disk::SimDisk;
use ottla_base::time::Now;
use ottla_keeper::jute::{Jute, Reader};
use ottla_keeper::keeper_server::{Input, KeeperServer, Output, ServerConfig};
use ottla_keeper::proto::{
    ConnectRequest, CreateRequest, DeleteRequest, OPEN_ACL, OpCode, ReplyHeader, RequestHeader, SetDataRequest,
};
use ottla_keeper::storage::{KeeperStorage, SnapshotStore, StorageConfig};
use ottla_keeper::txn::TxnEntry;
use ottla_keeper::txn_log::{LogOptions, TxnLog};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// A server that writes to a simulated disk, and what it has promised.
struct Run {
    disk: Arc<SimDisk>,
    random: Random,
    now: Now,
    /// The tree's digest after each transaction decided.
    digests: BTreeMap<i64, i64>,
    acknowledged: i64,
    largest_batch: usize,
    snapshots: u64,
}

/// One life of the server, from start to crash.
struct Life {
    server: KeeperServer,
    log: TxnLog,
    store: SnapshotStore,
    waiting: i64,
    input: Vec<u8>,
}

impl Run {
    fn start(&mut self) -> Result<Life, String> {
        let disk: Arc<dyn Disk> = Arc::clone(&self.disk) as Arc<dyn Disk>;
        let log = LogOptions { prealloc_bytes: 8_192, ..LogOptions::default() };
        let config = StorageConfig { log, ..StorageConfig::new("/zk") };
        let storage = KeeperStorage::open(disk, config).map_err(|e| e.to_string())?;
        let restored = storage.restore().map_err(|e| e.to_string())?;
        let (last, digest) = (restored.database.last_zxid(), restored.database.tree().digest());
        assert!(last >= self.acknowledged, "acknowledged {:#x}, came back with {last:#x}", self.acknowledged);
        assert_eq!(restored.database.digest_mismatches(), 0);
        if let Some(&decided) = self.digests.get(&last) {
            assert_eq!(digest, decided, "the tree at {last:#x} is not what was decided");
        }
        // What was decided behind it never happened.
        self.digests.split_off(&(last + 1));
        self.acknowledged = last;
        let config = ServerConfig { snap_count: 24, ..ServerConfig::default() };
        let server = KeeperServer::new(config, restored.database, self.random.fork(), self.now);
        Ok(Life { server, log: storage.log(), store: storage.snapshots(), waiting: 0, input: Vec::new() })
    }

    fn step(&mut self, life: &mut Life, input: Input<'_>) -> io::Result<()> {
        self.now = self.now.plus_ms(1);
        let mut outputs = Vec::new();
        life.server.step(self.now, input, &mut outputs);
        self.carry_out(life, outputs)
    }

    fn carry_out(&mut self, life: &mut Life, outputs: Vec<Output>) -> io::Result<()> {
        for output in outputs {
            match output {
                Output::Append(batch) => {
                    self.largest_batch = self.largest_batch.max(batch.len());
                    for (zxid, txn) in batch.iter() {
                        let digest = TxnEntry::decode(txn).expect("decodes").digest.expect("has a digest");
                        self.digests.insert(zxid, digest.tree_digest);
                    }
                    life.log.append(&batch)?;
                    life.waiting = batch.last_zxid().unwrap_or(0);
                }
                Output::RollLog => life.log.roll()?,
                Output::SnapshotBegin { zxid } => life.store.begin(zxid)?,
                Output::SnapshotChunk(bytes) => life.store.chunk(&bytes)?,
                Output::SnapshotEnd => {
                    life.store.end()?;
                    self.snapshots += 1;
                }
                Output::Send { bytes, .. } => self.note_acknowledged(&bytes),
                Output::Close { .. } | Output::Pause { .. } | Output::Resume { .. } => {}
            }
        }
        Ok(())
    }

    /// Replies carry the last transaction applied: it is promised from then on.
    fn note_acknowledged(&mut self, mut bytes: &[u8]) {
        while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
            let (frame, more) = rest.split_at(u32::from_be_bytes(*len) as usize);
            if frame.len() != 36 {
                let header: ReplyHeader = Reader::new(frame).record().expect("a reply");
                self.acknowledged = self.acknowledged.max(header.zxid);
            }
            bytes = more;
        }
    }

    fn sync(&mut self, life: &mut Life) -> io::Result<()> {
        let zxid = life.log.sync()?;
        self.step(life, Input::Persisted { zxid })
    }

    fn random_request(&mut self, life: &mut Life, xid: i32) {
        let path = format!("/n{}", self.random.below(12));
        let mut data = vec![0; self.random.index(700)];
        self.random.fill(&mut data);
        let (op, body) = match self.random.below(5) {
            0 | 1 => {
                let flags = self.random.below(4) as i32;
                let request = CreateRequest { path: &path, data: Some(&data), acl: vec![OPEN_ACL], flags };
                (OpCode::Create, request.to_bytes())
            }
            2 => (OpCode::Delete, DeleteRequest { path: &path, version: -1 }.to_bytes()),
            _ => (OpCode::SetData, SetDataRequest { path: &path, data: Some(&data), version: -1 }.to_bytes()),
        };
        let mut frame = RequestHeader { xid, op: op.code() }.to_bytes();
        frame.extend(body);
        life.input.extend((frame.len() as u32).to_be_bytes());
        life.input.extend(frame);
    }

    /// Serves until the disk fails or the time for a crash has come.
    fn live(&mut self, life: &mut Life, steps: u64) -> io::Result<()> {
        let peer = "127.0.0.1:5".parse().expect("address");
        self.step(life, Input::Opened { conn: 1, peer })?;
        let connect = ConnectRequest { timeout_ms: 30_000, passwd: Some(&[0; 16]), ..Default::default() }.to_bytes();
        life.input.extend((connect.len() as u32).to_be_bytes());
        life.input.extend(connect);
        for i in 0..steps {
            for j in 0..self.random.below(8) {
                self.random_request(life, (i * 8 + j) as i32 + 1);
            }
            let bytes = std::mem::take(&mut life.input);
            self.step(life, Input::Received { conn: 1, bytes: &bytes })?;
            if self.random.chance(500_000) {
                self.sync(life)?;
            }
            if life.server.snapshot_running() && self.random.chance(400_000) {
                self.step(life, Input::SnapshotStep)?;
            }
        }
        Ok(())
    }
}

fn run(seed: u64) -> Run {
    let disk = Arc::new(SimDisk::new(seed));
    let now = Now { mono_us: 1, wall_ms: 1_795_000_000_000 };
    let (digests, random) = (BTreeMap::new(), Random::new(seed ^ 0xabc));
    let mut run = Run { disk, random, now, digests, acknowledged: 0, largest_batch: 0, snapshots: 0 };
    for life_number in 0..6 {
        let mut life = run.start().unwrap_or_else(|error| panic!("seed {seed}, life {life_number}: {error}"));
        if run.random.chance(300_000) {
            run.disk.fail_after(Some(run.random.below(200)));
        }
        let steps = 5 + run.random.below(60);
        // A failed disk ends the server, as a crash does.
        let _ = run.live(&mut life, steps);
        drop(life);
        run.disk.heal();
        if run.random.chance(800_000) {
            run.disk.crash();
        } else {
            run.disk.kill();
        }
    }
    run
}

#[test]
fn what_was_acknowledged_survives() {
    let (mut batch, mut snapshots) = (0, 0);
    for seed in 0..40 {
        let run = run(seed);
        batch = batch.max(run.largest_batch);
        snapshots += run.snapshots;
    }
    assert!(batch > 3, "several transactions go in one write");
    assert!(snapshots > 20, "snapshots were taken: {snapshots}");
}

#[test]
fn one_seed_one_history() {
    let (a, b) = (run(7), run(7));
    assert_eq!((a.digests, a.acknowledged), (b.digests, b.acknowledged));
}
