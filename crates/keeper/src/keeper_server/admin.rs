//! The admin server's commands (`server/admin/Commands`), as ZooKeeper 3.9.5 answers them: the same names, keys and
//! status codes. The host brings requests here, and does what needs files: snapshot and restore.

use super::KeeperServer;
use crate::acl::{self, AclList};
use crate::auth;
use crate::connection::Connection;
use crate::json::Json;
use crate::metrics::{self, NamedSummary, Sources, Value};
use crate::proto::perms;
use crate::quorum_status::{QuorumStatus, Role};
use crate::stats::{Gauges, round4};
use ottla_base::time::Now;
use std::net::IpAddr;

#[cfg(test)]
mod tests;
mod views;

pub(super) use views::bracketed;

/// Names of a command, the first one being shown, and whether it is asked for by POST.
struct Command {
    names: &'static [&'static str],
    post: bool,
    /// Asks for an identity that has all permissions on the root.
    restricted: bool,
}

impl Command {
    /// Is answered by a server, too, that looks for its ensemble.
    fn any_time(&self) -> bool {
        let all = ["environment", "get_trace_mask", "set_trace_mask", "monitor", "system_properties", "zabstate"];
        all.contains(&self.names[0])
    }
}

const fn command(names: &'static [&'static str]) -> Command {
    Command { names, post: false, restricted: false }
}

const TABLE: [Command; 28] = [
    command(&["configuration", "conf", "config"]),
    command(&["connection_stat_reset", "crst"]),
    command(&["connections", "cons"]),
    command(&["dirs"]),
    command(&["dump"]),
    command(&["environment", "env", "envi"]),
    command(&["get_trace_mask", "gtmk"]),
    command(&["hash"]),
    command(&["initial_configuration", "icfg"]),
    command(&["is_read_only", "isro"]),
    command(&["last_snapshot", "lsnp"]),
    command(&["leader", "lead"]),
    command(&["monitor", "mntr"]),
    command(&["observer_connection_stat_reset", "orst"]),
    command(&["observers", "obsr"]),
    Command { names: &["restore", "rest"], post: true, restricted: true },
    command(&["ruok"]),
    command(&["server_stats", "srvr"]),
    command(&["set_trace_mask", "stmk"]),
    Command { names: &["snapshot", "snap"], post: false, restricted: true },
    command(&["stat_reset", "srst"]),
    command(&["stats", "stat"]),
    command(&["system_properties", "sysp"]),
    command(&["voting_view"]),
    command(&["watch_summary", "wchs"]),
    command(&["watches", "wchc"]),
    command(&["watches_by_path", "wchp"]),
    command(&["zabstate"]),
];

/// The names of all commands, in order.
pub const COMMANDS: [&str; TABLE.len()] = {
    let mut names = [""; TABLE.len()];
    let mut i = 0;
    while i < TABLE.len() {
        names[i] = TABLE[i].names[0];
        i += 1;
    }
    names
};

/// A request to the admin server.
#[derive(Clone, Copy, Debug)]
pub struct AdminRequest<'a> {
    /// What follows the command URL.
    pub name: &'a str,
    pub post: bool,
    /// Of the query, decoded; the first value of each name counts.
    pub parameters: &'a [(String, String)],
    /// The header `Authorization`: a scheme, and what proves the identity.
    pub authorization: Option<&'a str>,
    pub peer: IpAddr,
}

/// What the host has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum AdminAnswer {
    /// Send this.
    Reply { status: u16, body: Json },
    /// Take a snapshot; send the file when `streaming`, and its zxid and size as headers always.
    Snapshot { streaming: bool },
    /// Read a snapshot from the request's body and go on from it ([`KeeperServer::restore`]).
    Restore,
}

/// What is kept for operators between their requests.
#[derive(Clone, Debug)]
pub(super) struct OperatorState {
    pub quorum: Option<QuorumStatus>,
    /// Descriptors of the process: open, and allowed.
    pub descriptors: (u64, u64),
    pub trace_mask: i64,
    /// Zxid of the newest snapshot on disk, and when it came there (milliseconds since 1970).
    pub last_snapshot: Option<(i64, i64)>,
    /// When a snapshot and a restore were last allowed.
    snapshot_at_us: Option<u64>,
    restore_at_us: Option<u64>,
    /// Bytes of large requests that are arriving.
    pub large_bytes: usize,
    /// For the audit log.
    pub notes: super::audit::Notes,
}

/// What of ZooKeeper is traced by default; only tools that read the number back care.
const TRACE_MASK: i64 = 306;

impl Default for OperatorState {
    fn default() -> Self {
        Self {
            quorum: None,
            descriptors: (0, 0),
            trace_mask: TRACE_MASK,
            last_snapshot: None,
            snapshot_at_us: None,
            restore_at_us: None,
            large_bytes: 0,
            notes: super::audit::Notes::default(),
        }
    }
}

/// The usual answer to a command.
#[must_use]
pub fn reply(name: &str, status: u16, mut entries: Vec<(String, Json)>) -> AdminAnswer {
    entries.push(("command".to_owned(), name.into()));
    if !entries.iter().any(|(key, _)| key == "error") {
        entries.push(("error".to_owned(), Json::Null));
    }
    AdminAnswer::Reply { status, body: Json::Object(entries) }
}

/// An answer that nothing was done, and why.
fn refusal(name: &str, status: u16, why: &str) -> AdminAnswer {
    let entries = [("command", name.into()), ("error", why.into())];
    AdminAnswer::Reply { status, body: Json::object(entries) }
}

/// An error that a command tells in the midst of its answer, as ZooKeeper's commands do.
fn told_error(what: String) -> Vec<(String, Json)> {
    vec![("error".to_owned(), what.into())]
}

/// Allows one request in each interval.
fn allow(last_us: &mut Option<u64>, interval_us: u64, now: Now) -> bool {
    if last_us.is_some_and(|last| now.mono_us < last.saturating_add(interval_us)) {
        return false;
    }
    *last_us = Some(now.mono_us);
    true
}

impl KeeperServer {
    /// Answers a request to the admin server.
    pub fn admin_command(&mut self, now: Now, request: &AdminRequest<'_>) -> AdminAnswer {
        let Some(command) = TABLE.iter().find(|command| command.names.contains(&request.name)) else {
            // With 200, as ZooKeeper says it.
            return refusal(request.name, 200, &format!("Unknown command: {}", request.name));
        };
        if !self.takes_clients() && !command.any_time() {
            return refusal(request.name, 200, "This ZooKeeper instance is not currently serving requests");
        }
        if command.restricted
            && let Err((status, why)) = self.authorize(request)
        {
            return refusal(request.name, status, why);
        }
        let name = command.names[0];
        if command.post != request.post {
            let right = if command.post { "POST" } else { "GET" };
            return refusal(name, 405, &format!("{name} is asked for by {right}"));
        }
        match name {
            "snapshot" => self.admit_snapshot(now, request),
            "restore" => self.admit_restore(now),
            _ => reply(name, 200, self.run(now, name, request)),
        }
    }

    fn run(&mut self, now: Now, name: &str, request: &AdminRequest<'_>) -> Vec<(String, Json)> {
        let one = |key: &str, value: Json| vec![(key.to_owned(), value)];
        match name {
            "configuration" => self.view_configuration(),
            "connection_stat_reset" => {
                self.reset_connection_stats();
                Vec::new()
            }
            "connections" => self.view_connections(false),
            "dirs" => self.view_dirs(),
            "dump" => self.view_dump(),
            "environment" => self.view_environment(),
            "get_trace_mask" => one("tracemask", self.operator.trace_mask.into()),
            "hash" => self.view_digests(),
            "initial_configuration" => {
                let text = self.config.operator.initial_config.as_deref();
                one("initial_configuration", text.map_or(Json::Null, Json::from))
            }
            "is_read_only" => one("read_only", self.is_read_only().into()),
            "last_snapshot" => self.view_last_snapshot(),
            "leader" => self.view_leader(),
            "monitor" => self.view_monitor(now),
            "observers" => self.view_observers(),
            "server_stats" => self.view_server_stats(now),
            "set_trace_mask" => self.set_trace_mask(request),
            "stat_reset" => {
                self.stats.reset();
                Vec::new()
            }
            "stats" => {
                let mut all = self.view_server_stats(now);
                all.extend(self.view_connections(true));
                all
            }
            "system_properties" => self.view_system_properties(),
            "voting_view" => self.view_voting(),
            "watch_summary" => self.view_watch_summary(),
            "watches" => self.view_watches(),
            "watches_by_path" => self.view_watches_by_path(),
            "zabstate" => self.view_zab_state(),
            // `ruok`, and `observer_connection_stat_reset`: nothing is counted of observers that could be reset.
            _ => Vec::new(),
        }
    }

    fn set_trace_mask(&mut self, request: &AdminRequest<'_>) -> Vec<(String, Json)> {
        let wanted = "setTraceMask requires long traceMask argument";
        let Some((_, text)) = request.parameters.iter().find(|(key, _)| key == "traceMask") else {
            return told_error(wanted.to_owned());
        };
        match text.parse() {
            Ok(mask) => {
                self.operator.trace_mask = mask;
                vec![("tracemask".to_owned(), Json::Int(mask))]
            }
            Err(_) => told_error(format!("{wanted}, got {text}")),
        }
    }

    /// Who asks must have all permissions on the root. On errors a status and its text.
    fn authorize(&self, request: &AdminRequest<'_>) -> Result<(), (u16, &'static str)> {
        let Some(given) = request.authorization else { return Err((401, "Auth info is missing for the command")) };
        let mut parts = given.split(' ');
        let (scheme, proof) = (parts.next().unwrap_or(""), parts.next());
        if parts.next().is_some() {
            return Err((401, "Not authenticated"));
        }
        let ids = match (scheme, proof) {
            ("digest", Some(proof)) if self.config.digest_auth => {
                let id = auth::digest_id(proof);
                let mut ids = Vec::new();
                if self.config.super_digest.as_deref() == Some(&id) {
                    ids.push(("super".to_owned(), String::new()));
                }
                ids.push(("digest".to_owned(), id));
                ids
            }
            ("ip", _) => vec![("ip".to_owned(), request.peer.to_string())],
            _ => return Err((401, "Not authenticated")),
        };
        let Some(root) = self.db.tree.get("/") else { return Err((500, "Error occurred during auth")) };
        let acl = AclList::from_encoded(root.acl());
        let may = |bit: i32| acl::allows(acl, bit, &ids);
        let all = [perms::READ, perms::WRITE, perms::CREATE, perms::DELETE, perms::ADMIN];
        if self.config.skip_acl || all.into_iter().all(may) { Ok(()) } else { Err((403, "Not authorized")) }
    }

    fn admit_snapshot(&mut self, now: Now, request: &AdminRequest<'_>) -> AdminAnswer {
        if !self.config.operator.admin_snapshot_enabled {
            return reply("snapshot", 503, Vec::new());
        }
        if self.is_read_only() {
            // Its tree may have what will never be committed.
            return refusal("snapshot", 503, "this server has no leader; ask one that has");
        }
        // ZooKeeper takes the setting for microseconds here, for milliseconds in `restore`.
        let interval_us = self.config.operator.admin_rate_limiter_interval_ms;
        if !allow(&mut self.operator.snapshot_at_us, interval_us, now) {
            self.stats.snapshots_rate_limited += 1;
            return reply("snapshot", 429, Vec::new());
        }
        let streaming = request.parameters.iter().find(|(key, _)| key == "streaming");
        AdminAnswer::Snapshot { streaming: streaming.is_none_or(|(_, value)| value.eq_ignore_ascii_case("true")) }
    }

    fn admit_restore(&mut self, now: Now) -> AdminAnswer {
        if !self.config.operator.admin_restore_enabled {
            return reply("restore", 503, Vec::new());
        }
        if self.operator.quorum.is_some() {
            let why = "restore is for a server alone: stop the ensemble and put the snapshot into each dataDir";
            return refusal("restore", 503, why);
        }
        let interval_us = self.config.operator.admin_rate_limiter_interval_ms.saturating_mul(1_000);
        if !allow(&mut self.operator.restore_at_us, interval_us, now) {
            self.stats.restores_rate_limited += 1;
            return reply("restore", 429, Vec::new());
        }
        AdminAnswer::Restore
    }

    /// What an ensemble tells of this server; `None` for a server alone.
    pub fn set_quorum_status(&mut self, status: Option<QuorumStatus>) {
        self.operator.quorum = status;
    }

    #[must_use]
    pub fn quorum_status(&self) -> Option<&QuorumStatus> {
        self.operator.quorum.as_ref()
    }

    /// Descriptors of the process: open, and allowed.
    pub fn set_descriptors(&mut self, open: u64, allowed: u64) {
        self.operator.descriptors = (open, allowed);
    }

    /// So many transactions were made durable in one go; the sync took so long.
    pub fn note_sync(&mut self, transactions: usize, took_us: u64) {
        let threshold_ms = self.config.operator.fsync_warning_threshold_ms;
        if took_us / 1_000 > threshold_ms {
            self.stats.slow_fsyncs += 1;
            tracing::warn!("syncing the transaction log took {} ms: the disk is slow or busy", took_us / 1_000);
        }
        self.stats.fsync_time.add(took_us);
        self.stats.batch_size.add(transactions as u64);
    }

    /// A snapshot of this zxid is on disk; it took so long.
    pub fn snapshot_written(&mut self, now: Now, zxid: i64, took_us: u64) {
        self.operator.last_snapshot = Some((zxid, now.wall_ms));
        self.stats.snapshot_time.add(took_us);
    }

    /// A snapshot that was there at the start, and when it was written (milliseconds since 1970).
    pub fn snapshot_found(&mut self, zxid: i64, wall_ms: i64) {
        self.operator.last_snapshot = Some((zxid, wall_ms));
    }

    /// Zxid of the newest snapshot on disk, and when it came there (milliseconds since 1970).
    #[must_use]
    pub fn last_snapshot(&self) -> Option<(i64, i64)> {
        self.operator.last_snapshot
    }

    /// Everything that `mntr` tells, for other ways to tell it: single numbers first, then summaries.
    pub fn metrics(&self, now: Now, tell: impl FnOnce(&[(&'static str, Value)], &[NamedSummary<'_>])) {
        let gauges = self.gauges(now);
        let sources = self.sources(&gauges);
        tell(&sources.values(), &sources.summaries().collect::<Vec<_>>());
    }

    pub(super) fn sources<'a>(&'a self, gauges: &'a Gauges) -> Sources<'a> {
        Sources {
            version: &self.config.info.version,
            gauges,
            stats: &self.stats,
            quorum: self.operator.quorum.as_ref(),
            descriptors: self.operator.descriptors,
        }
    }

    pub(super) fn reset_connection_stats(&mut self) {
        self.conns.values_mut().for_each(Connection::reset_stats);
    }

    /// Mode as `srvr` tells it.
    pub(super) fn mode(&self) -> &'static str {
        self.operator.quorum.as_ref().map_or(self.config.info.mode, QuorumStatus::mode)
    }

    /// Requests that may wait before no more are taken from clients that wait (`globalOutstandingLimit`,
    /// `requestThrottleLimit`).
    pub(super) fn outstanding_limit(&self) -> usize {
        match self.config.operator.request_throttle_limit {
            0 => self.config.global_outstanding_limit,
            limit => limit.min(self.config.global_outstanding_limit),
        }
    }

    fn leads(&self) -> bool {
        self.operator.quorum.as_ref().is_some_and(|quorum| quorum.role == Role::Leading)
    }
}
