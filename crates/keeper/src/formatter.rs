//! Transactions as text, in the form of ZooKeeper's `TxnLogToolkit`, for the offline tools.
//!
//! Records that the toolkit knows are written field by field; the others in jute's text form (`ToStringOutputArchive`):
//! strings after an apostrophe, records as `s{…}`, lists as `v{…}`, a line feed at the end.

use crate::acl::AclList;
use crate::jute::{JuteError, Reader};
use crate::proto::OpCode;
use crate::txn::{Txn, TxnEntry, TxnHeader};

/// A transaction of the log (header, record, digest) in the toolkit's words; its time is written by `date` from milliseconds
/// since 1970. May hold line feeds, and ends in one or not, as in the original.
pub fn entry_text(bytes: &[u8], date: impl Fn(i64) -> String) -> Result<String, JuteError> {
    let h: TxnHeader = Reader::new(bytes).record()?;
    let record = match OpCode::from_i32(h.txn_type) {
        // What a newer server may have logged.
        None => String::new(),
        Some(_) => txn_text(&TxnEntry::decode(bytes)?.txn),
    };
    let time = date(h.time);
    let name = op_name(h.txn_type);
    Ok(format!("{time} session 0x{:x} cxid 0x{:x} zxid 0x{:x} {name} {record}", h.client_id, i64::from(h.cxid), h.zxid))
}

/// As `Request.op2String` has it.
fn op_name(txn_type: i32) -> String {
    OpCode::from_i32(txn_type).map_or_else(|| format!("unknown {txn_type}"), |op| op.name().to_owned())
}

/// The record alone.
#[must_use]
pub fn txn_text(txn: &Txn<'_>) -> String {
    match txn {
        Txn::Create(t) | Txn::Create2(t) => {
            format!("{},{},{},{},{}", t.path, data_text(t.data), acl_text(t.acl), t.ephemeral, t.parent_cversion)
        }
        Txn::CreateContainer(t) => {
            format!("{},{},{},{}", t.path, data_text(t.data), acl_text(t.acl), t.parent_cversion)
        }
        Txn::CreateTtl(t) => {
            format!("{},{},{},{},{}", t.path, data_text(t.data), acl_text(t.acl), t.parent_cversion, t.ttl)
        }
        Txn::SetData(t) => format!("{},{},{}", t.path, data_text(t.data), t.version),
        Txn::Delete(t) => format!("{}\n", escaped(t.path)),
        Txn::SetAcl(t) => {
            let entries: Vec<String> = t.acl.iter().map(|entry| format!("s{{{}}}", acl_entry(&entry))).collect();
            format!("{},v{{{}}},{}\n", escaped(t.path), entries.join(","), t.version)
        }
        Txn::Check(t) => format!("{},{}\n", escaped(t.path), t.version),
        Txn::CreateSession(t) => format!("{}\n", t.timeout_ms),
        Txn::CloseSession(None) => String::new(),
        Txn::CloseSession(Some(t)) => {
            let paths: Vec<String> = t.paths.iter().map(|path| escaped(path)).collect();
            format!("v{{{}}}\n", paths.join(","))
        }
        Txn::Error(t) => format!("{}\n", t.err),
        Txn::Multi(t) => {
            let parts: Vec<String> =
                t.txns.iter().map(|sub| part_text(sub.txn_type, sub.data.unwrap_or(&[]))).collect();
            parts.join(";")
        }
    }
}

/// A part of a multi, as the toolkit of ZooKeeper 3.10 has it; that of 3.9 writes the record's bytes.
fn part_text(txn_type: i32, data: &[u8]) -> String {
    let record = match Txn::read(txn_type, &mut Reader::new(data)) {
        Ok(Txn::Delete(t)) => t.path.to_owned(),
        Ok(Txn::Check(t)) => format!("{},{}", t.path, t.version),
        Ok(txn) => txn_text(&txn).trim_end().to_owned(),
        Err(_) => String::from_utf8_lossy(data).into_owned(),
    };
    format!("{}:{record}", op_name(txn_type))
}

fn data_text(data: Option<&[u8]>) -> String {
    String::from_utf8_lossy(data.unwrap_or_default()).into_owned()
}

/// As Java prints a list of ACLs.
fn acl_text(acl: AclList<'_>) -> String {
    let entries: Vec<String> = acl.iter().map(|entry| acl_entry(&entry) + "\n").collect();
    format!("[{}]", entries.join(", "))
}

fn acl_entry(entry: &crate::proto::Acl<'_>) -> String {
    format!("{},s{{{},{}}}", entry.perms, escaped(entry.id.scheme), escaped(entry.id.id))
}

/// A string in jute's text form.
fn escaped(text: &str) -> String {
    text.chars().fold("'".to_owned(), |mut out, c| {
        match c {
            '\0' | '\n' | '\r' | ',' | '}' | '%' => out.push_str(&format!("%{:02X}", u32::from(c))),
            c => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::txn_log::LogReader;
    use ottla_base::disk::{Disk, OpenMode};
    use ottla_base::sim_disk::SimDisk;
    use std::path::Path;

    #[test]
    fn a_real_log() {
        let disk = SimDisk::new(1);
        let file = disk.open(Path::new("/log.1"), OpenMode::Create).expect("opens");
        file.write_all_at(include_bytes!("../tests/captures/data-3.9.5/log.1"), 0).expect("writes");
        let mut reader = LogReader::open(file).expect("a log");
        let mut lines = Vec::new();
        while let Some(bytes) = reader.next_entry().expect("reads") {
            lines.push(entry_text(bytes, |_| "then".to_owned()).expect("decodes"));
        }
        assert_eq!(lines.len(), 130);
        assert!(lines[0].starts_with("then session 0x") && lines[0].ends_with("zxid 0x1 createSession 10000\n"));
        assert!(lines[1].ends_with("zxid 0x2 create /a,one,[31,s{'world,'anyone}\n],false,1"), "{}", lines[1]);
    }

    #[test]
    fn records_in_jutes_text() {
        use crate::txn::{CloseSessionTxn, DeleteTxn, ErrorTxn, MultiTxn, SubTxn};
        assert_eq!(txn_text(&Txn::Delete(DeleteTxn { path: "/a,}%\n" })), "'/a%2C%7D%25%0A\n");
        let close = CloseSessionTxn { paths: vec!["/a", "/b"] };
        assert_eq!(txn_text(&Txn::CloseSession(Some(close))), "v{'/a,'/b}\n");
        assert_eq!(txn_text(&Txn::Error(ErrorTxn { err: -101 })), "-101\n");
        let parts = vec![
            SubTxn { txn_type: 2, data: Some(b"\0\0\0\x02/a") },
            SubTxn { txn_type: -1, data: Some(&[0xff, 0xff, 0xff, 0xfe]) },
            SubTxn { txn_type: 99, data: None },
        ];
        assert_eq!(txn_text(&Txn::Multi(MultiTxn { txns: parts })), "delete:/a;error:-2;unknown 99:");
    }

    #[test]
    fn what_a_newer_server_logs() {
        use crate::jute::Jute;
        let header = TxnHeader { txn_type: 77, zxid: 5, ..TxnHeader::default() };
        let text = entry_text(&header.to_bytes(), |ms| ms.to_string());
        assert_eq!(text.as_deref(), Ok("0 session 0x0 cxid 0x0 zxid 0x5 unknown 77 "));
        assert!(entry_text(b"short", |ms| ms.to_string()).is_err());
    }
}
