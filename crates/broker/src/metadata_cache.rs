//! What this broker knows of the cluster: brokers, topics, leaders. Written by UpdateMetadata, read by almost everything.
//!
//! A reader takes one image and works on it; a writer puts a whole new image in its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use ottla_base::hash::FixedMap;
use ottla_base::ids::Uuid;
use ottla_protocol::messages::update_metadata_request::{
    UpdateMetadataBroker, UpdateMetadataPartitionState, UpdateMetadataRequest, UpdateMetadataTopicState,
};
use parking_lot::Mutex;

/// The leader of a partition whose topic is being deleted: takes it out of the cache.
pub const LEADER_DURING_DELETE: i32 = -2;
/// No broker leads.
pub const NO_LEADER: i32 = -1;
/// `UpdateMetadataRequest.type` of a request that names every topic there is.
const FULL_UPDATE: i8 = 2;

/// Where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub listener: Arc<str>,
    pub host: Arc<str>,
    pub port: i32,
    /// Number of the security protocol: 0 is PLAINTEXT.
    pub security_protocol: i16,
}

/// A broker that is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerInfo {
    pub id: i32,
    pub rack: Option<Arc<str>>,
    pub endpoints: Vec<Endpoint>,
}

impl BrokerInfo {
    /// The broker's address on a listener.
    #[must_use]
    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| &*endpoint.listener == listener)
    }
}

/// Leader and replicas of a partition, as the controller last said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    pub leader: i32,
    pub leader_epoch: i32,
    pub isr: Vec<i32>,
    /// Version of the partition's state znode.
    pub partition_epoch: i32,
    pub replicas: Vec<i32>,
    pub offline_replicas: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    pub name: Arc<str>,
    /// Zero when the cluster gave it none.
    pub id: Uuid,
    pub partitions: BTreeMap<i32, PartitionInfo>,
}

/// The cluster at one moment.
#[doc(alias = "MetadataSnapshot")]
#[derive(Clone, Debug, Default)]
pub struct ClusterImage {
    pub controller_id: Option<i32>,
    /// Brokers that are alive, by id.
    pub brokers: BTreeMap<i32, Arc<BrokerInfo>>,
    /// By name.
    pub topics: BTreeMap<Arc<str>, Arc<TopicInfo>>,
    topic_names: FixedMap<Uuid, Arc<str>>,
}

impl ClusterImage {
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Arc<TopicInfo>> {
        self.topics.get(name)
    }

    #[must_use]
    pub fn topic_by_id(&self, id: Uuid) -> Option<&Arc<TopicInfo>> {
        self.topics.get(self.topic_names.get(&id)?)
    }

    #[must_use]
    pub fn topic_name(&self, id: Uuid) -> Option<&Arc<str>> {
        self.topic_names.get(&id)
    }

    #[must_use]
    pub fn partition(&self, topic: &str, partition: i32) -> Option<&PartitionInfo> {
        self.topics.get(topic)?.partitions.get(&partition)
    }

    /// The address of a broker that is alive, on a listener.
    #[must_use]
    pub fn endpoint(&self, broker_id: i32, listener: &str) -> Option<&Endpoint> {
        self.brokers.get(&broker_id)?.endpoint(listener)
    }

    fn set_partition(&mut self, topic: &str, id: Uuid, index: i32, info: Option<PartitionInfo>) {
        let Some(info) = info else { return self.remove_partition(topic, index) };
        let entry = match self.topics.get_mut(topic) {
            Some(entry) => entry,
            None => {
                let name: Arc<str> = Arc::from(topic);
                let fresh = TopicInfo { name: name.clone(), id: Uuid::ZERO, partitions: BTreeMap::new() };
                self.topics.entry(name).or_insert(Arc::new(fresh))
            }
        };
        let entry = Arc::make_mut(entry);
        if entry.id != id && !id.is_zero() {
            self.topic_names.remove(&entry.id);
            entry.id = id;
            self.topic_names.insert(id, entry.name.clone());
        }
        entry.partitions.insert(index, info);
    }

    fn remove_partition(&mut self, topic: &str, index: i32) {
        let Some(entry) = self.topics.get_mut(topic) else { return };
        let changed = Arc::make_mut(entry);
        changed.partitions.remove(&index);
        if changed.partitions.is_empty() {
            let id = changed.id;
            self.topics.remove(topic);
            self.topic_names.remove(&id);
        }
    }
}

/// A topic that an update took away, with the partitions it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedPartition {
    pub topic: Arc<str>,
    pub partition: i32,
}

/// The current [`ClusterImage`].
#[derive(Debug, Default)]
pub struct MetadataCache {
    image: ArcSwap<ClusterImage>,
    /// Held by the one who makes the next image.
    writing: Mutex<()>,
}

impl MetadataCache {
    /// The cluster now. Cheap; hold it for one request at most.
    #[must_use]
    pub fn image(&self) -> Guard<Arc<ClusterImage>> {
        self.image.load()
    }

    /// The cluster now, to be kept for longer.
    #[must_use]
    pub fn image_full(&self) -> Arc<ClusterImage> {
        self.image.load_full()
    }

    /// Takes in what the controller says; gives the partitions that are no more.
    #[doc(alias = "updateMetadata")]
    pub fn update(&self, request: &UpdateMetadataRequest<'_>, version: i16) -> Vec<DeletedPartition> {
        let _writing = self.writing.lock();
        let mut image = ClusterImage::clone(&self.image.load());
        image.controller_id = (request.controller_id >= 0).then_some(request.controller_id);
        image.brokers = request.live_brokers.iter().map(|b| (b.id, Arc::new(broker_info(b, version)))).collect();
        let mut deleted = Vec::new();
        if version >= 8 && request.type_ == FULL_UPDATE {
            drop_unnamed_topics(&mut image, &request.topic_states, &mut deleted);
        }
        for state in &request.ungrouped_partition_states {
            apply(&mut image, &state.topic_name, Uuid::ZERO, state, &mut deleted);
        }
        for topic in &request.topic_states {
            for state in &topic.partition_states {
                apply(&mut image, &topic.topic_name, topic.topic_id, state, &mut deleted);
            }
        }
        self.image.store(Arc::new(image));
        deleted
    }
}

fn apply(
    image: &mut ClusterImage,
    topic: &str,
    topic_id: Uuid,
    state: &UpdateMetadataPartitionState<'_>,
    deleted: &mut Vec<DeletedPartition>,
) {
    let info = (state.leader != LEADER_DURING_DELETE).then(|| PartitionInfo {
        leader: state.leader,
        leader_epoch: state.leader_epoch,
        isr: state.isr.clone(),
        partition_epoch: state.zk_version,
        replicas: state.replicas.clone(),
        offline_replicas: state.offline_replicas.clone(),
    });
    if info.is_none() {
        deleted.push(DeletedPartition { topic: Arc::from(topic), partition: state.partition_index });
    }
    image.set_partition(topic, topic_id, state.partition_index, info);
}

/// Takes away the topics and partitions that a full update doesn't name, or names with another id.
fn drop_unnamed_topics(
    image: &mut ClusterImage,
    named: &[UpdateMetadataTopicState<'_>],
    deleted: &mut Vec<DeletedPartition>,
) {
    let named: BTreeMap<&str, &UpdateMetadataTopicState<'_>> = named.iter().map(|t| (&*t.topic_name, t)).collect();
    for topic in image.topics.values() {
        let state = named.get(&*topic.name).filter(|state| state.topic_id == topic.id);
        for &partition in topic.partitions.keys() {
            if !state.is_some_and(|s| s.partition_states.iter().any(|p| p.partition_index == partition)) {
                deleted.push(DeletedPartition { topic: topic.name.clone(), partition });
            }
        }
    }
    for gone in deleted {
        image.remove_partition(&gone.topic, gone.partition);
    }
}

fn broker_info(broker: &UpdateMetadataBroker<'_>, version: i16) -> BrokerInfo {
    let mut endpoints: Vec<Endpoint> = broker
        .endpoints
        .iter()
        .map(|endpoint| Endpoint {
            // Before version 3 a listener had its security protocol's name.
            listener: match version {
                0..3 => Arc::from(security_protocol_name(endpoint.security_protocol)),
                _ => Arc::from(&*endpoint.listener),
            },
            host: Arc::from(&*endpoint.host),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
        })
        .collect();
    if version == 0 {
        let host = Arc::from(&*broker.v0_host);
        endpoints.push(Endpoint { listener: Arc::from("PLAINTEXT"), host, port: broker.v0_port, security_protocol: 0 });
    }
    BrokerInfo { id: broker.id, rack: broker.rack.as_deref().filter(|_| version >= 2).map(Arc::from), endpoints }
}

fn security_protocol_name(number: i16) -> &'static str {
    match number {
        1 => "SSL",
        2 => "SASL_PLAINTEXT",
        3 => "SASL_SSL",
        _ => "PLAINTEXT",
    }
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::update_metadata_request::UpdateMetadataEndpoint;

    use super::*;

    fn state(index: i32, leader: i32) -> UpdateMetadataPartitionState<'static> {
        UpdateMetadataPartitionState {
            partition_index: index,
            leader,
            leader_epoch: 3,
            isr: vec![1],
            zk_version: 4,
            replicas: vec![1, 2],
            ..Default::default()
        }
    }

    fn topic(name: &'static str, id: u8, partitions: &[(i32, i32)]) -> UpdateMetadataTopicState<'static> {
        UpdateMetadataTopicState {
            topic_name: name.into(),
            topic_id: Uuid([id; 16]),
            partition_states: partitions.iter().map(|&(index, leader)| state(index, leader)).collect(),
        }
    }

    fn request(topics: Vec<UpdateMetadataTopicState<'static>>) -> UpdateMetadataRequest<'static> {
        let endpoint =
            UpdateMetadataEndpoint { port: 9092, host: "h".into(), listener: "OUT".into(), security_protocol: 0 };
        let broker = UpdateMetadataBroker { id: 1, endpoints: vec![endpoint], ..Default::default() };
        UpdateMetadataRequest {
            controller_id: 1,
            topic_states: topics,
            live_brokers: vec![broker],
            ..Default::default()
        }
    }

    fn names(cache: &MetadataCache) -> Vec<String> {
        let image = cache.image();
        image.topics.values().map(|t| format!("{}:{:?}", t.name, t.partitions.keys().collect::<Vec<_>>())).collect()
    }

    #[test]
    fn updates_add_up_and_deletions_take_away() {
        let cache = MetadataCache::default();
        assert_eq!(cache.update(&request(vec![topic("a", 1, &[(0, 1), (1, 1)])]), 7), []);
        cache.update(&request(vec![topic("b", 2, &[(0, 1)])]), 7);
        assert_eq!(names(&cache), ["a:[0, 1]", "b:[0]"]);
        assert_eq!(cache.image().topic_by_id(Uuid([2; 16])).map(|t| &*t.name), Some("b"));
        let gone = cache.update(&request(vec![topic("b", 2, &[(0, LEADER_DURING_DELETE)])]), 7);
        assert_eq!(gone, [DeletedPartition { topic: "b".into(), partition: 0 }]);
        assert_eq!(names(&cache), ["a:[0, 1]"]);
        assert!(cache.image().topic_by_id(Uuid([2; 16])).is_none());
    }

    #[test]
    fn a_topic_made_anew_has_its_new_id_alone() {
        let cache = MetadataCache::default();
        cache.update(&request(vec![topic("a", 1, &[(0, 1)])]), 7);
        cache.update(&request(vec![topic("a", 9, &[(0, 1)])]), 7);
        assert!(cache.image().topic_by_id(Uuid([1; 16])).is_none());
        assert_eq!(cache.image().topic_name(Uuid([9; 16])).map(|n| &**n), Some("a"));
    }

    #[test]
    fn a_full_update_drops_what_it_does_not_name() {
        let cache = MetadataCache::default();
        cache.update(&request(vec![topic("a", 1, &[(0, 1), (1, 1)]), topic("b", 2, &[(0, 1)])]), 8);
        let full = UpdateMetadataRequest { type_: FULL_UPDATE, ..request(vec![topic("a", 1, &[(0, 1)])]) };
        let gone = cache.update(&full, 8);
        assert_eq!(gone.len(), 2);
        assert_eq!(names(&cache), ["a:[0]"]);
    }

    #[test]
    fn listeners_of_old_versions_are_named_by_their_protocol() {
        let cache = MetadataCache::default();
        cache.update(&request(vec![]), 2);
        assert!(cache.image().endpoint(1, "PLAINTEXT").is_some());
        cache.update(&request(vec![]), 8);
        assert_eq!(cache.image().endpoint(1, "OUT").map(|e| e.port), Some(9092));
        assert!(cache.image().endpoint(1, "PLAINTEXT").is_none());
    }
}
