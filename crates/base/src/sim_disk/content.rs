//! The bytes of one simulated file: what the process sees, and what would be left after a crash.
//!
//! Pages are shared between the two until one is written, and a page that was never written takes no memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::random::Random;

/// Unit of the simulated page cache, in bytes.
const PAGE: usize = 4_096;
/// What a disk writes in one step, in bytes: a crash tears between sectors, never inside one.
const SECTOR: usize = 512;

type Pages = BTreeMap<u64, Arc<[u8; PAGE]>>;

/// Content and length of a file, as seen (`current`) and as kept by the platter (`durable`).
#[derive(Debug, Default)]
pub(super) struct Content {
    current: Pages,
    current_len: u64,
    durable: Pages,
    durable_len: u64,
    /// Pages whose `current` the next sync carries over.
    dirty: BTreeSet<u64>,
    len_dirty: bool,
    /// End of what `allocate` reserved.
    reserved: u64,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.current_len
    }

    /// Bytes of the disk that the file takes, in whole pages.
    pub(super) fn used(&self) -> u64 {
        (self.current.len() as u64 * PAGE as u64).max(self.reserved.next_multiple_of(PAGE as u64))
    }

    /// Bytes that a write of `len` bytes at `position` adds to [`Self::used`], at most.
    pub(super) fn growth(&self, position: u64, len: usize) -> u64 {
        if len == 0 || position + len as u64 <= self.reserved {
            return 0;
        }
        let pages = position / PAGE as u64..=(position + len as u64 - 1) / PAGE as u64;
        pages.filter(|page| !self.current.contains_key(page)).count() as u64 * PAGE as u64
    }

    pub(super) fn read(&self, bytes: &mut [u8], position: u64) -> usize {
        let count = self.current_len.saturating_sub(position).min(bytes.len() as u64) as usize;
        let mut done = 0;
        while done < count {
            let (page, from, step) = piece(position + done as u64, count - done);
            match self.current.get(&page) {
                Some(data) => bytes[done..done + step].copy_from_slice(&data[from..from + step]),
                None => bytes[done..done + step].fill(0),
            }
            done += step;
        }
        count
    }

    pub(super) fn write(&mut self, bytes: &[u8], position: u64) {
        let mut done = 0;
        while done < bytes.len() {
            let (page, from, step) = piece(position + done as u64, bytes.len() - done);
            let data = self.current.entry(page).or_insert_with(|| Arc::new([0; PAGE]));
            Arc::make_mut(data)[from..from + step].copy_from_slice(&bytes[done..done + step]);
            self.dirty.insert(page);
            done += step;
        }
        if !bytes.is_empty() {
            self.grow_to(position + bytes.len() as u64);
        }
    }

    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.current_len {
            let first_gone = len.div_ceil(PAGE as u64);
            let gone = self.current.split_off(&first_gone);
            self.dirty.extend(gone.keys());
            let cut = (len % PAGE as u64) as usize;
            if cut > 0 && self.current.contains_key(&(len / PAGE as u64)) {
                let page = len / PAGE as u64;
                if let Some(data) = self.current.get_mut(&page) {
                    Arc::make_mut(data)[cut..].fill(0);
                }
                self.dirty.insert(page);
            }
            self.reserved = self.reserved.min(len);
        }
        if len != self.current_len {
            self.current_len = len;
            self.len_dirty = true;
        }
    }

    pub(super) fn allocate(&mut self, position: u64, len: u64) {
        self.reserved = self.reserved.max(position + len);
        self.grow_to(position + len);
    }

    fn grow_to(&mut self, len: u64) {
        if len > self.current_len {
            self.current_len = len;
            self.len_dirty = true;
        }
    }

    /// Everything written so far is durable from now on.
    pub(super) fn sync(&mut self) {
        for page in std::mem::take(&mut self.dirty) {
            match self.current.get(&page) {
                Some(data) => self.durable.insert(page, Arc::clone(data)),
                None => self.durable.remove(&page),
            };
        }
        self.durable_len = self.current_len;
        self.len_dirty = false;
    }

    /// A sync that failed: the pages stay readable and are lost all the same, because nobody writes them again.
    pub(super) fn sync_failed(&mut self) {
        self.dirty.clear();
        self.len_dirty = false;
    }

    /// What the power cut leaves: each unsynced sector is the old or the new one, the length any between.
    pub(super) fn crash(&mut self, random: &mut Random) {
        let keep = match random.below(4) {
            0 => 0,
            1 => 1_000_000,
            _ => 500_000,
        };
        for page in std::mem::take(&mut self.dirty) {
            let new = self.current.get(&page).cloned();
            let old = self.durable.get(&page).cloned();
            let mut data = old.as_deref().copied().unwrap_or([0; PAGE]);
            let mut kept = false;
            for sector in (0..PAGE).step_by(SECTOR) {
                if random.chance(keep) {
                    kept = true;
                    match &new {
                        Some(new) => data[sector..sector + SECTOR].copy_from_slice(&new[sector..sector + SECTOR]),
                        None => data[sector..sector + SECTOR].fill(0),
                    }
                }
            }
            if kept {
                self.durable.insert(page, Arc::new(data));
            }
        }
        if self.len_dirty {
            let (low, high) = (self.durable_len.min(self.current_len), self.durable_len.max(self.current_len));
            self.durable_len = match random.below(4) {
                0 => self.durable_len,
                1 => self.current_len,
                _ => low + random.below(high - low + 1),
            };
        }
        self.durable_ends_in_zeros();
        self.current = self.durable.clone();
        self.current_len = self.durable_len;
        self.reserved = self.reserved.min(self.durable_len);
        self.len_dirty = false;
    }

    /// Bytes behind the end of a file read as zeros when the file grows over them.
    fn durable_ends_in_zeros(&mut self) {
        self.durable.split_off(&self.durable_len.div_ceil(PAGE as u64));
        let cut = (self.durable_len % PAGE as u64) as usize;
        if let Some(data) = self.durable.get_mut(&(self.durable_len / PAGE as u64)) {
            Arc::make_mut(data)[cut..].fill(0);
        }
    }

    /// Turns one bit over, in what is seen and in what is durable.
    pub(super) fn flip(&mut self, position: u64, bit: u8) {
        let (page, at, _) = piece(position, 1);
        for pages in [&mut self.current, &mut self.durable] {
            let data = pages.entry(page).or_insert_with(|| Arc::new([0; PAGE]));
            Arc::make_mut(data)[at] ^= 1 << (bit & 7);
        }
    }
}

/// The page of `position`, the place in it, and how many of `len` bytes lie there.
fn piece(position: u64, len: usize) -> (u64, usize, usize) {
    let from = (position % PAGE as u64) as usize;
    (position / PAGE as u64, from, len.min(PAGE - from))
}
