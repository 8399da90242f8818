//! Where the leader is: what Produce 10+ and Fetch 16+ tell a client that asked the wrong broker (KIP-951).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::metadata_cache::ClusterImage;
use crate::replica_manager::ReplicaManager;

/// Leader id and epoch of a partition as this broker knows them, -1 where it doesn't.
pub fn current_leader(replicas: &ReplicaManager, image: &ClusterImage, topic: &str, partition: i32) -> (i32, i32) {
    let here = replicas.partition(topic, partition).map(|partition| partition.leader());
    if let Some((leader, epoch)) = here.filter(|&(leader, _)| leader.is_some()) {
        return (leader.unwrap_or(-1), epoch);
    }
    image.partition(topic, partition).map_or((-1, -1), |info| (info.leader, info.leader_epoch))
}

/// Addresses of the leaders that an answer speaks of.
#[derive(Debug, Default)]
pub struct LeaderEndpoints {
    nodes: BTreeMap<i32, LeaderEndpoint>,
}

#[derive(Debug)]
pub struct LeaderEndpoint {
    pub id: i32,
    pub host: Arc<str>,
    pub port: i32,
    pub rack: Option<Arc<str>>,
}

impl LeaderEndpoints {
    /// Adds the leader's address on a listener, when it is alive.
    pub fn add(&mut self, image: &ClusterImage, leader: i32, listener: &str) {
        let Some(broker) = image.brokers.get(&leader) else { return };
        let Some(endpoint) = broker.endpoint(listener) else { return };
        let (host, port, rack) = (endpoint.host.clone(), endpoint.port, broker.rack.clone());
        self.nodes.insert(leader, LeaderEndpoint { id: leader, host, port, rack });
    }

    pub fn iter(&self) -> impl Iterator<Item = &LeaderEndpoint> {
        self.nodes.values()
    }
}
