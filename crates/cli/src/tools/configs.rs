//! `kafka-configs.sh`: settings of topics, brokers and groups.

use clap::{ArgMatches, Command};
use ottla_client::admin::{
    Admin, ConfigChange, ConfigEntry, ConfigOperation, ConfigResource, ConfigSource, ResourceKind,
};

use crate::common::{block_on, connect, connection_flags, flag, option, options, read_properties, text, texts};
use crate::tool::{Failure, Outcome, Tool};

pub const TOOL: Tool = Tool {
    name: "configs",
    scripts: &["kafka-configs"],
    classes: &["ConfigCommand"],
    about: "Show and change the settings of topics and brokers",
    flags,
    run,
};

fn flags(command: Command) -> Command {
    connection_flags(command)
        .arg(flag("describe", "Show settings"))
        .arg(flag("alter", "Change settings"))
        .arg(option("entity-type", "TYPE", "topics, brokers, broker-loggers, groups or client-metrics"))
        .arg(option("entity-name", "NAME", "A topic's name, a broker's id, …"))
        .arg(flag("entity-default", "The default of all brokers"))
        .arg(option("topic", "NAME", "The same as --entity-type topics --entity-name NAME"))
        .arg(option("broker", "ID", "The same as --entity-type brokers --entity-name ID"))
        .arg(flag("broker-defaults", "The same as --entity-type brokers --entity-default"))
        .arg(option("group", "NAME", "The same as --entity-type groups --entity-name NAME"))
        .arg(flag("all", "With --describe: the defaults too"))
        .arg(options("add-config", "K=V,K=[A,B]", "Set these"))
        .arg(option("add-config-file", "FILE", "Set what this properties file holds"))
        .arg(options("delete-config", "K,K", "Go back to the default for these"))
        .arg(flag("force", "Ask no questions").hide(true))
}

fn run(matches: &ArgMatches) -> Outcome {
    let (describe, alter) = (matches.get_flag("describe"), matches.get_flag("alter"));
    if describe == alter {
        return Err(Failure::Usage("Command must include exactly one action: --describe, --alter".into()));
    }
    let entity = Entity::new(matches)?;
    block_on(async {
        let admin = Admin::new(connect(matches).await?);
        if describe {
            for resource in entity.resources(&admin).await? {
                show(&admin, &resource, matches.get_flag("all")).await?;
            }
            return Ok(());
        }
        let changes = changes(matches)?;
        let resource = entity.only()?;
        admin.alter_configs(&resource, &changes, false).await?;
        println!(
            "Completed updating {} for {}.",
            if is_default(&resource) { "default config" } else { "config" },
            title(&resource)
        );
        Ok(())
    })
}

/// What the flags name: a kind, and which of it.
struct Entity {
    kind: ResourceKind,
    /// `None`: all of them.
    name: Option<String>,
}

impl Entity {
    fn new(matches: &ArgMatches) -> Result<Self, Failure> {
        let short = [("topic", ResourceKind::Topic), ("broker", ResourceKind::Broker), ("group", ResourceKind::Group)];
        for (name, kind) in short {
            if let Some(value) = text(matches, name) {
                return Ok(Self { kind, name: Some(value.to_owned()) });
            }
        }
        if matches.get_flag("broker-defaults") {
            return Ok(Self { kind: ResourceKind::Broker, name: Some(String::new()) });
        }
        let kind = match text(matches, "entity-type") {
            Some("topics") => ResourceKind::Topic,
            Some("brokers") => ResourceKind::Broker,
            Some("broker-loggers") => ResourceKind::BrokerLogger,
            Some("groups") => ResourceKind::Group,
            Some("client-metrics") => ResourceKind::ClientMetrics,
            Some(other @ ("users" | "clients" | "ips")) => {
                return Err(Failure::Failed(format!(
                    "--entity-type {other}: quotas and credentials are not served yet"
                )));
            }
            Some(other) => {
                return Err(Failure::Usage(format!(
                    "--entity-type {other}: this must be topics, brokers, broker-loggers, groups or client-metrics"
                )));
            }
            None => return Err(Failure::Usage("--entity-type is missing: topics or brokers, for instance".into())),
        };
        let default = matches.get_flag("entity-default");
        let name = text(matches, "entity-name").map(str::to_owned);
        Ok(Self { kind, name: if default { Some(String::new()) } else { name } })
    }

    fn only(&self) -> Result<ConfigResource, Failure> {
        match &self.name {
            Some(name) => Ok(ConfigResource { kind: self.kind, name: name.clone() }),
            None => Err(Failure::Usage("--alter needs --entity-name or --entity-default".into())),
        }
    }

    async fn resources(&self, admin: &Admin) -> Result<Vec<ConfigResource>, Failure> {
        if self.name.is_some() {
            return Ok(vec![self.only()?]);
        }
        let names: Vec<String> = match self.kind {
            ResourceKind::Topic => admin.list_topics().await?.topics.keys().map(ToString::to_string).collect(),
            ResourceKind::Group => admin.list_groups(&[], &[]).await?.into_iter().map(|group| group.group_id).collect(),
            _ => {
                let brokers = admin.describe_cluster().await?.brokers;
                brokers.iter().map(|broker| broker.id.to_string()).chain([String::new()]).collect()
            }
        };
        Ok(names.into_iter().map(|name| ConfigResource { kind: self.kind, name }).collect())
    }
}

fn is_default(resource: &ConfigResource) -> bool {
    resource.kind == ResourceKind::Broker && resource.name.is_empty()
}

/// How the tool speaks of a resource: `topic t`, `broker 1`, `brokers in the cluster`.
fn title(resource: &ConfigResource) -> String {
    let kind = match resource.kind {
        ResourceKind::Topic => "topic",
        ResourceKind::Broker if resource.name.is_empty() => return "brokers in the cluster".into(),
        ResourceKind::Broker => "broker",
        ResourceKind::BrokerLogger => "broker-logger",
        ResourceKind::Group => "group",
        ResourceKind::ClientMetrics => "client-metric",
    };
    format!("{kind} {}", resource.name)
}

async fn show(admin: &Admin, resource: &ConfigResource, all: bool) -> Outcome {
    let entries = admin.describe_configs(resource, None, true, false).await?;
    let which = match (is_default(resource), all) {
        (true, _) => "Default",
        (false, true) => "All",
        (false, false) => "Dynamic",
    };
    println!("{which} configs for {} are:", title(resource));
    let mut entries: Vec<&ConfigEntry> = entries.iter().filter(|entry| all || is_own(resource, entry)).collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    for entry in entries {
        let synonyms: Vec<String> = entry
            .synonyms
            .iter()
            .map(|s| format!("{}:{}={}", s.source.name(), s.name, s.value.as_deref().unwrap_or("null")))
            .collect();
        println!(
            "  {}={} sensitive={} synonyms={{{}}}",
            entry.name,
            entry.value.as_deref().unwrap_or("null"),
            entry.is_sensitive,
            synonyms.join(", ")
        );
    }
    Ok(())
}

/// Whether the setting was made for this resource, and not for another one above it.
fn is_own(resource: &ConfigResource, entry: &ConfigEntry) -> bool {
    match resource.kind {
        ResourceKind::Topic => entry.source == ConfigSource::DynamicTopic,
        ResourceKind::Broker if resource.name.is_empty() => entry.source == ConfigSource::DynamicDefaultBroker,
        ResourceKind::Broker => entry.source == ConfigSource::DynamicBroker,
        _ => !matches!(entry.source, ConfigSource::Default | ConfigSource::StaticBroker),
    }
}

fn changes(matches: &ArgMatches) -> Result<Vec<ConfigChange>, Failure> {
    let set =
        |(name, value): (String, String)| ConfigChange { name, operation: ConfigOperation::Set, value: Some(value) };
    let mut changes = Vec::new();
    for added in texts(matches, "add-config") {
        changes.extend(parse_added(added)?.into_iter().map(set));
    }
    if let Some(file) = text(matches, "add-config-file") {
        changes.extend(read_properties(file)?.into_iter().map(set));
    }
    for deleted in texts(matches, "delete-config").iter().flat_map(|names| names.split(',')) {
        let name = deleted.trim().to_owned();
        changes.push(ConfigChange { name, operation: ConfigOperation::Delete, value: None });
    }
    if changes.is_empty() {
        return Err(Failure::Usage("--alter needs --add-config, --add-config-file or --delete-config".into()));
    }
    Ok(changes)
}

/// `a=1,b=[x,y]`: brackets keep a value's commas together.
fn parse_added(text: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest
            .split_once('=')
            .ok_or_else(|| Failure::Usage(format!("--add-config {rest}: this must be NAME=VALUE")))?;
        let (value, next) = match after.strip_prefix('[') {
            Some(list) => {
                let end =
                    list.find(']').ok_or_else(|| Failure::Usage(format!("--add-config {text}: a ] is missing")))?;
                (&list[..end], list[end + 1..].strip_prefix(',').unwrap_or(&list[end + 1..]))
            }
            None => after.split_once(',').unwrap_or((after, "")),
        };
        found.push((name.trim().to_owned(), value.trim().to_owned()));
        rest = next;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_settings() {
        let parsed = |text| parse_added(text).ok();
        let pairs =
            |list: &[(&str, &str)]| Some(list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
        assert_eq!(parsed("a=1,b=2"), pairs(&[("a", "1"), ("b", "2")]));
        assert_eq!(parsed("a=[x,y],b=2"), pairs(&[("a", "x,y"), ("b", "2")]));
        assert_eq!(parsed("a="), pairs(&[("a", "")]));
        assert_eq!(parsed("a=[x"), None);
        assert_eq!(parsed("a"), None);
    }
}
