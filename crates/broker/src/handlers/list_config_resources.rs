//! ListConfigResources 0–1 (KIP-1142); the work is in `admin/list_config_resources.rs`.

use ottla_protocol::ApiKey;

use super::forward::to_control_plane;
use crate::api::{Api, Facing};

pub static API: Api =
    Api { key: ApiKey::ListConfigResources, versions: (0, 1), facing: Facing::Client, handle: to_control_plane };
