//! What operators see of a keeper from outside of its client port: admin server, Prometheus, audit log, environment.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use ottla_keeper::config::ZooConfig;
use ottla_keeper::keeper_server::audit_server_event;
use tokio::sync::oneshot;

use crate::admin_server::{self, AdminSettings};
use crate::broker_metrics::KeeperSource;
use crate::http::{self, Patience};
use crate::keeper_host::KeeperHost;
use crate::keeper_node::StartError;
use crate::listener::BindTo;
use crate::metrics::{Exposition, Process, Source};

/// The provider that stands for "tell Prometheus" in `metricsProvider.className`.
const PROMETHEUS: &str = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider";
const BACKLOG: i32 = 50;

/// What is to be offered.
#[derive(Clone, Debug)]
pub struct OperatorSettings {
    /// `None` without `admin.enableServer`.
    pub(crate) admin: Option<(BindTo, AdminSettings)>,
    /// `metricsProvider.httpPort` of the Prometheus provider.
    pub(crate) metrics: Option<BindTo>,
    audit: bool,
}

impl OperatorSettings {
    pub(crate) fn of(zoo: &ZooConfig) -> Self {
        let bind = |host: &str, port: u16, setting: &'static str| BindTo {
            host: host.to_owned(),
            port,
            send_buffer: None,
            receive_buffer: None,
            backlog: BACKLOG,
            setting,
        };
        let admin = AdminSettings {
            command_url: zoo.operator.admin_command_url.clone(),
            idle_timeout: Duration::from_millis(zoo.operator.admin_idle_timeout_ms),
        };
        let tells_prometheus = zoo.metrics_class.as_deref() == Some(PROMETHEUS);
        Self {
            admin: zoo.admin_enabled.then(|| (bind(&zoo.admin_address, zoo.admin_port, "admin.serverPort"), admin)),
            metrics: tells_prometheus
                .then(|| bind(&zoo.operator.metrics_host, zoo.metrics_port, "metricsProvider.httpPort")),
            audit: zoo.operator.audit,
        }
    }
}

/// What is offered while a keeper runs.
#[derive(Debug)]
pub(crate) struct Operator {
    thread: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    audit: bool,
}

impl Operator {
    /// Begins to serve, on a thread of its own: no command waits for clients, and no client for a command. An admin
    /// server that can't have its port is one warning, as with ZooKeeper; metrics were asked for.
    pub(crate) fn start(host: &Arc<KeeperHost>, settings: OperatorSettings) -> Result<Self, StartError> {
        note_descriptors(host);
        let metrics = settings.metrics.as_ref().map(BindTo::bind).transpose().map_err(StartError::new)?;
        let admin = settings.admin.and_then(|(to, admin)| match to.bind() {
            Ok(socket) => Some((socket, admin)),
            Err(error) => {
                tracing::warn!("no admin server: {error}; admin.enableServer=false turns it off");
                None
            }
        });
        for (what, socket) in [("admin server", admin.as_ref().map(|(s, _)| s)), ("metrics", metrics.as_ref())] {
            if let Some(address) = socket.and_then(|socket| socket.local_addr().ok()) {
                tracing::info!(%address, "the keeper's {what}");
            }
        }
        let thread = if admin.is_some() || metrics.is_some() {
            Some(serve(Arc::clone(host), admin, metrics).map_err(|error| StartError::system(&error))?)
        } else {
            None
        };
        if settings.audit {
            audit_server_event(&user(), "serverStart", "success");
        }
        Ok(Self { thread, audit: settings.audit })
    }

    pub(crate) fn stop(&mut self) {
        if let Some((stop, thread)) = self.thread.take() {
            // A thread that is gone needs no word.
            let _ = stop.send(());
            let _ = thread.join();
        }
        if std::mem::take(&mut self.audit) {
            audit_server_event(&user(), "serverStop", "invoked");
        }
    }
}

fn serve(
    host: Arc<KeeperHost>,
    admin: Option<(TcpListener, AdminSettings)>,
    metrics: Option<TcpListener>,
) -> io::Result<(oneshot::Sender<()>, JoinHandle<()>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new().name("ottla-keeper-admin".to_owned()).spawn(move || {
        if let Some(socket) = metrics {
            let sources: [Box<dyn Source>; 2] =
                [Box::new(KeeperSource::new(Arc::clone(&host))), Box::new(Process::started_now())];
            let render = move || {
                let mut out = Exposition::default();
                sources.iter().for_each(|source| source.collect(&mut out));
                out.finish()
            };
            runtime.spawn(http::serve_scrapes(Patience::SCRAPE, socket, render));
        }
        if let Some((socket, settings)) = admin {
            runtime.spawn(admin_server::serve(socket, settings, host));
        }
        // An error means that the sender is gone, which ends the thread too.
        let _ = runtime.block_on(stopped);
        runtime.shutdown_background();
    })?;
    Ok((stop, thread))
}

/// Counts this process' descriptors for `mntr`.
pub(crate) fn note_descriptors(host: &KeeperHost) {
    let open = fs::read_dir("/proc/self/fd").map_or(0, |fds| fds.count() as u64);
    let allowed = crate::descriptors::limit().unwrap_or(0);
    host.with_server(|server| server.set_descriptors(open, allowed));
}

/// What `envi` tells beside the version: ZooKeeper's names, but for those of a Java machine.
pub(crate) fn environment() -> Vec<(String, String)> {
    let kernel = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
        text.trim().to_owned()
    };
    let arch = if std::env::consts::ARCH == "x86_64" { "amd64" } else { std::env::consts::ARCH };
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let directory = std::env::current_dir().map(|dir| dir.display().to_string()).unwrap_or_default();
    let memory = |name: &str| {
        let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let line = info.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let kb: u64 = line.split_ascii_whitespace().next().and_then(|kb| kb.parse().ok()).unwrap_or(0);
        format!("{}MB", kb / 1_024)
    };
    let entries = [
        ("host.name", kernel("hostname")),
        ("java.io.tmpdir", std::env::temp_dir().display().to_string()),
        ("os.name", kernel("ostype")),
        ("os.arch", arch.to_owned()),
        ("os.version", kernel("osrelease")),
        ("user.name", user()),
        ("user.home", variable("HOME")),
        ("user.dir", directory),
        ("os.memory.free", memory("MemAvailable:")),
        ("os.memory.max", memory("MemTotal:")),
        ("os.memory.total", memory("MemTotal:")),
    ];
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Who runs this process: the name, or else the number.
fn user() -> String {
    let id = rustix::process::geteuid().as_raw().to_string();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(&id)).then(|| name.to_owned())
    });
    named.unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_has_zookeepers_names() {
        let all = environment();
        let of = |name: &str| all.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(of("os.name"), Some("Linux"));
        assert!(of("user.name").is_some_and(|user| !user.is_empty()), "{all:?}");
        assert!(of("os.memory.max").is_some_and(|size| size.ends_with("MB") && size != "0MB"), "{all:?}");
    }

    #[test]
    fn settings_decide_what_is_offered() {
        let of = |text: &str| OperatorSettings::of(&ZooConfig::parse_partial(text).expect("good"));
        let defaults = of("");
        let (to, admin) = defaults.admin.expect("on");
        assert_eq!((to.host.as_str(), to.port, admin.command_url.as_str()), ("0.0.0.0", 8_080, "/commands"));
        assert!(defaults.metrics.is_none() && of("admin.enableServer=false").admin.is_none());
        let text = format!("metricsProvider.className={PROMETHEUS}\nmetricsProvider.httpPort=7001\n");
        assert_eq!(of(&text).metrics.expect("on").port, 7_001);
    }
}
