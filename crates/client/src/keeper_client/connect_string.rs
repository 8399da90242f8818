//! Where the keepers are: `host1:port1,host2:port2/chroot`.

use std::fmt;

/// The port of a server named without one.
const DEFAULT_PORT: u16 = 2181;

/// The address of one keeper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeeperAddress {
    pub host: String,
    pub port: u16,
}

impl fmt::Display for KeeperAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A parsed connect string.
#[doc(alias = "ConnectStringParser")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectString {
    /// At least one.
    pub servers: Vec<KeeperAddress>,
    /// Put before every path: empty, or `/a/b` without a slash at its end.
    pub chroot: String,
}

impl ConnectString {
    /// Reads `text`; the error is one line for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (hosts, chroot) = match text.find('/') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let chroot = if chroot == "/" { "" } else { chroot };
        if chroot.ends_with('/') || chroot.contains("//") {
            return Err(format!("the chroot of '{text}' is not a path: '{chroot}'"));
        }
        let servers = hosts
            .split(',')
            .map(str::trim)
            .filter(|host| !host.is_empty())
            .map(|host| address(host).ok_or_else(|| format!("'{host}' in '{text}' is not host:port")))
            .collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(format!("'{text}' names no keeper"));
        }
        Ok(Self { servers, chroot: chroot.to_owned() })
    }

    /// The path that the server knows for the client's `path`.
    pub(super) fn to_server(&self, path: &str) -> String {
        match (self.chroot.as_str(), path) {
            ("", path) => path.to_owned(),
            (chroot, "/") => chroot.to_owned(),
            (chroot, path) => format!("{chroot}{path}"),
        }
    }

    /// The client's name for a path of the server; a path outside of the chroot stays as it is.
    pub(super) fn to_client<'a>(&self, path: &'a str) -> &'a str {
        match path.strip_prefix(self.chroot.as_str()) {
            Some("") if !self.chroot.is_empty() => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        }
    }
}

fn address(text: &str) -> Option<KeeperAddress> {
    // [v6]:port, [v6], host:port, host
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Some(DEFAULT_PORT), |port| port.parse().ok())?;
    (!host.is_empty()).then(|| KeeperAddress { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_strings() {
        let parsed = ConnectString::parse("a:1, b,[::1]:3/x/y").expect("parses");
        let shown: Vec<String> = parsed.servers.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["a:1", "b:2181", "[::1]:3"]);
        assert_eq!(parsed.chroot, "/x/y");
        assert_eq!(ConnectString::parse("a:1/").expect("parses").chroot, "");
        for bad in ["", "/x", "a:b", "a:70000", ":1", "[::1", "a:1/x/", "a:1//x"] {
            assert!(ConnectString::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn chroot_is_put_on_and_taken_off() {
        let with = ConnectString::parse("a/kafka").expect("parses");
        assert_eq!((with.to_server("/"), with.to_server("/x")), ("/kafka".into(), "/kafka/x".into()));
        assert_eq!((with.to_client("/kafka"), with.to_client("/kafka/x")), ("/", "/x"));
        assert_eq!((with.to_client("/kafkaesque"), with.to_client("/other")), ("/kafkaesque", "/other"));
        let without = ConnectString::parse("a").expect("parses");
        assert_eq!(
            (without.to_server("/x").as_str(), without.to_client("/x"), without.to_client("/")),
            ("/x", "/x", "/")
        );
    }
}
