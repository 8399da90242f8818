//! A topic's settings in force: its own over the broker's of the same meaning over the defaults.

use ottla_storage::config::{Compression, CompressionType, LogConfig, TimestampType};

use super::broker_config::{ConfigLayers, ConfigMap};
use super::settings::{self, Setting};
use super::value::{InvalidValue, list, parse_bool};

/// How a broker setting's number becomes that of the topic setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Same,
    Minutes,
    Hours,
}

impl Unit {
    /// The value in the topic setting's unit; text that is no number stays as it is.
    #[must_use]
    pub fn convert(self, value: &str) -> String {
        let factor = match self {
            Self::Same => return value.to_owned(),
            Self::Minutes => 60_000,
            Self::Hours => 3_600_000,
        };
        value.trim().parse::<i64>().map_or_else(|_| value.to_owned(), |n| n.saturating_mul(factor).to_string())
    }
}

/// The broker settings that a topic setting falls back on, the strongest first.
#[doc(alias = "ServerTopicConfigSynonyms")]
#[must_use]
pub fn broker_synonyms(topic_setting: &str) -> &'static [(&'static str, Unit)] {
    use Unit::{Hours, Minutes, Same};
    match topic_setting {
        "cleanup.policy" => &[("log.cleanup.policy", Same)],
        "compression.gzip.level" => &[("compression.gzip.level", Same)],
        "compression.lz4.level" => &[("compression.lz4.level", Same)],
        "compression.type" => &[("compression.type", Same)],
        "compression.zstd.level" => &[("compression.zstd.level", Same)],
        "delete.retention.ms" => &[("log.cleaner.delete.retention.ms", Same)],
        "file.delete.delay.ms" => &[("log.segment.delete.delay.ms", Same)],
        "flush.messages" => &[("log.flush.interval.messages", Same)],
        "flush.ms" => &[("log.flush.interval.ms", Same), ("log.flush.scheduler.interval.ms", Same)],
        "index.interval.bytes" => &[("log.index.interval.bytes", Same)],
        "local.retention.bytes" => &[("log.local.retention.bytes", Same)],
        "local.retention.ms" => &[("log.local.retention.ms", Same)],
        "max.compaction.lag.ms" => &[("log.cleaner.max.compaction.lag.ms", Same)],
        "max.message.bytes" => &[("message.max.bytes", Same)],
        "message.downconversion.enable" => &[("log.message.downconversion.enable", Same)],
        "message.format.version" => &[("log.message.format.version", Same)],
        "message.timestamp.after.max.ms" => &[("log.message.timestamp.after.max.ms", Same)],
        "message.timestamp.before.max.ms" => &[("log.message.timestamp.before.max.ms", Same)],
        "message.timestamp.difference.max.ms" => &[("log.message.timestamp.difference.max.ms", Same)],
        "message.timestamp.type" => &[("log.message.timestamp.type", Same)],
        "min.cleanable.dirty.ratio" => &[("log.cleaner.min.cleanable.ratio", Same)],
        "min.compaction.lag.ms" => &[("log.cleaner.min.compaction.lag.ms", Same)],
        "min.insync.replicas" => &[("min.insync.replicas", Same)],
        "preallocate" => &[("log.preallocate", Same)],
        "retention.bytes" => &[("log.retention.bytes", Same)],
        "retention.ms" => {
            &[("log.retention.ms", Same), ("log.retention.minutes", Minutes), ("log.retention.hours", Hours)]
        }
        "segment.bytes" => &[("log.segment.bytes", Same)],
        "segment.index.bytes" => &[("log.index.size.max.bytes", Same)],
        "segment.jitter.ms" => &[("log.roll.jitter.ms", Same), ("log.roll.jitter.hours", Hours)],
        "segment.ms" => &[("log.roll.ms", Same), ("log.roll.hours", Hours)],
        "unclean.leader.election.enable" => &[("unclean.leader.election.enable", Same)],
        _ => &[],
    }
}

/// The value in force of a topic setting, as text; `None` when it is null.
#[must_use]
pub fn effective(setting: &Setting, overrides: &ConfigMap, layers: &ConfigLayers) -> Option<String> {
    overrides.get(setting.name).cloned().or_else(|| inherited(setting, layers))
}

/// The value that the broker's settings give, or the default.
#[must_use]
pub fn inherited(setting: &Setting, layers: &ConfigLayers) -> Option<String> {
    let set = |&(name, unit): &(&str, Unit)| Some(unit.convert(layers.get(name).filter(|v| !v.trim().is_empty())?));
    broker_synonyms(setting.name).iter().find_map(set).or_else(|| setting.default.map(str::to_owned))
}

/// Checks the settings of a topic, by name, by value, and against each other.
pub fn validate(overrides: &ConfigMap, layers: &ConfigLayers) -> Result<(), InvalidValue> {
    for (name, value) in overrides {
        let setting = settings::topic_setting(name).ok_or_else(|| InvalidValue {
            name: name.clone(),
            value: Some(value.clone()),
            reason: format!("Unknown topic config name: {name}"),
        })?;
        setting.check(value)?;
    }
    let number = |name: &str| -> Option<i64> {
        effective(settings::topic_setting(name)?, overrides, layers)?.trim().parse().ok()
    };
    if let (Some(min), Some(max)) = (number("min.compaction.lag.ms"), number("max.compaction.lag.ms"))
        && min > max
    {
        return Err(InvalidValue {
            name: "max.compaction.lag.ms".to_owned(),
            value: Some(max.to_string()),
            reason: format!(
                "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"
            ),
        });
    }
    if overrides.get("remote.storage.enable").is_some_and(|v| parse_bool(v) == Some(true)) {
        return Err(InvalidValue {
            name: "remote.storage.enable".to_owned(),
            value: Some("true".to_owned()),
            reason: "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."
                .to_owned(),
        });
    }
    Ok(())
}

/// The settings of one of this topic's logs. A value that its setting can't have (a foreign tool wrote it) falls back on what
/// the broker's settings say.
#[must_use]
pub fn log_config(overrides: &ConfigMap, layers: &ConfigLayers) -> LogConfig {
    let values = Values { overrides, layers };
    let policy = values.text("cleanup.policy");
    let (before, after) = values.timestamp_bounds();
    let mut config = LogConfig::default();
    config.segment_bytes =
        values.number("internal.segment.bytes").unwrap_or_else(|| values.or("segment.bytes", config.segment_bytes));
    config.segment_ms = values.or("segment.ms", config.segment_ms);
    config.segment_jitter_ms = values.or("segment.jitter.ms", config.segment_jitter_ms).min(config.segment_ms);
    config.segment_index_bytes = values.or("segment.index.bytes", config.segment_index_bytes);
    config.index_interval_bytes = values.or("index.interval.bytes", config.index_interval_bytes);
    config.flush_messages = values.or("flush.messages", config.flush_messages);
    config.flush_ms = values.or("flush.ms", config.flush_ms);
    config.retention_bytes = values.or("retention.bytes", config.retention_bytes).max(-1);
    config.retention_ms = values.or("retention.ms", config.retention_ms).max(-1);
    config.local_retention_bytes = values.or("local.retention.bytes", config.local_retention_bytes);
    config.local_retention_ms = values.or("local.retention.ms", config.local_retention_ms);
    config.max_message_bytes = values.or("max.message.bytes", config.max_message_bytes);
    config.file_delete_delay_ms = values.or("file.delete.delay.ms", config.file_delete_delay_ms);
    config.delete_retention_ms = values.or("delete.retention.ms", config.delete_retention_ms);
    config.min_compaction_lag_ms = values.or("min.compaction.lag.ms", config.min_compaction_lag_ms);
    config.max_compaction_lag_ms = values.or("max.compaction.lag.ms", config.max_compaction_lag_ms);
    config.min_cleanable_dirty_ratio = values.or("min.cleanable.dirty.ratio", config.min_cleanable_dirty_ratio);
    config.compact = list(&policy).any(|word| word == "compact");
    config.delete = list(&policy).any(|word| word == "delete");
    config.compression = compression(&values.text("compression.type"));
    config.gzip_level = values.or("compression.gzip.level", config.gzip_level);
    config.lz4_level = values.or("compression.lz4.level", config.lz4_level);
    config.zstd_level = values.or("compression.zstd.level", config.zstd_level);
    config.timestamp_type = match values.text("message.timestamp.type").as_str() {
        "LogAppendTime" => TimestampType::LogAppendTime,
        _ => TimestampType::CreateTime,
    };
    config.timestamp_before_max_ms = before;
    config.timestamp_after_max_ms = after;
    config.preallocate = parse_bool(&values.text("preallocate")).unwrap_or(false);
    config.min_insync_replicas = values.or("min.insync.replicas", config.min_insync_replicas);
    config.unclean_leader_election = parse_bool(&values.text("unclean.leader.election.enable")).unwrap_or(false);
    config
}

fn compression(name: &str) -> CompressionType {
    match name {
        "uncompressed" => CompressionType::Codec(Compression::None),
        "gzip" => CompressionType::Codec(Compression::Gzip),
        "snappy" => CompressionType::Codec(Compression::Snappy),
        "lz4" => CompressionType::Codec(Compression::Lz4),
        "zstd" => CompressionType::Codec(Compression::Zstd),
        _ => CompressionType::Producer,
    }
}

struct Values<'a> {
    overrides: &'a ConfigMap,
    layers: &'a ConfigLayers,
}

impl Values<'_> {
    /// The topic's own value if it is valid, else what the broker says.
    fn get(&self, name: &str) -> Option<String> {
        let setting = settings::topic_setting(name)?;
        let own = self.overrides.get(name).filter(|value| setting.check(value).is_ok()).cloned();
        own.or_else(|| inherited(setting, self.layers))
    }

    fn text(&self, name: &str) -> String {
        self.get(name).map(|text| text.trim().to_owned()).unwrap_or_default()
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.trim().parse().ok()
    }

    fn or<T: std::str::FromStr>(&self, name: &str, default: T) -> T {
        self.number(name).unwrap_or(default)
    }

    /// The older, symmetric bound counts where neither newer one is set.
    fn timestamp_bounds(&self) -> (i64, i64) {
        let is_set = |name: &str| {
            let synonyms = broker_synonyms(name);
            self.overrides.contains_key(name) || synonyms.iter().any(|(synonym, _)| self.layers.get(synonym).is_some())
        };
        let older = "message.timestamp.difference.max.ms";
        let (before, after) = ("message.timestamp.before.max.ms", "message.timestamp.after.max.ms");
        if is_set(older) && !is_set(before) && !is_set(after) {
            let bound = self.or(older, i64::MAX);
            return (bound, bound);
        }
        (self.or(before, i64::MAX), self.or(after, 3_600_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> ConfigMap {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn layers(pairs: &[(&str, &str)]) -> ConfigLayers {
        ConfigLayers { file: map(pairs), ..ConfigLayers::default() }
    }

    #[test]
    fn nothing_set_is_the_storages_default() {
        assert_eq!(log_config(&ConfigMap::new(), &ConfigLayers::default()), LogConfig::default());
    }

    #[test]
    fn topic_wins_over_milliseconds_over_minutes_over_hours() {
        let retention =
            |own: &[(&str, &str)], broker: &[(&str, &str)]| log_config(&map(own), &layers(broker)).retention_ms;
        let hours = ("log.retention.hours", "2");
        let minutes = ("log.retention.minutes", "3");
        let ms = ("log.retention.ms", "5");
        assert_eq!(retention(&[], &[hours]), 7_200_000);
        assert_eq!(retention(&[], &[hours, minutes]), 180_000);
        assert_eq!(retention(&[], &[hours, minutes, ms]), 5);
        assert_eq!(retention(&[("retention.ms", "7")], &[hours, minutes, ms]), 7);
        assert_eq!(retention(&[("retention.ms", "x")], &[ms]), 5, "a value that cannot be falls back");
        assert_eq!(retention(&[], &[("log.retention.hours", "-1")]), -1);
    }

    #[test]
    fn flush_follows_the_scheduler_and_old_timestamp_bound_counts() {
        let config = log_config(&ConfigMap::new(), &layers(&[("log.flush.scheduler.interval.ms", "9")]));
        assert_eq!(config.flush_ms, 9);
        let config = log_config(&map(&[("message.timestamp.difference.max.ms", "4")]), &ConfigLayers::default());
        assert_eq!((config.timestamp_before_max_ms, config.timestamp_after_max_ms), (4, 4));
    }

    #[test]
    fn topics_settings_are_validated() {
        let problem = |pairs: &[(&str, &str)]| validate(&map(pairs), &ConfigLayers::default()).map_err(|e| e.reason);
        assert_eq!(problem(&[("retention.ms", "100"), ("cleanup.policy", "compact,delete")]), Ok(()));
        assert_eq!(problem(&[("no.such", "1")]), Err("Unknown topic config name: no.such".to_owned()));
        assert!(problem(&[("min.compaction.lag.ms", "9"), ("max.compaction.lag.ms", "8")]).is_err());
        assert!(problem(&[("remote.storage.enable", "true")]).is_err());
    }
}
