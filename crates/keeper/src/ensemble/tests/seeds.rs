//! Anything that can happen, from seeds.

use super::world::{Client, World};
use crate::proto::{CreateRequest, OPEN_ACL, OpCode, PathWatchRequest, ReplyHeader};
use crate::zab::ConnId;
use std::collections::BTreeMap;

/// What a client waits for.
enum Asked {
    Create(String),
    /// Its session's own creation of before; with linearizable reads, anybody's.
    MustExist(String),
    Reconfig,
    Other,
}

/// Paths that were acknowledged must be there in the end, and at any time to those who made them; what was asked may be.
#[derive(Default)]
struct Promises {
    acknowledged: Vec<String>,
    of_session: BTreeMap<i64, Vec<String>>,
    asked: BTreeMap<(ConnId, i32), Asked>,
    next: u32,
    moved: u32,
    reconfigured: u32,
    /// Sessions with servers that were cut off.
    cut_off: u32,
}

impl Promises {
    fn answered(&mut self, session: i64, conn: ConnId, header: &ReplyHeader) {
        match self.asked.remove(&(conn, header.xid)) {
            Some(Asked::Create(path)) if header.err == 0 => {
                self.acknowledged.push(path.clone());
                self.of_session.entry(session).or_default().push(path);
            }
            Some(Asked::MustExist(path)) => assert_eq!(header.err, 0, "{path} is not there for session {session:#x}"),
            Some(Asked::Reconfig) if header.err == 0 => self.reconfigured += 1,
            _ => {}
        }
    }
}

/// Some clients are content with a server that is cut off.
fn open(world: &mut World, node: usize, session: Option<&Client>) -> ConnId {
    let content = world.read_only_mode && world.random.chance(500_000);
    world.open_as(node, session, Some(content))
}

fn clients_work(world: &mut World, conns: &mut Vec<ConnId>, promises: &mut Promises) {
    let mut all = std::mem::take(conns);
    for conn in &all {
        let session = world.clients[conn].session;
        while let Some((header, _)) = world.reply(*conn) {
            promises.answered(session, *conn, &header);
        }
    }
    for conn in std::mem::take(&mut all) {
        // Now and then a client goes to another server before its connection breaks.
        if !world.clients[&conn].closed && !world.random.chance(30_000) {
            all.push(conn);
            continue;
        }
        let node = world.random.index(world.nodes.len());
        let old = world.clients[&conn].clone();
        let again = open(world, node, Some(&old));
        if world.connected_within(again, 300) == Some(true) {
            promises.moved += 1;
            promises.cut_off += u32::from(world.clients[&again].read_only);
            all.push(again);
        }
    }
    if all.len() < 4 {
        let node = world.random.index(world.nodes.len());
        let conn = open(world, node, None);
        if world.connected_within(conn, 300) == Some(true) {
            promises.cut_off += u32::from(world.clients[&conn].read_only);
            all.push(conn);
        }
    }
    if world.reconfig_enabled
        && world.random.chance(80_000)
        && let Some(&conn) = all.first()
    {
        let node = world.random.index(world.nodes.len());
        let (joining, leaving) = match world.random.index(3) {
            0 => (String::new(), (node + 1).to_string()),
            votes => (World::line(node, votes == 1), String::new()),
        };
        let xid = world.request(conn, OpCode::Reconfig, &World::reconfig_request(&joining, &leaving));
        promises.asked.insert((conn, xid), Asked::Reconfig);
    }
    for &conn in &all {
        let own = match world.linearizable_reads {
            true => Some(&promises.acknowledged).filter(|all| !all.is_empty()),
            false => promises.of_session.get(&world.clients[&conn].session),
        };
        let (xid, asked) = if let Some(own) = own
            && world.random.chance(300_000)
        {
            let path = own[world.random.index(own.len())].clone();
            (
                world.request(conn, OpCode::GetData, &PathWatchRequest { path: &path, watch: true }),
                Asked::MustExist(path),
            )
        } else {
            promises.next += 1;
            let path = format!("/n{}", promises.next);
            let flags = i32::from(world.random.chance(200_000));
            let request = CreateRequest { path: &path, data: Some(&[7; 300]), acl: vec![OPEN_ACL], flags };
            let xid = world.request(conn, OpCode::Create, &request);
            (xid, if flags == 0 { Asked::Create(path) } else { Asked::Other })
        };
        promises.asked.insert((conn, xid), asked);
    }
    *conns = all;
}

fn accident(world: &mut World) {
    let (node, other) = (world.random.index(world.nodes.len()), world.random.index(world.nodes.len()));
    let alive = world.nodes[node].life.is_some();
    match world.random.index(7) {
        0 if alive => world.kill(node, false),
        1 if alive => world.kill(node, true),
        2 => world.nodes[node].disk_stuck = !world.nodes[node].disk_stuck,
        3 if node != other => drop(world.cut.insert((node.min(other), node.max(other)))),
        4 if alive => {
            let calls = world.random.below(12);
            world.nodes[node].disk.fail_after(Some(calls));
        }
        5 => {
            let ms = world.random.below(5_000);
            world.suspend(ms);
        }
        _ => world.cut.clear(),
    }
    for node in 0..world.nodes.len() {
        if world.nodes[node].life.is_none() && world.random.chance(400_000) {
            world.start(node).expect("starts");
        }
    }
}

/// Half of the voters are away for a while, longer than servers look for a leader before they serve without one.
fn without_a_quorum(world: &mut World, voters: usize, conns: &mut Vec<ConnId>, promises: &mut Promises) {
    let first = world.random.index(voters);
    (first..=first + voters / 2).for_each(|node| world.kill(node % voters, false));
    for _ in 0..10 {
        world.run(300);
        clients_work(world, conns, promises);
    }
}

/// What is tried besides accidents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trial {
    Nothing,
    Members,
    /// Local sessions, and servers that serve reads when they are cut off.
    Modes,
}

/// A seed; gives how often a session was taken to another server, and how often what is tried came about: the members were
/// changed, or a client was content with a server that was cut off.
fn run(seed: u64, trial: Trial) -> (u32, u32) {
    let reconfig = trial == Trial::Members;
    let voters = if seed % 7 == 6 { 5 } else { 3 };
    let observers = if reconfig { 1 + seed as usize % 2 } else { usize::from(seed.is_multiple_of(3)) };
    let mut world = World::new(seed, voters, observers);
    world.reconfig_enabled = reconfig;
    world.commit_log_count = if seed.is_multiple_of(2) { 10 } else { 500 };
    world.snap_count = if seed % 4 < 2 { 30 } else { 100_000 };
    world.linearizable_reads = seed % 5 < 2 && trial != Trial::Modes;
    if trial == Trial::Modes {
        world.read_only_mode = true;
        world.local_sessions = true;
        world.upgrading = (0..voters + observers).filter(|node| !(seed + *node as u64).is_multiple_of(4)).collect();
    }
    // The log files are short enough, for most learners that come back.
    world.snapshot_size_permille = Some(if seed.is_multiple_of(3) { 330 } else { 0 });
    world.start_all();
    let mut promises = Promises::default();
    let mut conns = Vec::new();
    for _ in 0..60 {
        let pause = world.random.below(80);
        world.run(pause);
        clients_work(&mut world, &mut conns, &mut promises);
        if world.random.chance(250_000) {
            accident(&mut world);
        }
        if trial == Trial::Modes && world.random.chance(20_000) {
            without_a_quorum(&mut world, voters, &mut conns, &mut promises);
        }
    }
    world.cut.clear();
    for node in 0..world.nodes.len() {
        world.nodes[node].disk_stuck = false;
        world.nodes[node].disk.heal();
        if world.nodes[node].life.is_none() {
            world.start(node).expect("starts");
        }
    }
    world.settle();
    world.agree();
    for path in &promises.acknowledged {
        assert!(world.server(0).keeper().db().tree().get(path).is_some(), "seed {seed}: {path} was acknowledged");
    }
    // And what is on the disks is the same.
    for node in 0..world.nodes.len() {
        world.kill(node, true);
        world.start(node).expect("starts");
    }
    world.settle();
    world.agree();
    for path in &promises.acknowledged {
        assert!(world.server(0).keeper().db().tree().get(path).is_some(), "seed {seed}: {path} was on disk");
    }
    let db = world.server(0).keeper().db();
    let orphans = db.tree().sessions_with_ephemerals().into_iter().filter(|id| !db.sessions().contains_key(id));
    assert_eq!(orphans.count(), 0);
    (promises.moved, promises.reconfigured + promises.cut_off)
}

fn all_seeds(trial: Trial) -> (u32, u32) {
    let seeds = match std::env::var("OTTLA_ENSEMBLE_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..std::env::var("OTTLA_ENSEMBLE_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(40),
    };
    let (mut moved, mut reconfigured) = (0, 0);
    for seed in seeds {
        let done = std::panic::catch_unwind(|| run(seed, trial)).unwrap_or_else(|error| {
            eprintln!("seed {seed} failed");
            std::panic::resume_unwind(error)
        });
        moved += done.0;
        reconfigured += done.1;
    }
    (moved, reconfigured)
}

fn one_seed_only() -> bool {
    std::env::var("OTTLA_ENSEMBLE_SEED").is_ok()
}

#[test]
fn whatever_happens() {
    assert!(all_seeds(Trial::Nothing).0 > 0 || one_seed_only(), "no session was ever moved");
}

#[test]
fn whatever_happens_to_the_members() {
    assert!(all_seeds(Trial::Members).1 > 20 || one_seed_only(), "the members were hardly ever changed");
}

#[test]
fn whatever_happens_to_sessions_of_one_server() {
    let (moved, cut_off) = all_seeds(Trial::Modes);
    assert!(moved > 20 && cut_off > 20 || one_seed_only(), "{moved} sessions moved, {cut_off} on a server cut off");
}
