//! Servers in the background: started apart from this terminal, found again, ended.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::tool::{Failure, Outcome};

/// Starts this very command again without `-daemon`, in the background.
pub fn respawn(log: &str, pid_file: Option<&Path>) -> Outcome {
    let arguments: Vec<OsString> =
        std::env::args_os().skip(1).filter(|argument| argument != "-daemon" && argument != "--daemon").collect();
    spawn_as(std::env::args_os().next(), &arguments, log, pid_file).map(drop)
}

/// Starts this binary with `arguments` in the background; gives its pid.
pub fn spawn(arguments: &[OsString], log: &str, pid_file: Option<&Path>) -> Result<i32, Failure> {
    spawn_as(Some("ottla".into()), arguments, log, pid_file)
}

fn spawn_as(
    name: Option<OsString>,
    arguments: &[OsString],
    log: &str,
    pid_file: Option<&Path>,
) -> Result<i32, Failure> {
    let folder = std::env::var_os("LOG_DIR").or_else(|| std::env::var_os("ZOO_LOG_DIR"));
    let folder = folder.map_or_else(|| PathBuf::from("logs"), PathBuf::from);
    fs::create_dir_all(&folder)?;
    let out = fs::OpenOptions::new().create(true).append(true).open(folder.join(log))?;
    let mut command = Command::new(std::env::current_exe()?);
    if let Some(name) = name {
        command.arg0(name);
    }
    // A process group of its own: the terminal's Ctrl-C is not for it.
    let child =
        command.args(arguments).stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).process_group(0).spawn()?;
    let pid = child.id() as i32;
    if let Some(file) = pid_file {
        fs::write(file, pid.to_string())?;
    }
    Ok(pid)
}

/// The pid in a file, when that process lives.
pub fn running(pid_file: &Path) -> Option<i32> {
    let pid = fs::read_to_string(pid_file).ok()?.trim().parse().ok()?;
    is_alive(pid).then_some(pid)
}

pub fn is_alive(pid: i32) -> bool {
    let zombie = fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    !zombie && Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

/// Ends a process by SIGTERM and waits for its end.
pub fn stop(pid: i32, limit: Duration) -> Outcome {
    let raw = Pid::from_raw(pid).ok_or_else(|| Failure::Failed(format!("{pid} is not a process")))?;
    kill_process(raw, Signal::TERM).map_err(|e| Failure::Failed(format!("process {pid}: {e}")))?;
    let deadline = Instant::now() + limit;
    while is_alive(pid) {
        if Instant::now() > deadline {
            return Err(Failure::Failed(format!("process {pid} has not ended after {} s", limit.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Processes of this binary that were started with `command`, or under its script's name.
pub fn find(command: &str) -> Vec<i32> {
    let scripts: &[&str] = match command {
        "start" => &["kafka-server-start.sh", "kafka-server-start"],
        _ => &["zookeeper-server-start.sh", "zookeeper-server-start"],
    };
    let own = std::process::id() as i32;
    let exe = fs::read_link("/proc/self/exe").ok();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|&pid| pid != own && fs::read_link(format!("/proc/{pid}/exe")).ok() == exe)
        .filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let mut words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
            let called = words.next().unwrap_or_default();
            let called = called.rsplit('/').next().unwrap_or_default();
            scripts.contains(&called) || words.next().as_deref() == Some(command)
        })
        .collect()
}
