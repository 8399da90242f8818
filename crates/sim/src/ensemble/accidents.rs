//! What goes wrong, and how it ends.

use ottla_base::disk::Disk;
use ottla_base::sim_disk::{Call, Fault};
use ottla_keeper::zab::messages::ServerState;

use super::Check;
use super::server::Node;
use super::world::{Event, World};

/// Until all servers must serve again, once nothing is wrong: some elections, and time for a vote that is repeated late.
const CONVERGE_US: u64 = 30_000_000;

impl World {
    /// Something goes wrong, or right again.
    pub(super) fn accident(&mut self) -> Check {
        if self.quiet {
            return Ok(());
        }
        let next = self.now_us + 1_000 + self.random.below(self.plan.accident_us);
        self.at(next, Event::Accident);
        self.calm_since_us = None;
        let node = self.random.index(self.nodes.len());
        let power = self.random.chance(500_000);
        let what = self.random.below(20);
        self.note(format_args!("accident {what} to {node}, power {power}"), &[]);
        if self.plan.harsh && self.random.chance(350_000) {
            self.harsh_accident(node);
            return Ok(());
        }
        match what {
            0 => self.kill(node, power),
            1 | 2 => {
                if let Some(leader) = (0..self.nodes.len()).find(|&node| self.leads(node)) {
                    self.kill(leader, power);
                }
            }
            3 => (0..self.nodes.len()).for_each(|node| self.kill(node, power)),
            4 | 5 => self.nodes[node].dies_after = Some((self.random.index(8), power)),
            6 => {
                let calls = self.random.below(10);
                self.nodes[node].disk.fail_after(Some(calls));
            }
            7 | 8 => self.partition(),
            9 => {
                let other = self.random.index(self.nodes.len());
                self.net.block(node, other);
            }
            10 => self.partition_clients(),
            11 | 12 => {
                let wires: Vec<u64> = self.net.wires.keys().copied().collect();
                for wire in wires {
                    if self.random.chance(200_000) {
                        self.net.break_wire(self.now_us, wire);
                    }
                }
            }
            13 => self.nodes[node].disk_slow_us = 1_000 << self.random.below(11),
            14 => self.disk_fails(node),
            15 => {
                let jump = self.random.below(20_000_000) as i64 - 10_000_000;
                self.nodes[node].clock.wall_ms += jump;
            }
            16 => drop(self.net.slow.insert(node, 1_000 << self.random.below(10))),
            _ => self.heal(),
        }
        Ok(())
    }

    /// What only some seeds have.
    fn harsh_accident(&mut self, node: usize) {
        let what = self.random.below(8);
        self.note(format_args!("a harsh one: {what}"), &[]);
        match what {
            // Standing still for longer than others wait, then going on as if nothing were.
            0 | 1 => {
                let limit_us = 1_000 * self.plan.sync_limit * self.plan.tick_ms;
                let leader = (0..self.nodes.len()).find(|&node| self.leads(node)).filter(|_| what == 0);
                let node = leader.unwrap_or(node);
                let least_us = if leader.is_some() { limit_us } else { 0 };
                let until = self.now_us + least_us + self.random.below(2 * limit_us);
                self.nodes[node].stalls_until = until;
                let before_us = self.random.below(20_000);
                self.at(until.saturating_sub(before_us), Event::Flock { node });
            }
            2 => self.nodes[node].disk_stalls_until = self.now_us + self.random.below(5_000_000),
            3 | 4 => {
                for _ in 0..=self.random.below(3) {
                    let places = self.nodes.len() + self.clients.len();
                    let way = (self.random.index(places), self.random.index(places));
                    let us = 1_000 << self.random.below(10);
                    self.net.slow_ways.insert(way, us);
                }
            }
            5 => {
                let skew = self.random.below(400_000) as i64 - 200_000;
                self.set_speed(node, skew);
            }
            6 => {
                let wires: Vec<u64> = self.net.wires.keys().copied().collect();
                for wire in wires {
                    if self.random.chance(200_000) {
                        self.net.break_half(self.now_us, wire, 3_000_000);
                    }
                }
            }
            _ => {
                // No room for anything, until all is well again.
                let machine = &mut self.nodes[node];
                machine.disk_bad = true;
                machine.disk.set_capacity(Some(0));
            }
        }
    }

    /// A leader has begun to serve: now it hurts most when it dies with others, and comes back after them.
    pub(super) fn at_a_bad_time(&mut self) {
        if !self.random.chance(300_000) {
            return;
        }
        let at = self.now_us + self.random.below(10_000);
        for node in 0..self.nodes.len() {
            if self.random.chance(700_000) {
                self.at(at, Event::PowerFails { node, all: false });
            }
        }
    }

    fn set_speed(&mut self, node: usize, skew: i64) {
        self.nodes[node].clock.set_speed(self.now_us, skew);
        if let Some(life) = &mut self.nodes[node].life {
            life.tick_us = u64::MAX;
        }
        self.schedule_tick(node);
    }

    fn leads(&self, node: usize) -> bool {
        self.nodes[node].life.as_ref().is_some_and(|life| life.server.role() == ServerState::Leading)
    }

    /// Two sides that don't hear each other.
    fn partition(&mut self) {
        let sides: Vec<bool> = (0..self.nodes.len()).map(|_| self.random.chance(400_000)).collect();
        for from in 0..self.nodes.len() {
            for to in 0..self.nodes.len() {
                if sides[from] != sides[to] {
                    self.net.block(from, to);
                }
            }
        }
    }

    /// A client that some servers don't hear, or that does not hear them.
    fn partition_clients(&mut self) {
        let client = self.nodes.len() + self.random.index(self.clients.len());
        let one_way = self.random.chance(500_000);
        for node in 0..self.nodes.len() {
            if self.random.chance(600_000) {
                self.net.block(node, client);
                if !one_way {
                    self.net.block(client, node);
                }
            }
        }
    }

    fn disk_fails(&mut self, node: usize) {
        let full = self.random.chance(500_000);
        let room = self.random.below(20_000);
        let machine = &mut self.nodes[node];
        machine.disk_bad = true;
        if full {
            let used = machine.disk.space(std::path::Path::new("/zk")).map_or(0, |space| space.total - space.usable);
            machine.disk.set_capacity(Some(used + room));
        } else {
            let call = if room.is_multiple_of(2) { Call::Sync } else { Call::Write };
            machine.disk.inject(Fault::once(call, ""));
        }
    }

    /// Nothing is wrong any more.
    fn heal(&mut self) {
        self.net.slow.clear();
        self.net.slow_ways.clear();
        for node in 0..self.nodes.len() {
            if self.plan.harsh {
                let skew = self.nodes[node].clock.skew.clamp(-(self.plan.skew as i64) / 2, self.plan.skew as i64 / 2);
                self.set_speed(node, skew);
            }
        }
        self.net.unblock_all(self.now_us);
        for machine in &mut self.nodes {
            machine.disk.heal();
            machine.disk.set_capacity(None);
            (machine.disk_bad, machine.disk_slow_us, machine.dies_after) = (false, 0, None);
            machine.disk_stalls_until = 0;
        }
        let quick = self.plan.latency_us <= 2_000 && self.plan.disk_us <= 3_000;
        if quick && self.nodes.iter().all(|machine| machine.life.is_some() && machine.stalls_until <= self.now_us) {
            self.calm_since_us = Some(self.now_us);
        }
    }

    /// From now on nothing goes wrong.
    pub(super) fn end_accidents(&mut self) {
        self.note(format_args!("the accidents are over"), &[]);
        self.quiet = true;
        self.heal();
        self.calm_since_us = None;
        for node in 0..self.nodes.len() {
            self.at(self.now_us, Event::Start { node });
        }
    }

    /// All servers serve, and have what was committed when the time began, within a bounded time.
    pub(super) fn converge(&mut self, when: &str) -> Check {
        let target = self.checks.model.last();
        let end = self.now_us + CONVERGE_US;
        let done = self.run_until(end, |world| {
            let members = world.must_serve();
            let lives: Vec<_> = members.iter().filter_map(|&node| world.nodes[node].life.as_ref()).collect();
            let leaders = lives.iter().filter(|life| life.server.role() == ServerState::Leading).count();
            let up_to_date = |zxid: i64| world.checks.resolved(zxid) >= target;
            lives.len() == members.len()
                && leaders == 1
                && lives
                    .iter()
                    .all(|life| life.server.is_serving() && up_to_date(life.server.keeper().db().last_zxid()))
        })?;
        if done { Ok(()) } else { Err(format!("not all servers serve {when}, within {CONVERGE_US} us")) }
    }

    /// The members, when nothing is wrong; who is not one may do as it likes.
    fn must_serve(&self) -> Vec<usize> {
        if !self.plan.reconfig {
            return (0..self.nodes.len()).collect();
        }
        self.last_members().members().keys().map(|&sid| sid as usize - 1).collect()
    }

    /// A known limit, ZooKeeper's too: while a change of the members is under way only those who vote before it may lead.
    /// When one that votes after it has logged more than they, who lost it with the power, and its voice is needed, it can
    /// neither lead nor follow: what it has may be committed.
    pub(super) fn nobody_may_lead(&self) -> bool {
        let members = self.last_members();
        let history = |sid: i64| {
            let life = self.nodes[sid as usize - 1].life.as_ref()?;
            let journal = life.server.zab().journal();
            Some((journal.current_epoch(), journal.last_zxid()))
        };
        let best = members.voters().iter().filter_map(|&sid| history(sid)).max();
        let others = (1..=self.nodes.len() as i64).filter(|sid| !members.is_voter(*sid));
        let is_changing = |node: &Node| node.life.as_ref().is_some_and(|l| l.server.zab().membership().is_changing());
        self.plan.reconfig
            && self.nodes.iter().any(is_changing)
            && others.filter_map(history).max().is_some_and(|ahead| Some(ahead) > best)
    }

    /// Each client is told of a change of its own.
    pub(super) fn everybody_writes(&mut self) -> Check {
        let begin = self.now_us;
        let end = begin + CONVERGE_US;
        let done = self.run_until(end, |world| world.clients.iter().all(|client| client.written_us > begin))?;
        if done { Ok(()) } else { Err("a client can't write, though nothing is wrong".to_owned()) }
    }

    /// Once all clients are gone, so are their sessions and what was theirs.
    pub(super) fn sessions_end(&mut self) -> Check {
        self.clients_die();
        let longest_ms = 20 * self.plan.tick_ms;
        let end = self.now_us + 1_000 * (2 * longest_ms + 10 * self.plan.tick_ms) + 2_000_000;
        let done = self.run_until(end, |world| world.checks.model.open_sessions().next().is_none())?;
        if !done {
            let open: Vec<i64> = self.checks.model.open_sessions().collect();
            return Err(format!("the sessions {open:x?} do not end"));
        }
        if self.checks.model.db.tree().ephemeral_count() > 0 {
            return Err("there are ephemeral nodes without a session".to_owned());
        }
        self.converge("after all sessions have ended")?;
        self.compare_all()
    }

    /// All servers have the same, and that is what was committed.
    pub(super) fn compare_all(&mut self) -> Check {
        self.checks.model.verify()?;
        let members = self.last_members();
        for index in self.must_serve() {
            let Some(life) = &self.nodes[index].life else { return Err(format!("server {index} is down")) };
            if self.plan.reconfig && life.config != members.version {
                return Err(format!(
                    "server {index} goes by the members of {:#x}, not of {:#x}",
                    life.config, members.version
                ));
            }
            let (db, model) = (life.server.keeper().db(), &self.checks.model);
            let same = self.checks.resolved(db.last_zxid()) == model.last()
                && db.tree().digest() == model.db.tree().digest()
                && db.tree().node_count() == model.db.tree().node_count()
                && db.sessions() == model.db.sessions();
            if !same {
                return Err(format!("server {index} has something else at {:#x}", db.last_zxid()));
            }
        }
        Ok(())
    }

    /// The power fails everywhere, and comes back.
    pub(super) fn restart_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.kill(node, true);
            self.at(self.now_us, Event::Start { node });
        }
    }
}
