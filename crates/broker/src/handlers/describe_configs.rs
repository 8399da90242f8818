//! DescribeConfigs 0–4 for topics and brokers; the work is in `admin/describe_configs.rs`. Other types are refused: groups,
//! client metrics and loggers have no settings here yet.

use ottla_protocol::ApiKey;

use super::forward::to_control_plane;
use crate::api::{Api, Facing};

pub static API: Api =
    Api { key: ApiKey::DescribeConfigs, versions: (0, 4), facing: Facing::Client, handle: to_control_plane };
