//! The keepers that are measured: one or several, ours or the real ZooKeeper, from the same `zoo.cfg`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::keeper_client::{Client, four_letters};
use crate::process::Setup;
use crate::wire::Result;

/// Longest time for a start: a million nodes are read in it.
const START: Duration = Duration::from_secs(120);
/// What ZooKeeper's own scripts give it.
const HEAP: &str = "-Xmx1000m";

/// Which keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Ottla,
    ZooKeeper,
}

/// Servers of one ensemble; ended when dropped.
pub struct Ensemble {
    pub side: Side,
    setup: Setup,
    directory: PathBuf,
    port: u16,
    servers: Vec<Option<Child>>,
}

impl Ensemble {
    /// Starts `count` servers on an empty `directory`, with `settings` (lines of `zoo.cfg`) beside what all need, and
    /// waits until they serve.
    pub fn start(setup: &Setup, side: Side, directory: &Path, port: u16, count: usize, settings: &str) -> Result<Self> {
        let _ = fs::remove_dir_all(directory);
        let mut ensemble = Self {
            side,
            setup: setup.clone(),
            directory: directory.to_owned(),
            port,
            servers: (0..count).map(|_| None).collect(),
        };
        ensemble.start_again(settings)?;
        Ok(ensemble)
    }

    /// Starts the servers that do not run on the data that is there; gives the milliseconds until all of them serve.
    pub fn start_again(&mut self, settings: &str) -> Result<f64> {
        let begin = Instant::now();
        for index in 0..self.servers.len() {
            if self.servers[index].is_none() {
                self.launch(index, settings)?;
            }
        }
        for index in 0..self.servers.len() {
            self.connect(index, START)?;
        }
        Ok(begin.elapsed().as_secs_f64() * 1e3)
    }

    fn launch(&mut self, index: usize, settings: &str) -> Result<()> {
        let directory = self.directory.join(format!("{}", index + 1));
        fs::create_dir_all(directory.join("data"))?;
        let mut config = format!(
            "dataDir={}/data\nclientPort={}\nclientPortAddress=127.0.0.1\nmaxClientCnxns=0\nadmin.enableServer=false\n\
             4lw.commands.whitelist=*\n{settings}",
            directory.display(),
            self.port + index as u16
        );
        if !settings.contains("tickTime=") {
            config.push_str("tickTime=2000\n");
        }
        if self.servers.len() > 1 {
            config.push_str("initLimit=10\nsyncLimit=5\n");
            for other in 0..self.servers.len() as u16 {
                let (quorum, election) = (self.port + 100 + other, self.port + 200 + other);
                config.push_str(&format!("server.{}=127.0.0.1:{quorum}:{election}\n", other + 1));
            }
            fs::write(directory.join("data/myid"), format!("{}\n", index + 1))?;
        }
        let file = directory.join("zoo.cfg");
        fs::write(&file, config)?;
        let log = fs::OpenOptions::new().create(true).append(true).open(directory.join("out.log"))?;
        let mut command = match self.side {
            Side::Ottla => {
                let mut command = Command::new(&self.setup.ottla);
                command.arg("keeper");
                command
            }
            Side::ZooKeeper => {
                let mut command = Command::new(&self.setup.peers);
                let main = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
                command.env("JAVA_OPTS", HEAP).args(["java", "zookeeper-3.9.5", main]);
                command
            }
        };
        command.arg(file).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.servers[index] = Some(command.spawn()?);
        Ok(())
    }

    /// Number of servers.
    pub fn len(&self) -> usize {
        self.servers.len()
    }

    pub fn address(&self, index: usize) -> String {
        format!("127.0.0.1:{}", self.port + (index % self.servers.len()) as u16)
    }

    /// Where a server has its snapshots.
    pub fn snapshots(&self, index: usize) -> PathBuf {
        self.directory.join(format!("{}/data/version-2", index + 1))
    }

    /// A new session at a server, tried until it serves.
    pub fn connect(&mut self, index: usize, patience: Duration) -> Result<Client> {
        let deadline = Instant::now() + patience;
        loop {
            let index = index % self.servers.len();
            if let Some(server) = &mut self.servers[index]
                && server.try_wait()?.is_some()
            {
                self.servers[index] = None;
                return Err(format!("a keeper ended by itself: see {}", self.directory.display()).into());
            }
            match Client::connect(&self.address(index), Duration::from_secs(5)) {
                Ok(client) => return Ok(client),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// `count` sessions, spread over the servers.
    pub fn clients(&mut self, count: usize) -> Result<Vec<Client>> {
        (0..count).map(|i| self.connect(i, START)).collect()
    }

    /// The server that leads.
    pub fn leader(&self) -> Result<usize> {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            for index in 0..self.servers.len() {
                if four_letters(&self.address(index), "srvr").is_ok_and(|text| text.contains("Mode: leader")) {
                    return Ok(index);
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("nobody leads".into())
    }

    /// Resident memory of a server in bytes.
    pub fn resident_bytes(&self, index: usize) -> Result<u64> {
        let pid = self.servers[index].as_ref().ok_or("not running")?.id();
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        let kib: u64 = line.split_whitespace().nth(1).ok_or("no figure")?.parse()?;
        Ok(kib * 1024)
    }

    /// `kill -9`
    pub fn kill(&mut self, index: usize) -> Result<()> {
        if let Some(mut server) = self.servers[index].take() {
            server.kill()?;
            server.wait()?;
        }
        Ok(())
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        for index in 0..self.servers.len() {
            let _ = self.kill(index);
        }
        // The logs stay, for a look at what went wrong.
        for index in 0..self.servers.len() {
            let _ = fs::remove_dir_all(self.directory.join(format!("{}/data", index + 1)));
        }
    }
}
