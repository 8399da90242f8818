//! CreatePartitions 0–3; the work is in `admin/create_partitions.rs`.

use ottla_protocol::ApiKey;

use super::forward::to_control_plane;
use crate::api::{Api, Facing};

pub static API: Api =
    Api { key: ApiKey::CreatePartitions, versions: (0, 3), facing: Facing::Client, handle: to_control_plane };
