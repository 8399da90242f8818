//! DeleteTopics: writes the wish that the controller carries out.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ottla_base::ids::Uuid;
use ottla_keeper::ops::KeeperResult;
use ottla_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use ottla_protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use ottla_protocol::{DecodeError, ErrorCode, Message};

use super::{AdminStep, Refusal, Waiting};
use crate::control_plane::ControlPlane;
use crate::lifecycle::create;
use crate::reply::Responder;
use crate::znodes;

/// One topic of the request, by name or by id.
#[derive(Debug)]
struct Doomed {
    name: Option<String>,
    id: Uuid,
    refusal: Option<Refusal>,
}

/// A DeleteTopics under way.
#[derive(Debug)]
pub(crate) struct DeleteTopics {
    responder: Responder,
    timeout_ms: i32,
    topics: Vec<Doomed>,
}

impl DeleteTopics {
    pub fn decode(version: i16, body: &[u8], responder: Responder) -> Result<Self, (DecodeError, Responder)> {
        let request = match DeleteTopicsRequest::from_bytes(body, version) {
            Ok(request) => request,
            Err(error) => return Err((error, responder)),
        };
        let doomed = |name: Option<&str>, id| Doomed { name: name.map(str::to_owned), id, refusal: None };
        let by_name = request.topic_names.iter().map(|name| doomed(Some(name), Uuid::ZERO));
        let by_either = request.topics.iter().map(|topic| doomed(topic.name.as_deref(), topic.topic_id));
        Ok(Self { topics: by_name.chain(by_either).collect(), timeout_ms: request.timeout_ms, responder })
    }

    pub fn refuse(mut self, refusal: Refusal) {
        for topic in &mut self.topics {
            topic.refusal = Some(refusal.clone());
        }
        self.send();
    }

    fn send(self) {
        let result = |topic: &Doomed| {
            let (code, message) = topic.refusal.clone().unzip();
            DeletableTopicResult {
                name: topic.name.clone().map(Cow::Owned),
                topic_id: topic.id,
                error_code: code.unwrap_or_default() as i16,
                error_message: message.map(Cow::Owned),
            }
        };
        let responses = self.topics.iter().map(result).collect();
        self.responder.send(&DeleteTopicsResponse { throttle_time_ms: 0, responses });
    }

    /// Those that were accepted so far.
    fn accepted(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().filter(|topic| topic.refusal.is_none()).filter_map(|topic| topic.name.as_deref())
    }
}

impl ControlPlane {
    pub(crate) fn delete_topics(&mut self, mut request: DeleteTopics) {
        if !self.controller.is_active() {
            return request.refuse((ErrorCode::NotController, "This broker is not the controller.".to_owned()));
        }
        if !self.shared.broker().delete_topic_enable {
            let too_old = request.responder.api_version() < 3;
            let code = if too_old { ErrorCode::InvalidRequest } else { ErrorCode::TopicDeletionDisabled };
            return request.refuse((code, "Topic deletion is disabled.".to_owned()));
        }
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for topic in &mut request.topics {
            topic.refusal = self.look_up(topic).err();
            if let Some(name) = topic.name.as_ref().filter(|_| topic.refusal.is_none()) {
                *seen.entry(name.clone()).or_default() += 1;
            }
        }
        for topic in &mut request.topics {
            if topic.refusal.is_none() && topic.name.as_ref().is_some_and(|name| seen[name] > 1) {
                topic.refusal = Some((ErrorCode::InvalidRequest, "Duplicate topic name.".to_owned()));
            }
        }
        let ops: Vec<_> = request.accepted().map(|name| create(znodes::delete_topic(name), None)).collect();
        if ops.is_empty() {
            return request.send();
        }
        self.admin_keeper(ops, AdminStep::DeleteTopics(request));
    }

    /// Finds the topic, and fills in its name or its id.
    fn look_up(&self, topic: &mut Doomed) -> Result<(), Refusal> {
        let topics = &self.controller.context.topics;
        match (&topic.name, topic.id.is_zero()) {
            (Some(_), false) => {
                Err((ErrorCode::InvalidRequest, "You may not specify both topic name and topic id.".to_owned()))
            }
            (None, true) => Err((ErrorCode::InvalidRequest, "Neither topic name nor id were specified.".to_owned())),
            (Some(name), true) => match topics.get(name.as_str()) {
                Some(known) => {
                    topic.id = known.id;
                    Ok(())
                }
                None => {
                    let code = ErrorCode::UnknownTopicOrPartition;
                    Err((code, code.message().to_owned()))
                }
            },
            (None, false) => match topics.iter().find(|(_, known)| known.id == topic.id) {
                Some((name, _)) => {
                    topic.name = Some(name.to_string());
                    Ok(())
                }
                None => Err((ErrorCode::UnknownTopicId, ErrorCode::UnknownTopicId.message().to_owned())),
            },
        }
    }

    pub(crate) fn on_deletions_written(&mut self, mut request: DeleteTopics, results: &[KeeperResult]) {
        let open = request.topics.iter_mut().filter(|topic| topic.refusal.is_none());
        for (topic, result) in open.zip(results) {
            // A wish that is there already is as good as ours.
            if let Err(error) = result
                && !error.is_node_exists()
            {
                topic.refusal = Some((ErrorCode::UnknownServerError, format!("The keeper refused it: {error:?}")));
            }
        }
        let timeout_ms = request.timeout_ms;
        self.wait(timeout_ms, Waiting::DeleteTopics(request));
    }

    pub(super) fn topics_are_deleted(&self, request: &DeleteTopics) -> bool {
        self.controller.is_active() && request.accepted().all(|name| !self.controller.context.topics.contains_key(name))
    }

    pub(super) fn answer_delete_topics(&self, mut request: DeleteTopics) {
        for topic in &mut request.topics {
            let is_there = |name: &String| {
                !self.controller.is_active() || self.controller.context.topics.contains_key(name.as_str())
            };
            if topic.refusal.is_none() && topic.name.as_ref().is_some_and(is_there) {
                topic.refusal = Some((ErrorCode::RequestTimedOut, ErrorCode::RequestTimedOut.message().to_owned()));
            }
        }
        request.send();
    }
}
