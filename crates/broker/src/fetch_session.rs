//! Incremental fetch sessions (KIP-227): the broker remembers which partitions a client fetches and what it was last told, so
//! that a request names only what changed and an answer only what is new.
//!
//! A session watches its partitions. One that had nothing new when it was looked at is not looked at again until it moves, so
//! that a fetch costs what changed and not what is watched. A request without a session works on a session that nobody
//! else can find.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use ottla_base::hash::FixedMap;
use ottla_base::random::Random;
use ottla_base::time::Now;
use ottla_protocol::ErrorCode;
use parking_lot::{Mutex, RwLock};

use crate::fetch_plan::FetchPlan;
use crate::purgatory::Watcher;

/// No session.
pub const INVALID_SESSION_ID: i32 = 0;
/// The request asks for a new session.
pub const INITIAL_EPOCH: i32 = 0;
/// The request wants no session, and closes the one that it names.
pub const FINAL_EPOCH: i32 = -1;
/// A session that was not used, or not watched, for this long may give way to any other.
const EVICTION_MS: u64 = 120_000;

/// The epoch of the request after one with `epoch`.
#[must_use]
pub fn next_epoch(epoch: i32) -> i32 {
    match epoch {
        ..0 => FINAL_EPOCH,
        i32::MAX => 1,
        _ => epoch + 1,
    }
}

/// Who waits for a session's partitions: the fetch under way.
pub trait SlotWatcher: Send + Sync + std::fmt::Debug {
    fn slot_changed(self: Arc<Self>, now: Now, slot: u32);
}

/// What happened to the partitions since the last look.
#[derive(Debug, Default)]
struct Changes {
    slots: VecDeque<u32>,
    /// By slot: whether it is in `slots`.
    listed: Vec<bool>,
    waiting: Option<Arc<dyn SlotWatcher>>,
}

/// What a session remembers.
#[derive(Debug)]
pub struct SessionState {
    /// The epoch that the next request must have.
    pub epoch: i32,
    pub plan: FetchPlan,
}

#[derive(Debug)]
pub struct FetchSession {
    pub id: i32,
    /// A follower's: it gives way to followers only.
    is_privileged: bool,
    pub uses_topic_ids: bool,
    created_ms: u64,
    last_used_ms: AtomicU64,
    size: AtomicUsize,
    /// Taken out of the cache: its watches are to be dropped.
    closed: AtomicBool,
    changes: Mutex<Changes>,
    /// Taken before the lock of any partition.
    pub state: Mutex<SessionState>,
}

impl FetchSession {
    fn new(id: i32, plan: FetchPlan, uses_topic_ids: bool, is_privileged: bool, now: Now) -> Self {
        Self {
            id,
            is_privileged,
            uses_topic_ids,
            created_ms: now.mono_ms(),
            last_used_ms: AtomicU64::new(now.mono_ms()),
            size: AtomicUsize::new(plan.len()),
            closed: AtomicBool::new(false),
            changes: Mutex::default(),
            state: Mutex::new(SessionState { epoch: next_epoch(INITIAL_EPOCH), plan }),
        }
    }

    /// A session that nobody else can find, for one request.
    #[must_use]
    pub fn unlisted(plan: FetchPlan, uses_topic_ids: bool, now: Now) -> Arc<Self> {
        Arc::new(Self::new(INVALID_SESSION_ID, plan, uses_topic_ids, false, now))
    }

    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.id != INVALID_SESSION_ID
    }

    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub fn touch(&self, now: Now, size: usize) {
        self.last_used_ms.store(now.mono_ms(), Ordering::Relaxed);
        self.size.store(size, Ordering::Relaxed);
    }

    /// The slots that changed since this was last asked.
    pub fn take_changes(&self, into: &mut Vec<u32>) {
        let mut changes = self.changes.lock();
        while let Some(slot) = changes.slots.pop_front() {
            changes.listed[slot as usize] = false;
            into.push(slot);
        }
    }

    /// From now on `waiting` is told of changes as they happen.
    pub fn set_waiting(&self, waiting: Option<Arc<dyn SlotWatcher>>) {
        let before = std::mem::replace(&mut self.changes.lock().waiting, waiting);
        drop(before); // outside the lock: it may be the last owner
    }

    /// Drops all watches.
    pub fn close(self: &Arc<Self>) {
        self.closed.store(true, Ordering::Release);
        let watcher: Arc<dyn Watcher> = self.clone();
        self.state.lock().plan.unwatch_all(&watcher);
    }
}

impl Watcher for FetchSession {
    fn partition_changed(self: Arc<Self>, now: Now, slot: u32) {
        let waiting = {
            let mut changes = self.changes.lock();
            let at = slot as usize;
            if changes.listed.len() <= at {
                changes.listed.resize(at + 1, false);
            }
            if !std::mem::replace(&mut changes.listed[at], true) {
                changes.slots.push_back(slot);
            }
            changes.waiting.clone()
        };
        if let Some(waiting) = waiting {
            waiting.slot_changed(now, slot);
        }
    }
}

/// The sessions of this broker, by id.
#[derive(Debug)]
pub struct FetchSessionCache {
    slots: usize,
    sessions: RwLock<FixedMap<i32, Arc<FetchSession>>>,
    evictions: AtomicU64,
}

impl FetchSessionCache {
    #[must_use]
    pub fn new(slots: usize) -> Self {
        Self { slots, sessions: RwLock::default(), evictions: AtomicU64::new(0) }
    }

    /// Sessions that are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.read().len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sessions that gave way to others, since the start of the process.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    /// Makes a session of `plan` and remembers it if there is room, or another one gives way to it.
    #[doc(alias = "maybeCreateSession")]
    pub fn create(
        &self,
        plan: FetchPlan,
        uses_topic_ids: bool,
        is_privileged: bool,
        now: Now,
        random: &Mutex<Random>,
    ) -> Arc<FetchSession> {
        let (session, evicted) = {
            let mut sessions = self.sessions.write();
            let evicted = match sessions.len() < self.slots {
                true => None,
                false => match self.find_evictable(&sessions, plan.len(), is_privileged, now) {
                    Some(id) => sessions.remove(&id),
                    None => return FetchSession::unlisted(plan, uses_topic_ids, now),
                },
            };
            let id = new_id(&sessions, &mut random.lock());
            let session = Arc::new(FetchSession::new(id, plan, uses_topic_ids, is_privileged, now));
            sessions.insert(id, session.clone());
            (session, evicted)
        };
        if let Some(evicted) = evicted {
            self.evictions.fetch_add(1, Ordering::Relaxed);
            evicted.close();
        }
        session
    }

    /// One that was not used for long, else the least valuable one: a client's before a follower's, a small one before a
    /// large one; but none that is more valuable than the new one.
    #[doc(alias = "tryEvict")]
    fn find_evictable(
        &self,
        sessions: &FixedMap<i32, Arc<FetchSession>>,
        size: usize,
        is_privileged: bool,
        now: Now,
    ) -> Option<i32> {
        let age = |since_ms: u64| now.mono_ms().saturating_sub(since_ms);
        let last_used = |session: &FetchSession| session.last_used_ms.load(Ordering::Relaxed);
        let oldest = sessions.values().min_by_key(|session| (last_used(session), session.id))?;
        if age(last_used(oldest)) > EVICTION_MS {
            return Some(oldest.id);
        }
        let is_evictable = |session: &&Arc<FetchSession>| {
            age(session.created_ms) > EVICTION_MS || (is_privileged && !session.is_privileged)
        };
        let value = |session: &FetchSession| (session.is_privileged, session.size.load(Ordering::Relaxed), session.id);
        let least = sessions.values().filter(is_evictable).min_by_key(|session| value(session))?;
        ((is_privileged, size, 0) >= value(least)).then_some(least.id)
    }

    /// The session that a request continues.
    pub fn find(&self, id: i32, uses_topic_ids: bool) -> Result<Arc<FetchSession>, ErrorCode> {
        let session = self.sessions.read().get(&id).cloned().ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.uses_topic_ids != uses_topic_ids {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        Ok(session)
    }

    /// Forgets a session.
    pub fn remove(&self, id: i32) {
        let removed = self.sessions.write().remove(&id);
        if let Some(session) = removed {
            session.close();
        }
    }
}

fn new_id(sessions: &FixedMap<i32, Arc<FetchSession>>, random: &mut Random) -> i32 {
    loop {
        let id = random.below(i32::MAX as u64) as i32;
        if id != INVALID_SESSION_ID && !sessions.contains_key(&id) {
            return id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Now {
        Now::default().plus_ms(ms)
    }

    fn create(cache: &FetchSessionCache, size: usize, is_privileged: bool, now_ms: u64) -> Arc<FetchSession> {
        let random = Mutex::new(Random::new(now_ms));
        let session = cache.create(FetchPlan::default(), false, is_privileged, at(now_ms), &random);
        session.touch(at(now_ms), size);
        session
    }

    #[test]
    fn a_full_cache_keeps_what_is_in_use() {
        let cache = FetchSessionCache::new(2);
        let first = create(&cache, 5, false, 1);
        assert!(create(&cache, 5, false, 2).is_listed());
        assert!(!create(&cache, 100, false, 3).is_listed());
        assert_eq!((cache.len(), cache.evictions()), (2, 0));
        assert!(cache.find(first.id, false).is_ok());
    }

    #[test]
    fn a_follower_takes_the_place_of_a_client() {
        let cache = FetchSessionCache::new(2);
        let small = create(&cache, 2, false, 1);
        let large = create(&cache, 9, false, 1);
        assert!(create(&cache, 1, true, 2).is_listed());
        assert!(small.is_closed() && !large.is_closed());
        assert_eq!(cache.find(small.id, false).err(), Some(ErrorCode::FetchSessionIdNotFound));
    }

    #[test]
    fn unused_sessions_give_way() {
        let cache = FetchSessionCache::new(1);
        let old = create(&cache, 50, true, 1);
        assert!(!create(&cache, 1, false, EVICTION_MS).is_listed());
        assert!(create(&cache, 1, false, EVICTION_MS + 2).is_listed());
        assert!(old.is_closed());
        assert_eq!(cache.evictions(), 1);
    }

    #[test]
    fn an_old_session_gives_way_to_a_larger_one_only() {
        let cache = FetchSessionCache::new(1);
        let old = create(&cache, 5, false, 1);
        old.touch(at(EVICTION_MS), 5);
        let now = EVICTION_MS + 2;
        let random = Mutex::new(Random::new(1));
        let smaller = cache.create(FetchPlan::default(), false, false, at(now), &random);
        assert!(!smaller.is_listed());
        old.touch(at(EVICTION_MS), 0);
        assert!(!cache.create(FetchPlan::default(), false, false, at(now), &random).is_listed(), "an equal one stays");
    }

    #[test]
    fn epochs_wrap_past_the_initial_one() {
        assert_eq!([0, 1, i32::MAX, -1].map(next_epoch), [1, 2, 1, -1]);
    }
}
