//! Several [`ZabPeer`]s in one thread, from one seed: their disks, connections, votes and clients, and everything that
//! can go wrong between them.

use super::checks::Checks;
use super::disk::{Disk, Write};
use crate::jute::Jute;
use crate::proto::OpCode;
use crate::txn::TxnHeader;
use crate::zab::election::ElectionTiming;
use crate::zab::messages::{LearnerRequest, Notification, PacketType, QuorumPacket, ServerState};
use crate::zab::{ConnId, Input, Output, Persist, QuorumVerifier, Txn, ZabConfig, ZabPeer};
use ottla_base::random::Random;
use ottla_base::time::Now;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// A server.
#[derive(Debug, Default)]
pub struct Node {
    pub peer: Option<ZabPeer>,
    disk: Disk,
    /// What the tree would be: everything applied.
    pub applied: Vec<Txn>,
    /// Counts lives, so that what was meant for an earlier one is let go.
    life: u64,
    /// A received snapshot, before it is installed.
    aside: Option<Vec<Txn>>,
    wakeup_us: u64,
    /// Crashes when so many outputs more were carried out.
    crash_after: Option<usize>,
    /// Writes take up to so long.
    disk_us: u64,
}

#[derive(Debug)]
enum Message {
    Packet(QuorumPacket),
    Snapshot(i64, Vec<Txn>),
    Closed,
}

#[derive(Debug)]
struct Conn {
    /// Learner and leader.
    ends: [usize; 2],
    /// For each direction (from the learner, from the leader), when its last message arrives.
    arrives_us: [u64; 2],
    held: [VecDeque<Message>; 2],
}

#[derive(Debug)]
enum Event {
    Wakeup { node: usize, life: u64 },
    Synced { node: usize, life: u64 },
    Vote { from: usize, to: usize, life: u64, notification: Notification },
    SendVoteAgain { from: usize, to: usize },
    Connect { from: usize, to: usize, life: u64 },
    Message { conn: ConnId, from_leader: bool, message: Message },
    Disconnected { conn: ConnId, node: usize, life: u64 },
    Restart { node: usize },
}

/// All servers, and the time.
pub struct World {
    pub random: Random,
    pub now_us: u64,
    pub nodes: Vec<Node>,
    pub checks: Checks,
    verifier: Arc<QuorumVerifier>,
    events: BTreeMap<(u64, u64), Event>,
    next_event: u64,
    conns: BTreeMap<ConnId, Conn>,
    next_conn: ConnId,
    /// Directions in which nothing gets through.
    blocked: BTreeSet<(usize, usize)>,
    last_votes: BTreeMap<(usize, usize), Notification>,
    vote_arrives_us: BTreeMap<(usize, usize), u64>,
    next_request: i64,
    /// Of a million votes, how many are lost with their connection.
    pub vote_loss: u32,
    /// Transactions retained for learners.
    retained: usize,
    pub trace: bool,
}

impl World {
    /// `voters` servers with votes and `observers` without, all with empty disks.
    pub fn new(seed: u64, voters: usize, observers: usize) -> Self {
        let config: String = (0..voters + observers)
            .map(|i| format!("server.{i}=h:1:2:{}\n", if i < voters { "participant" } else { "observer" }))
            .collect();
        let mut random = Random::new(seed);
        let retained = [2, 8, 500][random.index(3)];
        // Slow disks: much is said while it is not written yet.
        let disk_us = [4_000, 4_000, 80_000, 400_000][random.index(4)];
        let mut world = Self {
            now_us: 1_000_000,
            nodes: (0..voters + observers).map(|_| Node { disk_us, ..Node::default() }).collect(),
            checks: Checks::new(seed, voters + observers),
            verifier: Arc::new(QuorumVerifier::parse(&config).expect("a good configuration")),
            events: BTreeMap::new(),
            next_event: 0,
            conns: BTreeMap::new(),
            next_conn: 1,
            blocked: BTreeSet::new(),
            last_votes: BTreeMap::new(),
            vote_arrives_us: BTreeMap::new(),
            next_request: 1,
            vote_loss: 0,
            retained,
            trace: std::env::var_os("OTTLA_ZAB_TRACE").is_some(),
            random,
        };
        for node in 0..voters + observers {
            let delay_us = world.random.below(300_000);
            world.after(delay_us, Event::Restart { node });
        }
        world
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    fn now(&self) -> Now {
        Now { mono_us: self.now_us, wall_ms: (self.now_us / 1_000) as i64 }
    }

    fn after(&mut self, delay_us: u64, event: Event) {
        self.at(self.now_us + delay_us, event);
    }

    fn at(&mut self, at_us: u64, event: Event) {
        self.next_event += 1;
        self.events.insert((at_us, self.next_event), event);
    }

    /// Runs until a moment.
    pub fn run_until(&mut self, until_us: u64) {
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > until_us {
                break;
            }
            let ((at_us, _), event) = entry.remove_entry();
            self.now_us = at_us;
            self.happen(event);
        }
        self.now_us = until_us;
    }

    pub fn run_for_ms(&mut self, ms: u64) {
        self.run_until(self.now_us + ms * 1_000);
    }

    fn alive(&self, node: usize, life: u64) -> bool {
        self.nodes[node].peer.is_some() && self.nodes[node].life == life
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wakeup { node, life } if self.alive(node, life) && self.nodes[node].wakeup_us == self.now_us => {
                self.nodes[node].wakeup_us = 0;
                self.step(node, Input::Tick);
            }
            Event::Synced { node, life } if self.alive(node, life) => self.synced(node),
            Event::Vote { from, to, life, notification }
                if self.nodes[from].life == life && !self.blocked.contains(&(from, to)) =>
            {
                self.step(to, Input::Notification { from: from as i64, notification });
            }
            Event::SendVoteAgain { from, to } => {
                if let Some(notification) = self.last_votes.get(&(from, to)).cloned() {
                    self.send_vote(from, to, notification);
                }
            }
            Event::Connect { from, to, life } if self.alive(from, life) => self.connect(from, to),
            Event::Message { conn, from_leader, message } => self.arrive(conn, from_leader, message),
            Event::Disconnected { conn, node, life } if self.alive(node, life) => {
                self.step(node, Input::Disconnected { conn });
            }
            Event::Restart { node } => self.restart(node),
            _ => {}
        }
    }

    /// Some of what is unsynced is on disk now.
    fn synced(&mut self, node: usize) {
        let count = self.nodes[node].disk.unsynced.len();
        let batch = if count == 0 { return } else { 1 + self.random.index(count) };
        let mut last = 0;
        for _ in 0..batch {
            if let Some((ticket, write)) = self.nodes[node].disk.unsynced.pop_front() {
                self.nodes[node].disk.apply(write);
                last = ticket;
            }
        }
        self.schedule_sync(node);
        self.step(node, Input::Persisted { ticket: last });
    }

    fn schedule_sync(&mut self, node: usize) {
        if !self.nodes[node].disk.unsynced.is_empty() {
            let delay_us = 200 + self.random.below(self.nodes[node].disk_us);
            let life = self.nodes[node].life;
            self.after(delay_us, Event::Synced { node, life });
        }
    }

    pub fn restart(&mut self, node: usize) {
        if self.nodes[node].peer.is_some() {
            return;
        }
        let disk = &self.nodes[node].disk;
        let restored = disk.restored(self.retained);
        let applied = disk.snapshot.iter().chain(&disk.log).cloned().collect();
        let config = ZabConfig {
            sid: node as i64,
            tick_time_ms: 400,
            init_limit: 5,
            sync_limit: 3,
            commit_log_count: self.retained,
            election: ElectionTiming { finalize_wait_ms: 100, ..ElectionTiming::default() },
            verifier: Arc::clone(&self.verifier),
        };
        self.log(node, &format!("restart at {:#x}", restored.last_zxid));
        self.checks.restarted(node);
        let mut out = Vec::new();
        let peer = ZabPeer::new(config, restored, self.now(), &mut out);
        let this = &mut self.nodes[node];
        (this.peer, this.applied, this.aside, this.wakeup_us) = (Some(peer), applied, None, 0);
        self.carry_out(node, out);
        // Everybody connects again, and sends the last vote.
        for other in 0..self.len() {
            self.after(20_000, Event::SendVoteAgain { from: other, to: node });
        }
    }

    /// A crash: any number of unsynced writes may have reached the disk, in order.
    pub fn crash(&mut self, node: usize) {
        if self.nodes[node].peer.take().is_none() {
            return;
        }
        self.log(node, "crash");
        let kept = self.random.index(self.nodes[node].disk.unsynced.len() + 1);
        let this = &mut self.nodes[node];
        this.life += 1;
        this.crash_after = None;
        let unsynced = std::mem::take(&mut this.disk.unsynced);
        for (_, write) in unsynced.into_iter().take(kept) {
            this.disk.apply(write);
        }
        self.last_votes.retain(|(from, _), _| *from != node);
        let conns: Vec<ConnId> =
            self.conns.iter().filter(|(_, conn)| conn.ends.contains(&node)).map(|(id, _)| *id).collect();
        for conn in conns {
            self.break_conn(conn);
        }
        let down_us = 50_000 + self.random.below(4_000_000);
        self.after(down_us, Event::Restart { node });
    }

    /// Crashes in the middle of its next step.
    pub fn crash_soon(&mut self, node: usize) {
        self.nodes[node].crash_after = Some(self.random.index(4));
    }

    /// Nothing crashes by itself any more.
    pub fn spare_all(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.crash_after = None);
    }

    pub fn set_disk_us(&mut self, node: usize, disk_us: u64) {
        self.nodes[node].disk_us = disk_us;
    }

    /// Nothing gets from one to the other any more; what is on its way waits.
    pub fn block(&mut self, from: usize, to: usize) {
        self.blocked.insert((from, to));
    }

    /// Everything gets through again, and what waited with it, or the connection breaks.
    pub fn heal(&mut self) {
        self.blocked.clear();
        let held: Vec<ConnId> =
            self.conns.iter().filter(|(_, c)| c.held.iter().any(|held| !held.is_empty())).map(|(id, _)| *id).collect();
        for id in held {
            if self.random.chance(500_000) {
                self.break_conn(id);
                continue;
            }
            let Some(conn) = self.conns.get_mut(&id) else { continue };
            let [from_learner, from_leader] = std::mem::take(&mut conn.held);
            for (queue, from_leader) in [(from_learner, false), (from_leader, true)] {
                // Before what is still on its way.
                for message in queue {
                    self.arrive(id, from_leader, message);
                }
            }
        }
        for from in 0..self.len() {
            for to in 0..self.len() {
                self.after(30_000, Event::SendVoteAgain { from, to });
            }
        }
    }

    /// Some connection breaks.
    pub fn break_some_conn(&mut self) {
        let count = self.conns.len();
        if count > 0 {
            let index = self.random.index(count);
            if let Some(id) = self.conns.keys().nth(index).copied() {
                self.break_conn(id);
            }
        }
    }

    /// Both ends hear of it, now or later, unless they can't: then their own timeouts must do.
    fn break_conn(&mut self, id: ConnId) {
        let Some(conn) = self.conns.remove(&id) else { return };
        for (end, other) in [(conn.ends[0], conn.ends[1]), (conn.ends[1], conn.ends[0])] {
            if !self.blocked.contains(&(other, end)) {
                let delay_us = self.random.below(20_000);
                let life = self.nodes[end].life;
                self.after(delay_us, Event::Disconnected { conn: id, node: end, life });
            }
        }
    }

    fn connect(&mut self, from: usize, to: usize) {
        let reachable =
            self.nodes[to].peer.is_some() && !self.blocked.contains(&(from, to)) && !self.blocked.contains(&(to, from));
        if !reachable {
            self.step(from, Input::ConnectFailed { leader: to as i64 });
            return;
        }
        let id = self.next_conn;
        self.next_conn += 1;
        let arrives_us = [self.now_us; 2];
        self.conns.insert(id, Conn { ends: [from, to], arrives_us, held: Default::default() });
        self.step(to, Input::Accepted { conn: id });
        if self.nodes[from].peer.is_some() {
            self.step(from, Input::Connected { leader: to as i64, conn: id });
        }
    }

    fn send(&mut self, id: ConnId, from_leader: bool, message: Message) {
        let delay_us = 200 + self.random.below(5_000);
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let arrives_us = &mut conn.arrives_us[usize::from(from_leader)];
        *arrives_us = (self.now_us + delay_us).max(*arrives_us);
        let at_us = *arrives_us;
        self.at(at_us, Event::Message { conn: id, from_leader, message });
    }

    fn arrive(&mut self, id: ConnId, from_leader: bool, message: Message) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let (from, to) = if from_leader { (conn.ends[1], conn.ends[0]) } else { (conn.ends[0], conn.ends[1]) };
        let held = &mut conn.held[usize::from(from_leader)];
        if self.blocked.contains(&(from, to)) || !held.is_empty() {
            held.push_back(message);
            return;
        }
        match message {
            Message::Packet(packet) => {
                // Everything goes over the wire as bytes.
                let mut bytes = Vec::new();
                packet.write(&mut bytes);
                let decoded = QuorumPacket::decode(&bytes, 1 << 20).expect("what we write we read");
                assert_eq!(decoded, Some((packet.clone(), bytes.len())));
                self.step(to, Input::Packet { conn: id, packet });
            }
            Message::Snapshot(zxid, content) => {
                let packet = QuorumPacket::new(PacketType::Snap, zxid);
                self.step(to, Input::Packet { conn: id, packet });
                self.nodes[to].aside = Some(content);
                self.step(to, Input::SnapshotReceived { conn: id });
            }
            Message::Closed => {
                self.conns.remove(&id);
                self.step(to, Input::Disconnected { conn: id });
            }
        }
    }

    fn send_vote(&mut self, from: usize, to: usize, notification: Notification) {
        if self.nodes[from].peer.is_none() {
            return;
        }
        self.last_votes.insert((from, to), notification.clone());
        if self.random.chance(self.vote_loss) {
            self.after(150_000, Event::SendVoteAgain { from, to });
            return;
        }
        let delay_us = 200 + self.random.below(8_000);
        let arrives_us = self.vote_arrives_us.entry((from, to)).or_insert(0);
        *arrives_us = (self.now_us + delay_us).max(*arrives_us);
        let at_us = *arrives_us;
        let life = self.nodes[from].life;
        self.at(at_us, Event::Vote { from, to, life, notification });
    }

    /// One step of a server, carried out by its host.
    fn step(&mut self, node: usize, input: Input) {
        let now = self.now();
        let Some(peer) = self.nodes[node].peer.as_mut() else { return };
        if self.trace {
            println!("{:>9} server {node} <- {input:?}", now.mono_us);
        }
        let mut out = Vec::new();
        peer.step(now, input, &mut out);
        self.carry_out(node, out);
    }

    fn carry_out(&mut self, node: usize, out: Vec<Output>) {
        for output in out {
            if self.nodes[node].peer.is_none() {
                return;
            }
            if let Some(left) = self.nodes[node].crash_after.as_mut() {
                if *left == 0 {
                    self.crash(node);
                    return;
                }
                *left -= 1;
            }
            if self.trace {
                println!("{:>9} server {node} -> {output:?}", self.now_us);
            }
            self.carry_out_one(node, output);
        }
        let this = &self.nodes[node];
        let Some(peer) = this.peer.as_ref() else { return };
        let wakeup_us = (peer.next_wakeup_ms() * 1_000).max(self.now_us + 1_000);
        if wakeup_us != this.wakeup_us {
            let life = this.life;
            self.nodes[node].wakeup_us = wakeup_us;
            self.at(wakeup_us, Event::Wakeup { node, life });
        }
    }

    fn carry_out_one(&mut self, node: usize, output: Output) {
        match output {
            Output::Notify { to, notification } => self.send_vote(node, to as usize, notification),
            Output::Connect { leader } => {
                let (delay_us, life) = (500 + self.random.below(5_000), self.nodes[node].life);
                self.after(delay_us, Event::Connect { from: node, to: leader as usize, life });
            }
            Output::Send { conn, packet } => self.send_from(node, conn, Message::Packet(packet)),
            Output::ReadLog { conn, from } => {
                // Longer than is allowed, now and then.
                let short = self.random.chance(700_000);
                let txns = self.nodes[node].applied.iter().filter(|txn| short && txn.zxid >= from).cloned().collect();
                self.step(node, Input::LogRead { conn, txns });
            }
            Output::SendSnapshot { conn, zxid } => {
                let content = self.nodes[node].applied.clone();
                assert!(content.last().is_none_or(|txn| txn.zxid <= zxid));
                self.send_from(node, conn, Message::Snapshot(zxid, content));
            }
            Output::Close { conn } => self.send_from(node, conn, Message::Closed),
            Output::Persist { ticket, what } => self.persist(node, ticket, what),
            Output::Deliver(txn) => {
                self.nodes[node].applied.push(txn);
                self.checks.delivered(node, &self.nodes[node].applied);
            }
            Output::StateChanged(state) => {
                self.log(node, &format!("{state:?}"));
                self.checks.not_serving(node);
            }
            Output::Serving { epoch, .. } => {
                let this = &self.nodes[node];
                let leads = this.peer.as_ref().is_some_and(|peer| peer.leader().is_some());
                self.log(node, &format!("serves in epoch {epoch}"));
                self.checks.serving(node, leads.then_some(epoch), &self.nodes[node].applied);
            }
            Output::Request { conn, request, .. } if request.is_sync() => {
                self.step(
                    node,
                    match request.session_id {
                        0 => Input::ConfirmedRead { conn: Some(conn) },
                        _ => Input::Sync { conn: Some(conn) },
                    },
                );
            }
            Output::Request { request, .. } => self.propose(node, request.session_id),
            Output::Synced => self.checks.synced(node, &self.nodes[node].applied),
            Output::ConfigSeen(_) | Output::ConfigActivated(_) => panic!("nobody changes the members"),
            Output::Revalidate { conn, session_id, .. } => {
                self.step(node, Input::Revalidated { conn, session_id, valid: session_id % 2 == 0 });
            }
            Output::Revalidated { session_id, valid } => assert_eq!(valid, session_id % 2 == 0),
            Output::Touch { session_id, timeout_ms } => assert_eq!(session_id, i64::from(timeout_ms)),
        }
    }

    fn send_from(&mut self, node: usize, conn: ConnId, message: Message) {
        let from_leader = self.conns.get(&conn).is_some_and(|conn| conn.ends[1] == node);
        self.send(conn, from_leader, message);
    }

    fn persist(&mut self, node: usize, ticket: u64, what: Persist) {
        let this = &mut self.nodes[node];
        let write = match what {
            Persist::Truncate { zxid } => {
                this.applied.retain(|txn| txn.zxid <= zxid);
                self.checks.replaced(node, this.applied.len());
                Write::Plain(what)
            }
            Persist::Snapshot { zxid } => {
                let content = this.aside.take().expect("a snapshot was received");
                this.applied.clone_from(&content);
                self.checks.replaced(node, 0);
                Write::Snapshot(zxid, content)
            }
            what => Write::Plain(what),
        };
        let idle = this.disk.unsynced.is_empty();
        this.disk.unsynced.push_back((ticket, write));
        if idle {
            self.schedule_sync(node);
        }
    }

    /// The leader's host decides a request.
    fn propose(&mut self, node: usize, request: i64) {
        let Some(leader) = self.nodes[node].peer.as_ref().and_then(ZabPeer::leader) else { return };
        let zxid = leader.last_proposed() + 1;
        let header = TxnHeader { client_id: request, zxid, ..TxnHeader::default() };
        self.step(node, Input::Propose(Txn { zxid, data: header.to_bytes().into() }));
    }

    /// A client of this server asks for a change.
    pub fn request(&mut self, node: usize) {
        let request = self.next_request;
        self.next_request += 1;
        match self.nodes[node].peer.as_ref() {
            Some(peer) if peer.is_serving() && peer.leader().is_some() => self.propose(node, request),
            Some(peer) if peer.is_serving() => self.step(node, Input::Forward(forwarded(request, OpCode::Create))),
            _ => {}
        }
    }

    /// A client of this server asks for a `sync`, touches its session and asks for another.
    pub fn sync(&mut self, node: usize) {
        let Some(peer) = self.nodes[node].peer.as_ref().filter(|peer| peer.is_serving()) else { return };
        let leads = peer.leader().is_some();
        let epoch = peer.journal().current_epoch();
        // Every other server asks for confirmed reads only.
        let confirmed = node.is_multiple_of(2);
        if confirmed {
            self.checks.confirmed_read_asked(node);
        } else {
            self.checks.sync_asked(node, epoch);
        }
        if leads && confirmed {
            self.step(node, Input::ConfirmedRead { conn: None });
        } else if leads {
            self.step(node, Input::Sync { conn: None });
        } else {
            self.step(node, Input::Touch { session_id: 9, timeout_ms: 9 });
            self.step(node, Input::Revalidate { session_id: self.next_request, timeout_ms: 1 });
            self.step(node, Input::Forward(forwarded(i64::from(!confirmed), OpCode::Sync)));
        }
    }

    /// The server that leads an established epoch, if all servers follow it.
    pub fn united_under(&self) -> Option<usize> {
        let leader = self.nodes.iter().position(|node| {
            node.peer.as_ref().is_some_and(|peer| peer.state() == ServerState::Leading && peer.is_serving())
        })?;
        let united = self.nodes.iter().all(|node| {
            node.peer.as_ref().is_some_and(|peer| peer.is_serving() && peer.leader_sid() == Some(leader as i64))
        });
        united.then_some(leader)
    }

    pub fn log(&self, node: usize, what: &str) {
        if self.trace {
            println!("{:>9} server {node}: {what}", self.now_us);
        }
    }
}

fn forwarded(session_id: i64, op: OpCode) -> LearnerRequest {
    LearnerRequest { session_id, cxid: 1, op: op.code(), body: Arc::from([]), auth: Vec::new() }
}
