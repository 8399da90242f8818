//! Clients of the broker: small state machines that make requests from the seed, and tell the model what they hear.

pub mod admin;
pub mod committer;
pub mod consumer;
pub mod keeper_client;
pub mod member;
pub mod producer;

use std::fmt;

use ottla_base::random::Random;
use ottla_base::time::Now;
use ottla_protocol::{ApiKey, Request, request_frame};

use crate::model::{Check, Model};

/// What a client works with.
#[derive(Debug)]
pub struct Context<'a> {
    pub now: Now,
    pub random: &'a mut Random,
    pub model: &'a mut Model,
}

/// A request on its way.
#[derive(Debug)]
pub struct Call {
    pub key: ApiKey,
    pub version: i16,
    /// Without its size.
    pub frame: Vec<u8>,
    /// The partition that it writes to.
    pub writes_to: Option<(&'static str, i32)>,
}

/// The correlation id of every request: a connection has one at a time.
pub const CORRELATION_ID: i32 = 7;

impl Call {
    /// A request as a frame.
    #[must_use]
    pub fn new<'a, Q: Request<'a>>(request: &Q, version: i16) -> Self {
        let frame = request_frame(CORRELATION_ID, Some("sim"), request, version).expect("an encodable request");
        let frame = frame.into_bytes().expect("a request has no pieces of files")[4..].to_vec();
        Self { key: Q::KEY, version, frame, writes_to: None }
    }
}

/// What came of a request.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// The response's body.
    Body(&'a [u8], i16),
    /// The connection broke, or the node died: nobody knows. Also the lack of an answer to acks=0.
    Lost,
    /// The broker closed the connection.
    Refused,
}

/// One client with one connection.
pub trait Client: fmt::Debug {
    /// The next request; `None` when there is nothing to do now.
    fn call(&mut self, cx: &mut Context<'_>) -> Option<Call>;
    /// The outcome of the last one.
    fn outcome(&mut self, cx: &mut Context<'_>, outcome: Outcome<'_>) -> Check;
}

/// A version in the range, seldom the same.
pub fn version(random: &mut Random, low: i16, high: i16) -> i16 {
    low + random.below((high - low + 1) as u64) as i16
}
