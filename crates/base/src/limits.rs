//! Every bound on what a peer can make us hold, each with its reason. A queue or buffer that a peer can grow names its
//! bound here.

/// Largest length that the decoder reserves for an array before it has seen the elements: a lying count may not make us
/// allocate more than the frame could hold.
pub const ARRAY_PREALLOCATION: usize = 1_024;

/// Most memory that the elements of a message's arrays may take, in bytes: an element of two bytes on the wire is a hundred
/// in memory, so a request of 100 MB could take all there is. A request for a million partitions stays below.
pub const MESSAGE_ELEMENT_BYTES: usize = 512 << 20;

/// Deepest nesting of a decoded message; Kafka's deepest has 5 levels.
pub const MESSAGE_DEPTH: usize = 16;

/// Most bytes that one compressed batch may become when it is opened for validation or compaction, whatever its header
/// says: stops a decompression bomb. Kafka's largest batch is bounded by `max.message.bytes` on the wire only.
pub const DECOMPRESSED_BATCH_BYTES: usize = 256 << 20;

/// Largest answer that the keeper client takes: the children of a node with a million of them fit; the server's own
/// bound (`jute.maxbuffer`, 1 MiB) holds for requests only.
pub const KEEPER_ANSWER_BYTES: usize = 64 << 20;

/// Most requests that the keeper client has on the wire at once; the rest waits in the caller's queue. The server stops
/// reading at as many (`globalOutstandingLimit`).
pub const KEEPER_REQUESTS_IN_FLIGHT: usize = 1_000;

/// Most requests that wait on partitions or for time to pass at once. A connection has one at most, so this is reached only
/// by as many connections; beyond it a request is answered with what there is.
pub const WAITING_REQUESTS: usize = 200_000;

/// Most partitions that one fetch session remembers: as many as a client would name in one request of 100 MB.
pub const FETCH_SESSION_PARTITIONS: usize = 1_000_000;

/// Memory that all large requests under way may take together when `queued.max.request.bytes` does not say: five of the
/// largest that `socket.request.max.bytes` allows by default. One more may finish arriving beyond it.
pub const REQUEST_BYTES_IN_FLIGHT: usize = 512 << 20;

/// Largest answer that a Kafka client takes: five of the largest that `fetch.max.bytes` asks for by default, as one
/// batch above it may come along.
pub const CLIENT_RESPONSE_BYTES: usize = 256 << 20;

/// Largest transaction read back from a keeper's log: far above any multi that `jute.maxbuffer` lets in; stops absurd
/// lengths in a damaged file before anything is reserved for them.
pub const KEEPER_TXN_BYTES: usize = 1 << 30;

/// Most bytes that a compressed keeper snapshot may become: far above what a tree takes in memory; stops a
/// decompression bomb.
pub const KEEPER_SNAPSHOT_BYTES: u64 = 16 << 30;

/// A keeper connection that has sent no connect frame after this time is closed, in milliseconds: as ZooKeeper does, so
/// that silent sockets don't use up `maxClientCnxns`.
pub const KEEPER_HANDSHAKE_MS: u64 = 10_000;

/// Children of a keeper's root whose reads and writes are told apart in its metrics: Kafka has twenty, and clients may make
/// any number.
pub const KEEPER_NAMESPACES: usize = 256;

/// Longest name, in bytes, of such a child.
pub const KEEPER_NAMESPACE_NAME_BYTES: usize = 256;

/// Largest message on a keeper's election port: ZooKeeper's own bound; a vote is about 200 bytes, its configuration the
/// most of it.
pub const ELECTION_MESSAGE_BYTES: usize = 512 << 10;

/// Longest list of election addresses that a server introduces itself with: ZooKeeper's own bound.
pub const ELECTION_ADDRESSES_BYTES: usize = 2_048;

/// Most identities that a request forwarded between keepers may carry: a client has one per `addauth`, so this is far
/// above what anybody uses.
pub const QUORUM_PACKET_AUTH_IDS: usize = 10_000;

/// Most connections on a keeper's election port at once: many times the largest ensemble, and few enough that strangers
/// who connect and say nothing cost little.
pub const ELECTION_CONNECTIONS: usize = 1_000;

/// Most bytes that wait to be sent from one keeper to another: the largest transaction many times over; whoever lets so
/// much wait does not read, and takes a snapshot when it comes back.
pub const QUORUM_WAITING_BYTES: usize = 256 << 20;

/// Most bytes of a keeper's log files that are read for a learner that lacks them: the log's thread reads them while
/// transactions wait for it, and they are in memory until they are sent. Above it a snapshot is sent in parts.
pub const LOG_DIFFERENCE_BYTES: u64 = 16 << 20;

/// Most connections on a keeper's quorum port at once: many times the largest ensemble with its observers.
pub const QUORUM_CONNECTIONS: usize = 1_000;

/// Largest first packet on a keeper's quorum port, where a server says who it is: 20 bytes and their header, so that a
/// stranger costs little.
pub const QUORUM_INTRODUCTION_BYTES: usize = 4 << 10;

/// Largest packet of a learner: a request (`jute.maxbuffer`), or the 12 bytes for each of its sessions that were heard of
/// since the last one, which is enough for five million.
pub const LEARNER_PACKET_BYTES: usize = 64 << 20;
