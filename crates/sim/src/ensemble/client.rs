//! A client: its session, what it asks, and whether what it is told can be true.

use std::collections::VecDeque;

use ottla_base::random::Random;
use ottla_keeper::jute::{Jute, Reader};
use ottla_keeper::proto::{
    AddWatchMode, AddWatchRequest, ConnectRequest, ConnectResponse, ErrorCode, EventType, GetChildrenResponse,
    GetDataResponse, OpCode, PathRequest, PathWatchRequest, ReconfigRequest, ReplyHeader, RequestHeader, StatResponse,
    WatcherEvent, xid,
};

use super::Check;
use super::checks::Checks;
use super::history::{Histories, Place};
use super::steps::{self, Step};
use super::watches::{Kind, Watches};

/// What a client asked.
#[derive(Clone, Debug)]
pub enum Ask {
    Write { steps: Vec<Step>, multi: bool },
    Get { path: String, watch: bool },
    Exists { path: String, watch: bool },
    Children { path: String, watch: bool },
    AddWatch { path: String, recursive: bool },
    Sync,
    Reconfig { joining: Option<String>, leaving: Option<String>, members: Option<String>, version: i64 },
    Renew { since: i64 },
    Close,
}

#[derive(Debug)]
struct Pending {
    xid: i32,
    ask: Ask,
    /// A change that was told when this was asked: a write comes after it.
    floor: i64,
    /// As `floor`, for what the asked server's epoch can know: what comes after a sync is not before it.
    synced: i64,
    /// Where it is in the history of a register.
    place: Option<Place>,
    /// Of a read that follows a sync of the latest epoch: when the sync was asked for.
    reads_since: Option<u64>,
}

/// Whether it has a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Away,
    Connecting,
    Connected,
}

/// What has happened to its answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub asked: u64,
    pub answered: u64,
    pub lost: u64,
    pub events: u64,
    pub sessions: u64,
    pub moves: u64,
    pub expired: u64,
    pub reconfigs: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Client {
    pub phase: Phase,
    pub wire: Option<u64>,
    pub session: i64,
    passwd: Vec<u8>,
    pub timeout_ms: u64,
    xid: i32,
    pub last_zxid: i64,
    pending: VecDeque<Pending>,
    inbox: Vec<u8>,
    /// When the server was heard of last, and when it was told something last.
    pub heard_us: u64,
    pub sent_us: u64,
    pub watches: Watches,
    /// Asked to be closed.
    closing: bool,
    /// The last sync: when it was asked for, if its server was of the latest epoch.
    synced_since: Option<u64>,
    pub figures: Figures,
    /// The last change that it was told of, for those who wait for it.
    pub written_us: u64,
}

impl Client {
    #[must_use]
    pub fn new(timeout_ms: u64) -> Self {
        Self {
            phase: Phase::Away,
            wire: None,
            session: 0,
            passwd: vec![0; 16],
            timeout_ms,
            xid: 0,
            last_zxid: 0,
            pending: VecDeque::new(),
            inbox: Vec::new(),
            heard_us: 0,
            sent_us: 0,
            watches: Watches::default(),
            closing: false,
            synced_since: None,
            figures: Figures::default(),
            written_us: 0,
        }
    }

    /// Requests without an answer.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.pending.len()
    }

    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// The connection is there: what to send first.
    pub fn connected(&mut self, wire: u64, now_us: u64) -> Vec<u8> {
        (self.phase, self.wire) = (Phase::Connecting, Some(wire));
        (self.heard_us, self.sent_us) = (now_us, now_us);
        self.inbox.clear();
        let request = ConnectRequest {
            last_zxid_seen: self.last_zxid,
            timeout_ms: self.timeout_ms as i32,
            session_id: self.session,
            passwd: Some(&self.passwd),
            read_only: Some(false),
            ..ConnectRequest::default()
        };
        let mut bytes = framed(&request.to_bytes());
        if self.session != 0 && !self.watches.is_empty() {
            let since = self.last_zxid;
            let frame = self.watches.renewal(since).to_bytes();
            let header = RequestHeader { xid: xid::SET_WATCHES, op: OpCode::SetWatches2.code() };
            bytes.extend(framed(&[header.to_bytes(), frame].concat()));
            self.wait_for(xid::SET_WATCHES, Ask::Renew { since }, 0, 0, None, None);
        }
        bytes
    }

    fn wait_for(&mut self, xid: i32, ask: Ask, floor: i64, synced: i64, place: Option<Place>, since: Option<u64>) {
        self.pending.push_back(Pending { xid, ask, floor, synced, place, reads_since: since });
    }

    /// The connection has gone; what was not answered may have happened.
    pub fn disconnected(&mut self) {
        self.figures.lost += self.pending.len() as u64;
        (self.phase, self.wire) = (Phase::Away, None);
        self.pending.clear();
        self.watches.disconnected();
        self.synced_since = None;
        if self.closing {
            self.forget();
        }
    }

    /// There is no session any more: another client comes in its place.
    pub fn forget(&mut self) {
        (self.session, self.passwd, self.last_zxid) = (0, vec![0; 16], 0);
        self.watches = Watches::default();
        self.pending.clear();
        self.closing = false;
        self.synced_since = None;
    }

    /// The frame of a request. `epoch` is that of the server.
    pub fn ask(
        &mut self,
        ask: Ask,
        epoch: i64,
        checks: &mut Checks,
        histories: &mut Histories,
        now_us: u64,
    ) -> Vec<u8> {
        self.xid += 1;
        self.sent_us = now_us;
        self.figures.asked += 1;
        let (op, body) = match &ask {
            Ask::Write { steps, multi } => steps::encode(steps, *multi),
            Ask::Get { path, watch } => (OpCode::GetData, PathWatchRequest { path, watch: *watch }.to_bytes()),
            Ask::Exists { path, watch } => (OpCode::Exists, PathWatchRequest { path, watch: *watch }.to_bytes()),
            Ask::Children { path, watch } => (OpCode::GetChildren, PathWatchRequest { path, watch: *watch }.to_bytes()),
            Ask::AddWatch { path, recursive } => {
                let mode = if *recursive { AddWatchMode::PersistentRecursive } else { AddWatchMode::Persistent };
                (OpCode::AddWatch, AddWatchRequest { path, mode: mode.code() }.to_bytes())
            }
            Ask::Sync => (OpCode::Sync, PathRequest { path: "/" }.to_bytes()),
            Ask::Reconfig { joining, leaving, members, version } => {
                let request = ReconfigRequest {
                    joining_servers: joining.as_deref(),
                    leaving_servers: leaving.as_deref(),
                    new_members: members.as_deref(),
                    cur_config_id: *version,
                };
                (OpCode::Reconfig, request.to_bytes())
            }
            Ask::Renew { .. } => (OpCode::SetWatches2, self.watches.renewal(self.last_zxid).to_bytes()),
            Ask::Close => {
                self.closing = true;
                checks.asked_to_close.insert(self.session);
                (OpCode::CloseSession, Vec::new())
            }
        };
        let is_latest = epoch == checks.latest_epoch();
        let mut reads_since = None;
        match &ask {
            Ask::Sync => self.synced_since = is_latest.then(|| histories.moment()),
            Ask::Get { .. } if histories.all_reads => reads_since = Some(histories.moment()),
            Ask::Get { .. } => reads_since = self.synced_since.take(),
            _ => self.synced_since = None,
        }
        let place = histories.asked(&ask);
        let is_read = matches!(ask, Ask::Get { .. } | Ask::Exists { .. } | Ask::Children { .. });
        let (mut floor, synced) = (checks.told_until(i64::MAX), checks.told_until(epoch));
        if is_read {
            floor = if histories.all_reads { floor.max(checks.read_until) } else { 0 };
        }
        self.wait_for(self.xid, ask, floor, synced, place, reads_since);
        framed(&[RequestHeader { xid: self.xid, op: op.code() }.to_bytes(), body].concat())
    }

    /// A ping.
    pub fn ping(&mut self, now_us: u64) -> Vec<u8> {
        self.sent_us = now_us;
        framed(&RequestHeader { xid: xid::PING, op: OpCode::Ping.code() }.to_bytes())
    }

    /// Takes bytes; everything that is whole is looked at. `epoch` is that of the server.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        epoch: i64,
        checks: &mut Checks,
        histories: &mut Histories,
        now_us: u64,
    ) -> Check {
        self.heard_us = now_us;
        self.inbox.extend_from_slice(bytes);
        while let Some(len) = self.inbox.first_chunk::<4>().map(|len| u32::from_be_bytes(*len) as usize) {
            if self.inbox.len() < 4 + len {
                break;
            }
            let frame = self.inbox[4..4 + len].to_vec();
            self.inbox.drain(..4 + len);
            if self.phase == Phase::Connecting {
                self.welcomed(&frame, epoch, checks)?;
            } else {
                self.frame(&frame, checks, histories, now_us)?;
            }
        }
        Ok(())
    }

    fn welcomed(&mut self, frame: &[u8], epoch: i64, checks: &mut Checks) -> Check {
        let response: ConnectResponse<'_> = Reader::new(frame).record().map_err(|e| format!("a welcome: {e}"))?;
        self.phase = Phase::Connected;
        if response.session_id == 0 {
            self.figures.expired += 1;
            // A leader that was replaced and has not noticed may not know of it yet.
            if checks.model.is_open(self.session)
                && !checks.closing.contains(&self.session)
                && epoch == checks.latest_epoch()
            {
                return Err(format!("session {:#x} is told to have ended, but nobody ended it", self.session));
            }
            self.forget();
            return Ok(());
        }
        if self.session == 0 {
            checks.session_given(response.session_id)?;
            self.figures.sessions += 1;
            self.session = response.session_id;
            self.passwd = response.passwd.unwrap_or(&[]).to_vec();
        } else if self.session != response.session_id {
            return Err(format!("asked for session {:#x}, got {:#x}", self.session, response.session_id));
        }
        self.figures.moves += 1;
        self.timeout_ms = response.timeout_ms as u64;
        Ok(())
    }

    fn frame(&mut self, frame: &[u8], checks: &mut Checks, histories: &mut Histories, now_us: u64) -> Check {
        let mut reader = Reader::new(frame);
        let header: ReplyHeader = reader.record().map_err(|e| format!("a reply: {e}"))?;
        if header.xid == xid::NOTIFICATION {
            let event: WatcherEvent<'_> = reader.record().map_err(|e| format!("an event: {e}"))?;
            self.figures.events += 1;
            let kind = EventType::from_i32(event.event_type).ok_or("an event of no kind")?;
            let renewing = self.pending.front().is_some_and(|pending| matches!(pending.ask, Ask::Renew { .. }));
            return self.watches.event(&checks.model, event.path, kind, renewing);
        }
        if header.xid == xid::PING {
            return Ok(());
        }
        let pending = self.pending.pop_front().ok_or_else(|| format!("an answer to nothing: {header:?}"))?;
        if pending.xid != header.xid {
            return Err(format!("{header:?} is the answer to another request than {pending:?}"));
        }
        self.figures.answered += 1;
        let told = format!("{:?} was answered {header:?}", pending.ask);
        self.answered(pending, header, reader.rest(), checks, histories, now_us).map_err(|why| format!("{told}: {why}"))
    }

    fn answered(
        &mut self,
        pending: Pending,
        header: ReplyHeader,
        body: &[u8],
        checks: &mut Checks,
        histories: &mut Histories,
        now_us: u64,
    ) -> Check {
        let zxid = header.zxid;
        if header.err == ErrorCode::SessionExpired.code() || header.err == ErrorCode::SessionMoved.code() {
            return Ok(());
        }
        // The number with which an epoch begins is the end of the one before.
        if checks.resolved(zxid) < checks.resolved(self.last_zxid) {
            return Err(format!("the client has seen {:#x} before", self.last_zxid));
        }
        if checks.model.point(checks.resolved(zxid)).is_none() {
            return Err("there is no such transaction".to_owned());
        }
        if let Ask::Renew { since } = pending.ask {
            self.watches.renewed(&checks.model, since, zxid)?;
        } else {
            self.watches.told(&checks.model, zxid)?;
        }
        self.last_zxid = zxid;
        let is_read = matches!(pending.ask, Ask::Get { .. } | Ask::Exists { .. } | Ask::Children { .. });
        if is_read && checks.resolved(zxid) < pending.floor {
            return Err(format!("{:#x} was told or read before it was asked", pending.floor));
        }
        if is_read {
            checks.read_until = checks.read_until.max(checks.resolved(zxid));
        }
        let model = &checks.model;
        match &pending.ask {
            Ask::Write { steps, multi } => {
                match model.zxid_of(self.session, pending.xid) {
                    Some(at) if at != zxid => return Err(format!("its transaction is {at:#x}")),
                    Some(_) => steps::verify(model, self.session, zxid, steps, *multi, header.err, body)?,
                    None if header.err == 0 => return Err("it has no transaction".to_owned()),
                    None => {}
                }
                if header.err == 0 {
                    if zxid <= pending.floor {
                        return Err(format!("{:#x} was told before it was asked", pending.floor));
                    }
                    checks.told(zxid);
                    self.written_us = now_us;
                }
            }
            Ask::Get { path, watch } => self.read(path, *watch, header, body, checks)?,
            Ask::Exists { path, watch } => self.existed(path, *watch, header, body, checks)?,
            Ask::Children { path, watch } => self.listed(path, *watch, header, body, checks)?,
            Ask::AddWatch { path, recursive } => {
                if header.err == 0 {
                    self.watches.add_persistent(path, *recursive, zxid);
                }
            }
            Ask::Sync => {
                if header.err == 0 && zxid < pending.synced {
                    return Err(format!("{:#x} was told before it was asked", pending.synced));
                }
                if header.err != 0 {
                    self.synced_since = None;
                }
            }
            Ask::Reconfig { .. } => {
                if header.err == 0 {
                    let told: GetDataResponse<'_> = Reader::new(body).record().map_err(|e| e.to_string())?;
                    let told = String::from_utf8_lossy(told.data.unwrap_or(&[]));
                    if model.zxid_of(self.session, pending.xid) != Some(zxid) || model.members(zxid) != Some(&told) {
                        return Err(format!("{told} was told, but the members are {:?}", model.members(zxid)));
                    }
                    if zxid <= pending.floor {
                        return Err(format!("{:#x} was told before it was asked", pending.floor));
                    }
                    checks.told(zxid);
                    self.written_us = now_us;
                    self.figures.reconfigs += 1;
                }
            }
            Ask::Renew { .. } | Ask::Close => {}
        }
        histories.answered(&pending.ask, pending.place, pending.reads_since, header.err, body)
    }

    fn read(&mut self, path: &str, watch: bool, header: ReplyHeader, body: &[u8], checks: &Checks) -> Check {
        let node = checks.model.at(path, header.zxid);
        if header.err == ErrorCode::NoNode.code() {
            return node.map_or(Ok(()), |node| Err(format!("there is {node:?}")));
        }
        let told: GetDataResponse<'_> = Reader::new(body).record().map_err(|e| e.to_string())?;
        let same = node.is_some_and(|node| {
            told.data.unwrap_or(&[]) == node.data
                && (told.stat.version, told.stat.czxid, told.stat.mzxid) == (node.version, node.czxid, node.mzxid)
        });
        if !same {
            return Err(format!("{told:?} was told, but there is {node:?}"));
        }
        if watch {
            self.watches.add(Kind::Data, path, header.zxid);
        }
        Ok(())
    }

    fn existed(&mut self, path: &str, watch: bool, header: ReplyHeader, body: &[u8], checks: &Checks) -> Check {
        let node = checks.model.at(path, header.zxid);
        let told = Reader::new(body).record::<StatResponse>().ok().filter(|_| header.err == 0).map(|told| told.stat);
        let key = told.map(|stat| (stat.version, stat.czxid, stat.mzxid, stat.ephemeral_owner));
        if key != node.map(|node| (node.version, node.czxid, node.mzxid, node.owner)) {
            return Err(format!("{told:?} was told, but there is {node:?}"));
        }
        if watch {
            let kind = if node.is_some() { Kind::Data } else { Kind::Exist };
            self.watches.add(kind, path, header.zxid);
        }
        Ok(())
    }

    fn listed(&mut self, path: &str, watch: bool, header: ReplyHeader, body: &[u8], checks: &Checks) -> Check {
        let node = checks.model.at(path, header.zxid);
        if header.err == ErrorCode::NoNode.code() {
            return node.map_or(Ok(()), |node| Err(format!("there is {node:?}")));
        }
        let told: GetChildrenResponse<'_> = Reader::new(body).record().map_err(|e| e.to_string())?;
        let expected = checks.model.children_at(path, header.zxid);
        if told.children.iter().copied().collect::<std::collections::BTreeSet<&str>>() != expected {
            return Err(format!("{told:?} was told, but there are {expected:?}"));
        }
        if watch {
            self.watches.add(Kind::Child, path, header.zxid);
        }
        Ok(())
    }

    /// Something to ask, from the seed.
    pub fn choose(&self, random: &mut Random, histories: &mut Histories) -> Ask {
        let watch = random.chance(300_000);
        match random.below(20) {
            0..=7 => return histories.choose(random),
            8..=10 => {
                let path = path(random, 'w');
                return match random.below(3) {
                    0 => Ask::Get { path, watch },
                    1 => Ask::Exists { path, watch },
                    _ => Ask::Children { path: format!("/w/d{}", random.below(3)), watch },
                };
            }
            11 => return Ask::Sync,
            12 => {
                let (path, recursive) = (format!("/p/d{}", random.below(2)), random.chance(500_000));
                let asked =
                    |pending: &Pending| matches!(&pending.ask, Ask::AddWatch { path: asked, .. } if *asked == path);
                let known = self.watches.is_persistent(&path) || self.pending.iter().any(asked);
                return if known { Ask::Sync } else { Ask::AddWatch { path, recursive } };
            }
            13 | 14 => {
                let mut steps: Vec<Step> = (0..random.below(3)).map(|_| step(random, 'w')).collect();
                steps.push(step(random, 'p'));
                return Ask::Write { steps, multi: true };
            }
            15 => {
                let path = format!("/w/d{}/s-", random.below(3));
                let mode = if random.chance(500_000) {
                    ottla_keeper::proto::CreateMode::EphemeralSequential
                } else {
                    ottla_keeper::proto::CreateMode::PersistentSequential
                };
                return Ask::Write { steps: vec![Step::Create { path, data: Vec::new(), mode }], multi: false };
            }
            _ => {}
        }
        let place = if random.chance(300_000) { 'p' } else { 'w' };
        let step = step(random, place);
        // Alone it is not for clients.
        let multi = matches!(step, Step::Check { .. });
        Ask::Write { steps: vec![step], multi }
    }
}

/// The nodes under which everything happens.
pub const BASES: [&str; 8] = ["/r", "/w", "/p", "/w/d0", "/w/d1", "/w/d2", "/p/d0", "/p/d1"];

fn path(random: &mut Random, place: char) -> String {
    let dirs = if place == 'p' { 2 } else { 3 };
    format!("/{place}/d{}/n{}", random.below(dirs), random.below(4))
}

fn step(random: &mut Random, place: char) -> Step {
    use ottla_keeper::proto::CreateMode;
    let path = path(random, place);
    let mut data = vec![0; random.index(200)];
    random.fill(&mut data);
    let version = if random.chance(600_000) { -1 } else { random.below(3) as i32 };
    match random.below(5) {
        0 if place == 'w' && random.chance(500_000) => Step::Create { path, data, mode: CreateMode::Ephemeral },
        0 | 1 => Step::Create { path, data, mode: CreateMode::Persistent },
        2 => Step::Set { path, data, version },
        3 => Step::Delete { path, version },
        _ => Step::Check { path, version },
    }
}

/// With its length in front.
#[must_use]
pub fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], body].concat()
}
