//! Listening sockets, and errors that say what to do.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

/// What a listening socket is asked for.
#[derive(Clone, Debug)]
pub struct BindTo {
    /// Name or address; empty for all addresses of the machine.
    pub host: String,
    /// 0 lets the system choose.
    pub port: u16,
    /// `socket.send.buffer.bytes`; `None` leaves it to the system.
    pub send_buffer: Option<usize>,
    /// `socket.receive.buffer.bytes`; `None` leaves it to the system.
    pub receive_buffer: Option<usize>,
    /// `socket.listen.backlog.size`
    pub backlog: i32,
    /// The setting to change when the port is taken.
    pub setting: &'static str,
}

/// Why we can't listen; shown as one line with the remedy.
#[derive(Debug)]
pub struct BindError {
    pub host: String,
    pub port: u16,
    pub setting: &'static str,
    pub error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, setting, error } = self;
        let place = if host.is_empty() { format!("port {port}") } else { format!("{host}:{port}") };
        match error.kind() {
            io::ErrorKind::AddrInUse => write!(
                f,
                "{place} is in use by another process; stop it (`ss -ltnp 'sport = :{port}'` names it) or choose \
                 another port with {setting}"
            ),
            io::ErrorKind::AddrNotAvailable => {
                write!(f, "cannot listen on {place}: {host} is no address of this machine; correct {setting}")
            }
            io::ErrorKind::PermissionDenied => {
                write!(f, "not allowed to listen on {place}; choose a port above 1023 with {setting}")
            }
            _ => write!(f, "cannot listen on {place} ({setting}): {error}"),
        }
    }
}

impl std::error::Error for BindError {}

/// An address that is ours but on which nobody can connect yet.
#[derive(Debug)]
pub struct Reserved {
    socket: Socket,
    to: BindTo,
}

impl Reserved {
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    /// Lets clients connect.
    pub fn listen(self) -> Result<TcpListener, BindError> {
        match self.socket.listen(self.to.backlog.max(1)) {
            Ok(()) => Ok(self.socket.into()),
            Err(error) => Err(self.to.error(error)),
        }
    }
}

impl BindTo {
    /// Opens the socket; accepted connections inherit its buffer sizes.
    pub fn bind(&self) -> Result<TcpListener, BindError> {
        self.reserve()?.listen()
    }

    /// Takes the address: whoever connects is refused until [`Reserved::listen`].
    pub fn reserve(&self) -> Result<Reserved, BindError> {
        let socket = self.try_bind().map_err(|error| self.error(error))?;
        Ok(Reserved { socket, to: self.clone() })
    }

    fn error(&self, error: io::Error) -> BindError {
        BindError { host: self.host.clone(), port: self.port, setting: self.setting, error }
    }

    fn try_bind(&self) -> io::Result<Socket> {
        if self.host.is_empty() {
            let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, self.port));
            return match self.bind_address(all) {
                // A machine without IPv6.
                Err(e) if matches!(e.raw_os_error(), Some(97 | 99)) => {
                    self.bind_address(SocketAddr::from((Ipv4Addr::UNSPECIFIED, self.port)))
                }
                result => result,
            };
        }
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let mut addresses = (host, self.port).to_socket_addrs()?;
        self.bind_address(addresses.next().ok_or(io::ErrorKind::AddrNotAvailable)?)
    }

    fn bind_address(&self, address: SocketAddr) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        // A restart must not wait for the old connections' last packets.
        socket.set_reuse_address(true)?;
        if let Some(bytes) = self.send_buffer {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.bind(&address.into())?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(host: &str, port: u16) -> BindTo {
        BindTo {
            host: host.to_owned(),
            port,
            send_buffer: None,
            receive_buffer: Some(100_000),
            backlog: 50,
            setting: "listeners",
        }
    }

    #[test]
    fn a_taken_port_is_named_with_the_remedy() {
        let first = to("127.0.0.1", 0).bind().expect("binds");
        let port = first.local_addr().expect("has an address").port();
        let error = to("127.0.0.1", port).bind().expect_err("is taken").to_string();
        assert_eq!(error.lines().count(), 1);
        assert!(error.contains("in use by another process") && error.contains("listeners"), "{error}");
        let error = to("", port).bind().expect_err("is taken on one address");
        assert_eq!(error.error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_reserved_port_refuses_until_it_listens() {
        let reserved = to("127.0.0.1", 0).reserve().expect("binds");
        let address = reserved.local_addr().expect("has an address");
        let error = std::net::TcpStream::connect(address).expect_err("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let _listener = reserved.listen().expect("listens");
        std::net::TcpStream::connect(address).expect("connects");
    }

    #[test]
    fn a_foreign_address_is_named() {
        let error = to("192.0.2.1", 0).bind().expect_err("is not ours").to_string();
        assert!(error.contains("no address of this machine"), "{error}");
    }
}
