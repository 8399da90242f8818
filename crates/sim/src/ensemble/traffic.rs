//! Connections between servers, and what arrives at them.

use std::net::SocketAddr;

use ottla_keeper::ensemble::{ElectionInput, Input, QuorumInput};
use ottla_keeper::keeper_server;

use super::Check;
use super::network::{Message, Port};
use super::world::{Event, World};

impl World {
    pub(super) fn send(&mut self, node: usize, conn: u64, message: Message) {
        if let Some(end) = self.net.end_of(conn, node) {
            self.net.send(self.now_us, conn, end, message);
        }
    }

    pub(super) fn close(&mut self, node: usize, conn: u64) {
        if let Some(end) = self.net.end_of(conn, node) {
            self.net.close(self.now_us, conn, end);
        }
    }

    pub(super) fn begin_connect(&mut self, node: usize, sid: i64, port: Port) {
        let other = sid as usize - 1;
        // A handshake; when nothing comes back the host gives up.
        let lost = self.net.is_blocked(node, other) || self.net.is_blocked(other, node);
        let wait = self.net.latency(node, other) + self.net.latency(other, node) + if lost { 500_000 } else { 0 };
        let life = self.nodes[node].lives;
        self.at(self.now_us + wait, Event::Connect { node, life, sid, port });
    }

    pub(super) fn connect(&mut self, node: usize, sid: i64, port: Port) -> Check {
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

    pub(super) fn arrive(&mut self, conn: u64, end: usize) -> Check {
        let Some((port, place, session)) = self.net.wires.get(&conn).map(|w| (w.port, w.ends[end].place, w.session))
        else {
            return Ok(());
        };
        let Some(message) = self.net.arrive(self.now_us, conn, end) else { return Ok(()) };
        if end == 1
            && let Some(peer) = self.net.wires.get_mut(&conn).and_then(|wire| wire.unseen.take())
        {
            self.input(place, Input::Client(keeper_server::Input::Opened { conn, peer }))?;
        }
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
}
