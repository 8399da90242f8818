//! How the shell prints and reads values, as zkCli does.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use ottla_client::keeper_client::WatchedEvent;
use ottla_keeper::auth::base64;
use ottla_keeper::ops::{AclEntry, KeeperError};
use ottla_keeper::proto::{ErrorCode, KeeperState, Stat};

/// Prints what happens by itself: at once, or around the line that is being typed.
#[derive(Clone, Debug, Default)]
pub struct Notices(Arc<NoticesInner>);

#[derive(Debug, Default)]
struct NoticesInner {
    /// Someone is typing.
    typing: AtomicBool,
    editor: Mutex<Option<mpsc::Sender<String>>>,
}

impl Notices {
    pub fn set_editor(&self, editor: mpsc::Sender<String>) {
        if let Ok(mut place) = self.0.editor.lock() {
            *place = Some(editor);
        }
    }

    pub fn set_typing(&self, typing: bool) {
        self.0.typing.store(typing, Ordering::SeqCst);
    }

    pub fn print(&self, text: &str) {
        if self.0.typing.load(Ordering::SeqCst)
            && let Ok(editor) = self.0.editor.lock()
            && let Some(editor) = &*editor
            && editor.send(text.to_owned()).is_ok()
        {
            return;
        }
        let mut out = std::io::stdout().lock();
        // A closed pipe is noticed by what the user asked for.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// A watch event in zkCli's form.
pub fn watched_text(event: &WatchedEvent) -> String {
    event_text(KeeperState::SyncConnected, event.kind.name(), &event.path, event.zxid)
}

/// A change of the session's state in zkCli's form.
pub fn state_text(state: KeeperState) -> String {
    event_text(state, "None", "null", -1)
}

fn event_text(state: KeeperState, kind: &str, path: &str, zxid: i64) -> String {
    format!("\nWATCHER::\n\nWatchedEvent state:{} type:{kind} path:{path} zxid: {zxid}\n", state.name())
}

/// A refusal in zkCli's words, with the remedy where there is one.
pub fn explain(error: &KeeperError, path: &str) -> String {
    let code = match error {
        KeeperError::ConnectionLoss => {
            return format!("KeeperErrorCode = ConnectionLoss for {path}: whether it was done is not known");
        }
        KeeperError::SessionExpired => {
            return format!("KeeperErrorCode = Session expired for {path}: `connect` begins another session");
        }
        KeeperError::Code(code) | KeeperError::Multi { code, .. } => code,
    };
    match code {
        ErrorCode::NoNode => format!("Node does not exist: {path}"),
        ErrorCode::NodeExists => format!("Node already exists: {path}"),
        ErrorCode::NotEmpty => format!("Node not empty: {path}"),
        ErrorCode::NoChildrenForEphemerals => format!("Ephemerals cannot have children: {path}"),
        ErrorCode::BadVersion => format!("version No is not valid : {path}"),
        ErrorCode::InvalidAcl => format!("Acl is not valid : {path}"),
        ErrorCode::NoAuth => format!("Insufficient permission : {path}"),
        ErrorCode::QuotaExceeded => format!("Quota has exceeded : {path}"),
        ErrorCode::BadArguments => format!("Arguments are not valid : {path}"),
        ErrorCode::NotReadOnly => format!("Not a read-only call: {path}: this server is cut off from the others"),
        ErrorCode::MarshallingError => {
            format!("KeeperErrorCode = MarshallingError for {path}: the server could not make sense of it")
        }
        ErrorCode::NoWatcher => format!("KeeperErrorCode = No such watcher for {path}"),
        ErrorCode::ReconfigDisabled => {
            "KeeperErrorCode = Reconfig is disabled: set reconfigEnabled=true on the servers".to_owned()
        }
        ErrorCode::ReconfigInProgress => {
            "Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)".to_owned()
        }
        ErrorCode::NewConfigNoQuorum => "No quorum of new config is connected and up-to-date with the leader of last \
                                         committed config - try invoking reconfiguration after new servers are \
                                         connected and synced"
            .to_owned(),
        ErrorCode::Unimplemented => format!("KeeperErrorCode = Unimplemented for {path}: this server can't do it"),
        ErrorCode::EphemeralOnLocalSession => "Unable to create ephemeral node on a local session".to_owned(),
        code => format!("KeeperErrorCode = {code} for {path}"),
    }
}

pub fn print_stat(stat: &Stat) {
    let date = crate::time::java_date;
    println!("cZxid = 0x{:x}\nctime = {}", stat.czxid, date(stat.ctime));
    println!("mZxid = 0x{:x}\nmtime = {}", stat.mzxid, date(stat.mtime));
    println!("pZxid = 0x{:x}\ncversion = {}\ndataVersion = {}", stat.pzxid, stat.cversion, stat.version);
    println!("aclVersion = {}\nephemeralOwner = 0x{:x}", stat.aversion, stat.ephemeral_owner);
    println!("dataLength = {}\nnumChildren = {}", stat.data_length, stat.num_children);
}

/// How `get` shows data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataForm {
    Plain,
    Base64,
    HexDump,
}

/// Data in a form; none at all is `null`, as the original has it.
pub fn data_text(data: Option<&[u8]>, form: DataForm) -> String {
    let data = data.unwrap_or(b"null");
    match form {
        DataForm::Plain => String::from_utf8_lossy(data).into_owned(),
        DataForm::Base64 => base64(data),
        DataForm::HexDump => hex_dump(data),
    }
}

/// The table that zkCli's `get -x` draws (Netty's `prettyHexDump`).
fn hex_dump(data: &[u8]) -> String {
    if data.is_empty() {
        return String::new();
    }
    let rule = format!("+--------+{}+----------------+", "-".repeat(49));
    let mut text = format!("         +{}+\n         |", "-".repeat(49));
    (0..16).for_each(|i| text.push_str(&format!("  {i:x}")));
    let _ = write!(text, " |\n{rule}");
    for (row, bytes) in data.chunks(16).enumerate() {
        let hex: String = bytes.iter().map(|byte| format!(" {byte:02x}")).collect();
        let shown: String =
            bytes.iter().map(|&b| if (b' '..=b'~').contains(&b) { char::from(b) } else { '.' }).collect();
        let _ = write!(text, "\n|{:08x}|{hex:48} |{shown:16}|", row * 16);
    }
    text + "\n" + &rule
}

/// Standard base64, padded.
pub fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    let bad = || format!("{text}: this is not base64");
    let digits = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for chunk in digits.as_bytes().chunks(4) {
        let mut word = 0u32;
        for &digit in chunk {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return Err(bad()),
            };
            word = word << 6 | u32::from(value);
        }
        if chunk.len() == 1 {
            return Err(bad());
        }
        word <<= 6 * (4 - chunk.len());
        bytes.extend_from_slice(&word.to_be_bytes()[1..chunk.len()]);
    }
    // Padding is optional, but not wrong.
    if text.len() != digits.len() && !text.len().is_multiple_of(4) { Err(bad()) } else { Ok(bytes) }
}

/// `world:anyone:cdrwa,digest:user:hash:rw`
pub fn parse_acl(text: &str) -> Result<Vec<AclEntry>, String> {
    let bad = |entry: &str| format!("{entry} does not have the form scheme:id:perm");
    text.split(',')
        .map(|entry| {
            let (scheme, rest) = entry.split_once(':').ok_or_else(|| bad(entry))?;
            let (id, letters) = rest.rsplit_once(':').ok_or_else(|| bad(entry))?;
            let mut perms = 0;
            for letter in letters.chars() {
                perms |= match letter {
                    'r' => 1,
                    'w' => 2,
                    'c' => 4,
                    'd' => 8,
                    'a' => 16,
                    other => return Err(format!("Unknown perm type: {other}; there are c, d, r, w and a")),
                };
            }
            Ok(AclEntry { perms, scheme: scheme.to_owned(), id: id.to_owned() })
        })
        .collect()
}

pub fn print_acl(acl: &[AclEntry]) {
    for entry in acl {
        let letters = [(4, 'c'), (8, 'd'), (1, 'r'), (2, 'w'), (16, 'a')];
        let perms: String =
            letters.iter().filter(|(bit, _)| entry.perms & bit != 0).map(|(_, letter)| letter).collect();
        println!("'{},'{}\n: {perms}", entry.scheme, entry.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_keeper::proto::EventType;

    #[test]
    fn acls() {
        let parsed = parse_acl("world:anyone:cdrwa,digest:u:h=:r").unwrap_or_default();
        assert_eq!(parsed.len(), 2);
        assert_eq!((parsed[0].perms, parsed[1].perms, parsed[1].id.as_str()), (31, 1, "u:h="));
        assert!(parse_acl("world").is_err() && parse_acl("world:anyone:z").is_err());
    }

    #[test]
    fn data_in_each_form() {
        assert_eq!(data_text(None, DataForm::Plain), "null");
        assert_eq!(data_text(Some(b""), DataForm::HexDump), "");
        let dump = "         +-------------------------------------------------+\n         \
                    |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n\
                    +--------+-------------------------------------------------+----------------+\n\
                    |00000000| 32 2c 7d 25                                     |2,}%            |\n\
                    +--------+-------------------------------------------------+----------------+";
        assert_eq!(data_text(Some(b"2,}%"), DataForm::HexDump), dump);
        for bytes in [&b""[..], b"a", b"ab", b"abc", b"2,}%\xff\x00\xfe"] {
            assert_eq!(from_base64(&data_text(Some(bytes), DataForm::Base64)).as_deref(), Ok(bytes));
        }
        for bad in ["a", "a===", "?!", "YWI=x", "ab="] {
            assert!(from_base64(bad).is_err(), "{bad}");
        }
        assert_eq!(from_base64("YWI").as_deref(), Ok(&b"ab"[..]));
    }

    #[test]
    fn events() {
        let event = WatchedEvent { kind: EventType::NodeDeleted, path: "/a".into(), zxid: 7 };
        assert_eq!(
            watched_text(&event),
            "\nWATCHER::\n\nWatchedEvent state:SyncConnected type:NodeDeleted path:/a zxid: 7\n"
        );
        assert!(state_text(KeeperState::Expired).ends_with("state:Expired type:None path:null zxid: -1\n"));
    }
}
