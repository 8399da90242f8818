//! What an administrator asks of a cluster: any Kafka from 0.11 on, and ours.
//!
//! A call that concerns several things answers for each of them; the outer error means that nobody could be asked.

mod configs;
mod groups;
mod offsets;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_base::ids::TopicPartition;
use ottla_protocol::messages::{ApiVersionsResponse, DescribeClusterRequest, DescribeClusterResponse};

use crate::cluster::{Broker, Cluster, Metadata, Topics};
use crate::config::ClientConfig;
use crate::error::{ClientError, Result, check};

pub use configs::{
    ConfigChange, ConfigEntry, ConfigOperation, ConfigResource, ConfigSource, ConfigSynonym, ResourceKind,
};
pub use groups::{CommittedOffset, GroupDescription, GroupListing, GroupMember};
pub use offsets::{ListedOffset, LogDir, LogDirReplica, OffsetSpec};
pub use topics::{CreatedTopic, NewTopic};

/// An administrator's handle; clones share it.
#[derive(Clone, Debug)]
pub struct Admin {
    cluster: Cluster,
}

/// What a cluster tells of itself.
#[derive(Clone, Debug)]
pub struct ClusterDescription {
    pub cluster_id: String,
    pub controller: Option<i32>,
    pub brokers: Vec<Broker>,
}

impl Admin {
    /// Connects to the first broker of the list that answers.
    pub async fn connect(config: ClientConfig) -> Result<Self> {
        Ok(Self { cluster: Cluster::connect(config).await? })
    }

    #[must_use]
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster }
    }

    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    fn timeout_ms(&self) -> i32 {
        i32::try_from(self.cluster.config().request_timeout.as_millis()).unwrap_or(i32::MAX)
    }

    /// The cluster's id, controller and brokers; by way of metadata from brokers before 2.8.
    pub async fn describe_cluster(&self) -> Result<ClusterDescription> {
        let connection = self.cluster.any().await?;
        if connection.version_up_to::<DescribeClusterRequest>(i16::MAX).is_ok() {
            let frame = connection.call(&DescribeClusterRequest::default()).await?;
            let answer: DescribeClusterResponse<'_> = frame.decode()?;
            check(answer.error_code, answer.error_message.as_deref(), || "describe the cluster".to_owned())?;
            let brokers = answer.brokers.iter().map(|broker| Broker {
                id: broker.broker_id,
                host: broker.host.to_string(),
                port: broker.port,
                rack: broker.rack.as_deref().map(str::to_owned),
            });
            return Ok(ClusterDescription {
                cluster_id: answer.cluster_id.to_string(),
                controller: (answer.controller_id >= 0).then_some(answer.controller_id),
                brokers: brokers.collect(),
            });
        }
        let metadata = self.cluster.metadata(Topics::None).await?;
        Ok(ClusterDescription {
            cluster_id: metadata.cluster_id.unwrap_or_default(),
            controller: metadata.controller,
            brokers: metadata.brokers.into_values().collect(),
        })
    }

    /// What each broker can do, with the error of those that can't be reached.
    pub async fn api_versions(&self) -> Result<Vec<(Broker, Result<ApiVersionsResponse<'static>>)>> {
        let metadata = self.cluster.metadata(Topics::None).await?;
        let mut answers = Vec::new();
        for broker in metadata.brokers.into_values() {
            let versions = self.cluster.node(broker.id).await.map(|connection| connection.api_versions().clone());
            answers.push((broker, versions));
        }
        Ok(answers)
    }

    /// All topics.
    pub async fn list_topics(&self) -> Result<Metadata> {
        self.cluster.metadata(Topics::All).await
    }

    /// These topics; those that don't exist have their error in their description.
    pub async fn describe_topics(&self, names: &[Arc<str>]) -> Result<Metadata> {
        self.cluster.metadata(Topics::Named { names, create: false }).await
    }

    /// Spreads `items` by the leaders of their partitions; what has no leader gets its error.
    async fn by_leader<T>(
        &self,
        items: impl IntoIterator<Item = (TopicPartition, T)>,
    ) -> Result<(ByLeader<T>, Vec<(TopicPartition, ClientError)>)> {
        let mut by_leader: ByLeader<T> = BTreeMap::new();
        let mut without = Vec::new();
        for (partition, item) in items {
            let refused = |code| ClientError::Refused { code, message: None, what: partition.to_string() };
            match self.cluster.topic(&partition.topic, false).await {
                Ok(topic) => match topic.partition(partition.partition).map(|found| found.leader) {
                    Some(Some(leader)) => {
                        let topics = by_leader.entry(leader).or_default();
                        topics.entry(partition.topic).or_default().push((partition.partition, item));
                    }
                    Some(None) => {
                        self.cluster.forget(&partition.topic);
                        let error = refused(ottla_protocol::ErrorCode::LeaderNotAvailable);
                        without.push((partition, error));
                    }
                    None => {
                        let error = refused(ottla_protocol::ErrorCode::UnknownTopicOrPartition);
                        without.push((partition, error));
                    }
                },
                Err(e @ ClientError::Refused { .. }) => without.push((partition, e)),
                Err(e) => return Err(e),
            }
        }
        Ok((by_leader, without))
    }
}

/// Items by leader, topic and partition.
type ByLeader<T> = BTreeMap<i32, BTreeMap<Arc<str>, Vec<(i32, T)>>>;
