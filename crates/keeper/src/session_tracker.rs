//! Sessions and when they end (`SessionTrackerImpl`, `ExpiryQueue`). Ends fall into buckets of one tick, so that a
//! touch rarely changes anything.
//!
//! Their time stands still while nobody looks at them: a process that was stopped, a machine that was suspended or a disk
//! that stood still has not read its clients' pings meanwhile, which is no reason to end their sessions (ZooKeeper's
//! `ExpiryQueue` ends them). Each has left afterwards what it had left before, however long that took.

use crate::ephemeral_type::CONTAINER_OWNER;
use crate::proto::ErrorCode;
use ottla_base::hash::FixedMap;
use std::collections::{BTreeMap, BTreeSet};

/// Which server a session is attached to: [`LOCAL_OWNER`], or another one of the ensemble ([`owner_of`]).
pub type Owner = u64;
/// This server.
pub const LOCAL_OWNER: Owner = 0;

/// The server with this id, which is not this one.
#[must_use]
pub fn owner_of(sid: i64) -> Owner {
    (sid as u64).wrapping_add(1)
}

const PASSWORD_SECRET: i64 = 0xb341_5c00;

/// The password of a session: 16 bytes of Java's generator seeded with the id (`ZooKeeperServer.generatePasswd`), so
/// that every server of an ensemble knows it.
#[must_use]
pub fn password(session_id: i64) -> [u8; 16] {
    const MULTIPLIER: u64 = 0x5_deec_e66d;
    const MASK: u64 = (1 << 48) - 1;
    let mut seed = ((session_id ^ PASSWORD_SECRET) as u64 ^ MULTIPLIER) & MASK;
    let mut out = [0; 16];
    for chunk in out.chunks_exact_mut(4) {
        seed = seed.wrapping_mul(MULTIPLIER).wrapping_add(0xb) & MASK;
        chunk.copy_from_slice(&((seed >> 16) as u32).to_le_bytes());
    }
    out
}

/// The first session id of a server's life: its own id in the highest byte, then 40 bits of the time in milliseconds.
#[doc(alias = "initializeNextSessionId")]
#[must_use]
pub fn first_session_id(server_id: u8, now_ms: i64) -> i64 {
    let id = (((now_ms << 24) as u64) >> 8) as i64 | (i64::from(server_id) << 56);
    if id == CONTAINER_OWNER { id + 1 } else { id }
}

/// The server that made a session, by the highest byte of its id.
#[must_use]
pub fn server_id(session_id: i64) -> u8 {
    (session_id as u64 >> 56) as u8
}

/// Longest time between two looks, unless half a tick is less. What is missing after twice of it was missed.
const LOOK_EVERY_MS: u64 = 500;

#[derive(Debug)]
struct Session {
    timeout_ms: u32,
    /// Bucket in which it ends, if nobody touches it; in the sessions' own time.
    expires_ms: u64,
    closing: bool,
    owner: Option<Owner>,
}

/// All sessions.
#[derive(Debug)]
pub struct SessionTracker {
    sessions: FixedMap<i64, Session>,
    buckets: BTreeMap<u64, BTreeSet<i64>>,
    tick_ms: u64,
    next_id: i64,
    /// When somebody last looked, on the clock that never goes back.
    looked_ms: u64,
    /// By how much the sessions' own time is behind that clock.
    missed_ms: u64,
    /// Of which this was told to the operator.
    told_missed_ms: u64,
}

impl SessionTracker {
    /// No sessions yet; `next_id` as of [`first_session_id`].
    #[must_use]
    pub fn new(tick_ms: u32, next_id: i64) -> Self {
        Self {
            sessions: FixedMap::default(),
            buckets: BTreeMap::new(),
            tick_ms: u64::from(tick_ms.max(1)),
            next_id,
            looked_ms: 0,
            missed_ms: 0,
            told_missed_ms: 0,
        }
    }

    fn look_every_ms(&self) -> u64 {
        (self.tick_ms / 2).clamp(1, LOOK_EVERY_MS)
    }

    /// The sessions' own time. Whatever touches one or ends one looks.
    fn look(&mut self, now_ms: u64) -> u64 {
        let every_ms = self.look_every_ms();
        let gap_ms = now_ms.saturating_sub(self.looked_ms);
        if gap_ms > 2 * every_ms && !self.sessions.is_empty() {
            self.missed_ms += gap_ms - every_ms;
        }
        self.looked_ms = self.looked_ms.max(now_ms);
        now_ms.saturating_sub(self.missed_ms)
    }

    /// Knows these sessions and no others, all with their whole timeout before them.
    pub fn restart(&mut self, sessions: impl Iterator<Item = (i64, u32)>, now_ms: u64) {
        self.sessions.clear();
        self.buckets.clear();
        (self.missed_ms, self.told_missed_ms) = (0, 0);
        self.look(now_ms);
        for (id, timeout_ms) in sessions {
            self.track(id, timeout_ms, now_ms);
        }
    }

    /// The id of a new session.
    pub fn next_id(&mut self) -> i64 {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        id
    }

    /// Knows a session from now on; one that is known is touched.
    pub fn track(&mut self, id: i64, timeout_ms: u32, now_ms: u64) {
        self.look(now_ms);
        let session =
            self.sessions.entry(id).or_insert(Session { timeout_ms, expires_ms: 0, closing: false, owner: None });
        session.timeout_ms = timeout_ms;
        self.touch_known(id, now_ms);
    }

    /// Puts a session's end off; false when it is unknown or closing.
    #[doc(alias = "touchSession")]
    pub fn touch(&mut self, id: i64, now_ms: u64) -> bool {
        match self.sessions.get(&id) {
            Some(session) if !session.closing => {
                self.touch_known(id, now_ms);
                true
            }
            _ => false,
        }
    }

    /// A client came back with a timeout of its own; false when the session is unknown or closing.
    pub fn reattach(&mut self, id: i64, timeout_ms: u32, now_ms: u64) -> bool {
        match self.sessions.get_mut(&id) {
            Some(session) if !session.closing => {
                session.timeout_ms = timeout_ms;
                self.touch_known(id, now_ms);
                true
            }
            _ => false,
        }
    }

    fn touch_known(&mut self, id: i64, now_ms: u64) {
        let time_ms = self.look(now_ms);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let expires_ms = ((time_ms + u64::from(session.timeout_ms)) / self.tick_ms + 1) * self.tick_ms;
        if expires_ms == session.expires_ms {
            return;
        }
        let before = std::mem::replace(&mut session.expires_ms, expires_ms);
        self.leave_bucket(before, id);
        self.buckets.entry(expires_ms).or_default().insert(id);
    }

    fn leave_bucket(&mut self, bucket: u64, id: i64) {
        if let Some(ids) = self.buckets.get_mut(&bucket) {
            ids.remove(&id);
            if ids.is_empty() {
                self.buckets.remove(&bucket);
            }
        }
    }

    /// The sessions that have ended by now; each is told once and is closing from then on.
    pub fn expire(&mut self, now_ms: u64) -> Vec<i64> {
        let time_ms = self.look(now_ms);
        if self.missed_ms > self.told_missed_ms {
            let late_ms = self.missed_ms - self.told_missed_ms;
            tracing::warn!("nothing was done for {late_ms} ms; the ends of all sessions are put off by as much");
            self.told_missed_ms = self.missed_ms;
        }
        let mut expired = Vec::new();
        while let Some(bucket) = self.buckets.first_entry() {
            if *bucket.key() > time_ms {
                break;
            }
            for id in bucket.remove() {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.expires_ms = 0;
                    if !session.closing {
                        session.closing = true;
                        expired.push(id);
                    }
                }
            }
        }
        expired
    }

    /// When [`Self::expire`] is next to be called, on the clock of `now_ms`: when it finds something, or so that the time
    /// goes on.
    #[must_use]
    pub fn next_expiry_ms(&self) -> Option<u64> {
        let look_ms = self.looked_ms + self.look_every_ms();
        self.buckets.keys().next().map(|at| (at + self.missed_ms).min(look_ms))
    }

    /// A close is on its way.
    pub fn set_closing(&mut self, id: i64) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.closing = true;
        }
    }

    /// The session is gone.
    pub fn remove(&mut self, id: i64) {
        if let Some(session) = self.sessions.remove(&id) {
            self.leave_bucket(session.expires_ms, id);
        }
    }

    /// May `owner` ask something in this session?
    #[doc(alias = "checkSession")]
    pub fn check(&mut self, id: i64, owner: Owner) -> Result<(), ErrorCode> {
        let session = self.sessions.get_mut(&id).ok_or(ErrorCode::UnknownSession)?;
        if session.closing {
            return Err(ErrorCode::SessionExpired);
        }
        match *session.owner.get_or_insert(owner) {
            known if known == owner => Ok(()),
            _ => Err(ErrorCode::SessionMoved),
        }
    }

    /// The session is attached to `owner` now.
    pub fn set_owner(&mut self, id: i64, owner: Owner) -> Result<(), ErrorCode> {
        match self.sessions.get_mut(&id) {
            Some(session) if !session.closing => {
                session.owner = Some(owner);
                Ok(())
            }
            _ => Err(ErrorCode::SessionExpired),
        }
    }

    /// The timeout of a live session.
    #[must_use]
    pub fn timeout_ms(&self, id: i64) -> Option<u32> {
        self.sessions.get(&id).filter(|session| !session.closing).map(|session| session.timeout_ms)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Ends, on the clock that never goes back, and the sessions that end then, in order.
    pub fn buckets(&self) -> impl ExactSizeIterator<Item = (u64, &BTreeSet<i64>)> {
        self.buckets.iter().map(|(&at, ids)| (at + self.missed_ms, ids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls [`SessionTracker::expire`] as a host does that is never late.
    fn wait(tracker: &mut SessionTracker, until_ms: u64) -> Vec<i64> {
        let mut expired = Vec::new();
        while let Some(at) = tracker.next_expiry_ms().filter(|at| *at < until_ms) {
            expired.extend(tracker.expire(at));
        }
        expired.extend(tracker.expire(until_ms));
        expired
    }

    #[test]
    fn sessions_end_unless_touched() {
        let mut tracker = SessionTracker::new(1_000, 5);
        let (a, b) = (tracker.next_id(), tracker.next_id());
        assert_eq!((a, b), (5, 6));
        tracker.track(a, 4_000, 0);
        tracker.track(b, 4_000, 0);
        assert!(wait(&mut tracker, 3_000).is_empty());
        assert!(tracker.touch(b, 3_000));
        assert!(wait(&mut tracker, 4_999).is_empty());
        assert_eq!(tracker.next_expiry_ms(), Some(5_000));
        assert_eq!(tracker.expire(5_000), [a]);
        assert!(!tracker.touch(a, 5_000), "closing");
        assert_eq!(tracker.check(a, LOCAL_OWNER), Err(ErrorCode::SessionExpired));
        assert!(wait(&mut tracker, 7_999).is_empty());
        assert_eq!(tracker.expire(8_000), [b]);
        tracker.remove(a);
        tracker.remove(b);
        assert!(tracker.is_empty() && tracker.next_expiry_ms().is_none());
    }

    #[test]
    fn time_that_nobody_looked_at_ends_no_session() {
        let mut tracker = SessionTracker::new(1_000, 1);
        tracker.track(1, 4_000, 0);
        tracker.track(2, 4_000, 0);
        assert!(wait(&mut tracker, 3_600).is_empty());
        // A day is lost; 5,000 - 3,600 ms were left, and 500 may have passed.
        let back = 3_600 + 86_400_000;
        assert!(tracker.expire(back).is_empty());
        let ends = back + 5_000 - 3_600 - 500;
        assert_eq!(tracker.buckets().next().map(|(at, ids)| (at, ids.len())), Some((ends, 2)), "as it is told");
        assert!(tracker.touch(2, back + 10), "what waited in the socket is read");
        assert!(wait(&mut tracker, ends - 1).is_empty());
        assert_eq!(tracker.expire(ends), [1]);
        // Which does not go on for ever: nobody is late any more.
        assert_eq!(wait(&mut tracker, back + 5_500), [2]);
    }

    #[test]
    fn the_first_word_after_a_pause_counts_from_now() {
        let mut tracker = SessionTracker::new(1_000, 1);
        tracker.track(1, 4_000, 0);
        tracker.track(2, 4_000, 0);
        assert!(wait(&mut tracker, 2_000).is_empty());
        assert!(tracker.touch(1, 60_000));
        assert!(tracker.expire(60_000).is_empty(), "nor has the other one ended");
        // It had 3,000 ms left, of which 500 may have passed.
        assert_eq!(wait(&mut tracker, 62_500), [2]);
        assert!(wait(&mut tracker, 64_000).is_empty());
        assert_eq!(wait(&mut tracker, 65_000), [1], "one tick after its timeout at the latest");
    }

    #[test]
    fn a_server_that_is_late_all_the_time_ends_sessions_all_the_same() {
        let mut tracker = SessionTracker::new(1_000, 1);
        tracker.track(1, 4_000, 0);
        let looks = (1..).take_while(|look| tracker.expire(look * 3_000).is_empty()).count();
        assert!(looks <= 10, "{looks}");
    }

    #[test]
    fn nobody_need_look_at_nothing() {
        let mut tracker = SessionTracker::new(1_000, 1);
        assert_eq!(tracker.next_expiry_ms(), None);
        tracker.track(1, 4_000, 1_000_000);
        assert_eq!(tracker.buckets().next().map(|(at, _)| at), Some(1_005_000), "nothing was missed");
    }

    #[test]
    fn owners_are_checked() {
        let mut tracker = SessionTracker::new(1_000, 1);
        tracker.track(1, 4_000, 0);
        assert_eq!(tracker.check(1, 3), Ok(()));
        assert_eq!(tracker.check(1, 4), Err(ErrorCode::SessionMoved));
        tracker.set_owner(1, 4).expect("live");
        assert_eq!(tracker.check(1, 4), Ok(()));
        assert_eq!(tracker.check(9, 4), Err(ErrorCode::UnknownSession));
    }

    #[test]
    fn ids_carry_the_server() {
        assert_eq!(first_session_id(1, 0x12_3456_789a) as u64, 0x0112_3456_789a_0000);
        assert_eq!(server_id(0x0112_3456_789a_0000), 1);
        assert_eq!(first_session_id(0x80, 0), CONTAINER_OWNER + 1);
        assert_eq!(server_id(CONTAINER_OWNER + 1), 0x80);
    }
}
