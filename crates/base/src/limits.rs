//! Every bound on what a peer can make us hold, each with its reason. A queue or buffer that a peer can grow names its
//! bound here.

/// Largest length that the decoder reserves for an array before it has seen the elements: a lying count may not make us
/// allocate more than the frame could hold.
pub const ARRAY_PREALLOCATION: usize = 1_024;

/// Deepest nesting of a decoded message; Kafka's deepest has 5 levels.
pub const MESSAGE_DEPTH: usize = 16;

/// Most bytes that one compressed batch may become when it is opened for validation or compaction, whatever its header
/// says: stops a decompression bomb. Kafka's largest batch is bounded by `max.message.bytes` on the wire only.
pub const DECOMPRESSED_BATCH_BYTES: usize = 256 << 20;
