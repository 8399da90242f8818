//! One client's connection: its requests strictly in order, the next one only after the previous was answered.
//!
//! Kafka mutes a channel while one of its requests is handled; here the task simply has not come back to reading.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ottla_base::time::Now;
use ottla_broker::reply::{Reply, ReplySink};
use ottla_broker::request::ConnectionInfo;
use ottla_protocol::{ApiKey, Frame};

use crate::buffers::FrameBudget;
use crate::clock::Clock;
use crate::frame_reader::{FrameError, FrameReader};
use crate::frame_writer::FrameWriter;
use crate::late_reply::{self, LateReply, Outcome};
use crate::metrics::CoreMetrics;
use crate::transport::Transport;

/// Bytes of an unfinished frame that count as a sign of life: fewer are what a peer sends that only wants to hold a
/// connection.
const LIFE_BYTES: usize = 16 << 10;

/// Who answers requests: the broker.
pub trait RequestHandler: Send + Sync + 'static {
    /// Answers the request in `frame` (without its length). `sink` makes the way for a late answer; it is called at most
    /// once.
    fn handle(
        &self,
        now: Now,
        frame: &mut [u8],
        connection: &mut ConnectionInfo,
        sink: &mut dyn FnMut() -> Box<dyn ReplySink>,
    ) -> Reply;

    /// The connection is gone.
    fn closed(&self, _connection: &ConnectionInfo) {}
}

/// Why a connection ended.
#[derive(Debug)]
pub enum Ended {
    /// The peer closed it between two requests.
    ByPeer,
    /// The peer closed it inside a request.
    Truncated,
    BadFrame(FrameError),
    /// The handler wants it closed.
    Refused(String),
    Io(io::Error),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// When something last happened on a connection, in milliseconds of the monotonic clock; [`Activity::WORKING`] while a
/// request is with its handler, which no idleness ends.
#[derive(Debug)]
pub(crate) struct Activity(AtomicU64);

impl Activity {
    const WORKING: u64 = u64::MAX;

    pub(crate) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(clock.mono_us() / 1_000)))
    }

    pub(crate) fn mark(&self, mono_us: u64) {
        self.0.store(mono_us / 1_000, Ordering::Relaxed);
    }

    fn working(&self) {
        self.0.store(Self::WORKING, Ordering::Relaxed);
    }

    /// Milliseconds of idleness at `now_ms`.
    pub(crate) fn idle_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.0.load(Ordering::Relaxed))
    }
}

/// A connection's surroundings.
#[derive(Debug)]
pub(crate) struct Context<H> {
    pub(crate) handler: Arc<H>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<CoreMetrics>,
    pub(crate) budget: Arc<FrameBudget>,
    /// `socket.request.max.bytes`
    pub(crate) max_request_bytes: usize,
    pub(crate) activity: Arc<Activity>,
}

/// Serves a connection to its end.
pub(crate) async fn serve<H: RequestHandler>(
    context: &Context<H>,
    mut transport: Transport,
    info: &mut ConnectionInfo,
) -> Ended {
    let mut reader = FrameReader::new(context.max_request_bytes, Arc::clone(&context.budget));
    let mut writer = FrameWriter::default();
    loop {
        match reader.next() {
            Err(error) => {
                // What was answered before the bad frame still goes out.
                let _ = writer.flush(&transport).await;
                return Ended::BadFrame(error);
            }
            Ok(Some(range)) => {
                if let Err(ended) = answer(context, &mut transport, info, &mut reader, range, &mut writer).await {
                    return ended;
                }
            }
            Ok(None) => {
                if let Err(error) = writer.flush(&transport).await {
                    return Ended::Io(error);
                }
                match receive(context, &mut transport, &mut reader).await {
                    Ok(true) => {}
                    Ok(false) if reader.in_frame() => return Ended::Truncated,
                    Ok(false) => return Ended::ByPeer,
                    Err(error) => return Ended::Io(error),
                }
            }
        }
    }
}

/// Receives until a whole frame (or a bad length) is there; false at the end of the stream.
async fn receive<H>(context: &Context<H>, transport: &mut Transport, reader: &mut FrameReader) -> io::Result<bool> {
    let mut since_mark = 0;
    while !reader.has_next() {
        let count = reader.fill(transport).await?;
        if count == 0 {
            return Ok(false);
        }
        since_mark += count;
        if since_mark >= LIFE_BYTES {
            context.activity.mark(context.clock.mono_us());
            since_mark = 0;
        }
    }
    Ok(true)
}

/// Handles one request and sends, or gathers, its answer.
async fn answer<H: RequestHandler>(
    context: &Context<H>,
    transport: &mut Transport,
    info: &mut ConnectionInfo,
    reader: &mut FrameReader,
    range: std::ops::Range<usize>,
    writer: &mut FrameWriter,
) -> Result<(), Ended> {
    let request_bytes = range.len();
    let frame = reader.bytes(range);
    let api_key = frame.first_chunk().map_or(-1, |key| i16::from_be_bytes(*key));
    let metrics = context.metrics.request(api_key);
    let mut late = None;
    let started = context.clock.now();
    context.activity.working();
    let mut make_sink = || {
        let (waiting, sink) = LateReply::new(context.clock, &context.activity);
        late = Some(waiting);
        sink
    };
    let reply = late_reply::answering_directly(|| context.handler.handle(started, frame, info, &mut make_sink));
    let handled_us = context.clock.mono_us();
    metrics.local_us.add(handled_us - started.mono_us);
    let (reply, sent) = match (reply, late) {
        (Reply::Later, Some(late)) => {
            // While we wait: earlier answers go out, and the buffer serves others.
            writer.flush(transport).await?;
            reader.release();
            // Nobody else is told anything by a fetch, so one whose client has gone can be given up.
            let watch_peer = api_key == ApiKey::Fetch.code();
            let outcome = late.wait(transport, reader.has_next(), watch_peer).await;
            let replied_us = outcome.sent_at_us().unwrap_or_else(|| context.clock.mono_us());
            metrics.remote_us.add(replied_us.saturating_sub(handled_us));
            match outcome {
                Outcome::Reply { reply, sent } => (reply, sent),
                Outcome::Sent { bytes, at_us } => {
                    metrics.answered(started.mono_us, at_us, request_bytes, bytes);
                    return Ok(());
                }
                Outcome::ClosedByPeer => return Err(Ended::ByPeer),
            }
        }
        (Reply::Later, None) => {
            (Reply::Close("the handler promised an answer and took no way to give it".to_owned()), 0)
        }
        (reply, _) => (reply, 0),
    };
    context.activity.mark(context.clock.mono_us());
    let response_bytes = match reply {
        Reply::Now(frame) => sent + send(transport, writer, reader, frame).await?,
        Reply::None => 0,
        Reply::Later => return Err(Ended::Refused("a late answer was not an answer".to_owned())),
        Reply::Close(why) => {
            let _ = writer.flush(transport).await;
            return Err(Ended::Refused(why));
        }
    };
    let done_us = context.clock.mono_us();
    context.activity.mark(done_us);
    metrics.answered(started.mono_us, done_us, request_bytes, response_bytes);
    Ok(())
}

/// Sends an answer at once, unless the next request is here already and may be answered together with it.
async fn send(
    transport: &Transport,
    writer: &mut FrameWriter,
    reader: &FrameReader,
    frame: Frame,
) -> io::Result<usize> {
    let bytes = writer.write(transport, frame).await?;
    if !reader.has_next() {
        writer.flush(transport).await?;
    }
    Ok(bytes)
}
