use super::*;

fn write(disk: &SimDisk, path: &str, bytes: &[u8]) -> Arc<dyn DiskFile> {
    let file = disk.open(Path::new(path), OpenMode::Create).expect("opens");
    file.write_all_at(bytes, 0).expect("writes");
    file
}

#[test]
fn keeps_to_the_suite() {
    let disk = SimDisk::new(1);
    crate::disk_suite::run(&disk, Path::new("/suite"));
}

#[test]
fn synced_content_under_a_synced_name_survives_every_crash() {
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        write(&disk, "/a", &[7; 10_000]).sync_data().expect("syncs");
        disk.sync_dir(Path::new("/")).expect("syncs");
        write(&disk, "/a", &[9; 3_000]);
        disk.crash();
        let bytes = disk.read(Path::new("/a")).expect("is there");
        assert_eq!(bytes.len(), 10_000);
        assert!(bytes[3_072..].iter().all(|&b| b == 7), "seed {seed}");
        assert!(bytes[..3_000].chunks(512).all(|sector| sector.iter().all(|&b| b == sector[0])), "seed {seed}");
    }
}

#[test]
fn unsynced_bytes_are_lost_kept_and_torn() {
    let (mut lost, mut kept, mut torn) = (0, 0, 0);
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        let file = write(&disk, "/a", &[0; 8_192]);
        file.sync_data().expect("syncs");
        disk.sync_dir(Path::new("/")).expect("syncs");
        file.write_all_at(&[1; 8_192], 0).expect("writes");
        disk.crash();
        match disk.read(Path::new("/a")).expect("is there").iter().filter(|&&b| b == 1).count() {
            0 => lost += 1,
            8_192 => kept += 1,
            _ => torn += 1,
        }
    }
    assert!(lost > 20 && kept > 20 && torn > 20, "{lost} {kept} {torn}");
}

#[test]
fn an_unsynced_length_ends_anywhere_between() {
    let lens: BTreeSet<_> = (0..100)
        .map(|seed| {
            let disk = SimDisk::new(seed);
            let file = write(&disk, "/a", b"old");
            file.sync_data().expect("syncs");
            disk.sync_dir(Path::new("/")).expect("syncs");
            file.write_all_at(&[1; 5_000], 3).expect("writes");
            disk.crash();
            disk.metadata(Path::new("/a")).expect("is there").len
        })
        .collect();
    assert!(lens.len() > 10 && lens.iter().all(|len| (3..=5_003).contains(len)), "{lens:?}");
}

#[test]
fn a_replacing_rename_is_old_or_new_and_never_nothing() {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        let path = Path::new("/d/checkpoint");
        disk.create_dir_all(Path::new("/d")).expect("makes");
        disk.sync_dir(Path::new("/")).expect("syncs");
        disk.write_atomic(path, b"old").expect("writes");
        write(&disk, "/d/checkpoint.tmp", b"new").sync_data().expect("syncs");
        disk.rename(Path::new("/d/checkpoint.tmp"), path).expect("renames");
        disk.crash();
        seen.insert(disk.read(path).expect("is there"));
    }
    assert_eq!(seen, BTreeSet::from([b"old".to_vec(), b"new".to_vec()]));
}

#[test]
fn a_move_between_directories_is_in_one_of_them() {
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        for dir in ["/a", "/b"] {
            disk.create_dir_all(Path::new(dir)).expect("makes");
        }
        write(&disk, "/a/x", b"x");
        disk.sync_all();
        disk.rename(Path::new("/a/x"), Path::new("/b/x")).expect("renames");
        disk.rename(Path::new("/b/x"), Path::new("/b/y")).expect("renames");
        if seed % 2 == 0 {
            disk.sync_dir(Path::new("/b")).expect("syncs");
        }
        disk.crash();
        let there = ["/a/x", "/b/x", "/b/y"].map(|path| disk.exists(Path::new(path)).expect("answers"));
        assert_eq!(there.iter().filter(|&&there| there).count(), 1, "seed {seed}: {there:?}");
        assert!(seed % 2 == 1 || there[2], "seed {seed}");
    }
}

#[test]
fn a_failed_sync_loses_the_pages_and_the_next_one_lies() {
    let disk = SimDisk::new(3);
    let file = write(&disk, "/a", b"old");
    file.sync_data().expect("syncs");
    disk.sync_dir(Path::new("/")).expect("syncs");
    file.write_all_at(b"new", 0).expect("writes");
    disk.inject(Fault::once(Call::Sync, "a"));
    assert!(file.sync_data().is_err());
    file.sync_data().expect("finds nothing to do");
    assert_eq!(disk.read(Path::new("/a")).expect("reads"), b"new");
    disk.crash();
    assert_eq!(disk.read(Path::new("/a")).expect("reads"), b"old");
}

#[test]
fn handles_and_locks_of_before_the_crash_are_dead() {
    let disk = SimDisk::new(4);
    let file = write(&disk, "/a", b"a");
    let lock = disk.lock(Path::new("/.lock")).expect("locks");
    disk.crash();
    assert!(file.len().is_err() && file.write_all_at(b"b", 0).is_err() && file.sync_data().is_err());
    let again = disk.lock(Path::new("/.lock")).expect("is free");
    drop(lock);
    assert_eq!(disk.lock(Path::new("/.lock")).err().map(|e| e.kind()), Some(io::ErrorKind::WouldBlock));
    drop(again);
}

#[test]
fn a_full_disk_takes_a_part_and_says_so() {
    let disk = SimDisk::new(5);
    disk.set_capacity(Some(8_192));
    let file = write(&disk, "/a", &[1; 4_096]);
    let error = file.write_all_at(&[2; 10_000], 4_096).expect_err("is full");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(file.len().expect("has one") <= 8_192);
    assert!(file.allocate(0, 20_000).is_err());
    disk.remove_file(Path::new("/a")).expect("removes");
    assert_eq!(disk.space(Path::new("/")).expect("answers").usable, 8_192);
}

#[test]
fn fails_after_a_number_of_calls_until_healed() {
    let disk = SimDisk::new(6);
    let file = write(&disk, "/a", b"");
    disk.fail_after(Some(2));
    file.write_all_at(b"1", 0).expect("the first");
    file.sync_data().expect("the second");
    assert!(file.write_all_at(b"2", 0).is_err() && disk.sync_dir(Path::new("/")).is_err());
    assert_eq!(file.len().expect("reads go on"), 1);
    disk.heal();
    file.sync_data().expect("healed");
}

#[test]
fn counts_by_path_and_flips_bits() {
    let disk = SimDisk::new(7);
    disk.create_dir_all(Path::new("/t-0")).expect("makes");
    write(&disk, "/t-0/0.log", &[0; 100]);
    write(&disk, "/t-0/0.index", &[0; 8]);
    disk.reset_counters();
    disk.read(Path::new("/t-0/0.index")).expect("reads");
    assert_eq!((disk.counters(".log").reads, disk.counters(".index").bytes_read), (0, 8));
    let at = disk.flip_random_bit(Path::new("/t-0/0.log")).expect("flips").expect("is not empty");
    assert_eq!(disk.read(Path::new("/t-0/0.log")).expect("reads")[at as usize].count_ones(), 1);
}

#[test]
fn one_seed_one_outcome() {
    let run = || {
        let disk = SimDisk::new(42);
        disk.inject(Fault { chance: 200_000, ..Fault::always(Call::Write, "") });
        for i in 0..50u8 {
            if let Ok(file) = disk.open(Path::new(&format!("/f{}", i % 7)), OpenMode::Create) {
                let _ = file.write_all_at(&[i; 1_000], u64::from(i) * 100);
            }
        }
        disk.crash();
        let names = disk.list(Path::new("/")).expect("lists");
        let bytes: Vec<_> = names.iter().map(|e| disk.read(&Path::new("/").join(&e.name)).expect("reads")).collect();
        (names, bytes)
    };
    assert_eq!(run(), run());
}
