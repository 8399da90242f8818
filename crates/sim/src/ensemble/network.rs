//! Connections between servers, and from clients to servers: bytes come in order, late, in any portions, until the
//! connection breaks anywhere. Places are numbered: servers first, then clients.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use ottla_base::random::Random;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    Client,
    Election,
    Quorum,
}

/// What arrives next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Bytes(Vec<u8>),
    /// The other side has gone.
    Closed,
}

/// One end of a connection.
#[derive(Debug)]
pub struct End {
    pub place: usize,
    /// On its way here, and when it is there.
    queue: VecDeque<(u64, Message)>,
    /// It does not read.
    pub paused: bool,
    /// It has not closed yet.
    pub open: bool,
    /// An event will come for what is in the queue.
    scheduled: bool,
}

/// A connection: `ends[0]` made it, `ends[1]` took it.
#[derive(Debug)]
pub struct Wire {
    pub port: Port,
    pub ends: [End; 2],
    /// Of a client: its session, as the server has answered.
    pub session: i64,
    /// The epoch in which the server took the client.
    pub epoch: i64,
    /// Of a client: bytes of a frame that has not come whole.
    pub unread: Vec<u8>,
    /// Of a client, where it is, while the server has not looked: its process stood still.
    pub unseen: Option<SocketAddr>,
}

/// All of them.
#[derive(Debug)]
pub struct Network {
    pub wires: BTreeMap<u64, Wire>,
    next: u64,
    /// From where to where nothing arrives.
    blocked: BTreeSet<(usize, usize)>,
    /// Places whose connections are slow, and by how much.
    pub slow: BTreeMap<usize, u64>,
    /// Ways, in one direction, that are slow, and by how much.
    pub slow_ways: BTreeMap<(usize, usize), u64>,
    latency_us: u64,
    random: Random,
    /// Ends for which an event is to be made: when, wire, end.
    pub due: Vec<(u64, u64, usize)>,
}

impl Network {
    #[must_use]
    pub fn new(latency_us: u64, random: Random) -> Self {
        let (wires, blocked, slow, slow_ways) = Default::default();
        Self { wires, next: 1, blocked, slow, slow_ways, latency_us, random, due: Vec::new() }
    }

    /// How long something takes from here to there.
    pub fn latency(&mut self, from: usize, to: usize) -> u64 {
        let slow = self.slow.get(&from).copied().unwrap_or(0).max(self.slow.get(&to).copied().unwrap_or(0));
        let way = self.slow_ways.get(&(from, to)).copied().unwrap_or(0);
        20 + way + self.random.below(self.latency_us + slow)
    }

    #[must_use]
    pub fn is_blocked(&self, from: usize, to: usize) -> bool {
        self.blocked.contains(&(from, to))
    }

    /// Nothing arrives there from now on; what is under way waits.
    pub fn block(&mut self, from: usize, to: usize) {
        if from != to {
            self.blocked.insert((from, to));
        }
    }

    /// Everything arrives again.
    pub fn unblock_all(&mut self, now: u64) {
        self.blocked.clear();
        let wires: Vec<u64> = self.wires.keys().copied().collect();
        wires.into_iter().for_each(|wire| [0, 1].into_iter().for_each(|end| self.schedule(now, wire, end)));
    }

    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.blocked.is_empty() && self.slow.is_empty()
    }

    /// A new connection.
    pub fn connect(&mut self, port: Port, from: usize, to: usize) -> u64 {
        let end = |place| End { place, queue: VecDeque::new(), paused: false, open: true, scheduled: false };
        let wire = self.next;
        self.next += 1;
        let ends = [end(from), end(to)];
        self.wires.insert(wire, Wire { port, ends, session: 0, epoch: 0, unread: Vec::new(), unseen: None });
        wire
    }

    /// `from` (0 or 1) sends.
    pub fn send(&mut self, now: u64, wire: u64, from: usize, message: Message) {
        let Some(places) = self.wires.get(&wire).map(|wire| [wire.ends[from].place, wire.ends[1 - from].place]) else {
            return;
        };
        let at = now + self.latency(places[0], places[1]);
        self.send_at(at, wire, from, message);
    }

    fn send_at(&mut self, at: u64, wire: u64, from: usize, message: Message) {
        let Some(end) = self.wires.get_mut(&wire).map(|wire| &mut wire.ends[1 - from]) else { return };
        if end.open {
            let at = end.queue.back().map_or(at, |(last, _)| at.max(*last));
            end.queue.push_back((at, message));
            self.schedule(at, wire, 1 - from);
        }
    }

    /// One end closes when everything before was sent.
    pub fn close(&mut self, now: u64, wire: u64, from: usize) {
        self.send(now, wire, from, Message::Closed);
        self.gone(wire, from);
    }

    /// One end is no more, and takes nothing.
    fn gone(&mut self, wire: u64, which: usize) {
        let Some(found) = self.wires.get_mut(&wire) else { return };
        found.ends[which].open = false;
        found.ends[which].queue.clear();
        if !found.ends[1 - which].open {
            self.wires.remove(&wire);
        }
    }

    /// The connection breaks: any number of the bytes under way in each direction still arrive.
    pub fn break_wire(&mut self, now: u64, wire: u64) {
        for which in [0, 1] {
            let at = now + self.random.below(20_000);
            self.cut_short(wire, which);
            self.send_at(at, wire, 1 - which, Message::Closed);
        }
    }

    /// The connection breaks for one end, and the other hears of it only up to `silence_us` later: a server that connects
    /// anew, or a client, has two connections meanwhile.
    pub fn break_half(&mut self, now: u64, wire: u64, silence_us: u64) {
        let first = self.random.index(2);
        for (which, silence_us) in [(first, 20_000), (1 - first, silence_us)] {
            let at = now + self.random.below(silence_us);
            self.cut_short(wire, which);
            self.send_at(at, wire, 1 - which, Message::Closed);
        }
    }

    fn cut_short(&mut self, wire: u64, which: usize) {
        let Some(end) = self.wires.get_mut(&wire).map(|wire| &mut wire.ends[which]) else { return };
        let kept = self.random.index(end.queue.len() + 1);
        let next = end.queue.get(kept).cloned();
        end.queue.truncate(kept);
        if let Some((at, Message::Bytes(mut bytes))) = next {
            bytes.truncate(self.random.index(bytes.len() + 1));
            end.queue.push_back((at, Message::Bytes(bytes)));
        }
    }

    /// A server has died. With the power off nobody tells the others, for up to `silence_us`.
    pub fn died(&mut self, now: u64, place: usize, silence_us: u64) {
        let concerned: Vec<(u64, usize)> = self
            .wires
            .iter()
            .flat_map(|(&id, wire)| [(id, 0, wire.ends[0].place), (id, 1, wire.ends[1].place)])
            .filter(|(_, _, at)| *at == place)
            .map(|(id, end, _)| (id, end))
            .collect();
        for (wire, end) in concerned {
            if silence_us > 0 {
                self.cut_short(wire, 1 - end);
            }
            let at = now + 100 + if silence_us > 0 { self.random.below(silence_us) } else { 0 };
            self.send_at(at, wire, end, Message::Closed);
            self.gone(wire, end);
        }
    }

    /// The next thing that arrives at an end, if it is there.
    pub fn arrive(&mut self, now: u64, wire: u64, which: usize) -> Option<Message> {
        let places = self.wires.get(&wire).map(|wire| (wire.ends[1 - which].place, wire.ends[which].place))?;
        let blocked = self.is_blocked(places.0, places.1);
        let end = &mut self.wires.get_mut(&wire)?.ends[which];
        end.scheduled = false;
        if blocked || end.paused || end.queue.front().is_none_or(|(at, _)| *at > now) {
            if !blocked
                && !end.paused
                && let Some((at, _)) = end.queue.front()
            {
                let at = *at;
                self.schedule(at, wire, which);
            }
            return None;
        }
        let (at, mut message) = end.queue.pop_front()?;
        if let Message::Bytes(bytes) = &mut message
            && bytes.len() > 1
            && self.random.chance(100_000)
        {
            let rest = bytes.split_off(1 + self.random.index(bytes.len() - 1));
            end.queue.push_front((at, Message::Bytes(rest)));
        }
        if let Some(&(next, _)) = end.queue.front() {
            self.schedule(next.max(now), wire, which);
        }
        if message == Message::Closed {
            self.gone(wire, which);
        }
        Some(message)
    }

    /// Makes sure that an event comes for what is in the queue.
    pub fn schedule(&mut self, at: u64, wire: u64, which: usize) {
        let Some(end) = self.wires.get_mut(&wire).map(|wire| &mut wire.ends[which]) else { return };
        if !end.scheduled && !end.queue.is_empty() {
            end.scheduled = true;
            self.due.push((at, wire, which));
        }
    }

    /// Which end of a connection a place is.
    #[must_use]
    pub fn end_of(&self, wire: u64, place: usize) -> Option<usize> {
        let wire = self.wires.get(&wire)?;
        (0..2).find(|&end| wire.ends[end].place == place && wire.ends[end].open)
    }
}
