//! CreateTopics 0–7; the work is in `admin/create_topics.rs`. Answered once every partition has a leader that this broker's
//! clients can learn of. A request for more than 10,000 partitions is refused, as in Kafka 4.

use ottla_protocol::ApiKey;

use super::forward::to_control_plane;
use crate::api::{Api, Facing};

pub static API: Api =
    Api { key: ApiKey::CreateTopics, versions: (0, 7), facing: Facing::Client, handle: to_control_plane };
