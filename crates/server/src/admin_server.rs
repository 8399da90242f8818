//! The keeper's admin server (`JettyAdminServer`): ZooKeeper's commands over HTTP, as JSON. What they say is decided in
//! `ottla_keeper::keeper_server`; here is HTTP, and what needs files.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use ottla_keeper::json::Json;
use ottla_keeper::keeper_server::{AdminAnswer, AdminRequest, COMMANDS, admin_reply};

use crate::http::{self, Content, Patience};
use crate::keeper_host::KeeperHost;
use crate::keeper_operator::note_descriptors;

/// How long a connection may last: a snapshot may be on it, in either direction.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(600);
const METHODS: &str = "GET, HEAD, POST, TRACE, OPTIONS";

/// Where and how.
#[derive(Clone, Debug)]
pub(crate) struct AdminSettings {
    /// `admin.commandURL`
    pub command_url: String,
    /// `admin.idleTimeout`
    pub idle_timeout: Duration,
}

/// Answers on `socket` for ever.
pub(crate) async fn serve(socket: TcpListener, settings: AdminSettings, host: Arc<KeeperHost>) {
    let patience = Patience { header: settings.idle_timeout, connection: CONNECTION_TIMEOUT };
    let settings = Arc::new(settings);
    http::serve_each(patience, socket, move |request, peer| {
        respond(Arc::clone(&host), Arc::clone(&settings), request, peer)
    })
    .await;
}

async fn respond(
    host: Arc<KeeperHost>,
    settings: Arc<AdminSettings>,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Response<Content> {
    match *request.method() {
        Method::GET | Method::HEAD | Method::POST => {}
        Method::OPTIONS => {
            let mut response = http::answer(StatusCode::OK, "text/plain", String::new());
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(METHODS));
            return response;
        }
        Method::TRACE => return http::answer(StatusCode::FORBIDDEN, "text/plain", String::new()),
        _ => return http::not_allowed(METHODS),
    }
    let Some(path) = decode(request.uri().path(), false) else {
        return http::answer(StatusCode::BAD_REQUEST, "text/plain", "the path can't be read\n".to_owned());
    };
    let url = &settings.command_url;
    let Some(rest) = path.strip_prefix(url.as_str()) else { return not_found(url) };
    match rest.strip_prefix('/') {
        None if rest.is_empty() => list(url),
        None => not_found(url),
        Some("") => list(url),
        Some(name) => run(host, name.to_owned(), request, peer).await,
    }
}

fn not_found(url: &str) -> Response<Content> {
    http::answer(StatusCode::NOT_FOUND, "text/plain", format!("see {url}\n"))
}

/// Links to all commands.
fn list(url: &str) -> Response<Content> {
    let link = |name: &&str| format!("<a href=\"{url}/{name}\">{name}</a>\n<br/>\n");
    http::answer(StatusCode::OK, "text/html", COMMANDS.iter().map(link).collect())
}

async fn run(host: Arc<KeeperHost>, name: String, request: Request<Incoming>, peer: SocketAddr) -> Response<Content> {
    let parameters = parameters(request.uri().query().unwrap_or(""));
    let authorization = request.headers().get(AUTHORIZATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
    note_descriptors(&host);
    let answer = host.with_server(|server| {
        let asked = AdminRequest {
            name: &name,
            post: request.method() == Method::POST,
            parameters: &parameters,
            authorization: authorization.as_deref(),
            peer: peer.ip().to_canonical(),
        };
        server.admin_command(host.now(), &asked)
    });
    match answer {
        AdminAnswer::Reply { status, body } => json(status, &body),
        AdminAnswer::Snapshot { streaming } => snapshot(host, streaming).await,
        AdminAnswer::Restore => restore(host, request).await,
    }
}

fn json(status: u16, body: &Json) -> Response<Content> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    http::answer(status, "application/json", body.to_text())
}

fn reply(name: &str, status: u16, entries: Vec<(String, Json)>) -> Response<Content> {
    match admin_reply(name, status, entries) {
        AdminAnswer::Reply { status, body } => json(status, &body),
        AdminAnswer::Snapshot { .. } | AdminAnswer::Restore => json(500, &Json::Null),
    }
}

/// Takes a snapshot and tells of it in headers; sends it when asked for.
async fn snapshot(host: Arc<KeeperHost>, streaming: bool) -> Response<Content> {
    let taking = Arc::clone(&host);
    let taken = tokio::task::spawn_blocking(move || {
        let (zxid, path) = taking.take_snapshot()?;
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        io::Result::Ok((zxid, file, len))
    });
    let (zxid, file, len) = match taken.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok(taken) => taken,
        Err(error) => {
            tracing::warn!(%error, "the admin command snapshot failed");
            host.with_server(|server| server.stats_mut().snapshot_errors += 1);
            return reply("snapshot", 500, Vec::new());
        }
    };
    let mut response = if streaming {
        let mut response = Response::new(Content::File(file, len));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        response
    } else {
        reply("snapshot", 200, Vec::new())
    };
    for (name, value) in [("last_zxid", format!("0x{zxid:x}")), ("snapshot_size", len.to_string())] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Restores the snapshot in the request's body.
async fn restore(host: Arc<KeeperHost>, request: Request<Incoming>) -> Response<Content> {
    let restored = async {
        let mut received = host.receive_snapshot()?;
        let mut body = request.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(io::Error::other)?;
            if let Some(bytes) = frame.data_ref() {
                received.append(bytes)?;
            }
        }
        let restoring = Arc::clone(&host);
        tokio::task::spawn_blocking(move || restoring.restore(&received))
            .await
            .unwrap_or_else(|e| Err(io::Error::other(e)))
    };
    match restored.await {
        Ok(zxid) => reply("restore", 200, vec![("last_zxid".to_owned(), Json::Int(zxid))]),
        Err(error) => {
            tracing::warn!(%error, "the admin command restore failed");
            host.with_server(|server| server.stats_mut().restore_errors += 1);
            reply("restore", 500, Vec::new())
        }
    }
}

/// Names and values of a query.
fn parameters(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter_map(|(name, value)| Some((decode(name, true)?, decode(value, true)?))).collect()
}

/// Undoes percent encoding; `None` when it is none, or no text. In a query, `+` is a space.
fn decode(text: &str, query: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                (digit(rest.next()?)? * 16 + digit(rest.next()?)?) as u8
            }
            b'+' if query => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_undone() {
        assert_eq!(decode("%72uok+", false).as_deref(), Some("ruok+"));
        assert_eq!(decode("a+b%20c", true).as_deref(), Some("a b c"));
        for broken in ["%", "%7", "%zz", "%ff"] {
            assert_eq!(decode(broken, false), None, "{broken}");
        }
        let expected = [("streaming".to_owned(), "false".to_owned()), ("x".to_owned(), String::new())];
        assert_eq!(parameters("streaming=false&x&&%zz=1"), expected);
    }
}
