//! DeleteTopics 0–6; the work is in `admin/delete_topics.rs`. Answered once the topic's znodes are gone (Kafka: once the metadata is),
//! so that a topic of the same name can be made at once.

use ottla_protocol::ApiKey;

use super::forward::to_control_plane;
use crate::api::{Api, Facing};

pub static API: Api =
    Api { key: ApiKey::DeleteTopics, versions: (0, 6), facing: Facing::Client, handle: to_control_plane };
