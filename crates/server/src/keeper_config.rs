//! A keeper's settings: `zoo.cfg`, or the `keeper.` settings of a broker, which have the same names.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ottla_broker::config::parse_properties;
use ottla_keeper::keeper_server::ServerConfig;
use ottla_keeper::storage::StorageConfig;

use crate::listener::BindTo;

/// Steps in which the log of an embedded keeper grows, in bytes: a broker's own writes are few, and on a memory file
/// system ZooKeeper's 64 MB would be taken at once.
const EMBEDDED_PREALLOC_BYTES: u64 = 1 << 20;

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

/// Values by name, taken away as they are read; with the place of each for error messages.
struct Settings(BTreeMap<String, (String, String)>);

impl Settings {
    fn take(&mut self, name: &str) -> Option<(String, String)> {
        self.0.remove(name).filter(|(value, _)| !value.is_empty())
    }

    fn parse<T: FromStr>(&mut self, name: &str, what: &str) -> Result<Option<T>, KeeperConfigError> {
        let Some((value, place)) = self.take(name) else { return Ok(None) };
        let read = value.parse().map(Some);
        read.map_err(|_| KeeperConfigError(format!("{place}: {name}={value} must be {what}")))
    }

    fn number<T: FromStr>(&mut self, name: &str, default: T) -> Result<T, KeeperConfigError> {
        Ok(self.parse(name, "a number in its range")?.unwrap_or(default))
    }

    fn flag(&mut self, name: &str, default: bool) -> Result<bool, KeeperConfigError> {
        match self.take(name) {
            None => Ok(default),
            Some((value, _)) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some((value, _)) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some((value, place)) => Err(KeeperConfigError(format!("{place}: {name}={value} must be true or false"))),
        }
    }
}

impl KeeperConfig {
    /// Reads `zoo.cfg`. The second part is the one warning about settings that change nothing.
    pub fn parse(file_name: &str, text: &str) -> Result<(Self, Option<String>), KeeperConfigError> {
        let properties = parse_properties(text).map_err(|e| KeeperConfigError(format!("{file_name} {e}")))?;
        let place = |line| format!("{file_name} line {line}");
        let settings = properties.into_iter().map(|p| (p.key, (p.value.trim().to_owned(), place(p.line))));
        let mut settings = Settings(settings.collect());
        if !settings.0.contains_key("dataDir") {
            return Err(KeeperConfigError(format!("{file_name}: dataDir is missing; say where the data is to be kept")));
        }
        if !settings.0.contains_key("clientPort") {
            let remedy = "say on which port clients connect (2181 is usual)";
            return Err(KeeperConfigError(format!("{file_name}: clientPort is missing; {remedy}")));
        }
        Self::from_settings(&mut settings, "clientPort")
    }

    /// Reads the `keeper.` settings of a broker, given without that prefix; the data goes to `data_dir` unless they say
    /// otherwise.
    pub fn embedded(
        values: &BTreeMap<String, String>,
        data_dir: PathBuf,
    ) -> Result<(Self, Option<String>), KeeperConfigError> {
        let settings = values.iter().map(|(k, v)| (k.clone(), (v.trim().to_owned(), format!("keeper.{k}"))));
        let mut settings = Settings(settings.collect());
        let default = |value: String| (value, "the default".to_owned());
        settings.0.entry("dataDir".to_owned()).or_insert_with(|| default(data_dir.display().to_string()));
        let has_prealloc = settings.0.contains_key("preAllocSize");
        let (mut config, warning) = Self::from_settings(&mut settings, "keeper.clientPort")?;
        if !has_prealloc {
            config.storage.log.prealloc_bytes = EMBEDDED_PREALLOC_BYTES;
        }
        Ok((config, warning))
    }

    fn from_settings(
        settings: &mut Settings,
        port_setting: &'static str,
    ) -> Result<(Self, Option<String>), KeeperConfigError> {
        refuse_ensembles(settings)?;
        // ZooKeeper hands settings on as system properties of this prefix; people write them with it, too.
        let prefixed: Vec<_> = settings.0.keys().filter(|name| name.starts_with("zookeeper.")).cloned().collect();
        for name in prefixed {
            if let (Some(short), Some(value)) = (name.strip_prefix("zookeeper."), settings.0.remove(&name)) {
                settings.0.entry(short.to_owned()).or_insert(value);
            }
        }
        let client = BindTo {
            host: settings.take("clientPortAddress").map(|(host, _)| host).unwrap_or_default(),
            port: settings.parse("clientPort", "a port (0 to 65535)")?.unwrap_or(2181),
            send_buffer: None,
            receive_buffer: None,
            backlog: match settings.number("clientPortListenBacklog", -1)? {
                -1 => 50,
                backlog => backlog,
            },
            setting: port_setting,
        };
        let storage = storage(settings)?;
        let mut server = server(settings)?;
        server.info.client_port = i32::from(client.port);
        server.info.data_dir = storage.data_dir.join("version-2").display().to_string();
        server.info.data_log_dir = storage.data_log_dir.join("version-2").display().to_string();
        let config = Self {
            client,
            server,
            storage,
            purge_retain: settings.number("autopurge.snapRetainCount", 3)?,
            purge_interval: match settings.number::<i32>("autopurge.purgeInterval", 0)? {
                hours if hours > 0 => Some(Duration::from_secs(3_600 * hours as u64)),
                _ => None,
            },
        };
        let ignored: Vec<_> = settings.0.keys().map(String::as_str).collect();
        let warning =
            (!ignored.is_empty()).then(|| format!("settings of the keeper that are ignored: {}", ignored.join(", ")));
        Ok((config, warning))
    }
}

/// One `server.N` is a keeper alone, as for ZooKeeper; more are an ensemble.
fn refuse_ensembles(settings: &mut Settings) -> Result<(), KeeperConfigError> {
    let servers: Vec<_> = settings.0.keys().filter(|name| name.starts_with("server.")).cloned().collect();
    if let [_, second, ..] = &servers[..] {
        let place = &settings.0[second].1;
        let remedy = "this version runs one keeper alone; leave one server, or use an Apache ZooKeeper ensemble";
        return Err(KeeperConfigError(format!("{place}: {second} makes an ensemble; {remedy}")));
    }
    if let [one] = &servers[..] {
        settings.0.remove(one);
        for name in ["initLimit", "syncLimit", "electionAlg"] {
            settings.0.remove(name);
        }
    }
    Ok(())
}

fn storage(settings: &mut Settings) -> Result<StorageConfig, KeeperConfigError> {
    let data_dir = settings.take("dataDir").map(|(dir, _)| dir).unwrap_or_default();
    let mut storage = StorageConfig::new(data_dir);
    if let Some((dir, _)) = settings.take("dataLogDir") {
        storage.data_log_dir = dir.into();
    }
    let prealloc_kib = settings.number("preAllocSize", storage.log.prealloc_bytes >> 10)?;
    storage.log.prealloc_bytes = prealloc_kib.saturating_mul(1_024);
    storage.log.force_sync = match settings.take("forceSync") {
        None => true,
        Some((value, _)) if value.eq_ignore_ascii_case("yes") || value.eq_ignore_ascii_case("true") => true,
        Some((value, _)) if value.eq_ignore_ascii_case("no") || value.eq_ignore_ascii_case("false") => false,
        Some((value, place)) => return Err(KeeperConfigError(format!("{place}: forceSync={value} must be yes or no"))),
    };
    let limit_kib: i64 = settings.number("txnLogSizeLimitInKb", -1)?;
    storage.log.size_limit_bytes = u64::try_from(limit_kib).ok().filter(|kib| *kib > 0).map(|kib| kib * 1_024);
    storage.extended_types = settings.flag("extendedTypesEnabled", storage.extended_types)?;
    storage.trust_empty = settings.flag("snapshot.trust.empty", storage.trust_empty)?;
    Ok(storage)
}

fn server(settings: &mut Settings) -> Result<ServerConfig, KeeperConfigError> {
    let defaults = ServerConfig::default();
    let tick_time_ms: u32 = settings.number("tickTime", defaults.tick_time_ms)?;
    let timeout = |value: i64, ticks: u32| match u32::try_from(value) {
        Ok(ms) => ms,
        Err(_) => tick_time_ms.saturating_mul(ticks),
    };
    let min_session_timeout_ms = timeout(settings.number("minSessionTimeout", -1)?, 2);
    let max_session_timeout_ms = timeout(settings.number("maxSessionTimeout", -1)?, 20);
    if min_session_timeout_ms > max_session_timeout_ms {
        return Err(KeeperConfigError(format!(
            "minSessionTimeout={min_session_timeout_ms} is above maxSessionTimeout={max_session_timeout_ms}; swap them"
        )));
    }
    let super_digest = settings.take("DigestAuthenticationProvider.superDigest").map(|(digest, _)| digest);
    let whitelist = settings.take("4lw.commands.whitelist").map(|(words, _)| words);
    let snap_kib = settings.number("snapSizeLimitInKb", defaults.snap_size_limit_bytes as i64 >> 10)?;
    Ok(ServerConfig {
        tick_time_ms: tick_time_ms.max(1),
        min_session_timeout_ms,
        max_session_timeout_ms,
        max_client_cnxns: settings.number("maxClientCnxns", defaults.max_client_cnxns)?,
        max_cnxns: settings.number("maxCnxns", defaults.max_cnxns)?,
        global_outstanding_limit: settings.number("globalOutstandingLimit", defaults.global_outstanding_limit)?,
        jute_max_buffer: jute_max_buffer(settings, defaults.jute_max_buffer)?,
        snap_count: settings.number("snapCount", defaults.snap_count)?,
        snap_size_limit_bytes: u64::try_from(snap_kib).unwrap_or(0) * 1_024,
        super_digest,
        digest_auth: settings.flag("DigestAuthenticationProvider.enabled", defaults.digest_auth)?,
        skip_acl: match settings.take("skipACL") {
            Some((value, _)) => value.eq_ignore_ascii_case("yes") || value.eq_ignore_ascii_case("true"),
            None => defaults.skip_acl,
        },
        enforce_quota: settings.flag("enforceQuota", defaults.enforce_quota)?,
        reconfig_enabled: settings.flag("reconfigEnabled", defaults.reconfig_enabled)?,
        four_letter_whitelist: match whitelist {
            Some(words) => words.split(',').map(|word| word.trim().to_owned()).collect(),
            None => defaults.four_letter_whitelist,
        },
        container_check_interval_ms: settings
            .number("znode.container.checkIntervalMs", defaults.container_check_interval_ms)?,
        container_max_per_minute: settings.number("znode.container.maxPerMinute", defaults.container_max_per_minute)?,
        container_max_never_used_ms: settings
            .number("znode.container.maxNeverUsedIntervalMs", defaults.container_max_never_used_ms)?,
        session_server_id: defaults.session_server_id,
        info: defaults.info,
    })
}

/// ZooKeeper reads this one from the command line, where it may be hexadecimal.
fn jute_max_buffer(settings: &mut Settings, default: usize) -> Result<usize, KeeperConfigError> {
    let Some((value, place)) = settings.take("jute.maxbuffer") else { return Ok(default) };
    let read = match value.strip_prefix("0x") {
        Some(hex) => usize::from_str_radix(hex, 16),
        None => value.parse(),
    };
    read.map_err(|_| KeeperConfigError(format!("{place}: jute.maxbuffer={value} must be a number of bytes")))
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
        assert_eq!(warning.as_deref(), Some("settings of the keeper that are ignored: my"));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, part) in [
            ("dataDir=/d\nclientPort=x", "zoo.cfg line 2: clientPort=x must be a port"),
            ("clientPort=1", "dataDir is missing"),
            ("dataDir=/d", "clientPort is missing"),
            ("dataDir=/d\nclientPort=1\ntickTime=-5", "zoo.cfg line 3: tickTime=-5"),
            ("dataDir=/d\nclientPort=1\nenforceQuota=si", "must be true or false"),
            ("dataDir=/d\nclientPort=1\nserver.1=a:1:2\nserver.2=b:1:2", "line 4: server.2 makes an ensemble"),
            ("dataDir=/d\nclientPort=1\nminSessionTimeout=9\nmaxSessionTimeout=8", "above maxSessionTimeout"),
        ] {
            let error = KeeperConfig::parse("zoo.cfg", text).expect_err(text).to_string();
            assert!(error.contains(part) && error.lines().count() == 1, "{error}");
        }
    }

    #[test]
    fn an_embedded_keeper_has_defaults() {
        let (config, warning) = KeeperConfig::embedded(&BTreeMap::new(), "/k".into()).expect("valid");
        assert_eq!((config.client.port, config.storage.data_dir), (2181, PathBuf::from("/k")));
        assert_eq!((config.storage.log.prealloc_bytes, warning), (EMBEDDED_PREALLOC_BYTES, None));
    }
}
