//! Settings: one row per Kafka setting; the parser, the typed [`BrokerConfig`], a topic's settings, DescribeConfigs and
//! dynamic changes all come from the rows.

mod broker_config;
mod endpoint;
mod load;
mod properties;
mod settings;
mod shared;
pub mod topic_config;
mod value;

pub use broker_config::{BrokerConfig, ConfigLayers, ConfigMap};
pub use endpoint::Endpoint;
pub use load::{ConfigError, load};
pub use properties::{PropertiesError, Property, parse_properties};
pub use settings::{
    Setting, UpdateMode, broker_setting, broker_settings, group_settings, listener_setting, topic_setting,
    topic_settings,
};
pub use shared::SharedConfig;
pub use value::{ConfigType, InvalidValue, Valid, list, parse_bool};
