//! A server that follows, or observes, an elected leader (`Learner`, `Follower`, `Observer`): the other side of discovery,
//! synchronisation and broadcast.

use super::journal::{counter_of, epoch_of, first_zxid};
use super::messages::{
    LEARNER_PROTOCOL_VERSION, LearnerInfo, LearnerRequest, PacketType, QuorumPacket, Touched, activation,
    session_validity_asked,
};
use super::peer::{AfterPersist, Context, Leave};
use super::{ConnId, Output, QuorumVerifier, Txn};
use crate::jute::Reader;
use crate::quorum_status::ZabState;
use crate::txn;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Attempts to connect before another election (`Learner.connectToLeader`), and the wait between them.
const CONNECT_TRIES: u32 = 5;
const CONNECT_RETRY_MS: u64 = 100;

/// How far the learner has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A connection was asked for.
    Connecting,
    /// One failed; the next attempt is at this moment.
    Retrying {
        at_ms: u64,
    },
    /// Has introduced itself.
    Discovery,
    /// Has accepted the epoch and waits for DIFF, TRUNC or SNAP.
    Accepted,
    /// A snapshot is on its way.
    ReceivingSnapshot {
        zxid: i64,
    },
    /// Takes over the leader's history.
    Synchronization,
    /// Has all of it (NEWLEADER came) and waits for a quorum to have it.
    Waiting,
    Broadcast,
}

/// A follower or observer.
#[derive(Debug)]
pub struct Learner {
    term: u64,
    leader: i64,
    observer: bool,
    phase: Phase,
    conn: Option<ConnId>,
    tries: u32,
    /// The leader must be heard of by then.
    deadline_ms: u64,
    epoch: i64,
    /// Received in synchronisation, to be logged with NEWLEADER.
    unlogged: Vec<Txn>,
    /// The leader's history up to here is committed once a quorum has it.
    committed: i64,
    /// Logged, to be acknowledged after UPTODATE.
    held_acks: Vec<i64>,
    /// The leader wants the history truncated before where this server can: ask for all of it.
    from_scratch: bool,
    /// What NEWLEADER told of the members: committed when a quorum has the history.
    told: Option<Arc<QuorumVerifier>>,
    /// Sessions heard of since the last PING, with their timeouts.
    touched: BTreeMap<i64, i32>,
}

impl Learner {
    /// Starts to follow.
    pub(super) fn start(cx: &mut Context<'_>, term: u64, leader: i64) -> Self {
        let mut learner = Self {
            term,
            leader,
            observer: cx.is_observer(),
            phase: Phase::Connecting,
            conn: None,
            tries: 0,
            deadline_ms: 0,
            epoch: 0,
            unlogged: Vec::new(),
            committed: 0,
            held_acks: Vec::new(),
            from_scratch: false,
            told: None,
            touched: BTreeMap::new(),
        };
        learner.connect(cx);
        learner
    }

    fn connect(&mut self, cx: &mut Context<'_>) {
        self.tries += 1;
        self.phase = Phase::Connecting;
        self.deadline_ms = cx.now_ms + cx.config.init_ms();
        cx.out.push(Output::Connect { leader: self.leader });
    }

    /// Whom it follows.
    #[must_use]
    pub fn leader(&self) -> i64 {
        self.leader
    }

    /// How far it has got.
    #[must_use]
    pub fn phase(&self) -> ZabState {
        match self.phase {
            Phase::Connecting | Phase::Retrying { .. } | Phase::Discovery => ZabState::Discovery,
            Phase::Accepted | Phase::ReceivingSnapshot { .. } | Phase::Synchronization | Phase::Waiting => {
                ZabState::Synchronization
            }
            Phase::Broadcast => ZabState::Broadcast,
        }
    }

    /// May clients be served?
    #[must_use]
    pub fn is_synchronised(&self) -> bool {
        self.phase == Phase::Broadcast
    }

    pub(super) fn connection(&self) -> Option<ConnId> {
        self.conn
    }

    fn send(&self, cx: &mut Context<'_>, packet: QuorumPacket) {
        if let Some(conn) = self.conn {
            cx.out.push(Output::Send { conn, packet });
        }
    }

    /// Sends when every write up to now is on disk.
    fn send_after_writes(&self, cx: &mut Context<'_>, packet: QuorumPacket) {
        if let Some(conn) = self.conn {
            cx.journal.after_writes(AfterPersist::Send { term: self.term, conn, packet });
        }
    }

    /// FOLLOWERINFO or OBSERVERINFO.
    pub(super) fn connected(&mut self, cx: &mut Context<'_>, leader: i64, conn: ConnId) {
        // Else it is what an earlier role asked for.
        if self.phase != Phase::Connecting || leader != self.leader {
            cx.out.push(Output::Close { conn });
            return;
        }
        self.conn = Some(conn);
        self.phase = Phase::Discovery;
        self.deadline_ms = cx.now_ms + cx.config.init_ms();
        let kind = if self.observer { PacketType::ObserverInfo } else { PacketType::FollowerInfo };
        let info = LearnerInfo {
            sid: cx.config.sid,
            protocol_version: LEARNER_PROTOCOL_VERSION,
            config_version: cx.membership.active().version,
        };
        self.send(cx, QuorumPacket::with(kind, first_zxid(cx.journal.accepted_epoch), info.to_bytes()));
    }

    pub(super) fn connect_failed(&mut self, cx: &Context<'_>, leader: i64) -> Result<(), Leave> {
        if self.phase != Phase::Connecting || leader != self.leader {
            return Ok(());
        }
        if self.tries >= CONNECT_TRIES {
            return Err(Leave::because(format!("leader {} can't be reached", self.leader)));
        }
        self.phase = Phase::Retrying { at_ms: cx.now_ms + CONNECT_RETRY_MS };
        Ok(())
    }

    pub(super) fn disconnected(&mut self, conn: ConnId) -> Result<(), Leave> {
        if self.conn == Some(conn) { Err(Leave::because("the leader closed the connection")) } else { Ok(()) }
    }

    /// When [`Self::tick`] next has something to do.
    pub(super) fn next_wakeup_ms(&self) -> u64 {
        if let Phase::Retrying { at_ms } = self.phase { at_ms } else { self.deadline_ms }
    }

    pub(super) fn tick(&mut self, cx: &mut Context<'_>) -> Result<(), Leave> {
        match self.phase {
            Phase::Retrying { at_ms } if cx.now_ms >= at_ms => self.connect(cx),
            Phase::Retrying { .. } => {}
            _ if cx.now_ms >= self.deadline_ms => {
                return Err(Leave::because(format!("leader {} has been silent for too long", self.leader)));
            }
            _ => {}
        }
        Ok(())
    }

    /// A snapshot may take as long as its bytes keep coming.
    pub(super) fn snapshot_part(&mut self, cx: &Context<'_>, conn: ConnId) {
        if self.conn == Some(conn) && matches!(self.phase, Phase::ReceivingSnapshot { .. }) {
            self.deadline_ms = cx.now_ms + cx.config.init_ms();
        }
    }

    pub(super) fn snapshot_received(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        if let Phase::ReceivingSnapshot { zxid } = self.phase
            && self.conn == Some(conn)
        {
            cx.membership.overtake();
            cx.journal.install_snapshot(zxid, cx.out);
            self.synchronise_from(cx, zxid);
        }
    }

    pub(super) fn packet(&mut self, cx: &mut Context<'_>, conn: ConnId, packet: &QuorumPacket) -> Result<(), Leave> {
        if self.conn != Some(conn) {
            return Ok(());
        }
        let limit_ms = match self.phase {
            Phase::Waiting | Phase::Broadcast => cx.config.sync_ms(),
            _ => cx.config.init_ms(),
        };
        self.deadline_ms = cx.now_ms + limit_ms;
        match (self.phase, packet.kind) {
            (_, PacketType::Unknown(_)) => Ok(()),
            (Phase::Discovery, PacketType::LeaderInfo) => self.leader_info(cx, packet.zxid),
            (Phase::Accepted, _) => self.begin_sync(cx, packet),
            (Phase::Synchronization | Phase::Waiting, _) => self.sync_packet(cx, packet),
            (Phase::Broadcast, _) => self.broadcast_packet(cx, packet),
            (phase, kind) => Err(Leave::because(format!("{kind:?} from the leader in {phase:?}"))),
        }
    }

    /// Accepts the epoch, unless a later one was promised to another leader.
    #[doc(alias = "registerWithLeader")]
    fn leader_info(&mut self, cx: &mut Context<'_>, zxid: i64) -> Result<(), Leave> {
        self.epoch = epoch_of(zxid);
        let accepted = cx.journal.accepted_epoch;
        let current_epoch = match self.epoch.cmp(&accepted) {
            std::cmp::Ordering::Less => {
                let text = format!("the leader's epoch {} is less than the accepted epoch {accepted}", self.epoch);
                return Err(Leave::because(text));
            }
            // Not counted for the leader: the promise may have been another's.
            std::cmp::Ordering::Equal => -1,
            std::cmp::Ordering::Greater => {
                cx.journal.accept_epoch(self.epoch, cx.out);
                cx.journal.current_epoch as i32
            }
        };
        let last_zxid = if self.from_scratch { 0 } else { cx.journal.last_zxid() };
        let packet = QuorumPacket::with(PacketType::AckEpoch, last_zxid, current_epoch.to_be_bytes());
        self.send_after_writes(cx, packet);
        self.phase = Phase::Accepted;
        Ok(())
    }

    /// DIFF, TRUNC or SNAP.
    #[doc(alias = "syncWithLeader")]
    fn begin_sync(&mut self, cx: &mut Context<'_>, packet: &QuorumPacket) -> Result<(), Leave> {
        match packet.kind {
            PacketType::Trunc | PacketType::Snap if packet.zxid < 0 => {
                return Err(Leave::because(format!("{:?} to zxid {}", packet.kind, packet.zxid)));
            }
            // Not answered before UPTODATE: a leader takes nothing but ACK then.
            PacketType::Ping => {}
            PacketType::Diff => {
                if self.from_scratch {
                    cx.membership.overtake();
                    cx.journal.truncate(0, cx.out);
                }
                self.synchronise_from(cx, cx.journal.last_zxid());
            }
            PacketType::Trunc if packet.zxid < cx.journal.floor() && packet.zxid > 0 => {
                tracing::warn!("can't truncate to {:#x}; asking the leader for everything", packet.zxid);
                if let Some(conn) = self.conn.take() {
                    cx.out.push(Output::Close { conn });
                }
                self.from_scratch = true;
                self.tries = 0;
                self.connect(cx);
            }
            PacketType::Trunc => {
                if packet.zxid < cx.journal.last_zxid() {
                    cx.truncate(packet.zxid);
                }
                self.synchronise_from(cx, cx.journal.last_zxid());
            }
            PacketType::Snap => self.phase = Phase::ReceivingSnapshot { zxid: packet.zxid },
            kind => return Err(Leave::because(format!("{kind:?} from the leader instead of DIFF, TRUNC or SNAP"))),
        }
        Ok(())
    }

    fn synchronise_from(&mut self, cx: &Context<'_>, zxid: i64) {
        self.phase = Phase::Synchronization;
        self.committed = zxid;
        self.deadline_ms = cx.now_ms + cx.config.init_ms();
    }

    fn sync_packet(&mut self, cx: &mut Context<'_>, packet: &QuorumPacket) -> Result<(), Leave> {
        match packet.kind {
            PacketType::Proposal => self.take(cx, packet.zxid, packet.data())?,
            PacketType::Inform => {
                self.take(cx, packet.zxid, packet.data())?;
                self.committed = packet.zxid;
            }
            PacketType::InformAndActivate => {
                let (_, data) = activation(packet.data()).map_err(|e| unreadable(packet, e))?;
                self.take(cx, packet.zxid, data)?;
                self.committed = packet.zxid;
            }
            PacketType::Commit | PacketType::CommitAndActivate => self.committed = self.committed.max(packet.zxid),
            PacketType::NewLeader if self.phase == Phase::Synchronization => self.new_leader(cx, packet)?,
            PacketType::UpToDate if self.phase == Phase::Waiting => self.up_to_date(cx)?,
            PacketType::Ping | PacketType::Sync | PacketType::Revalidate => {}
            kind => return Err(Leave::because(format!("{kind:?} from the leader in {:?}", self.phase))),
        }
        Ok(())
    }

    /// Takes a transaction that is next in the leader's history: kept until NEWLEADER, logged at once after it.
    fn take(&mut self, cx: &mut Context<'_>, zxid: i64, data: &[u8]) -> Result<(), Leave> {
        let last = self.unlogged.last().map_or(cx.journal.last_zxid(), |txn| txn.zxid);
        let next = zxid == last.wrapping_add(1) || (epoch_of(zxid) > epoch_of(last) && counter_of(zxid) > 0);
        if !next || txn::zxid_of(data) != Ok(zxid) {
            return Err(Leave::because(format!("proposal {zxid:#x} does not follow {last:#x}")));
        }
        let txn = Txn { zxid, data: data.into() };
        if self.phase == Phase::Synchronization {
            self.unlogged.push(txn);
        } else {
            self.log(cx, txn);
        }
        Ok(())
    }

    fn log(&self, cx: &mut Context<'_>, txn: Txn) {
        let zxid = txn.zxid;
        cx.append(txn);
        if !self.observer {
            cx.journal.after_writes(AfterPersist::Logged { term: self.term, zxid });
        }
    }

    /// The leader's history is here: it becomes this server's, on disk, before that is said.
    fn new_leader(&mut self, cx: &mut Context<'_>, packet: &QuorumPacket) -> Result<(), Leave> {
        if epoch_of(packet.zxid) != self.epoch {
            return Err(Leave::because("NEWLEADER of another epoch"));
        }
        if let Some(config) = packet.data.as_ref().filter(|config| config.len() > 1) {
            self.told = cx.membership.parse(config).filter(|_| cx.membership.is_dynamic());
        }
        // What a snapshot's tree says of the members, NEWLEADER says too.
        cx.membership.forget_overtaken();
        // Before what is still under way: that may have a later one, which must not hide this.
        if let Some(verifier) = &self.told
            && cx.membership.told(Arc::clone(verifier))
        {
            cx.out.push(Output::ConfigSeen(Arc::clone(verifier)));
        }
        for txn in std::mem::take(&mut self.unlogged) {
            self.log(cx, txn);
        }
        cx.journal.enter_epoch(self.epoch, cx.out);
        self.send_after_writes(cx, QuorumPacket::new(PacketType::Ack, first_zxid(self.epoch)));
        self.phase = Phase::Waiting;
        Ok(())
    }

    /// A quorum has the leader's history: what is committed of it can be delivered, and clients be served.
    fn up_to_date(&mut self, cx: &mut Context<'_>) -> Result<(), Leave> {
        self.phase = Phase::Broadcast;
        self.send(cx, QuorumPacket::new(PacketType::Ack, first_zxid(self.epoch)));
        cx.deliver_to(self.committed);
        // A change that is still under way is not committed by this; its own commit follows.
        let committed = cx.journal.delivered_zxid().max(first_zxid(self.epoch));
        if let Some(verifier) = cx.membership.committed_by(committed) {
            cx.activate(&verifier);
        }
        self.check_place(cx, self.leader)?;
        cx.out.push(Output::Serving { epoch: self.epoch, zxid: first_zxid(self.epoch) });
        for zxid in std::mem::take(&mut self.held_acks) {
            if zxid > self.committed {
                self.send(cx, QuorumPacket::new(PacketType::Ack, zxid));
            }
        }
        Ok(())
    }

    /// After a change of the members: this server goes on as what it was, under the same leader, or else begins anew.
    fn check_place(&self, cx: &Context<'_>, leader: i64) -> Result<(), Leave> {
        let same = leader == self.leader && cx.is_observer() == self.observer && cx.membership.is_voter(leader);
        if !cx.membership.is_dynamic() || same { Ok(()) } else { Err(Leave::for_leader(leader)) }
    }

    /// Is it without a vote?
    #[must_use]
    pub fn is_observer(&self) -> bool {
        self.observer
    }

    /// A transaction is on this server's disk.
    pub(super) fn logged(&mut self, cx: &mut Context<'_>, zxid: i64) {
        if self.phase == Phase::Broadcast {
            self.send(cx, QuorumPacket::new(PacketType::Ack, zxid));
        } else {
            self.held_acks.push(zxid);
        }
    }

    #[doc(alias = "processPacket")]
    fn broadcast_packet(&mut self, cx: &mut Context<'_>, packet: &QuorumPacket) -> Result<(), Leave> {
        match packet.kind {
            PacketType::Ping => self.answer_ping(cx, packet),
            PacketType::Proposal if !self.observer => self.take(cx, packet.zxid, packet.data())?,
            PacketType::Commit | PacketType::CommitAndActivate if !self.observer => {
                let next = cx.journal.first_outstanding().map(|txn| txn.zxid);
                if next != Some(packet.zxid) {
                    return Err(Leave::because(format!("committing {:#x}, but next is {next:x?}", packet.zxid)));
                }
                cx.deliver_next();
                if packet.kind == PacketType::CommitAndActivate {
                    let (leader, _) = activation(packet.data()).map_err(|e| unreadable(packet, e))?;
                    self.check_place(cx, leader)?;
                }
            }
            PacketType::Inform if self.observer => self.informed(cx, packet.zxid, packet.data())?,
            PacketType::InformAndActivate if self.observer => {
                let (leader, data) = activation(packet.data()).map_err(|e| unreadable(packet, e))?;
                self.informed(cx, packet.zxid, data)?;
                self.check_place(cx, leader)?;
            }
            PacketType::Revalidate => {
                let mut reader = Reader::new(packet.data());
                let answer = reader.long().and_then(|session_id| Ok((session_id, reader.bool()?)));
                let (session_id, valid) = answer.map_err(|e| unreadable(packet, e))?;
                cx.out.push(Output::Revalidated { session_id, valid });
            }
            PacketType::Sync => cx.out.push(Output::Synced),
            // UPTODATE again, or what an observer need not know.
            _ => {}
        }
        Ok(())
    }

    /// An observer learns of a commit together with its transaction.
    fn informed(&mut self, cx: &mut Context<'_>, zxid: i64, data: &[u8]) -> Result<(), Leave> {
        self.take(cx, zxid, data)?;
        cx.deliver_to(zxid);
        Ok(())
    }

    fn answer_ping(&mut self, cx: &mut Context<'_>, packet: &QuorumPacket) {
        let touched = Touched(std::mem::take(&mut self.touched).into_iter().collect());
        let answer = QuorumPacket { data: Some(touched.to_bytes().into()), ..packet.clone() };
        self.send(cx, answer);
    }

    pub(super) fn forward(&self, cx: &mut Context<'_>, request: &LearnerRequest) {
        if self.phase == Phase::Broadcast {
            self.send(cx, request.to_packet());
        }
    }

    pub(super) fn revalidate(&self, cx: &mut Context<'_>, session_id: i64, timeout_ms: i32) {
        if self.phase == Phase::Broadcast {
            self.send(cx, session_validity_asked(session_id, timeout_ms));
        }
    }

    pub(super) fn touch(&mut self, session_id: i64, timeout_ms: i32) {
        self.touched.insert(session_id, timeout_ms);
    }
}

fn unreadable(packet: &QuorumPacket, error: crate::jute::JuteError) -> Leave {
    Leave::because(format!("{:?} from the leader: {error}", packet.kind))
}
