//! The Kafka protocol: messages, record batches, compression and error codes.
//!
//! [`messages`], [`api_key`] and [`error_code`] are made by `cargo xtask generate` from the tables in `reference/`.
//! Reading borrows from the frame; writing yields segments, so that a response can carry a piece of a log file that
//! nobody has read.

pub mod api_key;
pub mod error;
pub mod error_code;
mod error_message;
pub mod frame;
pub mod message;
pub mod messages;
pub mod reader;
pub mod types;
pub mod writer;

pub use api_key::{ApiKey, Facing};
pub use error::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind};
pub use error_code::ErrorCode;
pub use frame::{Frame, RequestHead, Segment, request_frame, response_frame, response_head};
pub use message::{Message, Request, Response};
pub use reader::Reader;
pub use types::{Blob, Records, Str};
pub use writer::Writer;
