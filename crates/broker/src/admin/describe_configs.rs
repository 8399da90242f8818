//! DescribeConfigs: every setting of a topic or a broker, where its value comes from, and what it would be otherwise.

use std::borrow::Cow;

use ottla_keeper::ops::{KeeperOp, KeeperResult};
use ottla_protocol::messages::describe_configs_request::DescribeConfigsRequest;
use ottla_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};
use ottla_protocol::{DecodeError, ErrorCode, Message};

use super::{AdminStep, MAX_RESOURCES, Refusal, topic_name};
use crate::config::{
    ConfigLayers, ConfigMap, Setting, UpdateMode, broker_setting, broker_settings, topic_config, topic_settings,
};
use crate::control_plane::ControlPlane;
use crate::lifecycle::{data_of, get};
use crate::reply::Responder;
use crate::znodes;

/// Numbers of `ConfigResource.Type`.
pub(super) mod resource_type {
    pub const TOPIC: i8 = 2;
    pub const BROKER: i8 = 4;
    pub const BROKER_LOGGER: i8 = 8;
    pub const CLIENT_METRICS: i8 = 16;
    pub const GROUP: i8 = 32;
}

/// Numbers of `DescribeConfigsResponse.ConfigSource`.
mod source {
    pub const TOPIC: i8 = 1;
    pub const DYNAMIC_BROKER: i8 = 2;
    pub const DYNAMIC_DEFAULT_BROKER: i8 = 3;
    pub const STATIC_BROKER: i8 = 4;
    pub const DEFAULT: i8 = 5;
}

/// A value in force and all that it wins over, the winner first.
#[derive(Debug)]
pub(super) struct Entry {
    setting: &'static Setting,
    pub name: &'static str,
    pub value: Option<String>,
    pub source: i8,
    read_only: bool,
    synonyms: Vec<(&'static str, Option<String>, i8)>,
}

/// The broker settings that stand for one another, the strongest first.
#[doc(alias = "DynamicBrokerConfig.brokerConfigSynonyms")]
fn names_of(setting: &'static Setting) -> Vec<&'static str> {
    let all: &[&'static str] = match setting.name {
        "log.roll.ms" | "log.roll.hours" => &["log.roll.ms", "log.roll.hours"],
        "log.roll.jitter.ms" | "log.roll.jitter.hours" => &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        "log.flush.interval.ms" => &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        "log.retention.ms" | "log.retention.minutes" | "log.retention.hours" => {
            &["log.retention.ms", "log.retention.minutes", "log.retention.hours"]
        }
        name => return vec![name],
    };
    all.to_vec()
}

/// The values that a broker setting has in the layers, the strongest first; the default last.
fn layered(name: &'static str, layers: &ConfigLayers) -> Vec<(&'static str, Option<String>, i8)> {
    let Some(setting) = broker_setting(name) else { return Vec::new() };
    let dynamic = setting.mode != UpdateMode::ReadOnly;
    let in_layer = |layer: &ConfigMap, source: i8| layer.get(name).map(|value| (name, Some(value.clone()), source));
    let mut found: Vec<_> = [
        if dynamic { in_layer(&layers.broker, source::DYNAMIC_BROKER) } else { None },
        if dynamic { in_layer(&layers.cluster, source::DYNAMIC_DEFAULT_BROKER) } else { None },
        in_layer(&layers.file, source::STATIC_BROKER),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let Some(default) = setting.default {
        found.push((name, Some(default.to_owned()), source::DEFAULT));
    }
    found
}

/// Defaults lose against every value that was set, under whatever name.
fn strongest_first(mut values: Vec<(&'static str, Option<String>, i8)>) -> Vec<(&'static str, Option<String>, i8)> {
    values.sort_by_key(|(_, _, source)| *source == source::DEFAULT);
    values
}

/// What is shown of them: from the first that has this very name on, as Kafka does.
#[doc(alias = "ConfigHelper.configSynonyms")]
fn shown(
    values: Vec<(&'static str, Option<String>, i8)>,
    name: &str,
) -> impl Iterator<Item = (&'static str, Option<String>, i8)> {
    values.into_iter().skip_while(move |(other, _, _)| *other != name)
}

/// Every setting of a topic with these own ones.
pub(super) fn topic_entries(overrides: &ConfigMap, layers: &ConfigLayers) -> Vec<Entry> {
    let entry = |setting: &'static Setting| {
        let own = overrides.get(setting.name).map(|value| (setting.name, Some(value.clone()), source::TOPIC));
        let broker = topic_config::broker_synonyms(setting.name);
        let inherited = strongest_first(broker.iter().flat_map(|(name, _)| layered(name, layers)).collect());
        let inherited: Vec<_> = shown(inherited, broker.first().map_or("", |(name, _)| name)).collect();
        let winner = own.as_ref().or_else(|| inherited.iter().find(|(_, _, source)| *source != source::DEFAULT));
        let source = winner.map_or(source::DEFAULT, |(_, _, source)| *source);
        Entry {
            setting,
            name: setting.name,
            value: topic_config::effective(setting, overrides, layers),
            source,
            read_only: false,
            synonyms: own.into_iter().chain(inherited).collect(),
        }
    };
    topic_settings().iter().filter(|setting| !is_internal(setting.name)).map(entry).collect()
}

/// Every setting of a broker.
fn broker_entries(layers: &ConfigLayers) -> Vec<Entry> {
    let entry = |setting: &'static Setting| {
        let names = names_of(setting);
        let synonyms = strongest_first(names.iter().flat_map(|name| layered(name, layers)).collect());
        let own = layered(setting.name, layers);
        Entry {
            setting,
            name: setting.name,
            value: own.first().and_then(|(_, value, _)| value.clone()),
            source: own.first().map_or(source::DEFAULT, |(_, _, source)| *source),
            read_only: setting.mode == UpdateMode::ReadOnly,
            synonyms: shown(synonyms, setting.name).collect(),
        }
    };
    broker_settings().filter(|setting| !is_internal(setting.name)).map(entry).collect()
}

/// The settings that all brokers have in common, as far as they are set.
fn cluster_entries(cluster: &ConfigMap) -> Vec<Entry> {
    let entry = |(name, value): (&String, &String)| {
        let setting = broker_setting(name)?;
        let synonyms = vec![(setting.name, Some(value.clone()), source::DYNAMIC_DEFAULT_BROKER)];
        let (value, source) = (Some(value.clone()), source::DYNAMIC_DEFAULT_BROKER);
        Some(Entry { setting, name: setting.name, value, source, read_only: false, synonyms })
    };
    cluster.iter().filter_map(entry).collect()
}

/// Settings that Kafka doesn't show.
fn is_internal(name: &str) -> bool {
    name.starts_with("internal.")
        || matches!(
            name,
            "group.coordinator.new.enable"
                | "group.share.enable"
                | "group.share.persister.class.name"
                | "group.share.initialize.retry.interval.ms"
                | "group.consumer.regex.refresh.interval.ms"
                | "log.initial.task.delay.ms"
                | "server.max.startup.time.ms"
                | "unclean.leader.election.interval.ms"
                | "unstable.api.versions.enable"
                | "unstable.feature.versions.enable"
                | "zookeeper.metadata.migration.min.batch.size"
        )
}

impl Entry {
    /// `is_default` is for version 0, which knows no sources.
    fn describe(
        self,
        version: i16,
        with_synonyms: bool,
        with_documentation: bool,
    ) -> DescribeConfigsResourceResult<'static> {
        let hidden = self.setting.is_sensitive();
        let shown = |value: Option<String>| if hidden { None } else { value.map(Cow::Owned) };
        let synonyms = self.synonyms.into_iter().filter(|_| with_synonyms).map(|(name, value, source)| {
            DescribeConfigsSynonym { name: Cow::Borrowed(name), value: shown(value), source }
        });
        DescribeConfigsResourceResult {
            name: Cow::Borrowed(self.name),
            synonyms: synonyms.collect(),
            value: shown(self.value),
            read_only: self.read_only,
            is_default: version == 0 && self.source == source::DEFAULT,
            config_source: self.source,
            is_sensitive: hidden,
            config_type: self.setting.kind.protocol_code(),
            documentation: with_documentation.then_some(Cow::Borrowed(self.setting.doc)),
        }
    }
}

/// One resource of the request.
#[derive(Debug)]
struct Resource {
    kind: i8,
    name: String,
    /// The settings that are asked for; `None` is all.
    keys: Option<Vec<String>>,
    refusal: Option<Refusal>,
}

impl Resource {
    /// What has to be read for it.
    fn reads(&self) -> Vec<KeeperOp> {
        match (self.kind, &self.refusal) {
            (_, Some(_)) => Vec::new(),
            (resource_type::TOPIC, None) => {
                vec![get(znodes::topic_config(&self.name), false), get(znodes::topic(&self.name), false)]
            }
            _ => vec![
                get(znodes::broker_config(znodes::DEFAULT_ENTITY), false),
                get(znodes::broker_config(&self.name), false),
            ],
        }
    }

    fn entries(
        &self,
        results: &[KeeperResult],
        file: &ConfigMap,
        shared: &ConfigLayers,
    ) -> Result<Vec<Entry>, Refusal> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let config = |result: &KeeperResult| {
            let decoded = data_of(result).map_or_else(|| Ok(ConfigMap::new()), znodes::decode_config);
            decoded.map_err(|error| (ErrorCode::UnknownServerError, error.to_string()))
        };
        if self.kind == resource_type::TOPIC {
            if data_of(&results[1]).is_none() {
                let code = ErrorCode::UnknownTopicOrPartition;
                return Err((code, code.message().to_owned()));
            }
            return Ok(topic_entries(&config(&results[0])?, shared));
        }
        let cluster = config(&results[0])?;
        if self.name.is_empty() {
            return Ok(cluster_entries(&cluster));
        }
        Ok(broker_entries(&ConfigLayers { file: file.clone(), cluster, broker: config(&results[1])? }))
    }
}

/// A DescribeConfigs under way.
#[derive(Debug)]
pub(crate) struct DescribeConfigs {
    responder: Responder,
    resources: Vec<Resource>,
    with_synonyms: bool,
    with_documentation: bool,
}

impl DescribeConfigs {
    pub fn decode(version: i16, body: &[u8], responder: Responder) -> Result<Self, (DecodeError, Responder)> {
        let request = match DescribeConfigsRequest::from_bytes(body, version) {
            Ok(request) => request,
            Err(error) => return Err((error, responder)),
        };
        let resources = request.resources.iter().map(|resource| Resource {
            kind: resource.resource_type,
            name: resource.resource_name.to_string(),
            // An empty list is all, too, as in Kafka.
            keys: resource
                .configuration_keys
                .as_ref()
                .filter(|keys| !keys.is_empty())
                .map(|keys| keys.iter().map(ToString::to_string).collect()),
            refusal: None,
        });
        Ok(Self {
            resources: resources.collect(),
            with_synonyms: request.include_synonyms,
            with_documentation: request.include_documentation,
            responder,
        })
    }

    pub fn refuse(mut self, refusal: Refusal) {
        for resource in &mut self.resources {
            resource.refusal = Some(refusal.clone());
        }
        let empty = ConfigLayers::default();
        self.answer(&[], &empty);
    }

    fn answer(self, results: &[KeeperResult], layers: &ConfigLayers) {
        let version = self.responder.api_version();
        let mut rest = results;
        let mut described = Vec::new();
        for resource in &self.resources {
            let (of_it, others) = rest.split_at(resource.reads().len().min(rest.len()));
            rest = others;
            let base = DescribeConfigsResult {
                error_message: None,
                resource_type: resource.kind,
                resource_name: Cow::Borrowed(&resource.name),
                ..DescribeConfigsResult::default()
            };
            described.push(match resource.entries(of_it, &layers.file, layers) {
                Err((code, message)) => {
                    DescribeConfigsResult { error_code: code as i16, error_message: Some(Cow::Owned(message)), ..base }
                }
                Ok(entries) => {
                    let wanted =
                        |entry: &Entry| resource.keys.as_ref().is_none_or(|keys| keys.iter().any(|k| k == entry.name));
                    let wanted = entries.into_iter().filter(wanted);
                    let configs = wanted
                        .map(|entry| entry.describe(version, self.with_synonyms, self.with_documentation))
                        .collect();
                    DescribeConfigsResult { configs, ..base }
                }
            });
        }
        self.responder.send(&DescribeConfigsResponse { throttle_time_ms: 0, results: described });
    }
}

impl ControlPlane {
    pub(crate) fn describe_configs(&mut self, mut request: DescribeConfigs) {
        if request.resources.len() > MAX_RESOURCES {
            return request
                .refuse((ErrorCode::InvalidRequest, format!("More than {MAX_RESOURCES} resources in one request.")));
        }
        let own = self.broker_id().to_string();
        for resource in &mut request.resources {
            resource.refusal = check_resource(resource.kind, &resource.name, &own).err();
        }
        let ops: Vec<KeeperOp> = request.resources.iter().flat_map(Resource::reads).collect();
        self.admin_keeper(ops, AdminStep::DescribeConfigs(request));
    }

    pub(crate) fn on_described_configs_read(&mut self, request: DescribeConfigs, results: &[KeeperResult]) {
        request.answer(results, &self.shared.broker().layers);
    }
}

/// Whether this broker can say or change anything about the resource.
pub(super) fn check_resource(kind: i8, name: &str, own_id: &str) -> Result<(), Refusal> {
    match kind {
        resource_type::TOPIC => match topic_name::problem_with(name) {
            Some(problem) => Err((ErrorCode::InvalidTopicException, problem)),
            None => Ok(()),
        },
        resource_type::BROKER if name.is_empty() || name == own_id => Ok(()),
        resource_type::BROKER => {
            let message = format!("Unexpected broker id, expected {own_id} or empty string, but received {name}");
            Err((ErrorCode::InvalidRequest, message))
        }
        resource_type::BROKER_LOGGER => {
            let message = "The levels of the log are set at the start of the broker, not by this request.";
            Err((ErrorCode::InvalidRequest, message.to_owned()))
        }
        resource_type::CLIENT_METRICS | resource_type::GROUP => {
            let message = format!("Resources of type {kind} have no settings in this broker.");
            Err((ErrorCode::InvalidRequest, message))
        }
        _ => Err((ErrorCode::InvalidRequest, format!("Unsupported resource type: {kind}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> ConfigMap {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn find<'a>(entries: &'a [Entry], name: &str) -> &'a Entry {
        entries.iter().find(|entry| entry.name == name).expect("an entry")
    }

    /// As captured from Kafka 4.3.1.
    #[test]
    fn a_synonyms_default_is_not_a_settings_own() {
        let layers = ConfigLayers::default();
        let topic = topic_entries(&map(&[]), &layers);
        assert!(["retention.ms", "segment.ms", "flush.ms"].iter().all(|name| find(&topic, name).synonyms.is_empty()));
        let broker = broker_entries(&layers);
        assert!(["log.retention.ms", "log.roll.ms"].iter().all(|name| find(&broker, name).synonyms.is_empty()));
        let hours = ("log.retention.hours", Some("168".to_owned()), source::DEFAULT);
        assert_eq!(find(&broker, "log.retention.hours").synonyms, [hours]);
    }

    #[test]
    fn a_topics_value_and_its_synonyms_are_told() {
        let layers = ConfigLayers {
            file: map(&[("log.retention.hours", "2")]),
            cluster: map(&[("log.retention.ms", "9")]),
            ..ConfigLayers::default()
        };
        let entries = topic_entries(&map(&[("retention.ms", "5")]), &layers);
        let retention = find(&entries, "retention.ms");
        assert_eq!((retention.value.as_deref(), retention.source), (Some("5"), source::TOPIC));
        let short: Vec<_> =
            retention.synonyms.iter().map(|(n, v, s)| (*n, v.as_deref().unwrap_or("null"), *s)).collect();
        assert_eq!(
            short,
            [
                ("retention.ms", "5", source::TOPIC),
                ("log.retention.ms", "9", source::DYNAMIC_DEFAULT_BROKER),
                ("log.retention.hours", "2", source::STATIC_BROKER),
                ("log.retention.hours", "168", source::DEFAULT),
            ]
        );
        let inherited =
            topic_entries(&ConfigMap::new(), &ConfigLayers { file: layers.file, ..ConfigLayers::default() });
        let retention = find(&inherited, "retention.ms");
        // As Kafka 4.3.1 has it: the value is the file's, but it has another name there, so it counts as the default.
        assert_eq!((retention.value.as_deref(), retention.source), (Some("7200000"), source::DEFAULT));
        assert!(retention.synonyms.is_empty());
        assert_eq!(find(&inherited, "cleanup.policy").source, source::DEFAULT);
    }

    #[test]
    fn passwords_are_not_told() {
        let layers = ConfigLayers { file: map(&[("ssl.key.password", "secret")]), ..ConfigLayers::default() };
        let entries = broker_entries(&layers);
        let password = entries.into_iter().find(|entry| entry.name == "ssl.key.password").expect("an entry");
        let described = password.describe(4, true, false);
        assert!(described.is_sensitive && described.value.is_none());
        assert!(described.synonyms.iter().all(|synonym| synonym.value.is_none()));
    }
}
