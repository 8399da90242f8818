//! From a file and a command line to the broker's settings, with errors that name the line, and one warning.

use std::collections::BTreeMap;
use std::fmt;

use super::broker_config::{BrokerConfig, ConfigMap};
use super::properties::parse_properties;
use super::settings;

/// Why there are no settings: one line with the place and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// Reads `text` (the contents of `file_name`; empty when there is no file) and the `--override key=value` arguments.
/// The second part of the result is the one warning about settings that change nothing, if there are any.
pub fn load(file_name: &str, text: &str, overrides: &[String]) -> Result<(BrokerConfig, Option<String>), ConfigError> {
    let mut values = ConfigMap::new();
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    let properties = parse_properties(text).map_err(|error| ConfigError(format!("{file_name} {error}")))?;
    for property in properties {
        places.insert(property.key.clone(), format!("{file_name} line {}", property.line));
        values.insert(property.key, property.value);
    }
    for argument in overrides {
        let (key, value) = argument
            .split_once('=')
            .ok_or_else(|| ConfigError(format!("--override {argument}: expected key=value")))?;
        places.insert(key.trim().to_owned(), format!("--override {argument}"));
        values.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    if values.get("process.roles").is_some_and(|roles| roles.trim() == "controller") {
        let place = &places["process.roles"];
        return Err(ConfigError(format!(
            "{place}: a KRaft controller is not a role here; run `ottla keeper` for the ensemble, or remove process.roles"
        )));
    }
    let warning = warning_about(&values);
    let config = BrokerConfig::from_map(values).map_err(|error| {
        let place = places.get(&error.name).map_or(file_name, String::as_str);
        ConfigError(format!("{place}: {error}"))
    })?;
    Ok((config, warning))
}

/// Names the settings without effect, in one line.
fn warning_about(values: &ConfigMap) -> Option<String> {
    let mut without_effect = Vec::new();
    let mut retired = Vec::new();
    let mut unknown = Vec::new();
    for name in values.keys().filter(|name| !name.starts_with("keeper.")) {
        match settings::broker_setting(name).or_else(|| settings::listener_setting(name)) {
            Some(setting) if setting.has_effect && setting.name == name => {}
            Some(_) => without_effect.push(name.as_str()),
            None if settings::is_retired(name) => retired.push(name.as_str()),
            None => unknown.push(name.as_str()),
        }
    }
    let parts: Vec<String> = [("unknown", unknown), ("retired", retired), ("without effect here", without_effect)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(kind, names)| format!("{kind}: {}", names.join(", ")))
        .collect();
    (!parts.is_empty()).then(|| format!("settings that are ignored ({})", parts.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_place_and_reason() {
        let error =
            load("server.properties", "# one\nbroker.id=0\nnum.partitions=none\n", &[]).expect_err("not a number");
        assert_eq!(
            error.to_string(),
            "server.properties line 3: Invalid value none for configuration num.partitions: Not a number of type INT"
        );
        let error = load("server.properties", "", &["num.partitions=0".to_owned()]).expect_err("too few");
        assert!(error.to_string().starts_with("--override num.partitions=0: Invalid value"));
        assert!(load("f", "", &["num.partitions".to_owned()]).is_err());
        assert!(load("f", "process.roles=controller", &[]).is_err());
    }

    #[test]
    fn one_warning_names_all_that_is_ignored() {
        let text = "broker.id=1\nport=9091\nlog.cleanup.interval.mins=10\nkafka.metrics.polling.interval.secs=5\n\
                    kafka.csv.metrics.dir=/tmp\nmy.own=1\nlog.retention.hours=168\nkeeper.tickTime=2000\nssl.protocol=TLS";
        let (config, warning) = load("server.properties", text, &["log.retention.hours=1".to_owned()]).expect("valid");
        assert_eq!(config.layers.file["log.retention.hours"], "1");
        assert_eq!(config.keeper["tickTime"], "2000");
        assert_eq!(
            warning.as_deref(),
            Some(
                "settings that are ignored (unknown: my.own; retired: kafka.csv.metrics.dir, log.cleanup.interval.mins; \
                 without effect here: kafka.metrics.polling.interval.secs, ssl.protocol)"
            )
        );
        assert_eq!(load("f", "broker.id=1", &[]).expect("valid").1, None);
    }

    #[test]
    fn what_nobody_reads_is_said_to_have_no_effect() {
        let names = [
            "background.threads",
            "controlled.shutdown.enable",
            "log.cleaner.io.max.bytes.per.second",
            "log.cleaner.threads",
            "queued.max.requests",
            "request.timeout.ms",
        ];
        for name in names {
            let (_, warning) = load("f", &format!("{name}=1").replace("enable=1", "enable=true"), &[]).expect("valid");
            assert!(warning.is_some_and(|warning| warning.contains(name)), "{name}");
        }
        assert_eq!(load("f", "queued.max.request.bytes=1000000", &[]).expect("valid").1, None);
    }
}
