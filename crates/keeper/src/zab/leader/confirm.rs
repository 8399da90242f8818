//! Does this leader lead still? Another may have been elected without its notice, and have committed what this one does
//! not know. It asks with a PING: a learner that answers one had not left this leader when it was sent, so no later epoch
//! had a quorum then if a quorum answers (read index: Ongaro, *Consensus: Bridging Theory and Practice*, 6.4).
//!
//! Learners answer PINGs in their order and nothing else with one, so counting is enough, and servers of every kind
//! take part. All that arrives while a round is under way waits for the next one: there is never more than one.

use super::broadcast::answer_sync;
use super::{Leader, Stage};
use crate::zab::messages::{PacketType, QuorumPacket};
use crate::zab::peer::Context;
use crate::zab::{ConnId, Output};
use std::collections::{BTreeSet, VecDeque};

/// PINGs that a learner may owe an answer to before a round sends it no more: it takes part with the next one by the clock.
const UNANSWERED_PINGS: u64 = 32;

/// PINGs to a learner since its UPTODATE; those before it are never answered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pings {
    sent: u64,
    answered: u64,
    /// The answer to this one counts for the round.
    wanted: u64,
}

impl Pings {
    /// By the clock.
    pub(super) fn sent(&mut self) {
        self.sent += 1;
    }

    /// For a round; true when one has to be sent.
    fn want(&mut self) -> bool {
        self.wanted = self.sent + 1;
        let send = self.sent - self.answered < UNANSWERED_PINGS;
        self.sent += u64::from(send);
        send
    }

    fn answered(&mut self) {
        self.answered = self.sent.min(self.answered + 1);
    }

    fn confirms(&self) -> bool {
        self.answered >= self.wanted
    }
}

/// Rounds of PINGs, counted, and who waits for them.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    started: u64,
    done: u64,
    /// Reads and the round that each waits for, in the order in which they came.
    reads: VecDeque<(u64, Option<ConnId>)>,
}

impl Rounds {
    fn is_under_way(&self) -> bool {
        self.started != self.done
    }

    pub(super) fn forget(&mut self, conn: ConnId) {
        self.reads.retain(|(_, waiting)| *waiting != Some(conn));
    }
}

impl Leader {
    /// A read has come to its turn: it is answered when a quorum has answered a PING that is sent after now.
    pub(in crate::zab) fn confirmed_read(&mut self, cx: &mut Context<'_>, conn: Option<ConnId>) {
        if self.is_established() && conn.is_none_or(|conn| self.learners.contains_key(&conn)) {
            self.rounds.reads.push_back((self.rounds.started + 1, conn));
            self.run_rounds(cx);
        }
    }

    /// A learner answered a PING.
    pub(super) fn pong(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        if let Some(learner) = self.learners.get_mut(&conn) {
            learner.pings.answered();
        }
        self.run_rounds(cx);
    }

    /// UPTODATE was sent: PINGs are answered from now on, and the round under way wants this answer too.
    pub(super) fn pings_begin(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        let ping = self.ping_packet();
        let Some(learner) = self.learners.get_mut(&conn) else { return };
        learner.pings = Pings::default();
        if self.rounds.is_under_way() && !learner.observer && learner.pings.want() {
            cx.out.push(Output::Send { conn, packet: ping });
        }
    }

    fn ping_packet(&self) -> QuorumPacket {
        QuorumPacket::new(PacketType::Ping, self.last_proposed)
    }

    /// Ends the round that a quorum has answered, and begins the one that is waited for.
    fn run_rounds(&mut self, cx: &mut Context<'_>) {
        loop {
            if self.rounds.is_under_way() {
                if !self.is_confirmed(cx) {
                    return;
                }
                self.rounds.done = self.rounds.started;
                while let Some((round, conn)) = self.rounds.reads.front().copied()
                    && round <= self.rounds.done
                {
                    answer_sync(cx, conn);
                    self.rounds.reads.pop_front();
                }
            }
            if self.rounds.reads.is_empty() {
                return;
            }
            self.rounds.started += 1;
            let ping = self.ping_packet();
            for (conn, learner) in self.learners.iter_mut().filter(|(_, l)| l.stage == Stage::Synced && !l.observer) {
                if learner.pings.want() {
                    cx.out.push(Output::Send { conn: *conn, packet: ping.clone() });
                }
            }
        }
    }

    fn is_confirmed(&self, cx: &Context<'_>) -> bool {
        let answered = self.learners.values().filter(|l| l.stage == Stage::Synced && !l.observer && l.pings.confirms());
        let mut sids: BTreeSet<i64> = answered.map(|learner| learner.sid).collect();
        sids.insert(cx.config.sid);
        cx.membership.has_quorums(&sids)
    }
}
