//! What each command tells.

use super::*;
use crate::config::{Role as VotingRole, ServerSpec};
use crate::stats::BufferStats;
use std::collections::BTreeMap;

type Entries = Vec<(String, Json)>;

fn entries<const N: usize>(list: [(&str, Json); N]) -> Entries {
    list.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn sizes(stats: &BufferStats) -> Json {
    Json::object([
        ("last_buffer_size", stats.last.into()),
        ("min_buffer_size", stats.min.into()),
        ("max_buffer_size", stats.max.into()),
    ])
}

impl KeeperServer {
    pub(super) fn view_configuration(&self) -> Entries {
        let (config, info) = (&self.config, &self.config.info);
        let number = |value: u32| Json::Int(i64::from(value));
        let mut all = entries([("client_port", i64::from(info.client_port).into())]);
        if info.secure_client_port > 0 {
            all.extend(entries([("secure_client_port", i64::from(info.secure_client_port).into())]));
        }
        all.extend(entries([
            ("data_dir", info.data_dir.as_str().into()),
            ("data_log_dir", info.data_log_dir.as_str().into()),
            ("tick_time", number(config.tick_time_ms)),
            ("max_client_cnxns", number(config.max_client_cnxns)),
            ("min_session_timeout", number(config.min_session_timeout_ms)),
            ("max_session_timeout", number(config.max_session_timeout_ms)),
            ("server_id", info.server_id.into()),
            ("client_port_listen_backlog", i64::from(info.client_port_listen_backlog).into()),
        ]));
        all
    }

    pub(super) fn view_connections(&self, brief: bool) -> Entries {
        let mut open: Vec<&Connection> = self.conns.values().collect();
        open.sort_unstable_by_key(|connection| connection.id);
        let connections = Json::List(open.into_iter().map(|c| view_connection(c, brief)).collect());
        entries([("connections", connections), ("secure_connections", Json::List(Vec::new()))])
    }

    pub(super) fn view_dirs(&self) -> Entries {
        let info = &self.config.info;
        entries([("datadir_size", info.data_dir_size.into()), ("logdir_size", info.data_log_dir_size.into())])
    }

    pub(super) fn view_dump(&self) -> Entries {
        // Those of which this server keeps the time.
        let global = self.decides().then(|| self.sessions.buckets()).into_iter().flatten();
        let mut expiry: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
        for (at, ids) in global.chain(self.local.tracker().buckets()) {
            expiry.entry(at).or_default().extend(ids);
        }
        let expiry = expiry.into_iter().map(|(at, ids)| (at.to_string(), ids.into_iter().collect()));
        let tree = &self.db.tree;
        let ephemerals = tree.sessions_with_ephemerals().into_iter();
        let ephemerals = ephemerals.map(|id| (id.to_string(), tree.ephemerals(id).collect()));
        entries([
            ("expiry_time_to_session_ids", Json::Object(expiry.collect())),
            ("session_id_to_ephemeral_paths", Json::Object(ephemerals.collect())),
        ])
    }

    pub(super) fn view_environment(&self) -> Entries {
        let info = &self.config.info;
        let mut all = entries([("zookeeper.version", info.version.as_str().into())]);
        all.extend(info.environment.iter().map(|(key, value)| (key.clone(), value.as_str().into())));
        all
    }

    /// There are no Java properties; what ZooKeeper takes from them is told by the names that it gives them.
    pub(super) fn view_system_properties(&self) -> Entries {
        let known = ["user.dir", "user.home", "user.name", "os.arch", "os.name", "os.version", "java.io.tmpdir"];
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        for (key, value) in &self.config.info.environment {
            if known.contains(&key.as_str()) {
                all.insert(key.clone(), value.clone());
            }
        }
        let words = self.config.four_letter_whitelist.join(",");
        all.insert("zookeeper.4lw.commands.whitelist".to_owned(), words);
        all.into_iter().map(|(key, value)| (key, Json::Text(value))).collect()
    }

    pub(super) fn view_digests(&self) -> Entries {
        let digest = |d: &crate::database::ZxidDigest| {
            Json::object([
                ("zxid", d.zxid.into()),
                ("digest_version", i64::from(d.version).into()),
                ("digest", d.digest.into()),
            ])
        };
        entries([("digests", self.db.digest_log().map(digest).collect())])
    }

    pub(super) fn view_last_snapshot(&self) -> Entries {
        let (zxid, seconds) = self.operator.last_snapshot.map_or((-1, -1), |(zxid, ms)| (zxid, ms.div_euclid(1_000)));
        entries([("zxid", format!("{zxid:x}").into()), ("timestamp", seconds.into())])
    }

    pub(super) fn view_leader(&self) -> Entries {
        let quorum = self.operator.quorum.as_ref().filter(|quorum| !quorum.read_only);
        let Some(quorum) = quorum else { return told_error("server is not initialized".to_owned()) };
        let leader =
            quorum.leader_id.and_then(|id| quorum.servers.get(&id)).and_then(|server| server.addresses.first());
        entries([
            ("is_leader", self.leads().into()),
            ("leader_id", quorum.leader_id.unwrap_or(-1).into()),
            ("leader_ip", leader.map_or("", |address| address.host.as_str()).into()),
        ])
    }

    pub(super) fn view_monitor(&self, now: Now) -> Entries {
        let gauges = self.gauges(now);
        let sources = self.sources(&gauges);
        let json = |value: Value| match value {
            Value::Text(text) => Json::Text(text),
            Value::Gauge(value) => Json::Int(value),
            Value::Ratio(value) => Json::Double(value),
            Value::Counter(value) => value.into(),
        };
        let values = sources.values().into_iter();
        let mut all: Entries = values.map(|(name, value)| (name.to_owned(), json(value))).collect();
        for summary in sources.summaries() {
            all.push((format!("avg_{}", summary.full_name()), Json::Double(summary.avg())));
            metrics::figures(&summary, |name, value| all.push((name, json(value))));
        }
        all
    }

    pub(super) fn view_observers(&self) -> Entries {
        let observers = self.operator.quorum.as_ref().map_or(&[][..], |quorum| &quorum.observers);
        let view = |o: &crate::quorum_status::LearnerStatus| {
            Json::object([
                ("remote_socket_address", format!("/{}", o.address).into()),
                ("sid", o.sid.into()),
                ("established", o.established_ms.into()),
                ("queued_packets", o.queued_packets.into()),
                ("queued_packets_size", o.queued_bytes.into()),
                ("packets_received", o.packets_received.into()),
                ("packets_sent", o.packets_sent.into()),
                ("requests", o.requests.into()),
                ("last_zxid", o.last_zxid.into()),
            ])
        };
        entries([
            ("synced_observers", (observers.len() as u64).into()),
            ("observers", observers.iter().map(view).collect()),
        ])
    }

    pub(super) fn view_server_stats(&self, now: Now) -> Entries {
        let (gauges, stats, info) = (self.gauges(now), &self.stats, &self.config.info);
        let server = Json::object([
            ("packets_sent", stats.packets_sent.into()),
            ("packets_received", stats.packets_received.into()),
            ("fsync_threshold_exceed_count", stats.slow_fsyncs.into()),
            ("client_response_stats", sizes(&stats.client_response)),
            ("provider_null", false.into()),
            ("data_dir_size", info.data_dir_size.into()),
            ("log_dir_size", info.data_log_dir_size.into()),
            ("last_processed_zxid", gauges.last_zxid.into()),
            ("outstanding_requests", gauges.outstanding_requests.into()),
            ("server_state", self.mode().into()),
            ("avg_latency", Json::Double(round4(stats.latency.avg_ms()))),
            ("max_latency", (stats.latency.max_us / 1_000).into()),
            ("min_latency", (stats.latency.min_us / 1_000).into()),
            ("num_alive_client_connections", gauges.num_alive_connections.into()),
            ("uptime", gauges.uptime_ms.into()),
            ("auth_failed_count", stats.auth_failed.into()),
            ("non_mtlsremote_conn_count", Json::Int(0)),
            ("non_mtlslocal_conn_count", Json::Int(0)),
        ]);
        let mut all = entries([
            ("version", info.version.as_str().into()),
            ("read_only", self.is_read_only().into()),
            ("server_stats", server),
            ("client_response", sizes(&stats.client_response)),
        ]);
        if self.leads() {
            all.extend(entries([("proposal_stats", sizes(&stats.quorum.proposal_sizes))]));
        }
        all.extend(entries([("node_count", gauges.znode_count.into())]));
        all
    }

    pub(super) fn view_voting(&self) -> Entries {
        let voters = self.operator.quorum.iter().flat_map(|quorum| quorum.servers.iter());
        let voters = voters.filter(|(_, server)| server.role == VotingRole::Participant);
        let mine = self.operator.quorum.as_ref().map(|quorum| quorum.my_id);
        let view = |(id, server): (&i64, &ServerSpec)| {
            let client = if mine == Some(*id) { self.own_client_address(server) } else { client_address(server) };
            let (quorum, election) = (addresses(server, false), addresses(server, true));
            let view = Json::object([
                ("server_addresses", quorum.into_iter().collect()),
                ("election_addresses", election.into_iter().collect()),
                ("client_address", client.into()),
                ("learner_type", "participant".into()),
            ]);
            (id.to_string(), view)
        };
        entries([("current_config", Json::Object(voters.map(view).collect()))])
    }

    /// The configuration of an ensemble may leave it to each server's own.
    fn own_client_address(&self, server: &ServerSpec) -> String {
        if server.client.is_none() { self.config.info.client_address.clone() } else { client_address(server) }
    }

    pub(super) fn view_watch_summary(&self) -> Entries {
        let (conns, paths, watches) = self.watches.summary();
        let number = |value: usize| Json::from(value as u64);
        entries([
            ("num_connections", number(conns)),
            ("num_paths", number(paths)),
            ("num_total_watches", number(watches)),
        ])
    }

    fn session_of(&self, conn: super::super::ConnId) -> i64 {
        self.conns.get(&conn).map_or(0, |connection| connection.session_id)
    }

    pub(super) fn view_watches(&self) -> Entries {
        let watches = self.watches.by_connection().into_iter();
        let by_session = watches.map(|(conn, paths)| (self.session_of(conn).to_string(), paths.into_iter().collect()));
        entries([("session_id_to_watched_paths", Json::Object(by_session.collect()))])
    }

    pub(super) fn view_watches_by_path(&self) -> Entries {
        let sessions = |conns: Vec<_>| conns.into_iter().map(|conn| self.session_of(conn)).collect();
        let by_path = self.watches.by_path().into_iter().map(|(path, conns)| (path.to_owned(), sessions(conns)));
        entries([("path_to_session_ids", Json::Object(by_path.collect()))])
    }

    pub(super) fn view_zab_state(&self) -> Entries {
        let Some(quorum) = &self.operator.quorum else {
            return entries([("voting", false.into()), ("zabstate", "".into())]);
        };
        let mine = quorum.servers.get(&quorum.my_id);
        let last_zxid = self.db.last_zxid();
        entries([
            ("myid", quorum.my_id.into()),
            ("is_leader", self.leads().into()),
            ("quorum_address", mine.map_or(Json::Null, |server| multiple_addresses(server, false))),
            ("election_address", mine.map_or(Json::Null, |server| multiple_addresses(server, true))),
            ("client_address", mine.map_or(String::new(), |server| self.own_client_address(server)).into()),
            ("voting", mine.is_some_and(|server| server.role == VotingRole::Participant).into()),
            ("last_zxid", format!("0x{last_zxid:x}").into()),
            ("zab_epoch", (last_zxid >> 32).into()),
            ("zab_counter", (last_zxid & 0xffff_ffff).into()),
            ("zabstate", quorum.zab_state.name().into()),
        ])
    }
}

/// A connection, with its session's figures unless `brief`.
fn view_connection(c: &Connection, brief: bool) -> Json {
    let mut all = entries([
        ("remote_socket_address", c.peer.to_string().into()),
        ("interest_ops", i64::from(!c.paused).into()),
        ("outstanding_requests", (c.queue.len() as u64).into()),
        ("packets_received", c.stats.received.into()),
        ("packets_sent", c.stats.sent.into()),
    ]);
    if !brief {
        let s = &c.stats;
        all.extend(entries([
            ("session_id", c.session_id.into()),
            ("last_operation", s.last_op.into()),
            ("established", s.established_ms.into()),
            ("session_timeout", i64::from(c.timeout_ms).into()),
            ("last_cxid", s.last_cxid.into()),
            ("last_zxid", s.last_zxid.into()),
            ("last_response_time", s.last_response_ms.into()),
            ("last_latency", s.last_latency_ms.into()),
            ("min_latency", (s.latency.min_us / 1_000).into()),
            ("avg_latency", (s.latency.avg_ms() as u64).into()),
            ("max_latency", (s.latency.max_us / 1_000).into()),
        ]));
    }
    Json::Object(all)
}

fn addresses(server: &ServerSpec, election: bool) -> Vec<String> {
    let port = |a: &crate::config::ServerAddress| if election { a.election_port } else { a.quorum_port };
    server.addresses.iter().map(|a| format!("{}:{}", bracketed(&a.host), port(a))).collect()
}

pub(in crate::keeper_server) fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// Empty when the configuration does not say where clients connect.
fn client_address(server: &ServerSpec) -> String {
    let address =
        |(host, port): &(Option<String>, u16)| format!("{}:{port}", bracketed(host.as_deref().unwrap_or("0.0.0.0")));
    server.client.as_ref().map_or(String::new(), address)
}

/// As the bean `MultipleAddresses` shows itself; nobody probes here which of them can be reached.
fn multiple_addresses(server: &ServerSpec, election: bool) -> Json {
    let all = addresses(server, election);
    let one = all.first().cloned().unwrap_or_default();
    let port = |text: &String| text.rsplit(':').next().unwrap_or("").to_owned();
    let list = |values: Vec<String>| values.into_iter().collect::<Json>();
    let ports = all.iter().map(|text| port(text).parse::<i64>().unwrap_or(0)).collect();
    Json::object([
        ("empty", all.is_empty().into()),
        ("all_addresses", list(all.clone())),
        ("wildcard_addresses", all.iter().map(|text| format!("0.0.0.0:{}", port(text))).collect()),
        ("all_ports", ports),
        ("all_host_strings", server.addresses.iter().map(|a| a.host.as_str()).collect()),
        ("reachable_address", one.as_str().into()),
        ("all_reachable_addresses", list(all.clone())),
        ("all_reachable_addresses_or_all", list(all)),
        ("reachable_or_one", one.as_str().into()),
        ("one", one.into()),
    ])
}
