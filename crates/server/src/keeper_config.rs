//! A keeper's settings: `zoo.cfg`, or the `keeper.` settings of a broker, which have the same names; and what of them
//! this version can't do.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ottla_keeper::config::{ConfigError, ZooConfig};
use ottla_keeper::keeper_server::ServerConfig;
use ottla_keeper::storage::StorageConfig;

use crate::listener::BindTo;

/// Steps in which the log of an embedded keeper grows, in bytes: a broker's own writes are few, and on a memory file
/// system ZooKeeper's 64 MB would be taken at once.
const EMBEDDED_PREALLOC_BYTES: u64 = 1 << 20;
/// Connections that wait to be accepted (`clientPortListenBacklog` -1).
const DEFAULT_BACKLOG: i32 = 50;

/// Everything that a keeper alone needs to know.
#[derive(Debug)]
pub struct KeeperConfig {
    /// `clientPort` and `clientPortAddress`
    pub client: BindTo,
    pub server: ServerConfig,
    pub storage: StorageConfig,
    /// `autopurge.snapRetainCount`
    pub purge_retain: usize,
    /// `autopurge.purgeInterval`; `None` when nothing is purged.
    pub purge_interval: Option<Duration>,
}

/// A setting that can't be used; one line with the place and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeeperConfigError(String);

impl fmt::Display for KeeperConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for KeeperConfigError {}

impl KeeperConfig {
    /// Reads `zoo.cfg`. The second part is the one warning about settings that change nothing.
    pub fn parse(file_name: &str, text: &str) -> Result<(Self, Option<String>), KeeperConfigError> {
        let error = |error: ConfigError| match error.line {
            0 => KeeperConfigError(format!("{file_name}: {error}")),
            _ => KeeperConfigError(format!("{file_name} {error}")),
        };
        let zoo = ZooConfig::parse(text).map_err(error)?;
        Self::from_zoo(&zoo, "clientPort").map_err(|what| KeeperConfigError(format!("{file_name}: {what}")))
    }

    /// Reads the `keeper.` settings of a broker, given without that prefix; the data goes to `data_dir` unless they say
    /// otherwise.
    pub fn embedded(
        values: &BTreeMap<String, String>,
        data_dir: PathBuf,
    ) -> Result<(Self, Option<String>), KeeperConfigError> {
        let lines = values.iter().map(|(key, value)| format!("{key}={}\n", value.replace(['\n', '\r'], " ")));
        let error = |error: ConfigError| match values.keys().nth(error.line.wrapping_sub(1)) {
            Some(key) => KeeperConfigError(format!("keeper.{key}: {}", error.message)),
            None => KeeperConfigError(format!("keeper: {error}")),
        };
        let mut zoo = ZooConfig::parse_partial(&lines.collect::<String>()).map_err(error)?;
        if zoo.data_dir.as_os_str().is_empty() {
            zoo.data_dir = data_dir;
        }
        let any_port = values.get("clientPort").is_some_and(|port| port.trim() == "0");
        if any_port {
            // The system chooses; ZooKeeper's own reading of 0 is "no such port".
            zoo.client_port = Some(0);
        }
        let (mut config, warning) =
            Self::from_zoo(&zoo, "keeper.clientPort").map_err(|what| KeeperConfigError(format!("keeper: {what}")))?;
        if !values.keys().any(|key| key.ends_with("preAllocSize")) {
            config.storage.log.prealloc_bytes = EMBEDDED_PREALLOC_BYTES;
        }
        Ok((config, warning))
    }

    fn from_zoo(zoo: &ZooConfig, port_setting: &'static str) -> Result<(Self, Option<String>), String> {
        if zoo.servers.len() > 1 || zoo.observer || zoo.dynamic_config_file.is_some() {
            let remedy = "leave one server, or use an Apache ZooKeeper ensemble";
            return Err(format!("server.N lines make an ensemble, and this version runs a keeper alone; {remedy}"));
        }
        let of_spec = zoo.servers.values().find_map(|server| server.client.clone());
        let (address, port) = match (zoo.client_port, of_spec) {
            (Some(port), _) => (zoo.client_port_address.clone(), port),
            (None, Some((address, port))) => (address, port),
            (None, None) => return Err("secureClientPort is not served by this version; set clientPort".to_owned()),
        };
        let (least, most) = zoo.session_timeouts_ms();
        if least > most {
            return Err(format!("minSessionTimeout ({least}) is above maxSessionTimeout ({most}); change one of them"));
        }
        let client = BindTo {
            host: address.unwrap_or_default(),
            port,
            send_buffer: None,
            receive_buffer: None,
            backlog: match zoo.client_port_listen_backlog {
                backlog if backlog > 0 => backlog,
                _ => DEFAULT_BACKLOG,
            },
            setting: port_setting,
        };
        let config = Self {
            client,
            server: zoo.server_config(),
            storage: zoo.storage_config(),
            purge_retain: zoo.purge_retain,
            purge_interval: match zoo.purge_interval_h {
                0 => None,
                hours => Some(Duration::from_secs(3_600 * u64::from(hours))),
            },
        };
        Ok((config, warning(zoo)))
    }
}

/// What is in the file and changes nothing, in one line.
fn warning(zoo: &ZooConfig) -> Option<String> {
    let mut parts = zoo.warnings.clone();
    let mut idle: Vec<&str> = zoo.others.keys().map(String::as_str).collect();
    if zoo.secure_client_port.is_some() {
        idle.push("secureClientPort");
    }
    if !idle.is_empty() {
        parts.push(format!("settings without effect here: {}", idle.join(", ")));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zoo_cfg_is_read() {
        let text = "tickTime=2000\ndataDir=/d\ndataLogDir=/l\nclientPort=2182\nmaxClientCnxns=0\n\
                    4lw.commands.whitelist=stat, ruok\nzookeeper.snapCount=7\nserver.1=h:2888:3888\ninitLimit=10\nmy=1";
        let (config, warning) = KeeperConfig::parse("zoo.cfg", text).expect("valid");
        assert_eq!((config.client.port, config.server.tick_time_ms, config.server.snap_count), (2182, 2_000, 7));
        assert_eq!((config.server.min_session_timeout_ms, config.server.max_session_timeout_ms), (4_000, 40_000));
        assert_eq!(config.server.four_letter_whitelist, ["stat", "ruok"]);
        assert_eq!(config.storage.data_log_dir, PathBuf::from("/l"));
        assert_eq!(warning.as_deref(), Some("unknown settings are ignored: my (line 10)"));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, part) in [
            ("dataDir=/d\nclientPort=x", "zoo.cfg line 2: clientPort"),
            ("clientPort=1", "dataDir is not set"),
            ("dataDir=/d", "clientPort is not set"),
            ("dataDir=/d\nclientPort=1\ntickTime=-5", "zoo.cfg line 3: tickTime"),
            ("dataDir=/d\nsecureClientPort=1", "set clientPort"),
            ("dataDir=/d\nclientPort=1\ninitLimit=1\nsyncLimit=1\nserver.1=a:1:2\nserver.2=b:1:2", "a keeper alone"),
            ("dataDir=/d\nclientPort=1\nminSessionTimeout=9\nmaxSessionTimeout=8", "above maxSessionTimeout"),
        ] {
            let error = KeeperConfig::parse("zoo.cfg", text).expect_err(text).to_string();
            assert!(error.contains(part) && error.lines().count() == 1, "{error}");
        }
    }

    #[test]
    fn an_embedded_keeper_has_defaults() {
        let mut values = BTreeMap::from([("clientPort".to_owned(), "2181".to_owned())]);
        let (config, warning) = KeeperConfig::embedded(&values, "/k".into()).expect("valid");
        assert_eq!((config.client.port, config.storage.data_dir), (2181, PathBuf::from("/k")));
        assert_eq!((config.storage.log.prealloc_bytes, warning), (EMBEDDED_PREALLOC_BYTES, None));
        values.insert("tickTime".to_owned(), "no".to_owned());
        let error = KeeperConfig::embedded(&values, "/k".into()).expect_err("no number").to_string();
        assert!(error.starts_with("keeper.tickTime: "), "{error}");
    }
}
