//! Connecting to another server by name: all its addresses at once, the first that answers is taken.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Connects to the first of `hosts` that answers within `limit`.
pub(super) async fn connect(hosts: &[(String, u16)], limit: Duration) -> io::Result<TcpStream> {
    let attempt = async {
        let mut attempts = JoinSet::new();
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in resolve(hosts, &mut failure).await {
            attempts.spawn(TcpStream::connect(address));
        }
        while let Some(joined) = attempts.join_next().await {
            match joined.map_err(io::Error::other).and_then(|connected| connected) {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    };
    let stream = tokio::time::timeout(limit, attempt).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Every address of every host; names are looked up each time, as servers move.
async fn resolve(hosts: &[(String, u16)], failure: &mut io::Error) -> Vec<SocketAddr> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for (host, port) in hosts {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match tokio::net::lookup_host((host, *port)).await {
            Ok(found) => addresses.extend(found),
            Err(error) => *failure = error,
        }
    }
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_address_that_answers_is_taken() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("bound").port();
        let limit = Duration::from_secs(5);
        let dead = ("127.0.0.2".to_owned(), port);
        let stream = connect(&[dead.clone(), ("localhost".to_owned(), port)], limit).await.expect("connects");
        assert_eq!(stream.peer_addr().expect("connected").port(), port);
        connect(&[dead], limit).await.expect_err("nobody is there");
        connect(&[("no.such.host.invalid".to_owned(), port)], limit).await.expect_err("no such name");
        connect(&[], limit).await.expect_err("no address");
    }
}
