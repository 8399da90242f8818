//! What every [`Disk`] must do, whatever it is made of: run on the simulated disk here and on the real one in `server`.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, OpenMode};

/// Checks `disk` in `dir`, which is made when missing and must be empty; panics at the first difference.
pub fn run(disk: &dyn Disk, dir: &Path) {
    disk.create_dir_all(dir).expect("makes the suite's directory");
    open_modes(disk, &dir.join("modes"));
    positions(disk, &dir.join("positions"));
    lengths(disk, &dir.join("lengths"));
    directories(disk, dir);
    renames(disk, dir);
    open_files_outlive_their_names(disk, dir);
    atomic_replacement(disk, &dir.join("checkpoint"));
    locks(disk, &dir.join(".lock"));
    let space = disk.space(dir).expect("space");
    assert!(space.total >= space.usable && space.usable > 0, "{space:?}");
}

fn open(disk: &dyn Disk, path: &Path, mode: OpenMode) -> Arc<dyn DiskFile> {
    disk.open(path, mode).unwrap_or_else(|e| panic!("opens {}: {e}", path.display()))
}

fn kind<T>(result: std::io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|e| e.kind())
}

fn open_modes(disk: &dyn Disk, path: &Path) {
    for mode in [OpenMode::Read, OpenMode::ReadWrite] {
        assert_eq!(kind(disk.open(path, mode)), Some(ErrorKind::NotFound), "{mode:?}");
    }
    assert!(!disk.exists(path).expect("exists"));
    open(disk, path, OpenMode::Create).write_all_at(b"abc", 0).expect("writes");
    assert!(disk.exists(path).expect("exists"));
    assert_eq!(open(disk, path, OpenMode::Create).len().expect("len"), 3, "Create keeps");
    let reader = open(disk, path, OpenMode::Read);
    assert!(reader.write_all_at(b"x", 0).is_err(), "a reader can't write");
    assert!(reader.set_len(0).is_err(), "a reader can't cut");
    assert_eq!(open(disk, path, OpenMode::Truncate).len().expect("len"), 0, "Truncate empties");
    assert_eq!(reader.len().expect("len"), 0, "handles see each other's changes");
    let missing = path.with_file_name("missing").join("file");
    assert_eq!(kind(disk.open(&missing, OpenMode::Create)), Some(ErrorKind::NotFound), "no directory is made");
    assert_eq!(kind(disk.open(&path.join("x"), OpenMode::Create)), Some(ErrorKind::NotADirectory));
}

fn positions(disk: &dyn Disk, path: &Path) {
    let file = open(disk, path, OpenMode::Create);
    file.write_all_at(b"world", 6).expect("writes behind the end");
    file.write_all_at(b"hello", 0).expect("writes");
    assert_eq!(disk.read(path).expect("reads"), b"hello\0world");
    let mut bytes = [0xff; 8];
    assert_eq!(file.read_at(&mut bytes, 6).expect("reads"), 5, "short at the end");
    assert_eq!(&bytes, b"world\xff\xff\xff");
    assert_eq!(file.read_at(&mut bytes, 11).expect("reads"), 0);
    assert_eq!(file.read_at(&mut bytes, 1 << 40).expect("reads"), 0);
    assert_eq!(file.read_at(&mut [], 0).expect("reads"), 0);
    file.write_all_at(b"", 1 << 40).expect("writes nothing");
    assert_eq!(file.len().expect("len"), 11, "an empty write adds nothing");
    let far = (5 << 30) + 3;
    file.write_all_at(b"far", far).expect("writes beyond 4 GiB");
    let mut bytes = [0xff; 5];
    assert_eq!(file.read_at(&mut bytes, far - 2).expect("reads"), 5);
    assert_eq!(&bytes, b"\0\0far");
    file.set_len(0).expect("cuts");
    let block: Vec<u8> = (0..20_000u32).map(|i| (i % 253) as u8).collect();
    file.write_all_at(&block, 4_000).expect("writes over pages");
    let mut read = vec![0; 20_000];
    assert_eq!(file.read_at(&mut read, 4_000).expect("reads"), 20_000);
    assert_eq!(read, block);
}

fn lengths(disk: &dyn Disk, path: &Path) {
    let file = open(disk, path, OpenMode::Create);
    file.write_all_at(&[1; 10_000], 0).expect("writes");
    file.set_len(5_000).expect("cuts");
    file.set_len(10_000).expect("extends");
    let bytes = disk.read(path).expect("reads");
    assert!(bytes[..5_000].iter().all(|&b| b == 1) && bytes[5_000..].iter().all(|&b| b == 0), "zeros behind the cut");
    file.set_len(100).expect("cuts");
    file.allocate(50, 1_000).expect("allocates");
    assert_eq!(file.len().expect("len"), 1_050, "allocation extends");
    let bytes = disk.read(path).expect("reads");
    assert!(bytes[..100].iter().all(|&b| b == 1) && bytes[100..].iter().all(|&b| b == 0), "and reads as zeros");
    file.allocate(0, 10).expect("allocates");
    assert_eq!(file.len().expect("len"), 1_050, "and never cuts");
    file.sync_data().expect("syncs");
    assert_eq!(disk.metadata(path).expect("metadata").len, 1_050);
}

fn directories(disk: &dyn Disk, dir: &Path) {
    let top = dir.join("top");
    disk.create_dir_all(&top.join("b/c")).expect("makes parents too");
    disk.create_dir_all(&top.join("b/c")).expect("twice is fine");
    open(disk, &top.join("a"), OpenMode::Create).write_all_at(b"1234", 0).expect("writes");
    open(disk, &top.join("c"), OpenMode::Create);
    let entries = disk.list(&top).expect("lists");
    let names: Vec<_> = entries.iter().map(|e| (e.name.as_str(), e.is_dir)).collect();
    assert_eq!(names, [("a", false), ("b", true), ("c", false)], "sorted");
    assert_eq!(entries[0].len, 4);
    assert!(disk.metadata(&top.join("b")).expect("metadata").is_dir);
    assert_eq!(kind(disk.list(&top.join("x"))), Some(ErrorKind::NotFound));
    assert_eq!(kind(disk.metadata(&top.join("x"))), Some(ErrorKind::NotFound));
    assert_eq!(kind(disk.list(&top.join("a"))), Some(ErrorKind::NotADirectory));
    assert!(disk.create_dir_all(&top.join("a")).is_err(), "a file is in the way");
    assert!(disk.remove_file(&top.join("b")).is_err(), "a directory is no file");
    assert_eq!(kind(disk.remove_file(&top.join("x"))), Some(ErrorKind::NotFound));
    disk.sync_dir(&top).expect("syncs");
    disk.remove_dir_all(&top).expect("removes all");
    assert!(!disk.exists(&top).expect("exists"));
    assert_eq!(kind(disk.remove_dir_all(&top)), Some(ErrorKind::NotFound));
}

fn renames(disk: &dyn Disk, dir: &Path) {
    let (a, b) = (dir.join("a"), dir.join("b"));
    let file = open(disk, &a, OpenMode::Create);
    file.write_all_at(b"a", 0).expect("writes");
    open(disk, &b, OpenMode::Create).write_all_at(b"bb", 0).expect("writes");
    disk.rename(&a, &b).expect("replaces");
    assert!(!disk.exists(&a).expect("exists"));
    assert_eq!(disk.read(&b).expect("reads"), b"a");
    file.write_all_at(b"!", 1).expect("an open file follows");
    assert_eq!(disk.read(&b).expect("reads"), b"a!");
    assert_eq!(kind(disk.rename(&a, &b)), Some(ErrorKind::NotFound));
    disk.create_dir_all(&dir.join("d1")).expect("makes");
    disk.rename(&b, &dir.join("d1/b")).expect("moves between directories");
    disk.rename(&dir.join("d1"), &dir.join("d2")).expect("moves a directory");
    assert_eq!(disk.read(&dir.join("d2/b")).expect("reads"), b"a!");
    disk.remove_dir_all(&dir.join("d2")).expect("removes");
}

fn open_files_outlive_their_names(disk: &dyn Disk, dir: &Path) {
    let path = dir.join("gone");
    let file = open(disk, &path, OpenMode::Create);
    file.write_all_at(b"still here", 0).expect("writes");
    disk.remove_file(&path).expect("removes");
    let mut bytes = [0; 10];
    assert_eq!(file.read_at(&mut bytes, 0).expect("reads"), 10);
    assert_eq!(&bytes, b"still here");
    assert_eq!(open(disk, &path, OpenMode::Create).len().expect("len"), 0, "a new file under the old name");
    disk.remove_file(&path).expect("removes");
}

fn atomic_replacement(disk: &dyn Disk, path: &Path) {
    disk.write_atomic(path, b"a long first version").expect("writes");
    disk.write_atomic(path, b"second").expect("writes");
    assert_eq!(disk.read(path).expect("reads"), b"second");
    assert!(!disk.exists(&path.with_file_name("checkpoint.tmp")).expect("exists"));
}

fn locks(disk: &dyn Disk, path: &Path) {
    let lock = disk.lock(path).expect("locks");
    assert_eq!(kind(disk.lock(path)), Some(ErrorKind::WouldBlock), "exclusive");
    drop(lock);
    drop(disk.lock(path).expect("locks again"));
}
