//! The settings in force, where all parts of the broker read them. Only the control plane writes here.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ottla_base::hash::FixedMap;
use ottla_storage::config::LogConfig;
use parking_lot::RwLock;

use super::broker_config::{BrokerConfig, ConfigMap};
use super::topic_config;

/// The broker's settings and those of each topic that has its own.
#[doc(alias = "ConfigRepository")]
#[derive(Debug)]
pub struct SharedConfig {
    broker: ArcSwap<BrokerConfig>,
    topics: RwLock<FixedMap<Arc<str>, Arc<ConfigMap>>>,
}

impl SharedConfig {
    #[must_use]
    pub fn new(config: BrokerConfig) -> Self {
        Self { broker: ArcSwap::from_pointee(config), topics: RwLock::default() }
    }

    /// The broker's settings in force now.
    #[must_use]
    pub fn broker(&self) -> Arc<BrokerConfig> {
        self.broker.load_full()
    }

    /// The topic's own settings; empty when it has none.
    #[must_use]
    pub fn topic(&self, topic: &str) -> Arc<ConfigMap> {
        self.topics.read().get(topic).cloned().unwrap_or_default()
    }

    /// The settings of a log of this topic.
    #[must_use]
    pub fn log_config(&self, topic: &str) -> LogConfig {
        topic_config::log_config(&self.topic(topic), &self.broker.load().layers)
    }

    /// The settings of a log whose topic has none of its own.
    #[must_use]
    pub fn default_log_config(&self) -> LogConfig {
        topic_config::log_config(&ConfigMap::new(), &self.broker.load().layers)
    }

    pub(crate) fn set_broker(&self, config: BrokerConfig) {
        self.broker.store(Arc::new(config));
    }

    /// True when this changed something.
    pub(crate) fn set_topic(&self, topic: &str, overrides: ConfigMap) -> bool {
        let mut topics = self.topics.write();
        if overrides.is_empty() {
            return topics.remove(topic).is_some();
        }
        let overrides = Arc::new(overrides);
        topics.insert(Arc::from(topic), overrides.clone()).is_none_or(|before| before != overrides)
    }
}
