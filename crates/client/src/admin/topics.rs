//! Topics: create, delete, grow.

use ottla_protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use ottla_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse,
};
use ottla_protocol::{ErrorCode, Str};

use super::Admin;
use crate::error::{ClientError, Result, check};

/// A topic to be created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    pub name: String,
    /// `None`: the broker's `num.partitions`.
    pub partitions: Option<i32>,
    /// `None`: the broker's `default.replication.factor`.
    pub replication_factor: Option<i16>,
    /// Replicas of each partition, in order; instead of the two numbers.
    pub assignments: Vec<Vec<i32>>,
    pub configs: Vec<(String, String)>,
}

/// What became of it: `None` when the broker doesn't tell (before 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    pub partitions: Option<i32>,
    pub replication_factor: Option<i16>,
}

impl NewTopic {
    fn request(&self) -> CreatableTopic<'_> {
        let by_hand = !self.assignments.is_empty();
        let assignments = self.assignments.iter().zip(0..);
        CreatableTopic {
            name: Str::Borrowed(&self.name),
            num_partitions: if by_hand { -1 } else { self.partitions.unwrap_or(-1) },
            replication_factor: if by_hand { -1 } else { self.replication_factor.unwrap_or(-1) },
            assignments: assignments
                .map(|(brokers, partition_index)| CreatableReplicaAssignment {
                    partition_index,
                    broker_ids: brokers.clone(),
                })
                .collect(),
            configs: self
                .configs
                .iter()
                .map(|(name, value)| CreatableTopicConfig { name: name.into(), value: Some(value.into()) })
                .collect(),
        }
    }
}

impl Admin {
    /// Creates topics; asks another controller when the one asked is none any more.
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
        validate_only: bool,
    ) -> Result<Vec<(String, Result<CreatedTopic>)>> {
        let request = CreateTopicsRequest {
            topics: topics.iter().map(NewTopic::request).collect(),
            timeout_ms: self.timeout_ms(),
            validate_only,
        };
        let results = self
            .cluster
            .retry(|| async {
                let frame = self.cluster.call_controller(&request).await?;
                let answer: CreateTopicsResponse<'_> = frame.decode()?;
                if let Some(moved) = answer.topics.iter().find(|topic| is_not_controller(topic.error_code)) {
                    check(moved.error_code, None, || "create topics".to_owned())?;
                }
                let results = answer.topics.iter().map(|topic| {
                    let created = CreatedTopic {
                        partitions: (topic.num_partitions >= 0).then_some(topic.num_partitions),
                        replication_factor: (topic.replication_factor >= 0).then_some(topic.replication_factor),
                    };
                    let result =
                        check(topic.error_code, topic.error_message.as_deref(), || format!("topic {}", topic.name));
                    (topic.name.to_string(), result.map(|()| created))
                });
                Ok(results.collect::<Vec<_>>())
            })
            .await?;
        for topic in topics {
            self.cluster.forget(&topic.name);
        }
        Ok(results)
    }

    /// Deletes topics.
    pub async fn delete_topics(&self, names: &[String]) -> Result<Vec<(String, Result<()>)>> {
        let results = self
            .cluster
            .retry(|| async {
                let connection = self.cluster.controller().await?;
                let version = connection.version_up_to::<DeleteTopicsRequest<'_>>(i16::MAX)?;
                let mut request = DeleteTopicsRequest { timeout_ms: self.timeout_ms(), ..Default::default() };
                if version >= 6 {
                    let topic =
                        |name: &String| DeleteTopicState { name: Some(name.clone().into()), ..Default::default() };
                    request.topics = names.iter().map(topic).collect();
                } else {
                    request.topic_names = names.iter().map(|name| Str::Borrowed(name.as_str())).collect();
                }
                let frame = connection.call_version(&request, version).await?;
                let answer: DeleteTopicsResponse<'_> = frame.decode()?;
                if let Some(moved) = answer.responses.iter().find(|topic| is_not_controller(topic.error_code)) {
                    check(moved.error_code, None, || "delete topics".to_owned())?;
                }
                let results = answer.responses.iter().map(|topic| {
                    let name = topic.name.as_deref().unwrap_or_default().to_owned();
                    let result = check(topic.error_code, topic.error_message.as_deref(), || format!("topic {name}"));
                    (name, result)
                });
                Ok(results.collect::<Vec<_>>())
            })
            .await?;
        for name in names {
            self.cluster.forget(name);
        }
        Ok(results)
    }

    /// Raises the number of partitions of `topic` to `count`; `assignments` places the new ones, in order, or is empty.
    pub async fn create_partitions(
        &self,
        topic: &str,
        count: i32,
        assignments: &[Vec<i32>],
        validate_only: bool,
    ) -> Result<()> {
        let by_hand = assignments.iter().map(|ids| CreatePartitionsAssignment { broker_ids: ids.clone() });
        let request = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic {
                name: Str::Borrowed(topic),
                count,
                assignments: (!assignments.is_empty()).then(|| by_hand.collect()),
            }],
            timeout_ms: self.timeout_ms(),
            validate_only,
        };
        let outcome = self
            .cluster
            .retry(|| async {
                let frame = self.cluster.call_controller(&request).await?;
                let answer: CreatePartitionsResponse<'_> = frame.decode()?;
                let result = answer.results.first();
                let result = result.ok_or_else(|| ClientError::Protocol("the answer names no topic".to_owned()))?;
                let outcome = check(result.error_code, result.error_message.as_deref(), || format!("topic {topic}"));
                if is_not_controller(result.error_code) { outcome.map(Ok) } else { Ok(outcome) }
            })
            .await?;
        self.cluster.forget(topic);
        outcome
    }
}

/// The one refusal that is about whom we asked and not about what.
fn is_not_controller(code: i16) -> bool {
    ErrorCode::from_code(code) == ErrorCode::NotController
}
