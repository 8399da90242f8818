//! How far a node has come, for those who wait for it.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// What a node is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeState {
    Starting,
    /// Serves clients.
    Ready,
    /// Can't go on; one line with the remedy.
    Failed(String),
    Stopped,
}

#[derive(Debug)]
struct Inner {
    state: NodeState,
    control_ended: bool,
    stop_asked: bool,
}

/// Shared between the node's parts and its owner.
#[derive(Debug)]
pub(crate) struct Progress {
    inner: Mutex<Inner>,
    changed: Condvar,
    started: Instant,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let inner = Inner { state: NodeState::Starting, control_ended: false, stop_asked: false };
        Self { inner: Mutex::new(inner), changed: Condvar::new(), started: Instant::now() }
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.inner.lock());
        self.changed.notify_all();
    }

    pub(crate) fn ready(&self) {
        tracing::info!("started in {} ms", self.started.elapsed().as_millis());
        self.change(|inner| inner.state = NodeState::Ready);
    }

    /// The first failure stays. Whoever started the node prints it.
    pub(crate) fn fail(&self, why: String) {
        self.change(|inner| {
            if !matches!(inner.state, NodeState::Failed(_) | NodeState::Stopped) {
                inner.state = NodeState::Failed(why);
            }
        });
    }

    pub(crate) fn stopped(&self) {
        self.change(|inner| {
            if !matches!(inner.state, NodeState::Failed(_)) {
                inner.state = NodeState::Stopped;
            }
        });
    }

    /// Somebody (a signal) wants the node to stop.
    pub(crate) fn ask_to_stop(&self) {
        self.change(|inner| inner.stop_asked = true);
    }

    pub(crate) fn control_ended(&self) {
        self.change(|inner| inner.control_ended = true);
    }

    pub(crate) fn is_stop_asked(&self) -> bool {
        self.inner.lock().stop_asked
    }

    pub(crate) fn state(&self) -> NodeState {
        self.inner.lock().state.clone()
    }

    fn wait(&self, timeout: Option<Duration>, done: impl Fn(&Inner) -> bool) -> bool {
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut inner = self.inner.lock();
        while !done(&inner) {
            match end {
                Some(end) => {
                    if self.changed.wait_until(&mut inner, end).timed_out() {
                        return done(&inner);
                    }
                }
                None => self.changed.wait(&mut inner),
            }
        }
        true
    }

    /// Waits until the node is no longer starting.
    pub(crate) fn wait_started(&self, timeout: Duration) -> NodeState {
        self.wait(Some(timeout), |inner| inner.state != NodeState::Starting);
        self.state()
    }

    /// Waits until the node fails or is asked to stop.
    pub(crate) fn wait_over(&self) {
        self.wait(None, |inner| inner.stop_asked || matches!(inner.state, NodeState::Failed(_) | NodeState::Stopped));
    }

    /// True when the control plane ended in time.
    pub(crate) fn wait_control_ended(&self, timeout: Duration) -> bool {
        self.wait(Some(timeout), |inner| inner.control_ended)
    }
}
