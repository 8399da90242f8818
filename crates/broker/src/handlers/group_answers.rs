//! How the handlers of the group APIs run a request and answer it, at once or when the coordinator is ready to.

use ottla_protocol::{Blob, Response, Str};

use crate::broker::Broker;
use crate::coordinator::group::messages::{self, GroupReply, GroupRequest};
use crate::coordinator::runtime::Outcome;
use crate::reply::Reply;
use crate::request::RequestContext;

/// How an API's response is made of the coordinator's reply.
pub trait Answer {
    type Response<'a>: Response<'a>;

    fn response(reply: &GroupReply, version: i16) -> Self::Response<'_>;
}

/// Runs a request against the shard of its group.
pub fn run<A: Answer>(
    broker: &Broker,
    context: &mut RequestContext<'_>,
    group_id: &str,
    request: GroupRequest,
) -> Reply {
    let (now, version) = (context.now, context.api_version);
    let outcome = broker.groups.request(now, group_id, request, &mut || {
        let responder = context.responder();
        Box::new(move |reply: GroupReply| responder.send(&A::response(&reply, version)))
    });
    match outcome {
        Outcome::Now(reply) => context.reply(&A::response(&reply, version)),
        Outcome::Later => Reply::Later,
    }
}

pub fn text(text: &messages::Text) -> Str<'_> {
    Str::Borrowed(text)
}

pub fn nullable_text(text: &Option<messages::Text>) -> Option<Str<'_>> {
    text.as_deref().map(Str::Borrowed)
}

pub fn blob(blob: &messages::Blob) -> Blob<'_> {
    Blob::Borrowed(blob)
}

/// The coordinator answers each kind of request with its own kind of reply.
#[cold]
pub fn another_kind(reply: &GroupReply) -> ! {
    unreachable!("the group coordinator answered with something else: {reply:?}")
}
