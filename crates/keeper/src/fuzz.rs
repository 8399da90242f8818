//! Entry points for fuzzing: every decoder that reads bytes from a network, a disk or a user's file. They must return.

use crate::config::ZooConfig;
use crate::database::Database;
use crate::jute::{Jute, Reader};
use crate::keeper_server::{Input, KeeperServer, ServerConfig};
use crate::multi;
use crate::proto::{
    AuthPacket, ConnectRequest, ConnectResponse, CreateTtlRequest, GetAclResponse, ReconfigRequest, SetWatches2,
    WatcherEvent, WhoAmIResponse,
};
use crate::snapshot;
use crate::txn::TxnEntry;
use crate::txn_log::LogReader;
use crate::zab::QuorumVerifier;
use crate::zab::messages::{
    InitialMessage, LearnerInfo, LearnerRequest, Notification, NotificationFrame, QuorumPacket, Touched, activation,
};
use ottla_base::disk::{Disk, OpenMode};
use ottla_base::random::Random;
use ottla_base::sim_disk::SimDisk;
use ottla_base::time::Now;
use std::path::Path;

/// Records: what decodes must encode to something that decodes to the same.
pub fn fuzz_jute(data: &[u8]) {
    fn one<'a, T: Jute<'a> + PartialEq + std::fmt::Debug>(data: &'a [u8]) -> Option<Vec<u8>> {
        T::read(&mut Reader::new(data)).ok().map(|value| value.to_bytes())
    }
    let encoded = [
        one::<ConnectRequest<'_>>(data),
        one::<ConnectResponse<'_>>(data),
        one::<CreateTtlRequest<'_>>(data),
        one::<SetWatches2<'_>>(data),
        one::<GetAclResponse<'_>>(data),
        one::<ReconfigRequest<'_>>(data),
        one::<AuthPacket<'_>>(data),
        one::<WatcherEvent<'_>>(data),
        one::<WhoAmIResponse<'_>>(data),
    ];
    assert!(encoded.iter().flatten().all(|bytes| bytes.len() <= data.len() + 64));
    let _ = multi::read_ops(&mut Reader::new(data));
}

/// A connection's bytes, from the connect frame on.
pub fn fuzz_connection(data: &[u8]) {
    let now = Now { mono_us: 1, wall_ms: 1 };
    let mut server = KeeperServer::new(ServerConfig::default(), Database::new(true), Random::new(1), now);
    let mut outputs = Vec::new();
    let peer = ([127, 0, 0, 1], 1).into();
    server.step(now, Input::Opened { conn: 1, peer }, &mut outputs);
    for portion in data.chunks(97) {
        server.step(now, Input::Received { conn: 1, bytes: portion }, &mut outputs);
        let zxid = server.last_proposed_zxid();
        server.step(now, Input::Persisted { zxid }, &mut outputs);
    }
    assert_eq!(server.db().digest_mismatches(), 0);
}

/// A transaction, and a whole log file.
pub fn fuzz_txn_log(data: &[u8]) {
    if let Ok(entry) = TxnEntry::decode(data) {
        Database::new(true).apply(&entry, &mut ());
    }
    let disk = SimDisk::new(1);
    let Ok(file) = disk.open(Path::new("/log.1"), OpenMode::Create) else { return };
    if file.write_all_at(data, 0).is_err() {
        return;
    }
    let Ok(mut reader) = LogReader::open(file) else { return };
    let mut database = Database::new(true);
    while let Ok(Some(bytes)) = reader.next_entry() {
        if let Ok(entry) = TxnEntry::decode(bytes) {
            database.apply(&entry, &mut ());
        }
    }
}

/// The election port and the quorum port; a packet that is read is written the same.
pub fn fuzz_zab_messages(data: &[u8]) {
    if let Ok(Some((packet, len))) = QuorumPacket::decode(data, 1 << 20) {
        let mut written = Vec::new();
        packet.write(&mut written);
        // Null strings of an identity are written as empty ones.
        assert!(packet.auth.is_some() || written == data[..len]);
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
        let _ = QuorumVerifier::parse(&String::from_utf8_lossy(&notification.config));
    }
}

/// A snapshot file.
pub fn fuzz_snapshot(data: &[u8]) {
    let _ = snapshot::read(data, 1, true);
}

/// A snapshot as a leader sends it, in portions; what comes behind it is given back.
pub fn fuzz_snapshot_stream(data: &[u8]) {
    let mut receiver = snapshot::SnapshotReceiver::new(1, true.into());
    for portion in data.chunks(61) {
        match receiver.push(portion) {
            Ok(None) => {}
            Ok(Some(rest)) => {
                assert!(rest.len() <= data.len());
                let _ = receiver.into_database().tree().digest();
                return;
            }
            Err(_) => return,
        }
    }
}

/// `zoo.cfg` and its dynamic part.
pub fn fuzz_zoo_cfg(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(mut config) = ZooConfig::parse(&text) {
        let _ = config.add_dynamic(&text);
        let _ = (config.server_config(), config.storage_config());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mutates good inputs a little; the real fuzzing runs longer elsewhere.
    #[test]
    fn mutated_inputs_return() {
        let mut random = Random::new(5);
        let snapshot = include_bytes!("../tests/captures/data-3.9.5/snapshot.80");
        let log = &include_bytes!("../tests/captures/data-3.9.5/log.1")[..9_000];
        let config = b"dataDir=/d\nclientPort=2181\nserver.1=a:1:2:observer;3\nserver.2=[::1]:1:2\nsnapCount=5\n\\";
        type Target = fn(&[u8]);
        let targets: [(Target, &[u8]); 5] = [
            (fuzz_snapshot, snapshot),
            (fuzz_txn_log, log),
            (fuzz_zoo_cfg, config),
            (fuzz_jute, &log[28..]),
            (fuzz_connection, &log[28..]),
        ];
        for (target, good) in targets {
            for _ in 0..100 {
                let mut data = good.to_vec();
                for _ in 0..=random.below(4) {
                    let at = random.index(data.len());
                    data[at] = random.next_u64() as u8;
                }
                data.truncate(data.len() - random.index(data.len() / 2));
                target(&data);
                target(&data[random.index(data.len())..]);
            }
        }
    }
}
