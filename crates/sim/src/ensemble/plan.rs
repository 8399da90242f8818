//! What a seed draws before it begins.

use ottla_base::random::Random;

/// Settings of servers, clients, network and disks, and what may happen to them.
#[derive(Clone, Debug)]
pub struct Plan {
    pub voters: usize,
    pub observers: usize,
    pub clients: usize,
    pub tick_ms: u64,
    pub init_limit: u64,
    pub sync_limit: u64,
    pub snap_count: u64,
    pub commit_log_count: usize,
    pub leader_serves: bool,
    pub log_size_limit: Option<u64>,
    /// Simulated time with accidents, in microseconds.
    pub active_us: u64,
    /// Between two accidents, at most.
    pub accident_us: u64,
    /// Between two acts of a client, at most.
    pub think_us: u64,
    /// Between two servers, at most, when nothing is wrong.
    pub latency_us: u64,
    /// A write to the disk, at most.
    pub disk_us: u64,
    /// How often a client leaves its server instead of asking, in millionths.
    pub restless: u32,
    /// How often power fails at a server, or at all, when one has just begun to serve, in millionths.
    pub fragile: u32,
    /// Requests that a client sends ahead.
    pub pipeline: usize,
    /// Difference of the clocks' speeds, in millionths.
    pub skew: u64,
    /// Stop and start all once more in the end.
    pub restart: bool,
}

impl Plan {
    #[must_use]
    pub fn draw(random: &mut Random) -> Self {
        let pick = |random: &mut Random, of: &[u64]| of[random.index(of.len())];
        Self {
            voters: if random.chance(300_000) { 5 } else { 3 },
            observers: usize::from(random.chance(250_000)),
            clients: 2 + random.index(4),
            tick_ms: pick(random, &[50, 100, 200]),
            init_limit: pick(random, &[5, 10]),
            sync_limit: pick(random, &[3, 5]),
            snap_count: pick(random, &[20, 100, 1_000_000]),
            commit_log_count: pick(random, &[5, 50, 500]) as usize,
            leader_serves: !random.chance(100_000),
            log_size_limit: random.chance(200_000).then_some(20_000),
            active_us: 1_000_000 * (3 + random.below(8)),
            accident_us: pick(random, &[60_000, 200_000, 700_000, 2_000_000]),
            think_us: pick(random, &[10_000, 30_000, 100_000, 600_000]),
            latency_us: pick(random, &[300, 2_000, 20_000]),
            disk_us: pick(random, &[200, 3_000, 20_000]),
            restless: pick(random, &[3_000, 10_000, 100_000]) as u32,
            fragile: pick(random, &[0, 0, 100_000, 300_000]) as u32,
            pipeline: 1 + random.index(8),
            skew: pick(random, &[0, 1_000, 100_000]),
            restart: random.chance(300_000),
        }
    }

    #[must_use]
    pub fn servers(&self) -> usize {
        self.voters + self.observers
    }

    /// The ensemble, as `zoo.cfg` has it.
    #[must_use]
    pub fn members(&self) -> String {
        let role = |i: usize| if i < self.voters { "participant" } else { "observer" };
        (0..self.servers()).map(|i| format!("server.{}=n{}:2888:3888:{}\n", i + 1, i + 1, role(i))).collect()
    }
}
