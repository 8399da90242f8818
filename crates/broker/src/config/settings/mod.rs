//! One row per setting: the table that parsing, checking, describing and dynamic changes all come from.
//!
//! The facts (names, types, defaults, ranges, modes) are those of Kafka 4.3.1, and of 3.9.2 for what 4.x dropped.

mod cluster;
mod group;
mod group_entity;
mod later;
mod log;
mod network;
mod own;
mod security;
mod topic;

use super::value::{ConfigType, Valid};

/// When a broker setting may change.
#[doc(alias = "DynamicConfig")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateMode {
    /// At the start only.
    ReadOnly,
    /// While running, for one broker.
    PerBroker,
    /// While running, for one broker or all.
    ClusterWide,
}

/// What is known of one setting.
#[doc(alias = "ConfigDef")]
#[derive(Debug)]
pub struct Setting {
    pub name: &'static str,
    pub kind: ConfigType,
    /// The default as text; `None` is null.
    pub default: Option<&'static str>,
    pub valid: Valid,
    pub mode: UpdateMode,
    /// False when the setting is known but changes nothing here: a start with it says so.
    pub has_effect: bool,
    /// One sentence for people.
    pub doc: &'static str,
}

impl Setting {
    /// Values are never shown.
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        self.kind == ConfigType::Password
    }
}

/// Builds a module's rows: `+` or `-` (has an effect here or not), name, type, default, `[valid values]`, mode, doc.
macro_rules! settings {
    ($($effect:tt $name:literal $kind:ident $default:tt [$($valid:tt)*] $mode:ident $doc:literal;)*) => {
        #[allow(unused_imports, reason = "not every module has every kind of range")]
        use super::Valid::{Any, GzipLevel, ListOf, Min, OneOf, OneOfNoCase, Range, RangeF, ThrottledReplicas};

        pub(super) static SETTINGS: &[super::Setting] = &[$(super::Setting {
            name: $name,
            kind: super::ConfigType::$kind,
            default: super::settings!(@default $default),
            valid: $($valid)*,
            mode: super::UpdateMode::$mode,
            has_effect: super::settings!(@effect $effect),
            doc: $doc,
        }),*];
    };
    (@default null) => { None };
    (@default $text:literal) => { Some($text) };
    (@effect +) => { true };
    (@effect -) => { false };
}
use settings;

static BROKER_GROUPS: [&[Setting]; 7] = [
    cluster::SETTINGS,
    network::SETTINGS,
    log::SETTINGS,
    group::SETTINGS,
    security::SETTINGS,
    later::SETTINGS,
    own::SETTINGS,
];

/// Settings that Kafka once had: read without effect, and named in the warning.
static RETIRED_PREFIXES: &[&str] = &[
    "kafka.csv.",
    "kafka.metrics.",
    "log.cleanup.interval.mins",
    "log.default.flush.",
    "topic.flush.intervals.ms",
    "max.socket.request.bytes",
    "zookeeper.sync.time.ms",
    "zk.",
    "hostname",
    "brokerid",
    "enable.zookeeper",
    "replica.socket.",
    "producer.purgatory.",
    "quota.producer.default",
    "quota.consumer.default",
    "log.file.size",
    "controller.message.queue.size",
    "controlled.shutdown.",
    "auto.create.topics",
    "log.index.",
    "log.delete.delay.ms",
    "offsets.topic.",
    "confluent.",
];

/// Every broker setting, by name.
pub fn broker_settings() -> impl Iterator<Item = &'static Setting> {
    BROKER_GROUPS.iter().flat_map(|group| group.iter())
}

/// Every topic setting, by name.
#[must_use]
pub fn topic_settings() -> &'static [Setting] {
    topic::SETTINGS
}

/// Every setting of single groups, by name.
#[must_use]
pub fn group_settings() -> &'static [Setting] {
    group_entity::SETTINGS
}

/// The broker setting with this name.
#[must_use]
pub fn broker_setting(name: &str) -> Option<&'static Setting> {
    broker_settings().find(|setting| setting.name == name)
}

/// The topic setting with this name.
#[must_use]
pub fn topic_setting(name: &str) -> Option<&'static Setting> {
    topic_settings().iter().find(|setting| setting.name == name)
}

/// True for names that some Kafka of the past had.
#[must_use]
pub fn is_retired(name: &str) -> bool {
    RETIRED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The setting that a listener's own setting (`listener.name.<listener>.<setting>`) is of.
#[must_use]
pub fn listener_setting(name: &str) -> Option<&'static Setting> {
    let (_, setting) = name.strip_prefix("listener.name.")?.split_once('.')?;
    broker_setting(setting).or_else(|| setting.split_once('.').and_then(|(_, inner)| broker_setting(inner)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_default_is_valid_and_every_name_is_there_once() {
        let mut names = BTreeSet::new();
        for setting in broker_settings() {
            assert!(names.insert(setting.name), "{} is there twice", setting.name);
        }
        for setting in broker_settings().chain(topic_settings()).chain(group_settings()) {
            assert!(!setting.doc.is_empty());
            if let Some(default) = setting.default {
                // A default of -1 that means "unset" may lie outside the range, as in Kafka.
                if !(default.is_empty() || default == "-1" && setting.name == "node.id") {
                    setting.check(default).unwrap_or_else(|error| panic!("{error}"));
                }
            }
        }
    }
}
