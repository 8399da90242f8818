//! The clients against servers that misbehave, on loopback.

mod keeper;
