//! The Kafka protocol: messages, record batches, compression and error codes.
