//! ListPartitionReassignments: the replicas that are being added and removed, as the assignments in the keeper say.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::messages::list_partition_reassignments_request::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};
use ottla_protocol::messages::list_partition_reassignments_response::{
    ListPartitionReassignmentsResponse, OngoingPartitionReassignment, OngoingTopicReassignment,
};
use ottla_protocol::{DecodeError, ErrorCode, Message};

use crate::control_plane::ControlPlane;
use crate::controller::{Partition, Topic};
use crate::reply::Responder;

impl ControlPlane {
    /// Answers from what the controller knows; the request can't be read where this gives an error.
    pub(crate) fn list_partition_reassignments(
        &self,
        version: i16,
        body: &[u8],
        responder: Responder,
    ) -> Result<(), (DecodeError, Responder)> {
        let request = match ListPartitionReassignmentsRequest::from_bytes(body, version) {
            Ok(request) => request,
            Err(error) => return Err((error, responder)),
        };
        let mut response = ListPartitionReassignmentsResponse { error_message: None, ..Default::default() };
        if self.controller.is_active() {
            let asked = request.topics.as_ref().map(|topics| by_topic(topics));
            for (name, topic) in self.controller.context.topics.iter().filter(|(_, topic)| !topic.is_deleting) {
                let partitions = match &asked {
                    None => under_way(topic, |_| true),
                    Some(asked) => asked
                        .get(&**name)
                        .map(|of_topic| under_way(topic, |index| of_topic.contains(&index)))
                        .unwrap_or_default(),
                };
                if !partitions.is_empty() {
                    response.topics.push(OngoingTopicReassignment { name: Cow::Borrowed(name), partitions });
                }
            }
        } else {
            response.error_code = ErrorCode::NotController as i16;
            response.error_message = Some(Cow::Borrowed("This broker is not the controller."));
        }
        responder.send(&response);
        Ok(())
    }
}

fn by_topic<'a>(topics: &'a [ListPartitionReassignmentsTopics<'_>]) -> BTreeMap<&'a str, BTreeSet<i32>> {
    let mut asked: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for topic in topics {
        asked.entry(&topic.name).or_default().extend(&topic.partition_indexes);
    }
    asked
}

/// The topic's reassignments, of the partitions that were asked for.
fn under_way(topic: &Topic, is_asked: impl Fn(i32) -> bool) -> Vec<OngoingPartitionReassignment> {
    let asked = topic.partitions.iter().filter(|(index, _)| is_asked(**index));
    let moving =
        asked.filter(|(_, known)| !known.assignment.adding.is_empty() || !known.assignment.removing.is_empty());
    let reassignment = |(index, known): (&i32, &Partition)| OngoingPartitionReassignment {
        partition_index: *index,
        replicas: known.assignment.replicas.clone(),
        adding_replicas: known.assignment.adding.clone(),
        removing_replicas: known.assignment.removing.clone(),
    };
    moving.map(reassignment).collect()
}
