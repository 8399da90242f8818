//! One run: a node that lives and dies, and its clients. Everything that happens is an act, chosen by the seed.

mod lives;

use std::fmt;

use ottla_base::random::Random;
use ottla_base::sim_disk::SimDisk;
use ottla_base::time::Now;
use ottla_broker::reply::Reply;
use ottla_broker::request::ConnectionInfo;
use ottla_protocol::{ApiKey, Frame, response_head};

use crate::clients::admin::Admin;
use crate::clients::committer::Committer;
use crate::clients::consumer::Consumer;
use crate::clients::keeper_client::KeeperClient;
use crate::clients::member::Member;
use crate::clients::producer::Producer;
use crate::clients::{Call, Client, Context, Outcome};
use crate::model::history::History;
use crate::model::{Check, Death, Model};
use crate::node::{Late, Node, Over, Task, connection};
use crate::plan::Plan;
use crate::trace::Trace;
use crate::verify;

/// How long a node may take until it serves clients, when nothing fails.
const READY_MS: u64 = 120_000;

/// What is to go wrong in one life of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It stops in good order, after so many acts.
    Stop(u64),
    /// It dies between two acts.
    Die(u64, Death),
    /// It dies between two calls to the disk, or in the midst of one.
    DieInCall(Death),
    /// The disk refuses some calls, and later the power goes.
    Faulty(u64),
}

/// A request under way.
#[derive(Debug)]
struct Waiting {
    key: ApiKey,
    version: i16,
    late: Late,
    /// The answer, on its way to the client.
    arrived: Option<Frame>,
    closed: bool,
    /// The directory of the partition was offline already.
    poisoned: bool,
}

#[derive(Debug)]
struct Slot {
    name: String,
    client: Box<dyn Client>,
    connection: ConnectionInfo,
    waiting: Option<Waiting>,
    next_ms: u64,
    pause_ms: u64,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Client(usize),
    Deliver(usize),
    KeeperClient(usize),
    KeeperOp(usize),
    Task(Task),
    Control,
    Link,
    KeeperRead(u64),
    Journal,
    Snapshot,
    KeeperTick,
}

/// What a run was, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub acts: u64,
    pub boots: u64,
    pub requests: u64,
    pub zxid: i64,
    pub hash: u64,
    /// Simulated seconds.
    pub seconds: u64,
}

/// The run.
pub struct World {
    plan: Plan,
    random: Random,
    disk: SimDisk,
    now: Now,
    node: Option<Node>,
    fate: Fate,
    lives: u64,
    acts: u64,
    acts_of_life: u64,
    booted_ms: u64,
    was_ready: bool,
    /// A disk fault was ordered in this life.
    faulty: bool,
    model: Model,
    history: History,
    slots: Vec<Slot>,
    keeper_clients: Vec<(KeeperClient, u64)>,
    next_connection: u64,
    requests: u64,
    /// No faults any more: the run is about to end.
    calm: bool,
    trace: Trace,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "World({} acts, {} lives)", self.acts, self.lives)
    }
}

impl World {
    /// A world made from `seed`; nothing has happened yet.
    #[must_use]
    pub fn new(seed: u64, print: bool) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::draw(&mut random);
        Self::with_plan(plan, random, print)
    }

    /// A world whose plan was made by hand.
    #[must_use]
    pub fn with_plan(plan: Plan, mut random: Random, print: bool) -> Self {
        let disk = SimDisk::new(random.next_u64());
        let mut world = Self {
            model: Model::new(plan.flush),
            history: History::new(plan.keeper_storage.extended_types),
            now: Now { mono_us: 1_000_000, wall_ms: 1_760_000_000_000 },
            disk,
            node: None,
            fate: Fate::Stop(0),
            lives: 0,
            acts: 0,
            acts_of_life: 0,
            booted_ms: 0,
            was_ready: false,
            faulty: false,
            slots: Vec::new(),
            keeper_clients: Vec::new(),
            next_connection: 1,
            requests: 0,
            calm: false,
            trace: Trace::new(print),
            plan,
            random,
        };
        world.add_clients();
        world
    }

    fn add_clients(&mut self) {
        let mut clients: Vec<(String, Box<dyn Client>, u64)> = vec![("admin".into(), Box::new(Admin::default()), 200)];
        for i in 0..self.plan.producers {
            let idempotent = self.random.chance(600_000);
            clients.push((format!("producer-{i}"), Box::new(Producer::new(idempotent)), 10));
        }
        for i in 0..self.plan.consumers {
            clients.push((format!("consumer-{i}"), Box::<Consumer>::default(), 10));
        }
        clients.push(("committer".into(), Box::new(Committer::new("g-simple", 0)), 60));
        for i in 0..self.plan.group_members {
            clients.push((format!("member-{i}"), Box::new(Member::new("g-members", i as i32)), 80));
        }
        for (name, client, pause_ms) in clients {
            let connection = self.new_connection();
            self.slots.push(Slot { name, client, connection, waiting: None, next_ms: 0, pause_ms });
        }
        for i in 0..self.plan.keeper_clients {
            let timeout_ms = 2_000 + self.random.below(8_000) as u32;
            self.keeper_clients.push((KeeperClient::new(i, timeout_ms), 0));
        }
    }

    fn new_connection(&mut self) -> ConnectionInfo {
        self.next_connection += 1;
        connection(self.next_connection, "PLAINTEXT")
    }

    /// Runs to the end, or to the first broken promise.
    pub fn run(&mut self) -> Result<Summary, String> {
        while self.acts < self.plan.acts {
            self.step()?;
        }
        self.finish()?;
        let zxid = self.history.synced;
        Ok(Summary {
            acts: self.acts,
            boots: self.lives,
            requests: self.requests,
            zxid,
            hash: self.trace.hash(),
            seconds: self.now.mono_us / 1_000_000,
        })
    }

    /// One act, or the passing of time.
    fn step(&mut self) -> Check {
        self.acts += 1;
        self.acts_of_life += 1;
        if self.node.is_none() {
            return self.boot();
        }
        let acts = self.possible_acts();
        if acts.is_empty() || self.random.chance(20_000) {
            self.pass_time();
        } else {
            let act = acts[self.random.index(acts.len())];
            self.carry_out(act)?;
        }
        self.after_act()
    }

    fn possible_acts(&self) -> Vec<Act> {
        let Some(node) = &self.node else { return Vec::new() };
        let now_ms = self.now.mono_ms();
        let mut acts: Vec<Act> = node.due(self.now).into_iter().map(Act::Task).collect();
        if node.has_control_input() {
            acts.push(Act::Control);
        }
        if node.link_ready(self.now) {
            acts.push(Act::Link);
        }
        acts.extend(node.keeper.readable().into_iter().map(Act::KeeperRead));
        if node.keeper.has_journal_work() {
            acts.push(Act::Journal);
        }
        if node.keeper.has_snapshot_work() {
            acts.push(Act::Snapshot);
        }
        if node.keeper.tick_due(self.now) {
            acts.push(Act::KeeperTick);
        }
        for (i, (client, next_ms)) in self.keeper_clients.iter().enumerate() {
            if client.is_ready(&node.keeper, self.now) {
                acts.push(Act::KeeperClient(i));
            }
            if client.is_idle() && *next_ms <= now_ms && !self.calm {
                acts.push(Act::KeeperOp(i));
            }
        }
        for (i, slot) in self.slots.iter().enumerate() {
            match &slot.waiting {
                Some(waiting) if waiting.arrived.is_some() || waiting.closed || waiting.late.has_come() => {
                    acts.push(Act::Deliver(i));
                }
                None if node.ready && slot.next_ms <= now_ms && !self.calm => acts.push(Act::Client(i)),
                _ => {}
            }
        }
        acts
    }

    fn pass_time(&mut self) {
        let mut us = 200 + self.random.below(5_000);
        if self.random.chance(2_000) && !self.calm {
            us = 1_000_000 * (1 + self.random.below(60));
        } else if let Some(node) = &self.node {
            // To the next thing that is due, when nothing else is going on.
            let clients = self.slots.iter().filter(|slot| slot.waiting.is_none()).map(|slot| slot.next_ms);
            let keeper_clients =
                self.keeper_clients.iter().flat_map(|(client, next)| client.next_ping_ms().into_iter().chain([*next]));
            let next = clients.chain(keeper_clients).chain([node.next_due_ms()]).min().unwrap_or(0);
            let wait_us = (next * 1_000).saturating_sub(self.now.mono_us);
            us = us.max(wait_us.min(100_000));
        }
        self.pass(us);
    }

    fn pass(&mut self, us: u64) {
        self.now.mono_us += us;
        self.now.wall_ms = 1_760_000_000_000 + (self.now.mono_us / 1_000) as i64;
        self.disk.set_time_ms(self.now.wall_ms);
    }

    fn carry_out(&mut self, act: Act) -> Check {
        self.trace.add(format_args!("{} {act:?}", self.now.mono_us), &[]);
        let now = self.now;
        let Some(node) = &mut self.node else { return Ok(()) };
        match act {
            Act::Task(task) => node.run(task, now),
            Act::Control => node.run_control(now),
            Act::Link if self.random.chance(1_000) && !self.calm => node.cut_link(now),
            Act::Link => node.run_link(now),
            Act::KeeperRead(conn) => node.keeper.read(now, conn, &mut self.random),
            Act::Journal => node.keeper.run_journal(now, &mut self.random),
            Act::Snapshot => node.keeper.run_snapshot(now),
            Act::KeeperTick => node.keeper.tick(now),
            Act::KeeperClient(i) => {
                let cut = self.random.chance(5_000) && !self.calm;
                let client = &mut self.keeper_clients[i].0;
                let done = if cut { client.cut(&mut node.keeper, now) } else { client.run(&mut node.keeper, now) };
                done.map_err(|e| format!("keeper client {i}: {e}"))?;
            }
            Act::KeeperOp(i) => {
                let (client, next_ms) = &mut self.keeper_clients[i];
                client.act(&mut self.random);
                *next_ms = now.mono_ms() + self.random.below(40);
            }
            Act::Client(i) => self.ask(i),
            Act::Deliver(i) => self.deliver(i)?,
        }
        Ok(())
    }

    /// A client sends its next request.
    fn ask(&mut self, i: usize) {
        let slot = &mut self.slots[i];
        slot.next_ms = self.now.mono_ms() + self.random.below(2 * slot.pause_ms);
        let mut cx = Context { now: self.now, random: &mut self.random, model: &mut self.model };
        let Some(mut call) = slot.client.call(&mut cx) else { return };
        let Some(node) = &self.node else { return };
        self.requests += 1;
        let poisoned = call.writes_to.is_some_and(|(topic, partition)| is_offline(node, topic, partition));
        let late = Late::default();
        self.trace.add(format_args!("{} asks {:?} v{}", slot.name, call.key, call.version), &call.frame);
        let reply = node.handle(self.now, &mut call.frame, &mut slot.connection, &late);
        let Call { key, version, .. } = call;
        let mut waiting = Waiting { key, version, late, arrived: None, closed: false, poisoned };
        match reply {
            Reply::Now(frame) => waiting.arrived = Some(frame),
            Reply::Later => {}
            Reply::None | Reply::Close(_) => waiting.closed = true,
        }
        slot.waiting = Some(waiting);
    }

    /// An answer arrives at its client, or is lost with the connection.
    fn deliver(&mut self, i: usize) -> Check {
        let lost = self.random.chance(15_000);
        let fresh = lost.then(|| self.new_connection());
        let slot = &mut self.slots[i];
        let Some(mut waiting) = slot.waiting.take() else { return Ok(()) };
        match waiting.late.take() {
            Some(Reply::Now(frame)) => waiting.arrived = Some(frame),
            Some(_) => waiting.closed = true,
            None => {}
        }
        let bytes = waiting.arrived.take().and_then(|frame| frame.into_bytes().ok());
        let mut cx = Context { now: self.now, random: &mut self.random, model: &mut self.model };
        let Some(bytes) = bytes.filter(|_| !lost) else {
            if let Some(fresh) = fresh {
                slot.connection = fresh;
            }
            // Produce with acks=0 has no answer; that the broker refused a good request shows in what clients get done.
            self.trace.add(format_args!("{} hears nothing of {:?}", slot.name, waiting.key), &[]);
            return slot.client.outcome(&mut cx, Outcome::Lost).map_err(|e| format!("{}: {e}", slot.name));
        };
        self.trace.add(format_args!("{} hears of {:?}", slot.name, waiting.key), &bytes);
        let (_, body) = response_head(&bytes[4..], waiting.key, waiting.version).map_err(|e| e.to_string())?;
        if waiting.poisoned && waiting.key == ApiKey::Produce {
            verify::refused_by_storage(body.rest(), waiting.version)?;
        }
        let outcome = Outcome::Body(body.rest(), waiting.version);
        slot.client.outcome(&mut cx, outcome).map_err(|e| format!("{}: {e}", slot.name))
    }

    /// What has come of an act: the end of the node, or its readiness.
    fn after_act(&mut self) -> Check {
        if let Some(node) = &mut self.node {
            self.history.decided(node.keeper.take_decided());
        }
        if self.disk.is_spent() {
            // The call that failed is where the node died: whatever it did since has not happened.
            let death = if let Fate::DieInCall(death) = self.fate { death } else { Death::Power };
            return self.die(death);
        }
        let Some(node) = &self.node else { return Ok(()) };
        self.history.synced = self.history.synced.max(node.keeper.persisted_zxid);
        match (&node.over, &node.keeper.failed) {
            (Some(Over::Failed(why)), _) | (_, Some(why)) => {
                if !self.faulty {
                    return Err(format!("the node failed on a good disk: {why}"));
                }
                return self.die(Death::Power);
            }
            (Some(Over::Stopped), None) => return self.stopped(),
            (None, None) => {}
        }
        if node.ready && !self.was_ready {
            self.was_ready = true;
            self.on_ready()?;
        }
        if !self.was_ready && !self.faulty && self.now.mono_ms() > self.booted_ms + READY_MS {
            return Err(format!("the node does not get ready within {READY_MS} ms"));
        }
        match self.fate {
            Fate::Stop(acts) if self.acts_of_life == acts && self.was_ready => {
                if let Some(node) = &mut self.node {
                    node.shut_down(self.now);
                }
                Ok(())
            }
            Fate::Die(acts, death) if self.acts_of_life >= acts => self.die(death),
            Fate::Faulty(acts) if self.acts_of_life >= acts => self.die(Death::Power),
            _ => Ok(()),
        }
    }
}

fn is_offline(node: &Node, topic: &str, partition: i32) -> bool {
    let tp = ottla_base::ids::TopicPartition::new(topic, partition);
    let logs = node.broker.replicas.logs();
    logs.get_log(&tp).is_some_and(|log| log.lock().log_dir().is_offline())
}
