//! Metrics over HTTP: `GET /metrics`.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;

use crate::metrics::Metrics;

/// Scrapers at the same time; further ones wait.
const CONNECTIONS: usize = 16;
/// How long a scraper may take to say what it wants.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may last: one that does not take its answer must not keep its place for ever. A scraper that keeps
/// its connection opens another one then.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(120);
/// The version that Prometheus asks for by default.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves `metrics` on `socket` for ever.
pub async fn serve(socket: TcpListener, metrics: Arc<Metrics>) {
    serve_each_for(CONNECTION_TIMEOUT, socket, metrics).await;
}

async fn serve_each_for(connection_timeout: Duration, socket: TcpListener, metrics: Arc<Metrics>) {
    let socket = match tokio::net::TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::error!(%error, "no metrics: cannot listen");
            return;
        }
    };
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let stream = match socket.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for metrics");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let metrics = Arc::clone(&metrics);
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let response = respond(&request, &metrics);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), answer);
            match tokio::time::timeout(connection_timeout, connection).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "metrics connection lost"),
                Err(_) => tracing::debug!("metrics connection closed: it has lasted long enough"),
            }
            drop(permit);
        });
    }
}

fn respond(request: &Request<Incoming>, metrics: &Metrics) -> Response<Full<Bytes>> {
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, PROMETHEUS, metrics.render()),
        (&Method::GET | &Method::HEAD, _) => (StatusCode::NOT_FOUND, "text/plain", "see /metrics\n".to_owned()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET and HEAD\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
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
        cores.spawn(serve_each_for(Duration::from_millis(200), socket, metrics));
        let mut stream = TcpStream::connect(address).expect("connects");
        stream.set_write_timeout(Some(Duration::from_secs(10))).expect("sets");
        let requests = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000);
        let error = std::iter::repeat_with(|| stream.write_all(&requests)).find_map(Result::err).expect("closed");
        assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    }
}
