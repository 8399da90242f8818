//! IncrementalAlterConfigs 0–1 for topics and brokers; the work is in `admin/alter_configs.rs`. Passwords are not taken: a keeper is no
//! place for them.

use ottla_protocol::ApiKey;

use super::forward::to_control_plane;
use crate::api::{Api, Facing};

pub static API: Api =
    Api { key: ApiKey::IncrementalAlterConfigs, versions: (0, 1), facing: Facing::Client, handle: to_control_plane };
