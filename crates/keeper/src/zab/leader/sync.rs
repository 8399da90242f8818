//! Synchronisation, the leader's side (`LearnerHandler.syncFollower`): what a learner lacks or has too much, found in the
//! retained end of the log, else a snapshot; then NEWLEADER.

use super::{Leader, LeaderStep, Phase, Stage};
use crate::zab::journal::{counter_of, epoch_of, first_zxid};
use crate::zab::messages::{PacketType, QuorumPacket};
use crate::zab::peer::Context;
use crate::zab::{ConnId, Output, Txn};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How a learner comes to the leader's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// It lacks what comes after `from`.
    Diff { to: i64, from: i64 },
    /// It has too much: it forgets what comes after `zxid`, and then lacks what follows.
    Trunc { zxid: i64 },
    /// It is too far away.
    Snap,
}

/// Chooses, from where the learner's history ends, the committed log (zxids in order) and where the leader's state is.
///
/// A zxid that begins an epoch (counter 0) is no transaction: who has it has all before it, and nothing to truncate.
pub(super) fn plan(peer_last: i64, committed: &[i64], last_processed: i64) -> Plan {
    let (min, max) = match (committed.first(), committed.last()) {
        (Some(first), Some(last)) => (*first, *last),
        _ => (last_processed, last_processed),
    };
    let begins_epoch = counter_of(peer_last) == 0;
    if last_processed == peer_last {
        return Plan::Diff { to: peer_last, from: peer_last };
    }
    if peer_last > max && !begins_epoch {
        return Plan::Trunc { zxid: max };
    }
    if peer_last < min || peer_last > max {
        return Plan::Snap;
    }
    if begins_epoch || committed.binary_search(&peer_last).is_ok() {
        return Plan::Diff { to: max, from: peer_last };
    }
    // The learner has a transaction that nobody else kept: it goes, if what is before and after it is of one epoch.
    let next = committed.partition_point(|zxid| *zxid < peer_last);
    match (next.checked_sub(1).and_then(|before| committed.get(before)), committed.get(next)) {
        (Some(before), Some(after)) if epoch_of(*after) == epoch_of(peer_last) => Plan::Trunc { zxid: *before },
        _ => Plan::Snap,
    }
}

impl Leader {
    /// Sends a learner what makes its history the leader's, then NEWLEADER. From here on it hears of everything.
    #[doc(alias = "syncFollower")]
    pub(super) fn sync_learner(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        let Some(learner) = self.learners.get_mut(&conn) else { return };
        let Stage::EpochAccepted { last_zxid } = learner.stage else { return };
        let first = cx.journal.committed_log().next().map(|txn| txn.zxid);
        // The log files from the floor on are one history with what is retained.
        if last_zxid >= cx.journal.floor() && counter_of(last_zxid) != 0 && first.is_some_and(|first| last_zxid < first)
        {
            learner.stage = Stage::ReadingLog { last_zxid };
            cx.out.push(Output::ReadLog { conn, from: last_zxid });
        } else {
            self.send_history(cx, conn, last_zxid, Vec::new());
        }
    }

    /// What was read from the log files, if that is the way for this learner.
    pub(in crate::zab) fn log_read(&mut self, cx: &mut Context<'_>, conn: ConnId, txns: Vec<Txn>) {
        if let Some(Stage::ReadingLog { last_zxid }) = self.learners.get(&conn).map(|learner| learner.stage) {
            self.send_history(cx, conn, last_zxid, txns);
        }
    }

    /// `older` is what the log files have before what is retained, if that reaches so far.
    fn send_history(&mut self, cx: &mut Context<'_>, conn: ConnId, peer_last: i64, mut older: Vec<Txn>) {
        let Some(learner) = self.learners.get_mut(&conn) else { return };
        learner.stage = Stage::Syncing;
        // Until it is established, all of the leader's history is to be committed.
        let established = self.phase == Phase::Broadcast;
        let first = cx.journal.committed_log().next().map_or(i64::MAX, |txn| txn.zxid);
        // Without the first that is retained among them there is a gap.
        let joined = older.iter().position(|txn| txn.zxid == first);
        older.truncate(joined.unwrap_or(0));
        let mut history = older;
        history.extend(cx.journal.committed_log().cloned());
        let mut proposed: Vec<Txn> = cx.journal.outstanding().cloned().collect();
        if !established {
            history.append(&mut proposed);
        }
        let zxids: Vec<i64> = history.iter().map(|txn| txn.zxid).collect();
        let processed = if established { cx.journal.delivered_zxid() } else { cx.journal.last_zxid() };
        let plan = plan(peer_last, &zxids, processed);
        tracing::info!("synchronising learner {} (at {peer_last:#x}): {plan:?}", learner.sid);
        let mut send = |packet| cx.out.push(Output::Send { conn, packet });
        let from = match plan {
            Plan::Diff { to, from } => {
                send(QuorumPacket::new(PacketType::Diff, to));
                from
            }
            Plan::Trunc { zxid } => {
                send(QuorumPacket::new(PacketType::Trunc, zxid));
                zxid
            }
            Plan::Snap => {
                let zxid = cx.journal.delivered_zxid();
                cx.out.push(Output::SendSnapshot { conn, zxid });
                zxid
            }
        };
        let mut send = |packet| cx.out.push(Output::Send { conn, packet });
        for txn in history.iter().filter(|txn| txn.zxid > from) {
            send(proposal(txn));
            send(QuorumPacket::new(PacketType::Commit, txn.zxid));
        }
        if !learner.observer {
            for txn in &proposed {
                send(proposal(txn));
                learner.sync_limit.proposed(txn.zxid, cx.now_ms);
            }
        }
        // What is to be committed with the history; later than that, the commit itself tells.
        let config = if established { cx.membership.active() } else { cx.membership.last_seen() };
        let config = config.to_string().into_bytes();
        send(QuorumPacket::with(PacketType::NewLeader, first_zxid(self.epoch), config));
    }

    /// The learner has the history on its disk.
    #[doc(alias = "waitForNewLeaderAck")]
    pub(super) fn new_leader_acked(&mut self, cx: &mut Context<'_>, conn: ConnId, zxid: i64) {
        if zxid != first_zxid(self.epoch) {
            self.close(cx, conn, "it acknowledged another epoch's leader");
            return;
        }
        let Some(learner) = self.learners.get_mut(&conn) else { return };
        learner.stage = Stage::Synced;
        self.generation += 1;
        learner.alive_until_ms = cx.now_ms + cx.config.init_ms() + cx.config.sync_ms();
        learner.sync_limit.start();
        if self.phase == Phase::Broadcast {
            cx.out.push(Output::Send { conn, packet: QuorumPacket::new(PacketType::UpToDate, -1) });
            self.pings_begin(cx, conn);
        } else {
            self.establish(cx);
        }
    }

    /// A quorum, this server in it, has the history on disk: it is committed, and the epoch is this leader's.
    pub(super) fn establish(&mut self, cx: &mut Context<'_>) {
        if self.phase != Phase::Synchronization || !self.entered {
            return;
        }
        // Only those who are still there: who left may have made a later leader already.
        let mut acks: BTreeSet<i64> =
            self.learners.values().filter(|l| l.stage == Stage::Synced && !l.observer).map(|l| l.sid).collect();
        acks.insert(cx.config.sid);
        if !cx.membership.has_quorums(&acks) {
            return;
        }
        self.enter(cx, Phase::Broadcast);
        cx.membership.forget_overtaken();
        let before = Arc::clone(cx.membership.active());
        cx.deliver_to(cx.journal.last_zxid());
        let zxid = first_zxid(self.epoch);
        if let Some(verifier) = cx.membership.committed_by(zxid) {
            cx.activate(&verifier);
        }
        cx.journal.begin_epoch(zxid);
        (self.last_proposed, self.own_acked) = (zxid, zxid);
        self.skip_check = true;
        if self.successor(cx, &before, zxid).is_none_or(|successor| self.retire(cx, successor)) {
            cx.out.push(Output::Serving { epoch: self.epoch, zxid });
        }
        let synced = self.learners.iter().filter(|(_, learner)| learner.stage == Stage::Synced);
        for conn in synced.map(|(conn, _)| *conn).collect::<Vec<ConnId>>() {
            cx.out.push(Output::Send { conn, packet: QuorumPacket::new(PacketType::UpToDate, -1) });
            self.pings_begin(cx, conn);
        }
    }

    /// Appends a transaction of this epoch to the leader's own log.
    pub(super) fn log(&self, cx: &mut Context<'_>, txn: Txn) {
        let zxid = txn.zxid;
        cx.append(txn);
        self.after_writes(cx, LeaderStep::Logged { zxid });
    }
}

/// PROPOSAL.
pub(super) fn proposal(txn: &Txn) -> QuorumPacket {
    QuorumPacket::with(PacketType::Proposal, txn.zxid, txn.data.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans() {
        let z = |epoch: i64, counter: i64| first_zxid(epoch) + counter;
        let log = [z(1, 5), z(1, 6), z(1, 9), z(2, 1), z(2, 2)];
        let max = z(2, 2);
        let cases = [
            (max, Plan::Diff { to: max, from: max }),
            (z(1, 6), Plan::Diff { to: max, from: z(1, 6) }),
            (z(1, 5), Plan::Diff { to: max, from: z(1, 5) }),
            (z(1, 4), Plan::Snap),
            (0, Plan::Snap),
            // Beyond the end, of this or of a later epoch.
            (z(2, 7), Plan::Trunc { zxid: max }),
            (z(3, 1), Plan::Trunc { zxid: max }),
            // In a gap: of one epoch, or at the end of one.
            (z(1, 7), Plan::Trunc { zxid: z(1, 6) }),
            (z(1, 10), Plan::Snap),
            // The beginning of an epoch.
            (z(2, 0), Plan::Diff { to: max, from: z(2, 0) }),
            (z(3, 0), Plan::Snap),
        ];
        for (peer_last, expected) in cases {
            assert_eq!(plan(peer_last, &log, max), expected, "{peer_last:#x}");
        }
        assert_eq!(plan(0, &[], 0), Plan::Diff { to: 0, from: 0 });
        assert_eq!(plan(z(1, 3), &[], z(4, 0)), Plan::Snap);
        assert_eq!(plan(z(5, 3), &[], z(4, 1)), Plan::Trunc { zxid: z(4, 1) });
    }
}
