//! ElectLeaders 0–2 (KIP-183, KIP-460); the work is in `admin/elect_leaders.rs`.

use ottla_protocol::ApiKey;

use super::forward::to_control_plane;
use crate::api::{Api, Facing};

pub static API: Api =
    Api { key: ApiKey::ElectLeaders, versions: (0, 2), facing: Facing::Client, handle: to_control_plane };
