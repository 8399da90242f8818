//! Many seeds: faults of all kinds, then quiet, and everybody must agree.

use super::world::World;

/// Seeds for each shape of the ensemble; `OTTLA_ZAB_SEEDS` asks for more, `OTTLA_ZAB_SEED` for one alone.
const SEEDS: u64 = 120;

/// What a run was like, so that the seeds together are known to reach what they should.
#[derive(Debug, Default)]
struct Totals {
    committed: usize,
    epochs: usize,
    synced: usize,
}

fn fault(world: &mut World) {
    let servers = world.len();
    let node = world.random.index(servers);
    let other = world.random.index(servers);
    match world.random.below(12) {
        0 | 1 => world.crash(node),
        2 | 3 => world.crash_soon(node),
        4 => {
            for peer in (0..servers).filter(|peer| *peer != node) {
                world.block(node, peer);
                world.block(peer, node);
            }
        }
        // One way only: it hears, but is not heard, or the reverse.
        5 => (0..servers).filter(|peer| *peer != node).for_each(|peer| world.block(node, peer)),
        6 => (0..servers).filter(|peer| *peer != node).for_each(|peer| world.block(peer, node)),
        7 => world.block(node, other),
        8 | 9 => world.break_some_conn(),
        10 => {
            let disk_us = [1_000, 50_000, 900_000][world.random.index(3)];
            world.set_disk_us(node, disk_us);
        }
        _ => (0..servers).for_each(|node| world.crash(node)),
    }
}

fn run(seed: u64, voters: usize, observers: usize, totals: &mut Totals) {
    let mut world = World::new(seed, voters, observers);
    world.vote_loss = 50_000;
    world.run_for_ms(1_500);
    let rounds = 6 + world.random.below(10);
    for _ in 0..rounds {
        fault(&mut world);
        for _ in 0..world.random.below(12) {
            let node = world.random.index(voters + observers);
            if world.random.chance(250_000) {
                world.sync(node)
            } else {
                world.request(node)
            }
            let pause_ms = world.random.below(60);
            world.run_for_ms(pause_ms);
        }
        let pause_ms = [5, 300, 2_500][world.random.index(3)];
        world.run_for_ms(pause_ms);
        if world.random.chance(500_000) {
            world.heal();
        }
    }
    settle(&mut world, seed);
    totals.committed += world.checks.committed.len();
    totals.epochs += world.checks.epochs();
    totals.synced += world.checks.synced;
}

/// Faults are over: soon there is one leader whom all follow, and what is asked for is done everywhere.
fn settle(world: &mut World, seed: u64) {
    world.vote_loss = 0;
    world.heal();
    world.spare_all();
    for node in 0..world.len() {
        world.set_disk_us(node, 2_000);
    }
    let servers = world.len();
    let deadline_us = world.now_us + 60_000_000;
    loop {
        assert!(world.now_us < deadline_us, "seed {seed}: no leader whom all follow, or requests are not committed");
        world.run_for_ms(100);
        if world.united_under().is_none() {
            continue;
        }
        let before = world.checks.committed.len();
        for node in 0..servers {
            world.request(node);
        }
        // A connection may be broken and its end not know yet, and a write that was slow before be on its way still.
        world.run_for_ms(1_000);
        if world.united_under().is_some() && world.checks.committed.len() >= before + servers {
            break;
        }
    }
    for (node, server) in world.nodes.iter().enumerate() {
        assert_eq!(server.applied, world.checks.committed, "seed {seed}: server {node} does not have everything");
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn many(voters: usize, observers: usize) {
    let mut totals = Totals::default();
    if let Some(seed) = number("OTTLA_ZAB_SEED") {
        run(seed, voters, observers, &mut totals);
        return;
    }
    let seeds = number("OTTLA_ZAB_SEEDS").unwrap_or(SEEDS);
    for seed in 0..seeds {
        run(seed, voters, observers, &mut totals);
    }
    println!("{seeds} seeds, {voters} voters, {observers} observers: {totals:?}");
    // The faults must leave room for something to happen.
    let seeds = seeds as usize;
    assert!(totals.committed > 10 * seeds && totals.epochs > 2 * seeds && totals.synced > seeds, "{totals:?}");
}

#[test]
fn three_servers() {
    many(3, 0);
}

#[test]
fn five_servers() {
    many(5, 0);
}

#[test]
fn three_servers_and_an_observer() {
    many(3, 1);
}
