use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;
use crate::scratch::Scratch;

mod every_api;

const PATIENCE: Duration = Duration::from_secs(30);

fn config(scratch: &Scratch, more: &[(&str, &str)]) -> BrokerConfig {
    let mut file = BTreeMap::new();
    let dir = scratch.path().join("data").display().to_string();
    for (name, value) in [
        ("listeners", "PLAINTEXT://127.0.0.1:0"),
        ("log.dirs", dir.as_str()),
        ("keeper.clientPort", "0"),
        ("keeper.clientPortAddress", "127.0.0.1"),
        ("ottla.metrics.listener", "127.0.0.1:0"),
        ("num.network.threads", "2"),
    ]
    .iter()
    .chain(more)
    {
        file.insert((*name).to_owned(), (*value).to_owned());
    }
    BrokerConfig::from_map(file).expect("valid settings")
}

fn start(scratch: &Scratch, more: &[(&str, &str)]) -> Node {
    let node = start_node(config(scratch, more)).expect("starts");
    node.wait_ready(PATIENCE).expect("is ready");
    node
}

fn refused(scratch: &Scratch, more: &[(&str, &str)]) -> String {
    let error = match start_node(config(scratch, more)) {
        Ok(node) => node.wait_ready(PATIENCE).expect_err("is refused"),
        Err(error) => error,
    };
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    error.to_string()
}

/// Sends a request (header version 1 and body) and gives the answer behind the correlation id.
fn ask(stream: &mut TcpStream, key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend_from_slice(&key.to_be_bytes());
    frame.extend_from_slice(&version.to_be_bytes());
    frame.extend_from_slice(&7i32.to_be_bytes());
    frame.extend_from_slice(&(-1i16).to_be_bytes());
    frame.extend_from_slice(body);
    stream.write_all(&(frame.len() as u32).to_be_bytes()).expect("writes");
    stream.write_all(&frame).expect("writes");
    let mut len = [0; 4];
    stream.read_exact(&mut len).expect("a length");
    let mut answer = vec![0; u32::from_be_bytes(len) as usize];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(answer[..4], 7i32.to_be_bytes());
    answer.split_off(4)
}

fn connect(node: &Node) -> TcpStream {
    let stream = TcpStream::connect(node.addresses()["PLAINTEXT"]).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("sets");
    stream
}

#[test]
fn a_node_serves_clients_keeper_clients_and_scrapers() {
    let scratch = Scratch::new("node");
    let mut node = start(&scratch, &[]);
    let mut stream = connect(&node);
    let versions = ask(&mut stream, 18, 0, &[]);
    assert_eq!(versions[..2], [0, 0], "no error");
    // Metadata of all topics, version 1: one broker, at the address it really listens on.
    let metadata = ask(&mut stream, 3, 1, &(-1i32).to_be_bytes());
    assert_eq!(metadata[..4], 1i32.to_be_bytes());
    let port = i32::from(node.addresses()["PLAINTEXT"].port()).to_be_bytes();
    assert!(metadata.windows(4).any(|bytes| bytes == port), "{metadata:?}");
    let mut keeper = TcpStream::connect(node.keeper_address().expect("a keeper")).expect("connects");
    keeper.write_all(b"srvr").expect("writes");
    let mut text = String::new();
    keeper.read_to_string(&mut text).expect("answers");
    assert!(text.contains("Node count"), "{text}");
    assert!(node.metrics().render().contains("kafka_network_requestmetrics_requests_total{request=\"Metadata\"} 1"));
    node.stop();
    assert_eq!(node.state(), NodeState::Stopped);
    assert!(scratch.path().join("data/.kafka_cleanshutdown").exists());
}

#[test]
fn a_node_starts_again_on_its_data_after_any_end() {
    let scratch = Scratch::new("node");
    let mut node = start(&scratch, &[]);
    node.stop();
    let meta = std::fs::read_to_string(scratch.path().join("data/meta.properties")).expect("was written");
    let node = start(&scratch, &[]);
    drop(node);
    start(&scratch, &[]);
    assert_eq!(std::fs::read_to_string(scratch.path().join("data/meta.properties")).expect("is there"), meta);
}

#[test]
fn what_prevents_a_start_is_told_in_one_line() {
    let scratch = Scratch::new("node");
    let node = start(&scratch, &[("broker.id", "3")]);
    let locked = refused(&scratch, &[]);
    assert!(locked.contains("locked by another process"), "{locked}");
    let other = Scratch::new("node");
    let listeners = format!("PLAINTEXT://{}", node.addresses()["PLAINTEXT"]);
    let taken = refused(&other, &[("listeners", &listeners)]);
    assert!(taken.contains("in use by another process"), "{taken}");
    let port = node.metrics_address().expect("metrics").to_string();
    let taken = refused(&other, &[("ottla.metrics.listener", &port)]);
    assert!(taken.contains("ottla.metrics.listener"), "{taken}");
    drop(node);
    let id = refused(&scratch, &[("broker.id", "4")]);
    assert!(id.contains("broker.id=3"), "{id}");
    let keeper_dir = other.path().join("k").display().to_string();
    let cluster = refused(&scratch, &[("broker.id", "3"), ("keeper.dataDir", &keeper_dir)]);
    assert!(cluster.contains("cluster"), "{cluster}");
    let tls = refused(&other, &[("listeners", "SSL://127.0.0.1:0"), ("security.inter.broker.protocol", "SSL")]);
    assert!(tls.contains("SSL is not served"), "{tls}");
}
