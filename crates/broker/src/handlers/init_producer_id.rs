//! InitProducerId 0–5 for idempotent producers; the work is in `producer_ids.rs`. A transactional id is answered with
//! `UNSUPPORTED_VERSION`: the transaction coordinator comes later, and FindCoordinator says so, too.

use ottla_protocol::ApiKey;

use super::forward::to_control_plane;
use crate::api::{Api, Facing};

pub static API: Api =
    Api { key: ApiKey::InitProducerId, versions: (0, 5), facing: Facing::Client, handle: to_control_plane };
