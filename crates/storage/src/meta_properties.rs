//! `meta.properties`: whose log directory this is. Text of Java's properties: `version`, `cluster.id`, `broker.id`
//! (version 0, ZooKeeper mode) or `node.id` and `directory.id` (version 1, KRaft).

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use ottla_base::disk::Disk;
use ottla_base::ids::Uuid;

use crate::error::Corrupt;

pub const META_PROPERTIES_FILE: &str = "meta.properties";

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MetaProperties {
    pub version: i32,
    pub cluster_id: Option<String>,
    /// `broker.id` of version 0, `node.id` of version 1.
    pub broker_id: Option<i32>,
    pub directory_id: Option<Uuid>,
}

/// Why a broker may not use its log directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetaError {
    /// The directory belongs to another cluster.
    ClusterMismatch { dir: PathBuf, stored: String, expected: String },
    /// The directory belongs to another broker.
    BrokerMismatch { dir: PathBuf, stored: i32, configured: i32 },
    /// Two directories name two brokers or clusters.
    Inconsistent(String),
    /// The file can't be understood.
    Corrupt { dir: PathBuf, what: String },
}

impl fmt::Display for MetaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClusterMismatch { dir, stored, expected } => write!(
                f,
                "{} holds data of cluster {stored}, but this cluster is {expected}; point log.dirs elsewhere, or \
                 zookeeper.connect to the right cluster",
                dir.display()
            ),
            Self::BrokerMismatch { dir, stored, configured } => write!(
                f,
                "{} holds data of broker {stored}, but broker.id is {configured}; set broker.id={stored}, or point log.dirs \
                 elsewhere",
                dir.display()
            ),
            Self::Inconsistent(what) => f.write_str(what),
            Self::Corrupt { dir, what } => write!(f, "{}/{META_PROPERTIES_FILE}: {what}", dir.display()),
        }
    }
}

impl std::error::Error for MetaError {}

impl MetaProperties {
    /// What a ZooKeeper-mode broker writes.
    #[must_use]
    pub fn v0(cluster_id: &str, broker_id: i32) -> Self {
        Self { version: 0, cluster_id: Some(cluster_id.into()), broker_id: Some(broker_id), directory_id: None }
    }

    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = String::from("#\n#\n");
        if let Some(id) = &self.cluster_id {
            out += &format!("cluster.id={id}\n");
        }
        if let Some(id) = self.broker_id {
            out += &format!("{}={id}\n", if self.version == 0 { "broker.id" } else { "node.id" });
        }
        if let Some(id) = self.directory_id {
            out += &format!("directory.id={id}\n");
        }
        out + &format!("version={}\n", self.version)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        let text = std::str::from_utf8(bytes).map_err(|_| Corrupt("not text".into()))?;
        let lines = text.lines().map(str::trim_start).filter(|l| !l.is_empty() && !l.starts_with(['#', '!']));
        let values: BTreeMap<&str, &str> =
            lines.filter_map(|l| l.split_once(['=', ':'])).map(|(k, v)| (k.trim(), v.trim())).collect();
        let number = |key: &str| match values.get(key) {
            Some(v) => v.parse::<i32>().map(Some).map_err(|_| Corrupt(format!("{key}={v} is no number"))),
            None => Ok(None),
        };
        let version = number("version")?.unwrap_or(0);
        let broker_id = match version {
            0 => number("broker.id")?,
            1 => number("node.id")?,
            _ => return Err(Corrupt(format!("version {version} is unknown"))),
        };
        let directory_id = values.get("directory.id").and_then(|v| Uuid::parse(v));
        Ok(Self { version, cluster_id: values.get("cluster.id").map(ToString::to_string), broker_id, directory_id })
    }

    /// The directory's file; `None` when it is new.
    pub fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Option<Self>> {
        match disk.read(&dir.join(META_PROPERTIES_FILE)) {
            Ok(bytes) => Ok(Some(Self::decode(&bytes)?)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    pub fn write(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        disk.write_atomic(&dir.join(META_PROPERTIES_FILE), self.encode().as_bytes())
    }
}

/// Broker and cluster id that all directories agree on, as far as they say one.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Identity {
    pub cluster_id: Option<String>,
    pub broker_id: Option<i32>,
}

/// Reads the files of all directories (unreadable ones are left out: they go offline) and checks that they name one broker
/// of one cluster, and the expected ones where given (`configured` is `broker.id`, when it is not to be generated).
#[doc(alias = "MetaPropertiesEnsemble")]
pub fn identify(
    disk: &dyn Disk,
    dirs: &[PathBuf],
    expected_cluster: Option<&str>,
    configured: Option<i32>,
) -> Result<Identity, MetaError> {
    let mut identity = Identity::default();
    for dir in dirs {
        let meta = match MetaProperties::read(disk, dir) {
            Ok(Some(meta)) => meta,
            Ok(None) => continue,
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                return Err(MetaError::Corrupt { dir: dir.clone(), what: e.to_string() });
            }
            Err(error) => {
                tracing::error!(dir = %dir.display(), %error, "meta.properties can't be read");
                continue;
            }
        };
        if let (Some(stored), Some(expected)) = (&meta.cluster_id, expected_cluster)
            && stored != expected
        {
            let (stored, expected) = (stored.clone(), expected.to_owned());
            return Err(MetaError::ClusterMismatch { dir: dir.clone(), stored, expected });
        }
        if let (Some(stored), Some(configured)) = (meta.broker_id, configured)
            && stored != configured
        {
            return Err(MetaError::BrokerMismatch { dir: dir.clone(), stored, configured });
        }
        agree(&mut identity.cluster_id, meta.cluster_id, "cluster.id", dir)?;
        agree(&mut identity.broker_id, meta.broker_id, "broker.id", dir)?;
    }
    Ok(identity)
}

fn agree<T: PartialEq + fmt::Display>(
    known: &mut Option<T>,
    here: Option<T>,
    what: &str,
    dir: &Path,
) -> Result<(), MetaError> {
    match (&*known, here) {
        (Some(known), Some(here)) if *known != here => Err(MetaError::Inconsistent(format!(
            "the log directories disagree: {what} is {here} in {}, but {known} in another",
            dir.display()
        ))),
        (None, here) => {
            *known = here;
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions() {
        let zk = b"#\n#Sun Nov 22 08:00:00 UTC 2026\ncluster.id=abc\nversion=0\nbroker.id=3\n";
        let meta = MetaProperties::decode(zk).expect("good");
        assert_eq!(meta, MetaProperties::v0("abc", 3));
        assert_eq!(MetaProperties::decode(meta.encode().as_bytes()), Ok(meta));
        let kraft = b"version=1\nnode.id=7\ncluster.id=x\ndirectory.id=J3djl-ghQxmTpt0mk55D_Q\n";
        let meta = MetaProperties::decode(kraft).expect("good");
        assert_eq!((meta.version, meta.broker_id), (1, Some(7)));
        assert!(meta.directory_id.is_some());
        assert_eq!(MetaProperties::decode(meta.encode().as_bytes()), Ok(meta));
    }

    #[test]
    fn bad_ones() {
        assert!(MetaProperties::decode(b"version=9\n").is_err());
        assert!(MetaProperties::decode(b"version=0\nbroker.id=x\n").is_err());
        assert!(MetaProperties::decode(&[0xc3, 0x28]).is_err());
    }
}
