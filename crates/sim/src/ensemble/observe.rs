//! What is seen of servers with each step, and must hold.

use ottla_keeper::ensemble::{Entry, Job, Output};
use ottla_keeper::quorum_status::ZabState;
use ottla_keeper::zab::leader::Leader;
use ottla_keeper::zab::messages::ServerState;

use super::Check;
use super::model::Point;
use super::world::{Event, World};

impl World {
    /// What must hold after each step.
    pub(super) fn observe(&mut self, node: usize, out: &[Output]) -> Check {
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
        self.observe_tree(node)?;
        self.observe_members(node)
    }

    fn observe_tree(&mut self, node: usize) -> Check {
        let Some(life) = &mut self.nodes[node].life else { return Ok(()) };
        let db = life.server.keeper().db();
        // A leader that was told to make room for another one decides nothing any more, but what it has is committed.
        let leads = life.server.role() == ServerState::Leading && life.server.zab().phase() == ZabState::Broadcast;
        let epoch = life.server.zab().leader().map(Leader::epoch).filter(|_| leads);
        if epoch.is_some() && life.leads != epoch {
            (life.leads, life.compared) = (epoch, -1);
            self.checks.leads(node, epoch.unwrap_or(0), db.last_zxid())?;
        }
        if !(leads || life.server.is_serving()) || db.last_zxid() == life.compared {
            return Ok(());
        }
        if db.last_zxid() < life.compared {
            return Err(format!("server {node} went back from {:#x} to {:#x}", life.compared, db.last_zxid()));
        }
        if db.digest_mismatches() > 0 {
            return Err(format!("server {node} finds {} digests that are not its tree's", db.digest_mismatches()));
        }
        life.compared = db.last_zxid();
        self.checks.applied(node, leads, life.compared, Point::of(db))
    }

    /// The members that it goes by are those that were committed, and never earlier ones again.
    fn observe_members(&mut self, node: usize) -> Check {
        let Some(life) = self.nodes[node].life.as_mut().filter(|_| self.plan.reconfig) else { return Ok(()) };
        let active = life.server.zab().membership().active();
        let leads = life.server.role() == ServerState::Leading && life.server.is_serving();
        if leads && !active.is_voter(node as i64 + 1) {
            return Err(format!("server {node} leads, but has no vote in {active}"));
        }
        if active.version == life.config {
            return Ok(());
        }
        if active.version < life.config {
            return Err(format!("server {node} goes from the members of {:#x} to {:#x}", life.config, active.version));
        }
        life.config = active.version;
        let text = active.to_string();
        self.note(format_args!("{node} goes by {text:?}"), &[]);
        self.checks.goes_by(node, self.nodes[node].life.as_ref().map_or(0, |life| life.config), text)
    }

    pub(super) fn begins_to_serve(&mut self, node: usize, epoch: i64) -> Check {
        let now = self.nodes[node].clock.now(self.now_us);
        let Some(life) = &mut self.nodes[node].life else { return Ok(()) };
        life.compared = -1;
        life.serving_ms = now.mono_ms();
        life.heard_ms.clear();
        let (role, zxid) = (life.server.role(), life.server.keeper().db().last_zxid());
        self.note(format_args!("{node} serves epoch {epoch} from {zxid:#x} as {role:?}"), &[]);
        if self.plan.harsh && self.plan.fragile > 0 && !self.quiet && role == ServerState::Leading {
            self.at_a_bad_time();
        }
        if !self.quiet && self.random.chance(self.plan.fragile) {
            let at = self.now_us + self.random.below(30_000);
            let all = self.random.chance(400_000);
            self.at(at, Event::PowerFails { node, all });
        }
        self.nodes[node].served = self.nodes[node].served.max(epoch);
        Ok(())
    }

    /// A leader ends a session that nobody asked to be closed: its time must be over.
    pub(super) fn check_expiry(&mut self, node: usize, session: i64) -> Check {
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

    /// A server hears of a session when a whole frame has come, on the connection that the client has now.
    pub(super) fn hears(&mut self, node: usize, conn: u64, session: i64, bytes: &[u8]) {
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
}
