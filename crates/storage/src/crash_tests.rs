//! Random work on a log, on a disk that loses power, fills up or fails at any step. What must hold: everything below the
//! recovery point is there unchanged, the log opens, and what is there is what was appended, without a hole.

use std::path::Path;

use ottla_base::disk::Disk;
use ottla_base::random::Random;
use ottla_base::sim_disk::{Call, Fault, SimDisk};

use crate::config::LogConfig;
use crate::log::ReadBound;
use crate::log_dir::SUSPECT_FILE;
use crate::log_loader::LoadHints;
use crate::test_support::{TestLog, batch, client, idempotent, read_all};

struct Model {
    t: TestLog,
    random: Random,
    /// Value at each offset.
    written: Vec<String>,
    sequence: i32,
    checkpoint: i64,
    /// Base offsets of the batches.
    starts: Vec<i64>,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let config = LogConfig {
            segment_bytes: 400 + random.below(2_000) as u32,
            index_interval_bytes: random.below(300) as u32,
            preallocate: random.chance(200_000),
            ..LogConfig::default()
        };
        let mut t = TestLog::on(SimDisk::new(random.next_u64()), config);
        t.log.flush(t.now).expect("flushes");
        Self { t, random, written: Vec::new(), sequence: 0, checkpoint: 0, starts: Vec::new() }
    }

    /// One random act; false when the directory went offline.
    fn act(&mut self) -> bool {
        let now = self.t.now;
        let log = &mut self.t.log;
        match self.random.below(21) {
            0..=14 => {
                let count = 1 + self.random.index(4);
                let values: Vec<String> =
                    (0..count).map(|i| format!("{}-{}", self.written.len() + i, self.random.next_u64())).collect();
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                let idempotent_one = self.random.chance(500_000);
                let mut bytes = if idempotent_one { idempotent(1, 0, self.sequence, &values) } else { batch(&values) };
                // Even a failed append may be found after a crash: its values are the only ones allowed there.
                let end = log.log_end_offset() as usize;
                self.written.truncate(end);
                self.written.extend(values.iter().map(ToString::to_string));
                self.starts.push(end as i64);
                if log.append_as_leader(&mut bytes, client(0), now).is_err() {
                    return false;
                }
                if idempotent_one {
                    self.sequence += count as i32;
                }
                true
            }
            15..=17 => {
                let flushed = log.flush(now).is_ok();
                if flushed {
                    self.checkpoint = log.recovery_point();
                }
                flushed
            }
            18 => {
                let end = log.log_end_offset();
                log.update_high_watermark(end);
                log.run_retention(now).is_ok()
            }
            19 => {
                self.starts.retain(|&start| start < log.log_end_offset());
                let Some(&to) = self.starts.iter().nth_back(self.random.index(12)) else { return true };
                // The batch that holds it goes whole: up to three records more.
                self.checkpoint = self.checkpoint.min(to - 3).max(0);
                let truncated = log.truncate_to(to, now);
                if truncated.is_ok() {
                    self.written.truncate(log.log_end_offset() as usize);
                    self.sequence = log.active_producers().first().map_or(0, |p| p.last_sequence + 1);
                }
                truncated.is_ok()
            }
            _ => log.run_deletions(now.plus_ms(self.random.below(100_000))).is_ok(),
        }
    }

    fn check(&mut self, power_lost: bool, before: i64) {
        let end = self.t.log.log_end_offset();
        assert!(end >= self.checkpoint, "the log ends at {end}, {} was flushed", self.checkpoint);
        assert!(power_lost || end >= before, "a killed process lost records: {end} of {before}");
        assert!(end as usize <= self.written.len());
        let found = read_all(&mut self.t.log, 0, ReadBound::LogEnd);
        let expected: Vec<(i64, String)> =
            self.written[..end as usize].iter().enumerate().map(|(i, v)| (i as i64, v.clone())).collect();
        assert_eq!(found, expected);
        self.written.truncate(end as usize);
        // The producer goes on where the log says it is.
        self.sequence = self.t.log.active_producers().first().map_or(0, |p| p.last_sequence + 1);
    }

    fn run(&mut self) {
        for _ in 0..6 {
            let kind = self.random.below(5);
            let frozen = kind == 0;
            match kind {
                0 => self.t.disk.fail_after(Some(self.random.below(60))),
                1 => {
                    let call = [Call::Write, Call::Sync, Call::Dir][self.random.index(3)];
                    let path_contains = ["", ".log", "index", ".snapshot", "checkpoint"][self.random.index(5)];
                    self.t.disk.inject(Fault { chance: 50_000, ..Fault::always(call, path_contains) });
                }
                2 => self.t.disk.set_capacity(Some(self.random.below(20_000))),
                _ => {}
            }
            for _ in 0..self.random.below(60) {
                if !self.act() {
                    break;
                }
            }
            let before = if self.t.dir.is_offline() { 0 } else { self.t.log.log_end_offset() };
            self.t.disk.set_capacity(None);
            // When not even the failure's marker could be made, only a reboot tells the truth.
            let power_lost = (frozen && self.t.dir.is_offline()) || self.random.chance(500_000);
            if power_lost {
                self.t.disk.crash();
            } else {
                self.t.disk.kill();
            }
            let marker = Path::new("/logs").join(SUSPECT_FILE);
            let suspect = self.t.disk.exists(&marker).expect("looks");
            self.t.reopen(LoadHints { recovery_point: self.checkpoint, suspect, ..LoadHints::default() });
            crate::folder::remove_if_there(&self.t.disk, &marker).expect("removes");
            self.check(power_lost, before);
        }
        let end = self.t.log.log_end_offset();
        self.t.restart();
        assert_eq!(self.t.log.log_end_offset(), end);
        self.check(false, end);
    }
}

#[test]
fn nothing_flushed_is_lost() {
    for seed in 0..400 {
        let outcome = std::panic::catch_unwind(|| Model::new(seed).run());
        assert!(outcome.is_ok(), "seed {seed}");
    }
}
