//! Where a keeper is that may be running: what `zkServer.sh` has to know to stop it or to ask it. No more is looked at, as a
//! server whose settings are not right any more runs on, such as one that was taken out of its ensemble.

use std::path::{Path, PathBuf};

use ottla_keeper::config::ZooConfig;

use super::{KeeperConfigError, in_file, own_id, read};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    pub data_dir: PathBuf,
    /// Address (empty for all of the machine) and port; `None` when neither `clientPort` nor this server's own line is there.
    pub client: Option<(String, u16)>,
}

impl Whereabouts {
    /// Reads `zoo.cfg`, the dynamic file and `myid`, as far as they are there.
    pub fn load(file: &Path) -> Result<Self, KeeperConfigError> {
        let name = file.display().to_string();
        let text = read(file).map_err(|error| KeeperConfigError(format!("cannot read {name}: {error}")))?;
        let mut zoo = ZooConfig::parse_partial(&text).map_err(|error| in_file(&name, &error))?;
        if zoo.data_dir.as_os_str().is_empty() {
            return Err(KeeperConfigError(format!("{name}: dataDir is not set")));
        }
        if let Some(dynamic) = zoo.dynamic_config_file.take() {
            let text = read(&dynamic).unwrap_or_default();
            zoo.add_dynamic(&text).map_err(|error| in_file(&dynamic.display().to_string(), &error))?;
        }
        let own = match own_id(&zoo.data_dir, None) {
            Ok(sid) => zoo.servers.get(&sid),
            Err(_) => zoo.servers.values().next().filter(|_| zoo.servers.len() == 1),
        };
        let own = own.and_then(|server| server.client.clone());
        let general = zoo.client_port_address;
        let client = match (own, zoo.client_port) {
            (Some((address, port)), _) => Some((address.or(general).unwrap_or_default(), port)),
            (None, Some(port)) => Some((general.unwrap_or_default(), port)),
            (None, None) => None,
        };
        Ok(Self { data_dir: zoo.data_dir, client })
    }
}
