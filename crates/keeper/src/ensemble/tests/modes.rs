//! Servers that are cut off, and sessions that only one server knows.

use super::world::{Client, World};
use crate::proto::{
    CreateRequest, DeleteRequest, ErrorCode, OPEN_ACL, OpCode, PathRequest, PathWatchRequest, SetDataRequest,
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
