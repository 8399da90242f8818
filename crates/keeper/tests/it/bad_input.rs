//! Frames that no client should send, orders of things that clients rely on, and limits.

use crate::support::{Host, split};
use ottla_base::limits::QUORUM_PACKET_AUTH_IDS;
use ottla_base::random::Random;
use ottla_keeper::jute::Jute;
use ottla_keeper::keeper_server::{Input, ServerConfig};
use ottla_keeper::proto::{
    AuthPacket, CreateRequest, DeleteRequest, ErrorCode, EventType, OPEN_ACL, OpCode, PathRequest, PathWatchRequest,
    RequestHeader, SetDataRequest, Stat, xid,
};

fn create(path: &str) -> CreateRequest<'_> {
    CreateRequest { path, data: Some(b"x"), acl: vec![OPEN_ACL], flags: 0 }
}

fn host() -> Host {
    Host::new(ServerConfig::default(), false)
}

#[test]
fn absurd_lengths_close_the_connection() {
    for len in [i32::MAX, -1, 0xf_ffff + 1, i32::MIN] {
        let mut host = host();
        host.connect(1, None, 10_000);
        host.step(Input::Received { conn: 1, bytes: &len.to_be_bytes() });
        assert!(host.closed.contains(&1), "{len}");
    }
}

#[test]
fn garbage_never_panics_and_never_stops_the_others() {
    let mut random = Random::new(3);
    let mut host = Host::new(ServerConfig { max_client_cnxns: 0, ..ServerConfig::default() }, true);
    host.connect(1, None, 60_000);
    for conn in 2..400 {
        host.connect(conn, None, 60_000);
        for _ in 0..20 {
            let mut frame = vec![0; 8 + random.index(80)];
            random.fill(&mut frame);
            let op = OpCode::ALL[random.index(OpCode::ALL.len())];
            if random.chance(900_000) {
                frame[4..8].copy_from_slice(&op.code().to_be_bytes());
            }
            if random.chance(500_000) && frame.len() > 12 {
                frame[8..12].copy_from_slice(&(random.below(20) as i32).to_be_bytes());
            }
            host.send(conn, &frame);
        }
        let (header, _) = host.ask(1, OpCode::Exists, &PathWatchRequest { path: "/", watch: false });
        assert_eq!(header.err, 0);
    }
    assert_eq!(host.server.db().digest_mismatches(), 0);
}

#[test]
fn bytes_may_come_one_by_one() {
    let mut host = host();
    host.connect(1, None, 10_000);
    let mut frame = vec![0, 0, 0, 1, 0, 0, 0, 3];
    PathWatchRequest { path: "/", watch: false }.write(&mut frame);
    let mut bytes = (frame.len() as u32).to_be_bytes().to_vec();
    bytes.extend(frame);
    for byte in bytes {
        host.step(Input::Received { conn: 1, bytes: &[byte] });
    }
    assert_eq!(split(&host.next_frame(1).expect("a reply")).0.err, 0);
}

#[test]
fn reads_wait_for_own_writes_only() {
    let mut host = host();
    host.connect(1, None, 10_000);
    host.connect(2, None, 10_000);
    host.auto_persist = false;
    let write = host.request(1, OpCode::Create, &create("/a"));
    let read = host.request(1, OpCode::Exists, &PathWatchRequest { path: "/a", watch: false });
    host.request(2, OpCode::Exists, &PathWatchRequest { path: "/a", watch: false });
    let sync = host.request(2, OpCode::Sync, &PathRequest { path: "/" });
    host.request(2, OpCode::Exists, &PathWatchRequest { path: "/a", watch: false });
    assert_eq!(host.next_frame(1), None, "not on disk yet");
    let other = split(&host.next_frame(2).expect("at once")).0;
    assert_eq!(other.err, ErrorCode::NoNode.code());
    assert_eq!(host.next_frame(2), None, "a sync waits for what was asked before it, and what follows waits for it");
    host.persist();
    let xids: Vec<i32> = std::iter::from_fn(|| host.next_frame(1)).map(|frame| split(&frame).0.xid).collect();
    assert_eq!(xids, [write, read]);
    assert_eq!(split(&host.next_frame(2).expect("synced")).0.xid, sync);
    assert_eq!(split(&host.next_frame(2).expect("there")).0.err, 0);
}

#[test]
fn decisions_see_what_is_pending() {
    let mut host = host();
    host.connect(1, None, 10_000);
    host.auto_persist = false;
    host.request(1, OpCode::Create, &create("/a"));
    host.request(1, OpCode::Create, &create("/a/b"));
    host.request(1, OpCode::Create, &create("/a"));
    host.request(1, OpCode::Delete, &DeleteRequest { path: "/a", version: -1 });
    host.request(1, OpCode::SetData, &SetDataRequest { path: "/a", data: Some(b"1"), version: 0 });
    host.request(1, OpCode::SetData, &SetDataRequest { path: "/a", data: Some(b"2"), version: 0 });
    host.request(1, OpCode::Delete, &DeleteRequest { path: "/a/b", version: -1 });
    host.request(1, OpCode::Delete, &DeleteRequest { path: "/a", version: 1 });
    host.request(1, OpCode::SetData, &SetDataRequest { path: "/a", data: Some(b"2"), version: -1 });
    host.persist();
    let errors: Vec<i32> = std::iter::from_fn(|| host.next_frame(1)).map(|frame| split(&frame).0.err).collect();
    let (exists, full, version, gone) = (-110, -111, -103, -101);
    assert_eq!(errors, [0, 0, exists, full, 0, version, 0, 0, gone]);
    assert_eq!(host.server.db().digest_mismatches(), 0, "what was foreseen is what came");
}

#[test]
fn an_event_comes_before_the_change_can_be_read() {
    let mut host = host();
    host.connect(1, None, 10_000);
    host.ask(1, OpCode::Create, &create("/a"));
    host.ask(1, OpCode::GetData, &PathWatchRequest { path: "/a", watch: true });
    host.request(1, OpCode::SetData, &SetDataRequest { path: "/a", data: None, version: -1 });
    let (event, body) = split(&host.next_frame(1).expect("the event"));
    assert_eq!(event.xid, xid::NOTIFICATION);
    assert_eq!(body[..4], EventType::NodeDataChanged.code().to_be_bytes());
    assert_eq!(split(&host.next_frame(1).expect("the reply")).0.err, 0);
}

#[test]
fn sessions_end_with_their_nodes() {
    let mut host = host();
    host.connect(1, None, 6_000);
    host.connect(2, None, 60_000);
    let ephemeral = CreateRequest { flags: 1, ..create("/e") };
    host.ask(1, OpCode::Create, &ephemeral);
    host.ask(2, OpCode::Exists, &PathWatchRequest { path: "/e", watch: true });
    host.step(Input::Closed { conn: 1 });
    host.wait(5_000);
    assert_eq!(host.ask(2, OpCode::Exists, &PathWatchRequest { path: "/e", watch: false }).0.err, 0, "not yet");
    host.wait(5_000);
    let (event, body) = split(&host.next_frame(2).expect("the event"));
    assert_eq!((event.xid, &body[..4]), (-1, &EventType::NodeDeleted.code().to_be_bytes()[..]));
    assert_eq!(host.server.db().sessions().len(), 1);
}

#[test]
fn a_machine_that_was_suspended_ends_no_session_whose_ping_waits() {
    let mut host = host();
    host.connect(1, None, 6_000);
    host.connect(2, None, 6_000);
    host.wait(2_000);
    host.now = host.now.plus_ms(3_600_000);
    host.step(Input::Tick);
    assert_eq!(host.server.db().sessions().len(), 2, "the tick came before what the clients have said");
    let ping = RequestHeader { xid: xid::PING, op: OpCode::Ping.code() };
    host.send(1, &ping.to_bytes());
    host.wait(6_000);
    assert_eq!(host.server.db().sessions().len(), 1, "who says nothing has gone");
    host.wait(4_000);
    assert!(host.server.db().sessions().is_empty());
}

#[test]
fn a_session_moves_to_a_new_connection() {
    let mut host = host();
    let (id, password) = host.connect(1, None, 10_000);
    assert_eq!(host.connect(2, Some((id, [1; 16])), 10_000).0, 0, "wrong password");
    assert!(host.closed.contains(&2) && !host.closed.contains(&1), "which disturbs nobody");
    assert_eq!(host.connect(3, Some((id, password)), 10_000).0, id);
    assert!(host.closed.contains(&1));
    assert_eq!(host.connect(4, Some((id + 99, password)), 10_000).0, 0);
}

#[test]
fn limits_hold() {
    let config = ServerConfig { max_client_cnxns: 2, global_outstanding_limit: 3, ..ServerConfig::default() };
    let mut host = Host::new(config, false);
    host.connect(1, None, 10_000);
    host.connect(2, None, 10_000);
    host.connect(3, None, 10_000);
    assert_eq!(host.closed.iter().copied().collect::<Vec<_>>(), [3]);
    host.auto_persist = false;
    for _ in 0..4 {
        host.request(1, OpCode::Create, &create("/a"));
    }
    assert!(host.paused.contains(&1) && !host.paused.contains(&2));
    host.persist();
    assert!(host.paused.is_empty());
    let silent = "127.0.0.9:1".parse().expect("address");
    host.step(Input::Opened { conn: 9, peer: silent });
    host.now = host.now.plus_ms(11_000);
    host.step(Input::Tick);
    assert!(host.closed.contains(&9), "says nothing");
}

#[test]
fn containers_and_expired_nodes_are_cleaned() {
    let mut host = Host::new(ServerConfig::default(), true);
    host.connect(1, None, 60_000);
    host.ask(1, OpCode::CreateContainer, &CreateRequest { flags: 4, ..create("/c") });
    host.ask(1, OpCode::CreateContainer, &CreateRequest { flags: 4, ..create("/new") });
    host.ask(1, OpCode::Create, &create("/c/x"));
    host.ask(1, OpCode::Delete, &DeleteRequest { path: "/c/x", version: -1 });
    let ttl =
        ottla_keeper::proto::CreateTtlRequest { path: "/t", data: None, acl: vec![OPEN_ACL], flags: 5, ttl: 50_000 };
    let (header, body) = host.ask(1, OpCode::CreateTtl, &ttl);
    assert_eq!((header.err, body.len()), (0, 4 + 2 + Stat::ENCODED_LEN));
    let there =
        |host: &mut Host, path: &str| host.ask(1, OpCode::Exists, &PathWatchRequest { path, watch: false }).0.err == 0;
    assert!(there(&mut host, "/c") && there(&mut host, "/t"));
    host.now = host.now.plus_ms(30_000);
    assert!(there(&mut host, "/c"));
    host.now = host.now.plus_ms(31_000);
    host.step(Input::Tick);
    assert!(!there(&mut host, "/c") && !there(&mut host, "/t") && there(&mut host, "/new"));
}

#[test]
fn four_letter_words_obey_the_whitelist() {
    let config = ServerConfig { four_letter_whitelist: vec!["srvr".into(), "ruok".into()], ..ServerConfig::default() };
    let mut host = Host::new(config, false);
    let mut word = |conn: u64, word: &[u8]| {
        let peer = "127.0.0.1:7".parse().expect("address");
        host.step(Input::Opened { conn, peer });
        host.step(Input::Received { conn, bytes: word });
        assert!(host.closed.contains(&conn));
        String::from_utf8(host.next_frame(conn).expect("text")).expect("text")
    };
    assert_eq!(word(1, b"ruok"), "imok");
    assert_eq!(word(2, b"stat"), "stat is not executed because it is not in the whitelist.\n");
    let server = word(3, b"srvr");
    assert!(server.starts_with("Zookeeper version: 3.9.5-"), "{server}");
    assert!(
        server.ends_with("Connections: 1\nOutstanding: 0\nZxid: 0x0\nMode: standalone\nNode count: 5\n"),
        "{server}"
    );
}

#[test]
fn identities_do_not_pile_up() {
    let mut host = host();
    host.connect(1, None, 60_000);
    let mut proved = 0;
    while !host.closed.contains(&1) && proved <= QUORUM_PACKET_AUTH_IDS {
        let auth = format!("user{proved}:x");
        let packet = AuthPacket { auth_type: 0, scheme: "digest", auth: Some(auth.as_bytes()) };
        host.request(1, OpCode::Auth, &packet);
        proved += 1;
    }
    assert!(host.closed.contains(&1), "{proved} identities were taken");
}
