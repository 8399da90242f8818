//! The members of an ensemble on the disk, when they may change (`reconfigEnabled`): `zoo.cfg.dynamic.<version>`, to which
//! `zoo.cfg` then refers, and `zoo.cfg.dynamic.next` for a configuration that may be committed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ottla_keeper::config::parse_properties;
use ottla_keeper::zab::QuorumVerifier;

/// Where they are.
#[derive(Clone, Debug)]
pub(crate) struct DynamicFiles {
    /// `zoo.cfg`, or the name in the data directory of an embedded keeper to which the rest is added.
    base: PathBuf,
    /// Is `base` itself a file, which refers to the dynamic one?
    has_static: bool,
    sid: i64,
}

impl DynamicFiles {
    /// Beside this `zoo.cfg`.
    pub fn beside(zoo_cfg: &Path, sid: i64) -> Self {
        let base = std::path::absolute(zoo_cfg).unwrap_or_else(|_| zoo_cfg.to_owned());
        Self { base, has_static: true, sid }
    }

    /// In the data directory of a keeper without a `zoo.cfg`.
    pub fn within(data_dir: &Path, sid: i64) -> Self {
        Self { base: embedded_base(data_dir), has_static: false, sid }
    }

    fn with_suffix(&self, suffix: &str) -> PathBuf {
        suffixed(&self.base, suffix)
    }

    /// A configuration that may be committed: in `.dynamic.next`, with its version.
    pub fn seen(&self, verifier: &QuorumVerifier) -> io::Result<()> {
        write(&self.with_suffix(".dynamic.next"), &sorted(verifier, true))
    }

    /// A configuration is committed: it is what the next start finds.
    #[doc(alias = "editStaticConfig")]
    pub fn activated(&self, verifier: &QuorumVerifier) -> io::Result<()> {
        let file = self.with_suffix(&format!(".dynamic.{:x}", verifier.version));
        write(&file, &sorted(verifier, false))?;
        if self.has_static {
            let text = fs::read_to_string(&self.base)?;
            if !parse_properties(&text).iter().any(|property| property.key == "dynamicConfigFile") {
                write(&self.with_suffix(".bak"), &text)?;
            }
            let own_port = verifier.members().get(&self.sid).is_some_and(|own| own.client.is_some());
            write(&self.base, &refer_to(&text, &file, own_port))?;
        }
        match fs::remove_file(self.with_suffix(".dynamic.next")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn suffixed(base: &Path, suffix: &str) -> PathBuf {
    let mut name = base.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn embedded_base(data_dir: &Path) -> PathBuf {
    data_dir.join("keeper.cfg")
}

/// The latest configuration of an embedded keeper, and its version.
pub(crate) fn latest_within(data_dir: &Path) -> Option<(PathBuf, i64)> {
    let prefix = suffixed(&embedded_base(data_dir), ".dynamic.");
    let prefix = prefix.file_name()?.to_str()?;
    let names = fs::read_dir(data_dir).ok()?.filter_map(Result::ok);
    let versions = names.filter_map(|entry| {
        let version = i64::from_str_radix(entry.file_name().to_str()?.strip_prefix(prefix)?, 16).ok()?;
        Some((entry.path(), version))
    });
    versions.max_by_key(|(_, version)| *version)
}

/// The lines of a configuration; that of the version when the file's name doesn't tell it.
fn sorted(verifier: &QuorumVerifier, with_version: bool) -> String {
    let text = verifier.to_string();
    let mut lines: Vec<&str> = text.lines().filter(|line| with_version || !line.starts_with("version=")).collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// `zoo.cfg` without members, and without the client port that the members' file tells; it refers to that file. All other
/// lines stay as they are, comments too.
fn refer_to(text: &str, file: &Path, own_port: bool) -> String {
    let mut kept = String::new();
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        let mut whole = line.to_owned();
        while !line.trim_start().starts_with(['#', '!']) && is_continued(&whole) {
            let Some(next) = lines.next() else { break };
            whole.push_str(next);
        }
        let moved = parse_properties(&whole).first().is_some_and(|property| {
            let key = property.key.as_str();
            ["server.", "group.", "weight.", "dynamicConfigFile", "peerType"].iter().any(|k| key.starts_with(k))
                || own_port && matches!(key, "clientPort" | "clientPortAddress")
        });
        if !moved {
            kept.push_str(&whole);
        }
    }
    if !kept.is_empty() && !kept.ends_with('\n') {
        kept.push('\n');
    }
    kept + &format!("dynamicConfigFile={}\n", file.display())
}

/// An odd number of backslashes at its end.
fn is_continued(line: &str) -> bool {
    line.trim_end_matches(['\n', '\r']).bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The whole file, or as it was.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let new = suffixed(file, ".tmp");
    let mut out = File::create(&new)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(&new, file)?;
    match file.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn verifier(version: i64) -> QuorumVerifier {
        let text = "server.1=a:1:2:participant;0.0.0.0:5\nserver.2=b:1:2:observer;6";
        QuorumVerifier::parse(text).expect("good").with_version(version)
    }

    #[test]
    fn zoo_cfg_refers_to_its_members() {
        let dir = Scratch::new("dynamic-files");
        let zoo = dir.path().join("zoo.cfg");
        let text =
            "# mine\ntickTime=2000\nclientPort=5\nclientPortListenBacklog=9\nserver.1=a:1:\\\n  2;5\ninitLimit=5";
        fs::write(&zoo, text).expect("writes");
        let files = DynamicFiles::beside(&zoo, 1);
        files.seen(&verifier(0x1_0000_0002)).expect("writes");
        let next = dir.path().join("zoo.cfg.dynamic.next");
        assert!(fs::read_to_string(&next).expect("there").ends_with("\nversion=100000002"));
        files.activated(&verifier(0x1_0000_0002)).expect("writes");
        assert!(!next.exists());
        let members = dir.path().join("zoo.cfg.dynamic.100000002");
        let expected = "server.1=a:1:2:participant;0.0.0.0:5\nserver.2=b:1:2:observer;0.0.0.0:6";
        assert_eq!(fs::read_to_string(&members).expect("there"), expected);
        let refers = |file: &Path| {
            let kept = "# mine\ntickTime=2000\nclientPortListenBacklog=9\ninitLimit=5\n";
            format!("{kept}dynamicConfigFile={}\n", file.display())
        };
        assert_eq!(fs::read_to_string(&zoo).expect("there"), refers(&members));
        assert_eq!(fs::read_to_string(dir.path().join("zoo.cfg.bak")).expect("there"), text);
        files.activated(&verifier(0x1_0000_0005)).expect("writes");
        assert_eq!(fs::read_to_string(&zoo).expect("there"), refers(&dir.path().join("zoo.cfg.dynamic.100000005")));
    }

    #[test]
    fn an_embedded_keeper_finds_the_latest() {
        let dir = Scratch::new("dynamic-files");
        let files = DynamicFiles::within(dir.path(), 1);
        assert_eq!(latest_within(dir.path()), None);
        for version in [0x10, 0x9] {
            files.seen(&verifier(version)).expect("writes");
            files.activated(&verifier(version)).expect("writes");
        }
        assert_eq!(latest_within(dir.path()), Some((dir.path().join("keeper.cfg.dynamic.10"), 0x10)));
    }
}
