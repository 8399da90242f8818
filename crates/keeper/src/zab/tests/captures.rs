//! Bytes that an ensemble of three real 3.9.5 servers exchanged (a first start, a follower that comes back and gets DIFF,
//! one that lost its disk and gets SNAP), and bad bytes.

use crate::zab::QuorumVerifier;
use crate::zab::messages::{
    AuthId, InitialMessage, LearnerInfo, LearnerRequest, MessageError, Notification, NotificationFrame, PacketType,
    QuorumPacket, SNAPSHOT_SIGNATURE, ServerState, Touched, session_validity, session_validity_asked,
};
use ottla_base::random::Random;

const ELECTION_3_TO_1: &[u8] = include_bytes!("../captures/election-3-to-1.bin");
const ELECTION_1_TO_3: &[u8] = include_bytes!("../captures/election-1-to-3.bin");
const NEW_FOLLOWER: &[u8] = include_bytes!("../captures/quorum-new-follower.bin");
const NEW_FOLLOWER_1: &[u8] = include_bytes!("../captures/quorum-new-follower-1.bin");
const NEW_LEADER: &[u8] = include_bytes!("../captures/quorum-new-leader.bin");
const DIFF_FOLLOWER: &[u8] = include_bytes!("../captures/quorum-diff-follower.bin");
const DIFF_LEADER: &[u8] = include_bytes!("../captures/quorum-diff-leader.bin");
const SNAP_FOLLOWER: &[u8] = include_bytes!("../captures/quorum-snap-follower.bin");
const SNAP_LEADER: &[u8] = include_bytes!("../captures/quorum-snap-leader.bin");
const MAX_DATA: usize = 1 << 20;

/// All packets of one direction; each must be written back as it was.
fn packets(mut bytes: &[u8]) -> Vec<QuorumPacket> {
    let mut packets = Vec::new();
    while let Some((packet, len)) = QuorumPacket::decode(bytes, MAX_DATA).expect("good packets") {
        let mut written = Vec::new();
        packet.write(&mut written);
        assert_eq!(written, bytes[..len]);
        bytes = &bytes[len..];
        let snapshot_follows = packet.kind == PacketType::Snap;
        packets.push(packet);
        if snapshot_follows {
            break;
        }
    }
    packets
}

fn kinds(packets: &[QuorumPacket]) -> Vec<PacketType> {
    let mut kinds: Vec<PacketType> = packets.iter().map(|packet| packet.kind).collect();
    kinds.dedup();
    kinds
}

fn notifications(mut bytes: &[u8]) -> Vec<Notification> {
    let mut all = Vec::new();
    while let Some((body, len)) = NotificationFrame::split(bytes).expect("good frames") {
        let notification = Notification::decode(body).expect("a good notification");
        let mut written = Vec::new();
        notification.write_frame(&mut written);
        assert_eq!(written, bytes[..len]);
        bytes = &bytes[len..];
        all.push(notification);
    }
    all
}

#[test]
fn election_port() {
    let (initial, len) = InitialMessage::decode(ELECTION_3_TO_1).expect("good").expect("whole");
    let expected = InitialMessage { sid: 3, election_addresses: vec![("127.0.0.1".to_owned(), 27_202)] };
    assert_eq!(initial, expected);
    let mut written = Vec::new();
    initial.write(&mut written);
    assert_eq!(written, ELECTION_3_TO_1[..len]);
    let mut all = notifications(&ELECTION_3_TO_1[len..]);
    all.extend(notifications(ELECTION_1_TO_3));
    let leaders: Vec<i64> = all.iter().map(|n| n.leader).collect();
    assert_eq!(leaders, [3, 1, 1, 3]);
    for n in all {
        assert_eq!((n.state, n.election_epoch, n.peer_epoch, n.version), (ServerState::Looking, 1, 0, 2));
        let text = std::str::from_utf8(&n.config).expect("text");
        assert_eq!(QuorumVerifier::parse(text).expect("a good configuration").to_string(), text);
    }
}

#[test]
fn first_start() {
    use PacketType::{Ack, AckEpoch, Commit, Diff, FollowerInfo, LeaderInfo, NewLeader, Ping, Proposal, UpToDate};
    let (follower, leader) = (packets(NEW_FOLLOWER), packets(NEW_LEADER));
    assert_eq!(kinds(&follower)[..4], [FollowerInfo, AckEpoch, Ack, Ping]);
    assert_eq!(kinds(&leader)[..8], [LeaderInfo, Diff, NewLeader, UpToDate, Ping, Proposal, Commit, Proposal]);
    let info = LearnerInfo::decode(follower[0].data()).expect("good");
    assert_eq!(info, LearnerInfo { sid: 2, protocol_version: 0x1_0000, config_version: 0 });
    assert_eq!(info.to_bytes(), follower[0].data());
    let touched: Vec<Touched> = follower
        .iter()
        .filter(|packet| packet.kind == Ping)
        .map(|packet| Touched::decode(packet.data()).expect("good"))
        .collect();
    assert!(touched.iter().all(|touched| touched.0.iter().all(|(_, timeout_ms)| *timeout_ms == 10_000)));
    for proposal in leader.iter().filter(|packet| packet.kind == Proposal) {
        let entry = crate::txn::TxnEntry::decode(proposal.data()).expect("a transaction");
        assert_eq!((entry.header.zxid, entry.digest.map(|digest| digest.version)), (proposal.zxid, Some(2)));
    }
}

#[test]
fn requests_and_sessions() {
    let mut follower = packets(NEW_FOLLOWER);
    follower.extend(packets(NEW_FOLLOWER_1));
    let requests: Vec<LearnerRequest> = follower
        .iter()
        .filter(|packet| packet.kind == PacketType::Request)
        .map(|packet| {
            let request = LearnerRequest::from_packet(packet).expect("a request");
            assert_eq!(&request.to_packet(), packet);
            request
        })
        .collect();
    assert!(requests.iter().any(LearnerRequest::is_sync));
    let ip = AuthId { scheme: "ip".to_owned(), id: "127.0.0.1".to_owned() };
    assert!(requests.iter().any(|request| request.op == 1 && request.auth == [ip.clone()]));
    let asked = follower.iter().find(|packet| packet.kind == PacketType::Revalidate).expect("a session moved");
    let session_id = i64::from_be_bytes(*asked.data().first_chunk().expect("an id"));
    assert_eq!(&session_validity_asked(session_id, 10_000), asked);
    let leader = packets(NEW_LEADER);
    let told = leader.iter().find(|packet| packet.kind == PacketType::Revalidate).expect("and was valid");
    assert_eq!(&session_validity(session_id, true), told);
}

#[test]
fn back_after_a_while() {
    use PacketType::{Ack, AckEpoch, Commit, Diff, FollowerInfo, LeaderInfo, NewLeader, Proposal, UpToDate};
    let (follower, leader) = (packets(DIFF_FOLLOWER), packets(DIFF_LEADER));
    assert_eq!(kinds(&follower)[..3], [FollowerInfo, AckEpoch, Ack]);
    // It had accepted the epoch before.
    assert_eq!((follower[1].zxid, follower[1].data()), (0x1_0000_0004, &[0xff; 4][..]));
    let expected = [LeaderInfo, Diff, Proposal, Commit, Proposal, Commit, Proposal, Commit, NewLeader, UpToDate];
    assert_eq!(kinds(&leader)[..10], expected);
    assert_eq!(leader[1].zxid, 0x1_0000_0007);
}

#[test]
fn back_with_an_empty_disk() {
    use PacketType::{Ack, AckEpoch, FollowerInfo, LeaderInfo, Snap};
    assert_eq!(kinds(&packets(SNAP_FOLLOWER))[..3], [FollowerInfo, AckEpoch, Ack]);
    let leader = packets(SNAP_LEADER);
    assert_eq!((kinds(&leader), leader[1].zxid), (vec![LeaderInfo, Snap], 0x1_0000_0007));
    // The signature, then NEWLEADER.
    let mut end = SNAPSHOT_SIGNATURE.len().to_be_bytes()[4..].to_vec();
    end.extend_from_slice(SNAPSHOT_SIGNATURE.as_bytes());
    let at = SNAP_LEADER.windows(end.len()).position(|window| window == end).expect("a signature");
    let rest = packets(&SNAP_LEADER[at + end.len()..]);
    assert_eq!(kinds(&rest)[..2], [PacketType::NewLeader, PacketType::UpToDate]);
}

#[test]
fn parts_wait_for_the_rest() {
    for len in 0..NEW_FOLLOWER.len().min(60) {
        let decoded = QuorumPacket::decode(&NEW_FOLLOWER[..len], MAX_DATA).expect("not wrong yet");
        assert_eq!(decoded.is_some(), len >= 40, "{len}");
    }
    assert_eq!(InitialMessage::decode(&ELECTION_3_TO_1[..30]), Ok(None));
    assert_eq!(NotificationFrame::split(&ELECTION_1_TO_3[..100]), Ok(None));
}

#[test]
fn absurd_lengths_are_refused_at_once() {
    let mut packet = vec![0, 0, 0, 2];
    packet.extend_from_slice(&[0; 8]);
    packet.extend_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    assert!(QuorumPacket::decode(&packet, MAX_DATA).is_err());
    packet[12..].copy_from_slice(&[0xff, 0xff, 0xff, 0xfe]);
    assert!(QuorumPacket::decode(&packet, MAX_DATA).is_err());
    packet[12..].copy_from_slice(&[0xff; 4]);
    packet.extend_from_slice(&[0x7f, 0, 0, 0]);
    assert!(QuorumPacket::decode(&packet, MAX_DATA).is_err());
    assert_eq!(NotificationFrame::split(&[0x10, 0, 0, 0, 1]), Err(MessageError::Length(0x1000_0000)));
    assert_eq!(InitialMessage::decode(&(-5_i64).to_be_bytes()), Err(MessageError::ProtocolVersion(-5)));
    // Servers before 3.5 say who they are and nothing else.
    let old = InitialMessage { sid: 7, election_addresses: Vec::new() };
    assert_eq!(InitialMessage::decode(&7_i64.to_be_bytes()), Ok(Some((old, 8))));
}

#[test]
fn garbage_never_panics() {
    let mut random = Random::new(7);
    let captures = [ELECTION_3_TO_1, ELECTION_1_TO_3, NEW_FOLLOWER, NEW_LEADER, DIFF_LEADER, SNAP_LEADER];
    for round in 0..6_000 {
        let source = captures[round % captures.len()];
        let from = random.index(source.len());
        let mut bytes = source[from..].to_vec();
        for _ in 0..random.below(5) {
            let at = random.index(bytes.len());
            bytes[at] = random.next_u64() as u8;
        }
        crate::fuzz::fuzz_zab_messages(&bytes);
    }
}
