//! AlterConfigs and IncrementalAlterConfigs: settings of topics and brokers, written with a notification to all brokers.

use std::borrow::Cow;
use std::collections::BTreeSet;

use ottla_keeper::ops::{AclEntry, CreateMode, KeeperOp, KeeperReply, KeeperResult};
use ottla_protocol::messages::alter_configs_request::AlterConfigsRequest;
use ottla_protocol::messages::alter_configs_response::{
    AlterConfigsResourceResponse as FullResponse, AlterConfigsResponse,
};
use ottla_protocol::messages::incremental_alter_configs_request::IncrementalAlterConfigsRequest;
use ottla_protocol::messages::incremental_alter_configs_response::{
    AlterConfigsResourceResponse as IncrementalResponse, IncrementalAlterConfigsResponse,
};
use ottla_protocol::{DecodeError, ErrorCode, Message};

use super::describe_configs::{check_resource, resource_type};
use super::{AdminStep, MAX_RESOURCES, MAX_ZNODE_BYTES, Refusal};
use crate::config::{
    BrokerConfig, ConfigLayers, ConfigMap, ConfigType, Setting, UpdateMode, broker_setting, list, listener_setting,
    topic_config, topic_setting,
};
use crate::control_plane::ControlPlane;
use crate::lifecycle::{create, data_of, get};
use crate::reply::Responder;
use crate::znodes;

/// How often a change is tried again on top of one that came in between.
const ATTEMPTS: u32 = 10;

/// Numbers of `AlterConfigOp.OpType`.
mod operation {
    pub const SET: i8 = 0;
    pub const DELETE: i8 = 1;
    pub const APPEND: i8 = 2;
    pub const SUBTRACT: i8 = 3;
}

/// What to do with one setting.
#[derive(Debug)]
struct Change {
    name: String,
    operation: i8,
    value: Option<String>,
}

/// One resource of the request.
#[derive(Debug)]
struct Resource {
    kind: i8,
    name: String,
    changes: Vec<Change>,
    /// What has become of it, once that is known.
    outcome: Option<Result<(), Refusal>>,
    /// What is being written.
    planned: Option<ConfigMap>,
}

impl Resource {
    fn new(kind: i8, name: &str, changes: Vec<Change>) -> Self {
        Self { kind, name: name.to_owned(), changes, outcome: None, planned: None }
    }

    /// The entity's path under `/config`.
    fn entity_path(&self) -> String {
        match self.kind {
            resource_type::TOPIC => format!("topics/{}", self.name),
            _ if self.name.is_empty() => format!("brokers/{}", znodes::DEFAULT_ENTITY),
            _ => format!("brokers/{}", self.name),
        }
    }

    fn reads(&self) -> Vec<KeeperOp> {
        let config = get(format!("/config/{}", self.entity_path()), false);
        let there = if self.kind == resource_type::TOPIC {
            znodes::topic(&self.name)
        } else {
            znodes::CONFIG_BROKERS.to_owned()
        };
        vec![config, KeeperOp::Exists { path: there, watch: false }]
    }

    fn setting(&self, name: &str) -> Option<&'static Setting> {
        if self.kind == resource_type::TOPIC { topic_setting(name) } else { broker_setting(name) }
    }
}

/// An AlterConfigs or IncrementalAlterConfigs under way.
#[derive(Debug)]
pub(crate) struct AlterConfigs {
    responder: Responder,
    resources: Vec<Resource>,
    validate_only: bool,
    /// Single settings change; else the given ones replace all.
    incremental: bool,
    attempt: u32,
}

impl AlterConfigs {
    pub fn decode_full(version: i16, body: &[u8], responder: Responder) -> Result<Self, (DecodeError, Responder)> {
        let request = match AlterConfigsRequest::from_bytes(body, version) {
            Ok(request) => request,
            Err(error) => return Err((error, responder)),
        };
        let resources = request.resources.iter().map(|resource| {
            let change = |config: &ottla_protocol::messages::alter_configs_request::AlterableConfig<'_>| Change {
                name: config.name.to_string(),
                operation: operation::SET,
                value: config.value.as_deref().map(str::to_owned),
            };
            Resource::new(
                resource.resource_type,
                &resource.resource_name,
                resource.configs.iter().map(change).collect(),
            )
        });
        let resources = resources.collect();
        Ok(Self { resources, validate_only: request.validate_only, incremental: false, attempt: 0, responder })
    }

    pub fn decode_incremental(
        version: i16,
        body: &[u8],
        responder: Responder,
    ) -> Result<Self, (DecodeError, Responder)> {
        let request = match IncrementalAlterConfigsRequest::from_bytes(body, version) {
            Ok(request) => request,
            Err(error) => return Err((error, responder)),
        };
        let resources = request.resources.iter().map(|resource| {
            let change =
                |config: &ottla_protocol::messages::incremental_alter_configs_request::AlterableConfig<'_>| Change {
                    name: config.name.to_string(),
                    operation: config.config_operation,
                    value: config.value.as_deref().map(str::to_owned),
                };
            Resource::new(
                resource.resource_type,
                &resource.resource_name,
                resource.configs.iter().map(change).collect(),
            )
        });
        let resources = resources.collect();
        Ok(Self { resources, validate_only: request.validate_only, incremental: true, attempt: 0, responder })
    }

    pub fn refuse(mut self, refusal: Refusal) {
        for resource in &mut self.resources {
            resource.outcome = Some(Err(refusal.clone()));
        }
        self.answer();
    }

    fn answer(self) {
        let parts = self.resources.iter().map(|resource| match &resource.outcome {
            Some(Err((code, message))) => (*code as i16, Some(Cow::Borrowed(message.as_str())), resource),
            _ => (0, None, resource),
        });
        if self.incremental {
            let responses = parts.map(|(error_code, error_message, resource)| IncrementalResponse {
                error_code,
                error_message,
                resource_type: resource.kind,
                resource_name: Cow::Borrowed(&resource.name),
            });
            let responses = responses.collect();
            self.responder.send(&IncrementalAlterConfigsResponse { throttle_time_ms: 0, responses });
        } else {
            let responses = parts.map(|(error_code, error_message, resource)| FullResponse {
                error_code,
                error_message,
                resource_type: resource.kind,
                resource_name: Cow::Borrowed(&resource.name),
            });
            let responses = responses.collect();
            self.responder.send(&AlterConfigsResponse { throttle_time_ms: 0, responses });
        }
    }

    fn open(&mut self) -> impl Iterator<Item = &mut Resource> {
        self.resources.iter_mut().filter(|resource| resource.outcome.is_none())
    }
}

impl ControlPlane {
    pub(crate) fn alter_configs(&mut self, mut request: AlterConfigs) {
        if request.resources.len() > MAX_RESOURCES {
            return request
                .refuse((ErrorCode::InvalidRequest, format!("More than {MAX_RESOURCES} resources in one request.")));
        }
        let own = self.broker_id().to_string();
        let mut seen = BTreeSet::new();
        for resource in &mut request.resources {
            let twice = !seen.insert((resource.kind, resource.name.clone()));
            let duplicate = (ErrorCode::InvalidRequest, "Each resource must appear at most once.".to_owned());
            let checked = if twice { Err(duplicate) } else { check_resource(resource.kind, &resource.name, &own) };
            let checked = checked.and_then(|()| check_changes(&resource.changes));
            resource.outcome = checked.err().map(Err);
        }
        self.read_for_alteration(request);
    }

    fn read_for_alteration(&mut self, mut request: AlterConfigs) {
        let ops: Vec<KeeperOp> = request.open().flat_map(|resource| resource.reads()).collect();
        if ops.is_empty() {
            return request.answer();
        }
        self.admin_keeper(ops, AdminStep::AlterConfigs(request));
    }

    pub(crate) fn on_altered_configs_read(&mut self, mut request: AlterConfigs, results: &[KeeperResult]) {
        let layers = self.shared.broker().layers.clone();
        let (incremental, validate_only) = (request.incremental, request.validate_only);
        let mut ops = Vec::new();
        for (resource, read) in request.open().zip(results.chunks(2)) {
            match plan(resource, read, incremental, &layers) {
                Err(refusal) => resource.outcome = Some(Err(refusal)),
                Ok(_) if validate_only => resource.outcome = Some(Ok(())),
                Ok(planned) => {
                    ops.push(write(resource, &planned, &read[0]));
                    resource.planned = Some(planned);
                }
            }
        }
        if ops.is_empty() {
            return request.answer();
        }
        self.admin_keeper(ops, AdminStep::ConfigsAltered(request));
    }

    /// A change that somebody else's came before is made again on top of it; so is one that was sent twice, which does no harm.
    pub(crate) fn on_altered_configs_written(
        &mut self,
        mut request: AlterConfigs,
        results: &[KeeperResult],
        _retried: bool,
    ) {
        request.attempt += 1;
        let last = request.attempt >= ATTEMPTS;
        let mut written = Vec::new();
        for (resource, result) in request.open().zip(results) {
            match result {
                Ok(_) => {
                    written.push((resource.entity_path(), resource.planned.take().unwrap_or_default()));
                    resource.outcome = Some(Ok(()));
                }
                Err(error) if !last && (error.is_bad_version() || error.is_node_exists() || error.is_no_node()) => {}
                Err(error) => {
                    let message = format!("The keeper refused it: {error:?}");
                    resource.outcome = Some(Err((ErrorCode::UnknownServerError, message)));
                }
            }
        }
        // At once, so that whoever reads the answer finds this broker changed; the notification changes the others.
        for (path, config) in written {
            match path.split_once('/') {
                Some(("topics", topic)) => self.set_topic_config(topic, config),
                Some(("brokers", entity)) => self.set_broker_config(entity, config),
                _ => {}
            }
        }
        self.read_for_alteration(request);
    }
}

/// Names once each, and values where they are needed.
fn check_changes(changes: &[Change]) -> Result<(), Refusal> {
    let invalid = |message: String| Err((ErrorCode::InvalidRequest, message));
    let mut names = BTreeSet::new();
    let twice: Vec<&str> = changes.iter().map(|c| c.name.as_str()).filter(|name| !names.insert(*name)).collect();
    if !twice.is_empty() {
        return invalid(format!("Error due to duplicate config keys : {}", twice.join(",")));
    }
    let nulls: Vec<&str> = changes
        .iter()
        .filter(|change| change.value.is_none() && change.operation != operation::DELETE)
        .map(|change| change.name.as_str())
        .collect();
    if !nulls.is_empty() {
        return invalid(format!("Null value not supported for : {}", nulls.join(",")));
    }
    match changes.iter().find(|change| !(operation::SET..=operation::SUBTRACT).contains(&change.operation)) {
        Some(change) => invalid(format!("Unknown operation {} for {}", change.operation, change.name)),
        None => Ok(()),
    }
}

/// The settings as they shall be.
fn plan(
    resource: &Resource,
    read: &[KeeperResult],
    incremental: bool,
    layers: &ConfigLayers,
) -> Result<ConfigMap, Refusal> {
    if resource.kind == resource_type::TOPIC && read[1].is_err() {
        let code = ErrorCode::UnknownTopicOrPartition;
        return Err((code, code.message().to_owned()));
    }
    let there = data_of(&read[0]).map_or_else(|| Ok(ConfigMap::new()), znodes::decode_config);
    let there = there.map_err(|error| (ErrorCode::UnknownServerError, error.to_string()))?;
    let mut planned = if incremental { there } else { ConfigMap::new() };
    for change in &resource.changes {
        apply(change, resource, &mut planned, layers)?;
    }
    if resource.kind == resource_type::TOPIC {
        topic_config::validate(&planned, layers).map_err(|error| (ErrorCode::InvalidConfig, error.to_string()))?;
    } else {
        check_broker_settings(resource, &planned, layers)?;
    }
    if znodes::encode_config(&planned).len() > MAX_ZNODE_BYTES {
        return Err((ErrorCode::InvalidConfig, "The settings are too large for the keeper.".to_owned()));
    }
    Ok(planned)
}

fn apply(change: &Change, resource: &Resource, planned: &mut ConfigMap, layers: &ConfigLayers) -> Result<(), Refusal> {
    let name = change.name.clone();
    let value = change.value.clone().unwrap_or_default();
    match change.operation {
        operation::DELETE => {
            planned.remove(&name);
        }
        operation::SET => {
            planned.insert(name, value);
        }
        _ => {
            let setting = resource.setting(&name);
            let Some(setting) = setting.filter(|setting| setting.kind == ConfigType::List) else {
                let word = if change.operation == operation::APPEND { "append" } else { "subtract" };
                let message = format!("Config value {word} is not allowed for config key: {name}");
                return Err((ErrorCode::InvalidConfig, message));
            };
            let inherited = || {
                if resource.kind == resource_type::TOPIC {
                    topic_config::inherited(setting, layers)
                } else {
                    layers.get_or_default(setting.name).map(str::to_owned)
                }
            };
            let before = planned.get(&name).cloned().or_else(inherited).unwrap_or_default();
            let mut items: Vec<&str> = list(&before).collect();
            for item in list(&value) {
                items.retain(|other| *other != item);
                if change.operation == operation::APPEND {
                    items.push(item);
                }
            }
            planned.insert(name, items.join(","));
        }
    }
    Ok(())
}

/// Only what may change while running, for one broker or for all, and together with the rest a configuration that works.
fn check_broker_settings(resource: &Resource, planned: &ConfigMap, layers: &ConfigLayers) -> Result<(), Refusal> {
    let invalid = |message: String| Err((ErrorCode::InvalidConfig, message));
    let mode = |name: &str| {
        broker_setting(name).map_or_else(|| listener_setting(name).map(|_| UpdateMode::PerBroker), |s| Some(s.mode))
    };
    let named = |wanted: Option<UpdateMode>| -> Vec<&str> {
        planned.keys().map(String::as_str).filter(|name| mode(name) == wanted).collect()
    };
    let unknown = named(None);
    if !unknown.is_empty() {
        return invalid(format!("Unknown broker config names: {}", unknown.join(", ")));
    }
    let fixed = named(Some(UpdateMode::ReadOnly));
    if !fixed.is_empty() {
        return invalid(format!("Cannot update these configs dynamically: {}", fixed.join(", ")));
    }
    let of_one = named(Some(UpdateMode::PerBroker));
    if resource.name.is_empty() && !of_one.is_empty() {
        return invalid(format!(
            "Cannot update these configs at default cluster level, broker id must be specified: {}",
            of_one.join(", ")
        ));
    }
    if let Some(name) = planned.keys().find(|name| broker_setting(name).is_some_and(Setting::is_sensitive)) {
        return invalid(format!(
            "{name} is a password: it is set in the broker's file, where no other tool can read it"
        ));
    }
    let mut changed = ConfigLayers { file: layers.file.clone(), ..ConfigLayers::default() };
    *(if resource.name.is_empty() { &mut changed.cluster } else { &mut changed.broker }) = planned.clone();
    BrokerConfig::from_layers(changed).map(|_| ()).or_else(|error| invalid(error.to_string()))
}

/// The settings and the notification, together.
fn write(resource: &Resource, planned: &ConfigMap, read: &KeeperResult) -> KeeperOp {
    let entity_path = resource.entity_path();
    let path = format!("/config/{entity_path}");
    let data = Some(znodes::encode_config(planned));
    let settings = match read {
        Ok(KeeperReply::Data { stat, .. }) => KeeperOp::SetData { path, data, version: stat.version },
        _ => create(path, data),
    };
    let notification = KeeperOp::Create {
        path: znodes::config_change_prefix(),
        data: Some(znodes::encode_config_change(&entity_path)),
        acl: AclEntry::open(),
        mode: CreateMode::PersistentSequential,
    };
    KeeperOp::Multi(vec![settings, notification])
}
