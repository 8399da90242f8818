//! The table of served APIs: dispatch and the ApiVersions answer both come from it, so no client is promised what fails.

use ottla_protocol::ApiKey;

use crate::broker::Broker;
use crate::handlers;
use crate::reply::Reply;
use crate::request::RequestContext;

/// Who may send a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facing {
    /// Any client; listed by ApiVersions.
    Client,
    /// Other brokers and the controller of a ZooKeeper-mode cluster; listed too, as 3.9.2 does in that mode.
    Broker,
}

/// A served API. Each handler module has one as its `API`.
#[derive(Debug)]
pub struct Api {
    pub key: ApiKey,
    /// Lowest and highest version served; both over the whole range between.
    pub versions: (i16, i16),
    pub facing: Facing,
    /// `body` is the frame after the request header; Produce writes offsets into it in place.
    pub handle: fn(&Broker, &mut RequestContext<'_>, body: &mut [u8]) -> Reply,
}

/// Every served API, in the order of the keys.
#[rustfmt::skip]
pub static APIS: &[&Api] = &[
    &handlers::produce::API,
    &handlers::fetch::API,
    &handlers::list_offsets::API,
    &handlers::metadata::API,
    &handlers::leader_and_isr::API,
    &handlers::stop_replica::API,
    &handlers::update_metadata::API,
    &handlers::offset_commit::API,
    &handlers::offset_fetch::API,
    &handlers::find_coordinator::API,
    &handlers::join_group::API,
    &handlers::heartbeat::API,
    &handlers::leave_group::API,
    &handlers::sync_group::API,
    &handlers::describe_groups::API,
    &handlers::list_groups::API,
    &handlers::api_versions::API,
    &handlers::create_topics::API,
    &handlers::delete_topics::API,
    &handlers::delete_records::API,
    &handlers::init_producer_id::API,
    &handlers::offset_for_leader_epoch::API,
    &handlers::acls::DESCRIBE,
    &handlers::acls::CREATE,
    &handlers::acls::DELETE,
    &handlers::describe_configs::API,
    &handlers::alter_configs::API,
    &handlers::describe_log_dirs::API,
    &handlers::create_partitions::API,
    &handlers::delete_groups::API,
    &handlers::elect_leaders::API,
    &handlers::incremental_alter_configs::API,
    &handlers::list_partition_reassignments::API,
    &handlers::offset_delete::API,
    &handlers::describe_cluster::API,
    &handlers::describe_producers::API,
    &handlers::list_config_resources::API,
    &handlers::describe_topic_partitions::API,
];

/// The served API with this key.
#[must_use]
pub fn find(key: ApiKey) -> Option<&'static Api> {
    APIS.binary_search_by_key(&key, |api| api.key).ok().map(|at| APIS[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_in_the_bounds_of_the_schemas() {
        assert!(APIS.is_sorted_by(|a, b| a.key < b.key));
        for api in APIS {
            let (low, high) = api.versions;
            assert!(low <= high && api.key.versions().contains(&low) && api.key.versions().contains(&high), "{api:?}");
            assert!(find(api.key).is_some_and(|found| std::ptr::eq(found, *api)));
        }
    }
}
