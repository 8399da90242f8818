//! What servers of an ensemble say to each other, byte for byte as ZooKeeper 3.9 writes it.
//!
//! [`election_port`]: who connects, and votes. [`quorum_port`]: everything between a leader and its learners.

mod election_port;
mod quorum_port;

pub use election_port::{InitialMessage, MessageError, Notification, NotificationFrame, ServerState};
pub use quorum_port::{
    AuthId, LEARNER_PROTOCOL_VERSION, LearnerInfo, LearnerRequest, PacketType, QuorumPacket, SNAPSHOT_SIGNATURE,
    Touched, activation, session_validity, session_validity_asked,
};

/// Everything that reads bytes of a network must return, whatever they are; what it reads it writes the same.
pub fn fuzz(data: &[u8]) {
    if let Ok(Some((packet, len))) = QuorumPacket::decode(data, 1 << 20) {
        let mut written = Vec::new();
        packet.write(&mut written);
        // Null strings are written as empty ones.
        assert!(packet.auth.is_some() || written == data[..len], "a packet is written as it was read");
        let _ = LearnerInfo::decode(packet.data());
        let _ = Touched::decode(packet.data());
        let _ = LearnerRequest::from_packet(&packet);
        let _ = activation(packet.data());
    }
    let _ = InitialMessage::decode(data);
    if let Ok(Some((body, _))) = NotificationFrame::split(data) {
        let _ = Notification::decode(body);
    }
    if let Ok(notification) = Notification::decode(data) {
        let _ = super::QuorumVerifier::parse(&String::from_utf8_lossy(&notification.config));
    }
}
