//! A keeper's settings: `zoo.cfg` with its dynamic file and `myid`, or the `keeper.` settings of a broker, which have the
//! same names; and what of them this version can't do.

mod dynamic_files;
mod java_flags;
mod whereabouts;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ottla_keeper::config::{ConfigError, QuorumPeerConfig, ZooConfig};
use ottla_keeper::keeper_server::ServerConfig;
use ottla_keeper::storage::StorageConfig;

pub(crate) use dynamic_files::DynamicFiles;
pub use whereabouts::Whereabouts;

use crate::keeper_operator::OperatorSettings;
use crate::listener::BindTo;

/// Steps in which the log of an embedded keeper grows, in bytes: a broker's own writes are few, and on a memory file
/// system ZooKeeper's 64 MB would be taken at once.
const EMBEDDED_PREALLOC_BYTES: u64 = 1 << 20;
/// Connections that wait to be accepted (`clientPortListenBacklog` -1).
const DEFAULT_BACKLOG: i32 = 50;

/// `initLimit` and `syncLimit` of embedded keepers that say nothing, as in every tutorial's `zoo.cfg`.
const EMBEDDED_LIMITS: (u32, u32) = (10, 5);
/// The file in `dataDir` that holds a server's number.
const MYID_FILE: &str = "myid";

/// Everything that a keeper needs to know.
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
    /// What operators are offered.
    pub operator: OperatorSettings,
    /// `None` for a server alone.
    pub ensemble: Option<QuorumPeerConfig>,
    /// Where members that change are kept.
    pub(crate) dynamic_files: Option<DynamicFiles>,
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
    /// Reads `zoo.cfg` and what it refers to: the dynamic file, and `myid` when there is an ensemble. Java properties in the
    /// environment hold where it says nothing. The second part is the one warning about settings that change nothing.
    pub fn load(file: &Path) -> Result<(Self, Option<String>), KeeperConfigError> {
        let name = file.display().to_string();
        let text = read(file).map_err(|error| KeeperConfigError(format!("cannot read {name}: {error}")))?;
        let (mut config, warning) = Self::parse_over(&java_flags::of_environment(), &name, &text)?;
        let dynamic = config.ensemble.as_ref().filter(|ensemble| ensemble.reconfig_enabled);
        config.dynamic_files = dynamic.map(|ensemble| DynamicFiles::beside(file, ensemble.sid));
        Ok((config, warning))
    }

    /// The same with the content of the file.
    pub fn parse(file_name: &str, text: &str) -> Result<(Self, Option<String>), KeeperConfigError> {
        Self::parse_over("", file_name, text)
    }

    /// The same over settings that were Java properties.
    fn parse_over(java: &str, file_name: &str, text: &str) -> Result<(Self, Option<String>), KeeperConfigError> {
        let mut zoo = ZooConfig::parse_partial(java)
            .map_err(|error| KeeperConfigError(format!("{}: {}", java_flags::VARIABLES.join(", "), error.message)))?;
        // Java takes any property; those that nobody knows are its own business.
        zoo.warnings.clear();
        zoo.add_file(text).map_err(|error| in_file(file_name, &error))?;
        if let Some(file) = zoo.dynamic_config_file.clone() {
            let name = file.display().to_string();
            let text = read(&file).map_err(|error| {
                KeeperConfigError(format!(
                    "cannot read {name}: {error}; it is the dynamicConfigFile of {file_name}, restore it or put its lines \
                     into {file_name}"
                ))
            })?;
            zoo.add_dynamic(&text).map_err(|error| in_file(&name, &error))?;
            zoo.config_version = version_of(&name).unwrap_or(zoo.config_version);
        }
        let of_file = |what: String| KeeperConfigError(format!("{file_name}: {what}"));
        zoo.operator.initial_config = Some(text.to_owned());
        let ensemble = ensemble(&mut zoo, None).map_err(of_file)?;
        Self::from_zoo(&zoo, ensemble, "clientPort").map_err(of_file)
    }

    /// Reads the `keeper.` settings of a broker, given without that prefix; the data goes to `data_dir` unless they say
    /// otherwise. In an ensemble, `myid` is the setting `keeper.myid`, the file in the data directory, or else the
    /// broker's own id.
    pub fn embedded(
        values: &BTreeMap<String, String>,
        data_dir: PathBuf,
        broker_id: Option<i64>,
    ) -> Result<(Self, Option<String>), KeeperConfigError> {
        let mut values = values.clone();
        let own_id = values.remove(MYID_FILE);
        let lines = values.iter().map(|(key, value)| format!("{key}={}\n", value.replace(['\n', '\r'], " ")));
        let lines: String = lines.collect();
        let error = |error: ConfigError| match values.keys().nth(error.line.wrapping_sub(1)) {
            Some(key) => KeeperConfigError(format!("keeper.{key}: {}", error.message)),
            None => KeeperConfigError(format!("keeper: {error}")),
        };
        let mut zoo = ZooConfig::parse_partial(&lines).map_err(error)?;
        zoo.operator.initial_config = Some(lines);
        if zoo.data_dir.as_os_str().is_empty() {
            zoo.data_dir = data_dir;
        }
        if zoo.reconfig_enabled
            && let Some((file, version)) = dynamic_files::latest_within(&zoo.data_dir)
        {
            let name = file.display().to_string();
            let text = read(&file).map_err(|error| KeeperConfigError(format!("cannot read {name}: {error}")))?;
            zoo.servers.clear();
            zoo.groups.clear();
            zoo.weights.clear();
            zoo.add_dynamic(&text).map_err(|error| in_file(&name, &error))?;
            zoo.config_version = version;
        }
        let any_port = values.get("clientPort").is_some_and(|port| port.trim() == "0");
        if any_port {
            // The system chooses; ZooKeeper's own reading of 0 is "no such port".
            zoo.client_port = Some(0);
        }
        zoo.init_limit.get_or_insert(EMBEDDED_LIMITS.0);
        zoo.sync_limit.get_or_insert(EMBEDDED_LIMITS.1);
        let of_keeper = |what: String| KeeperConfigError(format!("keeper: {what}"));
        let given = OwnId { setting: own_id, broker_id };
        let ensemble = ensemble(&mut zoo, Some(&given)).map_err(of_keeper)?;
        if ensemble.is_some() && zoo.local_sessions && !zoo.local_sessions_upgrading {
            return Err(KeeperConfigError(
                "keeper.localSessionsEnabled=true: brokers register by ephemeral nodes, so set \
                 keeper.localSessionsUpgradingEnabled=true too"
                    .to_owned(),
            ));
        }
        let (mut config, warning) = Self::from_zoo(&zoo, ensemble, "keeper.clientPort").map_err(of_keeper)?;
        if !values.keys().any(|key| key.ends_with("admin.enableServer") || key.ends_with("admin.serverPort")) {
            // A broker has its own port for metrics, and 8080 is everybody's.
            config.operator.admin = None;
        }
        if !values.keys().any(|key| key.ends_with("preAllocSize")) {
            config.storage.log.prealloc_bytes = EMBEDDED_PREALLOC_BYTES;
        }
        let dynamic = config.ensemble.as_ref().filter(|ensemble| ensemble.reconfig_enabled);
        config.dynamic_files = dynamic.map(|ensemble| DynamicFiles::within(&zoo.data_dir, ensemble.sid));
        Ok((config, warning))
    }

    fn from_zoo(
        zoo: &ZooConfig,
        ensemble: Option<QuorumPeerConfig>,
        port_setting: &'static str,
    ) -> Result<(Self, Option<String>), String> {
        let own = match &ensemble {
            Some(ensemble) => ensemble.own(),
            None => zoo.servers.values().next(),
        };
        let of_spec = own.and_then(|server| server.client.clone());
        if let (Some(port), Some((_, other))) = (zoo.client_port.filter(|_| ensemble.is_some()), &of_spec)
            && port != *other
        {
            return Err(format!(
                "clientPort is {port}, but this server's own line says {other}; take one of them out, best clientPort"
            ));
        }
        let (address, port) = match (zoo.client_port, of_spec) {
            (_, Some((address, port))) if ensemble.is_some() => (address.or(zoo.client_port_address.clone()), port),
            (Some(port), _) => (zoo.client_port_address.clone(), port),
            (None, Some((address, port))) => (address, port),
            (None, None) if zoo.secure_client_port.is_some() => {
                return Err("secureClientPort is not served by this version; set clientPort".to_owned());
            }
            (None, None) => {
                return Err(
                    "clientPort is not set; add a line such as clientPort=2181, or ;2181 to this server's own \
                            server.N line"
                        .to_owned(),
                );
            }
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
        let mut server = zoo.server_config();
        if let Some(ensemble) = &ensemble {
            server.info.server_id = ensemble.sid;
            // The highest byte of session ids, as ZooKeeper makes them, too.
            server.session_server_id = ensemble.sid as u8;
        }
        let config = Self {
            client,
            server,
            storage: zoo.storage_config(),
            purge_retain: zoo.purge_retain,
            purge_interval: match zoo.purge_interval_h {
                0 => None,
                hours => Some(Duration::from_secs(3_600 * u64::from(hours))),
            },
            operator: OperatorSettings::of(zoo),
            ensemble,
            dynamic_files: None,
        };
        Ok((config, warning(zoo)))
    }
}

fn in_file(file_name: &str, error: &ConfigError) -> KeeperConfigError {
    match error.line {
        0 => KeeperConfigError(format!("{file_name}: {error}")),
        _ => KeeperConfigError(format!("{file_name} {error}")),
    }
}

/// Java reads these files as Latin-1 or UTF-8; only comments are likely to differ.
fn read(file: &Path) -> std::io::Result<String> {
    let bytes = std::fs::read(file)?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|e| e.into_bytes().iter().map(|&b| char::from(b)).collect()))
}

/// The version of a dynamic file is the end of its name, in hexadecimal.
fn version_of(name: &str) -> Option<i64> {
    name.rsplit_once('.').and_then(|(_, version)| i64::from_str_radix(version, 16).ok())
}

/// Where an embedded keeper's number may be.
struct OwnId {
    setting: Option<String>,
    broker_id: Option<i64>,
}

/// What this server is in an ensemble; `None` when it is alone.
fn ensemble(zoo: &mut ZooConfig, embedded: Option<&OwnId>) -> Result<Option<QuorumPeerConfig>, String> {
    zoo.check_ensemble()?;
    if !zoo.is_distributed() {
        return Ok(None);
    }
    let sid = own_id(&zoo.data_dir, embedded)?;
    let ensemble = zoo.ensemble(sid)?;
    Ok(Some(ensemble))
}

fn own_id(data_dir: &Path, embedded: Option<&OwnId>) -> Result<i64, String> {
    if let Some(text) = embedded.and_then(|given| given.setting.as_deref()) {
        return text.trim().parse().map_err(|_| format!("myid={text}: must be this server's number, as in server.N"));
    }
    let path = data_dir.join(MYID_FILE);
    let shown = path.display();
    match read(&path) {
        Ok(text) => {
            let line = text.lines().next().unwrap_or_default().trim();
            line.parse()
                .map_err(|_| format!("{shown} holds {line:?}: must be this server's number N of its server.N line"))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            embedded.and_then(|given| given.broker_id).ok_or_else(|| match embedded {
                Some(_) => {
                    "which of the server.N lines is this one? Set keeper.myid=N, or broker.id to the same number"
                        .to_owned()
                }
                None => format!(
                    "the file {shown} is missing: it tells which of the server.N lines is this one; make it, as in \
                     echo 1 > {shown}"
                ),
            })
        }
        Err(error) => Err(format!("{shown} can't be read: {error}; let this server's user read it")),
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
        assert_eq!(config.server.four_letter_whitelist, ["stat", "ruok", "srvr"]);
        assert_eq!(config.storage.data_log_dir, PathBuf::from("/l"));
        assert_eq!(
            warning.as_deref(),
            Some(
                "unknown settings are ignored: my (line 10); only one server.N line: it is ignored, and this is a server alone"
            )
        );
    }

    #[test]
    fn java_properties_hold_where_the_file_says_nothing() {
        let java = java_flags::settings("-Dzookeeper.enforceQuota=true -Dzookeeper.snapCount=5 -Dzookeeper.mine=1");
        let (config, warning) =
            KeeperConfig::parse_over(&java, "zoo.cfg", "dataDir=/d\nclientPort=1\nsnapCount=9").expect("valid");
        assert!(config.server.enforce_quota);
        assert_eq!((config.server.snap_count, warning), (9, None));
        let bad = KeeperConfig::parse_over("zookeeper.snapCount=x\n", "zoo.cfg", "dataDir=/d\nclientPort=1");
        assert!(bad.expect_err("not a number").to_string().contains("JVMFLAGS: zookeeper.snapCount=x"));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, part) in [
            ("dataDir=/d\nclientPort=x", "zoo.cfg line 2: clientPort"),
            ("clientPort=1", "dataDir is not set"),
            ("dataDir=/d", "clientPort is not set"),
            ("dataDir=/d\nclientPort=1\ntickTime=-5", "zoo.cfg line 3: tickTime"),
            ("dataDir=/d\nsecureClientPort=1", "set clientPort"),
            ("dataDir=/d\nclientPort=1\ninitLimit=1\nserver.1=a:1:2\nserver.2=b:1:2", "syncLimit is not set"),
            (
                "dataDir=/none\nclientPort=1\ninitLimit=1\nsyncLimit=1\nserver.1=a:1:2\nserver.2=b:1:2",
                "echo 1 > /none/myid",
            ),
            ("dataDir=/d\nclientPort=1\ndynamicConfigFile=/none/dyn", "cannot read /none/dyn"),
            ("dataDir=/d\nclientPort=1\nminSessionTimeout=9\nmaxSessionTimeout=8", "above maxSessionTimeout"),
        ] {
            let error = KeeperConfig::parse("zoo.cfg", text).expect_err(text).to_string();
            assert!(error.contains(part) && error.lines().count() == 1, "{error}");
        }
    }

    #[test]
    fn an_embedded_keeper_has_defaults() {
        let mut values = BTreeMap::from([("clientPort".to_owned(), "2181".to_owned())]);
        let (config, warning) = KeeperConfig::embedded(&values, "/k".into(), None).expect("valid");
        assert_eq!((config.client.port, config.storage.data_dir), (2181, PathBuf::from("/k")));
        assert_eq!((config.storage.log.prealloc_bytes, warning), (EMBEDDED_PREALLOC_BYTES, None));
        values.insert("tickTime".to_owned(), "no".to_owned());
        let error = KeeperConfig::embedded(&values, "/k".into(), None).expect_err("no number").to_string();
        assert!(error.starts_with("keeper.tickTime: "), "{error}");
    }

    #[test]
    fn an_ensemble_of_files() {
        let dir = crate::scratch::Scratch::new("keeper-config");
        let at = |name: &str| dir.path().join(name);
        let shown = dir.path().display().to_string();
        std::fs::write(at("myid"), "2\n").expect("writes");
        std::fs::write(at("dyn.100000003"), "server.1=a:1:2;5\nserver.2=b:1:2;0.0.0.0:6\nserver.3=c:1:2:observer;7\n")
            .expect("writes");
        let text = format!("dataDir={shown}\ninitLimit=10\nsyncLimit=5\ndynamicConfigFile={shown}/dyn.100000003\n");
        std::fs::write(at("zoo.cfg"), text).expect("writes");
        let (config, _) = KeeperConfig::load(&at("zoo.cfg")).expect("valid");
        let ensemble = config.ensemble.expect("three servers");
        assert_eq!((ensemble.sid, ensemble.verifier.version, config.client.port), (2, 0x1_0000_0003, 6));
        assert_eq!((config.server.session_server_id, config.server.info.server_id), (2, 2));
        for (id, part) in [("9", "no server.9"), ("two", "holds \"two\"")] {
            std::fs::write(at("myid"), id).expect("writes");
            let error = KeeperConfig::load(&at("zoo.cfg")).expect_err(id).to_string();
            assert!(error.contains(part) && error.lines().count() == 1, "{error}");
        }
    }

    #[test]
    fn an_embedded_keeper_knows_its_number() {
        let dir = crate::scratch::Scratch::new("keeper-config");
        let mut values: BTreeMap<String, String> =
            [1, 2, 3].map(|n| (format!("server.{n}"), "h:1:2".to_owned())).into();
        values.insert("clientPort".to_owned(), "2181".to_owned());
        let sid = |values: &BTreeMap<String, String>, id| {
            let (config, _) = KeeperConfig::embedded(values, dir.path().to_owned(), id).map_err(|e| e.to_string())?;
            Ok::<_, String>(config.ensemble.map(|ensemble| ensemble.sid))
        };
        assert!(sid(&values, None).expect_err("no number").contains("keeper.myid=N"));
        assert_eq!(sid(&values, Some(3)), Ok(Some(3)));
        std::fs::write(dir.path().join("myid"), "2").expect("writes");
        assert_eq!(sid(&values, Some(3)), Ok(Some(2)));
        values.insert("myid".to_owned(), "1".to_owned());
        assert_eq!(sid(&values, Some(3)), Ok(Some(1)));
        values.insert("localSessionsEnabled".to_owned(), "true".to_owned());
        let error = sid(&values, None).expect_err("no broker could register");
        assert!(error.contains("keeper.localSessionsUpgradingEnabled=true too"), "{error}");
        values.insert("localSessionsUpgradingEnabled".to_owned(), "true".to_owned());
        assert_eq!(sid(&values, None), Ok(Some(1)));
    }
}
