//! What clients do, and when: they ask, wait, lose their connection, come back elsewhere, die.

use std::net::SocketAddr;

use ottla_base::random::Random;
use ottla_keeper::ensemble::Input;
use ottla_keeper::keeper_server;
use ottla_keeper::proto::CreateMode;
use ottla_keeper::zab::QuorumVerifier;

use super::Check;
use super::client::{Ask, BASES, Phase};
use super::network::{Message, Port};
use super::plan::member;
use super::steps::Step;
use super::world::{Event, World};

impl World {
    fn place_of(&self, client: usize) -> usize {
        self.nodes.len() + client
    }

    /// A client's turn.
    pub(super) fn client_acts(&mut self, client: usize) -> Check {
        // Often enough for its pings.
        let think_us = self.plan.think_us.min(self.clients[client].timeout_ms * 250);
        let next = self.now_us + 100 + self.random.below(think_us);
        self.at(next, Event::Client { client });
        let patience_us = self.clients[client].timeout_ms * 1_000 * 2 / 3;
        let late = self.now_us.saturating_sub(self.clients[client].heard_us) > patience_us;
        match self.clients[client].phase {
            _ if self.silent => Ok(()),
            Phase::Away => {
                let node = self.random.index(self.nodes.len());
                self.client_connects(client, node)
            }
            Phase::Connecting | Phase::Connected if late => {
                self.client_leaves(client);
                Ok(())
            }
            Phase::Connecting => Ok(()),
            Phase::Connected => self.client_asks(client),
        }
    }

    /// Some clients leave where they are, and come here.
    pub(super) fn clients_flock(&mut self, node: usize) -> Check {
        for client in 0..self.clients.len() {
            if self.clients[client].phase == Phase::Connected && self.random.chance(500_000) {
                self.client_leaves(client);
                self.client_connects(client, node)?;
            }
        }
        Ok(())
    }

    fn client_connects(&mut self, client: usize, node: usize) -> Check {
        let place = self.place_of(client);
        let blocked = self.net.is_blocked(place, node) || self.net.is_blocked(node, place);
        if self.nodes[node].life.is_none() || blocked {
            return Ok(());
        }
        let conn = self.net.connect(Port::Client, place, node);
        let peer = SocketAddr::from(([127, 0, 1, client as u8 + 1], 1_000));
        self.note(format_args!("client {client} connects to {node}: {conn}"), &[]);
        if self.nodes[node].stalls_until > self.now_us {
            self.net.wires.get_mut(&conn).expect("it is new").unseen = Some(peer);
        } else {
            self.input(node, Input::Client(keeper_server::Input::Opened { conn, peer }))?;
        }
        let bytes = self.clients[client].connected(conn, self.now_us);
        self.net.send(self.now_us, conn, 0, Message::Bytes(bytes));
        Ok(())
    }

    /// The client gives its connection up; the server may hear of it at once, or not.
    fn client_leaves(&mut self, client: usize) {
        if let Some(conn) = self.clients[client].wire {
            self.note(format_args!("client {client} leaves {conn}"), &[]);
            if self.plan.harsh && self.random.chance(300_000) {
                self.net.break_half(self.now_us, conn, 3_000_000);
            } else if self.random.chance(700_000) {
                self.net.break_wire(self.now_us, conn);
            }
        }
        self.clients[client].disconnected();
    }

    fn client_asks(&mut self, client: usize) -> Check {
        let Some(conn) = self.clients[client].wire else { return Ok(()) };
        if !self.quiet && self.random.chance(self.plan.restless) {
            self.client_leaves(client);
            if self.random.chance(300_000) {
                // Dead, and another one takes its place.
                self.note(format_args!("client {client} dies"), &[]);
                self.clients[client].forget();
            }
            return Ok(());
        }
        let idle_us = self.now_us.saturating_sub(self.clients[client].sent_us);
        if idle_us > self.clients[client].timeout_ms * 1_000 / 3 {
            let bytes = self.clients[client].ping(self.now_us);
            self.net.send(self.now_us, conn, 0, Message::Bytes(bytes));
        }
        while self.clients[client].outstanding() < self.plan.pipeline && !self.clients[client].is_closing() {
            let ask = self.choose(client);
            self.send_ask(client, conn, ask);
            if self.random.chance(500_000) {
                break;
            }
        }
        Ok(())
    }

    fn choose(&mut self, client: usize) -> Ask {
        let missing = BASES.iter().find(|path| self.checks.model.at(path, i64::MAX).is_none());
        if let Some(path) = missing {
            let create = Step::Create { path: (*path).to_owned(), data: Vec::new(), mode: CreateMode::Persistent };
            return Ask::Write { steps: vec![create], multi: false };
        }
        if !self.quiet && self.random.chance(3_000) {
            return Ask::Close;
        }
        if self.plan.reconfig && !self.quiet && self.random.chance(20_000) {
            return self.choose_members();
        }
        self.clients[client].choose(&mut self.random, &mut self.histories)
    }

    /// One server or another joins, leaves or changes its role; sometimes all are named anew.
    fn choose_members(&mut self) -> Ask {
        let now = self.last_members();
        let node = self.random.index(self.nodes.len());
        let role = |random: &mut Random| if random.chance(700_000) { "participant" } else { "observer" };
        let mut change = Ask::Reconfig { joining: None, leaving: None, members: None, version: -1 };
        let Ask::Reconfig { joining, leaving, members, version } = &mut change else { return change };
        match self.random.below(8) {
            0..=3 => *joining = Some(member(node, role(&mut self.random), true).trim().to_owned()),
            4 | 5 => *leaving = Some((node + 1).to_string()),
            6 => {
                *joining = Some(member(node, role(&mut self.random), true).trim().to_owned());
                *leaving = Some((self.random.index(self.nodes.len()) + 1).to_string());
            }
            _ => {
                let some: Vec<usize> = (0..self.nodes.len()).filter(|_| self.random.chance(700_000)).collect();
                *members = Some(some.into_iter().map(|node| member(node, role(&mut self.random), true)).collect());
            }
        }
        if self.random.chance(300_000) {
            *version = now.version;
        }
        change
    }

    /// The members that were committed last.
    pub(super) fn last_members(&self) -> QuorumVerifier {
        let first = self.plan.members(0);
        QuorumVerifier::parse(self.checks.last_members().unwrap_or(&first)).expect("it was read before")
    }

    fn send_ask(&mut self, client: usize, conn: u64, ask: Ask) {
        // What comes behind a sync is often read, so that there is something to compare.
        let follows = matches!(ask, Ask::Sync) && self.random.chance(800_000);
        let epoch = self.net.wires.get(&conn).map_or(0, |wire| wire.epoch);
        self.trace_ask(client, &ask);
        let (checks, histories) = (&mut self.checks, &mut self.histories);
        let mut bytes = self.clients[client].ask(ask, epoch, checks, histories, self.now_us);
        if follows {
            let mut read = self.histories.choose(&mut self.random);
            for _ in 0..20 {
                if matches!(read, Ask::Get { .. }) {
                    break;
                }
                read = self.histories.choose(&mut self.random);
            }
            self.trace_ask(client, &read);
            let (checks, histories) = (&mut self.checks, &mut self.histories);
            bytes.extend(self.clients[client].ask(read, epoch, checks, histories, self.now_us));
        }
        self.net.send(self.now_us, conn, 0, Message::Bytes(bytes));
    }

    fn trace_ask(&mut self, client: usize, ask: &Ask) {
        self.note(format_args!("client {client} asks {ask:?}"), &[]);
    }

    /// Something arrives at a client.
    pub(super) fn client_receives(&mut self, client: usize, conn: u64, message: Message) -> Check {
        if self.clients[client].wire != Some(conn) {
            return Ok(());
        }
        match message {
            Message::Closed => {
                self.note(format_args!("client {client} sees {conn} closed"), &[]);
                self.clients[client].disconnected();
                Ok(())
            }
            Message::Bytes(bytes) => {
                self.note(format_args!("client {client} receives on {conn}"), &bytes);
                let epoch = self.net.wires.get(&conn).map_or(0, |wire| wire.epoch);
                let (checks, histories) = (&mut self.checks, &mut self.histories);
                let outcome = self.clients[client].receive(&bytes, epoch, checks, histories, self.now_us);
                outcome.map_err(|why| format!("client {client}: {why}"))?;
                if let Some(wire) = self.net.wires.get_mut(&conn) {
                    wire.session = self.clients[client].session;
                }
                Ok(())
            }
        }
    }

    /// All clients die.
    pub(super) fn clients_die(&mut self) {
        self.silent = true;
        for client in 0..self.clients.len() {
            if let Some(conn) = self.clients[client].wire {
                self.net.break_wire(self.now_us, conn);
            }
            self.clients[client].disconnected();
            self.clients[client].forget();
        }
    }
}
