//! Named situations.

use super::world::{Client, World};
use crate::proto::{CreateRequest, ErrorCode, OPEN_ACL, OpCode, PathRequest, PathWatchRequest, SetDataRequest};
use crate::zab::ConnId;
use crate::zab::messages::ServerState;

fn create(world: &mut World, conn: ConnId, path: &str, flags: i32) -> Option<i32> {
    let request = CreateRequest { path, data: Some(b"v"), acl: vec![OPEN_ACL], flags };
    world.ask(conn, OpCode::Create, &request).map(|(header, _)| header.err)
}

fn exists(world: &mut World, conn: ConnId, path: &str) -> Option<bool> {
    let request = PathWatchRequest { path, watch: false };
    world.ask(conn, OpCode::GetData, &request).map(|(header, _)| header.err == 0)
}

#[test]
fn changes_are_seen_everywhere() {
    let mut world = World::new(1, 3, 1);
    world.start_all();
    let leader = world.settle();
    assert_eq!(world.server(leader).leader_sid(), Some(leader as i64 + 1));
    let clients: Vec<ConnId> = (0..4).map(|node| world.client(node)).collect();
    for (i, &conn) in clients.iter().enumerate() {
        assert_eq!(world.clients[&conn].session as u64 >> 56, i as u64 + 1);
        assert_eq!(create(&mut world, conn, &format!("/n{i}"), 0), Some(0));
        assert_eq!(create(&mut world, conn, &format!("/n{i}"), 0), Some(ErrorCode::NodeExists.code()));
        assert_eq!(exists(&mut world, conn, &format!("/n{i}")), Some(true), "a client sees its own write");
    }
    for &conn in &clients {
        let sync = world.ask(conn, OpCode::Sync, &PathRequest { path: "/" }).expect("answered");
        assert_eq!(sync.0.err, 0);
        assert_eq!(exists(&mut world, conn, "/n3"), Some(true), "synced");
    }
    world.agree();
    let (srvr, stat) = (world.word(leader, "srvr"), world.word((leader + 1) % 3, "stat"));
    assert!(srvr.contains("Mode: leader"), "{srvr}");
    assert!(stat.contains("Mode: follower"), "{stat}");
    assert!(world.word(3, "srvr").contains("Mode: observer"));
    assert!(srvr.contains("Proposal sizes last/min/max: "), "{srvr}");
    let mntr = world.word(leader, "mntr");
    for line in ["zk_server_state\tleader", "zk_synced_followers\t2", "zk_synced_observers\t1", "zk_learners\t3"] {
        assert!(mntr.contains(line), "{line} in {mntr}");
    }
}

#[test]
fn idle_servers_sleep() {
    let mut world = World::new(9, 3, 1);
    world.start_all();
    world.settle();
    let conn = world.client(3);
    assert_eq!(create(&mut world, conn, "/e", 1), Some(0));
    let ticks = world.ticks;
    world.run(10_000);
    let ticks = world.ticks - ticks;
    assert!(ticks < 4 * 150, "{ticks} ticks of four servers in 10 s, each sends or hears a ping every 100 ms");
    // One that is alone looks for the others less and less often.
    world.kill(0, false);
    world.kill(1, false);
    world.kill(3, false);
    world.run(3_000);
    let ticks = world.ticks;
    world.run(10_000);
    assert!(world.ticks - ticks < 50, "{}", world.ticks - ticks);
}

#[test]
fn requests_are_answered_in_order() {
    let mut world = World::new(2, 3, 0);
    world.start_all();
    let follower = (world.settle() + 1) % 3;
    let conn = world.client(follower);
    let mut asked = Vec::new();
    for i in 0..50 {
        let path = format!("/o{i}");
        let request = CreateRequest { path: &path, data: None, acl: vec![OPEN_ACL], flags: 0 };
        asked.push(world.request(conn, OpCode::Create, &request));
        asked.push(world.request(conn, OpCode::GetData, &PathWatchRequest { path: &path, watch: false }));
        asked.push(world.request(conn, OpCode::Sync, &PathRequest { path: &path }));
        // Refused by the leader: no such version.
        let set = SetDataRequest { path: &path, data: None, version: 7 };
        asked.push(world.request(conn, OpCode::SetData, &set));
    }
    let mut answered = Vec::new();
    world.run_until(5_000, "answers", |world| {
        while let Some((header, _)) = world.reply(conn) {
            let expected = if answered.len() % 4 == 3 { ErrorCode::BadVersion.code() } else { 0 };
            assert_eq!(header.err, expected, "answer {}", answered.len());
            answered.push(header.xid);
        }
        answered.len() == asked.len()
    });
    assert_eq!(answered, asked);
}

#[test]
fn a_leader_dies_and_nothing_is_lost() {
    let mut world = World::new(3, 3, 0);
    world.start_all();
    for round in 0..3 {
        let leader = world.settle();
        let follower = (leader + 1) % 3;
        let conn = world.client(follower);
        for i in 0..20 {
            assert_eq!(create(&mut world, conn, &format!("/r{round}-{i}"), 0), Some(0));
        }
        world.kill(leader, true);
        world.run_until(5_000, "clients closed", |world| world.clients[&conn].closed);
        let words = world.word(follower, "srvr");
        assert_eq!(words, "This ZooKeeper instance is not currently serving requests\n");
        assert_eq!(world.word(follower, "ruok"), "imok");
        let refused = world.open(follower, None);
        assert!(!world.connected(refused));
        world.settle();
        world.agree();
        // The session goes on, on another server.
        let old = world.clients[&conn].clone();
        let other = (0..3).find(|node| *node != leader && *node != follower).expect("a third");
        let moved = world.open(other, Some(&old));
        assert!(world.connected(moved), "the session lives");
        for i in 0..20 {
            assert_eq!(exists(&mut world, moved, &format!("/r{round}-{i}")), Some(true));
        }
        world.start(leader).expect("starts");
    }
    world.settle();
    world.agree();
}

#[test]
fn sessions_move_and_end() {
    let mut world = World::new(4, 3, 0);
    world.start_all();
    let leader = world.settle();
    let (a, b) = ((leader + 1) % 3, (leader + 2) % 3);
    let first = world.client(a);
    assert_eq!(create(&mut world, first, "/e", 1), Some(0));
    let session = world.clients.get(&first).map(|c| (c.session, c.last_zxid)).expect("there");
    // To the other follower while the first connection is still there: that one has lost the session.
    world.agree();
    let old = world.clients[&first].clone();
    let second = world.open(b, Some(&old));
    assert!(world.connected(second));
    assert_eq!(world.clients[&second].session, session.0);
    assert_eq!(create(&mut world, first, "/moved", 0), None, "closed: the session has moved");
    assert_eq!(create(&mut world, second, "/kept", 1), Some(0));
    // And to the leader.
    let old = world.clients[&second].clone();
    let third = world.open(leader, Some(&old));
    assert!(world.connected(third));
    assert_eq!(create(&mut world, second, "/moved", 0), None);
    assert_eq!(create(&mut world, third, "/kept2", 1), Some(0));
    // A wrong password is no session.
    let mut wrong = Client::default();
    wrong.session = session.0;
    let thief = world.open(a, Some(&wrong));
    assert!(!world.connected(thief));
    // Kept alive through a follower by pings; else it ends.
    let witness = world.client(b);
    for _ in 0..6 {
        world.run(500);
        assert!(exists(&mut world, third, "/e").is_some());
        assert_eq!(exists(&mut world, witness, "/e"), Some(true));
    }
    for _ in 0..10 {
        world.run(500);
        assert!(exists(&mut world, witness, "/").is_some());
    }
    assert_eq!(exists(&mut world, witness, "/e"), Some(false), "expired with its session");
    assert!(world.clients[&third].closed);
    // A goodbye to a follower.
    assert_eq!(create(&mut world, witness, "/w", 1), Some(0));
    world.goodbye(witness);
    world.run_until(2_000, "closed", |world| world.clients[&witness].closed);
    world.agree();
    assert!(world.server(leader).keeper().db().tree().get("/w").is_none());
}

#[test]
fn pipelined_behind_a_session_that_moves() {
    let mut world = World::new(5, 3, 0);
    world.start_all();
    let leader = world.settle();
    let conn = world.client(leader);
    assert_eq!(create(&mut world, conn, "/p", 1), Some(0));
    world.agree();
    let old = world.clients[&conn].clone();
    let moved = world.open((leader + 1) % 3, Some(&old));
    world.goodbye(moved);
    assert!(world.connected(moved));
    world.run_until(2_000, "closed", |world| world.clients[&moved].closed);
    world.agree();
    assert!(world.server(leader).keeper().db().tree().get("/p").is_none());
}

#[test]
fn a_leader_that_serves_nobody() {
    let mut world = World::new(6, 3, 0);
    world.leader_serves = false;
    world.start_all();
    let leader = world.settle();
    let refused = world.open(leader, None);
    assert!(!world.connected(refused));
    let conn = world.client((leader + 1) % 3);
    assert_eq!(create(&mut world, conn, "/n", 0), Some(0));
}

#[test]
fn who_was_away_for_long_gets_a_snapshot() {
    let mut world = World::new(7, 3, 0);
    world.commit_log_count = 10;
    world.snap_count = 40;
    world.start_all();
    let leader = world.settle();
    let away = (leader + 1) % 3;
    let conn = world.client(leader);
    assert_eq!(create(&mut world, conn, "/before", 0), Some(0));
    world.kill(away, true);
    for i in 0..300 {
        assert_eq!(create(&mut world, conn, &format!("/s{i}"), 0), Some(0));
    }
    world.start(away).expect("starts");
    // Changes go on while the snapshot is under way.
    for i in 300..400 {
        assert_eq!(create(&mut world, conn, &format!("/s{i}"), 0), Some(0));
    }
    world.settle();
    world.agree();
    assert_eq!(world.sent_snapshots, 1);
    // It is on its disk, and nothing of before comes back.
    world.kill(away, true);
    world.start(away).expect("starts");
    world.settle();
    world.agree();
    assert_eq!(world.sent_snapshots, 1);
}

#[test]
fn who_was_away_for_long_gets_what_the_log_files_have() {
    let mut world = World::new(8, 3, 0);
    world.commit_log_count = 10;
    world.snapshot_size_permille = Some(0);
    world.start_all();
    let leader = world.settle();
    let away = (leader + 1) % 3;
    let conn = world.client(leader);
    assert_eq!(create(&mut world, conn, "/before", 0), Some(0));
    world.agree();
    for round in 0..2 {
        world.kill(away, true);
        for i in 0..100 {
            assert_eq!(create(&mut world, conn, &format!("/s{round}-{i}"), 0), Some(0));
        }
        world.start(away).expect("starts");
        // Changes go on while the log is read.
        for i in 100..150 {
            assert_eq!(create(&mut world, conn, &format!("/s{round}-{i}"), 0), Some(0));
        }
        world.settle();
        world.agree();
    }
    assert_eq!(world.sent_snapshots, 0);
    assert!(world.server(away).keeper().db().tree().get("/s1-149").is_some());
}

/// A leader that is cut off logs what nobody else gets, and is started again; the others go on meanwhile, with
/// transactions of their own or without.
fn never_committed(seed: u64, others_write: bool) -> u32 {
    let mut world = World::new(seed, 3, 0);
    world.start_all();
    let leader = world.settle();
    let conn = world.client(leader);
    assert_eq!(create(&mut world, conn, "/committed", 0), Some(0));
    world.agree();
    let snapshots = world.sent_snapshots;
    let others: Vec<usize> = (0..3).filter(|node| *node != leader).collect();
    for &other in &others {
        world.cut.insert((leader.min(other), leader.max(other)));
    }
    for path in ["/lost1", "/lost2", "/lost3"] {
        let request = CreateRequest { path, data: None, acl: vec![OPEN_ACL], flags: 0 };
        world.request(conn, OpCode::Create, &request);
    }
    world.run(100);
    assert!(world.server(leader).keeper().db().tree().get("/lost1").is_none(), "not committed");
    world.kill(leader, false);
    world.settle();
    if others_write {
        let other = world.client(others[0]);
        assert_eq!(exists(&mut world, other, "/lost1"), Some(false));
        assert_eq!(create(&mut world, other, "/later", 0), Some(0));
    }
    // After a start the tree has what the log has; then the others' word counts.
    world.start(leader).expect("starts");
    assert!(world.server(leader).keeper().db().tree().get("/lost3").is_some());
    world.cut.clear();
    world.settle();
    world.agree();
    assert_eq!(world.server(leader).role(), ServerState::Following);
    for node in [leader, others[0]] {
        assert!(world.server(node).keeper().db().tree().get("/lost1").is_none());
        assert!(world.server(node).keeper().db().tree().get("/committed").is_some());
    }
    let sent = world.sent_snapshots - snapshots;
    for power in [false, true] {
        world.kill(leader, power);
        world.start(leader).expect("starts");
        assert!(world.server(leader).keeper().db().tree().get("/lost1").is_none());
        world.settle();
        world.agree();
    }
    sent
}

#[test]
fn what_was_never_committed_goes() {
    for seed in 0..5 {
        assert_eq!(never_committed(seed, false), 0, "truncated");
        // It is of an epoch that has ended meanwhile: ZooKeeper sends everything, too.
        assert_eq!(never_committed(seed, true), 1);
    }
}

/// A leader whose process stands still while another one is elected and changes what it has. The first thing that it sees
/// when it goes on is a read.
fn read_of_a_stale_leader(linearizable_reads: bool) -> Option<bool> {
    let mut world = World::new(11, 3, 0);
    world.linearizable_reads = linearizable_reads;
    world.start_all();
    let stale = world.settle();
    let conn = world.client(stale);
    assert_eq!(exists(&mut world, conn, "/new"), Some(false));
    world.frozen = Some(stale);
    let others = [(stale + 1) % 3, (stale + 2) % 3];
    world.run_until(20_000, "another leader", |world| {
        let roles = world.roles();
        others.iter().all(|node| matches!(roles[*node], Some((_, true))))
            && others.iter().any(|node| matches!(roles[*node], Some((ServerState::Leading, _))))
    });
    let other = world.client(others[0]);
    assert_eq!(create(&mut world, other, "/new", 0), Some(0));
    assert_eq!(world.server(stale).role(), ServerState::Leading);
    let asked = world.request(conn, OpCode::GetData, &PathWatchRequest { path: "/new", watch: false });
    world.frozen = None;
    for _ in 0..5_000 {
        if let Some((header, _)) = world.reply(conn) {
            assert_eq!(header.xid, asked);
            return Some(header.err == 0);
        }
        if world.clients[&conn].closed {
            return None;
        }
        world.run(1);
    }
    panic!("neither answered nor closed");
}

#[test]
fn a_leader_that_was_replaced_answers_no_linearizable_read() {
    assert_eq!(read_of_a_stale_leader(false), Some(false), "stale, as in ZooKeeper");
    assert_eq!(read_of_a_stale_leader(true), None);
}

#[test]
fn linearizable_reads_see_what_others_wrote() {
    for seed in 0..4 {
        let mut world = World::new(20 + seed, 3, 1);
        world.linearizable_reads = true;
        world.start_all();
        let leader = world.settle();
        let clients: Vec<ConnId> = (0..4).map(|node| world.client(node)).collect();
        for i in 0..40 {
            let path = format!("/l{i}");
            let (writer, reader) = (clients[world.random.index(4)], clients[world.random.index(4)]);
            assert_eq!(create(&mut world, writer, &path, 0), Some(0));
            assert_eq!(exists(&mut world, reader, &path), Some(true), "seed {seed}: {path}");
        }
        // Answered in order, among everything else, and with one question for many.
        let conn = clients[(leader + 1) % 3];
        let mut asked = Vec::new();
        for i in 0..60 {
            let path = format!("/m{}", i / 4);
            asked.push(match i % 4 {
                0 => {
                    let request = CreateRequest { path: &path, data: None, acl: vec![OPEN_ACL], flags: 0 };
                    world.request(conn, OpCode::Create, &request)
                }
                1 => world.request(conn, OpCode::GetData, &PathWatchRequest { path: &path, watch: true }),
                // Not there before the next request.
                2 => {
                    let path = format!("/m{}", i / 4 + 1);
                    world.request(conn, OpCode::GetData, &PathWatchRequest { path: &path, watch: false })
                }
                _ => world.request(conn, OpCode::Sync, &PathRequest { path: &path }),
            });
        }
        let mut answered = Vec::new();
        world.run_until(5_000, "answers", |world| {
            while let Some((header, _)) = world.reply(conn) {
                let expected = if answered.len() % 4 == 2 { ErrorCode::NoNode.code() } else { 0 };
                assert_eq!(header.err, expected, "answer {}", answered.len());
                answered.push(header.xid);
            }
            answered.len() == asked.len()
        });
        assert_eq!(answered, asked);
    }
}

#[test]
fn proposals_and_synchronisations_are_timed() {
    let mut world = World::new(31, 3, 1);
    world.commit_log_count = 5;
    world.snapshot_size_permille = None;
    world.start_all();
    let leader = world.settle();
    let conn = world.client((leader + 1) % 3);
    for n in 0..20 {
        assert_eq!(create(&mut world, conn, &format!("/t{n}"), 0), Some(0));
    }
    world.agree();
    let roles: Vec<ServerState> = (0..4).map(|node| world.server(node).role()).collect();
    for (node, role) in roles.into_iter().enumerate() {
        let stats = world.server(node).keeper().stats().quorum.clone();
        let counts = [
            &stats.quorum_ack_latency,
            &stats.proposal_latency,
            &stats.proposal_ack_latency,
            &stats.commit_propagation_latency,
        ];
        // The session, and what it made.
        let seen = counts.map(|summary| summary.count.min(21));
        let expected = match role {
            ServerState::Leading => [21, 0, 21, 0],
            ServerState::Following => [0, 21, 21, 21],
            _ => [0, 0, 0, 21],
        };
        assert_eq!(seen, expected, "{role:?}");
        assert!(counts.iter().all(|summary| summary.max < 5_000_000), "{role:?}");
        assert_eq!(stats.leader_unavailable_time.count, u64::from(role == ServerState::Leading));
        let syncs = stats.inflight_diffs.count + stats.inflight_snaps.count;
        if role == ServerState::Leading {
            assert!(stats.inflight_diffs.max >= 1 && syncs >= 6, "three learners, each begins and ends: {stats:?}");
        } else {
            assert_eq!(syncs, 0);
        }
    }
    // One that was away for longer than the tail gets a snapshot.
    let before = world.server(leader).keeper().stats().quorum.inflight_snaps.count;
    let away = (leader + 2) % 3;
    world.kill(away, false);
    for n in 20..60 {
        assert_eq!(create(&mut world, conn, &format!("/t{n}"), 0), Some(0));
    }
    world.start(away).expect("starts");
    world.settle();
    let snaps = &world.server(leader).keeper().stats().quorum.inflight_snaps;
    assert_eq!((snaps.count, snaps.min, snaps.max), (before + 2, 0, 1));
}

#[test]
fn sessions_outlive_a_suspension_of_all_machines() {
    // Beyond syncLimit all servers elect again; else the leader goes on, and these sessions' time would have been over.
    for (seed, pause) in (0..6).flat_map(|seed| [(seed, 60_000), (seed, 800)]) {
        let mut world = World::new(200 + seed, 3, 0);
        world.start_all();
        world.settle();
        let clients: Vec<ConnId> = (0..3).map(|node| world.client(node)).collect();
        for (at, &conn) in clients.iter().enumerate() {
            assert_eq!(create(&mut world, conn, &format!("/e{at}"), 1), Some(0));
        }
        world.run(1_500);
        world.suspend(pause);
        world.run(50);
        world.settle();
        for (at, conn) in clients.into_iter().enumerate() {
            let client = world.clients[&conn].clone();
            let conn = if client.closed { world.open(client.node, Some(&client)) } else { conn };
            assert!(!client.closed || world.connected(conn), "seed {seed}: session {at} has expired");
            assert_eq!(exists(&mut world, conn, &format!("/e{at}")), Some(true), "seed {seed}");
        }
    }
}

/// An ensemble of three with four hundred nodes, one of whose followers has lost its disk; gives the leader and that follower.
fn with_an_empty_follower(seed: u64) -> (World, usize, usize) {
    let mut world = World::new(seed, 3, 0);
    world.start_all();
    let leader = world.settle();
    let conn = world.client(leader);
    let empty = (leader + 1) % 3;
    world.kill(empty, false);
    for n in 0..400 {
        assert_eq!(create(&mut world, conn, &format!("/n{n}"), 0), Some(0));
    }
    world.nodes[empty].disk = ottla_base::sim_disk::SimDisk::new(seed);
    world.commit_log_count = 5;
    world.snapshot_size_permille = None;
    // The leader's own tail is that of its start.
    let other = (leader + 2) % 3;
    for node in [leader, other] {
        world.kill(node, false);
        world.start(node).expect("starts");
    }
    let leader = world.settle();
    (world, leader, empty)
}

#[test]
fn a_snapshot_may_take_longer_than_init_limit_while_it_moves() {
    let (mut world, leader, empty) = with_an_empty_follower(61);
    let (before, began_ms) = (world.sent_snapshots, world.now.mono_ms());
    world.snapshot_pace = 15_000;
    world.start(empty).expect("starts");
    assert_eq!(world.settle(), leader);
    world.agree();
    let took_ms = world.now.mono_ms() - began_ms;
    assert!(took_ms > 2_000 + 1_000, "initLimit is 2 s, this took {took_ms} ms");
    assert_eq!(world.sent_snapshots - before, 1, "and nobody had to begin again");
}

#[test]
fn a_snapshot_that_does_not_move_is_given_up() {
    let (mut world, leader, empty) = with_an_empty_follower(62);
    let before = world.sent_snapshots;
    world.snapshot_pace = 0;
    world.start(empty).expect("starts");
    world.run(6_000);
    assert!(world.sent_snapshots - before > 1, "the connection was not closed after initLimit");
    assert_eq!(world.server(leader).role(), ServerState::Leading);
    world.snapshot_pace = 300_000;
    world.settle();
    world.agree();
}

#[test]
fn a_learner_that_takes_its_snapshot_too_slowly_for_what_comes_is_closed() {
    let (mut world, leader, empty) = with_an_empty_follower(63);
    let before = world.sent_snapshots;
    world.server(leader).quorum.most_waiting = 2_000;
    world.snapshot_pace = 15_000;
    world.start(empty).expect("starts");
    world.run_until(5_000, "a snapshot", |world| world.sent_snapshots > before);
    let conn = world.client(leader);
    for n in 0..30 {
        assert_eq!(create(&mut world, conn, &format!("/more{n}"), 0), Some(0), "the others go on");
    }
    world.run_until(5_000, "another snapshot", |world| world.sent_snapshots > before + 1);
    world.snapshot_pace = 300_000;
    assert_eq!(world.settle(), leader);
    world.agree();
}
