//! A server of an ensemble: `host:quorumPort:electionPort[:role][|more addresses][;[clientAddress:]clientPort]`.

/// What a server of an ensemble does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Votes.
    Participant,
    /// Follows without a vote.
    Observer,
}

/// Where the other servers reach a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    pub host: String,
    pub quorum_port: u16,
    pub election_port: u16,
}

/// The value of a `server.N` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSpec {
    /// At least one; several with `multiAddress.enabled`.
    pub addresses: Vec<ServerAddress>,
    pub role: Role,
    /// Where clients connect: address (any when missing) and port.
    pub client: Option<(Option<String>, u16)>,
}

const FORM: &str = "must be host:quorumPort:electionPort[:participant|observer][;[address:]clientPort], \
                    as in zoo1:2888:3888 or zoo1:2888:3888:observer;2181";

impl ServerSpec {
    /// Reads the value; the error says what it must be.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (servers, client) = match text.split_once(';') {
            Some((servers, client)) => (servers, Some(parse_client(client)?)),
            None => (text, None),
        };
        let mut addresses = Vec::new();
        let mut role = Role::Participant;
        for server in servers.split('|') {
            let parts = split_host(server.trim());
            let (host, ports) = match parts.split_first() {
                Some((host, ports)) if !host.is_empty() => (host, ports),
                _ => return Err(FORM.to_owned()),
            };
            let (quorum, election) = match ports {
                [quorum, election] => (quorum, election),
                [quorum, election, name] => {
                    role = match name.to_ascii_lowercase().as_str() {
                        "participant" => Role::Participant,
                        "observer" => Role::Observer,
                        _ => return Err(format!("unknown role {name}; {FORM}")),
                    };
                    (quorum, election)
                }
                _ => return Err(FORM.to_owned()),
            };
            addresses.push(ServerAddress {
                host: host.clone(),
                quorum_port: parse_port(quorum)?,
                election_port: parse_port(election)?,
            });
        }
        Ok(Self { addresses, role, client })
    }
}

fn parse_client(text: &str) -> Result<(Option<String>, u16), String> {
    let parts = split_host(text.trim());
    match parts.as_slice() {
        [port] => Ok((None, parse_port(port)?)),
        [host, port] => Ok((Some(host.clone()), parse_port(port)?)),
        _ => Err(FORM.to_owned()),
    }
}

/// Splits at colons, but not inside of the brackets around an IPv6 address.
fn split_host(text: &str) -> Vec<String> {
    if let Some(rest) = text.strip_prefix('[')
        && let Some((host, ports)) = rest.split_once(']')
    {
        let mut parts = vec![host.to_owned()];
        parts.extend(ports.trim_start_matches(':').split(':').filter(|p| !p.is_empty()).map(str::to_owned));
        return parts;
    }
    text.split(':').map(|part| part.trim().to_owned()).collect()
}

fn parse_port(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|&port| port != 0).ok_or_else(|| format!("{text:?} is not a port; {FORM}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let spec = ServerSpec::parse("zoo1:2888:3888").expect("good");
        assert_eq!((spec.role, spec.client, spec.addresses[0].election_port), (Role::Participant, None, 3_888));
        let spec = ServerSpec::parse("[2001:db8::1]:2888:3888:observer;[::]:2181").expect("good");
        assert_eq!(spec.addresses[0].host, "2001:db8::1");
        assert_eq!((spec.role, spec.client), (Role::Observer, Some((Some("::".to_owned()), 2_181))));
        let spec = ServerSpec::parse("a:1:2|b:3:4;5").expect("good");
        assert_eq!((spec.addresses.len(), spec.client), (2, Some((None, 5))));
        for bad in ["", "zoo1", "zoo1:1", "zoo1:1:x", "zoo1:1:2:leader", ":1:2", "a:1:2;", "a:0:1", "[::1:1:2"] {
            assert!(ServerSpec::parse(bad).is_err(), "{bad}");
        }
    }
}
