//! Named situations: servers against what real ones said, elections vote by vote, ends of epochs.

use super::world::World;
use crate::jute::Jute;
use crate::txn::TxnHeader;
use crate::zab::election::ElectionTiming;
use crate::zab::journal::first_zxid;
use crate::zab::messages::{LearnerInfo, Notification, PacketType, QuorumPacket, ServerState};
use crate::zab::{Input, Output, Persist, QuorumVerifier, Restored, Txn, ZabConfig, ZabPeer};
use ottla_base::random::Random;
use ottla_base::time::Now;
use std::sync::Arc;

const CONFIG: &str = "server.1=127.0.0.1:27100:27200:participant\nserver.2=127.0.0.1:27101:27201:participant\n\
                      server.3=127.0.0.1:27102:27202:participant\nversion=0";

/// One server whose disk is quick, and whose outputs are kept.
struct Server {
    peer: ZabPeer,
    now_ms: u64,
    out: Vec<Output>,
}

impl Server {
    fn new(sid: i64, config: &str, restored: Restored) -> Self {
        let config = ZabConfig {
            sid,
            tick_time_ms: 2_000,
            init_limit: 10,
            sync_limit: 5,
            commit_log_count: 500,
            election: ElectionTiming::default(),
            verifier: Arc::new(QuorumVerifier::parse(config).expect("good")),
        };
        let mut out = Vec::new();
        let peer = ZabPeer::new(config, restored, Now::default(), &mut out);
        Self { peer, now_ms: 0, out }
    }

    fn input(&mut self, input: Input) {
        let now = Now { mono_us: self.now_ms * 1_000, wall_ms: 0 };
        let before = self.out.len();
        self.peer.step(now, input, &mut self.out);
        let last = self.out[before..].iter().rev().find_map(|output| match output {
            Output::Persist { ticket, .. } => Some(*ticket),
            _ => None,
        });
        if let Some(ticket) = last {
            self.peer.step(now, Input::Persisted { ticket }, &mut self.out);
        }
    }

    fn after_ms(&mut self, ms: u64) {
        self.now_ms += ms;
        self.input(Input::Tick);
    }

    fn vote(&mut self, from: i64, state: ServerState, leader: i64, zxid: i64, round: i64, epoch: i64) {
        let notification = Notification {
            state,
            leader,
            zxid,
            election_epoch: round,
            peer_epoch: epoch,
            version: 2,
            config: CONFIG.as_bytes().to_vec(),
        };
        self.input(Input::Notification { from, notification });
    }

    /// What was sent on the quorum port since last asked.
    fn sent(&mut self) -> Vec<QuorumPacket> {
        let out = std::mem::take(&mut self.out);
        out.into_iter().filter_map(|o| if let Output::Send { packet, .. } = o { Some(packet) } else { None }).collect()
    }

    fn delivered(&self) -> Vec<i64> {
        self.out.iter().filter_map(|o| if let Output::Deliver(txn) = o { Some(txn.zxid) } else { None }).collect()
    }

    /// Server 2 elected: two votes for it.
    fn leading() -> Self {
        let mut server = Self::new(2, CONFIG, Restored::default());
        server.vote(1, ServerState::Looking, 2, 0, 1, 0);
        server.after_ms(200);
        assert_eq!(server.peer.state(), ServerState::Leading);
        server
    }

    fn packet(&mut self, conn: u64, packet: QuorumPacket) {
        self.input(Input::Packet { conn, packet });
    }

    /// Follower 1 goes through discovery and synchronisation.
    fn established() -> Self {
        let mut server = Self::leading();
        server.follow(7, 1, 0, 0);
        assert!(server.peer.is_serving());
        server
    }

    fn follow(&mut self, conn: u64, sid: i64, accepted: i64, last_zxid: i64) {
        let info = LearnerInfo { sid, protocol_version: 0x1_0000, config_version: 0 };
        self.input(Input::Accepted { conn });
        let packet = QuorumPacket::with(PacketType::FollowerInfo, first_zxid(accepted), info.to_bytes());
        self.packet(conn, packet);
        let epoch = self.peer.leader().expect("leads").epoch();
        self.packet(conn, QuorumPacket::with(PacketType::AckEpoch, last_zxid, 0_i32.to_be_bytes()));
        self.packet(conn, QuorumPacket::new(PacketType::Ack, first_zxid(epoch)));
    }
}

fn txn(zxid: i64) -> Txn {
    Txn { zxid, data: TxnHeader { zxid, ..TxnHeader::default() }.to_bytes().into() }
}

fn stream(mut bytes: &[u8]) -> Vec<QuorumPacket> {
    let mut packets = Vec::new();
    while let Some((packet, len)) = QuorumPacket::decode(bytes, 1 << 20).expect("good") {
        packets.push(packet);
        bytes = &bytes[len..];
    }
    packets
}

/// What is not an answer to the other side: pings come by the clock, requests and revalidations by clients.
fn without_clients(packets: Vec<QuorumPacket>) -> Vec<QuorumPacket> {
    let by_clients = [PacketType::Ping, PacketType::Request, PacketType::Revalidate, PacketType::Sync];
    packets.into_iter().filter(|packet| !by_clients.contains(&packet.kind)).collect()
}

#[test]
fn a_follower_answers_a_real_leader_as_a_real_follower_did() {
    let leader = stream(include_bytes!("../captures/quorum-new-leader.bin"));
    let follower = stream(include_bytes!("../captures/quorum-new-follower.bin"));
    let mut server = Server::new(2, CONFIG, Restored::default());
    server.vote(3, ServerState::Looking, 3, 0, 1, 0);
    server.after_ms(200);
    assert_eq!(server.peer.state(), ServerState::Following);
    server.input(Input::Connected { leader: 3, conn: 1 });
    for packet in leader {
        server.packet(1, packet);
    }
    assert_eq!(server.delivered(), [1, 2, 3, 4, 5, 6, 7].map(|counter| first_zxid(1) + counter));
    let sent = without_clients(server.sent());
    let real = without_clients(follower);
    // The capture of the leader goes on for a few transactions more.
    assert_eq!(sent[..real.len()], real);
}

#[test]
fn a_leader_answers_real_followers_as_a_real_leader_did() {
    let follower = stream(include_bytes!("../captures/quorum-new-follower.bin"));
    let leader = without_clients(stream(include_bytes!("../captures/quorum-new-leader.bin")));
    let mut server = Server::new(3, CONFIG, Restored::default());
    server.vote(2, ServerState::Looking, 3, 0, 1, 0);
    server.after_ms(200);
    server.input(Input::Accepted { conn: 1 });
    server.out.clear();
    let (acks, hello): (Vec<_>, Vec<_>) =
        follower.into_iter().partition(|p| p.kind == PacketType::Ack && p.zxid & 0xffff_ffff != 0);
    for packet in without_clients(hello) {
        server.packet(1, packet);
    }
    let proposals: Vec<Txn> = leader
        .iter()
        .filter(|packet| packet.kind == PacketType::Proposal)
        .map(|packet| Txn { zxid: packet.zxid, data: packet.data.clone().expect("a transaction") })
        .collect();
    for (txn, ack) in proposals.into_iter().zip(acks) {
        server.input(Input::Propose(txn));
        server.packet(1, ack);
    }
    let sent = without_clients(server.sent());
    assert!(sent.len() >= 10);
    assert_eq!(sent, leader[..sent.len()]);
}

#[test]
fn a_new_ensemble_finds_a_leader() {
    let mut world = World::new(1, 3, 1);
    world.run_for_ms(3_000);
    assert!(world.united_under().is_some());
}

#[test]
fn a_later_epoch_beats_a_later_zxid_beats_a_higher_id() {
    let restored =
        || Restored { accepted_epoch: 2, current_epoch: 2, last_zxid: first_zxid(2) + 5, ..Restored::default() };
    let cases = [
        (3, first_zxid(1) + 9, 1, false),
        (1, first_zxid(2) + 6, 2, true),
        (3, first_zxid(2) + 5, 2, true),
        (1, first_zxid(2) + 5, 2, false),
        (1, 0, 3, true),
    ];
    for (leader, zxid, epoch, follows) in cases {
        let mut server = Server::new(2, CONFIG, restored());
        server.vote(leader, ServerState::Looking, leader, zxid, 1, epoch);
        // The other one takes this server's vote when it is the better one.
        if !follows {
            server.vote(leader, ServerState::Looking, 2, first_zxid(2) + 5, 1, 2);
        }
        server.after_ms(200);
        let expected = if follows { leader } else { 2 };
        assert_eq!(server.peer.leader_sid(), Some(expected), "{leader} {zxid:#x} {epoch}");
    }
}

#[test]
fn who_comes_late_follows_a_leader_that_says_so_itself() {
    let mut server = Server::new(1, CONFIG, Restored::default());
    server.vote(2, ServerState::Following, 3, 5, 9, 4);
    assert_eq!(server.peer.state(), ServerState::Looking);
    // A second follower does not make the leader alive: 3 itself must say so.
    server.vote(3, ServerState::Leading, 3, 5, 9, 4);
    assert_eq!(server.peer.leader_sid(), Some(3));
    // And who asks is told of it.
    server.out.clear();
    server.vote(2, ServerState::Looking, 2, 0, 1, 0);
    let reply = server.out.iter().find_map(|o| match o {
        Output::Notify { to: 2, notification } => {
            Some((notification.state, notification.leader, notification.peer_epoch))
        }
        _ => None,
    });
    assert_eq!(reply, Some((ServerState::Following, 3, 4)));
}

#[test]
fn servers_without_weight_are_never_elected() {
    let config = format!("{CONFIG}\ngroup.1=1:2:3\nweight.3=0");
    let mut server = Server::new(1, &config, Restored::default());
    server.vote(3, ServerState::Looking, 3, 900, 1, 9);
    server.vote(2, ServerState::Looking, 2, 0, 1, 0);
    server.after_ms(200);
    assert_eq!(server.peer.leader_sid(), Some(2));
}

#[test]
fn nothing_is_committed_before_a_quorum_has_it_on_disk() {
    let mut server = Server::established();
    let zxid = server.peer.leader().expect("leads").last_proposed() + 1;
    server.out.clear();
    server.input(Input::Propose(txn(zxid)));
    // On its own disk, but nowhere else.
    assert!(server.delivered().is_empty());
    server.packet(7, QuorumPacket::new(PacketType::Ack, zxid + 1));
    assert!(server.delivered().is_empty(), "what was not proposed is not acknowledged");
    server.packet(7, QuorumPacket::new(PacketType::Ack, zxid));
    assert_eq!(server.delivered(), [zxid]);
    assert_eq!(server.sent().last().map(|packet| packet.kind), Some(PacketType::Commit));
}

#[test]
fn what_a_follower_acknowledged_is_void_when_it_comes_back() {
    let mut server = Server::established();
    let zxid = server.peer.leader().expect("leads").last_proposed() + 1;
    // The leader's own disk is slow.
    let now = Now { mono_us: server.now_ms * 1_000, wall_ms: 0 };
    server.out.clear();
    server.peer.step(now, Input::Propose(txn(zxid)), &mut server.out);
    server.peer.step(now, Input::Packet { conn: 7, packet: QuorumPacket::new(PacketType::Ack, zxid) }, &mut server.out);
    server.input(Input::Disconnected { conn: 7 });
    server.follow(8, 1, 1, zxid);
    let kinds: Vec<PacketType> = server.sent().iter().map(|packet| packet.kind).collect();
    use PacketType::{LeaderInfo, NewLeader, Proposal, Trunc, UpToDate};
    assert_eq!(kinds, [Proposal, LeaderInfo, Trunc, Proposal, NewLeader, UpToDate]);
    server.input(Input::Persisted { ticket: u64::MAX });
    assert!(server.delivered().is_empty(), "only the leader has it now");
    server.packet(8, QuorumPacket::new(PacketType::Ack, zxid));
    assert_eq!(server.delivered(), [zxid]);
}

#[test]
fn the_counter_of_the_zxid_ends_the_epoch() {
    let mut server = Server::established();
    let first = server.peer.leader().expect("leads").last_proposed() + 1;
    // Not the next: dropped, and nothing happens.
    server.input(Input::Propose(txn(first + 1)));
    assert_eq!(server.peer.state(), ServerState::Leading);
    // Four thousand million transactions later.
    let last = first_zxid(1) + 0xffff_fffe;
    server.peer.skip_to(last);
    server.input(Input::Propose(txn(last + 1)));
    assert_eq!(server.peer.state(), ServerState::Looking);
    server.vote(1, ServerState::Looking, 2, first_zxid(1), 2, 1);
    server.after_ms(200);
    assert_eq!(server.peer.leader().map(|leader| leader.epoch()), Some(2));
}

#[test]
fn a_leader_steps_down_for_a_voter_that_promised_a_later_epoch() {
    let mut server = Server::established();
    let info = LearnerInfo { sid: 3, protocol_version: 0x1_0000, config_version: 0 };
    server.input(Input::Accepted { conn: 9 });
    server.packet(9, QuorumPacket::with(PacketType::FollowerInfo, first_zxid(6), info.to_bytes()));
    assert_eq!(server.peer.state(), ServerState::Looking);
    server.vote(1, ServerState::Looking, 2, first_zxid(1), 2, 1);
    server.after_ms(200);
    assert_eq!(server.peer.leader().map(|leader| leader.epoch()), Some(7));
}

#[test]
fn an_epoch_that_was_accepted_before_does_not_count() {
    let mut server = Server::leading();
    let info = LearnerInfo { sid: 1, protocol_version: 0x1_0000, config_version: 0 };
    for (conn, current_epoch) in [(7, -1), (8, 0)] {
        server.input(Input::Accepted { conn });
        server.packet(conn, QuorumPacket::with(PacketType::FollowerInfo, 0, info.to_bytes()));
        server.out.clear();
        server.packet(conn, QuorumPacket::with(PacketType::AckEpoch, 0, i32::to_be_bytes(current_epoch)));
        let kinds: Vec<PacketType> = server.sent().iter().map(|packet| packet.kind).collect();
        // The promise may have been made to another leader of the same number.
        let expected: &[PacketType] =
            if current_epoch == -1 { &[] } else { &[PacketType::Diff, PacketType::NewLeader] };
        assert_eq!(kinds, expected);
    }
}

#[test]
fn a_learner_ahead_of_the_leader_is_sent_away() {
    let mut server = Server::leading();
    let info = LearnerInfo { sid: 1, protocol_version: 0x1_0000, config_version: 0 };
    server.input(Input::Accepted { conn: 7 });
    server.packet(7, QuorumPacket::with(PacketType::FollowerInfo, 0, info.to_bytes()));
    server.packet(7, QuorumPacket::with(PacketType::AckEpoch, 5, 0_i32.to_be_bytes()));
    assert!(matches!(server.out.last(), Some(Output::Close { conn: 7 })));
}

#[test]
fn an_observer_learns_of_commits_with_their_transactions() {
    let config = format!("{CONFIG}\nserver.4=127.0.0.1:1:2:observer");
    let mut server = Server::new(4, &config, Restored::default());
    server.vote(2, ServerState::Following, 3, 0, 1, 0);
    server.vote(3, ServerState::Leading, 3, 0, 1, 0);
    assert_eq!(server.peer.state(), ServerState::Observing);
    server.input(Input::Connected { leader: 3, conn: 1 });
    assert_eq!(server.sent().last().map(|packet| packet.kind), Some(PacketType::ObserverInfo));
    server.packet(1, QuorumPacket::with(PacketType::LeaderInfo, first_zxid(1), [0, 1, 0, 0]));
    server.packet(1, QuorumPacket::new(PacketType::Diff, 0));
    server.packet(1, QuorumPacket::new(PacketType::NewLeader, first_zxid(1)));
    let inform = |counter: i64| {
        let txn = txn(first_zxid(1) + counter);
        QuorumPacket::with(PacketType::Inform, txn.zxid, txn.data)
    };
    server.packet(1, inform(1));
    server.packet(1, QuorumPacket::new(PacketType::UpToDate, -1));
    server.packet(1, inform(2));
    assert_eq!(server.delivered(), [first_zxid(1) + 1, first_zxid(1) + 2]);
    let acks: Vec<i64> =
        server.sent().iter().filter(|packet| packet.kind == PacketType::Ack).map(|packet| packet.zxid).collect();
    assert_eq!(acks, [first_zxid(1); 2], "an observer has no say in what is committed");
}

#[test]
fn no_ping_is_answered_before_the_history_is_taken_over() {
    let mut server = Server::new(2, CONFIG, Restored::default());
    server.vote(3, ServerState::Looking, 3, 0, 1, 0);
    server.after_ms(200);
    server.input(Input::Connected { leader: 3, conn: 1 });
    server.packet(1, QuorumPacket::with(PacketType::LeaderInfo, first_zxid(1), [0, 1, 0, 0]));
    server.out.clear();
    let ping = || QuorumPacket::new(PacketType::Ping, first_zxid(1));
    server.packet(1, ping());
    server.packet(1, QuorumPacket::new(PacketType::Diff, 0));
    server.packet(1, ping());
    server.packet(1, QuorumPacket::new(PacketType::NewLeader, first_zxid(1)));
    server.packet(1, ping());
    server.input(Input::Touch { session_id: 5, timeout_ms: 6 });
    server.packet(1, QuorumPacket::new(PacketType::UpToDate, -1));
    server.packet(1, ping());
    let sent = server.sent();
    let kinds: Vec<PacketType> = sent.iter().map(|packet| packet.kind).collect();
    assert_eq!(kinds, [PacketType::Ack, PacketType::Ack, PacketType::Ping]);
    assert_eq!(sent[2].data(), [0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 6]);
}

/// What was answered since last asked, and how many PINGs were sent.
fn answers_and_pings(server: &mut Server) -> (usize, usize) {
    let out = std::mem::take(&mut server.out);
    let is_ping = |o: &&Output| matches!(o, Output::Send { packet, .. } if packet.kind == PacketType::Ping);
    (out.iter().filter(|o| matches!(o, Output::Synced)).count(), out.iter().filter(is_ping).count())
}

#[test]
fn a_read_waits_for_a_quorum_that_answers_after_it() {
    let mut server = Server::established();
    server.follow(8, 3, 0, 0);
    let read = || Input::ConfirmedRead { conn: None };
    let pong = || QuorumPacket::with(PacketType::Ping, 0, []);
    server.after_ms(2_000);
    server.out.clear();
    // Sent by the clock, before the read.
    server.input(read());
    assert_eq!(answers_and_pings(&mut server), (0, 2));
    server.packet(7, pong());
    assert_eq!(answers_and_pings(&mut server), (0, 0), "that one was for the clock's");
    // These come while a round is under way: the next is for all of them.
    server.input(read());
    server.input(read());
    assert_eq!(answers_and_pings(&mut server), (0, 0));
    server.packet(7, pong());
    assert_eq!(answers_and_pings(&mut server), (1, 2));
    // The one that has not answered the first round answers both in the end; until then it is not counted.
    server.packet(8, pong());
    server.packet(8, pong());
    assert_eq!(answers_and_pings(&mut server), (0, 0));
    server.input(Input::Disconnected { conn: 7 });
    server.packet(8, pong());
    assert_eq!(answers_and_pings(&mut server), (2, 0));
    // Who comes in the midst of a round takes part.
    server.input(read());
    server.input(Input::Disconnected { conn: 8 });
    server.out.clear();
    server.follow(9, 1, 0, 0);
    assert_eq!(answers_and_pings(&mut server), (0, 1));
    server.packet(9, pong());
    assert_eq!(answers_and_pings(&mut server), (1, 0));
    // A PING that nobody asked an answer for counts for nothing.
    server.packet(9, pong());
    server.input(read());
    assert_eq!(answers_and_pings(&mut server), (0, 1));
}

#[test]
fn rounds_do_not_pile_up_at_a_learner_that_answers_nothing() {
    let mut server = Server::established();
    server.follow(8, 3, 0, 0);
    server.out.clear();
    for _ in 0..100 {
        server.input(Input::ConfirmedRead { conn: None });
        server.packet(7, QuorumPacket::with(PacketType::Ping, 0, []));
    }
    assert_eq!(answers_and_pings(&mut server), (100, 132));
}

#[test]
fn a_leader_that_nobody_hears_steps_down() {
    let mut server = Server::established();
    for _ in 0..40 {
        server.after_ms(1_000);
    }
    assert_eq!(server.peer.state(), ServerState::Looking);
}

#[test]
fn a_snapshot_that_can_not_be_cut_is_asked_for_again() {
    let last_zxid = first_zxid(1) + 9;
    let restored = Restored { accepted_epoch: 1, current_epoch: 1, last_zxid, floor: last_zxid, tail: Vec::new() };
    let mut server = Server::new(2, CONFIG, restored);
    server.vote(3, ServerState::Looking, 3, first_zxid(2), 1, 2);
    server.after_ms(200);
    for conn in [1, 2] {
        server.input(Input::Connected { leader: 3, conn });
        server.packet(conn, QuorumPacket::with(PacketType::LeaderInfo, first_zxid(3), [0, 1, 0, 0]));
        if conn == 1 {
            server.packet(conn, QuorumPacket::new(PacketType::Trunc, first_zxid(1) + 4));
        }
    }
    let acks: Vec<(i64, i32)> = server
        .sent()
        .iter()
        .filter(|packet| packet.kind == PacketType::AckEpoch)
        .map(|packet| (packet.zxid, i32::from_be_bytes(*packet.data().first_chunk().expect("4 bytes"))))
        .collect();
    assert_eq!(acks, [(last_zxid, 1), (0, -1)]);
    server.packet(2, QuorumPacket::new(PacketType::Snap, first_zxid(1) + 4));
    server.input(Input::SnapshotReceived { conn: 2 });
    let installed = |o: &Output| matches!(o, Output::Persist { what: Persist::Snapshot { zxid }, .. } if *zxid == first_zxid(1) + 4);
    assert!(server.out.iter().any(installed));
}

/// Whatever the other side says, a server goes on, or looks for a leader again.
#[test]
fn nonsense_in_any_order_never_panics() {
    let mut random = Random::new(11);
    let captured = stream(include_bytes!("../captures/quorum-diff-leader.bin"))
        .into_iter()
        .chain(stream(include_bytes!("../captures/quorum-new-follower.bin")))
        .collect::<Vec<_>>();
    for _ in 0..300 {
        let mut server = if random.chance(500_000) { Server::established() } else { Server::leading() };
        if random.chance(500_000) {
            server = Server::new(2, CONFIG, Restored::default());
            server.vote(3, ServerState::Looking, 3, 0, 1, 0);
            server.after_ms(200);
            server.input(Input::Connected { leader: 3, conn: 7 });
        }
        for _ in 0..random.below(40) {
            let mut packet = captured[random.index(captured.len())].clone();
            if random.chance(300_000) {
                packet.kind = PacketType::from_i32(random.below(22) as i32);
            }
            if random.chance(200_000) {
                packet.zxid = [0, -1, i64::MAX, i64::MIN, first_zxid(1) + 1][random.index(5)];
            }
            if random.chance(100_000) {
                packet.data = packet.data.map(|data| data[..random.index(data.len() + 1)].into());
            }
            let conn = [7, 8][random.index(2)];
            server.packet(conn, packet);
            match random.below(12) {
                0 => server.input(Input::SnapshotReceived { conn }),
                1 => server.input(Input::Accepted { conn: 8 }),
                2 => server.vote(3, ServerState::Looking, 3, i64::MAX, i64::MAX - 1, i64::MAX),
                3 => server.after_ms(700),
                _ => {}
            }
        }
    }
}
