//! The same frames to us as to a real 3.9.5 (tests/captures/capture.py), and the same frames back.

use crate::support::{Host, START_MS};
use ottla_keeper::jute::{Jute, Reader};
use ottla_keeper::keeper_server::{Input, ServerConfig};
use ottla_keeper::proto::WhoAmIResponse;
use std::collections::BTreeMap;

const MASKED_SESSION: i64 = 0x5e55_1000_0000_0000;
const MASKED_PASSWORD: [u8; 16] = [b'p'; 16];

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex")).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    for at in 0..bytes.len().saturating_sub(from.len() - 1) {
        if &bytes[at..at + from.len()] == from {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
}

/// Sessions by connection: id and password.
type Sessions = BTreeMap<u64, (i64, [u8; 16])>;

/// What is different in every run becomes what the capture has for it.
fn mask(frame: &mut [u8], sessions: &Sessions) {
    for (conn, (id, password)) in sessions {
        replace(frame, &id.to_be_bytes(), &(MASKED_SESSION + *conn as i64).to_be_bytes());
        replace(frame, password, &MASKED_PASSWORD);
    }
    let mut at = 0;
    while let Some(chunk) = frame.get(at..at + 8) {
        let value = i64::from_be_bytes(chunk.try_into().expect("8 bytes"));
        if (START_MS..START_MS + 100_000).contains(&value) {
            frame[at..at + 8].fill(0);
            at += 8;
        } else {
            at += 1;
        }
    }
}

/// Lists of children, ephemeral nodes and identities have no order.
fn sorted(frame: &[u8], op: i32) -> Vec<u8> {
    if ![8, 12, 103, 107].contains(&op) || frame.len() < 20 {
        return frame.to_vec();
    }
    let mut reader = Reader::new(&frame[16..]);
    if op == 107 {
        let Ok(mut who) = reader.record::<WhoAmIResponse<'_>>() else { return frame.to_vec() };
        who.client_info.sort_unstable_by_key(|info| info.auth_scheme);
        let mut out = frame[..16].to_vec();
        who.write(&mut out);
        return out;
    }
    let Ok(mut children) = reader.record::<Vec<&str>>() else { return frame.to_vec() };
    children.sort_unstable();
    let mut out = frame[..16].to_vec();
    children.write(&mut out);
    out.extend_from_slice(reader.rest());
    out
}

/// Holds the whole conversation with a new server; gives the server and what was different.
pub fn converse() -> (Host, Vec<String>) {
    let config = ServerConfig {
        tick_time_ms: 2_000,
        min_session_timeout_ms: 4_000,
        max_session_timeout_ms: 40_000,
        super_digest: Some("super:D/InIHSb7yEEbrWz8b9l71RjZJU=".to_owned()),
        enforce_quota: true,
        ..ServerConfig::default()
    };
    let mut host = Host::new(config, true);
    let mut sessions = Sessions::new();
    let mut ops: BTreeMap<(u64, i32), i32> = BTreeMap::new();
    let mut differences = Vec::new();
    let mut request = String::new();
    for (number, line) in include_str!("../captures/conversation.txt").lines().enumerate() {
        let mut words = line.split(' ');
        let (kind, conn) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let Ok(conn) = conn.parse::<u64>() else { continue };
        match kind {
            "open" => {
                let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 1_000 + conn as u16));
                host.step(Input::Opened { conn, peer });
            }
            "shut" => host.step(Input::Closed { conn }),
            ">" => {
                let mut frame = bytes_of(words.next().unwrap_or(""));
                for (of, (id, password)) in &sessions {
                    let before = frame.clone();
                    replace(&mut frame, &(MASKED_SESSION + *of as i64).to_be_bytes(), &id.to_be_bytes());
                    if frame != before {
                        replace(&mut frame, &MASKED_PASSWORD, password);
                    }
                }
                if frame.len() >= 8 {
                    let int = |at: usize| i32::from_be_bytes(frame[at..at + 4].try_into().expect("4 bytes"));
                    ops.insert((conn, int(0)), int(4));
                }
                request = line.to_owned();
                host.send(conn, &frame);
            }
            "<" => {
                let expected = words.next().unwrap_or("");
                let Some(mut frame) = host.next_frame(conn) else {
                    differences.push(format!("line {}: after {request}: nothing instead of {expected}", number + 1));
                    continue;
                };
                let first = expected.len() == 74 && expected.starts_with("00000000");
                if first && frame.len() == 37 {
                    let id = i64::from_be_bytes(frame[8..16].try_into().expect("8 bytes"));
                    if id != 0 && !sessions.values().any(|(known, _)| *known == id) {
                        sessions.insert(conn, (id, frame[20..36].try_into().expect("16 bytes")));
                    }
                }
                if frame.len() == 36 && !sessions.contains_key(&conn) {
                    let id = i64::from_be_bytes(frame[8..16].try_into().expect("8 bytes"));
                    sessions.insert(conn, (id, frame[20..36].try_into().expect("16 bytes")));
                }
                mask(&mut frame, &sessions);
                let xid = i32::from_be_bytes(frame[..4].try_into().expect("4 bytes"));
                let op = ops.get(&(conn, xid)).copied().unwrap_or(0);
                let (got, want) = (sorted(&frame, op), sorted(&bytes_of(expected), op));
                if got != want {
                    let text = format!(
                        "line {}: after {request} (op {op})\n   want {}\n   got  {}",
                        number + 1,
                        hex(&want),
                        hex(&got)
                    );
                    differences.push(text);
                }
            }
            "closed" if !host.closed.contains(&conn) => {
                differences.push(format!("line {}: after {request}: not closed", number + 1));
            }
            _ => {}
        }
    }
    (host, differences)
}

#[test]
fn answers_are_those_of_3_9_5() {
    let (_, differences) = converse();
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}
