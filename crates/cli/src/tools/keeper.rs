//! `ottla keeper`, `zookeeper-server-start.sh` and `zkServer.sh`: a keeper without a broker, alone or in an ensemble.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Arg, ArgMatches, Command};
use ottla_server::keeper_config::{KeeperConfig, Whereabouts};

use crate::common::{flag, text};
use crate::daemon;
use crate::tool::{Failure, Outcome, Tool};

pub const KEEPER: Tool = Tool {
    name: "keeper",
    scripts: &["zookeeper-server-start"],
    classes: &["QuorumPeerMain", "ZooKeeperServerMain"],
    about: "Start a keeper from a zoo.cfg, alone or as one server of an ensemble",
    flags: keeper_flags,
    run: run_keeper,
};

pub const ZK_SERVER: Tool = Tool {
    name: "zk-server",
    scripts: &["zkServer"],
    classes: &[],
    about: "Start, stop and look at a keeper as zkServer.sh does",
    flags: zk_server_flags,
    run: run_zk_server,
};

/// Beside the data, as ZooKeeper's own script has it.
const PID_FILE: &str = "zookeeper_server.pid";

const KEEPER_HELP: &str = "\
A server alone needs two lines, dataDir=… and clientPort=2181. An ensemble needs on each server also initLimit=10,
syncLimit=5, the same line for each server,
  server.1=host1:2888:3888
  server.2=host2:2888:3888
  server.3=host3:2888:3888
and a file `myid` in dataDir that holds this server's own number. It forms an ensemble with Apache ZooKeeper servers too:
replace them one at a time. Settings are those of ZooKeeper 3.9; Java system properties (zookeeper.…) go into the same file,
or stay where zkServer.sh looks: -Dzookeeper.… in SERVER_JVMFLAGS or JVMFLAGS (the file has the last word).";

fn keeper_flags(command: Command) -> Command {
    command
        .after_help(KEEPER_HELP)
        .arg(Arg::new("config").value_name("zoo.cfg").default_value("conf/zoo.cfg").help("ZooKeeper's settings"))
        .arg(flag("daemon", "Go on in the background; what it prints goes to zookeeper.out in $LOG_DIR or ./logs"))
}

fn run_keeper(matches: &ArgMatches) -> Outcome {
    let config = text(matches, "config").unwrap_or_default();
    if matches.get_flag("daemon") {
        return daemon::respawn("zookeeper.out", None);
    }
    Ok(ottla_server::run::keeper(Path::new(config))?)
}

fn zk_server_flags(command: Command) -> Command {
    command
        .arg(
            Arg::new("action")
                .value_name("ACTION")
                .required(true)
                .value_parser(["start", "start-foreground", "stop", "restart", "status", "version"])
                .help("What to do"),
        )
        .arg(
            Arg::new("config")
                .value_name("zoo.cfg")
                .help("ZooKeeper's settings [default: $ZOOCFGDIR/zoo.cfg or conf/zoo.cfg]"),
        )
}

fn run_zk_server(matches: &ArgMatches) -> Outcome {
    let config = config_path(text(matches, "config"));
    let action = text(matches, "action").unwrap_or_default();
    if action == "version" {
        println!("Ottla {}, a ZooKeeper 3.9 server", env!("CARGO_PKG_VERSION"));
        return Ok(());
    }
    println!("Using config: {}", config.display());
    match action {
        "start-foreground" => Ok(ottla_server::run::keeper(&config)?),
        "start" => start(&config),
        "stop" => stop(&config),
        "restart" => {
            stop(&config)?;
            start(&config)
        }
        _ => status(&config),
    }
}

/// A bare name is looked for in `$ZOOCFGDIR` (or `conf`) first, as the script does.
fn config_path(given: Option<&str>) -> PathBuf {
    let folder = std::env::var_os("ZOOCFGDIR").map_or_else(|| PathBuf::from("conf"), PathBuf::from);
    let Some(given) = given else { return folder.join("zoo.cfg") };
    let there = folder.join(given);
    if !given.contains('/') && there.is_file() { there } else { PathBuf::from(given) }
}

fn start(config: &Path) -> Outcome {
    // All that can be wrong is told here, not in a log.
    KeeperConfig::load(config)?;
    let there = Whereabouts::load(config)?;
    let pid_file = there.data_dir.join(PID_FILE);
    if let Some(pid) = daemon::running(&pid_file) {
        return Err(Failure::Failed(format!("already running as process {pid}")));
    }
    std::fs::create_dir_all(&there.data_dir)?;
    let arguments = ["keeper".into(), config.as_os_str().to_owned()];
    let pid = daemon::spawn(&arguments, "zookeeper.out", Some(&pid_file))?;
    for _ in 0..100 {
        if four_letters(&there, "srvr").is_ok() {
            println!("Starting zookeeper ... STARTED");
            return Ok(());
        }
        if !daemon::is_alive(pid) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    if daemon::is_alive(pid) {
        // An ensemble without a majority listens, and answers later.
        println!("Starting zookeeper ... STARTED");
        return Ok(());
    }
    Err(Failure::Failed("Starting zookeeper ... FAILED TO START: see zookeeper.out in $LOG_DIR or ./logs".into()))
}

fn stop(config: &Path) -> Outcome {
    let pid_file = Whereabouts::load(config)?.data_dir.join(PID_FILE);
    match daemon::running(&pid_file) {
        Some(pid) => {
            daemon::stop(pid, Duration::from_secs(30))?;
            let _ = std::fs::remove_file(&pid_file);
            println!("Stopping zookeeper ... STOPPED");
        }
        None => println!("Stopping zookeeper ... no zookeeper to stop (could not find file {})", pid_file.display()),
    }
    Ok(())
}

fn status(config: &Path) -> Outcome {
    let there = Whereabouts::load(config)?;
    let (host, port) = client_address(&there)?;
    let answer = four_letters(&there, "srvr")
        .map_err(|_| Failure::Failed("Error contacting service. It is probably not running.".into()))?;
    match answer.lines().find(|line| line.starts_with("Mode: ")) {
        Some(mode) => println!("Client port found: {port}. Client address: {host}. Client SSL: false.\n{mode}"),
        None => {
            let why = answer.trim_end();
            return Err(Failure::Failed(format!("Error contacting service. It runs, but says: {why}")));
        }
    }
    Ok(())
}

fn four_letters(there: &Whereabouts, word: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(client_address(there)?)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(word.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn client_address(there: &Whereabouts) -> std::io::Result<(&str, u16)> {
    let (host, port) = there.client.as_ref().ok_or_else(|| {
        std::io::Error::other("no clientPort, and this server has no server.N line: where it listens is not known")
    })?;
    let host = match host.as_str() {
        "" | "0.0.0.0" | "::" => "localhost",
        host => host,
    };
    Ok((host, *port))
}
