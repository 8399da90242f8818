//! ListPartitionReassignments 0 (KIP-455); the work is in `admin/list_partition_reassignments.rs`.

use ottla_protocol::ApiKey;

use super::forward::to_control_plane;
use crate::api::{Api, Facing};

pub static API: Api =
    Api { key: ApiKey::ListPartitionReassignments, versions: (0, 0), facing: Facing::Client, handle: to_control_plane };
