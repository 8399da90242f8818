//! The Kafka protocol: messages, record batches, compression and error codes.
//!
//! [`messages`], [`api_key`] and [`error_code`] are made by `cargo xtask generate` from the tables in `reference/`.
//! Reading borrows from the frame; writing yields segments, so that a response can carry a piece of a log file that
//! nobody has read.

pub mod api_key;
pub mod batch_builder;
pub mod batch_iter;
pub mod batch_validation;
pub mod compression;
pub mod control_record;
pub mod error;
pub mod error_code;
mod error_message;
pub mod frame;
pub mod fuzz;
pub mod message;
pub mod messages;
pub mod reader;
pub mod record;
pub mod record_batch;
pub mod types;
pub mod writer;

pub use api_key::{ApiKey, Facing};
pub use batch_builder::{BatchOptions, RecordBatchBuilder};
pub use batch_iter::BatchIter;
pub use compression::{Compression, Compressor};
pub use error::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind};
pub use error_code::ErrorCode;
pub use frame::{Frame, RequestHead, Segment, request_frame, response_frame, response_head};
pub use message::{Message, Request, Response, from_versioned_bytes};
pub use reader::Reader;
pub use record::{Header, Record};
pub use record_batch::{BatchError, BatchHeader, RecordBatch, RecordBatchMut, TimestampType};
pub use types::{Blob, Records, Str};
pub use writer::Writer;
