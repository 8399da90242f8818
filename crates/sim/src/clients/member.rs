//! A member of a classic group: joins, syncs, commits, leaves, and joins again.

use ottla_protocol::messages::heartbeat_request::HeartbeatRequest;
use ottla_protocol::messages::heartbeat_response::HeartbeatResponse;
use ottla_protocol::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use ottla_protocol::messages::join_group_response::JoinGroupResponse;
use ottla_protocol::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use ottla_protocol::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use ottla_protocol::messages::sync_group_response::SyncGroupResponse;
use ottla_protocol::{ErrorCode, Message};

use super::committer::{commit, commit_error, fetch, fetched};
use super::{Call, Client, Context, Outcome, version};
use crate::model::Check;
use crate::model::commits::Key;

#[derive(Debug)]
enum Doing {
    Join,
    Sync,
    Heartbeat,
    Commit(i64),
    Fetch,
    Leave,
}

/// Where the member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Outside,
    Joined,
    Stable,
}

/// A member.
#[derive(Debug)]
pub struct Member {
    key: Key,
    id: String,
    generation: i32,
    /// Of all members, when this one leads.
    members: Vec<String>,
    standing: Standing,
    doing: Option<Doing>,
    /// The last generation that was stored, and the losses until then.
    stored: (i32, u64),
    /// Generations in which it got its assignment.
    pub stable: u64,
}

impl Member {
    /// Commits for the partition of that number, alone among the members.
    #[must_use]
    pub fn new(group: &str, partition: i32) -> Self {
        Self {
            key: (group.to_owned(), super::committer::TOPIC, partition),
            id: String::new(),
            generation: -1,
            members: Vec::new(),
            standing: Standing::Outside,
            doing: None,
            stored: (-1, 0),
            stable: 0,
        }
    }

    fn join(&self, cx: &mut Context<'_>) -> Call {
        let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: vec![1, 2, 3].into() };
        let request = JoinGroupRequest {
            group_id: self.key.0.as_str().into(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 3_000,
            member_id: self.id.as_str().into(),
            protocol_type: "consumer".into(),
            protocols: vec![protocol],
            ..JoinGroupRequest::default()
        };
        let version = version(cx.random, 2, 9);
        Call::new(&request, version)
    }

    fn sync(&self, cx: &mut Context<'_>) -> Call {
        let assign = |member: &String| SyncGroupRequestAssignment {
            member_id: member.clone().into(),
            assignment: member.clone().into_bytes().into(),
        };
        let request = SyncGroupRequest {
            group_id: self.key.0.as_str().into(),
            generation_id: self.generation,
            member_id: self.id.as_str().into(),
            assignments: self.members.iter().map(assign).collect(),
            ..SyncGroupRequest::default()
        };
        let version = version(cx.random, 0, 4);
        Call::new(&request, version)
    }

    fn heartbeat(&self, cx: &mut Context<'_>) -> Call {
        let request = HeartbeatRequest {
            group_id: self.key.0.as_str().into(),
            generation_id: self.generation,
            member_id: self.id.as_str().into(),
            ..HeartbeatRequest::default()
        };
        let version = version(cx.random, 0, 4);
        Call::new(&request, version)
    }

    fn leave(&self, cx: &mut Context<'_>) -> Call {
        let version = version(cx.random, 0, 5);
        let mut request = LeaveGroupRequest { group_id: self.key.0.as_str().into(), ..LeaveGroupRequest::default() };
        if version >= 3 {
            let member = MemberIdentity { member_id: self.id.as_str().into(), ..MemberIdentity::default() };
            request.members = vec![member];
        } else {
            request.member_id = self.id.as_str().into();
        }
        Call::new(&request, version)
    }

    fn on_joined(&mut self, cx: &Context<'_>, body: &[u8], version: i16) -> Check {
        let response = JoinGroupResponse::from_bytes(body, version).map_err(|e| e.to_string())?;
        match ErrorCode::from_code(response.error_code) {
            ErrorCode::None => {
                let (before, losses) = self.stored;
                if response.generation_id < before && losses == cx.model.losses && self.id == *response.member_id {
                    let now = response.generation_id;
                    return Err(format!("group {} went back from generation {before} to {now}", self.key.0));
                }
                self.id = response.member_id.to_string();
                self.generation = response.generation_id;
                self.members = response.members.iter().map(|member| member.member_id.to_string()).collect();
                self.standing = Standing::Joined;
            }
            ErrorCode::MemberIdRequired => self.id = response.member_id.to_string(),
            _ => self.start_anew(),
        }
        Ok(())
    }

    fn on_synced(&mut self, cx: &Context<'_>, body: &[u8], version: i16) -> Check {
        let response = SyncGroupResponse::from_bytes(body, version).map_err(|e| e.to_string())?;
        if response.error_code != 0 {
            self.standing = Standing::Outside;
            return Ok(());
        }
        if *response.assignment != *self.id.as_bytes() {
            return Err(format!("member {} got the assignment {:?}", self.id, response.assignment));
        }
        self.standing = Standing::Stable;
        self.stable += 1;
        self.stored = (self.generation, cx.model.losses);
        Ok(())
    }

    fn start_anew(&mut self) {
        self.id.clear();
        self.generation = -1;
        self.standing = Standing::Outside;
    }

    fn on_error(&mut self, error: i16) {
        match ErrorCode::from_code(error) {
            ErrorCode::None => {}
            ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration => self.standing = Standing::Outside,
            ErrorCode::UnknownMemberId => self.start_anew(),
            _ => {}
        }
    }
}

impl Client for Member {
    fn call(&mut self, cx: &mut Context<'_>) -> Option<Call> {
        let (_, topic, partition) = &self.key;
        let topic = cx.model.topics.get(topic);
        if topic.partitions.len() <= *partition as usize || topic.id.is_none() {
            return None;
        }
        let (doing, call) = match self.standing {
            Standing::Outside => (Doing::Join, self.join(cx)),
            Standing::Joined => (Doing::Sync, self.sync(cx)),
            Standing::Stable => match cx.random.below(20) {
                0 => (Doing::Leave, self.leave(cx)),
                1..=6 => (Doing::Heartbeat, self.heartbeat(cx)),
                7..=10 => (Doing::Fetch, fetch(cx, &self.key)),
                _ => {
                    let (call, offset) = commit(cx, &self.key, &self.id, self.generation);
                    (Doing::Commit(offset), call)
                }
            },
        };
        self.doing = Some(doing);
        Some(call)
    }

    fn outcome(&mut self, cx: &mut Context<'_>, outcome: Outcome<'_>) -> Check {
        let doing = self.doing.take();
        let (body, version) = match outcome {
            Outcome::Body(body, version) => (body, version),
            Outcome::Lost => {
                self.standing = Standing::Outside;
                return Ok(());
            }
            Outcome::Refused => return Err(format!("the broker closed a member's connection: {doing:?}")),
        };
        match doing {
            Some(Doing::Join) => self.on_joined(cx, body, version),
            Some(Doing::Sync) => self.on_synced(cx, body, version),
            Some(Doing::Heartbeat) => {
                let response = HeartbeatResponse::from_bytes(body, version).map_err(|e| e.to_string())?;
                self.on_error(response.error_code);
                Ok(())
            }
            Some(Doing::Commit(offset)) => {
                let error = commit_error(body, version)?;
                if error == 0 {
                    cx.model.commits.acked(&self.key, offset);
                }
                self.on_error(error);
                Ok(())
            }
            Some(Doing::Fetch) => fetched(cx, &self.key, body, version).map(drop),
            Some(Doing::Leave) => {
                self.start_anew();
                Ok(())
            }
            None => Ok(()),
        }
    }
}
