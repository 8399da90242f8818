//! Time, and what happens at which.

use std::collections::BTreeMap;

use ottla_base::random::Random;
use ottla_keeper::ensemble::{Input, Output, QuorumInput, Written};
use ottla_keeper::keeper_server;

use super::Check;
use super::checks::Checks;
use super::client::Client;
use super::history::Histories;
use super::network::{Network, Port};
use super::plan::Plan;
use super::server::Node;
use crate::trace::Trace;
use crate::world::Summary;

/// Events of a run, which has some ten thousand, before it is taken for one in which servers keep each other busy for ever.
const MOST_EVENTS: u64 = 1_000_000;

/// Something that happens at its time.
#[derive(Debug)]
pub enum Event {
    /// What is on its way to an end of a connection may be there.
    Arrive {
        wire: u64,
        end: usize,
    },
    /// A server's attempt to connect comes to its end.
    Connect {
        node: usize,
        life: u64,
        sid: i64,
        port: Port,
    },
    Tick {
        node: usize,
        life: u64,
    },
    /// The log's thread takes what waits for it.
    Journal {
        node: usize,
        life: u64,
    },
    Persisted {
        node: usize,
        life: u64,
        written: Written,
    },
    /// The next part of a snapshot to the disk.
    Snapshot {
        node: usize,
        life: u64,
    },
    /// The next part of a snapshot to a learner.
    SendSnapshot {
        node: usize,
        life: u64,
        conn: u64,
    },
    Client {
        client: usize,
    },
    Accident,
    PowerFails {
        node: usize,
        all: bool,
    },
    Start {
        node: usize,
    },
    /// Clients that have heard of later things come to a server, just before it runs again.
    Flock {
        node: usize,
    },
}

/// Everything there is.
#[derive(Debug)]
pub struct World {
    pub(super) plan: Plan,
    pub(super) random: Random,
    trace: Trace,
    pub(super) now_us: u64,
    events: BTreeMap<(u64, u64), Event>,
    next_event: u64,
    pub(super) nodes: Vec<Node>,
    pub(super) net: Network,
    pub(super) clients: Vec<Client>,
    pub(super) checks: Checks,
    pub(super) histories: Histories,
    /// Since when nothing is wrong.
    pub(super) calm_since_us: Option<u64>,
    /// Accidents are over.
    pub(super) quiet: bool,
    /// Clients ask nothing any more.
    pub(super) silent: bool,
    pub(super) boots: u64,
    pub(super) sent_snapshots: u64,
}

impl World {
    #[must_use]
    pub fn new(seed: u64, trace: bool) -> Self {
        let mut random = Random::new(seed ^ 0x5eed_0000_0000_0000);
        let plan = Plan::draw(seed, &mut random);
        let nodes = (0..plan.servers()).map(|_| Node::new(&mut random, &plan)).collect();
        let timeouts = [4, 8, 20];
        let clients =
            (0..plan.clients).map(|_| Client::new(plan.tick_ms * timeouts[random.index(timeouts.len())])).collect();
        let mut world = Self {
            net: Network::new(plan.latency_us, random.fork()),
            nodes,
            clients,
            checks: Checks::default(),
            histories: Histories::new(plan.linearizable_reads),
            trace: Trace::new(trace),
            now_us: 0,
            events: BTreeMap::new(),
            next_event: 0,
            calm_since_us: Some(0),
            quiet: false,
            silent: false,
            boots: 0,
            sent_snapshots: 0,
            random,
            plan,
        };
        world.note(format_args!("{:?}", world.plan.clone()), &[]);
        world
    }

    /// The whole run.
    pub fn run(mut self) -> Result<Summary, String> {
        match self.all() {
            Ok(()) => Ok(self.summary()),
            Err(what) => {
                let (at, state) = (self.now_us, self.describe());
                self.note(format_args!("broken: {what}"), &[]);
                Err(format!("at {at} us: {what}\n{state}"))
            }
        }
    }

    fn all(&mut self) -> Check {
        for node in 0..self.nodes.len() {
            let at = self.random.below(200_000);
            self.at(at, Event::Start { node });
        }
        for client in 0..self.clients.len() {
            let at = self.random.below(300_000);
            self.at(at, Event::Client { client });
        }
        let first = self.random.below(3 * self.plan.accident_us);
        self.at(first, Event::Accident);
        self.run_for(self.plan.active_us)?;
        self.end_accidents();
        if let Err(why) = self.converge("after the accidents") {
            if self.nobody_may_lead() {
                self.note(format_args!("nobody may lead: {why}"), &[]);
                return self.histories.verify().map(drop);
            }
            return Err(why);
        }
        self.everybody_writes()?;
        self.sessions_end()?;
        if self.plan.restart {
            self.restart_all();
            self.converge("after a restart of all")?;
            self.compare_all()?;
        }
        let operations = self.histories.verify()?;
        self.note(format_args!("{operations} operations on registers have an order"), &[]);
        Ok(())
    }

    fn summary(&self) -> Summary {
        Summary {
            hash: self.trace.hash(),
            zxid: self.checks.model.last(),
            acts: self.trace.events(),
            boots: self.boots,
            requests: self.clients.iter().map(|client| client.figures.answered).sum(),
            seconds: self.now_us / 1_000_000,
        }
    }

    /// Adds to the trace.
    pub(super) fn note(&mut self, what: std::fmt::Arguments<'_>, bytes: &[u8]) {
        self.trace.add(format_args!("{:>9} {what}", self.now_us), bytes);
    }

    /// Something will happen.
    pub(super) fn at(&mut self, at_us: u64, event: Event) {
        self.next_event += 1;
        self.events.insert((at_us.max(self.now_us), self.next_event), event);
    }

    pub(super) fn run_for(&mut self, us: u64) -> Check {
        let end = self.now_us + us;
        self.run_until(end, |_| false).map(drop)
    }

    /// Lets things happen until `done` or the end; tells whether it was done.
    pub(super) fn run_until(&mut self, end_us: u64, mut done: impl FnMut(&Self) -> bool) -> Result<bool, String> {
        loop {
            for (at, wire, end) in std::mem::take(&mut self.net.due) {
                self.at(at, Event::Arrive { wire, end });
            }
            if done(self) {
                return Ok(true);
            }
            let Some(entry) = self.events.first_entry() else { return Ok(false) };
            if entry.key().0 > end_us {
                self.now_us = end_us;
                return Ok(false);
            }
            let ((at, _), event) = entry.remove_entry();
            if self.trace.events() > MOST_EVENTS {
                return Err("there is no end to what happens".to_owned());
            }
            self.now_us = at;
            self.happen(event)?;
        }
    }

    fn happen(&mut self, event: Event) -> Check {
        if let Some(until) = self.stalls_until(&event) {
            // All that waited comes in any order, as threads run again; but what one thread does stays in its order.
            let in_order = matches!(event, Event::Persisted { .. });
            let at = until + if in_order { 0 } else { self.random.below(2_000) };
            self.at(at, event);
            return Ok(());
        }
        match event {
            Event::Arrive { wire, end } => self.arrive(wire, end),
            Event::Connect { node, life, sid, port } if self.is_life(node, life) => self.connect(node, sid, port),
            Event::Tick { node, life } if self.is_life(node, life) => {
                let now = self.nodes[node].clock.now(self.now_us);
                let Some(life) = &mut self.nodes[node].life else { return Ok(()) };
                life.tick_us = u64::MAX;
                if life.server.next_wakeup_ms() <= now.mono_ms() {
                    self.note(format_args!("tick of {node}"), &[]);
                    return self.input(node, Input::Tick);
                }
                self.schedule_tick(node);
                Ok(())
            }
            Event::Journal { node, life } if self.is_life(node, life) => self.write_journal(node),
            Event::Persisted { node, life, written } if self.is_life(node, life) => {
                self.note(format_args!("{node} has written {}", written.ticket), &[]);
                self.input(node, Input::Persisted(written))
            }
            Event::Snapshot { node, life } if self.is_life(node, life) => {
                let Some(life) = &mut self.nodes[node].life else { return Ok(()) };
                life.snapshot_scheduled = false;
                if life.server.keeper().snapshot_running() {
                    return self.input(node, Input::Client(keeper_server::Input::SnapshotStep));
                }
                Ok(())
            }
            Event::SendSnapshot { node, life, conn } if self.is_life(node, life) => {
                self.input(node, Input::Quorum(QuorumInput::SnapshotStep { conn }))
            }
            Event::Client { client } => self.client_acts(client),
            Event::Accident => self.accident(),
            Event::PowerFails { node, all } if !self.quiet => {
                self.calm_since_us = None;
                (0..self.nodes.len()).filter(|other| all || *other == node).for_each(|node| self.kill(node, true));
                Ok(())
            }
            Event::Start { node } => self.start(node),
            Event::Flock { node } => self.clients_flock(node),
            _ => Ok(()),
        }
    }

    /// When the process that it is for runs again, if that stands still.
    fn stalls_until(&self, event: &Event) -> Option<u64> {
        let until = |node: &usize| self.nodes.get(*node).map(|node| node.stalls_until).filter(|&at| at > self.now_us);
        match event {
            Event::Arrive { wire, end } => self.net.wires.get(wire).and_then(|wire| until(&wire.ends[*end].place)),
            Event::Connect { node, sid, .. } => until(node).or_else(|| until(&(*sid as usize - 1))),
            Event::Tick { node, .. } | Event::Persisted { node, .. } | Event::SendSnapshot { node, .. } => until(node),
            Event::Journal { node, .. } | Event::Snapshot { node, .. } => {
                let disk = Some(self.nodes[*node].disk_stalls_until).filter(|&at| at > self.now_us);
                until(node).max(disk)
            }
            _ => None,
        }
    }

    fn is_life(&self, node: usize, life: u64) -> bool {
        self.nodes[node].lives == life && self.nodes[node].life.is_some()
    }

    /// A server starts, if it is down.
    pub(super) fn start(&mut self, node: usize) -> Check {
        if self.nodes[node].life.is_some() {
            return Ok(());
        }
        let (random, mut out) = (self.random.fork(), Vec::new());
        let (plan, now_us) = (&self.plan, self.now_us);
        match self.nodes[node].start(node, plan, now_us, random, &mut out) {
            Ok(()) => {
                self.boots += 1;
                let zxid = self.nodes[node].life.as_ref().map_or(0, |life| life.server.keeper().db().last_zxid());
                self.note(format_args!("{node} starts at {zxid:#x}"), &[]);
                let (snapshots, logged) =
                    self.nodes[node].logged().map_err(|why| format!("the logs of server {node}: {why}"))?;
                self.checks.is_one_history(node, &snapshots, &logged)?;
                self.after_step(node, out)
            }
            Err(why) if self.nodes[node].disk_bad || self.nodes[node].disk.is_spent() => {
                self.note(format_args!("{node} does not start: {why}"), &[]);
                self.nodes[node].disk.crash();
                let at = self.now_us + 500_000;
                self.at(at, Event::Start { node });
                Ok(())
            }
            Err(why) => Err(format!("server {node} does not start: {why}")),
        }
    }

    /// A server dies: its process, or with the power also what was not synced.
    pub(super) fn kill(&mut self, node: usize, power: bool) {
        if self.nodes[node].life.take().is_none() {
            return;
        }
        self.note(format_args!("{node} dies, power {power}"), &[]);
        let silence_us = if power && self.random.chance(500_000) { 3_000_000 } else { u64::from(power) };
        self.net.died(self.now_us, node, silence_us);
        (self.nodes[node].dies_after, self.nodes[node].stalls_until) = (None, 0);
        if power {
            self.nodes[node].disk.crash()
        } else {
            self.nodes[node].disk.kill()
        }
        // Some stay away until others have gone on.
        let most_us = if self.plan.harsh && self.random.chance(300_000) { 8_000_000 } else { 2_000_000 };
        let at = self.now_us + self.random.below(most_us);
        self.at(at, Event::Start { node });
    }

    /// One input to a server.
    pub(super) fn input(&mut self, node: usize, input: Input<'_>) -> Check {
        let now = self.nodes[node].clock.now(self.now_us);
        let Some(life) = &mut self.nodes[node].life else { return Ok(()) };
        let mut out = Vec::new();
        life.server.step(now, input, &mut out);
        self.after_step(node, out)
    }

    fn after_step(&mut self, node: usize, out: Vec<Output>) -> Check {
        self.observe(node, &out)?;
        for output in out {
            if let Some((left, power)) = self.nodes[node].dies_after {
                if left == 0 {
                    self.kill(node, power);
                } else {
                    self.nodes[node].dies_after = Some((left - 1, power));
                }
            }
            if self.nodes[node].life.is_none() {
                return Ok(());
            }
            self.carry_out(node, output);
        }
        self.schedule_tick(node);
        self.schedule_snapshot(node);
        Ok(())
    }

    /// How far every server is, for whoever looks for what is wrong.
    pub(super) fn describe(&self) -> String {
        let mut text = format!("committed up to {:#x}, {} epochs\n", self.checks.model.last(), self.checks.epochs());
        for (index, node) in self.nodes.iter().enumerate() {
            text += &match &node.life {
                None => format!("server {index} is down\n"),
                Some(life) => {
                    let db = life.server.keeper().db();
                    let (role, serving) = (life.server.role(), life.server.is_serving());
                    let sessions = db.sessions().len();
                    format!("server {index}: {role:?}, serves {serving}, {:#x}, {sessions} sessions\n", db.last_zxid())
                }
            };
        }
        for (index, client) in self.clients.iter().enumerate() {
            let (phase, waiting, told) = (client.phase, client.outstanding(), client.written_us);
            text += &format!("client {index}: {phase:?}, {waiting} requests wait, last change told at {told} us\n");
        }
        text
    }
}
