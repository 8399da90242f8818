//! `zoo.cfg` (`QuorumPeerConfig`): every setting of `reference/zookeeper-configs.tsv` is known; those that this server
//! has are typed, the rest are kept as text. A bad value is an error with its line and the remedy.

mod ensemble;
mod operator;
mod properties;
mod server_spec;

pub use ensemble::QuorumPeerConfig;
pub use operator::OperatorConfig;
pub use properties::{Property, parse_properties};
pub use server_spec::{Role, ServerAddress, ServerSpec};

use crate::keeper_server::{ServerConfig, ServerInfo, VERSION};
use crate::storage::StorageConfig;
use crate::txn_log::LogOptions;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// What is wrong with a configuration, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Line of the file; 0 when something is missing.
    pub line: usize,
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { f.write_str(&self.message) } else { write!(f, "line {}: {}", self.line, self.message) }
    }
}

impl std::error::Error for ConfigError {}

/// A keeper's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZooConfig {
    pub data_dir: PathBuf,
    pub data_log_dir: Option<PathBuf>,
    pub client_port: Option<u16>,
    pub client_port_address: Option<String>,
    pub secure_client_port: Option<u16>,
    pub secure_client_port_address: Option<String>,
    pub client_port_listen_backlog: i32,
    pub tick_time_ms: u32,
    pub init_limit: Option<u32>,
    pub sync_limit: Option<u32>,
    pub connect_to_learner_master_limit: Option<u32>,
    pub max_client_cnxns: u32,
    pub max_cnxns: u32,
    pub min_session_timeout_ms: Option<u32>,
    pub max_session_timeout_ms: Option<u32>,
    pub observer: bool,
    pub standalone_enabled: bool,
    pub reconfig_enabled: bool,
    /// `ottla.linearizableReads`: see [`ServerConfig`]. ZooKeeper has nothing like it.
    pub linearizable_reads: bool,
    /// `readonlymode.enabled`
    pub read_only_mode: bool,
    /// `localSessionsEnabled`
    pub local_sessions: bool,
    /// `localSessionsUpgradingEnabled`
    pub local_sessions_upgrading: bool,
    pub sync_enabled: bool,
    pub leader_serves: bool,
    pub quorum_listen_on_all_ips: bool,
    /// In milliseconds, as ZooKeeper reads it; its manual speaks of seconds, so a number below 100 is taken for those.
    pub cnx_timeout_ms: u32,
    /// 0 is for ever.
    pub election_port_bind_retry: u32,
    pub multi_address: bool,
    pub min_notification_interval_ms: u64,
    pub max_notification_interval_ms: u64,
    pub snap_count: u64,
    pub snap_size_limit_kb: i64,
    pub commit_log_count: u32,
    /// `snapshotSizeFactor`, in thousandths; `None` when it is negative.
    pub snapshot_size_permille: Option<u64>,
    pub pre_alloc_kb: u64,
    pub txn_log_size_limit_kb: i64,
    pub force_sync: bool,
    pub purge_retain: usize,
    pub purge_interval_h: u32,
    pub global_outstanding_limit: usize,
    pub jute_max_buffer: usize,
    pub four_letter_whitelist: Vec<String>,
    pub super_digest: Option<String>,
    pub digest_auth: bool,
    pub skip_acl: bool,
    pub enforce_quota: bool,
    pub extended_types: bool,
    pub trust_empty: bool,
    pub container_check_interval_ms: u64,
    pub container_max_per_minute: u64,
    pub container_max_never_used_ms: i64,
    pub admin_enabled: bool,
    pub admin_port: u16,
    pub admin_address: String,
    pub operator: OperatorConfig,
    pub metrics_class: Option<String>,
    pub metrics_port: u16,
    /// Of `dynamicConfigFile`; the host reads it and calls [`ZooConfig::add_dynamic`].
    pub dynamic_config_file: Option<PathBuf>,
    /// Of the dynamic file's `version`.
    pub config_version: i64,
    pub servers: BTreeMap<i64, ServerSpec>,
    /// `group.N=1:2:3`
    pub groups: BTreeMap<i64, Vec<i64>>,
    /// `weight.N=2`
    pub weights: BTreeMap<i64, i64>,
    /// Known settings that this server does not have, as they are in the file.
    pub others: BTreeMap<String, String>,
    /// For the log: one line that names every unknown setting, one for each odd value.
    pub warnings: Vec<String>,
}

impl Default for ZooConfig {
    fn default() -> Self {
        let defaults = ServerConfig::default();
        Self {
            data_dir: PathBuf::new(),
            data_log_dir: None,
            client_port: None,
            client_port_address: None,
            secure_client_port: None,
            secure_client_port_address: None,
            client_port_listen_backlog: -1,
            tick_time_ms: defaults.tick_time_ms,
            init_limit: None,
            sync_limit: None,
            connect_to_learner_master_limit: None,
            max_client_cnxns: defaults.max_client_cnxns,
            max_cnxns: 0,
            min_session_timeout_ms: None,
            max_session_timeout_ms: None,
            observer: false,
            standalone_enabled: true,
            reconfig_enabled: false,
            linearizable_reads: false,
            read_only_mode: false,
            local_sessions: false,
            local_sessions_upgrading: false,
            sync_enabled: true,
            leader_serves: true,
            quorum_listen_on_all_ips: false,
            cnx_timeout_ms: 5_000,
            election_port_bind_retry: 3,
            multi_address: false,
            min_notification_interval_ms: 200,
            max_notification_interval_ms: 60_000,
            snap_count: defaults.snap_count,
            snap_size_limit_kb: 4_194_304,
            commit_log_count: 500,
            snapshot_size_permille: Some(330),
            pre_alloc_kb: 65_536,
            txn_log_size_limit_kb: -1,
            force_sync: true,
            purge_retain: 3,
            purge_interval_h: 0,
            global_outstanding_limit: defaults.global_outstanding_limit,
            jute_max_buffer: defaults.jute_max_buffer,
            four_letter_whitelist: defaults.four_letter_whitelist,
            super_digest: None,
            digest_auth: true,
            skip_acl: false,
            enforce_quota: false,
            extended_types: false,
            trust_empty: false,
            container_check_interval_ms: defaults.container_check_interval_ms,
            container_max_per_minute: defaults.container_max_per_minute,
            container_max_never_used_ms: defaults.container_max_never_used_ms,
            admin_enabled: true,
            admin_port: 8_080,
            admin_address: "0.0.0.0".to_owned(),
            operator: OperatorConfig::default(),
            metrics_class: None,
            metrics_port: 7_000,
            dynamic_config_file: None,
            config_version: 0,
            servers: BTreeMap::new(),
            groups: BTreeMap::new(),
            weights: BTreeMap::new(),
            others: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }
}

impl ZooConfig {
    /// Reads a `zoo.cfg`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        config.add_file(text)?;
        Ok(config)
    }

    /// Reads a `zoo.cfg` over what is there, and looks whether all is there that a server needs.
    pub fn add_file(&mut self, text: &str) -> Result<(), ConfigError> {
        self.read(text)?;
        self.check()
    }

    /// Reads settings that come from elsewhere (the broker's `keeper.` settings), without asking for what a file must
    /// have.
    pub fn parse_partial(text: &str) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        config.read(text)?;
        Ok(config)
    }

    fn read(&mut self, text: &str) -> Result<(), ConfigError> {
        let mut unknown = Vec::new();
        for property in parse_properties(text) {
            if !self.set(&property)? {
                if is_known(&property.key) {
                    self.others.insert(property.key, property.value);
                } else {
                    unknown.push(format!("{} (line {})", property.key, property.line));
                }
            }
        }
        if !unknown.is_empty() {
            self.warnings.push(format!("unknown settings are ignored: {}", unknown.join(", ")));
        }
        Ok(())
    }

    /// Adds what a dynamic configuration file holds: servers, groups, weights, version.
    pub fn add_dynamic(&mut self, text: &str) -> Result<(), ConfigError> {
        for property in parse_properties(text) {
            let allowed = ["server.", "group.", "weight."].iter().any(|prefix| property.key.starts_with(prefix));
            if property.key == "version" {
                self.config_version =
                    i64::from_str_radix(&property.value, 16).map_err(|_| bad(&property, "a hexadecimal number"))?;
            } else if !allowed || !self.set(&property)? {
                return Err(ConfigError {
                    line: property.line,
                    message: format!(
                        "{} may not be in a dynamic configuration file; put it into zoo.cfg",
                        property.key
                    ),
                });
            }
        }
        Ok(())
    }

    /// Takes a setting over; false when it is not one of ours.
    fn set(&mut self, p: &Property) -> Result<bool, ConfigError> {
        // Settings can be written as their Java properties too.
        let key = p.key.strip_prefix("zookeeper.").unwrap_or(&p.key);
        match key {
            "dataDir" => self.data_dir = PathBuf::from(&p.value),
            "dataLogDir" => self.data_log_dir = Some(PathBuf::from(&p.value)),
            "clientPort" => self.client_port = port(p)?,
            "clientPortAddress" => self.client_port_address = Some(p.value.clone()),
            "secureClientPort" => self.secure_client_port = port(p)?,
            "secureClientPortAddress" => self.secure_client_port_address = Some(p.value.clone()),
            "clientPortListenBacklog" => self.client_port_listen_backlog = number(p)?,
            "tickTime" => self.tick_time_ms = at_least(p, 1)?,
            "initLimit" => self.init_limit = Some(at_least(p, 1)?),
            "syncLimit" => self.sync_limit = Some(at_least(p, 1)?),
            "connectToLearnerMasterLimit" => self.connect_to_learner_master_limit = Some(number(p)?),
            "maxClientCnxns" => self.max_client_cnxns = number(p)?,
            "maxCnxns" => self.max_cnxns = number(p)?,
            "minSessionTimeout" => self.min_session_timeout_ms = default_below_zero(p)?,
            "maxSessionTimeout" => self.max_session_timeout_ms = default_below_zero(p)?,
            "peerType" => {
                self.observer = match p.value.to_ascii_lowercase().as_str() {
                    "observer" => true,
                    "participant" => false,
                    _ => return Err(bad(p, "participant or observer")),
                }
            }
            "standaloneEnabled" => self.standalone_enabled = strict_boolean(p)?,
            "reconfigEnabled" => self.reconfig_enabled = strict_boolean(p)?,
            "ottla.linearizableReads" => self.linearizable_reads = strict_boolean(p)?,
            "localSessionsEnabled" => self.local_sessions = strict_boolean(p)?,
            "localSessionsUpgradingEnabled" => self.local_sessions_upgrading = strict_boolean(p)?,
            "readonlymode.enabled" => self.read_only_mode = strict_boolean(p)?,
            "syncEnabled" | "observer.syncEnabled" => self.sync_enabled = boolean(p)?,
            "leaderServes" => self.leader_serves = boolean(p)?,
            "quorumListenOnAllIPs" => self.quorum_listen_on_all_ips = boolean(p)?,
            "cnxTimeout" => {
                let given: u32 = at_least(p, 1)?;
                self.cnx_timeout_ms = if given < 100 { given * 1_000 } else { given };
            }
            "multiAddress.enabled" => self.multi_address = boolean(p)?,
            "fastleader.minNotificationInterval" => self.min_notification_interval_ms = at_least(p, 1)?,
            "fastleader.maxNotificationInterval" => self.max_notification_interval_ms = at_least(p, 1)?,
            "electionPortBindRetry" => self.election_port_bind_retry = number(p)?,
            "snapCount" => self.snap_count = at_least(p, 2)?,
            "snapSizeLimitInKb" => self.snap_size_limit_kb = number(p)?,
            "snapshotSizeFactor" => {
                let factor: f64 = p.value.parse().map_err(|_| bad(p, "a number such as 0.33"))?;
                self.snapshot_size_permille = (factor >= 0.0).then_some((factor * 1_000.0) as u64);
            }
            "commitLogCount" => self.commit_log_count = number(p)?,
            "preAllocSize" => self.pre_alloc_kb = number(p)?,
            "txnLogSizeLimitInKb" => self.txn_log_size_limit_kb = number(p)?,
            "forceSync" => self.force_sync = p.value != "no",
            "autopurge.snapRetainCount" => self.purge_retain = number(p)?,
            "autopurge.purgeInterval" => self.purge_interval_h = number(p)?,
            "globalOutstandingLimit" => self.global_outstanding_limit = number(p)?,
            "jute.maxbuffer" => self.jute_max_buffer = java_int(p)?,
            "4lw.commands.whitelist" => {
                let words = p.value.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty());
                self.four_letter_whitelist = words.collect();
            }
            "DigestAuthenticationProvider.superDigest" => self.super_digest = Some(p.value.clone()),
            "DigestAuthenticationProvider.enabled" => self.digest_auth = boolean(p)?,
            "skipACL" => self.skip_acl = p.value == "yes",
            "enforceQuota" => self.enforce_quota = boolean(p)?,
            "extendedTypesEnabled" => self.extended_types = boolean(p)?,
            "snapshot.trust.empty" => self.trust_empty = boolean(p)?,
            "znode.container.checkIntervalMs" => self.container_check_interval_ms = at_least(p, 1)?,
            "znode.container.maxPerMinute" => self.container_max_per_minute = at_least(p, 1)?,
            "znode.container.maxNeverUsedIntervalMs" => self.container_max_never_used_ms = number(p)?,
            "admin.enableServer" => self.admin_enabled = boolean(p)?,
            "admin.serverPort" => self.admin_port = number(p)?,
            "admin.serverAddress" => self.admin_address = p.value.clone(),
            "metricsProvider.className" => self.metrics_class = Some(p.value.clone()),
            "metricsProvider.httpPort" => self.metrics_port = number(p)?,
            "dynamicConfigFile" => self.dynamic_config_file = Some(PathBuf::from(&p.value)),
            _ => return Ok(self.operator.set(key, p)? || self.set_numbered(key, p)?),
        }
        Ok(true)
    }

    fn set_numbered(&mut self, key: &str, p: &Property) -> Result<bool, ConfigError> {
        let Some((prefix, id)) = key.split_once('.') else { return Ok(false) };
        if !matches!(prefix, "server" | "group" | "weight") {
            return Ok(false);
        }
        let id: i64 = id.parse().map_err(|_| ConfigError {
            line: p.line,
            message: format!("{}: the part after the dot must be a server's number, as in server.1", p.key),
        })?;
        match prefix {
            "server" => {
                let spec = ServerSpec::parse(&p.value)
                    .map_err(|what| ConfigError { line: p.line, message: format!("{}={}: {what}", p.key, p.value) })?;
                self.servers.insert(id, spec);
            }
            "group" => {
                let members: Result<Vec<i64>, _> = p.value.split(':').map(|m| m.trim().parse()).collect();
                self.groups.insert(id, members.map_err(|_| bad(p, "server numbers separated by colons"))?);
            }
            _ => drop(self.weights.insert(id, number(p)?)),
        }
        Ok(true)
    }

    fn check(&mut self) -> Result<(), ConfigError> {
        let missing = |message: &str| Err(ConfigError { line: 0, message: message.to_owned() });
        if self.data_dir.as_os_str().is_empty() {
            return missing("dataDir is not set; add a line such as dataDir=/var/lib/zookeeper");
        }
        let has_client_port = self.servers.values().any(|server| server.client.is_some());
        if self.client_port.is_none()
            && self.secure_client_port.is_none()
            && !has_client_port
            && self.dynamic_config_file.is_none()
        {
            return missing("clientPort is not set; add a line such as clientPort=2181");
        }
        let (least, most) = self.session_timeouts_ms();
        if least > most {
            let message =
                format!("minSessionTimeout ({least}) is above maxSessionTimeout ({most}); change one of them");
            return Err(ConfigError { line: 0, message });
        }
        if self.purge_retain < 3 {
            self.warnings.push(format!("autopurge.snapRetainCount={} is too few, 3 are kept", self.purge_retain));
            self.purge_retain = 3;
        }
        Ok(())
    }

    /// Least and greatest session timeout: 2 and 20 ticks unless set.
    #[must_use]
    pub fn session_timeouts_ms(&self) -> (u32, u32) {
        let tick = self.tick_time_ms;
        (
            self.min_session_timeout_ms.unwrap_or(tick.saturating_mul(2)),
            self.max_session_timeout_ms.unwrap_or(tick.saturating_mul(20)),
        )
    }

    /// What the server itself needs.
    #[must_use]
    pub fn server_config(&self) -> ServerConfig {
        let (min_session_timeout_ms, max_session_timeout_ms) = self.session_timeouts_ms();
        let log_dir = self.data_log_dir.as_ref().unwrap_or(&self.data_dir);
        let version_dir = |dir: &PathBuf| dir.join("version-2").display().to_string();
        let port = |port: Option<u16>| port.map_or(-1, i32::from);
        ServerConfig {
            tick_time_ms: self.tick_time_ms,
            min_session_timeout_ms,
            max_session_timeout_ms,
            max_client_cnxns: self.max_client_cnxns,
            max_cnxns: self.max_cnxns,
            global_outstanding_limit: self.global_outstanding_limit,
            jute_max_buffer: self.jute_max_buffer,
            snap_count: self.snap_count,
            snap_size_limit_bytes: u64::try_from(self.snap_size_limit_kb).unwrap_or(0).saturating_mul(1_024),
            super_digest: self.super_digest.clone(),
            digest_auth: self.digest_auth,
            skip_acl: self.skip_acl,
            enforce_quota: self.enforce_quota,
            reconfig_enabled: self.reconfig_enabled,
            standalone_enabled: self.standalone_enabled,
            linearizable_reads: self.linearizable_reads,
            four_letter_whitelist: self.words(),
            read_only_mode: self.read_only_mode,
            local_sessions: self.local_sessions,
            local_sessions_upgrading: self.local_sessions_upgrading,
            container_check_interval_ms: self.container_check_interval_ms,
            container_max_per_minute: self.container_max_per_minute,
            container_max_never_used_ms: self.container_max_never_used_ms,
            session_server_id: 1,
            operator: self.operator.clone(),
            info: ServerInfo {
                version: VERSION.to_owned(),
                client_port: port(self.client_port),
                secure_client_port: port(self.secure_client_port),
                data_dir: version_dir(&self.data_dir),
                data_log_dir: version_dir(log_dir),
                client_port_listen_backlog: self.client_port_listen_backlog,
                mode: "standalone",
                ..ServerInfo::default()
            },
        }
    }

    /// The four-letter words that are answered: whatever is listed, `zkServer.sh status` asks `srvr`, and clients of the
    /// read-only mode look for a better server by `isro`.
    #[doc(alias = "FourLetterCommands.isEnabled")]
    fn words(&self) -> Vec<String> {
        let mut words = self.four_letter_whitelist.clone();
        for (always, word) in [(true, "srvr"), (self.read_only_mode, "isro")] {
            if always && !words.iter().any(|listed| listed == word || listed == "*") {
                words.push(word.to_owned());
            }
        }
        words
    }

    /// What its files need.
    #[must_use]
    pub fn storage_config(&self) -> StorageConfig {
        StorageConfig {
            data_dir: self.data_dir.clone(),
            data_log_dir: self.data_log_dir.clone().unwrap_or_else(|| self.data_dir.clone()),
            log: LogOptions {
                prealloc_bytes: self.pre_alloc_kb.saturating_mul(1_024),
                force_sync: self.force_sync,
                size_limit_bytes: u64::try_from(self.txn_log_size_limit_kb)
                    .ok()
                    .filter(|&kb| kb > 0)
                    .map(|kb| kb.saturating_mul(1_024)),
            },
            snapshot_size_permille: self.snapshot_size_permille,
            extended_types: self.extended_types,
            name_seed: 0,
            trust_empty: self.trust_empty,
        }
    }
}

/// True for a setting of any ZooKeeper 3.9, by its name or its Java property's.
fn is_known(key: &str) -> bool {
    let key = key.strip_prefix("zookeeper.").unwrap_or(key);
    include_str!("../../../reference/zookeeper-configs.tsv")
        .lines()
        .skip(1)
        .any(|line| line.split('\t').take(2).any(|name| name.strip_prefix("zookeeper.").unwrap_or(name) == key))
}

fn bad(p: &Property, wanted: &str) -> ConfigError {
    ConfigError { line: p.line, message: format!("{}={}: must be {wanted}", p.key, p.value) }
}

fn number<T: FromStr>(p: &Property) -> Result<T, ConfigError> {
    p.value.parse().map_err(|_| bad(p, "a whole number in the allowed range"))
}

fn at_least<T: FromStr + PartialOrd + fmt::Display>(p: &Property, least: T) -> Result<T, ConfigError> {
    number(p).ok().filter(|value| *value >= least).ok_or_else(|| bad(p, &format!("a whole number of at least {least}")))
}

/// A negative number stands for the default.
fn default_below_zero(p: &Property) -> Result<Option<u32>, ConfigError> {
    Ok(u32::try_from(number::<i32>(p)?).ok())
}

fn port(p: &Property) -> Result<Option<u16>, ConfigError> {
    let port: u16 = p.value.parse().map_err(|_| bad(p, "a port number from 1 to 65535"))?;
    Ok((port != 0).then_some(port))
}

/// Decimal, or hexadecimal after `0x`, as Java's `Integer.getInteger`.
fn java_int(p: &Property) -> Result<usize, ConfigError> {
    let value = match p.value.strip_prefix("0x") {
        Some(hex) => i32::from_str_radix(hex, 16).ok(),
        None => p.value.parse().ok(),
    };
    value.and_then(|value: i32| usize::try_from(value).ok()).ok_or_else(|| bad(p, "a number of bytes"))
}

fn boolean(p: &Property) -> Result<bool, ConfigError> {
    match p.value.to_ascii_lowercase().as_str() {
        "true" | "yes" => Ok(true),
        "false" | "no" => Ok(false),
        _ => Err(bad(p, "true or false")),
    }
}

fn strict_boolean(p: &Property) -> Result<bool, ConfigError> {
    match p.value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(bad(p, "true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tutorials_file() {
        let text = "# three servers\ntickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir=/var/lib/zk\nclientPort=2181\n\
                    server.1=zoo1:2888:3888\nserver.2=zoo2:2888:3888:observer\nserver.3=[::1]:2888:3888;0.0.0.0:2181\n";
        let config = ZooConfig::parse(text).expect("good");
        assert_eq!((config.tick_time_ms, config.client_port, config.servers.len()), (2_000, Some(2_181), 3));
        assert_eq!(config.session_timeouts_ms(), (4_000, 40_000));
        assert_eq!(config.snapshot_size_permille, Some(330));
        assert_eq!(config.servers[&2].role, Role::Observer);
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    }

    #[test]
    fn unknown_settings_are_one_warning_known_ones_none() {
        let text = "dataDir=/d\nclientPort=1\nfoo=1\nssl.keyStore.location=/k\nzookeeper.snapCount=50\nbar=2\n\
                    observerMasterPort=5\n";
        let config = ZooConfig::parse(text).expect("good");
        assert_eq!(config.warnings, ["unknown settings are ignored: foo (line 3), bar (line 6)"]);
        assert_eq!(config.others.len(), 2);
        assert_eq!(config.snap_count, 50);
    }

    #[test]
    fn bad_values_name_line_and_remedy() {
        for (text, want) in [
            ("tickTime=fast", "line 1: tickTime=fast: must be a whole number of at least 1"),
            ("\ntickTime=0", "line 2: tickTime=0: must be a whole number of at least 1"),
            ("clientPort=70000", "line 1: clientPort=70000: must be a port number from 1 to 65535"),
            ("reconfigEnabled=maybe", "line 1: reconfigEnabled=maybe: must be true or false"),
            ("snapshotSizeFactor=third", "line 1: snapshotSizeFactor=third: must be a number such as 0.33"),
            ("readonlymode.enabled=on", "line 1: readonlymode.enabled=on: must be true or false"),
            ("localSessionsEnabled=yes", "line 1: localSessionsEnabled=yes: must be true or false"),
            ("localSessionsUpgradingEnabled=1", "line 1: localSessionsUpgradingEnabled=1: must be true or false"),
            ("ottla.linearizableReads=1", "line 1: ottla.linearizableReads=1: must be true or false"),
            ("server.x=a:1:2", "line 1: server.x: the part after the dot must be a server's number, as in server.1"),
            ("clientPort=2181", "dataDir is not set; add a line such as dataDir=/var/lib/zookeeper"),
            ("dataDir=/x", "clientPort is not set; add a line such as clientPort=2181"),
        ] {
            assert_eq!(ZooConfig::parse(text).expect_err(text).to_string(), want);
        }
    }

    #[test]
    fn a_server_that_may_be_read_only_answers_who_looks_for_a_better_one() {
        let words = |lines: &str| {
            let config = ZooConfig::parse(&format!("dataDir=/d\nclientPort=1\n{lines}")).expect(lines);
            config.server_config().four_letter_whitelist
        };
        assert_eq!(words("readonlymode.enabled=true"), ["srvr", "isro"]);
        assert_eq!(words("readonlymode.enabled=false"), ["srvr"]);
        assert_eq!(words("readonlymode.enabled=true\n4lw.commands.whitelist=isro, stat"), ["isro", "stat", "srvr"]);
    }

    #[test]
    fn dynamic_files() {
        let mut config =
            ZooConfig::parse("dataDir=/d\nclientPort=1\ndynamicConfigFile=/d/zoo.cfg.dynamic").expect("good");
        config.add_dynamic("server.1=a:1:2:participant;3\nversion=100000000\n").expect("good");
        assert_eq!((config.config_version, config.servers.len()), (0x1_0000_0000, 1));
        assert!(config.add_dynamic("tickTime=1").is_err());
    }
}
