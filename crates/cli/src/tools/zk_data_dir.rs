//! `zkCleanup.sh` and `zkServer-initialize.sh`: a keeper's directories from outside.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};
use ottla_base::disk::{Disk, DiskLock};
use ottla_keeper::snapshot;
use ottla_keeper::storage::snapshot_files;
use ottla_keeper::txn_log::log_files;
use ottla_server::real_disk::RealDisk;

use crate::common::{flag, number, option, read_properties, text, texts};
use crate::output::Out;
use crate::time::java_medium_date;
use crate::tool::{Failure, Outcome, Tool};

pub const CLEANUP: Tool = Tool {
    name: "zk-cleanup",
    scripts: &["zkCleanup"],
    classes: &["PurgeTxnLog"],
    about: "Remove a keeper's old snapshots and logs",
    flags: cleanup_flags,
    run: cleanup,
};

pub const INITIALIZE: Tool = Tool {
    name: "zk-initialize",
    scripts: &["zkServer-initialize"],
    classes: &[],
    about: "Make the directories of a new keeper",
    flags: initialize_flags,
    run: initialize,
};

/// Holds the files, within dataDir and dataLogDir.
const VERSION_DIR: &str = "version-2";
/// Fewer snapshots than that are no safety.
const LEAST_SNAPSHOTS: usize = 3;

fn cleanup_flags(command: Command) -> Command {
    command
        .arg(
            option("count", "N", "How many snapshots to keep, with the logs they need; at least 3")
                .short('n')
                .required(true),
        )
        .arg(option("config", "FILE", "Where the directories are named [default: $ZOOCFGDIR/zoo.cfg or conf/zoo.cfg]"))
        .arg(
            Arg::new("dirs")
                .value_name("DIR")
                .num_args(0..=2)
                .help("Instead of --config: dataLogDir, then dataDir when it is another"),
        )
        .after_help(
            "The keeper may run. Only snapshots that are whole count; each is read to find out.\n\
             A keeper does the same by itself with autopurge.purgeInterval=HOURS.",
        )
}

fn cleanup(matches: &ArgMatches) -> Outcome {
    let count: usize = number(matches, "count")?.unwrap_or(0);
    if count < LEAST_SNAPSHOTS {
        return Err(Failure::Usage("count should be greater than or equal to 3".into()));
    }
    let (log_dir, snap_dir) = match texts(matches, "dirs")[..] {
        [] => {
            let dirs = DataDirs::of_config(&config_file(text(matches, "config")))?;
            (dirs.log.unwrap_or_else(|| dirs.data.clone()), dirs.data)
        }
        [both] => (PathBuf::from(both), PathBuf::from(both)),
        [log, snap, ..] => (PathBuf::from(log), PathBuf::from(snap)),
    };
    let version_dir = |dir: &Path| match dir.join(VERSION_DIR) {
        within if within.is_dir() => Ok(within),
        _ => Err(Failure::Failed(format!("Path '{}' does not exist or has no {VERSION_DIR}", dir.display()))),
    };
    purge(&version_dir(&log_dir)?, &version_dir(&snap_dir)?, count)
}

/// Removes what is older than the oldest of the newest `count` whole snapshots, and is not needed by it.
fn purge(log_dir: &Path, snap_dir: &Path, count: usize) -> Outcome {
    let in_dir = |dir: &Path, e: io::Error| Failure::Failed(format!("{}: {e}", dir.display()));
    let snapshots = snapshot_files(&RealDisk, snap_dir).map_err(|e| in_dir(snap_dir, e))?;
    let whole = snapshots.iter().rev().filter(|(zxid, path)| is_whole(*zxid, path));
    let Some(oldest_kept) = whole.take(count).map(|(zxid, _)| *zxid).last() else { return Ok(()) };
    let logs = log_files(&RealDisk, log_dir).map_err(|e| in_dir(log_dir, e))?;
    // It holds what follows the oldest snapshot.
    let first_log = logs.iter().rev().map(|(zxid, _)| *zxid).find(|zxid| *zxid <= oldest_kept).unwrap_or(0);
    let old_logs = logs.iter().filter(|(zxid, _)| *zxid < first_log);
    let old_snapshots = snapshots.iter().filter(|(zxid, _)| *zxid < oldest_kept);
    let mut out = Out::new();
    let mut failed = 0;
    for (_, path) in old_logs.chain(old_snapshots) {
        let modified_ms = RealDisk.metadata(path).map_or(0, |metadata| metadata.modified_ms);
        out.line(&format!("Removing file: {}\t{}", java_medium_date(modified_ms), path.display()))?;
        if let Err(e) = fs::remove_file(path) {
            eprintln!("Failed to remove {}: {e}", path.display());
            failed += 1;
        }
    }
    out.flush()?;
    if failed == 0 { Ok(()) } else { Err(Failure::Failed(format!("{failed} files could not be removed"))) }
}

fn is_whole(zxid: i64, path: &Path) -> bool {
    match snapshot::read_file(&RealDisk, path, zxid, true) {
        Ok(_) => true,
        Err(error) => {
            eprintln!("{} does not count: {error}", path.display());
            false
        }
    }
}

fn initialize_flags(command: Command) -> Command {
    command
        .arg(option("configfile", "FILE", "The keeper's settings [default: $ZOOCFGDIR/zoo.cfg or conf/zoo.cfg]"))
        .arg(
            Arg::new("myid")
                .long("myid")
                .value_name("N")
                .value_parser(clap::value_parser!(u8).range(1..))
                .help("The number of this server in its ensemble, 1 to 255"),
        )
        .arg(flag("force", "Make the directories anew: DELETES what a keeper has in them"))
}

fn initialize(matches: &ArgMatches) -> Outcome {
    let config = config_file(text(matches, "configfile"));
    if !config.is_file() {
        return Err(Failure::Failed(format!("Unable to find config file at {}", config.display())));
    }
    let dirs = DataDirs::of_config(&config)?;
    let log = dirs.log.as_deref().filter(|log| *log != dirs.data);
    if matches.get_flag("force") {
        println!("Force enabled, data/txnlog directories will be re-initialized");
    } else {
        for (dir, what) in [(Some(dirs.data.as_path()), "data"), (log, "txnlog")] {
            if let Some(dir) = dir.filter(|dir| dir.join(VERSION_DIR).is_dir()) {
                return Err(Failure::Failed(format!(
                    "ZooKeeper {what} directory already exists at {} (or use --force to force re-initialization)",
                    dir.display()
                )));
            }
        }
    }
    let _lock = lock(&dirs.data)?;
    for dir in [Some(dirs.data.as_path()), log].into_iter().flatten() {
        make_anew(dir).map_err(|e| Failure::Failed(format!("{}: {e}", dir.display())))?;
    }
    match matches.get_one::<u8>("myid") {
        Some(id) => {
            println!("Using myid of {id}");
            fs::write(dirs.data.join("myid"), format!("{id}\n"))?;
        }
        None => {
            println!("No myid provided, be sure to specify it in {}/myid if using non-standalone", dirs.data.display())
        }
    }
    // Says to a server that it may begin with an empty tree.
    fs::write(dirs.data.join("initialize"), "")?;
    Ok(())
}

fn make_anew(dir: &Path) -> io::Result<()> {
    let missing_is_fine = |result: io::Result<()>| match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    missing_is_fine(fs::remove_file(dir.join("myid")))?;
    missing_is_fine(fs::remove_dir_all(dir.join(VERSION_DIR)))?;
    fs::create_dir_all(dir.join(VERSION_DIR))
}

/// Nothing is taken away from a keeper that runs.
fn lock(data_dir: &Path) -> Result<Box<dyn DiskLock>, Failure> {
    let locked = fs::create_dir_all(data_dir).and_then(|()| RealDisk.lock(&data_dir.join(".lock")));
    locked.map_err(|e| match e.kind() {
        io::ErrorKind::WouldBlock => {
            Failure::Failed(format!("a keeper is running on {}; stop it first", data_dir.display()))
        }
        _ => Failure::Failed(format!("{}: {e}", data_dir.display())),
    })
}

/// As ZooKeeper's scripts find it.
fn config_file(given: Option<&str>) -> PathBuf {
    match given {
        Some(dir) if Path::new(dir).is_dir() => Path::new(dir).join("zoo.cfg"),
        Some(file) => PathBuf::from(file),
        None => std::env::var_os("ZOOCFGDIR").map_or_else(|| PathBuf::from("conf"), PathBuf::from).join("zoo.cfg"),
    }
}

/// `dataDir` and `dataLogDir` of a configuration file; the rest of it may still be to be written.
struct DataDirs {
    data: PathBuf,
    log: Option<PathBuf>,
}

impl DataDirs {
    fn of_config(config: &Path) -> Result<Self, Failure> {
        let settings = read_properties(&config.to_string_lossy())?;
        let dir = |name: &str| {
            settings.iter().rfind(|(key, value)| key == name && !value.is_empty()).map(|(_, dir)| PathBuf::from(dir))
        };
        match dir("dataDir") {
            Some(data) => Ok(Self { data, log: dir("dataLogDir") }),
            None => Err(Failure::Failed(format!("Unable to determine dataDir from {}", config.display()))),
        }
    }
}
