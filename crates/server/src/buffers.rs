//! Memory for frames: buffers that connections of one thread share, and a bound on what all frames together may take.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Capacity of a fresh buffer, in bytes: most requests fit, and a producer's 16 KB batches fit several times.
pub(crate) const BUFFER_BYTES: usize = 64 << 10;
/// Buffers above this are given back to the system: a producer's 1 MB request is the largest that is common.
const KEPT_BUFFER_BYTES: usize = (1 << 20) + (64 << 10);
/// Bytes that a thread keeps in unused buffers.
const POOL_BYTES: usize = 4 << 20;

#[derive(Default)]
struct Pool {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// An empty buffer, reused when there is one.
pub(crate) fn take_buffer() -> Vec<u8> {
    POOL.with_borrow_mut(|pool| match pool.buffers.pop() {
        Some(buffer) => {
            pool.bytes -= buffer.capacity();
            buffer
        }
        None => Vec::with_capacity(BUFFER_BYTES),
    })
}

/// Gives a buffer back for others to use.
pub(crate) fn return_buffer(mut buffer: Vec<u8>) {
    if !(BUFFER_BYTES..=KEPT_BUFFER_BYTES).contains(&buffer.capacity()) {
        return;
    }
    buffer.clear();
    POOL.with_borrow_mut(|pool| {
        if pool.bytes + buffer.capacity() <= POOL_BYTES {
            pool.bytes += buffer.capacity();
            pool.buffers.push(buffer);
        }
    });
}

/// The bound on the memory of all large frames (`queued.max.request.bytes`). Frames up to [`BUFFER_BYTES`] are not
/// counted: the bound on connections bounds them.
#[doc(alias = "SimpleMemoryPool")]
#[derive(Debug)]
pub(crate) struct FrameBudget {
    used: AtomicUsize,
    limit: usize,
    /// Held by the one frame that may go on growing when the bound is reached, so that growing frames can't all wait
    /// for each other.
    overdraft: Arc<Semaphore>,
}

impl FrameBudget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), limit, overdraft: Arc::new(Semaphore::new(1)) })
    }

    /// Bytes that large frames hold now.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// What one frame holds of the budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Arc<FrameBudget>,
    bytes: usize,
    overdraft: Option<OwnedSemaphorePermit>,
}

impl Charge {
    pub(crate) fn new(budget: Arc<FrameBudget>) -> Self {
        Self { budget, bytes: 0, overdraft: None }
    }

    /// Raises the charge to `bytes`; waits for other frames while the bound is reached.
    pub(crate) async fn grow_to(&mut self, bytes: usize) {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return;
        }
        if self.overdraft.is_none() && self.budget.used() + more > self.budget.limit {
            // The semaphore is never closed.
            self.overdraft = Arc::clone(&self.budget.overdraft).acquire_owned().await.ok();
        }
        self.budget.used.fetch_add(more, Ordering::Relaxed);
        self.bytes = bytes;
    }

    pub(crate) fn clear(&mut self) {
        if self.bytes > 0 {
            self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
            self.bytes = 0;
        }
        self.overdraft = None;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_huge_buffers_are_not_kept() {
        return_buffer(Vec::with_capacity(10));
        return_buffer(Vec::with_capacity(KEPT_BUFFER_BYTES + 1));
        assert_eq!(take_buffer().capacity(), BUFFER_BYTES);
        let mut large = Vec::with_capacity(BUFFER_BYTES * 2);
        large.push(1);
        return_buffer(large);
        let again = take_buffer();
        assert!(again.is_empty() && again.capacity() == BUFFER_BYTES * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_frame_may_go_over_the_bound() {
        let budget = FrameBudget::new(100);
        let mut first = Charge::new(Arc::clone(&budget));
        let mut second = Charge::new(Arc::clone(&budget));
        first.grow_to(80).await;
        second.grow_to(90).await;
        first.grow_to(70).await;
        let wait = std::time::Duration::from_secs(1);
        assert!(tokio::time::timeout(wait, first.grow_to(120)).await.is_err(), "waits while the other is over");
        second.clear();
        tokio::time::timeout(wait, first.grow_to(120)).await.expect("goes on");
        drop(first);
        assert_eq!(budget.used(), 0);
    }
}
