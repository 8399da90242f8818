//! Who is to lead (`FastLeaderElection`): everybody tells everybody a vote, takes over better ones, and is done when a
//! quorum agrees and no better vote came for a moment. Who comes late asks those who have a leader.
//!
//! A vote is better by epoch, then last zxid, then server id, so that the winner has everything that was committed.

use super::Output;
use super::membership::Membership;
use super::messages::{Notification, ServerState};
use ottla_base::limits::ELECTION_CONNECTIONS;
use std::collections::{BTreeMap, BTreeSet};

/// Whom somebody wants to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    pub leader: i64,
    /// The leader's last transaction.
    pub zxid: i64,
    /// The round it was cast in.
    pub election_epoch: i64,
    /// The leader's epoch.
    pub peer_epoch: i64,
    /// What the voter does.
    pub state: ServerState,
    /// Of the notification; 0 from servers before 3.4.6.
    pub version: i32,
}

impl Vote {
    fn of(notification: &Notification) -> Self {
        Self {
            leader: notification.leader,
            zxid: notification.zxid,
            election_epoch: notification.election_epoch,
            peer_epoch: notification.peer_epoch,
            state: notification.state,
            version: notification.version,
        }
    }

    /// For the same leader? Those who have one may disagree about its zxid and round (`Vote.equals`).
    fn agrees(&self, other: &Self) -> bool {
        if self.state == ServerState::Looking || other.state == ServerState::Looking {
            (self.leader, self.zxid, self.election_epoch, self.peer_epoch)
                == (other.leader, other.zxid, other.election_epoch, other.peer_epoch)
        } else {
            self.leader == other.leader
                && ((self.version > 0) != (other.version > 0) || self.peer_epoch == other.peer_epoch)
        }
    }
}

/// Waiting times, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct ElectionTiming {
    /// How long a better vote is waited for once a quorum agrees.
    pub finalize_wait_ms: u64,
    /// First wait before votes are sent again (`fastleader.minNotificationInterval`); it doubles each time.
    pub min_notification_interval_ms: u64,
    /// Longest such wait (`fastleader.maxNotificationInterval`).
    pub max_notification_interval_ms: u64,
}

impl Default for ElectionTiming {
    fn default() -> Self {
        Self { finalize_wait_ms: 200, min_notification_interval_ms: 200, max_notification_interval_ms: 60_000 }
    }
}

/// Who votes here, and on what ground.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub sid: i64,
    pub last_zxid: i64,
    pub current_epoch: i64,
    /// Who votes; the text of the active configuration is sent along with each vote.
    pub membership: &'a Membership,
}

/// One server's election.
#[doc(alias = "FastLeaderElection")]
#[derive(Debug)]
pub struct Election {
    timing: ElectionTiming,
    /// The round.
    logical_clock: i64,
    proposal: Vote,
    /// Votes of this round.
    received: BTreeMap<i64, Vote>,
    /// Votes of those who have a leader, of any round.
    out_of_election: BTreeMap<i64, Vote>,
    /// What servers without a vote were answered last, and when.
    answered: BTreeMap<i64, (Vote, u64)>,
    interval_ms: u64,
    resend_ms: u64,
    /// A quorum agrees: done at this moment, unless a better vote comes.
    finalize_ms: Option<u64>,
}

impl Election {
    /// No election is on yet.
    #[must_use]
    pub fn new(timing: ElectionTiming) -> Self {
        Self {
            timing,
            logical_clock: 0,
            proposal: Vote {
                leader: -1,
                zxid: -1,
                election_epoch: 0,
                peer_epoch: -1,
                state: ServerState::Looking,
                version: 0,
            },
            received: BTreeMap::new(),
            out_of_election: BTreeMap::new(),
            answered: BTreeMap::new(),
            interval_ms: timing.min_notification_interval_ms,
            resend_ms: 0,
            finalize_ms: None,
        }
    }

    /// The round.
    #[doc(alias = "getLogicalClock")]
    #[must_use]
    pub fn round(&self) -> i64 {
        self.logical_clock
    }

    /// The vote that this server casts now.
    #[must_use]
    pub fn proposal(&self) -> Vote {
        Vote { election_epoch: self.logical_clock, ..self.proposal }
    }

    /// When [`Self::tick`] next has something to do.
    #[must_use]
    pub fn next_wakeup_ms(&self) -> u64 {
        self.finalize_ms.unwrap_or(self.resend_ms)
    }

    /// A new election: the next round, with a vote for oneself. Done at once when this server alone is a quorum.
    #[doc(alias = "lookForLeader")]
    pub fn start(&mut self, now_ms: u64, me: Candidate<'_>, out: &mut Vec<Output>) {
        self.logical_clock = self.logical_clock.saturating_add(1);
        self.received.clear();
        self.out_of_election.clear();
        self.answered.clear();
        self.interval_ms = self.timing.min_notification_interval_ms;
        self.resend_ms = now_ms + self.interval_ms;
        self.finalize_ms = None;
        self.propose(own_vote(me), me, out);
        self.count(now_ms, me);
    }

    fn propose(&mut self, vote: Vote, me: Candidate<'_>, out: &mut Vec<Output>) {
        self.proposal = vote;
        if me.membership.is_any_voter(me.sid) {
            self.received.insert(me.sid, self.proposal());
        }
        self.send(me, out);
    }

    fn send(&self, me: Candidate<'_>, out: &mut Vec<Output>) {
        for to in me.membership.all_voters().into_iter().filter(|sid| *sid != me.sid) {
            let notification = notification(self.proposal(), ServerState::Looking, me.membership.text());
            out.push(Output::Notify { to, notification });
        }
    }

    /// Starts the last wait when a quorum agrees, stops it when none does.
    fn count(&mut self, now_ms: u64, me: Candidate<'_>) {
        let agreed = agreeing(&self.received, &self.proposal());
        self.finalize_ms = me.membership.has_quorums(&agreed).then_some(now_ms + self.timing.finalize_wait_ms);
    }

    /// Sends votes again, or ends the election with the vote that won.
    pub fn tick(&mut self, now_ms: u64, me: Candidate<'_>, out: &mut Vec<Output>) -> Option<Vote> {
        if let Some(finalize_ms) = self.finalize_ms {
            return (now_ms >= finalize_ms).then(|| self.proposal());
        }
        if now_ms >= self.resend_ms {
            self.send(me, out);
            self.interval_ms = (self.interval_ms * 2).min(self.timing.max_notification_interval_ms);
            self.resend_ms = now_ms + self.interval_ms;
        }
        None
    }

    /// A vote of `from`; what comes back is the vote that won.
    pub fn notification(
        &mut self,
        now_ms: u64,
        from: i64,
        n: &Notification,
        me: Candidate<'_>,
        out: &mut Vec<Output>,
    ) -> Option<Vote> {
        if !me.membership.is_any_voter(from) {
            self.answer_voteless(now_ms, from, me, out);
            return None;
        }
        if !me.membership.is_any_voter(n.leader) {
            if n.state == ServerState::Looking && n.election_epoch > self.logical_clock {
                // It names nobody, as it has no vote before a change of the members is committed; but that may need its
                // voice, which it gives to nobody of a round before its own.
                self.join_round(n.election_epoch);
                self.propose(own_vote(me), me, out);
                self.count(now_ms, me);
            }
            return None;
        }
        match n.state {
            ServerState::Looking => {
                self.looking(now_ms, from, n, me, out);
                None
            }
            ServerState::Observing => None,
            ServerState::Following | ServerState::Leading => self.has_leader(from, n, me),
        }
    }

    /// It may be of a later round, and answer that this is none: once in a while is enough.
    fn answer_voteless(&mut self, now_ms: u64, from: i64, me: Candidate<'_>, out: &mut Vec<Output>) {
        let vote = self.proposal();
        let known = self
            .answered
            .get(&from)
            .is_some_and(|(told, at_ms)| *told == vote && now_ms < at_ms + self.timing.min_notification_interval_ms);
        if !known {
            // Strangers may introduce themselves under any number of names.
            if self.answered.len() >= ELECTION_CONNECTIONS {
                self.answered.clear();
            }
            self.answered.insert(from, (vote, now_ms));
            let reply = notification(vote, ServerState::Looking, me.membership.text());
            out.push(Output::Notify { to: from, notification: reply });
        }
    }

    fn join_round(&mut self, round: i64) {
        self.logical_clock = round;
        self.received.clear();
    }

    fn looking(&mut self, now_ms: u64, from: i64, n: &Notification, me: Candidate<'_>, out: &mut Vec<Output>) {
        // -1 is a server that has no state to vote on.
        if n.zxid == -1 || n.election_epoch < self.logical_clock {
            if n.election_epoch < self.logical_clock {
                let reply = notification(self.proposal(), ServerState::Looking, me.membership.text());
                out.push(Output::Notify { to: from, notification: reply });
            }
            return;
        }
        let vote = Vote { version: 0, ..Vote::of(n) };
        if n.election_epoch > self.logical_clock {
            self.join_round(n.election_epoch);
            let own = own_vote(me);
            let better = is_better(&vote, &own, me.membership);
            self.propose(if better { vote } else { own }, me, out);
        } else if is_better(&vote, &self.proposal, me.membership) {
            self.propose(vote, me, out);
        } else if is_better(&self.proposal, &vote, me.membership) {
            // It may have begun to look after our vote came to it, and would else hear it again only when that is repeated.
            let reply = notification(self.proposal(), ServerState::Looking, me.membership.text());
            out.push(Output::Notify { to: from, notification: reply });
        } else if self.finalize_ms.is_some() && self.received.get(&from).is_some_and(|old| old.agrees(&vote)) {
            // Nothing new: the last wait goes on.
            return;
        }
        self.received.insert(from, vote);
        self.count(now_ms, me);
    }

    /// `from` follows or leads: if a quorum follows the same leader and it says so itself, this server does too.
    fn has_leader(&mut self, from: i64, n: &Notification, me: Candidate<'_>) -> Option<Vote> {
        let vote = Vote::of(n);
        let won = Vote { state: ServerState::Looking, version: 0, ..vote };
        if n.election_epoch == self.logical_clock {
            self.received.insert(from, Vote { version: 0, ..vote });
            let agreed = agreeing(&self.received, &vote);
            if me.membership.active().contains_quorum(&agreed) && self.leads(&self.received, n, me.sid) {
                return Some(won);
            }
        }
        self.out_of_election.insert(from, vote);
        let agreed = agreeing(&self.out_of_election, &vote);
        if me.membership.active().contains_quorum(&agreed) && self.leads(&self.out_of_election, n, me.sid) {
            self.logical_clock = n.election_epoch;
            return Some(won);
        }
        None
    }

    /// Others following somebody is not enough: it must say that it leads, or a dead leader would be elected on.
    #[doc(alias = "checkLeader")]
    fn leads(&self, votes: &BTreeMap<i64, Vote>, n: &Notification, sid: i64) -> bool {
        if n.leader == sid {
            self.logical_clock == n.election_epoch
        } else {
            votes.get(&n.leader).is_some_and(|vote| vote.state == ServerState::Leading)
        }
    }
}

/// A notification of a vote.
#[must_use]
pub fn notification(vote: Vote, state: ServerState, config: &[u8]) -> Notification {
    Notification {
        state,
        leader: vote.leader,
        zxid: vote.zxid,
        election_epoch: vote.election_epoch,
        peer_epoch: vote.peer_epoch,
        version: Notification::VERSION,
        config: config.to_vec(),
    }
}

/// For oneself; who has no vote names nobody.
fn own_vote(me: Candidate<'_>) -> Vote {
    let (leader, zxid, peer_epoch) = if me.membership.is_voter(me.sid) {
        (me.sid, me.last_zxid, me.current_epoch)
    } else {
        (i64::MIN, i64::MIN, i64::MIN)
    };
    Vote { leader, zxid, election_epoch: 0, peer_epoch, state: ServerState::Looking, version: 0 }
}

/// Does `new` beat `old`? Servers without weight never do.
#[doc(alias = "totalOrderPredicate")]
fn is_better(new: &Vote, old: &Vote, membership: &Membership) -> bool {
    membership.has_weight(new.leader) && (new.peer_epoch, new.zxid, new.leader) > (old.peer_epoch, old.zxid, old.leader)
}

fn agreeing(votes: &BTreeMap<i64, Vote>, vote: &Vote) -> BTreeSet<i64> {
    votes.iter().filter(|(_, other)| vote.agrees(other)).map(|(sid, _)| *sid).collect()
}
