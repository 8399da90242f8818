//! Time, events, and what servers want done.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ottla_base::random::Random;
use ottla_keeper::ensemble::{
    ElectionInput, ElectionOutput, Entry, Input, Job, Output, QuorumInput, QuorumOutput, Written,
};
use ottla_keeper::keeper_server;
use ottla_keeper::zab::messages::ServerState;

use super::Check;
use super::checks::Checks;
use super::client::Client;
use super::history::Histories;
use super::model::Point;
use super::network::{Message, Network, Port};
use super::plan::Plan;
use super::server::{Life, Node};
use crate::trace::Trace;
use crate::world::Summary;

/// Snapshots that a purge leaves.
const RETAINED_SNAPSHOTS: usize = 3;

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
        let plan = Plan::draw(&mut random);
        let nodes = (0..plan.servers()).map(|_| Node::new(&mut random, &plan)).collect();
        let timeouts = [4, 8, 20];
        let clients =
            (0..plan.clients).map(|_| Client::new(plan.tick_ms * timeouts[random.index(timeouts.len())])).collect();
        let mut world = Self {
            net: Network::new(plan.latency_us, random.fork()),
            nodes,
            clients,
            checks: Checks::default(),
            histories: Histories::default(),
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
        self.converge("after the accidents")?;
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
            self.now_us = at;
            self.happen(event)?;
        }
    }

    fn happen(&mut self, event: Event) -> Check {
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
            _ => Ok(()),
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
        self.nodes[node].dies_after = None;
        if power {
            self.nodes[node].disk.crash()
        } else {
            self.nodes[node].disk.kill()
        }
        let at = self.now_us + self.random.below(2_000_000);
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

    /// What must hold after each step.
    fn observe(&mut self, node: usize, out: &[Output]) -> Check {
        for output in out {
            match output {
                Output::Serving { epoch } => self.begins_to_serve(node, *epoch)?,
                Output::Journal(Entry { job: Job::Append(txns), .. }) => {
                    for txn in txns {
                        if let Some(session) = self.checks.proposed(node, txn)? {
                            self.check_expiry(node, session)?;
                        }
                    }
                }
                _ => {}
            }
        }
        let Some(life) = &mut self.nodes[node].life else { return Ok(()) };
        let db = life.server.keeper().db();
        if !life.server.is_serving() || db.last_zxid() == life.compared {
            return Ok(());
        }
        if db.last_zxid() < life.compared {
            return Err(format!("server {node} went back from {:#x} to {:#x}", life.compared, db.last_zxid()));
        }
        if db.digest_mismatches() > 0 {
            return Err(format!("server {node} finds {} digests that are not its tree's", db.digest_mismatches()));
        }
        life.compared = db.last_zxid();
        let leads = life.server.role() == ServerState::Leading;
        self.checks.applied(node, leads, life.compared, Point::of(db))
    }

    fn begins_to_serve(&mut self, node: usize, epoch: i64) -> Check {
        let now = self.nodes[node].clock.now(self.now_us);
        let Some(life) = &mut self.nodes[node].life else { return Ok(()) };
        life.compared = -1;
        life.serving_ms = now.mono_ms();
        life.heard_ms.clear();
        let (role, zxid) = (life.server.role(), life.server.keeper().db().last_zxid());
        self.note(format_args!("{node} serves epoch {epoch} from {zxid:#x} as {role:?}"), &[]);
        if !self.quiet && self.random.chance(self.plan.fragile) {
            let at = self.now_us + self.random.below(30_000);
            let all = self.random.chance(400_000);
            self.at(at, Event::PowerFails { node, all });
        }
        if role == ServerState::Leading { self.checks.leads(node, epoch, zxid) } else { Ok(()) }
    }

    /// A leader ends a session that nobody asked to be closed: its time must be over.
    fn check_expiry(&mut self, node: usize, session: i64) -> Check {
        let now = self.nodes[node].clock.now(self.now_us);
        let Some(life) = &self.nodes[node].life else { return Ok(()) };
        let timeout_ms = life.server.keeper().db().sessions().get(&session).copied().unwrap_or(0) as u64;
        let heard_ms = life.heard_ms.get(&session).copied().unwrap_or(0).max(life.serving_ms);
        let silent_ms = now.mono_ms().saturating_sub(heard_ms);
        self.note(format_args!("{node} ends session {session:#x}, silent for {silent_ms} ms"), &[]);
        if silent_ms < timeout_ms {
            return Err(format!("session {session:#x} ends after {silent_ms} of {timeout_ms} ms"));
        }
        // With a learner between: when nothing was wrong for long, the leader has heard what the learner had.
        let long_us = 2_000 * (timeout_ms + 4 * self.plan.tick_ms);
        let calm = self.calm_since_us.is_some_and(|since| since + long_us < self.now_us);
        let client = self.clients.iter().find(|client| client.session == session && !client.is_closing());
        let told_us =
            client.filter(|client| client.phase == super::client::Phase::Connected).map(|client| client.heard_us);
        if calm && told_us.is_some_and(|heard| heard + 500 * timeout_ms > self.now_us) && self.now_us > long_us {
            return Err(format!("session {session:#x} ends, though its client is connected and nothing is wrong"));
        }
        Ok(())
    }

    fn schedule_tick(&mut self, node: usize) {
        let (clock, lives, now_us) = (self.nodes[node].clock, self.nodes[node].lives, self.now_us);
        let Some(life) = &mut self.nodes[node].life else { return };
        let at = clock.when(life.server.next_wakeup_ms()).max(now_us + 1);
        if at < life.tick_us {
            life.tick_us = at;
            self.at(at, Event::Tick { node, life: lives });
        }
    }

    fn schedule_snapshot(&mut self, node: usize) {
        let lives = self.nodes[node].lives;
        let Some(life) = &mut self.nodes[node].life else { return };
        if life.server.keeper().snapshot_running() && !life.snapshot_scheduled {
            life.snapshot_scheduled = true;
            let at = self.now_us + self.disk_latency(node);
            self.at(at, Event::Snapshot { node, life: lives });
        }
    }

    fn disk_latency(&mut self, node: usize) -> u64 {
        30 + self.random.below(self.plan.disk_us + self.nodes[node].disk_slow_us)
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        match output {
            Output::Client(output) => self.client_output(node, output),
            Output::Election(ElectionOutput::Connect { sid, .. }) => self.begin_connect(node, sid, Port::Election),
            Output::Quorum(QuorumOutput::Connect { leader, .. }) => self.begin_connect(node, leader, Port::Quorum),
            Output::Election(ElectionOutput::Send { conn, bytes })
            | Output::Quorum(QuorumOutput::Send { conn, bytes }) => {
                self.send(node, conn, Message::Bytes(bytes));
            }
            Output::Election(ElectionOutput::Close { conn }) | Output::Quorum(QuorumOutput::Close { conn }) => {
                self.close(node, conn);
            }
            Output::Quorum(QuorumOutput::SnapshotBegin { conn }) => {
                self.sent_snapshots += 1;
                self.note(format_args!("{node} sends a snapshot"), &[]);
                // Steps beyond the end do nothing.
                let mut at = self.now_us;
                for _ in 0..4 {
                    at += 1 + self.random.below(30_000);
                    self.at(at, Event::SendSnapshot { node, life: self.nodes[node].lives, conn });
                }
            }
            Output::Quorum(QuorumOutput::SnapshotEnd { .. }) => {}
            Output::Journal(entry) => self.hand_hand_to_journal(node, entry),
            Output::SnapshotAborted => {
                if let Some(life) = &mut self.nodes[node].life {
                    life.snapshot = None;
                }
            }
            Output::RoleChanged(role) => self.note(format_args!("{node} is {role:?}"), &[]),
            Output::Serving { .. } | Output::ConfigSeen(_) | Output::ConfigActivated(_) => {}
        }
    }

    fn client_output(&mut self, node: usize, output: keeper_server::Output) {
        use keeper_server::Output as O;
        let outcome = match output {
            O::Send { conn, bytes } => {
                let epoch = self.nodes[node].life.as_ref().map_or(0, |life| life.server.epoch());
                if let Some(wire) = self.net.wires.get_mut(&conn) {
                    wire.epoch = epoch;
                }
                return self.send(node, conn, Message::Bytes(bytes));
            }
            O::Close { conn } => return self.close(node, conn),
            O::Pause { conn } => return self.pause(node, conn, true),
            O::Resume { conn } => return self.pause(node, conn, false),
            O::SnapshotBegin { zxid } => self.snapshot(node, |life| {
                let mut store = life.storage.snapshots();
                store.begin(zxid)?;
                life.snapshot = Some(store);
                Ok(())
            }),
            O::SnapshotChunk(bytes) => {
                self.snapshot(node, |life| life.snapshot.as_mut().map_or(Ok(()), |store| store.chunk(&bytes)))
            }
            O::SnapshotEnd => self.snapshot(node, |life| {
                if let Some(mut store) = life.snapshot.take() {
                    store.end()?;
                    // A failure leaves them where they are.
                    let _ = life.storage.purge(RETAINED_SNAPSHOTS);
                }
                Ok(())
            }),
            O::Append(_) | O::RollLog => unreachable!("not in an ensemble"),
        };
        if outcome.is_err() {
            if self.nodes[node].disk.is_spent() {
                return self.kill(node, true);
            }
            // As the real host: the snapshot is given up, the server goes on.
            if let Some(life) = &mut self.nodes[node].life {
                life.snapshot = None;
            }
        }
    }

    fn snapshot(&mut self, node: usize, part: impl FnOnce(&mut Life) -> std::io::Result<()>) -> std::io::Result<()> {
        self.nodes[node].life.as_mut().map_or(Ok(()), part)
    }

    fn pause(&mut self, node: usize, conn: u64, paused: bool) {
        let Some(end) = self.net.end_of(conn, node) else { return };
        if let Some(wire) = self.net.wires.get_mut(&conn) {
            wire.ends[end].paused = paused;
        }
        if !paused {
            self.net.schedule(self.now_us, conn, end);
        }
    }

    fn hand_hand_to_journal(&mut self, node: usize, entry: Entry) {
        self.note(format_args!("{node} wants {} written", entry.ticket), &[]);
        let at = self.now_us + self.disk_latency(node);
        let lives = self.nodes[node].lives;
        let Some(life) = &mut self.nodes[node].life else { return };
        life.journal.push_back(entry);
        if !life.journal_scheduled {
            life.journal_scheduled = true;
            self.at(at, Event::Journal { node, life: lives });
        }
    }

    /// The log's thread takes some of what waits, or all.
    fn write_journal(&mut self, node: usize) -> Check {
        let delay = self.disk_latency(node);
        let lives = self.nodes[node].lives;
        let Some(life) = &mut self.nodes[node].life else { return Ok(()) };
        let all = life.journal.len();
        let count = if all == 0 || self.random.chance(600_000) { all } else { 1 + self.random.index(all) };
        let entries: Vec<Entry> = life.journal.drain(..count).collect();
        life.journal_scheduled = !life.journal.is_empty();
        let more = life.journal_scheduled;
        match life.writer.carry_out(entries) {
            Ok(written) => {
                let at = life.persisted_us.max(self.now_us + self.random.below(500));
                life.persisted_us = at;
                if let Some(written) = written {
                    self.at(at, Event::Persisted { node, life: lives, written });
                }
                if more {
                    self.at(self.now_us + delay, Event::Journal { node, life: lives });
                }
                Ok(())
            }
            Err(_) if self.nodes[node].disk.is_spent() => {
                self.kill(node, true);
                Ok(())
            }
            Err(why) if self.nodes[node].disk_bad => {
                self.note(format_args!("{node} ends: {why}"), &[]);
                let power = self.random.chance(300_000);
                self.kill(node, power);
                Ok(())
            }
            Err(why) => Err(format!("server {node} can't write, though its disk is good: {why}")),
        }
    }

    fn send(&mut self, node: usize, conn: u64, message: Message) {
        if let Some(end) = self.net.end_of(conn, node) {
            self.net.send(self.now_us, conn, end, message);
        }
    }

    fn close(&mut self, node: usize, conn: u64) {
        if let Some(end) = self.net.end_of(conn, node) {
            self.net.close(self.now_us, conn, end);
        }
    }

    fn begin_connect(&mut self, node: usize, sid: i64, port: Port) {
        let other = sid as usize - 1;
        // A handshake; when nothing comes back the host gives up.
        let lost = self.net.is_blocked(node, other) || self.net.is_blocked(other, node);
        let wait = self.net.latency(node, other) + self.net.latency(other, node) + if lost { 500_000 } else { 0 };
        let life = self.nodes[node].lives;
        self.at(self.now_us + wait, Event::Connect { node, life, sid, port });
    }

    fn connect(&mut self, node: usize, sid: i64, port: Port) -> Check {
        let other = sid as usize - 1;
        let blocked = self.net.is_blocked(node, other) || self.net.is_blocked(other, node);
        if blocked || self.nodes[other].life.is_none() || self.random.chance(10_000) {
            return match port {
                Port::Quorum => self.input(node, Input::Quorum(QuorumInput::ConnectFailed { leader: sid })),
                _ => self.input(node, Input::Election(ElectionInput::ConnectFailed { sid })),
            };
        }
        let conn = self.net.connect(port, node, other);
        self.note(format_args!("{node} connects to {other}: {port:?} {conn}"), &[]);
        let peer = SocketAddr::from(([127, 0, 0, node as u8 + 1], 999));
        match port {
            Port::Quorum => {
                self.input(other, Input::Quorum(QuorumInput::Accepted { conn, peer }))?;
                self.input(node, Input::Quorum(QuorumInput::Connected { conn, leader: sid }))
            }
            _ => {
                self.input(other, Input::Election(ElectionInput::Accepted { conn }))?;
                self.input(node, Input::Election(ElectionInput::Connected { conn, sid }))
            }
        }
    }

    fn arrive(&mut self, conn: u64, end: usize) -> Check {
        let Some((port, place, session)) = self.net.wires.get(&conn).map(|w| (w.port, w.ends[end].place, w.session))
        else {
            return Ok(());
        };
        let Some(message) = self.net.arrive(self.now_us, conn, end) else { return Ok(()) };
        if place >= self.nodes.len() {
            return self.client_receives(place - self.nodes.len(), conn, message);
        }
        match message {
            Message::Bytes(bytes) => {
                self.note(format_args!("{place} receives on {port:?} {conn}"), &bytes);
                match port {
                    Port::Client => {
                        self.hears(place, conn, session, &bytes);
                        self.input(place, Input::Client(keeper_server::Input::Received { conn, bytes: &bytes }))
                    }
                    Port::Election => {
                        self.input(place, Input::Election(ElectionInput::Received { conn, bytes: &bytes }))
                    }
                    Port::Quorum => self.input(place, Input::Quorum(QuorumInput::Received { conn, bytes: &bytes })),
                }
            }
            Message::Closed => {
                self.note(format_args!("{place} sees {port:?} {conn} closed"), &[]);
                match port {
                    Port::Client => self.input(place, Input::Client(keeper_server::Input::Closed { conn })),
                    Port::Election => self.input(place, Input::Election(ElectionInput::Disconnected { conn })),
                    Port::Quorum => self.input(place, Input::Quorum(QuorumInput::Disconnected { conn })),
                }
            }
        }
    }

    /// A server hears of a session when a whole frame has come, on the connection that the client has now.
    fn hears(&mut self, node: usize, conn: u64, session: i64, bytes: &[u8]) {
        let now = self.nodes[node].clock.now(self.now_us);
        let Some(wire) = self.net.wires.get_mut(&conn) else { return };
        wire.unread.extend_from_slice(bytes);
        let mut whole = false;
        while let Some(len) = wire.unread.first_chunk::<4>().map(|len| 4 + u32::from_be_bytes(*len) as usize)
            && wire.unread.len() >= len
        {
            wire.unread.drain(..len);
            whole = true;
        }
        let current = self.clients.iter().any(|client| client.wire == Some(conn) && client.session == session);
        if let Some(life) = self.nodes[node].life.as_mut().filter(|_| whole && current && session != 0) {
            life.heard_ms.insert(session, now.mono_ms());
        }
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
