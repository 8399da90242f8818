//! What servers of an ensemble say to each other, byte for byte as ZooKeeper 3.9 writes it.
//!
//! `election_port`: who connects, and votes. `quorum_port`: everything between a leader and its learners.

mod election_port;
mod quorum_port;

pub use election_port::{InitialMessage, MessageError, Notification, NotificationFrame, ServerState};
pub use quorum_port::{
    AuthId, LEARNER_PROTOCOL_VERSION, LearnerInfo, LearnerRequest, PacketType, QuorumPacket, SNAPSHOT_SIGNATURE,
    Touched, activation, session_validity, session_validity_asked,
};
