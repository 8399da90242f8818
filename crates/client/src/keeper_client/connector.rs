//! How the client reaches a keeper: TCP, or anything else that carries bytes both ways.

use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::connect_string::KeeperAddress;

/// A connection to a keeper.
pub trait KeeperStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> KeeperStream for T {}

/// What [`KeeperConnector::connect`] gives.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn KeeperStream>>> + Send + 'a>>;

/// Opens connections. A process with a keeper inside may hand out `tokio::io::duplex` streams instead of sockets.
pub trait KeeperConnector: Send + Sync {
    fn connect<'a>(&'a self, server: &'a KeeperAddress) -> Connecting<'a>;
}

/// Connects by TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpConnector;

impl KeeperConnector for TcpConnector {
    fn connect<'a>(&'a self, server: &'a KeeperAddress) -> Connecting<'a> {
        Box::pin(async move {
            let stream = TcpStream::connect((server.host.as_str(), server.port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn KeeperStream>)
        })
    }
}
