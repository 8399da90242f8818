//! How the node's lives begin and end.

use std::path::Path;

use ottla_base::disk::{Disk, OpenMode};
use ottla_base::sim_disk::{Call as DiskCall, Fault};
use ottla_keeper::txn::zxid_of;
use ottla_keeper::txn_log::LogReader;

use super::{Fate, World};
use crate::clients::{Context, Outcome};
use crate::model::history::check_owners;
use crate::model::{Check, Death};
use crate::node::Node;
use crate::plan::KEEPER_DIR;
use crate::verify;

impl World {
    pub(super) fn draw_fate(&mut self) -> Fate {
        let random = &mut self.random;
        let death = if random.chance(500_000) { Death::Power } else { Death::Process };
        // From a few acts to some thousand, short lives more often.
        let acts = 1 + (1 << random.below(12)) + random.below(200);
        match random.below(20) {
            0..=2 => Fate::Stop(acts + 500),
            3..=7 => Fate::Die(acts, death),
            8..=15 => Fate::DieInCall(death),
            _ => Fate::Faulty(acts + 300),
        }
    }

    pub(super) fn boot(&mut self) -> Check {
        // A process takes a moment to start: within the same millisecond the keeper would give the same session ids again.
        self.pass(2_000);
        self.lives += 1;
        self.acts_of_life = 0;
        self.was_ready = false;
        self.faulty = false;
        self.booted_ms = self.now.mono_ms();
        self.fate = if self.calm { Fate::Stop(u64::MAX) } else { self.draw_fate() };
        self.trace.add(format_args!("life {} with {:?}", self.lives, self.fate), &[]);
        if matches!(self.fate, Fate::DieInCall(_)) {
            let calls = self.random.below(1 << self.random.clone().below(11));
            self.disk.fail_after(Some(calls));
        }
        self.trace_keeper_files();
        self.trace_logs();
        let booted = Node::boot(&self.disk, &self.plan, &mut self.random, self.now);
        if self.disk.is_spent() {
            if let Ok(mut node) = booted {
                self.history.decided(node.keeper.take_decided());
            }
            return self.die_booting();
        }
        match booted {
            Ok(mut node) => {
                self.history.recovered(node.keeper.server.db())?;
                self.history.decided(node.keeper.take_decided());
                self.node = Some(node);
                Ok(())
            }
            Err(why) => Err(format!("the node does not start: {why}")),
        }
    }

    /// What the keeper will find.
    pub(super) fn trace_keeper_files(&mut self) {
        let dir = Path::new(KEEPER_DIR).join("version-2");
        for entry in self.disk.list(&dir).unwrap_or_default() {
            let mut zxids = Vec::new();
            if entry.name.starts_with("log.")
                && let Ok(file) = self.disk.open(&dir.join(&entry.name), OpenMode::Read)
                && let Ok(mut reader) = LogReader::open(file)
            {
                while let Ok(Some(txn)) = reader.next_entry() {
                    zxids.extend(zxid_of(txn));
                }
            }
            let (first, last) = (zxids.first(), zxids.last());
            self.trace.add(format_args!("file {} of {}: {first:x?} to {last:x?}", entry.name, entry.len), &[]);
        }
    }

    /// What the broker will find.
    pub(super) fn trace_logs(&mut self) {
        for dir in &self.plan.log_dirs {
            for folder in self.disk.list(dir).unwrap_or_default().iter().filter(|entry| entry.is_dir) {
                for entry in self.disk.list(&dir.join(&folder.name)).unwrap_or_default() {
                    self.trace.add(format_args!("file {}/{} of {}", folder.name, entry.name, entry.len), &[]);
                }
            }
        }
    }

    /// Nothing was acknowledged in a life that never began.
    pub(super) fn die_booting(&mut self) -> Check {
        let Fate::DieInCall(death) = self.fate else { return Ok(()) };
        self.trace.add(format_args!("dies while it starts"), &[]);
        self.end_disk(death);
        verify::note_death_at_start(&mut self.model, death);
        Ok(())
    }

    pub(super) fn end_disk(&mut self, death: Death) {
        self.disk.set_capacity(None);
        match death {
            Death::Power => self.disk.crash(),
            Death::Process | Death::Clean => self.disk.kill(),
        }
        self.disk.fail_after(None);
    }

    /// The node serves clients: what it has must be what was promised, and then the disk may begin to fail.
    pub(super) fn on_ready(&mut self) -> Check {
        let Some(node) = &self.node else { return Ok(()) };
        if !node.broker.replicas.logs().dirs().iter().any(|dir| dir.is_offline()) {
            verify::all(node, &mut self.model, self.now, &mut self.trace)?;
        }
        if let Fate::Faulty(_) = self.fate {
            self.faulty = true;
            self.order_fault();
        }
        Ok(())
    }

    pub(super) fn order_fault(&mut self) {
        let random = &mut self.random;
        let places = ["/a/", "/b/", ".log", "index", ".snapshot", "checkpoint", "/keeper/", "meta"];
        match random.below(4) {
            0 => {
                let capacity = random.below(1 << 20) + (64 << 10);
                self.disk.set_capacity(Some(capacity));
            }
            _ => {
                let calls = [DiskCall::Write, DiskCall::Sync, DiskCall::Dir, DiskCall::Read, DiskCall::Open];
                let call = calls[random.index(calls.len())];
                let place = places[random.index(places.len())];
                let chance = [1_000_000, 50_000, 2_000][random.index(3)];
                self.disk.inject(Fault { chance, ..Fault::always(call, place) });
            }
        }
    }

    /// The node dies. What it has promised until now is what must be there afterwards.
    pub(super) fn die(&mut self, death: Death) -> Check {
        self.trace.add(format_args!("{} dies: {death:?}", self.now.mono_us), &[]);
        let Some(node) = self.node.take() else { return Ok(()) };
        verify::note_death(&node, &mut self.model, death);
        self.trace_logs();
        self.end_disk(death);
        drop(node);
        for i in 0..self.slots.len() {
            let fresh = self.new_connection();
            let slot = &mut self.slots[i];
            slot.connection = fresh;
            if slot.waiting.take().is_some() {
                let mut cx = Context { now: self.now, random: &mut self.random, model: &mut self.model };
                slot.client.outcome(&mut cx, Outcome::Lost).map_err(|e| format!("{}: {e}", slot.name))?;
            }
        }
        for (i, (client, _)) in self.keeper_clients.iter_mut().enumerate() {
            client.keeper_gone().map_err(|e| format!("keeper client {i}: {e}"))?;
        }
        Ok(())
    }

    /// The control plane has left; the rest of the stop, after which even the power may go.
    pub(super) fn stopped(&mut self) -> Check {
        let now = self.now;
        let Some(node) = &mut self.node else { return Ok(()) };
        while node.keeper.has_journal_work() {
            node.keeper.run_journal(now, &mut self.random);
        }
        if node.keeper.failed.is_none() {
            self.history.decided(node.keeper.take_decided());
            self.history.synced = self.history.synced.max(node.keeper.persisted_zxid);
        }
        node.close(now);
        if self.disk.is_spent() {
            return self.after_act();
        }
        let death = if self.faulty { Death::Power } else { Death::Clean };
        if death == Death::Clean {
            verify::note_death(self.node.as_ref().expect("it was there"), &mut self.model, death);
            if self.random.chance(500_000) {
                self.disk.crash();
            }
        }
        self.die(death)
    }

    /// The end: an orderly stop, a start, everything compared once more; and sessions of silent clients end.
    pub(super) fn finish(&mut self) -> Check {
        self.calm = true;
        if self.node.is_some() {
            self.die(Death::Power)?;
        }
        self.disk.heal();
        self.live_until_ready()?;
        let most_ms = u64::from(self.plan.keeper.max_session_timeout_ms);
        let silent: Vec<i64> = self.keeper_clients.iter().map(|(client, _)| client.session_id()).collect();
        self.keeper_clients.clear();
        let end_ms = self.now.mono_ms() + 3 * most_ms;
        while self.now.mono_ms() < end_ms {
            self.step()?;
        }
        let Some(node) = &self.node else { return Err("the node ended by itself".to_owned()) };
        let database = node.keeper.server.db();
        check_owners(database)?;
        if let Some(session) = silent.iter().find(|session| database.sessions().contains_key(session)) {
            return Err(format!("session {session:#x} is there {} ms after its client fell silent", 3 * most_ms));
        }
        if let Some(node) = &mut self.node {
            node.shut_down(self.now);
        }
        let before = self.lives;
        for _ in 0..100_000 {
            self.step()?;
            if self.lives > before {
                return self.live_until_ready();
            }
        }
        Err("the node does not stop".to_owned())
    }

    pub(super) fn live_until_ready(&mut self) -> Check {
        for _ in 0..1_000_000 {
            self.step()?;
            if self.was_ready && self.node.is_some() {
                return Ok(());
            }
        }
        Err("the node does not get ready".to_owned())
    }
}
