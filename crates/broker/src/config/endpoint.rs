//! Listeners: where the broker listens, and what it tells others to connect to.

use std::collections::BTreeMap;
use std::fmt;

/// One listener, as `PLAINTEXT://host:9092`.
#[doc(alias = "EndPoint")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name, in capitals.
    pub listener: String,
    /// `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.
    pub security_protocol: String,
    /// Empty is every interface (listeners), or the machine's own name (advertised listeners).
    pub host: String,
    /// 0 picks a free port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "{}://[{}]:{}", self.listener, self.host, self.port)
        } else {
            write!(f, "{}://{}:{}", self.listener, self.host, self.port)
        }
    }
}

/// The security protocol of each listener name, from `listener.security.protocol.map`.
pub fn parse_protocol_map(text: &str) -> Result<BTreeMap<String, String>, String> {
    super::value::list(text)
        .map(|item| {
            let (name, protocol) =
                item.split_once(':').ok_or_else(|| format!("{item:?} is not of the form LISTENER:PROTOCOL"))?;
            let protocol = protocol.trim().to_ascii_uppercase();
            match protocol.as_str() {
                "PLAINTEXT" | "SSL" | "SASL_PLAINTEXT" | "SASL_SSL" => Ok((name.trim().to_ascii_uppercase(), protocol)),
                _ => {
                    Err(format!("{protocol:?} is no security protocol: use PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"))
                }
            }
        })
        .collect()
}

/// Reads a list of listeners.
pub fn parse_endpoints(text: &str, protocols: &BTreeMap<String, String>) -> Result<Vec<Endpoint>, String> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for item in super::value::list(text) {
        let endpoint = parse_endpoint(item, protocols)?;
        if endpoints.iter().any(|other| other.listener == endpoint.listener) {
            return Err(format!("each listener must have a different name, {} is there twice", endpoint.listener));
        }
        if endpoint.port != 0
            && endpoints.iter().any(|other| other.port == endpoint.port && other.host == endpoint.host)
        {
            return Err(format!("each listener must have a different port, {} is there twice", endpoint.port));
        }
        endpoints.push(endpoint);
    }
    Ok(endpoints)
}

fn parse_endpoint(item: &str, protocols: &BTreeMap<String, String>) -> Result<Endpoint, String> {
    let form = || format!("{item:?} is not of the form NAME://host:port");
    let (name, address) = item.split_once("://").ok_or_else(form)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(form)?;
    let port = port.parse().map_err(|_| format!("{item:?}: {port:?} is not a port (0 to 65535)"))?;
    let listener = name.to_ascii_uppercase();
    let security_protocol = protocols.get(&listener).cloned().ok_or_else(|| {
        format!("no security protocol is defined for listener {listener}: add it to listener.security.protocol.map")
    })?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok(Endpoint { listener, security_protocol, host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "PLAINTEXT:PLAINTEXT,INSIDE:SSL";

    fn read(text: &str) -> Result<Vec<String>, String> {
        let endpoints = parse_endpoints(text, &parse_protocol_map(MAP).expect("a map"))?;
        Ok(endpoints.iter().map(|e| format!("{e} {}", e.security_protocol)).collect())
    }

    #[test]
    fn endpoints_are_read() {
        assert_eq!(
            read("PLAINTEXT://:9092, inside://[::1]:9093").expect("endpoints"),
            ["PLAINTEXT://:9092 PLAINTEXT", "INSIDE://[::1]:9093 SSL"]
        );
    }

    #[test]
    fn errors_say_what_to_do() {
        for (text, part) in [
            ("PLAINTEXT:9092", "NAME://host:port"),
            ("PLAINTEXT://:x", "not a port"),
            ("OUTSIDE://:9092", "listener.security.protocol.map"),
            ("PLAINTEXT://:9092,PLAINTEXT://:9093", "different name"),
            ("PLAINTEXT://:9092,INSIDE://:9092", "different port"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(part), "{error}");
        }
        assert!(parse_protocol_map("A:TLS").is_err());
    }
}
