//! What a seed draws before it begins.

use ottla_base::random::Random;

/// Settings of servers, clients, network and disks, and what may happen to them.
#[derive(Clone, Debug)]
pub struct Plan {
    pub voters: usize,
    pub observers: usize,
    /// Servers that are no members at first, when members change.
    pub spare: usize,
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
    /// Accidents of the harsher kind too.
    pub harsh: bool,
    /// `ottla.linearizableReads`
    pub linearizable_reads: bool,
    /// The ensemble changes while it runs.
    pub reconfig: bool,
    /// `standaloneEnabled`
    pub standalone: bool,
}

impl Plan {
    #[must_use]
    pub fn draw(seed: u64, random: &mut Random) -> Self {
        let mut plan = Self::draw_common(random);
        plan.vary(seed);
        plan
    }

    /// What only some seeds have, drawn apart: the others stay the runs that they were.
    fn vary(&mut self, seed: u64) {
        let mut random = Random::new(seed ^ 0x7a41_0000_0000_0000);
        let kind = seed % 8;
        self.harsh = matches!(kind, 0 | 2 | 7);
        self.linearizable_reads = matches!(kind, 1 | 2);
        self.reconfig = matches!(kind, 6 | 7);
        if self.harsh {
            self.fragile = [0, 100_000, 500_000][random.index(3)];
        }
        if self.reconfig {
            self.spare = 1 + random.index(3);
            self.observers = 0;
            self.voters = if random.chance(400_000) { 1 } else { 3 };
            self.standalone = self.voters > 1 && random.chance(500_000);
        }
    }

    fn draw_common(random: &mut Random) -> Self {
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
            harsh: false,
            linearizable_reads: false,
            reconfig: false,
            spare: 0,
            standalone: true,
        }
    }

    #[must_use]
    pub fn servers(&self) -> usize {
        self.voters + self.observers + self.spare
    }

    /// The ensemble, as the `zoo.cfg` of a server has it: with itself, if it is to join one day.
    #[must_use]
    pub fn members(&self, node: usize) -> String {
        let first = self.voters + self.observers;
        let role = |i: usize| if i < self.voters || i >= first { "participant" } else { "observer" };
        let listed = (0..self.servers()).filter(|&i| i < first || i == node);
        listed.map(|i| member(i, role(i), self.reconfig)).collect()
    }
}

/// The line of a server.
#[must_use]
pub fn member(node: usize, role: &str, with_client: bool) -> String {
    let (sid, client) = (node + 1, if with_client { ";2181" } else { "" });
    format!("server.{sid}=n{sid}:2888:3888:{role}{client}\n")
}
