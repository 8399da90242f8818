//! The one way that anything here is told over HTTP: few connections, short ones, bounded requests. Serves the metrics,
//! `GET /metrics`; the keeper's admin server is in `admin_server.rs`.

use std::convert::Infallible;
use std::fs::File;
use std::future::Future;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;

use crate::metrics::Metrics;

/// Clients at the same time; further ones wait.
const CONNECTIONS: usize = 16;
/// Bytes of a file that are read at a time.
const CHUNK_BYTES: u64 = 64 << 10;
/// The version that Prometheus asks for by default.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How long clients are waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// To say what they want.
    pub header: Duration,
    /// For all their requests: a connection that does not take its answer must not keep its place for ever. A client that
    /// keeps its connection opens another one then.
    pub connection: Duration,
}

impl Patience {
    /// For scrapers.
    pub(crate) const SCRAPE: Self = Self { header: Duration::from_secs(10), connection: Duration::from_secs(120) };
}

/// What an answer carries.
#[derive(Debug)]
pub(crate) enum Content {
    Bytes(Option<Bytes>),
    /// So many bytes from where the file stands.
    File(File, u64),
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = match self.get_mut() {
            Self::Bytes(bytes) => bytes.take().map(|bytes| Ok(Frame::data(bytes))),
            Self::File(_, 0) => None,
            Self::File(file, left) => {
                let mut chunk = vec![0; CHUNK_BYTES.min(*left) as usize];
                // From the page cache: the file was written a moment ago.
                let read = file.read_exact(&mut chunk);
                *left -= chunk.len() as u64;
                Some(read.map(|()| Frame::data(Bytes::from(chunk))))
            }
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Bytes(None) | Self::File(_, 0))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Bytes(bytes) => bytes.as_ref().map_or(0, Bytes::len) as u64,
            Self::File(_, left) => *left,
        })
    }
}

/// An answer of text.
pub(crate) fn answer(status: StatusCode, kind: &'static str, text: String) -> Response<Content> {
    let mut response = Response::new(Content::Bytes(Some(Bytes::from(text))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// An answer that only `methods` are allowed.
pub(crate) fn not_allowed(methods: &'static str) -> Response<Content> {
    let mut response = answer(StatusCode::METHOD_NOT_ALLOWED, "text/plain", format!("only {methods}\n"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

/// Serves `metrics` on `socket` for ever.
pub async fn serve(socket: TcpListener, metrics: Arc<Metrics>) {
    serve_scrapes(Patience::SCRAPE, socket, move || metrics.render()).await;
}

/// Serves the text that `render` makes as `GET /metrics`.
pub(crate) async fn serve_scrapes(
    patience: Patience,
    socket: TcpListener,
    render: impl Fn() -> String + Send + Sync + 'static,
) {
    let render = Arc::new(render);
    serve_each(patience, socket, move |request, _| {
        let response = respond(&request, &*render);
        async move { response }
    })
    .await;
}

/// Answers each request on `socket` by `handle`, for ever.
pub(crate) async fn serve_each<F>(
    patience: Patience,
    socket: TcpListener,
    handle: impl Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + 'static,
) where
    F: Future<Output = Response<Content>> + Send + 'static,
{
    let socket = match tokio::net::TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::error!(%error, "nothing is told over HTTP: cannot listen");
            return;
        }
    };
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let (stream, peer) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for HTTP");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let handle = handle.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let response = handle(request, peer);
                async move { Ok::<_, Infallible>(response.await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(patience.header)
                .serve_connection(TokioIo::new(stream), answer);
            match tokio::time::timeout(patience.connection, connection).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "HTTP connection lost"),
                Err(_) => tracing::debug!("HTTP connection closed: it has lasted long enough"),
            }
            drop(permit);
        });
    }
}

fn respond(request: &Request<Incoming>, render: impl Fn() -> String) -> Response<Content> {
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => answer(StatusCode::OK, PROMETHEUS, render()),
        (&Method::GET | &Method::HEAD, _) => answer(StatusCode::NOT_FOUND, "text/plain", "see /metrics\n".to_owned()),
        _ => not_allowed("GET, HEAD"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Write};
    use std::net::TcpStream;

    use super::*;
    use crate::runtime::Cores;

    #[test]
    fn a_scrape_over_http() {
        let metrics = Arc::new(Metrics::default());
        let cores = Cores::start(1, &metrics).expect("a thread starts");
        let socket = TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = socket.local_addr().expect("has an address");
        socket.set_nonblocking(true).expect("sets");
        cores.spawn(serve(socket, metrics));
        let ask = |request: &str| {
            let mut stream = TcpStream::connect(address).expect("connects");
            stream.set_read_timeout(Some(Duration::from_secs(5))).expect("sets");
            write!(stream, "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("asks");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("answers");
            answer
        };
        let answer = ask("GET /metrics");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("kafka_network_processors 1"), "{answer}");
        assert!(ask("GET /").starts_with("HTTP/1.1 404"));
        assert!(ask("POST /metrics").starts_with("HTTP/1.1 405"));
    }

    #[test]
    fn who_does_not_take_answers_loses_the_connection() {
        let metrics = Arc::new(Metrics::default());
        let cores = Cores::start(1, &metrics).expect("a thread starts");
        let socket = TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = socket.local_addr().expect("has an address");
        socket.set_nonblocking(true).expect("sets");
        let patience = Patience { connection: Duration::from_millis(200), ..Patience::SCRAPE };
        cores.spawn(serve_scrapes(patience, socket, move || metrics.render()));
        let mut stream = TcpStream::connect(address).expect("connects");
        stream.set_write_timeout(Some(Duration::from_secs(10))).expect("sets");
        let requests = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000);
        let error = std::iter::repeat_with(|| stream.write_all(&requests)).find_map(Result::err).expect("closed");
        assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    }
}
