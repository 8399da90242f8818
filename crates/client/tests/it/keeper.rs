//! The keeper client against a scripted server, and against a real one when `OTTLA_TEST_ZOOKEEPER=host:port` names it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ottla_client::keeper_client::{ConnectString, KeeperClient, KeeperClientConfig, SessionState};
use ottla_keeper::jute::{Jute, Reader};
use ottla_keeper::ops::{AclEntry, CreateMode, KeeperError, KeeperEvent, KeeperOp, KeeperReply};
use ottla_keeper::proto::{
    AddWatchMode, ConnectRequest, ConnectResponse, ErrorCode, OpCode, ReplyHeader, RequestHeader, SetWatches, Stat,
    WatcherEvent, WatcherType,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PATIENCE: Duration = Duration::from_secs(10);

type Seen = Arc<Mutex<Vec<String>>>;

fn client(servers: &str) -> (KeeperClient, Seen) {
    let seen = Seen::default();
    let log = seen.clone();
    let config = KeeperClientConfig::new(ConnectString::parse(servers).expect("an address"), Duration::from_secs(6), 1);
    let client = KeeperClient::spawn(config, move |event| {
        let text = match event {
            KeeperEvent::Connected { resumed, .. } => format!("connected resumed={resumed}"),
            other => format!("{other:?}"),
        };
        log.lock().expect("unpoisoned").push(text);
    });
    (client, seen)
}

fn note(seen: &Seen, text: impl Into<String>) {
    seen.lock().expect("unpoisoned").push(text.into());
}

/// One side of a scripted connection.
struct Peer(TcpStream);

impl Peer {
    async fn accept(listener: &TcpListener, session_id: i64, timeout_ms: i32) -> (Self, Vec<u8>) {
        let (stream, _) = tokio::time::timeout(PATIENCE, listener.accept()).await.expect("in time").expect("accepts");
        let mut peer = Self(stream);
        let request = peer.read().await;
        let passwd = [7u8; 16];
        let answer = ConnectResponse {
            protocol_version: 0,
            timeout_ms,
            session_id,
            passwd: Some(&passwd),
            read_only: Some(false),
        };
        peer.write(&answer.to_bytes()).await;
        (peer, request)
    }

    async fn read(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; self.0.read_i32().await.expect("a length") as usize];
        self.0.read_exact(&mut bytes).await.expect("a frame");
        bytes
    }

    /// The next request that is no ping.
    async fn request(&mut self) -> (RequestHeader, Vec<u8>) {
        loop {
            let bytes = self.read().await;
            let mut reader = Reader::new(&bytes);
            let header: RequestHeader = reader.record().expect("a header");
            if header.op != OpCode::Ping.code() {
                return (header, reader.rest().to_vec());
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) {
        let mut out = (bytes.len() as i32).to_be_bytes().to_vec();
        out.extend_from_slice(bytes);
        self.0.write_all(&out).await.expect("writes");
    }

    async fn answer(&mut self, xid: i32, zxid: i64, err: i32, body: &[u8]) {
        let mut out = ReplyHeader { xid, zxid, err }.to_bytes();
        out.extend_from_slice(body);
        self.write(&out).await;
    }
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound").to_string();
    (listener, address)
}

fn get(path: &str, watch: bool) -> KeeperOp {
    KeeperOp::GetData { path: path.into(), watch }
}

#[tokio::test]
async fn reconnects_with_its_session_and_its_watches() {
    let (listener, address) = listener().await;
    let (client, seen) = client(&address);
    let (mut peer, first) = Peer::accept(&listener, 0x55, 6_000).await;
    let first: ConnectRequest<'_> = Reader::new(&first).record().expect("a connect");
    assert_eq!((first.session_id, first.timeout_ms), (0, 6_000));

    let waiting = client.clone();
    let watched = tokio::spawn(async move { waiting.call(get("/a", true)).await });
    let (header, _) = peer.request().await;
    let body = ottla_keeper::proto::GetDataResponse { data: Some(b"x"), stat: Stat::default() }.to_bytes();
    peer.answer(header.xid, 42, 0, &body).await;
    assert!(matches!(watched.await.expect("no panic"), Ok(KeeperReply::Data { data: Some(data), .. }) if data == b"x"));

    let waiting = client.clone();
    let lost = tokio::spawn(async move { waiting.call(get("/b", false)).await });
    peer.request().await;
    drop(peer);
    assert_eq!(lost.await.expect("no panic"), Err(KeeperError::ConnectionLoss));

    let (mut peer, again) = Peer::accept(&listener, 0x55, 6_000).await;
    let again: ConnectRequest<'_> = Reader::new(&again).record().expect("a connect");
    assert_eq!((again.session_id, again.last_zxid_seen, again.passwd), (0x55, 42, Some(&[7u8; 16][..])));
    let (header, body) = peer.request().await;
    assert_eq!((header.xid, header.op), (-8, OpCode::SetWatches.code()));
    let set: SetWatches<'_> = Reader::new(&body).record().expect("watches");
    assert_eq!((set.relative_zxid, set.data_watches), (42, vec!["/a"]));
    peer.answer(-8, 42, 0, &[]).await;

    // The event comes before the answer that shows the change.
    let log = seen.clone();
    client.submit(get("/a", false), Box::new(move |result| note(&log, format!("answer {}", result.is_ok()))));
    let (header, body_bytes) = peer.request().await;
    drop(body_bytes);
    let event = WatcherEvent { event_type: 3, state: 3, path: "/a" }.to_bytes();
    peer.answer(-1, -1, 0, &event).await;
    let body = ottla_keeper::proto::GetDataResponse { data: Some(b"y"), stat: Stat::default() }.to_bytes();
    peer.answer(header.xid, 43, 0, &body).await;

    let closing = client.clone();
    let closed = tokio::spawn(async move { closing.close(PATIENCE).await });
    let (header, _) = peer.request().await;
    assert_eq!(header.op, OpCode::CloseSession.code());
    peer.answer(header.xid, 44, 0, &[]).await;
    closed.await.expect("no panic");
    assert_eq!(client.call(get("/a", false)).await, Err(KeeperError::SessionExpired));
    let seen = seen.lock().expect("unpoisoned").clone();
    let expected = [
        "connected resumed=false",
        "Disconnected",
        "connected resumed=true",
        "NodeDataChanged { path: \"/a\" }",
        "answer true",
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn an_expired_session_is_the_end() {
    let (listener, address) = listener().await;
    let (client, seen) = client(&address);
    let (peer, _) = Peer::accept(&listener, 9, 6_000).await;
    client.wait_connected(PATIENCE).await.expect("connected");
    drop(peer);
    let (_peer, _) = Peer::accept(&listener, 0, 0).await;
    let mut state = client.state();
    state.wait_for(|state| *state == SessionState::Expired).await.expect("told");
    assert_eq!(client.call(get("/a", false)).await, Err(KeeperError::SessionExpired));
    assert_eq!(seen.lock().expect("unpoisoned").last().map(String::as_str), Some("Expired"));
}

#[tokio::test]
async fn garbage_ends_the_connection_not_the_client() {
    let (listener, address) = listener().await;
    let (client, _) = client(&address);
    let garbage: [&[u8]; 4] = [
        // A length beyond all bounds, a negative one, an answer nobody asked for, a cut header.
        &[0x7f, 0xff, 0xff, 0xff, 1, 2, 3],
        &[0xff, 0, 0, 0],
        &[0, 0, 0, 16, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0],
        &[0, 0, 0, 2, 1, 1],
    ];
    for bytes in garbage {
        let (mut peer, _) = Peer::accept(&listener, 5, 6_000).await;
        let waiting = client.clone();
        let call = tokio::spawn(async move { waiting.call(get("/a", false)).await });
        peer.request().await;
        peer.0.write_all(bytes).await.expect("writes");
        assert_eq!(call.await.expect("no panic"), Err(KeeperError::ConnectionLoss), "{bytes:?}");
    }
    // A body that is no GetDataResponse.
    let (mut peer, _) = Peer::accept(&listener, 5, 6_000).await;
    let waiting = client.clone();
    let call = tokio::spawn(async move { waiting.call(get("/a", false)).await });
    let (header, _) = peer.request().await;
    peer.answer(header.xid, 1, 0, &[0, 0, 0, 9]).await;
    assert_eq!(call.await.expect("no panic"), Err(KeeperError::ConnectionLoss));
    drop(peer);
    let (_peer, _) = Peer::accept(&listener, 5, 6_000).await;
    client.wait_connected(PATIENCE).await.expect("still alive");
}

#[tokio::test]
async fn a_server_without_create2_gets_the_old_create() {
    let (listener, address) = listener().await;
    let (client, _) = client(&address);
    let (mut peer, _) = Peer::accept(&listener, 5, 6_000).await;
    let op = KeeperOp::Create { path: "/a".into(), data: None, acl: AclEntry::open(), mode: CreateMode::Ephemeral };
    let waiting = client.clone();
    let call = tokio::spawn(async move { waiting.call(op).await });
    let (header, _) = peer.request().await;
    assert_eq!(header.op, OpCode::Create2.code());
    peer.answer(header.xid, 1, ErrorCode::Unimplemented.code(), &[]).await;
    let (mut peer, _) = Peer::accept(&listener, 5, 6_000).await;
    let (header, _) = peer.request().await;
    assert_eq!(header.op, OpCode::Create.code());
    peer.answer(header.xid, 77, 0, &ottla_keeper::proto::CreateResponse { path: "/a" }.to_bytes()).await;
    match call.await.expect("no panic") {
        Ok(KeeperReply::Created { path, stat }) => {
            assert_eq!((path.as_str(), stat.czxid, stat.ephemeral_owner), ("/a", 77, 5))
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nobody_listening_is_said_plainly() {
    let (listener, address) = listener().await;
    drop(listener);
    let (client, _) = client(&address);
    assert_eq!(client.call(get("/a", false)).await, Err(KeeperError::ConnectionLoss));
    let error = client.wait_connected(Duration::from_millis(200)).await.expect_err("nobody there");
    assert_eq!(error, format!("no keeper of {address} answered: connection refused; is it running?"));
    client.close(PATIENCE).await;
}

async fn expect_event(seen: &Seen, text: &str) {
    for _ in 0..500 {
        if seen.lock().expect("unpoisoned").iter().any(|line| line == text) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no {text} in {:?}", seen.lock().expect("unpoisoned"));
}

/// Everything that the client can ask, against a real server.
#[tokio::test]
async fn real_server() {
    let Ok(server) = std::env::var("OTTLA_TEST_ZOOKEEPER") else { return };
    let root = format!("/ottla-test-{}", std::process::id());
    let (plain, _) = client(&server);
    let create = |path: &str, mode| KeeperOp::Create {
        path: path.into(),
        data: Some(b"data".to_vec()),
        acl: AclEntry::open(),
        mode,
    };
    plain.call(create(&root, CreateMode::Persistent)).await.expect("creates");
    let (client, seen) = client(&format!("{server}{root}"));
    let exists = |path: &str| KeeperOp::Exists { path: path.into(), watch: true };
    assert!(client.call(exists("/p")).await.expect_err("not yet").is_no_node());
    let reply = client.call(create("/p", CreateMode::Persistent)).await.expect("creates");
    let KeeperReply::Created { path, stat } = reply else { panic!("{reply:?}") };
    assert_eq!((path.as_str(), stat.data_length), ("/p", 4));
    expect_event(&seen, "NodeCreated { path: \"/p\" }").await;
    let reply = client.call(create("/p/s-", CreateMode::EphemeralSequential)).await.expect("creates");
    assert!(matches!(reply, KeeperReply::Created { path, .. } if path == "/p/s-0000000000"));
    client.call(create("/c", CreateMode::Container)).await.expect("creates");
    assert_eq!(client.ephemerals("/").await.expect("lists"), ["/p/s-0000000000"]);
    assert_eq!(client.all_children_number("/").await.expect("counts"), 3);
    println!("whoami {:?}", client.who_am_i().await.expect("answers"));
    println!("config {:?}", client.ensemble_config(false).await);
    client.add_auth("digest", b"u:p").await.expect("accepted");
    assert_eq!(client.who_am_i().await.expect("answers").len(), 2);

    let check = |path: &str, version| KeeperOp::Check { path: path.into(), version };
    let multi = vec![
        check("/p", 0),
        create("/p/e", CreateMode::Ephemeral),
        KeeperOp::SetData { path: "/p".into(), data: None, version: 0 },
        KeeperOp::Delete { path: "/c".into(), version: -1 },
    ];
    let reply = client.call(KeeperOp::Multi(multi.clone())).await.expect("does all");
    let KeeperReply::Multi(replies) = reply else { panic!("{reply:?}") };
    let KeeperReply::Created { stat, .. } = &replies[1] else { panic!("{replies:?}") };
    let KeeperReply::Stat(real) = client.call(exists("/p/e")).await.expect("there") else { panic!("no stat") };
    assert_eq!((stat.czxid, stat.ephemeral_owner, stat.data_length), (real.czxid, real.ephemeral_owner, 4));
    let refused = client.call(KeeperOp::Multi(multi)).await;
    assert_eq!(refused, Err(KeeperError::Multi { index: 0, code: ErrorCode::BadVersion }));
    let reads = vec![get("/p", false), KeeperOp::GetChildren { path: "/p".into(), watch: false }];
    println!("reads {:?}", client.call(KeeperOp::Multi(reads)).await.expect("reads"));

    client.add_watch("/p", AddWatchMode::PersistentRecursive).await.expect("watches");
    for path in ["/p/x", "/p/y"] {
        client.call(create(path, CreateMode::Persistent)).await.expect("creates");
        expect_event(&seen, &format!("NodeCreated {{ path: \"{path}\" }}")).await;
    }
    client.remove_watches("/p", WatcherType::PersistentRecursive).await.expect("removes");
    let none = client.remove_watches("/p", WatcherType::Any).await;
    assert_eq!(none, Err(KeeperError::Code(ErrorCode::NoWatcher)));
    client.call(KeeperOp::Sync { path: "/".into() }).await.expect("syncs");
    let acl = vec![AclEntry { perms: 31, scheme: "auth".into(), id: String::new() }];
    client.call(KeeperOp::SetAcl { path: "/p/x".into(), acl, version: -1 }).await.expect("sets");
    println!("acl {:?}", client.call(KeeperOp::GetAcl { path: "/p/x".into() }).await.expect("gets"));
    assert_eq!(plain.call(get(&format!("{root}/p/x"), false)).await, Err(KeeperError::Code(ErrorCode::NoAuth)));

    // Pipelined, in order.
    let order = Arc::new(Mutex::new(Vec::new()));
    for i in 0..20_000 {
        let order = order.clone();
        client.submit(get("/p", false), Box::new(move |r| order.lock().expect("unpoisoned").push((i, r.is_ok()))));
    }
    client.call(get("/p", false)).await.expect("last");
    assert!(order.lock().expect("unpoisoned").iter().enumerate().all(|(i, &(j, ok))| i == j && ok));
    client.close(PATIENCE).await;
    assert!(plain.call(get(&format!("{root}/p/e"), false)).await.expect_err("gone").is_no_node());
    plain.close(PATIENCE).await;
}

/// Answers connections for ever: `isro` by the word, a connect frame by a session; not at all while `ready` is false.
async fn keeper(listener: TcpListener, session_id: i64, read_only: bool, ready: Arc<AtomicBool>) {
    loop {
        let (mut stream, _) = listener.accept().await.expect("accepts");
        if !ready.load(Ordering::Acquire) {
            continue;
        }
        tokio::spawn(async move {
            let mut first = [0; 4];
            stream.read_exact(&mut first).await.expect("a word or a length");
            if first == *b"isro" {
                return stream.write_all(if read_only { b"ro" } else { b"rw" }).await.expect("writes");
            }
            let mut request = vec![0; u32::from_be_bytes(first) as usize];
            stream.read_exact(&mut request).await.expect("a connect");
            let request: ConnectRequest<'_> = Reader::new(&request).record().expect("a connect");
            assert_eq!((request.session_id, request.read_only), (0, Some(true)), "it has none of the whole ensemble");
            let passwd = [7; 16];
            let answer = ConnectResponse {
                protocol_version: 0,
                timeout_ms: request.timeout_ms,
                session_id,
                passwd: Some(&passwd),
                read_only: Some(read_only),
            };
            let mut peer = Peer(stream);
            peer.write(&answer.to_bytes()).await;
            // Until the client goes.
            let _ = peer.0.read_to_end(&mut Vec::new()).await;
        });
    }
}

#[tokio::test]
async fn leaves_a_server_that_is_cut_off_for_one_that_is_not() {
    let ((cut_off, first), (whole, second)) = (listener().await, listener().await);
    let ready = Arc::new(AtomicBool::new(false));
    tokio::spawn(keeper(cut_off, 0x11, true, Arc::new(AtomicBool::new(true))));
    tokio::spawn(keeper(whole, 0x22, false, ready.clone()));
    let servers = ConnectString::parse(&format!("{first},{second}")).expect("addresses");
    let config = KeeperClientConfig { read_only: true, ..KeeperClientConfig::new(servers, Duration::from_secs(6), 1) };
    let client = KeeperClient::spawn(config, |_| {});
    let mut state = client.state();
    let mut until = async |session: i64, cut_off: bool| {
        let there = state.wait_for(|state| {
            matches!(state, SessionState::Connected { session_id, read_only, .. }
                if *session_id == session && *read_only == cut_off)
        });
        tokio::time::timeout(PATIENCE, there).await.expect("in time").expect("told");
    };
    until(0x11, true).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    ready.store(true, Ordering::Release);
    until(0x22, false).await;
}
