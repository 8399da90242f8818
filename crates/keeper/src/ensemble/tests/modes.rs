//! Servers that are cut off, and sessions that only one server knows.

use super::world::{Client, World};
use crate::jute::Reader;
use crate::multi::{self, Op};
use crate::proto::{
    CreateRequest, DeleteRequest, ErrorCode, MultiHeader, OPEN_ACL, OpCode, PathRequest, PathWatchRequest,
    SetDataRequest,
};
use crate::zab::ConnId;

fn create(world: &mut World, conn: ConnId, path: &str, flags: i32) -> Option<i32> {
    let request = CreateRequest { path, data: Some(b"v"), acl: vec![OPEN_ACL], flags };
    world.ask(conn, OpCode::Create, &request).map(|(header, _)| header.err)
}

fn exists(world: &mut World, conn: ConnId, path: &str) -> Option<bool> {
    let request = PathWatchRequest { path, watch: true };
    world.ask(conn, OpCode::GetData, &request).map(|(header, _)| header.err == 0)
}

/// Three servers with a node `/n`, of which only the first is left, and read-only.
fn cut_off(seed: u64) -> (World, Client) {
    let mut world = World::new(seed, 3, 0);
    world.read_only_mode = true;
    world.start_all();
    world.settle();
    let conn = world.client(0);
    assert_eq!(create(&mut world, conn, "/n", 0), Some(0));
    assert_eq!(create(&mut world, conn, "/e", 1), Some(0));
    let client = world.clients[&conn].clone();
    world.kill(1, false);
    world.kill(2, false);
    world.run_until(5_000, "read-only", |world| world.word(0, "isro") == "ro");
    (world, client)
}

#[test]
fn reads_are_served_without_a_leader_to_those_who_are_content() {
    for seed in 0..20 {
        let (mut world, global) = cut_off(seed);
        for read_only in [None, Some(false)] {
            let conn = world.open_as(0, None, read_only);
            assert!(!world.connected(conn) && world.clients[&conn].closed, "{read_only:?}");
        }
        // Whether a session of the ensemble lives is the leader's to say.
        let conn = world.open_as(0, Some(&global), Some(true));
        assert!(!world.connected(conn) && world.clients[&conn].closed);
        let conn = world.open_as(0, None, Some(true));
        assert!(world.connected(conn) && world.clients[&conn].read_only);
        assert_eq!(exists(&mut world, conn, "/n"), Some(true));
        assert_eq!(exists(&mut world, conn, "/e"), Some(true), "its session has not ended");
        assert_eq!(exists(&mut world, conn, "/none"), Some(false));
        let refused = Some(ErrorCode::NotReadOnly.code());
        assert_eq!(create(&mut world, conn, "/m", 0), refused);
        assert_eq!(create(&mut world, conn, "/m", 1), refused);
        let set = SetDataRequest { path: "/n", data: None, version: -1 };
        assert_eq!(world.ask(conn, OpCode::SetData, &set).map(|(header, _)| header.err), refused);
        let delete = DeleteRequest { path: "/n", version: -1 };
        assert_eq!(world.ask(conn, OpCode::Delete, &delete).map(|(header, _)| header.err), refused);
        let sync = PathRequest { path: "/" };
        assert_eq!(world.ask(conn, OpCode::Sync, &sync).map(|(header, _)| header.err), refused);
        let srvr = world.word(0, "srvr");
        assert!(srvr.contains("READ-ONLY mode; serving only read-only clients\n"), "{srvr}");
        assert!(srvr.contains("Mode: read-only\n"), "{srvr}");
        let mntr = world.word(0, "mntr");
        for line in ["zk_server_state\tread-only", "zk_local_sessions\t1", "zk_global_sessions\t1"] {
            assert!(mntr.contains(line), "{line} in {mntr}");
        }
        let dump = world.word(0, "dump");
        assert!(dump.contains("Local Session Sets (1)/(1):") && dump.contains("Global Sessions(1):"), "{dump}");
        // The others come back: the connection ends, and the session was never theirs.
        let client = world.clients[&conn].clone();
        world.start(1).expect("starts");
        world.start(2).expect("starts");
        world.run_until(5_000, "closed", |world| world.clients[&conn].closed);
        world.settle();
        let again = world.open_as(0, Some(&client), Some(true));
        assert!(!world.connected(again), "a session that nobody knows");
        let fresh = world.open_as(0, None, Some(true));
        assert!(world.connected(fresh) && !world.clients[&fresh].read_only);
        assert_eq!(create(&mut world, fresh, "/m", 0), Some(0));
        assert_eq!(world.word(0, "isro"), "rw");
        let again = world.open_as(0, Some(&global), Some(true));
        assert!(world.connected(again), "but that of the ensemble has lived on");
        world.agree();
    }
}

#[test]
fn sessions_of_a_server_that_is_cut_off_come_back_to_it_and_end() {
    let (mut world, _) = cut_off(50);
    let conn = world.open_as(0, None, Some(true));
    assert!(world.connected(conn));
    let client = world.clients[&conn].clone();
    let moved = world.open_as(0, Some(&client), Some(true));
    assert!(world.connected(moved) && world.clients[&moved].session == client.session);
    assert!(world.clients[&conn].closed, "the client has left it");
    world.goodbye(moved);
    world.run_until(1_000, "closed", |world| world.clients[&moved].closed);
    let gone = world.open_as(0, Some(&client), Some(true));
    assert!(!world.connected(gone));
    // One that is silent.
    let conn = world.open_as(0, None, Some(true));
    assert!(world.connected(conn));
    let client = world.clients[&conn].clone();
    world.run(1_500);
    assert!(!world.clients[&conn].closed);
    world.run(1_500);
    assert!(world.clients[&conn].closed, "its 2 s are over");
    let gone = world.open_as(0, Some(&client), Some(true));
    assert!(!world.connected(gone));
    assert!(world.word(0, "mntr").contains("zk_local_sessions\t0"));
}

#[test]
fn only_a_long_search_for_a_leader_is_bridged_and_only_when_asked_for() {
    let mut world = World::new(60, 3, 1);
    world.start_all();
    world.settle();
    (0..3).for_each(|node| world.kill(node, false));
    world.run(4_000);
    assert_eq!(world.word(3, "isro"), "null", "readonlymode.enabled is not set");
    let mut world = World::new(61, 3, 1);
    world.read_only_mode = true;
    world.start(3).expect("starts");
    world.run(1_900);
    assert_eq!(world.word(3, "isro"), "null");
    world.run(200);
    assert_eq!(world.word(3, "isro"), "ro", "an observer, from its start on");
    let ticks = world.ticks;
    world.run(10_000);
    assert!(world.ticks - ticks < 50, "{}", world.ticks - ticks);
}

/// Three servers and an observer with local sessions; those of the second and of the leader stay what they are.
fn local(seed: u64) -> (World, usize) {
    let mut world = World::new(seed, 3, 1);
    world.local_sessions = true;
    world.upgrading = [0, 3].into();
    world.start_all();
    let leader = world.settle();
    (world, leader)
}

/// Zxids of all servers.
fn zxids(world: &mut World) -> Vec<i64> {
    (0..4).map(|node| world.server(node).keeper().db().last_zxid()).collect()
}

/// Creates a node and an ephemeral one in one request; gives both results.
fn create_both(world: &mut World, conn: ConnId, path: &str) -> Vec<i32> {
    let request = |path, flags| CreateRequest { path, data: None, acl: vec![OPEN_ACL], flags };
    let other = format!("{path}-e");
    let mut body = Vec::new();
    multi::write_ops(&[Op::Create(request(path, 0)), Op::Create(request(&other, 1))], &mut body);
    let (header, answer) = world.ask_raw(conn, OpCode::Multi, &body).expect("answered");
    assert_eq!(header.err, 0);
    let mut reader = Reader::new(&answer);
    let mut results = Vec::new();
    loop {
        let part: MultiHeader = reader.record().expect("a part");
        if part.done {
            return results;
        }
        results.push(part.err);
        if part.op == OpCode::Error.code() {
            assert_eq!(reader.int().expect("the error again"), part.err);
        } else {
            reader.string().expect("the path");
        }
    }
}

#[test]
fn local_sessions_are_no_transactions() {
    for seed in 0..10 {
        let (mut world, leader) = local(seed);
        let before = zxids(&mut world);
        let clients: Vec<ConnId> = (0..4).map(|node| world.client(node)).collect();
        world.run(1_000);
        assert_eq!(zxids(&mut world), before, "seed {seed}");
        for (node, &conn) in clients.iter().enumerate() {
            assert_eq!(world.clients[&conn].session as u64 >> 56, node as u64 + 1);
            let path = format!("/p{node}");
            assert_eq!(create(&mut world, conn, &path, 0), Some(0), "seed {seed}");
            assert_eq!(exists(&mut world, conn, &path), Some(true));
            let sync = world.ask(conn, OpCode::Sync, &PathRequest { path: "/" }).expect("answered");
            assert_eq!(sync.0.err, 0);
            let mntr = world.word(node, "mntr");
            assert!(mntr.contains("zk_local_sessions\t1\n") && mntr.contains("zk_global_sessions\t0\n"), "{mntr}");
        }
        // What only a session of all servers may do.
        let refused = ErrorCode::EphemeralOnLocalSession.code();
        for (node, &conn) in clients.iter().enumerate() {
            let (both, e) = (format!("/b{node}"), format!("/e{node}"));
            let session = world.clients[&conn].session;
            if world.upgrading.contains(&node) {
                assert_eq!(create_both(&mut world, conn, &both), [0, 0], "seed {seed}");
                assert_eq!(create(&mut world, conn, &e, 1), Some(0));
                world.agree();
                let db = world.server(leader).keeper().db();
                assert!(db.sessions().contains_key(&session) && db.tree().ephemerals(session).count() == 2);
                assert!(world.word(node, "mntr").contains("zk_local_sessions\t0\n"));
            } else {
                assert_eq!(create_both(&mut world, conn, &both), [0, refused], "seed {seed}, server {node}");
                assert_eq!(exists(&mut world, conn, &both), Some(false), "all or nothing");
                assert_eq!(create(&mut world, conn, &e, 1), Some(refused));
                assert!(world.word(node, "mntr").contains("zk_local_sessions\t1\n"));
                let dump = world.word(node, "dump");
                assert!(dump.contains("Local Session Sets (1)/(1):\n"), "{dump}");
                assert!(dump.contains(&format!("\t0x{session:x}\n")), "{dump}");
                assert!(dump.contains(if node == leader { "Global Session Sets (" } else { "Global Sessions(" }));
            }
        }
        for &conn in &clients {
            assert_eq!(exists(&mut world, conn, "/"), Some(true), "seed {seed}: it lives");
        }
        world.run(300);
        // With its leader, a server loses its local sessions; the others go on, anywhere.
        let clients: Vec<Client> = clients.iter().map(|conn| world.clients[conn].clone()).collect();
        world.kill(leader, true);
        let away = clients.iter().find(|client| client.node != leader && client.node != 3).expect("a voter").node;
        world.settle();
        for (node, client) in clients.iter().enumerate() {
            let conn = world.open(away, Some(client));
            assert_eq!(world.connected(conn), world.upgrading.contains(&node), "seed {seed}, server {node}");
        }
    }
}

#[test]
fn a_local_session_stays_where_it_is_and_ends_there() {
    let (mut world, leader) = local(90);
    let conn = world.client(leader);
    assert_eq!(create(&mut world, conn, "/n", 0), Some(0));
    for node in 0..4 {
        let conn = world.client(node);
        let client = world.clients[&conn].clone();
        for other in (0..4).filter(|other| *other != node) {
            let lost = world.open(other, Some(&client));
            assert!(!world.connected(lost), "of {node} at {other}");
        }
        assert_eq!(exists(&mut world, conn, "/"), Some(true), "nobody else could end it");
        let back = world.open(node, Some(&client));
        assert!(world.connected(back) && world.clients[&back].session == client.session);
        assert!(world.clients[&conn].closed);
        // Answers come in order, the last one too.
        let before = zxids(&mut world)[leader];
        let path = format!("/last{node}");
        let request = CreateRequest { path: &path, data: None, acl: vec![OPEN_ACL], flags: 0 };
        let xid = world.request(back, OpCode::Create, &request);
        world.goodbye(back);
        world.run_until(2_000, "closed", |world| world.clients[&back].closed);
        assert_eq!(world.reply(back).map(|(header, _)| (header.xid, header.err)), Some((xid, 0)));
        assert_eq!(world.reply(back).map(|(header, _)| (header.xid, header.err)), Some((9, 0)));
        assert_eq!(zxids(&mut world)[leader], before + 1, "no transaction ends it");
        let gone = world.open(node, Some(&client));
        assert!(!world.connected(gone));
        // One that is silent.
        let silent = world.client(node);
        world.run(3_000);
        assert!(world.clients[&silent].closed);
        assert!(world.word(node, "mntr").contains("zk_local_sessions\t0\n"));
    }
}
