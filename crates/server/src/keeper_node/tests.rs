use std::io::{Read, Write};
use std::net::TcpStream;

use ottla_client::keeper_client::{ConnectString, KeeperClient, KeeperClientConfig};
use ottla_keeper::jute::Jute;
use ottla_keeper::ops::{AclEntry, CreateMode, KeeperOp, KeeperReply};
use ottla_keeper::proto::{ConnectRequest, OpCode, RequestHeader};

use super::*;
use crate::scratch::Scratch;

fn start(scratch: &Scratch, more: &str) -> Result<KeeperNode, StartError> {
    let dir = scratch.path().join("data");
    let text = format!(
        "dataDir={}\nclientPort=1\nclientPortAddress=127.0.0.1\ntickTime=100\npreAllocSize=64\n\
         4lw.commands.whitelist=*\n{more}",
        dir.display()
    );
    let (mut config, _) = KeeperConfig::parse("zoo.cfg", &text).expect("valid");
    if !more.contains("clientPort") {
        config.client.port = 0;
    }
    KeeperNode::start(config, Clock::start(), |why| panic!("{why}"))
}

fn word(keeper: &KeeperNode, word: &str) -> String {
    let mut stream = TcpStream::connect(keeper.address()).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("sets");
    stream.write_all(word.as_bytes()).expect("writes");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answers and closes");
    answer
}

fn create(path: &str, mode: CreateMode) -> KeeperOp {
    KeeperOp::Create { path: path.to_owned(), data: Some(b"data".to_vec()), acl: AclEntry::open(), mode }
}

fn exists(path: &str) -> KeeperOp {
    KeeperOp::Exists { path: path.to_owned(), watch: false }
}

fn client(keeper: &KeeperNode, in_process: bool) -> KeeperClient {
    let servers = ConnectString::parse(&keeper.address().to_string()).expect("an address");
    let mut config = KeeperClientConfig::new(servers, Duration::from_secs(5), 1);
    if in_process {
        config.connector = keeper.host().connector(Vec::new());
    }
    KeeperClient::spawn(config, |_| {})
}

#[tokio::test]
async fn clients_are_served_over_tcp_and_within_the_process() {
    let scratch = Scratch::new("keeper");
    let mut keeper = start(&scratch, "").expect("starts");
    assert_eq!(word(&keeper, "ruok"), "imok");
    for (in_process, path) in [(false, "/tcp"), (true, "/inside")] {
        let client = client(&keeper, in_process);
        client.wait_connected(Duration::from_secs(10)).await.expect("connects");
        client.call(create(path, CreateMode::Persistent)).await.expect("creates");
        let data = client.call(KeeperOp::GetData { path: path.to_owned(), watch: false }).await.expect("reads");
        assert!(matches!(data, KeeperReply::Data { data: Some(data), .. } if data == b"data"));
        client.close(Duration::from_secs(5)).await;
    }
    assert!(word(&keeper, "mntr").contains("zk_znode_count"));
    keeper.stop();
    assert!(TcpStream::connect(keeper.address()).is_err());
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart_and_sessions_can_be_ended() {
    let scratch = Scratch::new("keeper");
    let keeper = start(&scratch, "snapCount=100").expect("starts");
    let former = client(&keeper, true);
    former.wait_connected(Duration::from_secs(10)).await.expect("connects");
    former.call(create("/alive", CreateMode::Ephemeral)).await.expect("creates");
    for i in 0..500 {
        former.call(create(&format!("/n{i}"), CreateMode::Persistent)).await.expect("creates");
    }
    drop(keeper);
    let keeper = start(&scratch, "").expect("starts again");
    let owner = keeper.host().with_server(|s| s.db().tree().get("/alive").map(|n| n.stat().ephemeral_owner));
    keeper.host().end_session(owner.expect("the ephemeral is still there"));
    let client = client(&keeper, true);
    client.wait_connected(Duration::from_secs(10)).await.expect("connects");
    assert!(client.call(exists("/alive")).await.expect_err("is gone").is_no_node());
    for i in 0..500 {
        client.call(exists(&format!("/n{i}"))).await.expect("is there");
    }
    let names: Vec<_> = std::fs::read_dir(scratch.path().join("data/version-2"))
        .expect("lists")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    assert!(names.iter().filter(|name| name.starts_with("snapshot.")).count() > 2, "{names:?}");
}

#[test]
fn a_used_directory_and_a_used_port_are_refused() {
    let scratch = Scratch::new("keeper");
    let keeper = start(&scratch, "").expect("starts");
    let error = start(&scratch, "").expect_err("is locked").to_string();
    assert!(error.contains("locked by another keeper"), "{error}");
    let other = Scratch::new("keeper");
    let text = format!("clientPort={}", keeper.address().port());
    let error = start(&other, &text).expect_err("is taken").to_string();
    assert!(error.contains("in use") && error.contains("clientPort"), "{error}");
}

/// Requests are small and their answers are not: many that come at once are answered as fast as the client reads.
#[tokio::test]
async fn pipelined_reads_of_much_data_are_all_answered() {
    const REQUESTS: u32 = 1_500;
    const DATA: usize = 200_000;
    let scratch = Scratch::new("keeper");
    let mut keeper = start(&scratch, "").expect("starts");
    let writer = client(&keeper, true);
    writer.wait_connected(Duration::from_secs(10)).await.expect("connects");
    let (path, acl) = ("/big".to_owned(), AclEntry::open());
    let big = KeeperOp::Create { path, data: Some(vec![7; DATA]), acl, mode: CreateMode::Persistent };
    writer.call(big).await.expect("creates");
    writer.close(Duration::from_secs(5)).await;
    let connect = ConnectRequest { timeout_ms: 5_000, passwd: Some(&[0; 16]), ..ConnectRequest::default() };
    let frame = |body: &[u8]| [&(body.len() as u32).to_be_bytes()[..], body].concat();
    let mut stream = TcpStream::connect(keeper.address()).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("sets");
    let mut answers = stream.try_clone().expect("a second handle");
    let mut answer = move |xid: u32| {
        let mut len = [0; 4];
        answers.read_exact(&mut len).unwrap_or_else(|e| panic!("answer {xid}: {e}"));
        let mut body = vec![0; u32::from_be_bytes(len) as usize];
        answers.read_exact(&mut body).unwrap_or_else(|e| panic!("answer {xid}: {e}"));
        body
    };
    stream.write_all(&frame(&connect.to_bytes())).expect("writes");
    answer(0);
    let get_data = |xid| {
        let header = RequestHeader { xid, op: OpCode::GetData.code() };
        frame(&[&header.to_bytes()[..], b"\0\0\0\x04/big\0"].concat())
    };
    let requests: Vec<u8> = (1..=REQUESTS).flat_map(|xid| get_data(xid as i32)).collect();
    stream.write_all(&requests).expect("writes");
    for xid in 1..=REQUESTS {
        let body = answer(xid);
        assert!(body[..4] == xid.to_be_bytes() && body.len() > DATA, "answer {xid}");
    }
    keeper.stop();
}
