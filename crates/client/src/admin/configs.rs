//! Settings of topics, brokers and groups.

use ottla_protocol::Str;
use ottla_protocol::messages::describe_configs_request::DescribeConfigsResource;
use ottla_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, alter_configs_request,
    incremental_alter_configs_request,
};

use super::Admin;
use crate::connection::Connection;
use crate::error::{ClientError, Result, check};

/// What has settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceKind {
    Topic = 2,
    /// The empty name means all brokers (the cluster's default).
    Broker = 4,
    BrokerLogger = 8,
    ClientMetrics = 16,
    Group = 32,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    Unknown,
    DynamicTopic,
    DynamicBroker,
    DynamicDefaultBroker,
    StaticBroker,
    Default,
    DynamicBrokerLogger,
    DynamicClientMetrics,
    DynamicGroup,
}

impl ConfigSource {
    fn from_wire(source: i8) -> Self {
        match source {
            1 => Self::DynamicTopic,
            2 => Self::DynamicBroker,
            3 => Self::DynamicDefaultBroker,
            4 => Self::StaticBroker,
            5 => Self::Default,
            6 => Self::DynamicBrokerLogger,
            7 => Self::DynamicClientMetrics,
            8 => Self::DynamicGroup,
            _ => Self::Unknown,
        }
    }

    /// Its name in Kafka's tools.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::DynamicTopic => "DYNAMIC_TOPIC_CONFIG",
            Self::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
            Self::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
            Self::StaticBroker => "STATIC_BROKER_CONFIG",
            Self::Default => "DEFAULT_CONFIG",
            Self::DynamicBrokerLogger => "DYNAMIC_BROKER_LOGGER_CONFIG",
            Self::DynamicClientMetrics => "DYNAMIC_CLIENT_METRICS_CONFIG",
            Self::DynamicGroup => "DYNAMIC_GROUP_CONFIG",
        }
    }
}

/// A value that a setting has from one of its sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    pub name: String,
    pub value: Option<String>,
    pub source: ConfigSource,
}

/// A setting and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    pub name: String,
    /// `None` when it is not set, or secret.
    pub value: Option<String>,
    pub source: ConfigSource,
    pub is_read_only: bool,
    pub is_sensitive: bool,
    /// From the strongest source to the weakest; empty unless asked for.
    pub synonyms: Vec<ConfigSynonym>,
    pub documentation: Option<String>,
}

/// What has settings, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigResource {
    pub kind: ResourceKind,
    pub name: String,
}

/// How to change a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigOperation {
    Set = 0,
    Delete = 1,
    /// To a list.
    Append = 2,
    /// From a list.
    Subtract = 3,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    pub name: String,
    pub operation: ConfigOperation,
    pub value: Option<String>,
}

impl Admin {
    /// The settings of `resource`, all of them or those named.
    pub async fn describe_configs(
        &self,
        resource: &ConfigResource,
        names: Option<&[String]>,
        synonyms: bool,
        documentation: bool,
    ) -> Result<Vec<ConfigEntry>> {
        let connection = self.holder(resource).await?;
        let version = connection.version_up_to::<DescribeConfigsRequest<'_>>(i16::MAX)?;
        let request = DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type: resource.kind as i8,
                resource_name: Str::Borrowed(&resource.name),
                configuration_keys: names.map(|names| names.iter().map(|name| Str::Borrowed(name.as_str())).collect()),
            }],
            include_synonyms: synonyms && version >= 1,
            include_documentation: documentation && version >= 3,
        };
        let frame = connection.call_version(&request, version).await?;
        let answer: DescribeConfigsResponse<'_> = frame.decode()?;
        let result =
            answer.results.first().ok_or_else(|| ClientError::Protocol("the answer names nothing".to_owned()))?;
        check(result.error_code, result.error_message.as_deref(), || resource.describe())?;
        let text = |text: &Option<Str<'_>>| text.as_deref().map(str::to_owned);
        let entries = result.configs.iter().map(|entry| ConfigEntry {
            name: entry.name.to_string(),
            value: text(&entry.value),
            source: match ConfigSource::from_wire(entry.config_source) {
                // Version 0 knows only whether it is a default.
                ConfigSource::Unknown if version == 0 && entry.is_default => ConfigSource::Default,
                source => source,
            },
            is_read_only: entry.read_only,
            is_sensitive: entry.is_sensitive,
            synonyms: entry
                .synonyms
                .iter()
                .map(|synonym| ConfigSynonym {
                    name: synonym.name.to_string(),
                    value: text(&synonym.value),
                    source: ConfigSource::from_wire(synonym.source),
                })
                .collect(),
            documentation: text(&entry.documentation),
        });
        Ok(entries.collect())
    }

    /// Changes settings of `resource` and leaves the others (KIP-339). Brokers before 2.3 know only how to replace all of
    /// them: for those the present ones are read and written back.
    pub async fn alter_configs(
        &self,
        resource: &ConfigResource,
        changes: &[ConfigChange],
        validate_only: bool,
    ) -> Result<()> {
        let connection = match resource.kind {
            ResourceKind::Topic | ResourceKind::Group | ResourceKind::ClientMetrics => self.cluster.any().await?,
            _ => self.holder(resource).await?,
        };
        if connection.version_up_to::<IncrementalAlterConfigsRequest<'_>>(i16::MAX).is_err() {
            return self.replace_configs(&connection, resource, changes, validate_only).await;
        }
        let request = IncrementalAlterConfigsRequest {
            resources: vec![incremental_alter_configs_request::AlterConfigsResource {
                resource_type: resource.kind as i8,
                resource_name: Str::Borrowed(&resource.name),
                configs: changes
                    .iter()
                    .map(|change| incremental_alter_configs_request::AlterableConfig {
                        name: Str::Borrowed(&change.name),
                        config_operation: change.operation as i8,
                        value: change.value.as_deref().map(Str::Borrowed),
                    })
                    .collect(),
            }],
            validate_only,
        };
        let frame = connection.call(&request).await?;
        let answer: IncrementalAlterConfigsResponse<'_> = frame.decode()?;
        let result = answer.responses.first();
        let result = result.ok_or_else(|| ClientError::Protocol("the answer names nothing".to_owned()))?;
        check(result.error_code, result.error_message.as_deref(), || resource.describe())
    }

    async fn replace_configs(
        &self,
        connection: &Connection,
        resource: &ConfigResource,
        changes: &[ConfigChange],
        validate_only: bool,
    ) -> Result<()> {
        let own = match resource.kind {
            ResourceKind::Topic => ConfigSource::DynamicTopic,
            _ => ConfigSource::DynamicBroker,
        };
        let present = self.describe_configs(resource, None, false, false).await?;
        // Version 0 doesn't tell the source; what is no default of a topic is its own.
        let is_own = |entry: &ConfigEntry| entry.source == own || entry.source == ConfigSource::Unknown;
        let mut configs: Vec<(String, Option<String>)> =
            present.into_iter().filter(is_own).map(|entry| (entry.name, entry.value)).collect();
        for change in changes {
            if matches!(change.operation, ConfigOperation::Append | ConfigOperation::Subtract) {
                let what = "changes to a list (IncrementalAlterConfigs)".to_owned();
                return Err(ClientError::Unsupported { broker: connection.broker().to_owned(), what });
            }
            configs.retain(|(name, _)| *name != change.name);
            if change.operation == ConfigOperation::Set {
                configs.push((change.name.clone(), change.value.clone()));
            }
        }
        let request = AlterConfigsRequest {
            resources: vec![alter_configs_request::AlterConfigsResource {
                resource_type: resource.kind as i8,
                resource_name: Str::Borrowed(&resource.name),
                configs: configs
                    .iter()
                    .map(|(name, value)| alter_configs_request::AlterableConfig {
                        name: Str::Borrowed(name),
                        value: value.as_deref().map(Str::Borrowed),
                    })
                    .collect(),
            }],
            validate_only,
        };
        let frame = connection.call(&request).await?;
        let answer: AlterConfigsResponse<'_> = frame.decode()?;
        let result = answer.responses.first();
        let result = result.ok_or_else(|| ClientError::Protocol("the answer names nothing".to_owned()))?;
        check(result.error_code, result.error_message.as_deref(), || resource.describe())
    }

    /// Whom to ask: a broker for its own settings, anybody for the rest.
    async fn holder(&self, resource: &ConfigResource) -> Result<Connection> {
        let is_one = matches!(resource.kind, ResourceKind::Broker | ResourceKind::BrokerLogger);
        if !is_one || resource.name.is_empty() {
            return self.cluster.any().await;
        }
        let id =
            resource.name.parse().map_err(|_| ClientError::Config(format!("'{}' is no broker id", resource.name)))?;
        self.cluster.node(id).await
    }
}

impl ConfigResource {
    fn describe(&self) -> String {
        let kind = match self.kind {
            ResourceKind::Topic => "topic",
            ResourceKind::Broker if self.name.is_empty() => return "all brokers".to_owned(),
            ResourceKind::Broker | ResourceKind::BrokerLogger => "broker",
            ResourceKind::ClientMetrics => "client metrics",
            ResourceKind::Group => "group",
        };
        format!("{kind} {}", self.name)
    }
}
