use super::*;
use crate::config::{OperatorConfig, ServerSpec};
use crate::database::Database;
use crate::keeper_server::{Input, Output, ServerConfig};
use crate::quorum_status::{LearnerStatus, ZabState};
use ottla_base::random::Random;
use std::net::Ipv4Addr;

const NOW: Now = Now { mono_us: 5_000_000, wall_ms: 1_795_348_718_090 };

fn server(operator: OperatorConfig) -> KeeperServer {
    let config = ServerConfig { operator, ..ServerConfig::default() };
    KeeperServer::new(config, Database::new(true), Random::new(1), NOW)
}

fn request(name: &str) -> AdminRequest<'_> {
    AdminRequest {
        name,
        post: name == "restore",
        parameters: &[],
        authorization: None,
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

fn ask(server: &mut KeeperServer, request: &AdminRequest<'_>) -> (u16, String) {
    match server.admin_command(NOW, request) {
        AdminAnswer::Reply { status, body } => (status, body.to_text()),
        other => (0, format!("{other:?}")),
    }
}

#[test]
fn answers_are_those_of_a_real_one() {
    let mut server = server(OperatorConfig::default());
    for (name, expected) in [
        ("ruok", "{\n  \"command\" : \"ruok\",\n  \"error\" : null\n}"),
        ("gtmk", "{\n  \"tracemask\" : 306,\n  \"command\" : \"get_trace_mask\",\n  \"error\" : null\n}"),
        ("nope", "{\n  \"command\" : \"nope\",\n  \"error\" : \"Unknown command: nope\"\n}"),
        ("lead", "{\n  \"error\" : \"server is not initialized\",\n  \"command\" : \"leader\"\n}"),
        (
            "stmk",
            "{\n  \"error\" : \"setTraceMask requires long traceMask argument\",\n  \"command\" : \"set_trace_mask\"\n}",
        ),
        (
            "zabstate",
            "{\n  \"voting\" : false,\n  \"zabstate\" : \"\",\n  \"command\" : \"zabstate\",\n  \"error\" : null\n}",
        ),
        (
            "lsnp",
            "{\n  \"zxid\" : \"ffffffffffffffff\",\n  \"timestamp\" : -1,\n  \"command\" : \"last_snapshot\",\n  \
             \"error\" : null\n}",
        ),
        ("voting_view", "{\n  \"current_config\" : { },\n  \"command\" : \"voting_view\",\n  \"error\" : null\n}"),
        (
            "wchs",
            "{\n  \"num_connections\" : 0,\n  \"num_paths\" : 0,\n  \"num_total_watches\" : 0,\n  \
             \"command\" : \"watch_summary\",\n  \"error\" : null\n}",
        ),
    ] {
        assert_eq!(ask(&mut server, &request(name)), (200, expected.to_owned()), "{name}");
    }
}

#[test]
fn the_trace_mask_is_set() {
    let mut server = server(OperatorConfig::default());
    let with = |value: &str| [("traceMask".to_owned(), value.to_owned())];
    let wrong = ask(&mut server, &AdminRequest { parameters: &with("abc"), ..request("set_trace_mask") });
    assert!(wrong.1.contains("setTraceMask requires long traceMask argument, got abc"), "{}", wrong.1);
    ask(&mut server, &AdminRequest { parameters: &with("5"), ..request("stmk") });
    assert!(ask(&mut server, &request("gtmk")).1.contains("\"tracemask\" : 5"));
}

#[test]
fn who_may_have_a_snapshot() {
    let mut server = server(OperatorConfig { admin_rate_limiter_interval_ms: 0, ..OperatorConfig::default() });
    // Everybody has all permissions on the root of a new tree, once he says who he is.
    for (authorization, status) in [
        (None, 401),
        (Some(""), 401),
        (Some("digest"), 401),
        (Some("digest a b"), 401),
        (Some("world anyone"), 401),
        (Some("x509"), 401),
        (Some("digest a:b"), 0),
        (Some("ip"), 0),
    ] {
        let asked = AdminRequest { authorization, ..request("snapshot") };
        assert_eq!(ask(&mut server, &asked).0, status, "{authorization:?}");
    }
    assert_eq!(ask(&mut server, &AdminRequest { authorization: Some("ip"), ..request("restore") }).0, 0);
    // Asked for in the wrong way.
    let posted = AdminRequest { authorization: Some("ip"), post: true, ..request("snapshot") };
    assert_eq!(ask(&mut server, &posted).0, 405);
}

#[test]
fn snapshots_are_limited_and_can_be_off() {
    let mut limited = server(OperatorConfig::default());
    let asked = AdminRequest { authorization: Some("ip"), ..request("snapshot") };
    assert_eq!(limited.admin_command(NOW, &asked), AdminAnswer::Snapshot { streaming: true });
    assert_eq!(ask(&mut limited, &asked).0, 429);
    assert_eq!(limited.stats().snapshots_rate_limited, 1);
    let later = Now { mono_us: NOW.mono_us + 300_000, ..NOW };
    let parameters = [("streaming".to_owned(), "false".to_owned())];
    let quiet = AdminRequest { parameters: &parameters, ..asked };
    assert_eq!(limited.admin_command(later, &quiet), AdminAnswer::Snapshot { streaming: false });
    let off =
        OperatorConfig { admin_snapshot_enabled: false, admin_restore_enabled: false, ..OperatorConfig::default() };
    let mut off = server(off);
    assert_eq!(ask(&mut off, &asked).0, 503);
    assert_eq!(ask(&mut off, &AdminRequest { authorization: Some("ip"), ..request("restore") }).0, 503);
}

fn ensemble() -> QuorumStatus {
    let spec = |text: &str| ServerSpec::parse(text).expect("a server");
    QuorumStatus {
        my_id: 2,
        role: Role::Leading,
        zab_state: ZabState::Broadcast,
        leader_id: Some(2),
        servers: [
            (1, spec("127.0.0.1:10441:10451:participant")),
            (2, spec("127.0.0.1:10442:10452:participant;127.0.0.1:10422")),
            (3, spec("127.0.0.1:10443:10453:observer")),
        ]
        .into(),
        observers: vec![LearnerStatus {
            address: "127.0.0.1:38962".parse().expect("an address"),
            sid: 3,
            established_ms: 1,
            queued_packets: 0,
            queued_bytes: 0,
            packets_received: 13,
            packets_sent: 29,
            requests: 4,
            last_zxid: 0x1_0000_0012,
        }],
        ..QuorumStatus::default()
    }
}

#[test]
fn a_server_of_an_ensemble_tells_its_place() {
    let mut server = server(OperatorConfig::default());
    server.set_quorum_status(Some(ensemble()));
    // As the leader of a real ensemble answered.
    let expected = "{\n  \"is_leader\" : true,\n  \"leader_id\" : 2,\n  \"leader_ip\" : \"127.0.0.1\",\n  \
                    \"command\" : \"leader\",\n  \"error\" : null\n}";
    assert_eq!(ask(&mut server, &request("leader")).1, expected);
    let (_, voting) = ask(&mut server, &request("voting_view"));
    let two = "    \"2\" : {\n      \"server_addresses\" : [ \"127.0.0.1:10442\" ],\n      \
               \"election_addresses\" : [ \"127.0.0.1:10452\" ],\n      \"client_address\" : \"127.0.0.1:10422\",\n      \
               \"learner_type\" : \"participant\"\n    }\n  }";
    assert!(voting.contains(two) && !voting.contains("10443"), "{voting}");
    let (_, state) = ask(&mut server, &request("zabstate"));
    assert!(state.contains("\"voting\" : true") && state.contains("\"zabstate\" : \"broadcast\""), "{state}");
    assert!(ask(&mut server, &request("observers")).1.contains("\"remote_socket_address\" : \"/127.0.0.1:38962\""));
    let (_, monitor) = ask(&mut server, &request("monitor"));
    for part in ["\"peer_state\" : \"leading - broadcast\"", "\"quorum_size\" : 2", "\"synced_observers\" : 1"] {
        assert!(monitor.contains(part), "{part}: {monitor}");
    }
    // A tree that the others don't have may not be put in place.
    assert_eq!(ask(&mut server, &AdminRequest { authorization: Some("ip"), ..request("restore") }).0, 503);
    server.set_quorum_status(Some(QuorumStatus::default()));
    assert!(ask(&mut server, &request("monitor")).1.contains("\"server_state\" : \"leaderelection\""));
}

#[test]
fn a_restored_tree_stands_above_the_log() {
    let mut server = server(OperatorConfig::default());
    let mut outputs = Vec::new();
    let peer = "127.0.0.1:1".parse().expect("an address");
    server.step(NOW, Input::Opened { conn: 1, peer }, &mut outputs);
    let connect = crate::jute::Jute::to_bytes(&crate::proto::ConnectRequest::default());
    let mut frame = (connect.len() as u32).to_be_bytes().to_vec();
    frame.extend(connect);
    server.step(NOW, Input::Received { conn: 1, bytes: &frame }, &mut outputs);
    let proposed = server.last_proposed_zxid();
    assert_eq!((proposed, server.db().last_zxid()), (1, 0), "the session is not on disk yet");
    outputs.clear();
    let mut other = Database::new(true);
    server.prepare_restore(&mut other);
    server.restore(NOW, other, &mut outputs);
    assert_eq!(outputs, [Output::Close { conn: 1 }]);
    assert_eq!((server.db().last_zxid(), server.last_proposed_zxid()), (2, 2));
    // What was on its way to the disk is not applied to the new tree.
    server.step(NOW, Input::Persisted { zxid: proposed }, &mut outputs);
    assert!(server.db().sessions().is_empty() && server.gauges(NOW).outstanding_requests == 0);
}
