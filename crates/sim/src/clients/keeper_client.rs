//! A client of the keeper with a subtree of its own: creates, writes, deletes, watches, and knows what must be there.

use std::collections::BTreeSet;

use ottla_base::random::Random;
use ottla_base::time::Now;
use ottla_keeper::ops::{AclEntry, CreateMode, KeeperError, KeeperEvent, KeeperOp, KeeperReply, KeeperResult};
use ottla_keeper::proto::ErrorCode;

use crate::keeper_link::{Heard, KeeperLink};
use crate::keeper_process::KeeperProcess;
use crate::model::Check;
use crate::model::znodes::{Znode, Znodes};

/// A change of one path, as the model applies it.
#[derive(Clone, Debug)]
enum Step {
    Create { path: String, data: Vec<u8>, ephemeral: bool },
    Set { path: String, data: Vec<u8>, version: i32 },
    Delete { path: String, version: i32 },
}

#[derive(Clone, Debug)]
enum Doing {
    Steps(Vec<Step>, bool),
    Get(String, bool),
    Exists(String),
    Sequential,
    Sync,
    Other,
}

/// The client.
#[derive(Debug)]
pub struct KeeperClient {
    root: String,
    link: KeeperLink,
    timeout_ms: u32,
    znodes: Znodes,
    doing: Option<Doing>,
    next_token: u64,
    next_data: u64,
    last_sequence: i64,
    /// A write was lost: what is read before a sync may not have it yet, and have it later.
    must_sync: bool,
    /// Paths with a data watch of this connection.
    watched: BTreeSet<String>,
    /// Operations that were acknowledged.
    pub acked: u64,
}

impl KeeperClient {
    #[must_use]
    pub fn new(number: usize, timeout_ms: u32) -> Self {
        Self {
            root: format!("/sim-{number}"),
            link: KeeperLink::new(timeout_ms),
            timeout_ms,
            znodes: Znodes::default(),
            doing: None,
            next_token: 1,
            next_data: 1,
            last_sequence: -1,
            must_sync: false,
            watched: BTreeSet::new(),
            acked: 0,
        }
    }

    #[must_use]
    pub fn session_id(&self) -> i64 {
        self.link.session_id()
    }

    /// Nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.doing.is_none()
    }

    #[must_use]
    pub fn is_ready(&self, keeper: &KeeperProcess, now: Now) -> bool {
        self.link.is_ready(keeper, now) || self.link.is_over()
    }

    #[must_use]
    pub fn next_ping_ms(&self) -> Option<u64> {
        self.link.next_ping_ms()
    }

    /// Sends and receives.
    pub fn run(&mut self, keeper: &mut KeeperProcess, now: Now) -> Check {
        self.renew();
        let heard = self.link.run(keeper, now);
        self.hear(heard)
    }

    fn renew(&mut self) {
        if self.link.is_over() {
            self.link = KeeperLink::new(self.timeout_ms);
        }
    }

    /// The connection breaks.
    pub fn cut(&mut self, keeper: &mut KeeperProcess, now: Now) -> Check {
        let heard = self.link.cut(keeper, now);
        self.hear(heard)
    }

    /// The keeper is gone.
    pub fn keeper_gone(&mut self) -> Check {
        let heard = self.link.keeper_gone();
        self.hear(heard)
    }

    /// Asks for the next thing.
    pub fn act(&mut self, random: &mut Random) {
        self.renew();
        let (doing, op) = self.choose(random);
        self.doing = Some(doing);
        self.link.submit(self.next_token, op);
        self.next_token += 1;
    }

    fn path(&self, random: &mut Random) -> String {
        format!("{}/n{}", self.root, random.below(6))
    }

    fn data(&mut self) -> Vec<u8> {
        self.next_data += 1;
        let len = if self.next_data.is_multiple_of(50) { 3_000 } else { self.next_data % 40 };
        format!("{}:{}", self.next_data, "x".repeat(len as usize)).into_bytes()
    }

    fn choose(&mut self, random: &mut Random) -> (Doing, KeeperOp) {
        let root = self.root.clone();
        if self.must_sync {
            return (Doing::Sync, KeeperOp::Sync { path: root });
        }
        if self.znodes.possible(&root).contains(&None) {
            let step = Step::Create { path: root, data: b"root".to_vec(), ephemeral: false };
            let op = op_of(&step, false);
            return (Doing::Steps(vec![step], false), op);
        }
        let path = self.path(random);
        match random.below(20) {
            0..=9 => {
                let step = self.step(random);
                let op = op_of(&step, random.chance(100_000));
                (Doing::Steps(vec![step], false), op)
            }
            10..=12 => {
                let mut steps: Vec<Step> = Vec::new();
                for _ in 0..1 + random.index(3) {
                    let step = self.step(random);
                    if steps.iter().all(|other| path_of(other) != path_of(&step)) {
                        steps.push(step);
                    }
                }
                let op = KeeperOp::Multi(steps.iter().map(|step| op_of(step, false)).collect());
                (Doing::Steps(steps, true), op)
            }
            13..=15 => {
                let watch = random.chance(500_000);
                (Doing::Get(path.clone(), watch), KeeperOp::GetData { path, watch })
            }
            16 => (Doing::Exists(path.clone()), KeeperOp::Exists { path, watch: random.chance(500_000) }),
            17 => {
                let (path, acl) = (format!("{root}/q-"), AclEntry::open());
                let mode = if random.chance(500_000) {
                    CreateMode::EphemeralSequential
                } else {
                    CreateMode::PersistentSequential
                };
                (Doing::Sequential, KeeperOp::Create { path, data: None, acl, mode })
            }
            18 => (Doing::Other, KeeperOp::GetChildren { path: root, watch: random.chance(500_000) }),
            _ => (Doing::Other, KeeperOp::Sync { path: root }),
        }
    }

    fn step(&mut self, random: &mut Random) -> Step {
        let path = self.path(random);
        let version = match self.znodes.possible(&path).as_slice() {
            [Some(znode), ..] if random.chance(400_000) => znode.version,
            _ => -1,
        };
        match random.below(10) {
            0..=3 => Step::Create { path, data: self.data(), ephemeral: random.chance(400_000) },
            4..=7 => Step::Set { path, data: self.data(), version },
            _ => Step::Delete { path, version },
        }
    }

    fn hear(&mut self, heard: Vec<Heard>) -> Check {
        for heard in heard {
            match heard {
                Heard::Reply(_, result) => self.on_reply(result)?,
                Heard::Event(event) => self.on_event(event),
            }
        }
        Ok(())
    }

    fn on_event(&mut self, event: KeeperEvent) {
        match event {
            KeeperEvent::Disconnected => self.watched.clear(),
            KeeperEvent::Expired => {
                self.watched.clear();
                self.znodes.session_over();
            }
            KeeperEvent::NodeCreated { path }
            | KeeperEvent::NodeDeleted { path }
            | KeeperEvent::NodeDataChanged { path } => {
                self.watched.remove(&path);
            }
            KeeperEvent::Connected { .. } | KeeperEvent::NodeChildrenChanged { .. } => {}
        }
    }

    fn on_reply(&mut self, result: KeeperResult) -> Check {
        let Some(doing) = self.doing.take() else { return Ok(()) };
        if result.is_ok() {
            self.acked += 1;
        }
        match doing {
            Doing::Steps(steps, multi) => self.on_steps(&steps, multi, result),
            Doing::Get(path, watch) => match result {
                Ok(KeeperReply::Data { data, stat }) => {
                    if watch {
                        self.watched.insert(path.clone());
                    }
                    let data = data.unwrap_or_default();
                    let what = format!("version {} with {} bytes", stat.version, data.len());
                    let owned = stat.ephemeral_owner != 0;
                    let fits =
                        |znode: &Znode| znode.data == data && znode.version == stat.version && znode.ephemeral == owned;
                    self.znodes.seen(&path, |state| state.is_some_and(fits), &what)
                }
                Err(KeeperError::Code(ErrorCode::NoNode)) => {
                    self.znodes.seen(&path, |state| state.is_none(), "missing")
                }
                other => lost_or(other),
            },
            Doing::Exists(path) => match result {
                Ok(KeeperReply::Stat(stat)) => {
                    self.znodes.seen(&path, |state| state.is_some_and(|znode| znode.version == stat.version), "there")
                }
                Err(KeeperError::Code(ErrorCode::NoNode)) => {
                    self.znodes.seen(&path, |state| state.is_none(), "missing")
                }
                other => lost_or(other),
            },
            Doing::Sequential => match result {
                Ok(KeeperReply::Created { path, .. }) => {
                    let number: i64 = path.rsplit('-').next().and_then(|text| text.parse().ok()).unwrap_or(-1);
                    if number <= self.last_sequence {
                        return Err(format!("{path} came after {}", self.last_sequence));
                    }
                    self.last_sequence = number;
                    Ok(())
                }
                other => lost_or(other),
            },
            Doing::Sync => {
                self.must_sync = result.is_err();
                lost_or(result)
            }
            Doing::Other => lost_or(result),
        }
    }

    fn on_steps(&mut self, steps: &[Step], multi: bool, result: KeeperResult) -> Check {
        match result {
            Ok(_) => {
                for step in steps {
                    let path = path_of(step);
                    self.znodes.done(path, &|state| after(step, state))?;
                    if self.watched.contains(path) {
                        return Err(format!("{step:?} was acknowledged before its watch fired"));
                    }
                }
                Ok(())
            }
            Err(KeeperError::ConnectionLoss) => {
                self.must_sync = true;
                for step in steps {
                    self.znodes.maybe(path_of(step), &|state| after(step, state));
                }
                Ok(())
            }
            Err(KeeperError::SessionExpired) => Ok(()),
            Err(KeeperError::Code(code)) if !multi => self.refused(&steps[0], code),
            Err(KeeperError::Multi { index, code }) if multi => match steps.get(index) {
                Some(step) => self.refused(step, code),
                None => Err(format!("a multi of {} failed at {index}", steps.len())),
            },
            Err(other) => Err(format!("{steps:?} was answered by {other:?}")),
        }
    }

    /// A refusal must be possible, and tells what is there.
    fn refused(&mut self, step: &Step, code: ErrorCode) -> Check {
        let path = path_of(step);
        let what = format!("in a state that refuses {step:?} with {code}");
        match code {
            ErrorCode::NoNode => self.znodes.seen(path, |state| state.is_none(), &what),
            ErrorCode::NodeExists => self.znodes.seen(path, |state| state.is_some(), &what),
            ErrorCode::BadVersion => {
                self.znodes.seen(path, |state| state.is_some() && after(step, state).is_none(), &what)
            }
            _ => Err(format!("{step:?} was refused with {code}")),
        }
    }
}

fn lost_or(result: KeeperResult) -> Check {
    match result {
        Ok(_) | Err(KeeperError::ConnectionLoss | KeeperError::SessionExpired) => Ok(()),
        Err(other) => Err(format!("a request that must work was answered by {other:?}")),
    }
}

fn path_of(step: &Step) -> &str {
    match step {
        Step::Create { path, .. } | Step::Set { path, .. } | Step::Delete { path, .. } => path,
    }
}

fn op_of(step: &Step, container: bool) -> KeeperOp {
    match step.clone() {
        Step::Create { path, data, ephemeral } => {
            let mode = match (ephemeral, container) {
                (true, _) => CreateMode::Ephemeral,
                (false, true) => CreateMode::Container,
                (false, false) => CreateMode::Persistent,
            };
            KeeperOp::Create { path, data: Some(data), acl: AclEntry::open(), mode }
        }
        Step::Set { path, data, version } => KeeperOp::SetData { path, data: Some(data), version },
        Step::Delete { path, version } => KeeperOp::Delete { path, version },
    }
}

/// The state that a step leads to; `None` when it is refused.
fn after(step: &Step, state: Option<&Znode>) -> Option<Option<Znode>> {
    let right = |znode: &Znode, version: i32| version == -1 || version == znode.version;
    match (step, state) {
        (Step::Create { data, ephemeral, .. }, None) => {
            Some(Some(Znode { data: data.clone(), version: 0, ephemeral: *ephemeral }))
        }
        (Step::Set { data, version, .. }, Some(znode)) if right(znode, *version) => {
            Some(Some(Znode { data: data.clone(), version: znode.version + 1, ephemeral: znode.ephemeral }))
        }
        (Step::Delete { version, .. }, Some(znode)) if right(znode, *version) => Some(None),
        _ => None,
    }
}
