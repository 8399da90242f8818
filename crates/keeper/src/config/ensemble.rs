//! What makes a configuration one of an ensemble, and the rules that it has to keep (`QuorumPeerConfig.parseDynamicConfig`,
//! `checkValidity`).

use super::{Role, ServerSpec, ZooConfig};
use crate::zab::QuorumVerifier;
use crate::zab::election::ElectionTiming;
use std::sync::Arc;

/// What a server of an ensemble needs beyond what a server alone does.
#[derive(Clone, Debug)]
pub struct QuorumPeerConfig {
    /// `myid`
    pub sid: i64,
    pub verifier: Arc<QuorumVerifier>,
    pub tick_time_ms: u32,
    pub init_limit: u32,
    pub sync_limit: u32,
    /// Ticks that a learner tries to connect to its leader for.
    pub connect_to_learner_master_limit: u32,
    pub commit_log_count: u32,
    pub election: ElectionTiming,
    /// How long making a connection to the election port may take.
    pub cnx_timeout_ms: u32,
    /// Tries to bind the ports, a second apart; 0 is for ever.
    pub election_port_bind_retry: u32,
    pub quorum_listen_on_all_ips: bool,
    /// A server may have several addresses, which are all told and tried.
    pub multi_address: bool,
    pub leader_serves: bool,
    /// `syncEnabled`: an observer logs what it is told.
    pub sync_enabled: bool,
    pub reconfig_enabled: bool,
}

impl QuorumPeerConfig {
    /// The addresses of this server itself.
    #[must_use]
    pub fn own(&self) -> Option<&ServerSpec> {
        self.verifier.members().get(&self.sid)
    }
}

impl ZooConfig {
    /// Is this a server of an ensemble? One `server.` line alone is a server alone, unless `standaloneEnabled=false`.
    #[doc(alias = "isDistributed")]
    #[must_use]
    pub fn is_distributed(&self) -> bool {
        !self.standalone_enabled || self.voters() > 1
    }

    fn voters(&self) -> usize {
        self.servers.values().filter(|server| server.role == Role::Participant).count()
    }

    /// Looks at the servers as a whole, once the dynamic file is read too; what is odd but works becomes a warning.
    pub fn check_ensemble(&mut self) -> Result<(), String> {
        let (voters, observers) = (self.voters(), self.servers.len() - self.voters());
        if voters == 0 && !self.standalone_enabled {
            return Err("standaloneEnabled=false needs servers that vote; add lines such as server.1=host:2888:3888 \
                        for all of them"
                .to_owned());
        }
        if observers > 0 && !self.is_distributed() {
            return Err(
                "observers need an ensemble to follow; add the server.N lines of at least two servers that vote"
                    .to_owned(),
            );
        }
        if !self.is_distributed() {
            if voters == 1 {
                self.warnings.push("only one server.N line: it is ignored, and this is a server alone".to_owned());
            }
            return Ok(());
        }
        for (name, value) in [("initLimit", self.init_limit), ("syncLimit", self.sync_limit)] {
            if value.is_none() {
                return Err(format!(
                    "{name} is not set, which an ensemble needs; add lines such as initLimit=10 and syncLimit=5"
                ));
            }
        }
        if let Some((sid, _)) = self.servers.iter().find(|(_, s)| s.addresses.len() > 1 && !self.multi_address) {
            return Err(format!(
                "server.{sid} has several addresses, which is off; set multiAddress.enabled=true, or leave one"
            ));
        }
        if voters <= 2 {
            self.warnings.push("no server failure will be tolerated: that needs at least 3 servers".to_owned());
        } else if voters % 2 == 0 {
            self.warnings.push(format!("{voters} servers tolerate no more failures than {}", voters - 1));
        }
        Ok(())
    }

    /// The ensemble as server `sid` sees it. Call [`Self::check_ensemble`] before.
    pub fn ensemble(&mut self, sid: i64) -> Result<QuorumPeerConfig, String> {
        let Some(own) = self.servers.get(&sid) else {
            let known: Vec<String> = self.servers.keys().map(|sid| format!("server.{sid}")).collect();
            return Err(format!(
                "this server's id is {sid}, but there is no server.{sid} among {}; correct myid or add the line",
                known.join(", ")
            ));
        };
        if self.observer != (own.role == Role::Observer) {
            let (said, is) = if self.observer { ("observer", "participant") } else { ("participant", "observer") };
            // Nobody writes peerType=participant, which is what a missing line means.
            self.warnings.push(format!("peerType is {said}, but server.{sid} is a {is}, which is what counts"));
        }
        let verifier = QuorumVerifier::new(self.config_version, self.servers.clone(), &self.groups, &self.weights)?;
        let (init_limit, sync_limit) = (self.init_limit.unwrap_or(10), self.sync_limit.unwrap_or(5));
        Ok(QuorumPeerConfig {
            sid,
            verifier: Arc::new(verifier),
            tick_time_ms: self.tick_time_ms,
            init_limit,
            sync_limit,
            connect_to_learner_master_limit: self
                .connect_to_learner_master_limit
                .filter(|limit| *limit > 0)
                .unwrap_or(init_limit),
            commit_log_count: self.commit_log_count,
            election: ElectionTiming {
                // Whoever sets quick ticks has a quick network: no vote is on its way for longer than that.
                finalize_wait_ms: ElectionTiming::default().finalize_wait_ms.min(u64::from(self.tick_time_ms / 2)),
                min_notification_interval_ms: self.min_notification_interval_ms,
                max_notification_interval_ms: self.max_notification_interval_ms,
            },
            cnx_timeout_ms: self.cnx_timeout_ms,
            election_port_bind_retry: self.election_port_bind_retry,
            quorum_listen_on_all_ips: self.quorum_listen_on_all_ips,
            multi_address: self.multi_address,
            leader_serves: self.leader_serves,
            sync_enabled: self.sync_enabled,
            reconfig_enabled: self.reconfig_enabled,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &str) -> Result<ZooConfig, String> {
        let text = format!("dataDir=/d\nclientPort=1\n{}", lines.replace(' ', "\n"));
        let mut config = ZooConfig::parse(&text).map_err(|e| e.to_string())?;
        config.check_ensemble().map(|()| config)
    }

    const LIMITS: &str = "initLimit=10 syncLimit=5";

    #[test]
    fn alone_or_not() {
        for (lines, distributed, warning) in [
            ("", false, None),
            ("server.1=a:1:2", false, Some("only one server.N line")),
            ("server.1=a:1:2 standaloneEnabled=false", true, Some("no server failure")),
            ("server.1=a:1:2 server.2=b:1:2", true, Some("no server failure")),
            ("server.1=a:1:2 server.2=b:1:2 server.3=c:1:2", true, None),
            ("server.1=a:1:2 server.2=b:1:2 server.3=c:1:2 server.4=d:1:2:observer", true, None),
            ("server.1=a:1:2 server.2=b:1:2 server.3=c:1:2 server.4=d:1:2", true, Some("no more failures than 3")),
        ] {
            let config = check(&format!("{lines} {LIMITS}")).expect(lines);
            assert_eq!(config.is_distributed(), distributed, "{lines}");
            assert_eq!(config.warnings.len(), usize::from(warning.is_some()), "{lines}: {:?}", config.warnings);
            assert!(warning.is_none_or(|part| config.warnings[0].contains(part)), "{:?}", config.warnings);
        }
    }

    #[test]
    fn what_cannot_be_an_ensemble() {
        for (lines, part) in [
            ("standaloneEnabled=false", "needs servers that vote"),
            ("server.1=a:1:2:observer", "observers need an ensemble"),
            ("server.1=a:1:2 server.2=b:1:2:observer", "observers need an ensemble"),
            ("server.1=a:1:2 server.2=b:1:2 syncLimit=5", "initLimit is not set"),
            ("server.1=a:1:2 server.2=b:1:2 initLimit=5", "syncLimit is not set"),
            ("server.1=a:1:2|a:3:4 server.2=b:1:2 initLimit=5 syncLimit=2", "multiAddress.enabled=true"),
        ] {
            let error = check(lines).expect_err(lines);
            assert!(error.contains(part) && error.lines().count() == 1, "{error}");
        }
    }

    #[test]
    fn one_of_its_servers() {
        let lines = format!("server.1=a:1:2 server.2=b:1:2 server.3=c:1:2:observer peerType=observer {LIMITS}");
        let mut config = check(&lines).expect("good");
        let third = config.ensemble(3).expect("listed");
        assert_eq!((third.init_limit, third.connect_to_learner_master_limit), (10, 10));
        assert!(!third.verifier.is_voter(3) && third.own().is_some() && config.warnings.len() == 1);
        config.ensemble(1).expect("listed");
        assert!(config.warnings[1].contains("peerType is observer"), "{:?}", config.warnings);
        let error = config.ensemble(7).expect_err("not listed");
        assert!(error.contains("no server.7 among server.1, server.2, server.3"), "{error}");
    }

    #[test]
    fn seconds_or_milliseconds() {
        assert_eq!(check("cnxTimeout=5").expect("good").cnx_timeout_ms, 5_000);
        assert_eq!(check("zookeeper.cnxTimeout=700").expect("good").cnx_timeout_ms, 700);
    }
}
