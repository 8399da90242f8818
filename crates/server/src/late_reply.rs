//! Where an answer that comes late meets the connection that waits for it.
//!
//! Whoever has a small answer sends it himself when the network takes it at once: a consumer that waits gets its records
//! from the thread that appended them. The connection's own thread is not even woken; it goes on when the next request
//! comes. That saves the slowest part of a delivery, the way from one sleeping core to another.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use ottla_broker::purgatory::DelayedOperation;
use ottla_broker::reply::{Reply, ReplySink};
use ottla_protocol::{Frame, Segment};
use parking_lot::Mutex;
use tokio::net::TcpStream;

use crate::clock::Clock;
use crate::connection::Activity;
use crate::transport::{self, Transport};

/// Answers that one request's handling may send to other connections itself; the rest is left to their own threads, so
/// that a producer does not wait while a crowd of consumers is served.
const DIRECT_ANSWERS: u32 = 4;

thread_local! {
    /// Direct answers that may still be sent while the present request is handled.
    static DIRECT: Cell<u32> = const { Cell::new(0) };
}

/// Runs a request's handler, who may answer a few waiting connections directly.
pub(crate) fn answering_directly<T>(handle: impl FnOnce() -> T) -> T {
    DIRECT.set(DIRECT_ANSWERS);
    let result = handle();
    DIRECT.set(0);
    result
}

/// What came of waiting.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The answer is still to be sent; so many bytes of it have left already.
    Reply { reply: Reply, sent: usize },
    /// The answer of so many bytes has left, at this time in microseconds of the monotonic clock.
    Sent { bytes: usize, at_us: u64 },
    /// The peer has closed the connection meanwhile.
    ClosedByPeer,
}

impl Outcome {
    pub(crate) fn sent_at_us(&self) -> Option<u64> {
        if let Self::Sent { at_us, .. } = self { Some(*at_us) } else { None }
    }
}

/// A connection's side of a late answer. Dropped when the connection ends first: nothing is sent then, and the operation
/// that would have made the answer is given up.
#[derive(Debug)]
pub(crate) struct LateReply {
    meeting: Arc<Meeting>,
}

/// The handler's side.
struct Sink {
    meeting: Arc<Meeting>,
}

#[derive(Debug)]
struct Meeting {
    state: Mutex<State>,
    clock: Clock,
    activity: Arc<Activity>,
}

#[derive(Debug, Default)]
struct State {
    outcome: Option<Outcome>,
    is_over: bool,
    /// Where a direct answer may go: there while the connection waits with nothing else to send.
    stream: Option<Arc<TcpStream>>,
    /// The connection has to do something else than to wait for the next request.
    wants_wake: bool,
    waker: Option<Waker>,
    operation: Option<Weak<dyn DelayedOperation>>,
}

impl LateReply {
    pub(crate) fn new(clock: Clock, activity: &Arc<Activity>) -> (Self, Box<dyn ReplySink>) {
        let meeting = Arc::new(Meeting { state: Mutex::default(), clock, activity: Arc::clone(activity) });
        (Self { meeting: Arc::clone(&meeting) }, Box::new(Sink { meeting }))
    }

    /// Waits for the answer; everything before it has been sent. `has_next`: the next request is here already.
    /// `watch_peer`: end when the peer closes.
    pub(crate) async fn wait(&self, transport: &Transport, has_next: bool, watch_peer: bool) -> Outcome {
        {
            let mut state = self.meeting.state.lock();
            state.wants_wake = has_next;
            state.stream = Some(Arc::clone(transport.stream()));
        }
        poll_fn(|cx| self.poll(cx, transport, watch_peer)).await
    }

    fn poll(&self, cx: &mut Context<'_>, transport: &Transport, watch_peer: bool) -> Poll<Outcome> {
        let mut state = self.meeting.state.lock();
        if !state.wants_wake {
            match poll_peer(cx, transport) {
                Poll::Pending => {}
                Poll::Ready(Peer::Closed) if watch_peer => return Poll::Ready(Outcome::ClosedByPeer),
                Poll::Ready(_) => state.wants_wake = true,
            }
        }
        // A direct answer needs no attention before the next request.
        let is_quiet = matches!(state.outcome, Some(Outcome::Sent { .. })) && !state.wants_wake;
        if !is_quiet && let Some(outcome) = state.outcome.take() {
            return Poll::Ready(outcome);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Peer {
    /// Has sent something.
    Talks,
    Closed,
}

/// Ready when the peer sent something or closed; the task is woken when that changes.
fn poll_peer(cx: &mut Context<'_>, transport: &Transport) -> Poll<Peer> {
    loop {
        match transport.stream().poll_read_ready(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) => return Poll::Ready(Peer::Closed),
            Poll::Ready(Ok(())) => {}
        }
        match transport.peek() {
            Ok(0) => return Poll::Ready(Peer::Closed),
            Ok(_) => return Poll::Ready(Peer::Talks),
            // The readiness was an old one; it is cleared now.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Poll::Ready(Peer::Closed),
        }
    }
}

impl Drop for LateReply {
    fn drop(&mut self) {
        let (operation, was_answered) = {
            let mut state = self.meeting.state.lock();
            let was_answered = state.is_over;
            state.is_over = true;
            state.stream = None;
            (state.operation.take(), was_answered)
        };
        if !was_answered && let Some(operation) = operation.and_then(|operation| operation.upgrade()) {
            operation.expire(self.meeting.clock.now());
        }
    }
}

impl Meeting {
    fn answer(&self, reply: Reply) {
        let mut state = self.state.lock();
        if state.is_over {
            return;
        }
        state.is_over = true;
        state.operation = None;
        let outcome = match (state.stream.take(), reply) {
            (Some(stream), Reply::Now(frame)) if DIRECT.get() > 0 => self.send(&stream, frame),
            (_, reply) => Outcome::Reply { reply, sent: 0 },
        };
        let needs_wake = state.wants_wake || !matches!(outcome, Outcome::Sent { .. });
        state.outcome = Some(outcome);
        let waker = if needs_wake { state.waker.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Sends a small answer as far as the network takes it at once.
    fn send(&self, stream: &TcpStream, frame: Frame) -> Outcome {
        let Some(mut bytes) = transport::small_bytes(&frame) else {
            return Outcome::Reply { reply: Reply::Now(frame), sent: 0 };
        };
        DIRECT.set(DIRECT.get() - 1);
        // An error will meet the connection again.
        let sent = transport::send_now(stream, &bytes).unwrap_or(0);
        if sent < bytes.len() {
            bytes.drain(..sent);
            let segments = vec![Segment::Bytes(bytes)];
            return Outcome::Reply { reply: Reply::Now(Frame { segments }), sent };
        }
        let at_us = self.clock.mono_us();
        self.activity.mark(at_us);
        Outcome::Sent { bytes: sent, at_us }
    }
}

impl ReplySink for Sink {
    fn reply(self: Box<Self>, reply: Reply) {
        self.meeting.answer(reply);
    }

    fn set_operation(&self, operation: Weak<dyn DelayedOperation>) {
        let mut state = self.meeting.state.lock();
        if !state.is_over {
            state.operation = Some(operation);
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Does nothing after an answer.
        self.meeting.answer(Reply::Close("the request was given up".to_owned()));
    }
}
