//! A host on a simulated disk, with clients that are bytes.

use std::time::Instant as RealInstant;

use ottla_base::sim_disk::{Call, ENOSPC, Fault, SimDisk};
use ottla_keeper::keeper_server::ServerConfig;
use ottla_keeper::proto::{CreateRequest, OPEN_ACL, PathWatchRequest, ReplyHeader};
use ottla_keeper::storage::StorageConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

use super::*;
use crate::keeper_node;

/// Longer than anything takes that is expected to happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough for what is not expected to happen.
const A_WHILE: Duration = Duration::from_millis(200);

struct Bench {
    host: KeeperHost,
    disk: SimDisk,
    failed: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new(config: ServerConfig) -> Self {
        let disk = SimDisk::new(9);
        let storage = KeeperStorage::open(Arc::new(disk.clone()), StorageConfig::new("/zk")).expect("opens");
        let failed = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&failed);
        let fatal = Box::new(move |why| told.lock().push(why));
        let parts = keeper_node::alone(config, storage, Clock::start(), fatal).expect("a new one");
        Self { host: KeeperHost::start(parts).expect("starts"), disk, failed }
    }

    fn default() -> Self {
        Self::new(ServerConfig { four_letter_whitelist: vec!["*".to_owned()], ..ServerConfig::default() })
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.host.shared
    }

    /// A client with a session, and room for so many bytes on the way.
    async fn client(&self, room: usize) -> DuplexStream {
        let (theirs, mut ours) = tokio::io::duplex(room);
        self.host.runtime.spawn(connection::serve(Arc::clone(self.shared()), theirs, LOCAL_PEER));
        let connect = ConnectRequest { timeout_ms: 30_000, passwd: Some(&[0; 16]), ..ConnectRequest::default() };
        ours.write_all(&framed(&connect.to_bytes())).await.expect("sends");
        frame(&mut ours).await.expect("a session");
        self.idle().await;
        ours
    }

    /// Waits until the log's thread has nothing to do.
    async fn idle(&self) {
        let done = || self.shared().machine.lock().handed == self.shared().finished.load(Ordering::Acquire);
        eventually(done).await;
    }

    /// How many works were handed over to the log's thread.
    fn handed(&self) -> u64 {
        self.shared().machine.lock().handed
    }

    /// Is the node there after the power was cut?
    fn survives(self, path: &str) -> bool {
        self.disk.crash();
        let storage = KeeperStorage::open(Arc::new(self.disk.clone()), StorageConfig::new("/zk")).expect("opens");
        storage.restore().expect("whole").database.tree().get(path).is_some()
    }
}

/// Nobody writes until it is dropped.
struct StuckDisk {
    _release: Sender<()>,
}

impl StuckDisk {
    fn new(shared: &Arc<Shared>) -> Self {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (stuck, is_stuck) = std::sync::mpsc::channel();
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            let _journal = shared.journal.lock();
            // Whoever waits for it may have failed.
            let _ = stuck.send(());
            let _ = released.recv();
        });
        is_stuck.recv().expect("stuck");
        Self { _release: release }
    }
}

async fn eventually(mut done: impl FnMut() -> bool) {
    let began = RealInstant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "it never happened");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], body].concat()
}

fn request<'a>(xid: i32, op: OpCode, body: &impl Jute<'a>) -> Vec<u8> {
    let mut bytes = RequestHeader { xid, op: op.code() }.to_bytes();
    body.write(&mut bytes);
    framed(&bytes)
}

fn create(xid: i32, path: &str, data: &[u8]) -> Vec<u8> {
    request(xid, OpCode::Create, &CreateRequest { path, data: Some(data), acl: vec![OPEN_ACL], flags: 0 })
}

fn get(xid: i32, path: &str) -> Vec<u8> {
    request(xid, OpCode::GetData, &PathWatchRequest { path, watch: false })
}

/// The next frame; `None` when the connection ends.
async fn frame(client: &mut DuplexStream) -> Option<Vec<u8>> {
    let read = async {
        let mut frame = vec![0; client.read_u32().await.ok()? as usize];
        client.read_exact(&mut frame).await.ok().map(|_| frame)
    };
    tokio::time::timeout(PATIENCE, read).await.expect("in time")
}

/// The next reply: xid and error.
async fn reply(client: &mut DuplexStream) -> (i32, i32) {
    let frame = frame(client).await.expect("a reply");
    let header: ReplyHeader = ottla_keeper::jute::Reader::new(&frame).record().expect("a header");
    (header.xid, header.err)
}

/// Makes sure that nothing is said.
async fn silence(client: &mut DuplexStream) {
    let mut byte = [0; 1];
    assert!(tokio::time::timeout(A_WHILE, client.read(&mut byte)).await.is_err(), "something was said");
}

#[tokio::test]
async fn where_syncs_are_quick_nobody_is_woken_up() {
    let bench = Bench::default();
    let mut client = bench.client(1 << 16).await;
    let before = (bench.handed(), bench.disk.counters("log.").syncs);
    bench.shared().pace.believe(true);
    client.write_all(&create(1, "/direct", b"x")).await.expect("sends");
    assert_eq!(reply(&mut client).await, (1, 0));
    assert_eq!(bench.handed(), before.0, "the log's thread had to do it");
    assert!(bench.disk.counters("log.").syncs > before.1, "not synced");
    // Much at once is for the thread, whatever the pace.
    bench.shared().pace.believe(true);
    client.write_all(&create(2, "/large", &[7; 8 << 10])).await.expect("sends");
    assert_eq!(reply(&mut client).await, (2, 0));
    bench.idle().await;
    assert_eq!(bench.handed(), before.0 + 1);
    // And so is everything, where syncs are slow.
    bench.shared().pace.believe(false);
    client.write_all(&create(3, "/slow", b"x")).await.expect("sends");
    assert_eq!(reply(&mut client).await, (3, 0));
    bench.idle().await;
    assert_eq!(bench.handed(), before.0 + 2);
    assert!(bench.survives("/direct"));
}

#[tokio::test]
async fn a_disk_that_fails_ends_the_keeper_and_acknowledges_nothing() {
    for (direct, fault) in [
        (true, Fault { errno: ENOSPC, ..Fault::always(Call::Write, "log.") }),
        (true, Fault::once(Call::Sync, "log.")),
        (false, Fault { errno: ENOSPC, ..Fault::always(Call::Write, "log.") }),
        (false, Fault::once(Call::Sync, "log.")),
    ] {
        let bench = Bench::default();
        let mut client = bench.client(1 << 16).await;
        let mut other = bench.client(1 << 16).await;
        let (handed, full) = (bench.handed(), fault.errno == ENOSPC);
        bench.shared().pace.believe(direct);
        bench.disk.inject(fault);
        client.write_all(&create(1, "/lost", b"x")).await.expect("sends");
        eventually(|| !bench.failed.lock().is_empty()).await;
        silence(&mut client).await;
        assert_eq!(bench.handed() == handed, direct);
        // What was synced and what not is unknown now: a disk that works again changes nothing.
        bench.disk.heal();
        bench.shared().pace.believe(direct);
        other.write_all(&create(1, "/later", b"x")).await.expect("sends");
        silence(&mut other).await;
        let failed = bench.failed.lock().clone();
        let [why] = &failed[..] else { panic!("told once: {failed:?}") };
        assert!(why.contains("transaction log cannot be written"), "{why}");
        assert_eq!(why.contains("make room there"), full, "{why}");
        bench.host.stop();
        assert!(!bench.survives("/later"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_its_last_words_is_let_go() {
    let bench = Bench::default();
    let (theirs, mut ours) = tokio::io::duplex(64);
    let serving = tokio::spawn(connection::serve(Arc::clone(bench.shared()), theirs, LOCAL_PEER));
    let began = Instant::now();
    // A long answer, behind which the connection is closed.
    ours.write_all(b"mntr").await.expect("sends");
    serving.await.expect("ends");
    let waited = began.elapsed();
    assert!((Duration::from_secs(5)..Duration::from_secs(6)).contains(&waited), "{waited:?}");
    assert!(bench.shared().machine.lock().outboxes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_gets_all_of_its_last_words() {
    let bench = Bench::default();
    let (theirs, mut ours) = tokio::io::duplex(4 << 10);
    let serving = tokio::spawn(connection::serve(Arc::clone(bench.shared()), theirs, LOCAL_PEER));
    ours.write_all(b"mntr").await.expect("sends");
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut text = String::new();
    ours.read_to_string(&mut text).await.expect("all of it");
    assert!(text.len() > 8 << 10 && text.ends_with('\n'));
    serving.await.expect("ends");
}

#[tokio::test]
async fn who_was_throttled_is_read_again() {
    let bench = Bench::new(ServerConfig { global_outstanding_limit: 2, ..ServerConfig::default() });
    let mut client = bench.client(1 << 16).await;
    bench.shared().pace.believe(false);
    let received = || bench.host.with_server(|server| server.stats().packets_received);
    // The disk stands still, and too much is outstanding.
    let disk = StuckDisk::new(bench.shared());
    let before = received();
    client
        .write_all(&[create(1, "/a", b""), create(2, "/b", b""), create(3, "/c", b"")].concat())
        .await
        .expect("sends");
    eventually(|| received() == before + 3).await;
    client.write_all(&[create(4, "/d", b""), create(5, "/e", b"")].concat()).await.expect("sends");
    silence(&mut client).await;
    assert_eq!(received(), before + 3, "it was read all the same");
    drop(disk);
    for xid in 1..=5 {
        assert_eq!(reply(&mut client).await, (xid, 0));
    }
    client.write_all(&create(6, "/f", b"")).await.expect("sends");
    assert_eq!(reply(&mut client).await, (6, 0));
}

#[tokio::test]
async fn requests_behind_answers_that_were_not_read_are_answered_without_another_word() {
    let bench = Bench::default();
    let mut client = bench.client(1 << 10).await;
    let data = vec![7; 600 << 10];
    client.write_all(&create(1, "/big", &data)).await.expect("sends");
    assert_eq!(reply(&mut client).await, (1, 0));
    // All in one portion; the answers are six times what may wait.
    let asked: Vec<u8> = (2..12).flat_map(|xid| get(xid, "/big")).collect();
    client.write_all(&asked).await.expect("sends");
    tokio::time::sleep(A_WHILE).await;
    let waiting = bench.host.with_server(|server| server.stats().bytes_sent);
    assert!(waiting < 4 << 20, "{waiting} bytes wait for a client that does not read");
    for xid in 2..12 {
        assert_eq!(reply(&mut client).await, (xid, 0));
    }
}
