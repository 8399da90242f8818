//! What the host of a server does for it: what it wants done, its log's thread, its snapshots.

use ottla_keeper::ensemble::{ElectionOutput, Entry, Output, QuorumOutput};
use ottla_keeper::keeper_server;

use super::Check;
use super::network::{Message, Port};
use super::server::{Life, RETAINED_SNAPSHOTS};
use super::world::{Event, World};

impl World {
    pub(super) fn schedule_tick(&mut self, node: usize) {
        let (clock, lives, now_us) = (self.nodes[node].clock, self.nodes[node].lives, self.now_us);
        let Some(life) = &mut self.nodes[node].life else { return };
        let at = clock.when(life.server.next_wakeup_ms()).max(now_us + 1);
        if at < life.tick_us {
            life.tick_us = at;
            self.at(at, Event::Tick { node, life: lives });
        }
    }

    pub(super) fn schedule_snapshot(&mut self, node: usize) {
        let lives = self.nodes[node].lives;
        let Some(life) = &mut self.nodes[node].life else { return };
        if life.server.keeper().snapshot_running() && !life.snapshot_scheduled {
            life.snapshot_scheduled = true;
            let at = self.now_us + self.disk_latency(node);
            self.at(at, Event::Snapshot { node, life: lives });
        }
    }

    pub(super) fn disk_latency(&mut self, node: usize) -> u64 {
        30 + self.random.below(self.plan.disk_us + self.nodes[node].disk_slow_us)
    }

    pub(super) fn carry_out(&mut self, node: usize, output: Output) {
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
            Output::ConfigActivated(verifier) => self.nodes[node].keep_members(&verifier),
            Output::Serving { .. } | Output::ConfigSeen(_) => {}
        }
    }

    pub(super) fn client_output(&mut self, node: usize, output: keeper_server::Output) {
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

    pub(super) fn snapshot(
        &mut self,
        node: usize,
        part: impl FnOnce(&mut Life) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        self.nodes[node].life.as_mut().map_or(Ok(()), part)
    }

    pub(super) fn pause(&mut self, node: usize, conn: u64, paused: bool) {
        let Some(end) = self.net.end_of(conn, node) else { return };
        if let Some(wire) = self.net.wires.get_mut(&conn) {
            wire.ends[end].paused = paused;
        }
        if !paused {
            self.net.schedule(self.now_us, conn, end);
        }
    }

    pub(super) fn hand_hand_to_journal(&mut self, node: usize, entry: Entry) {
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
    pub(super) fn write_journal(&mut self, node: usize) -> Check {
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
}
