//! The processes that are measured: started, watched through /proc, ended.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::wire::{Result, Wire};

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ottla,
    Kafka,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ottla => "Ottla",
            Self::Kafka => "Kafka 4.3.1",
        }
    }
}

/// Where things are, and how much to measure.
#[derive(Clone, Debug)]
pub struct Setup {
    pub ottla: PathBuf,
    pub peers: PathBuf,
    /// 1 for the full measurement; less for a quick look.
    pub scale: f64,
    /// Lines for Ottla's settings file.
    pub settings: Vec<String>,
}

/// A running broker; ended when dropped.
pub struct Broker {
    pub kind: Kind,
    pub address: String,
    pub pid: u32,
    child: Option<Child>,
    directory: PathBuf,
}

impl Broker {
    /// Starts a broker with its data in `directory`; does not wait until it listens.
    pub fn launch(setup: &Setup, kind: Kind, directory: &Path, port: u16) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let address = format!("127.0.0.1:{port}");
        let log = fs::OpenOptions::new().create(true).append(true).open(directory.join("out.log"))?;
        let mut command = match kind {
            Kind::Ottla => {
                let properties = directory.join("server.properties");
                let text = format!(
                    "listeners=PLAINTEXT://{address}\nlog.dirs={0}/data\nkeeper.dataDir={0}/keeper\nkeeper.clientPort={1}\n\
                     keeper.clientPortAddress=127.0.0.1\nottla.metrics.listener=\ngroup.initial.rebalance.delay.ms=0\n{2}\n",
                    directory.display(),
                    port + 2,
                    setup.settings.join("\n")
                );
                fs::write(&properties, text)?;
                let mut command = Command::new(&setup.ottla);
                command.arg("start").arg(properties);
                command
            }
            Kind::Kafka => {
                let mut command = Command::new(&setup.peers);
                command.arg("kafka-start").arg(directory).arg(port.to_string());
                command
            }
        };
        // Kafka's starting script prints a pid. Nobody would read the log of ours from a pipe, and a full one stops it.
        let out = match kind {
            Kind::Ottla => Stdio::from(log.try_clone()?),
            Kind::Kafka => Stdio::piped(),
        };
        let child = command.stdin(Stdio::null()).stdout(out).stderr(log).spawn()?;
        Ok(Self { kind, address, pid: child.id(), child: Some(child), directory: directory.to_owned() })
    }

    /// Starts a broker and waits until it answers.
    pub fn start(setup: &Setup, kind: Kind, directory: &Path, port: u16) -> Result<Self> {
        let mut broker = Self::launch(setup, kind, directory, port)?;
        broker.settle()?;
        broker.wait_until_it_answers()?;
        Ok(broker)
    }

    /// Kafka's starting script prints the pid of the server when that is ready, and ends.
    pub fn settle(&mut self) -> Result<()> {
        if self.kind == Kind::Kafka
            && let Some(mut child) = self.child.take()
        {
            let mut line = [0; 32];
            let mut out = child.stdout.take().ok_or("no output")?;
            let mut text = String::new();
            while !text.ends_with('\n') {
                let count = out.read(&mut line)?;
                if count == 0 {
                    return Err(format!("Kafka did not start: see {}", self.directory.display()).into());
                }
                text.push_str(&String::from_utf8_lossy(&line[..count]));
            }
            child.wait()?;
            self.pid = text.trim().parse()?;
        }
        Ok(())
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            self.check_alive()?;
            if Wire::connect(&self.address).is_ok_and(|mut wire| wire.leaders("none", false).is_ok()) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(format!("{} does not answer on {}", self.kind.name(), self.address).into())
    }

    /// User and system seconds used so far.
    pub fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.pid)
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        let kib: u64 = line.split_whitespace().nth(1).ok_or("no figure")?.parse()?;
        Ok(kib * 1024)
    }

    pub fn kill(&mut self) -> Result<()> {
        self.signal("-KILL")
    }

    pub fn stop(&mut self) -> Result<()> {
        self.signal("-TERM")
    }

    fn signal(&mut self, signal: &str) -> Result<()> {
        Command::new("kill").arg(signal).arg(self.pid.to_string()).status()?;
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.is_alive() {
            if Instant::now() > deadline {
                return Err(format!("{} does not end", self.kind.name()).into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.pid = 0;
        Ok(())
    }

    /// An error when the broker has ended by itself.
    pub fn check_alive(&mut self) -> Result<()> {
        if self.is_alive() {
            return Ok(());
        }
        self.pid = 0;
        Err(format!("{} ended by itself: see {}", self.kind.name(), self.directory.join("out.log").display()).into())
    }

    fn is_alive(&mut self) -> bool {
        if let Some(child) = &mut self.child {
            return matches!(child.try_wait(), Ok(None));
        }
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if self.pid != 0 {
            let _ = self.kill();
        }
    }
}

/// User and system seconds that a process has used.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = stat.rsplit(") ").next().ok_or("no stat")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / rustix::param::clock_ticks_per_second() as f64)
}
