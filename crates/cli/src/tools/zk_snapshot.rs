//! `zkSnapShotToolkit.sh`, `zkSnapshotComparer.sh` and `zkSnapshotRecursiveSummaryToolkit.sh`: what is in a keeper's
//! snapshots. They work on the files alone, and check every checksum in them.

mod compare;
mod format;
mod summary;

use std::path::Path;

use clap::{Arg, ArgMatches};
use ottla_keeper::database::Database;
use ottla_keeper::snapshot;
use ottla_keeper::txn_log::zxid_of_name;
use ottla_server::real_disk::RealDisk;

use crate::common::{flag, number, option, text};
use crate::tool::{Failure, Outcome, Tool};

pub const FORMAT: Tool = Tool {
    name: "zk-snapshot",
    scripts: &["zkSnapShotToolkit"],
    classes: &["SnapshotFormatter"],
    about: "Print a keeper's snapshot",
    flags: |command| {
        command
            .arg(flag("data", "Print the data of each node, in base64, instead of its length").short('d'))
            .arg(flag("json", "Print names and sizes as JSON for ncdu (`ncdu -f FILE`)"))
            .arg(snapshot_file())
            .after_help("Times are UTC. A file that is not whole, or whose checksums are wrong, is an error.")
    },
    run: |matches| {
        let file = text(matches, "file").unwrap_or_default();
        match (matches.get_flag("data"), matches.get_flag("json")) {
            (true, true) => {
                let problem = "Cannot specify both data dump (-d) and json mode (-json) in same call";
                Err(Failure::Usage(problem.into()))
            }
            (_, true) => format::json(&Loaded::read(file)?),
            (data, false) => format::details(&Loaded::read(file)?, data),
        }
    },
};

pub const COMPARE: Tool = Tool {
    name: "zk-snapshot-compare",
    scripts: &["zkSnapshotComparer"],
    classes: &["SnapshotComparer"],
    about: "Show in what two of a keeper's snapshots differ",
    flags: |command| {
        command
            .arg(option("left", "FILE", "The one snapshot").short('l').required(true))
            .arg(option("right", "FILE", "The other").short('r').required(true))
            .arg(option("bytes", "N", "Leave out nodes that differ by at most so many bytes [default: 0]").short('b'))
            .arg(
                option("nodes", "N", "Leave out nodes that differ by at most so many nodes below [default: 0]")
                    .short('n'),
            )
            .arg(flag("debug", "Say what is compared").short('d'))
            .arg(flag("interactive", "Ask for a depth or a path each time").short('i'))
    },
    run: compare,
};

pub const SUMMARY: Tool = Tool {
    name: "zk-snapshot-summary",
    scripts: &["zkSnapshotRecursiveSummaryToolkit"],
    classes: &["SnapshotRecursiveSummary"],
    about: "Count nodes and bytes below each node of a keeper's snapshot",
    flags: |command| {
        command
            .arg(snapshot_file())
            .arg(Arg::new("node").value_name("NODE").default_value("/").help("Where to begin"))
            .arg(
                Arg::new("depth")
                    .value_name("MAX_DEPTH")
                    .default_value("0")
                    .value_parser(clap::value_parser!(usize))
                    .help("How deep to print, counted from the first node; 0 is no limit. All is counted"),
            )
    },
    run: |matches| {
        let node = text(matches, "node").unwrap_or("/");
        let depth = matches.get_one::<usize>("depth").copied().unwrap_or(0);
        summary::print(&Loaded::read(text(matches, "file").unwrap_or_default())?, node, depth)
    },
};

fn snapshot_file() -> Arg {
    Arg::new("file").value_name("FILE").required(true).help("A snapshot.… in a keeper's version-2; .gz too")
}

fn compare(matches: &ArgMatches) -> Outcome {
    let thresholds = compare::Options {
        bytes: number(matches, "bytes")?.unwrap_or(0),
        nodes: number(matches, "nodes")?.unwrap_or(0),
        debug: matches.get_flag("debug"),
        interactive: matches.get_flag("interactive"),
    };
    compare::run(text(matches, "left").unwrap_or_default(), text(matches, "right").unwrap_or_default(), &thresholds)
}

/// A snapshot in memory.
struct Loaded {
    database: Database,
    /// As its name says; -1 when it says nothing.
    zxid: i64,
}

impl Loaded {
    /// Reads a whole file.
    fn read(file: &str) -> Result<Self, Failure> {
        let path = Path::new(file);
        if !path.is_file() {
            let what = if path.exists() { "is not a file" } else { "does not exist" };
            return Err(Failure::Failed(format!("File '{file}' {what}; snapshots are version-2/snapshot.<zxid>")));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let zxid = zxid_of_name(&name, "snapshot").unwrap_or(-1);
        // TTL nodes are told from ephemeral ones whatever the server's setting is: ids of sessions don't look like that.
        match snapshot::read_file(&RealDisk, path, zxid, true) {
            Ok((database, _)) => Ok(Self { database, zxid }),
            Err(error) => Err(Failure::Failed(format!(
                "{file}: {error}. A server takes the newest snapshot that is whole; take an older one, or that of another \
                 server"
            ))),
        }
    }

    /// The paths of a node's children, sorted.
    fn children(&self, path: &str) -> Vec<String> {
        let Some(node) = self.database.tree().get(path) else { return Vec::new() };
        let mut names: Vec<&str> = node.children().collect();
        names.sort_unstable();
        let prefix = if path == "/" { "" } else { path };
        names.into_iter().map(|name| format!("{prefix}/{name}")).collect()
    }

    /// Bytes of a node's data.
    fn data_len(&self, path: &str) -> usize {
        self.database.tree().get(path).and_then(|node| node.data().map(<[u8]>::len)).unwrap_or(0)
    }
}
