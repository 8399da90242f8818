//! Deleting topics: every broker forgets the topic, every replica is deleted, then the znodes go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_base::ids::TopicPartition;
use ottla_keeper::ops::{KeeperOp, KeeperResult};

use super::ControllerStep;
use super::requests::RequestBatch;
use crate::config::ConfigMap;
use crate::control_plane::{ControlPlane, Then};
use crate::lifecycle::{children, children_of, is_fenced};
use crate::znodes;

/// A topic's znodes may be in the way of their own deletion because somebody adds to them; after so many attempts the
/// deletion waits for the next change or the next controller.
const ATTEMPTS: u32 = 3;
/// Most deletions in one multi, so that it stays below ZooKeeper's `jute.maxbuffer`.
const DELETES_PER_MULTI: usize = 1_000;

/// Replicas that are still there, by topic.
#[doc(alias = "TopicDeletionManager")]
#[derive(Debug, Default)]
pub(crate) struct Deletions {
    awaited: BTreeMap<Arc<str>, BTreeSet<(i32, i32)>>,
}

impl ControlPlane {
    pub(crate) fn read_deletion_list(&mut self) {
        self.controller_keeper(vec![children(znodes::DELETE_TOPICS, true)], ControllerStep::DeletionList);
    }

    pub(crate) fn on_deletion_list(&mut self, result: &KeeperResult) {
        let enabled = self.shared.broker().delete_topic_enable;
        let (mut doomed, mut ignored) = (Vec::new(), Vec::new());
        for topic in children_of(result) {
            match self.controller.context.topics.get_key_value(topic.as_str()) {
                Some((name, known)) if enabled => {
                    if !known.is_deleting {
                        doomed.push(name.clone());
                    }
                }
                // There is no such topic, or nothing may be deleted: the wish is taken back.
                _ => ignored.push(KeeperOp::Delete { path: znodes::delete_topic(topic), version: -1 }),
            }
        }
        self.keeper(ignored, Then::Nothing);
        let mut batch = RequestBatch::default();
        for topic in &doomed {
            self.begin_deletion(topic, &mut batch);
        }
        self.send_batch(batch);
        self.finish_deletions();
    }

    #[doc(alias = "onTopicDeletion")]
    fn begin_deletion(&mut self, name: &Arc<str>, batch: &mut RequestBatch) {
        let context = &mut self.controller.context;
        let Some(topic) = context.topics.get_mut(name) else { return };
        tracing::info!(topic = &**name, "deleting topic");
        topic.is_deleting = true;
        let replicas: BTreeSet<(i32, i32)> = topic
            .partitions
            .iter()
            .flat_map(|(index, known)| known.assignment.replicas.iter().map(|broker| (*broker, *index)))
            .collect();
        for (broker, index) in &replicas {
            batch.delete_replica(context, *broker, &TopicPartition::new(name.clone(), *index));
        }
        self.controller.deletions.awaited.insert(name.clone(), replicas);
    }

    /// Brokers that came back delete the replicas that they still have.
    pub(crate) fn resume_deletions(&mut self, came: &BTreeSet<i32>) {
        let mut batch = RequestBatch::default();
        for (topic, replicas) in &self.controller.deletions.awaited {
            for (broker, index) in replicas.iter().filter(|(broker, _)| came.contains(broker)) {
                batch.delete_replica(&self.controller.context, *broker, &TopicPartition::new(topic.clone(), *index));
            }
        }
        self.send_batch(batch);
    }

    pub(crate) fn on_replicas_deleted(&mut self, broker: i32, partitions: &[TopicPartition]) {
        for partition in partitions {
            if let Some(replicas) = self.controller.deletions.awaited.get_mut(&partition.topic) {
                replicas.remove(&(broker, partition.partition));
            }
        }
        self.finish_deletions();
    }

    /// Deletes the znodes of topics that have no replica left.
    #[doc(alias = "completeDeleteTopic")]
    fn finish_deletions(&mut self) {
        let awaited = &self.controller.deletions.awaited;
        let topics: Vec<String> =
            awaited.iter().filter(|(_, replicas)| replicas.is_empty()).map(|(topic, _)| topic.to_string()).collect();
        if topics.is_empty() {
            return self.event_done();
        }
        self.delete_znodes(topics, 0);
    }

    /// In the first attempt what we know of goes in as few multis as possible; later ones go one by one over what may be left.
    fn delete_znodes(&mut self, topics: Vec<String>, attempt: u32) {
        let mut ops = Vec::new();
        for topic in &topics {
            let paths = self.znodes_of(topic);
            if attempt == 0 {
                ops.extend(paths.chunks(DELETES_PER_MULTI).map(|chunk| {
                    let deletes = chunk.iter().cloned().map(|path| KeeperOp::Delete { path, version: -1 });
                    KeeperOp::Multi(std::iter::once(self.check_epoch()).chain(deletes).collect())
                }));
            } else {
                let single = |path| KeeperOp::Multi(vec![self.check_epoch(), KeeperOp::Delete { path, version: -1 }]);
                ops.extend(paths.into_iter().map(single));
            }
            let config = KeeperOp::Delete { path: znodes::topic_config(topic), version: -1 };
            let there = KeeperOp::Exists { path: znodes::topic(topic), watch: false };
            ops.extend([config, there]);
        }
        self.controller_keeper(ops, ControllerStep::TopicsDeleted { topics, attempt });
    }

    /// Children before their parents.
    fn znodes_of(&self, topic: &str) -> Vec<String> {
        let mut paths = Vec::new();
        if let Some((name, known)) = self.controller.context.topics.get_key_value(topic) {
            for (index, partition) in &known.partitions {
                let id = TopicPartition::new(name.clone(), *index);
                if partition.state.is_some() || partition.is_unreadable {
                    paths.push(znodes::partition_state(&id));
                    paths.push(znodes::partition(&id));
                }
            }
            if !paths.is_empty() {
                paths.push(znodes::topic_partitions(topic));
            }
        }
        paths.push(znodes::topic(topic));
        paths
    }

    pub(crate) fn on_topics_deleted(&mut self, topics: &[String], attempt: u32, results: &[KeeperResult]) {
        if results.iter().any(|result| result.as_ref().is_err_and(is_fenced)) {
            return self.on_fenced();
        }
        // Each topic's results end with its settings, and whether it is still there.
        let mut rest = results;
        let mut left = Vec::new();
        for topic in topics {
            let paths = self.znodes_of(topic).len();
            let count = if attempt == 0 { paths.div_ceil(DELETES_PER_MULTI) } else { paths } + 2;
            let (of_topic, others) = rest.split_at(count.min(rest.len()));
            rest = others;
            let is_gone = of_topic.last().is_some_and(|r| r.as_ref().is_err_and(|error| error.is_no_node()));
            if is_gone { self.forget_topic(topic) } else { left.push(topic.clone()) }
        }
        if left.is_empty() {
            self.event_done();
        } else if attempt + 1 < ATTEMPTS {
            self.delete_znodes(left, attempt + 1);
        } else {
            tracing::error!("the znodes of topics {left:?} cannot be deleted: somebody else adds to them");
            self.event_done();
        }
    }

    fn forget_topic(&mut self, topic: &str) {
        tracing::info!(topic, "topic is deleted");
        self.controller.context.topics.remove(topic);
        self.controller.context.offline_replicas.retain(|(_, partition)| *partition.topic != *topic);
        self.controller.deletions.awaited.remove(topic);
        self.set_topic_config(topic, ConfigMap::new());
        // Last, so that a controller that takes over goes on with the deletion.
        let wish = KeeperOp::Delete { path: znodes::delete_topic(topic), version: -1 };
        self.keeper(vec![wish], Then::Nothing);
        // It may have been made anew in the meantime: its watch has fired for the deletion alone.
        self.controller.enqueue(super::Event::TopicChange);
    }
}
