//! What waits to be sent to another server, and the wish to close when it is sent.

use parking_lot::Mutex;
use tokio::sync::Notify;

use ottla_base::limits::QUORUM_WAITING_BYTES;

/// One connection's side of it that is filled under the keeper's lock.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    closing: bool,
    /// The other side did not read: nothing more is kept.
    overfull: bool,
    /// A snapshot goes out in parts, and its next one is wanted when this one is sent.
    streaming: bool,
}

/// What the connection's task has to do next.
#[derive(Debug, Default)]
pub(super) struct Next {
    /// To be closed once what was given is sent.
    pub closing: bool,
    /// To be closed at once.
    pub overfull: bool,
    /// The next part of a snapshot is wanted.
    pub hungry: bool,
}

impl Outgoing {
    /// Adds `bytes`. Nobody waits for a peer that does not read: its connection is closed.
    pub fn send(&self, bytes: Vec<u8>) {
        let mut state = self.state.lock();
        if state.closing || state.overfull {
            return;
        }
        if state.bytes.is_empty() {
            state.bytes = bytes;
        } else {
            state.bytes.extend_from_slice(&bytes);
        }
        if state.bytes.len() > QUORUM_WAITING_BYTES {
            state.overfull = true;
            state.bytes = Vec::new();
        }
        drop(state);
        self.changed.notify_one();
    }

    /// A snapshot begins or ends.
    pub fn stream(&self, streaming: bool) {
        self.state.lock().streaming = streaming;
        self.changed.notify_one();
    }

    /// Close once everything is sent.
    pub fn close(&self) {
        self.state.lock().closing = true;
        self.changed.notify_one();
    }

    /// Waits until something is new.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Gives what waits into `into`, when that is empty.
    pub(super) fn take(&self, into: &mut Vec<u8>) -> Next {
        let state = &mut *self.state.lock();
        if into.is_empty() {
            std::mem::swap(into, &mut state.bytes);
        }
        Next {
            closing: state.closing,
            overfull: state.overfull,
            hungry: state.streaming && state.bytes.is_empty() && !state.closing,
        }
    }
}
