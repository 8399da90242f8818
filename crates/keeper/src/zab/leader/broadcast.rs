//! Broadcast, the leader's side: propose, count acknowledgements, commit in order; what learners ask for; liveness.

use super::sync::proposal;
use super::{Leader, LearnerHandler, Phase, Retiring, Stage};
use crate::jute::{JuteError, Reader};
use crate::proto::OpCode;
use crate::zab::journal::{counter_of, epoch_of};
use crate::zab::messages::{LearnerRequest, PacketType, QuorumPacket, Touched, session_validity};
use crate::zab::peer::{Context, Leave};
use crate::zab::{ConnId, Output, QuorumVerifier, Txn};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Does a learner acknowledge in time? Two proposals are watched: the oldest that is open, and the last one sent.
#[doc(alias = "LearnerHandler.SyncLimitCheck")]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SyncLimitCheck {
    started: bool,
    current: Option<(i64, u64)>,
    next: Option<(i64, u64)>,
}

impl SyncLimitCheck {
    pub(super) fn start(&mut self) {
        self.started = true;
    }

    pub(super) fn proposed(&mut self, zxid: i64, now_ms: u64) {
        if !self.started {
            return;
        }
        let slot = if self.current.is_none() { &mut self.current } else { &mut self.next };
        *slot = Some((zxid, now_ms));
    }

    fn acked(&mut self, zxid: i64) {
        if self.current.is_some_and(|(current, _)| current == zxid) {
            self.current = self.next.take();
        } else if self.next.is_some_and(|(next, _)| next == zxid) {
            self.next = None;
        }
    }

    pub(super) fn exceeded(&self, now_ms: u64, limit_ms: u64) -> bool {
        self.current.is_some_and(|(_, since_ms)| now_ms.saturating_sub(since_ms) >= limit_ms)
    }
}

impl LearnerHandler {
    /// Does it hear of everything?
    fn forwarding(&self) -> bool {
        matches!(self.stage, Stage::Syncing | Stage::Synced)
    }
}

impl Leader {
    /// Proposes a transaction. One that is not the next is not taken: the host is behind what this machine told it.
    pub(in crate::zab) fn propose(&mut self, cx: &mut Context<'_>, txn: Txn) -> Result<(), Leave> {
        if !self.is_established() || txn.zxid != self.last_proposed + 1 {
            tracing::warn!("proposal {:#x} does not follow {:#x}; dropped", txn.zxid, self.last_proposed);
            return Ok(());
        }
        if epoch_of(txn.zxid) != self.epoch || counter_of(txn.zxid) == 0xffff_ffff {
            return Err(Leave::because("the counter of the zxid has rolled over; a new epoch is needed"));
        }
        self.last_proposed = txn.zxid;
        let packet = proposal(&txn);
        for (conn, learner) in self.learners.iter_mut().filter(|(_, l)| l.forwarding() && !l.observer) {
            learner.sync_limit.proposed(txn.zxid, cx.now_ms);
            cx.out.push(Output::Send { conn: *conn, packet: packet.clone() });
        }
        self.log(cx, txn);
        Ok(())
    }

    /// Commits what a quorum has logged, in order.
    #[doc(alias = "tryToCommit")]
    pub(super) fn try_to_commit(&mut self, cx: &mut Context<'_>) {
        while self.is_established()
            && let Some(zxid) = cx.journal.first_outstanding().map(|txn| txn.zxid)
            && self.is_logged_by_quorum(cx, zxid)
        {
            let before = Arc::clone(cx.membership.active());
            let Some(txn) = cx.deliver_next() else { break };
            if Arc::ptr_eq(&before, cx.membership.active()) {
                self.send_commit(cx, &txn, None);
            } else {
                let successor = self.successor(cx, &before, zxid);
                self.send_commit(cx, &txn, Some(successor.unwrap_or(cx.config.sid)));
                if let Some(successor) = successor {
                    self.retire(cx, successor);
                }
            }
            while self.pending_syncs.front().is_some_and(|(after, _)| *after <= txn.zxid) {
                let Some((_, conn)) = self.pending_syncs.pop_front() else { break };
                answer_sync(cx, conn);
            }
        }
    }

    /// Who leads the active configuration, when it is not this server as it was `before`: one of its voters that has
    /// acknowledged `zxid`, the one with most of what came after it.
    #[doc(alias = "getDesignatedLeader")]
    pub(super) fn successor(&self, cx: &Context<'_>, before: &QuorumVerifier, zxid: i64) -> Option<i64> {
        let (me, active) = (cx.config.sid, cx.membership.active());
        let place = |verifier: &QuorumVerifier| verifier.members().get(&me).map(|spec| spec.addresses.clone());
        if active.is_voter(me) && (place(active) == place(before) || active.voters().len() == 1) {
            return None;
        }
        let may_lead = |l: &&LearnerHandler| {
            l.stage == Stage::Synced && !l.observer && active.is_voter(l.sid) && active.weight(l.sid) > 0
        };
        let candidates = self.learners.values().filter(may_lead);
        let best = candidates.max_by_key(|l| (l.acked >= zxid, l.acked, l.sid)).map(|l| l.sid);
        Some(best.or_else(|| active.voters().iter().copied().find(|sid| *sid != me)).unwrap_or(me))
    }

    /// Decides nothing any more; false, for its caller.
    pub(super) fn retire(&mut self, cx: &Context<'_>, successor: i64) -> bool {
        tracing::info!("server {successor} is to lead the new ensemble; this server decides nothing any more");
        self.retiring = Some(Retiring { successor, until_ms: cx.now_ms + cx.config.sync_ms() });
        false
    }

    fn is_logged_by_quorum(&self, cx: &Context<'_>, zxid: i64) -> bool {
        let mut acks: BTreeSet<i64> =
            self.learners.values().filter(|l| l.acked >= zxid && !l.observer).map(|l| l.sid).collect();
        if self.own_acked >= zxid {
            acks.insert(cx.config.sid);
        }
        cx.membership.has_quorums_for(zxid, &acks)
    }

    /// With `leader`, the transaction is a new configuration, which that server leads.
    fn send_commit(&self, cx: &mut Context<'_>, txn: &Txn, leader: Option<i64>) {
        for (conn, learner) in self.learners.iter().filter(|(_, learner)| learner.forwarding()) {
            let packet = match (learner.observer, leader) {
                (true, None) => QuorumPacket::with(PacketType::Inform, txn.zxid, txn.data.clone()),
                (true, Some(leader)) => {
                    let data = [&leader.to_be_bytes()[..], &txn.data].concat();
                    QuorumPacket::with(PacketType::InformAndActivate, txn.zxid, data)
                }
                (false, None) => QuorumPacket::new(PacketType::Commit, txn.zxid),
                (false, Some(leader)) => {
                    QuorumPacket::with(PacketType::CommitAndActivate, txn.zxid, leader.to_be_bytes())
                }
            };
            cx.out.push(Output::Send { conn: *conn, packet });
        }
    }

    /// A `sync` has come to its turn: it is answered when what was proposed before it is committed.
    #[doc(alias = "processSync")]
    pub(in crate::zab) fn sync(&mut self, cx: &mut Context<'_>, conn: Option<ConnId>) {
        if conn.is_some_and(|conn| !self.learners.contains_key(&conn)) {
            return;
        }
        if cx.journal.first_outstanding().is_none() {
            answer_sync(cx, conn);
        } else {
            self.pending_syncs.push_back((self.last_proposed, conn));
        }
    }

    pub(in crate::zab) fn revalidated(&self, cx: &mut Context<'_>, conn: ConnId, session_id: i64, valid: bool) {
        if self.learners.contains_key(&conn) {
            cx.out.push(Output::Send { conn, packet: session_validity(session_id, valid) });
        }
    }

    /// What a learner says that is synchronised.
    pub(super) fn synced_packet(&mut self, cx: &mut Context<'_>, conn: ConnId, packet: &QuorumPacket) {
        let Some(learner) = self.learners.get_mut(&conn) else { return };
        let sid = learner.sid;
        let read = match packet.kind {
            PacketType::Ack => {
                learner.sync_limit.acked(packet.zxid);
                // Nobody has logged what was not proposed.
                if packet.zxid <= self.last_proposed {
                    learner.acked = learner.acked.max(packet.zxid);
                }
                self.try_to_commit(cx);
                Ok(())
            }
            PacketType::Ping => touch(cx, packet).map(|()| self.pong(cx, conn)),
            PacketType::Revalidate => revalidate(cx, conn, sid, packet),
            PacketType::Request => LearnerRequest::from_packet(packet).map(|request| {
                if self.is_established() {
                    cx.out.push(Output::Request { conn, sid, request });
                }
            }),
            // As ZooKeeper does with what it does not know.
            _ => Ok(()),
        };
        if let Err(error) = read {
            self.close(cx, conn, &format!("{:?}: {error}", packet.kind));
        }
    }

    pub(super) fn ping(&mut self, cx: &mut Context<'_>) {
        for (conn, learner) in self.learners.iter_mut().filter(|(_, learner)| learner.forwarding()) {
            learner.pings.sent();
            let zxid = if self.phase == Phase::Broadcast { self.last_proposed } else { cx.journal.last_zxid() };
            cx.out.push(Output::Send { conn: *conn, packet: QuorumPacket::new(PacketType::Ping, zxid) });
        }
    }

    /// A leader that a quorum does not hear any more steps down: another one may be elected already.
    pub(super) fn check_quorum(&self, cx: &Context<'_>) -> Result<(), Leave> {
        let alive = self.learners.values().filter(|l| l.stage > Stage::Connected && cx.now_ms <= l.alive_until_ms);
        let mut sids: BTreeSet<i64> = alive.filter(|l| !l.observer).map(|l| l.sid).collect();
        sids.insert(cx.config.sid);
        if cx.membership.has_quorums(&sids) {
            return Ok(());
        }
        Err(Leave::because(format!("not sufficient followers synced, only synced with sids: {sids:?}")))
    }
}

pub(super) fn answer_sync(cx: &mut Context<'_>, conn: Option<ConnId>) {
    cx.out.push(match conn {
        None => Output::Synced,
        Some(conn) => Output::Send { conn, packet: QuorumPacket::new(PacketType::Sync, 0) },
    });
}

fn touch(cx: &mut Context<'_>, packet: &QuorumPacket) -> Result<(), JuteError> {
    for (session_id, timeout_ms) in Touched::decode(packet.data())?.0 {
        cx.out.push(Output::Touch { session_id, timeout_ms });
    }
    Ok(())
}

fn revalidate(cx: &mut Context<'_>, conn: ConnId, sid: i64, packet: &QuorumPacket) -> Result<(), JuteError> {
    let mut reader = Reader::new(packet.data());
    let (session_id, timeout_ms) = (reader.long()?, reader.int()?);
    cx.out.push(Output::Revalidate { conn, sid, session_id, timeout_ms });
    Ok(())
}

/// Is this request a `sync`? Hosts put it in with [`crate::zab::Input::Sync`].
impl LearnerRequest {
    #[must_use]
    pub fn is_sync(&self) -> bool {
        self.op == OpCode::Sync.code()
    }
}
