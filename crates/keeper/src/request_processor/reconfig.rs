//! The request to change the ensemble: what the new configuration is, and whether it may be proposed
//! (`PrepRequestProcessor`, `Leader.isQuorumSynced`).

use super::{Context, Failure, RequestProcessor};
use crate::config::{ServerSpec, parse_properties};
use crate::jute::Jute;
use crate::proto::{CONFIG_NODE, ErrorCode, ReconfigRequest, perms};
use crate::txn::SetDataTxn;
use crate::zab::QuorumVerifier;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The ensemble as the leader of now sees it.
#[derive(Clone, Debug)]
pub struct EnsembleView {
    /// Committed last.
    pub active: Arc<QuorumVerifier>,
    /// Another one may be committed soon.
    pub changing: bool,
    /// Followers that have the leader's history, with and without a vote, and the leader itself; no observers.
    pub synced: BTreeSet<i64>,
}

impl RequestProcessor {
    /// The ensemble that this server leads, if any.
    pub fn set_ensemble(&mut self, ensemble: Option<EnsembleView>) {
        self.ensemble = ensemble;
    }

    pub(super) fn reconfig(
        &mut self,
        context: &mut Context<'_>,
        request: &ReconfigRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        if !self.config.reconfig_enabled {
            return Err(ErrorCode::ReconfigDisabled.into());
        }
        context.check_session()?;
        // A server alone has no ensemble to change.
        let view = self.ensemble.as_ref().ok_or(ErrorCode::Unimplemented)?;
        if view.changing {
            return Err(ErrorCode::ReconfigInProgress.into());
        }
        if request.cur_config_id != -1 && request.cur_config_id != view.active.version {
            return Err(ErrorCode::BadVersion.into());
        }
        let next = match request.new_members {
            Some(text) => read_members(text)?,
            None => change_members(&view.active, request)?,
        };
        let least = if self.config.standalone_enabled { 2 } else { 1 };
        if next.voters().len() < least {
            tracing::warn!("reconfiguration refused: the new configuration needs at least {least} servers that vote");
            return Err(ErrorCode::BadArguments.into());
        }
        if !next.contains_quorum(&view.synced) {
            tracing::warn!(
                "reconfiguration refused: no quorum of the new configuration follows this leader; start the new servers \
                 first, as participants of it"
            );
            return Err(ErrorCode::NewConfigNoQuorum.into());
        }
        let mut node = self.pending.node(context.tree, CONFIG_NODE)?;
        self.check_acl(context, &node.acl, perms::WRITE)?;
        let text = next.with_version(context.zxid).to_string();
        SetDataTxn { path: CONFIG_NODE, data: Some(text.as_bytes()), version: -1 }.write(out);
        if let Some(stat) = &mut node.stat {
            stat.version = -1;
            stat.mtime = context.time;
            stat.mzxid = context.zxid;
        }
        // The digest does not cover this node.
        node.zxid = context.zxid;
        node.data_len = text.len();
        self.pending.put(context.tree, CONFIG_NODE, node, None);
        if let Some(view) = &mut self.ensemble {
            view.changing = true;
        }
        Ok(())
    }
}

fn refused(why: &str) -> Failure {
    tracing::warn!("reconfiguration refused: {why}");
    ErrorCode::BadArguments.into()
}

/// All members anew, in the form of a dynamic file, or with commas between the lines.
fn read_members(text: &str) -> Result<QuorumVerifier, Failure> {
    let text = text.replace(',', "\n");
    for property in parse_properties(&text) {
        let key = property.key.as_str();
        let known = ["server.", "group", "weight"].iter().any(|known| key.starts_with(known)) || key == "version";
        if !known {
            return Err(refused(&format!("{key} is no setting of the members")));
        }
    }
    QuorumVerifier::parse(&text).map_err(|why| refused(&why))
}

/// Parts between commas, as `StringUtils.split` makes them.
fn split(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.unwrap_or("").split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// Some leave, some join or change.
fn change_members(active: &QuorumVerifier, request: &ReconfigRequest<'_>) -> Result<QuorumVerifier, Failure> {
    if !active.is_majority() {
        return Err(refused("the ensemble has groups or weights, so all of the new members have to be told"));
    }
    let mut members = active.members().clone();
    for leaving in split(request.leaving_servers) {
        members.remove(&leaving.parse::<i64>().map_err(|_| Failure::Unreadable)?);
    }
    for joining in split(request.joining_servers) {
        let Some((name, spec)) = joining.split_once('=').filter(|(_, spec)| !spec.contains('=')) else {
            return Err(refused(&format!("{joining:?} is not server.N=host:port:port;port")));
        };
        let number = name.trim().rsplit('.').next().unwrap_or_default();
        let sid: i64 = number.parse().map_err(|_| Failure::Unreadable)?;
        let spec = ServerSpec::parse(spec.trim()).map_err(|why| refused(&why))?;
        if spec.client.is_none() {
            return Err(refused(&format!("server.{sid} has no port for clients")));
        }
        let own = addresses(&spec);
        if let Some((other, _)) =
            members.iter().find(|(other, spec)| **other != sid && !own.is_disjoint(&addresses(spec)))
        {
            return Err(refused(&format!("server.{sid} has an address of server.{other}")));
        }
        members.insert(sid, spec);
    }
    QuorumVerifier::new(0, members, &BTreeMap::new(), &BTreeMap::new()).map_err(|why| refused(&why))
}

/// Those that no two servers can have.
fn addresses(spec: &ServerSpec) -> BTreeSet<(String, u16)> {
    let servers =
        spec.addresses.iter().flat_map(|a| [(a.host.clone(), a.quorum_port), (a.host.clone(), a.election_port)]);
    let client = spec.client.iter().filter_map(|(host, port)| host.clone().map(|host| (host, *port)));
    let anywhere = |host: &str| {
        matches!(host, "localhost" | "0.0.0.0" | "::" | "::1" | "0:0:0:0:0:0:0:0") || host.starts_with("127.")
    };
    servers.chain(client).filter(|(host, _)| !anywhere(host)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_tree::DataTree;
    use crate::proto::OpCode;
    use crate::request_processor::{PrepConfig, Prepared, Request};
    use crate::session_tracker::{LOCAL_OWNER, SessionTracker};
    use crate::txn::{Txn, TxnEntry};

    const ZXID: i64 = 1 << 32;

    struct Case {
        processor: RequestProcessor,
        tree: DataTree,
        sessions: SessionTracker,
    }

    impl Case {
        /// Servers 1 to 3, of which 1 leads, and 2, 3 and 4 follow it.
        fn new() -> Self {
            let text: String = (1..4).map(|n| format!("server.{n}=h{n}:1:2:participant;3\n")).collect();
            let active = Arc::new(QuorumVerifier::parse(&format!("{text}version={ZXID:x}")).expect("good"));
            let config = PrepConfig { reconfig_enabled: true, standalone_enabled: true, ..PrepConfig::default() };
            let mut processor = RequestProcessor::new(config, ZXID);
            processor.set_ensemble(Some(EnsembleView {
                active,
                changing: false,
                synced: BTreeSet::from([1, 2, 3, 4]),
            }));
            let mut sessions = SessionTracker::new(2_000, 1);
            sessions.track(7, 10_000, 0);
            Self { processor, tree: DataTree::new(false), sessions }
        }

        fn ask(&mut self, request: &ReconfigRequest<'_>, auth: &[(&str, &str)]) -> Result<String, ErrorCode> {
            let auth = auth.iter().map(|(scheme, id)| ((*scheme).to_owned(), (*id).to_owned())).collect();
            let body = request.to_bytes();
            let (op, owner) = (OpCode::Reconfig, LOCAL_OWNER);
            let request = Request { session_id: 7, cxid: 1, op, body: &body, auth: &auth, owner, local: false };
            let mut out = Vec::new();
            let prepared = self.processor.prepare(&self.tree, &mut self.sessions, request, 5, 5, &mut out);
            if let Prepared::Refused(code) = prepared {
                return Err(code);
            }
            match TxnEntry::decode(&out).expect("a transaction").txn {
                Txn::SetData(txn) => {
                    assert_eq!((txn.path, txn.version), (CONFIG_NODE, -1));
                    Ok(String::from_utf8(txn.data.expect("text").to_vec()).expect("text"))
                }
                Txn::Error(error) => Err(ErrorCode::from_i32(error.err).expect("known")),
                other => panic!("{other:?}"),
            }
        }
    }

    fn change<'a>(joining: &'a str, leaving: &'a str) -> ReconfigRequest<'a> {
        ReconfigRequest {
            joining_servers: Some(joining),
            leaving_servers: Some(leaving),
            new_members: None,
            cur_config_id: -1,
        }
    }

    fn members(text: &str) -> ReconfigRequest<'_> {
        ReconfigRequest { joining_servers: None, leaving_servers: None, new_members: Some(text), cur_config_id: -1 }
    }

    const SUPER: &[(&str, &str)] = &[("super", "")];

    #[test]
    fn some_join_and_some_leave() {
        let mut case = Case::new();
        let text = case.ask(&change("server.4=h4:1:2:participant;3, 5=h5:1:2:observer;[::1]:3", " 2,9"), SUPER);
        let expected = "server.1=h1:1:2:participant;0.0.0.0:3\nserver.3=h3:1:2:participant;0.0.0.0:3\n\
                        server.4=h4:1:2:participant;0.0.0.0:3\nserver.5=h5:1:2:observer;[::1]:3\nversion=100000001";
        assert_eq!(text.as_deref(), Ok(expected));
        assert_eq!(case.ask(&change("", "3"), SUPER), Err(ErrorCode::ReconfigInProgress));
    }

    #[test]
    fn all_members_anew() {
        let text = "server.1=h1:1:2;3,server.2=h2:1:2;3\nserver.9=h9:1:2:observer;3";
        let next = Case::new().ask(&members(text), SUPER).expect("taken");
        assert!(
            next.starts_with("server.1=") && next.contains("server.9=h9:1:2:observer") && !next.contains("server.3")
        );
        let grouped = format!("{text},group.1=1:2\nweight.1=1");
        assert!(Case::new().ask(&members(&grouped), SUPER).expect("taken").contains("group.1=1:2"));
    }

    #[test]
    fn what_is_refused() {
        use ErrorCode as E;
        for (request, expected) in [
            (change("", "2,3"), E::BadArguments),
            (change("server.4=h4:1:2", ""), E::BadArguments),
            (change("server.4=h4", ""), E::BadArguments),
            (change("server.4", ""), E::BadArguments),
            (change("server.4=h3:1:9;8", ""), E::BadArguments),
            (change("server.x=h4:1:2;3", ""), E::MarshallingError),
            (change("", "two"), E::MarshallingError),
            (change("server.7=h7:1:2;3,server.8=h8:1:2;3,server.9=h9:1:2;3", "2,3"), E::NewConfigNoQuorum),
            (members("server.1=h1:1:2;3"), E::BadArguments),
            (members("server.1=h1:1:2;3,server.2=h2:1:2;3,tickTime=5"), E::BadArguments),
            (members("server.7=h7:1:2;3,server.8=h8:1:2;3"), E::NewConfigNoQuorum),
            (ReconfigRequest { cur_config_id: 4, ..change("", "3") }, E::BadVersion),
        ] {
            assert_eq!(Case::new().ask(&request, SUPER), Err(expected), "{request:?}");
        }
        let leave = change("", "3");
        assert!(Case::new().ask(&ReconfigRequest { cur_config_id: ZXID, ..leave.clone() }, SUPER).is_ok());
        assert_eq!(Case::new().ask(&leave, &[("digest", "a:b")]), Err(E::NoAuth));
        let mut alone = Case::new();
        alone.processor.set_ensemble(None);
        assert_eq!(alone.ask(&leave, SUPER), Err(E::Unimplemented));
        let mut case = Case::new();
        case.processor.config.standalone_enabled = false;
        assert!(case.ask(&change("", "2,3"), SUPER).is_ok());
        case.processor.config.reconfig_enabled = false;
        assert_eq!(case.ask(&leave, SUPER), Err(E::ReconfigDisabled));
    }
}
