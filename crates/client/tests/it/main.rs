//! The clients against servers that misbehave, on loopback.

mod kafka;
mod keeper;
mod unreliable_broker;
