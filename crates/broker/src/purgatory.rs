//! Where requests wait: on partitions, until something they wait for happens there, and in the timer wheel, until their
//! time runs out.
//!
//! The order that loses no wake-up: first register on the partitions, then look whether the request can be answered, then
//! sleep. Whoever changes a partition first publishes the change under the partition's lock, then looks for watchers.
//! Watchers are called without any lock of the partition held.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ottla_base::limits;
use ottla_base::time::Now;
use parking_lot::Mutex;

use crate::timer_wheel::{TimerId, TimerWheel};

/// One who wants to know when a partition moves on.
pub trait Watcher: Send + Sync + fmt::Debug {
    /// Records were appended, the high watermark or log start moved, or the leadership changed. `token` is the one given
    /// at registration.
    fn partition_changed(self: Arc<Self>, now: Now, token: u32);
}

#[derive(Clone, Debug)]
struct Watch {
    token: u32,
    watcher: Arc<dyn Watcher>,
}

impl Watch {
    fn is(&self, watcher: &Arc<dyn Watcher>, token: u32) -> bool {
        self.token == token && Arc::as_ptr(&self.watcher).cast::<()>() == Arc::as_ptr(watcher).cast::<()>()
    }
}

/// Those who watch one partition.
#[derive(Debug, Default)]
pub struct Watchers {
    count: AtomicUsize,
    list: Mutex<Vec<Watch>>,
}

impl Watchers {
    pub fn add(&self, watcher: Arc<dyn Watcher>, token: u32) {
        let mut list = self.list.lock();
        list.push(Watch { token, watcher });
        self.count.store(list.len(), Ordering::SeqCst);
    }

    pub fn remove(&self, watcher: &Arc<dyn Watcher>, token: u32) {
        let mut list = self.list.lock();
        if let Some(at) = list.iter().position(|watch| watch.is(watcher, token)) {
            list.swap_remove(at);
        }
        self.count.store(list.len(), Ordering::SeqCst);
    }

    /// Calls every watcher. Costs one load when there is none.
    pub fn wake(&self, now: Now) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let watches = self.list.lock().clone();
        for watch in watches {
            watch.watcher.partition_changed(now, watch.token);
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A request that waits, as the clock sees it.
pub trait DelayedOperation: Send + Sync + fmt::Debug {
    /// The time ran out: answers with what there is. Called once at most, and not after the timer was cancelled in time.
    fn expire(self: Arc<Self>, now: Now);
}

/// The clock of all waiting requests.
#[doc(alias = "DelayedOperationPurgatory")]
#[derive(Debug, Default)]
pub struct Purgatory {
    wheel: Mutex<TimerWheel<Arc<dyn DelayedOperation>>>,
}

/// The timer of one waiting request, which may be answered before it is known to the request itself.
#[derive(Debug, Default)]
pub struct TimerSlot(Mutex<SlotState>);

#[derive(Debug, Default)]
enum SlotState {
    #[default]
    Unset,
    Set(TimerId),
    Cancelled,
}

impl Purgatory {
    /// Starts the request's timer. Answers at once, by expiry, when as many requests wait as may.
    pub fn watch(&self, now: Now, timeout_ms: u64, slot: &TimerSlot, operation: Arc<dyn DelayedOperation>) {
        let mut state = slot.0.lock();
        if matches!(*state, SlotState::Cancelled) {
            return;
        }
        let mut wheel = self.wheel.lock();
        if wheel.len() >= limits::WAITING_REQUESTS {
            drop(wheel);
            *state = SlotState::Cancelled;
            drop(state);
            operation.expire(now);
            return;
        }
        *state = SlotState::Set(wheel.insert(now.mono_ms().saturating_add(timeout_ms), operation));
    }

    /// Stops the request's timer, also one that is about to be started.
    pub fn cancel(&self, slot: &TimerSlot) {
        let state = std::mem::replace(&mut *slot.0.lock(), SlotState::Cancelled);
        if let SlotState::Set(id) = state {
            self.wheel.lock().cancel(id);
        }
    }

    /// Ends the requests whose time ran out; gives how many.
    pub fn expire(&self, now: Now) -> usize {
        let mut expired = Vec::new();
        self.wheel.lock().advance(now.mono_ms(), &mut expired);
        let count = expired.len();
        for operation in expired {
            operation.expire(now);
        }
        count
    }

    /// When [`Purgatory::expire`] has something to do, in milliseconds of the clock that never goes back.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.wheel.lock().next_deadline_ms()
    }

    /// Requests that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.wheel.lock().len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Probe {
        woken: Mutex<Vec<u32>>,
        expired: AtomicUsize,
    }

    impl Watcher for Probe {
        fn partition_changed(self: Arc<Self>, _now: Now, token: u32) {
            self.woken.lock().push(token);
        }
    }

    impl DelayedOperation for Probe {
        fn expire(self: Arc<Self>, _now: Now) {
            self.expired.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn watchers_are_told_by_token_until_removed() {
        let watchers = Watchers::default();
        let probe = Arc::new(Probe::default());
        let watcher: Arc<dyn Watcher> = probe.clone();
        watchers.add(watcher.clone(), 1);
        watchers.add(watcher.clone(), 2);
        watchers.wake(Now::default());
        watchers.remove(&watcher, 1);
        watchers.wake(Now::default());
        assert_eq!(*probe.woken.lock(), [1, 2, 2]);
        watchers.remove(&watcher, 2);
        assert!(watchers.is_empty());
    }

    #[test]
    fn a_timer_cancelled_before_it_was_set_is_never_set() {
        let purgatory = Purgatory::default();
        let probe = Arc::new(Probe::default());
        let (early, late) = (TimerSlot::default(), TimerSlot::default());
        purgatory.cancel(&early);
        purgatory.watch(Now::default(), 5, &early, probe.clone());
        purgatory.watch(Now::default(), 5, &late, probe.clone());
        assert_eq!(purgatory.len(), 1);
        assert_eq!(purgatory.expire(Now::default().plus_ms(4)), 0);
        assert_eq!(purgatory.expire(Now::default().plus_ms(5)), 1);
        assert_eq!(probe.expired.load(Ordering::Relaxed), 1);
        purgatory.cancel(&late);
    }
}
