//! The four-letter words (`server/command`): four bytes instead of a connect frame, answered in text, then closed.

use super::KeeperServer;
use super::admin::bracketed;
use crate::config::Role;
use crate::connection::Connection;
use crate::metrics;
use crate::quorum_status::{QuorumStatus, Role as QuorumRole};
use crate::session_tracker::SessionTracker;
use crate::stats::java_double;
use crate::watch_manager::ConnId;
use ottla_base::limits::KEEPER_HANDSHAKE_MS;
use ottla_base::time::Now;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;

const WORDS: [&[u8; 4]; 18] = [
    b"conf", b"cons", b"crst", b"dirs", b"dump", b"envi", b"gtmk", b"hash", b"isro", b"mntr", b"ruok", b"srst",
    b"srvr", b"stat", b"stmk", b"wchc", b"wchp", b"wchs",
];
/// Answered also by a server of an ensemble that is not serving.
const ALWAYS: [&[u8; 4]; 5] = [b"envi", b"gtmk", b"isro", b"ruok", b"stmk"];
/// What such a server says to the others.
const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests\n";

/// Connections that would expire within so many milliseconds are told together, as ZooKeeper keeps them.
const EXPIRY_SET_MS: u64 = 10_000;

/// True when the bytes are a word rather than a length.
pub(super) fn is_known(word: [u8; 4]) -> bool {
    WORDS.contains(&&word)
}

impl KeeperServer {
    pub(super) fn four_letter_word(&mut self, now: Now, conn: ConnId, word: [u8; 4], rest: &[u8]) {
        let name = String::from_utf8_lossy(&word).into_owned();
        let whitelist = &self.config.four_letter_whitelist;
        let allowed = whitelist.iter().any(|entry| entry == "*" || *entry == name);
        let text = if allowed && !self.takes_clients() && !ALWAYS.contains(&&word) {
            NOT_SERVING.to_owned()
        } else if allowed {
            self.word_text(now, conn, &name, rest)
        } else {
            format!("{name} is not executed because it is not in the whitelist.\n")
        };
        self.stats.packets_sent += 1;
        if let Some(connection) = self.conns.get_mut(&conn) {
            connection.output.extend_from_slice(text.as_bytes());
            connection.closing = true;
        }
        self.mark_dirty(conn);
    }

    /// The answer to a word, for a connection or for the admin server's commands. Empty when the word is unknown.
    fn word_text(&mut self, now: Now, asking: ConnId, word: &str, rest: &[u8]) -> String {
        let mut out = String::new();
        // Writing to a string never fails.
        let _ = match word {
            "ruok" => write!(out, "imok"),
            "isro" if self.is_read_only() => write!(out, "ro"),
            "isro" => write!(out, "{}", if self.is_serving() { "rw" } else { "null" }),
            "gtmk" => write!(out, "{}", self.operator.trace_mask),
            "stmk" => {
                let mask = rest.first_chunk::<8>().map_or(0, |bytes| i64::from_be_bytes(*bytes));
                self.operator.trace_mask = mask;
                write!(out, "{mask}")
            }
            "srvr" => self.write_server(now, None, &mut out),
            "stat" => self.write_server(now, Some(asking), &mut out),
            "mntr" => self.write_monitor(now, &mut out),
            "conf" => self.write_conf(&mut out),
            "cons" => self.write_connections(asking, &mut out),
            "envi" => self.write_environment(&mut out),
            "dirs" => {
                let info = &self.config.info;
                writeln!(out, "datadir_size: {}\nlogdir_size: {}", info.data_dir_size, info.data_log_dir_size)
            }
            "dump" => self.write_dump(now, &mut out),
            "wchs" => {
                let (conns, paths, watches) = self.watches.summary();
                writeln!(out, "{conns} connections watching {paths} paths\nTotal watches:{watches}")
            }
            "wchc" => self.write_watches_by_connection(&mut out),
            "wchp" => self.write_watches_by_path(&mut out),
            "hash" => self.db.digest_log().try_for_each(|d| writeln!(out, "{:x}: {}", d.zxid, d.digest)),
            "crst" => {
                self.reset_connection_stats();
                writeln!(out, "Connection stats reset.")
            }
            "srst" => {
                self.stats.reset();
                writeln!(out, "Server stats reset.")
            }
            _ => Ok(()),
        };
        out
    }

    fn connections_in_order(&self) -> Vec<&Connection> {
        let mut all: Vec<&Connection> = self.conns.values().collect();
        all.sort_unstable_by_key(|c| c.id);
        all
    }

    /// `srvr`; with `asking` `stat`, which lists the connections before.
    fn write_server(&self, now: Now, asking: Option<ConnId>, out: &mut String) -> std::fmt::Result {
        let gauges = self.gauges(now);
        writeln!(out, "Zookeeper version: {}", self.config.info.version)?;
        if self.is_read_only() {
            writeln!(out, "READ-ONLY mode; serving only read-only clients")?;
        }
        if let Some(asking) = asking {
            writeln!(out, "Clients:")?;
            for connection in self.connections_in_order() {
                write_connection(connection, connection.id == asking, true, out)?;
                out.push('\n');
            }
            out.push('\n');
        }
        writeln!(out, "Latency min/avg/max: {}", self.stats.latency.to_text())?;
        writeln!(out, "Received: {}", self.stats.packets_received)?;
        writeln!(out, "Sent: {}", self.stats.packets_sent)?;
        writeln!(out, "Connections: {}", gauges.num_alive_connections)?;
        writeln!(out, "Outstanding: {}", gauges.outstanding_requests)?;
        writeln!(out, "Zxid: 0x{:x}", gauges.last_zxid)?;
        writeln!(out, "Mode: {}", self.mode())?;
        writeln!(out, "Node count: {}", gauges.znode_count)?;
        if self.mode() == "leader" {
            let sizes = &self.stats.quorum.proposal_sizes;
            writeln!(out, "Proposal sizes last/min/max: {}/{}/{}", sizes.last, sizes.min, sizes.max)?;
        }
        Ok(())
    }

    fn write_monitor(&self, now: Now, out: &mut String) -> std::fmt::Result {
        let gauges = self.gauges(now);
        let sources = self.sources(&gauges);
        sources.values().into_iter().try_for_each(|(name, value)| writeln!(out, "zk_{name}\t{value}"))?;
        for summary in sources.summaries() {
            writeln!(out, "zk_avg_{}\t{}", summary.full_name(), java_double(summary.avg()))?;
            let mut written = Ok(());
            metrics::figures(&summary, |name, value| {
                written = written.and_then(|()| writeln!(out, "zk_{name}\t{value}"));
            });
            written?;
        }
        Ok(())
    }

    fn write_conf(&self, out: &mut String) -> std::fmt::Result {
        let (config, info) = (&self.config, &self.config.info);
        writeln!(out, "clientPort={}", info.client_port)?;
        writeln!(out, "secureClientPort={}", info.secure_client_port)?;
        writeln!(out, "dataDir={}", info.data_dir)?;
        writeln!(out, "dataDirSize={}", info.data_dir_size)?;
        writeln!(out, "dataLogDir={}", info.data_log_dir)?;
        writeln!(out, "dataLogSize={}", info.data_log_dir_size)?;
        writeln!(out, "tickTime={}", config.tick_time_ms)?;
        writeln!(out, "maxClientCnxns={}", config.max_client_cnxns)?;
        writeln!(out, "minSessionTimeout={}", config.min_session_timeout_ms)?;
        writeln!(out, "maxSessionTimeout={}", config.max_session_timeout_ms)?;
        writeln!(out, "clientPortListenBacklog={}", info.client_port_listen_backlog)?;
        writeln!(out, "serverId={}", info.server_id)?;
        self.operator.quorum.as_ref().map_or(Ok(()), |quorum| write_quorum_conf(quorum, out))
    }

    fn write_connections(&self, asking: ConnId, out: &mut String) -> std::fmt::Result {
        for connection in self.connections_in_order() {
            write_connection(connection, connection.id == asking, false, out)?;
            out.push('\n');
        }
        out.push('\n');
        Ok(())
    }

    fn write_environment(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "Environment:")?;
        writeln!(out, "zookeeper.version={}", self.config.info.version)?;
        self.config.info.environment.iter().try_for_each(|(key, value)| writeln!(out, "{key}={value}"))
    }

    fn write_dump(&self, now: Now, out: &mut String) -> std::fmt::Result {
        let date = |mono_ms: u64| java_date(now.wall_ms + mono_ms as i64 - now.mono_ms() as i64);
        writeln!(out, "SessionTracker dump:")?;
        let learns = self.operator.quorum.as_ref().is_some_and(|quorum| quorum.role != QuorumRole::Leading);
        if self.knows_local_sessions() {
            write!(out, "Local ")?;
            write_sessions(self.local.tracker(), date, out)?;
        }
        if learns {
            // The leader keeps the time; a learner knows who there is.
            let sessions = self.db.sessions();
            writeln!(out, "Global Sessions({}):", sessions.len())?;
            sessions.iter().try_for_each(|(id, timeout_ms)| writeln!(out, "0x{id:x}\t{timeout_ms}ms"))?;
            return self.write_dump_rest(now, date, out);
        }
        if self.knows_local_sessions() {
            write!(out, "Global ")?;
        }
        write_sessions(&self.sessions, date, out)?;
        self.write_dump_rest(now, date, out)
    }

    fn write_dump_rest(&self, now: Now, date: impl Fn(u64) -> String, out: &mut String) -> std::fmt::Result {
        writeln!(out, "ephemeral nodes dump:")?;
        let sessions = self.db.tree.sessions_with_ephemerals();
        writeln!(out, "Sessions with Ephemerals ({}):", sessions.len())?;
        for session in sessions {
            writeln!(out, "0x{session:x}:")?;
            self.db.tree.ephemerals(session).try_for_each(|path| writeln!(out, "\t{path}"))?;
        }
        writeln!(out, "Connections dump:")?;
        let connections = self.connections_in_order();
        let mut sets: BTreeMap<u64, Vec<&Connection>> = BTreeMap::new();
        for &c in &connections {
            let timeout_ms = if c.initialized { u64::from(c.timeout_ms) } else { KEEPER_HANDSHAKE_MS };
            let at = (now.mono_ms() + timeout_ms) / EXPIRY_SET_MS * EXPIRY_SET_MS + EXPIRY_SET_MS;
            sets.entry(at).or_default().push(c);
        }
        writeln!(out, "Connections Sets ({})/({}):", sets.len(), connections.len())?;
        for (at, set) in sets {
            writeln!(out, "{} expire at {}:", set.len(), date(at))?;
            for c in set {
                writeln!(out, "\tip: {} sessionId: 0x{:x}", java_address(c.peer), c.session_id)?;
            }
        }
        Ok(())
    }

    fn write_watches_by_connection(&self, out: &mut String) -> std::fmt::Result {
        for (conn, paths) in self.watches.by_connection() {
            writeln!(out, "0x{:x}", self.conns.get(&conn).map_or(0, |c| c.session_id))?;
            paths.iter().try_for_each(|path| writeln!(out, "\t{path}"))?;
        }
        out.push('\n');
        Ok(())
    }

    fn write_watches_by_path(&self, out: &mut String) -> std::fmt::Result {
        for (path, conns) in self.watches.by_path() {
            writeln!(out, "{path}")?;
            for conn in conns {
                writeln!(out, "\t0x{:x}", self.conns.get(&conn).map_or(0, |c| c.session_id))?;
            }
        }
        out.push('\n');
        Ok(())
    }
}

/// Sessions and when they end, unless something is heard of them.
fn write_sessions(sessions: &SessionTracker, date: impl Fn(u64) -> String, out: &mut String) -> std::fmt::Result {
    let buckets = sessions.buckets();
    writeln!(out, "Session Sets ({})/({}):", buckets.len(), sessions.len())?;
    for (at, ids) in buckets {
        writeln!(out, "{} expire at {}:", ids.len(), date(at))?;
        ids.iter().try_for_each(|id| writeln!(out, "\t0x{id:x}"))?;
    }
    Ok(())
}

/// What `conf` tells of an ensemble.
fn write_quorum_conf(quorum: &QuorumStatus, out: &mut String) -> std::fmt::Result {
    let mine = quorum.servers.get(&quorum.my_id);
    let address = mine.and_then(|server| server.addresses.first());
    let observes = mine.is_some_and(|server| server.role == Role::Observer);
    writeln!(out, "initLimit={}\nsyncLimit={}\nelectionAlg=3", quorum.init_limit, quorum.sync_limit)?;
    writeln!(out, "electionPort={}", address.map_or(-1, |a| i32::from(a.election_port)))?;
    writeln!(out, "quorumPort={}", address.map_or(-1, |a| i32::from(a.quorum_port)))?;
    writeln!(out, "peerType={}\nmembership: ", u8::from(observes))?;
    for (sid, server) in &quorum.servers {
        let role = if server.role == Role::Observer { "observer" } else { "participant" };
        write!(out, "server.{sid}=")?;
        for (index, a) in server.addresses.iter().enumerate() {
            let bar = if index == 0 { "" } else { "|" };
            write!(out, "{bar}{}:{}:{}", bracketed(&a.host), a.quorum_port, a.election_port)?;
        }
        write!(out, ":{role}")?;
        if let Some((host, port)) = &server.client {
            write!(out, ";{}:{port}", bracketed(host.as_deref().unwrap_or("0.0.0.0")))?;
        }
        out.push('\n');
    }
    write!(out, "version={:x}", quorum.config_version)
}

/// A connection as `stat` (brief) and `cons` show it.
fn write_connection(c: &Connection, asking: bool, brief: bool, out: &mut String) -> std::fmt::Result {
    let interest = u8::from(!asking && !c.paused);
    write!(
        out,
        " {}[{interest}](queued={},recved={},sent={}",
        java_address(c.peer),
        c.queue.len(),
        c.stats.received,
        c.stats.sent
    )?;
    if !brief && c.session_id != 0 {
        let s = &c.stats;
        write!(out, ",sid=0x{:x},lop={},est={},to={}", c.session_id, s.last_op, s.established_ms, c.timeout_ms)?;
        if s.last_cxid >= 0 {
            write!(out, ",lcxid=0x{:x}", s.last_cxid)?;
        }
        write!(
            out,
            ",lzxid=0x{:x},lresp={},llat={},minlat={},avglat={},maxlat={}",
            s.last_zxid,
            s.last_response_ms,
            s.last_latency_ms,
            s.latency.min_us / 1_000,
            s.latency.avg_ms() as u64,
            s.latency.max_us / 1_000
        )?;
    }
    out.push(')');
    Ok(())
}

/// An address as Java prints it.
fn java_address(peer: SocketAddr) -> String {
    match peer {
        SocketAddr::V4(v4) => format!("/{v4}"),
        SocketAddr::V6(v6) => {
            let groups: Vec<String> = v6.ip().segments().iter().map(|group| format!("{group:x}")).collect();
            format!("/[{}]:{}", groups.join(":"), v6.port())
        }
    }
}

/// A moment as Java's `Date` prints it, in UTC: `Sun Nov 22 09:08:07 UTC 2026`.
fn java_date(wall_ms: i64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let seconds = wall_ms.div_euclid(1_000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 1 March of year 0, in eras of 400 years (146,097 days).
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 2 } else { month - 10 };
    let year = era * 400 + year_of_era + i64::from(month < 2);
    format!(
        "{} {} {day:02} {:02}:{:02}:{:02} UTC {year}",
        DAYS[days.rem_euclid(7) as usize],
        MONTHS[month as usize],
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_javas() {
        assert_eq!(java_date(0), "Thu Jan 01 00:00:00 UTC 1970");
        assert_eq!(java_date(1_795_338_487_000), "Sun Nov 22 09:08:07 UTC 2026");
        assert_eq!(java_date(951_782_400_000), "Tue Feb 29 00:00:00 UTC 2000");
    }

    #[test]
    fn addresses_are_javas() {
        assert_eq!(java_address("127.0.0.1:5".parse().expect("address")), "/127.0.0.1:5");
        assert_eq!(java_address("[::1]:5".parse().expect("address")), "/[0:0:0:0:0:0:0:1]:5");
    }
}
