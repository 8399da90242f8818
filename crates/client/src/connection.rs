//! One connection to a broker: requests leave in the order of their calls, many may be under way, each answer finds its
//! caller. The versions that both sides know are agreed upon first (KIP-35, KIP-511).

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use ottla_base::limits::CLIENT_RESPONSE_BYTES;
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::{ApiKey, ErrorCode, Frame, Message, Reader, Request, Segment, Str, request_frame, response_head};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use crate::error::{ClientError, Result};

/// Bytes of small requests that are collected for one write.
const WRITE_TOGETHER_BYTES: usize = 64 << 10;
/// Largest step in which room for an answer grows: what has arrived decides, not what its length promises.
const GROWTH_BYTES: usize = 1 << 20;

/// How a connection behaves.
#[derive(Clone, Debug)]
pub struct ConnectionConfig {
    pub client_id: String,
    pub connect_timeout: Duration,
    pub request_timeout: Duration,
}

/// An answer, its header read.
#[derive(Debug)]
pub struct ResponseFrame {
    bytes: Vec<u8>,
    body_at: usize,
    broker: Arc<str>,
    api_key: ApiKey,
    pub version: i16,
}

impl ResponseFrame {
    /// Reads the body, borrowing from the frame.
    pub fn decode<'a, M: Message<'a>>(&'a self) -> Result<M> {
        M::from_bytes(&self.bytes[self.body_at..], self.version).map_err(|e| unreadable(&self.broker, self.api_key, &e))
    }

    /// The whole frame without its size.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole frame, to be used again as a buffer.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

fn unreadable(broker: &str, api_key: ApiKey, why: &dyn std::fmt::Display) -> ClientError {
    ClientError::Protocol(format!("{broker} answered {} with something that can't be read: {why}", api_key.name()))
}

type Answer = Result<ResponseFrame>;

/// An answer that has not come yet.
#[derive(Debug)]
#[must_use]
pub struct PendingAnswer(oneshot::Receiver<Answer>);

impl Future for PendingAnswer {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(ClientError::Closed)))
    }
}

struct Waiting {
    correlation_id: i32,
    api_key: ApiKey,
    version: i16,
    done: oneshot::Sender<Answer>,
}

/// What the two tasks and the callers share.
struct Shared {
    waiting: Mutex<Line>,
    next_correlation_id: AtomicI32,
    unsent: Arc<AtomicUsize>,
    /// Buffers to read answers into, given back by [`Connection::recycle`].
    spare: Mutex<Vec<Vec<u8>>>,
}

/// Who waits, in the order of the requests. The sender is under the same lock: that order is the wire's.
struct Line {
    waiting: VecDeque<Waiting>,
    /// `None` once the connection is closed.
    out: Option<mpsc::UnboundedSender<Frame>>,
    why_closed: String,
}

impl Shared {
    fn line(&self) -> std::sync::MutexGuard<'_, Line> {
        // A panic while it was held left a consistent line: nothing between its changes can panic.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, broker: &Arc<str>, why: &str) {
        let mut line = self.line();
        if line.out.take().is_some() {
            line.why_closed = why.to_owned();
        }
        let why = line.why_closed.clone();
        let waiting = std::mem::take(&mut line.waiting);
        drop(line);
        for waiting in waiting {
            let error = ClientError::Disconnected { broker: broker.to_string(), why: why.clone() };
            // A caller that went away is no error.
            drop(waiting.done.send(Err(error)));
        }
    }
}

/// A connection; clones share it. It closes when the last one is dropped, or by [`Connection::close`].
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
    broker: Arc<str>,
    client_id: Arc<str>,
    request_timeout: Duration,
    versions: Arc<BTreeMap<i16, RangeInclusive<i16>>>,
    api_versions: Arc<ApiVersionsResponse<'static>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("broker", &self.broker).finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects to `broker` (`host:port`) by TCP and agrees on versions.
    #[doc(alias = "NetworkClient")]
    pub async fn connect(broker: &str, config: &ConnectionConfig) -> Result<Self> {
        let connecting = tokio::time::timeout(config.connect_timeout, TcpStream::connect(broker));
        let stream = match connecting.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(e)) => return Err(ClientError::Unreachable(format!("{broker}: {}", describe(&e)))),
            Err(_) => return Err(ClientError::Unreachable(format!("{broker}: no answer in time"))),
        };
        if let Err(e) = stream.set_nodelay(true) {
            return Err(ClientError::Unreachable(format!("{broker}: {}", describe(&e))));
        }
        // TLS and SASL take their place here: between the socket and the first request.
        Self::over(stream, broker, config).await
    }

    /// Speaks over a stream that is already there.
    pub async fn over<S>(stream: S, broker: &str, config: &ConnectionConfig) -> Result<Self>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let broker: Arc<str> = broker.into();
        let (out, outbox) = mpsc::unbounded_channel();
        let line = Line { waiting: VecDeque::new(), out: Some(out), why_closed: String::new() };
        let shared = Arc::new(Shared {
            waiting: Mutex::new(line),
            next_correlation_id: AtomicI32::new(0),
            unsent: Arc::default(),
            spare: Mutex::new(Vec::new()),
        });
        tokio::spawn(carry(stream, outbox, Arc::downgrade(&shared), shared.unsent.clone(), broker.clone()));
        let mut connection = Self {
            shared,
            broker,
            client_id: config.client_id.as_str().into(),
            request_timeout: config.request_timeout,
            versions: Arc::default(),
            api_versions: Arc::default(),
        };
        connection.negotiate().await?;
        Ok(connection)
    }

    async fn negotiate(&mut self) -> Result<()> {
        let request = ApiVersionsRequest {
            client_software_name: Str::Borrowed("ottla"),
            client_software_version: Str::Borrowed(env!("CARGO_PKG_VERSION")),
        };
        let mut version = *ApiVersionsRequest::VERSIONS.end();
        loop {
            // The names are dropped from the versions that have no place for them.
            let asked = if version >= 3 { request.clone() } else { ApiVersionsRequest::default() };
            let mut frame = self.send_version(&asked, version)?.await?;
            let refused = Reader::new(&frame.bytes[frame.body_at..])
                .i16()
                .is_ok_and(|code| ErrorCode::from_code(code) == ErrorCode::UnsupportedVersion);
            if refused && version > 0 {
                // The refusal has the form of version 0, and from 2.4 on it tells which versions there are.
                frame.version = 0;
                let answer: ApiVersionsResponse<'_> = frame.decode()?;
                let own = answer.api_keys.iter().find(|api| api.api_key == ApiKey::ApiVersions.code());
                version = own.map_or(0, |api| api.max_version).clamp(0, version - 1);
                continue;
            }
            let answer: ApiVersionsResponse<'_> = frame.decode()?;
            crate::error::check(answer.error_code, None, || format!("{} ApiVersions", self.broker))?;
            let versions = answer.api_keys.iter().map(|api| (api.api_key, api.min_version..=api.max_version)).collect();
            self.versions = Arc::new(versions);
            self.api_versions = Arc::new(answer.into_owned());
            return Ok(());
        }
    }

    /// The broker's address.
    #[must_use]
    pub fn broker(&self) -> &str {
        &self.broker
    }

    /// What the broker said of itself.
    #[must_use]
    pub fn api_versions(&self) -> &ApiVersionsResponse<'static> {
        &self.api_versions
    }

    /// False once a request can't be sent any more.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.shared.line().out.is_some()
    }

    /// The highest version of `M` that the broker knows and that is not above `max`.
    pub fn version_up_to<'a, M: Request<'a>>(&self, max: i16) -> Result<i16> {
        let unsupported = |what: String| ClientError::Unsupported { broker: self.broker.to_string(), what };
        let Some(theirs) = self.versions.get(&M::KEY.code()) else {
            return Err(unsupported(M::KEY.name().to_owned()));
        };
        let version = *theirs.end().min(M::VERSIONS.end()).min(&max);
        if version < *theirs.start() || version < *M::VERSIONS.start() {
            let (low, high) = (theirs.start(), theirs.end());
            return Err(unsupported(format!("{} in a version we know: it has {low} to {high}", M::KEY.name())));
        }
        Ok(version)
    }

    /// Sends in the highest common version and waits for the answer.
    pub async fn call<'a, M: Request<'a>>(&self, request: &M) -> Answer {
        self.call_version(request, self.version_up_to::<M>(i16::MAX)?).await
    }

    /// Sends in `version` and waits for the answer; after the request timeout the connection is given up, because the
    /// answers behind the missing one can't come either.
    pub async fn call_version<'a, M: Request<'a>>(&self, request: &M, version: i16) -> Answer {
        self.call_within(request, version, self.request_timeout).await
    }

    /// The same with a time limit of its own, for requests that wait on purpose.
    pub async fn call_within<'a, M: Request<'a>>(&self, request: &M, version: i16, limit: Duration) -> Answer {
        let answer = self.send_version(request, version)?;
        match tokio::time::timeout(limit, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                self.close("a request was not answered in time");
                Err(ClientError::Timeout { broker: self.broker.to_string(), what: M::KEY.name().to_owned() })
            }
        }
    }

    /// Sends now; the answer is awaited later. Requests reach the broker in the order of these calls.
    pub fn send_version<'a, M: Request<'a>>(&self, request: &M, version: i16) -> Result<PendingAnswer> {
        let correlation_id = self.correlation_id();
        let frame = request_frame(correlation_id, Some(&self.client_id), request, version)
            .map_err(|e| ClientError::Unsupported { broker: self.broker.to_string(), what: e.to_string() })?;
        let (done, answer) = oneshot::channel();
        let mut line = self.shared.line();
        let Some(out) = line.out.clone() else {
            let why = line.why_closed.clone();
            return Err(ClientError::Disconnected { broker: self.broker.to_string(), why });
        };
        line.waiting.push_back(Waiting { correlation_id, api_key: M::KEY, version, done });
        // The writer closes the line when it ends, so a frame that it doesn't take is answered there.
        self.shared.unsent.fetch_add(frame.len(), Ordering::Relaxed);
        drop(out.send(frame));
        drop(line);
        Ok(PendingAnswer(answer))
    }

    /// Sends a request that is not answered (Produce with `acks=0`).
    pub fn send_one_way<'a, M: Request<'a>>(&self, request: &M, version: i16) -> Result<()> {
        let frame = request_frame(self.correlation_id(), Some(&self.client_id), request, version)
            .map_err(|e| ClientError::Unsupported { broker: self.broker.to_string(), what: e.to_string() })?;
        let line = self.shared.line();
        self.shared.unsent.fetch_add(frame.len(), Ordering::Relaxed);
        match &line.out {
            Some(out) if out.send(frame).is_ok() => Ok(()),
            _ => Err(ClientError::Disconnected { broker: self.broker.to_string(), why: line.why_closed.clone() }),
        }
    }

    /// Bytes of requests that the socket has not taken yet: what bounds requests that nobody answers.
    #[must_use]
    pub fn unsent_bytes(&self) -> usize {
        self.shared.unsent.load(Ordering::Relaxed)
    }

    fn correlation_id(&self) -> i32 {
        self.shared.next_correlation_id.fetch_add(1, Ordering::Relaxed) & i32::MAX
    }

    /// Gives a buffer back for the next large answer.
    pub fn recycle(&self, mut buffer: Vec<u8>) {
        let mut spare = self.shared.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < 4 && buffer.capacity() <= 64 << 20 {
            buffer.clear();
            spare.push(buffer);
        }
    }

    /// Closes now: whoever waits gets [`ClientError::Disconnected`].
    pub fn close(&self, why: &str) {
        self.shared.close(&self.broker, why);
    }
}

/// The connection's task: ends, and the socket with it, when either direction does or nobody holds the connection.
async fn carry<S: AsyncRead + AsyncWrite>(
    stream: S,
    outbox: mpsc::UnboundedReceiver<Frame>,
    shared: Weak<Shared>,
    unsent: Arc<AtomicUsize>,
    broker: Arc<str>,
) {
    let (reader, writer) = tokio::io::split(stream);
    let why = tokio::select! {
        why = write_requests(writer, outbox, &unsent) => why,
        why = read_answers(reader, &shared, &broker) => why,
    };
    if let Some(shared) = shared.upgrade() {
        shared.close(&broker, &why);
    }
}

async fn write_requests<W: AsyncWrite + Unpin>(
    mut writer: W,
    mut outbox: mpsc::UnboundedReceiver<Frame>,
    unsent: &AtomicUsize,
) -> String {
    // The sender lives in the line, which is closed by `Shared::close` and goes when the last handle does.
    while let Some(first) = outbox.recv().await {
        if let Err(e) = write_all(&mut writer, first, &mut outbox, unsent).await {
            return describe(&e);
        }
    }
    "closed".to_owned()
}

/// Writes `first` and what else is there already, small pieces together.
async fn write_all<W: AsyncWrite + Unpin>(
    writer: &mut W,
    first: Frame,
    outbox: &mut mpsc::UnboundedReceiver<Frame>,
    unsent: &AtomicUsize,
) -> io::Result<()> {
    let mut together = Vec::new();
    let mut total = 0;
    let mut next = Some(first);
    while let Some(frame) = next {
        total += frame.len();
        for segment in frame.segments {
            let bytes = match segment {
                Segment::Bytes(bytes) => bytes,
                Segment::File(slice) => slice.read()?,
            };
            if together.is_empty() && bytes.len() < WRITE_TOGETHER_BYTES {
                together = bytes;
            } else if together.len() + bytes.len() <= WRITE_TOGETHER_BYTES {
                together.extend_from_slice(&bytes);
            } else {
                writer.write_all(&together).await?;
                together.clear();
                writer.write_all(&bytes).await?;
            }
        }
        next = outbox.try_recv().ok();
    }
    writer.write_all(&together).await?;
    unsent.fetch_sub(total, Ordering::Relaxed);
    Ok(())
}

async fn read_answers<R: AsyncRead + Unpin>(reader: R, shared: &Weak<Shared>, broker: &Arc<str>) -> String {
    let mut reader = BufReader::with_capacity(64 << 10, reader);
    loop {
        match read_answer(&mut reader, shared, broker).await {
            Ok(true) => {}
            Ok(false) => return "closed".to_owned(),
            Err(why) => return why,
        }
    }
}

/// Reads one answer and hands it over; false when nobody holds the connection any more.
async fn read_answer<R: AsyncRead + Unpin>(
    reader: &mut BufReader<R>,
    shared: &Weak<Shared>,
    broker: &Arc<str>,
) -> std::result::Result<bool, String> {
    let len = reader.read_i32().await.map_err(|e| describe(&e))?;
    let len = usize::try_from(len).ok().filter(|len| (4..=CLIENT_RESPONSE_BYTES).contains(len));
    let len = len.ok_or("it does not speak Kafka's protocol (or wants TLS): an answer of unreasonable length")?;
    let mut bytes = match shared.upgrade() {
        None => return Ok(false),
        Some(shared) if len > WRITE_TOGETHER_BYTES => {
            shared.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
        }
        Some(_) => Vec::new(),
    };
    let mut part = reader.take(len as u64);
    while bytes.len() < len {
        bytes.reserve((len - bytes.len()).min(GROWTH_BYTES));
        if part.read_buf(&mut bytes).await.map_err(|e| describe(&e))? == 0 {
            return Err("the broker closed the connection".to_owned());
        }
    }
    let Some(shared) = shared.upgrade() else { return Ok(false) };
    let Some(waiting) = shared.line().waiting.pop_front() else {
        return Err("an answer that nobody waits for".to_owned());
    };
    let head = response_head(&bytes, waiting.api_key, waiting.version);
    let (answer, why) = match head {
        Ok((id, _)) if id != waiting.correlation_id => {
            let why = format!("an answer out of order: {id} instead of {}", waiting.correlation_id);
            (Err(unreadable(broker, waiting.api_key, &why)), Some(why))
        }
        Ok((_, body)) => {
            let body_at = body.position();
            let (api_key, version) = (waiting.api_key, waiting.version);
            (Ok(ResponseFrame { bytes, body_at, broker: broker.clone(), api_key, version }), None)
        }
        Err(e) => (Err(unreadable(broker, waiting.api_key, &e)), Some(e.to_string())),
    };
    // A caller that went away is no error.
    drop(waiting.done.send(answer));
    why.map_or(Ok(true), Err)
}

/// One short phrase for a user, without "(os error 111)".
pub(crate) fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::UnexpectedEof => "the broker closed the connection".to_owned(),
        _ => error.to_string(),
    }
}
