//! Members that change: named situations, and anything that can happen to them.

use super::world::World;
use crate::proto::{CONFIG_NODE, CreateRequest, ErrorCode, OPEN_ACL, OpCode, PathWatchRequest};
use crate::zab::ConnId;
use crate::zab::messages::ServerState;

fn create(world: &mut World, conn: ConnId, path: &str) -> Option<i32> {
    let request = CreateRequest { path, data: Some(b"v"), acl: vec![OPEN_ACL], flags: 0 };
    world.ask(conn, OpCode::Create, &request).map(|(header, _)| header.err)
}

fn all_go_by(world: &mut World, voters: &[i64]) {
    world.run_until(10_000, "the same members", |world| {
        (0..world.nodes.len()).all(|node| world.nodes[node].life.is_none() || world.members(node).1 == voters)
    });
}

fn lines(nodes: &[usize]) -> String {
    nodes.iter().map(|&node| World::line(node, true)).collect::<Vec<_>>().join(",")
}

#[test]
fn one_server_becomes_three() {
    for seed in 0..5 {
        let mut world = World::growing(seed, 1, 2);
        world.start(0).expect("starts");
        world.settle();
        // Its own configuration counts more than those of servers that want to join.
        assert_eq!(world.members(0), (1 << 32, vec![1]));
        let conn = world.client(0);
        assert_eq!(create(&mut world, conn, "/one"), Some(0));
        assert_eq!(world.reconfig(conn, &lines(&[1, 2]), ""), Some(Err(ErrorCode::NewConfigNoQuorum.code())));
        world.start(1).expect("starts");
        world.start(2).expect("starts");
        world.settle();
        assert_eq!(world.roles()[1], Some((ServerState::Following, true)));
        let watcher = world.client(2);
        world.ask(watcher, OpCode::GetData, &PathWatchRequest { path: CONFIG_NODE, watch: true });
        let text = world.reconfig(conn, &lines(&[1, 2]), "").expect("answered").expect("taken");
        let version = format!("version={:x}", world.members(0).0);
        assert!(
            text.starts_with("server.1=n1:2888:3888:participant;0.0.0.0:2181\nserver.2=") && text.ends_with(&version)
        );
        all_go_by(&mut world, &[1, 2, 3]);
        assert_eq!(create(&mut world, watcher, "/two"), Some(0));
        assert_eq!(world.events, 1, "who watches the node hears of it");
        world.agree();
        // The first one is not needed any more.
        world.kill(0, true);
        let leader = world.settle();
        let conn = world.client(leader);
        assert_eq!(create(&mut world, conn, "/three"), Some(0));
        // And when all restart, their files say so.
        world.start(0).expect("starts");
        for node in 0..3 {
            world.kill(node, true);
        }
        world.start_all();
        world.settle();
        all_go_by(&mut world, &[1, 2, 3]);
        world.agree();
    }
}

#[test]
fn a_leader_that_leaves_hands_over() {
    for seed in 0..10 {
        let mut world = World::new(seed, 3, 1);
        world.reconfig_enabled = true;
        world.start_all();
        let leader = world.settle();
        let conn = world.client(leader);
        assert_eq!(create(&mut world, conn, "/before"), Some(0));
        let others: Vec<i64> = (1..4).filter(|sid| *sid != leader as i64 + 1).collect();
        world.request(conn, OpCode::Reconfig, &World::reconfig_request("", &(leader + 1).to_string()));
        world.run_until(900, "hand-over without an election's time out", |world| {
            world
                .roles()
                .iter()
                .enumerate()
                .any(|(node, role)| node != leader && *role == Some((ServerState::Leading, true)))
        });
        world.settle();
        all_go_by(&mut world, &others);
        assert_eq!(world.roles()[leader], Some((ServerState::Following, true)), "without a vote");
        let conn = world.client(leader);
        assert_eq!(create(&mut world, conn, "/after"), Some(0));
        // It comes back as an observer, then as a voter.
        assert!(world.reconfig(conn, &World::line(leader, false), "").is_none_or(|answer| answer.is_ok()));
        world.run_until(5_000, "it observes", |world| world.roles()[leader] == Some((ServerState::Observing, true)));
        let conn = world.client(others[0] as usize - 1);
        assert!(world.reconfig(conn, &World::line(leader, true), "").expect("answered").is_ok());
        world.run_until(5_000, "it votes", |world| world.roles()[leader] == Some((ServerState::Following, true)));
        all_go_by(&mut world, &[1, 2, 3]);
        world.agree();
    }
}

#[test]
fn all_members_are_replaced() {
    let mut world = World::growing(3, 3, 3);
    world.start_all();
    world.settle();
    let conn = world.client(0);
    assert_eq!(create(&mut world, conn, "/before"), Some(0));
    world.request(conn, OpCode::Reconfig, &World::reconfig_request(&lines(&[3, 4, 5]), "1,2,3"));
    all_go_by(&mut world, &[4, 5, 6]);
    world.settle();
    (0..3).for_each(|node| world.kill(node, true));
    let leader = world.settle();
    let conn = world.client(leader);
    let request = PathWatchRequest { path: "/before", watch: false };
    assert_eq!(world.ask(conn, OpCode::GetData, &request).map(|(header, _)| header.err), Some(0));
    assert_eq!(create(&mut world, conn, "/after"), Some(0));
}

#[test]
fn what_only_its_leader_has_logged_is_forgotten() {
    let mut world = World::new(5, 5, 0);
    world.reconfig_enabled = true;
    world.start_all();
    let leader = world.settle();
    let conn = world.client(leader);
    for node in (0..5).filter(|node| *node != leader) {
        world.cut.insert((node.min(leader), node.max(leader)));
    }
    // Alone it may be the whole ensemble, but who was one before has not agreed.
    let leaving: Vec<String> = (1..6).filter(|sid| *sid != leader + 1).map(|sid| sid.to_string()).collect();
    world.request(conn, OpCode::Reconfig, &World::reconfig_request("", &leaving.join(",")));
    world.run(100);
    assert!(world.server(leader).zab().membership().is_changing());
    world.run_until(20_000, "another leader", |world| {
        world.roles().iter().enumerate().any(|(i, role)| i != leader && *role == Some((ServerState::Leading, true)))
    });
    world.run(2_000);
    assert_eq!(world.roles()[leader], Some((ServerState::Looking, false)));
    let conn = world.client((leader + 1) % 5);
    assert_eq!(create(&mut world, conn, "/kept"), Some(0));
    world.kill(leader, true);
    world.start(leader).expect("starts");
    world.run(3_000);
    assert_ne!(world.roles()[leader], Some((ServerState::Leading, true)));
    world.cut.clear();
    world.settle();
    world.agree();
    assert!(!world.server(leader).zab().membership().is_changing());
    all_go_by(&mut world, &[1, 2, 3, 4, 5]);
}
