//! A hierarchical timer wheel: thousands of waiting requests, most of which are cancelled before they expire.
//!
//! Insert and cancel cost the same whatever is waiting. Four levels of 64 slots, one millisecond to a slot on the lowest;
//! an entry moves down a level each time its slot comes round, so a slot never holds entries that belong to another turn.

/// Levels of the wheel.
const LEVELS: usize = 4;
/// Bits of a deadline that choose the slot on one level.
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// The furthest deadline the wheel can place, in milliseconds from now; later ones are placed there and then again.
const SPAN_MS: u64 = 1 << (SLOT_BITS * LEVELS as u32);
const NONE: u32 = u32::MAX;

/// Names an entry; never names another one later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerId {
    index: u32,
    generation: u32,
}

#[derive(Debug)]
struct Entry<T> {
    /// `None` while the entry is free.
    value: Option<T>,
    deadline_ms: u64,
    generation: u32,
    /// Level and slot as `level * SLOTS + slot`.
    place: u16,
    next: u32,
    previous: u32,
}

/// Entries by deadline, in milliseconds of a clock that never goes back.
#[doc(alias = "TimingWheel")]
#[derive(Debug)]
pub struct TimerWheel<T> {
    entries: Vec<Entry<T>>,
    free: u32,
    len: usize,
    /// Everything up to here has expired.
    elapsed_ms: u64,
    heads: Vec<u32>,
    occupied: [u64; LEVELS],
}

impl<T> Default for TimerWheel<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            free: NONE,
            len: 0,
            elapsed_ms: 0,
            heads: vec![NONE; LEVELS * SLOTS],
            occupied: [0; LEVELS],
        }
    }
}

impl<T> TimerWheel<T> {
    /// Entries that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an entry; a deadline that has passed expires with the next [`TimerWheel::advance`].
    pub fn insert(&mut self, deadline_ms: u64, value: T) -> TimerId {
        let index = self.allocate(deadline_ms, value);
        self.link(index);
        self.len += 1;
        TimerId { index, generation: self.entries[index as usize].generation }
    }

    /// Takes an entry out; `None` when it expired or was cancelled.
    pub fn cancel(&mut self, id: TimerId) -> Option<T> {
        let entry = self.entries.get(id.index as usize)?;
        if entry.generation != id.generation || entry.value.is_none() {
            return None;
        }
        self.unlink(id.index);
        Some(self.release(id.index))
    }

    /// Moves the clock on and collects what expired, roughly in the order of the deadlines.
    pub fn advance(&mut self, now_ms: u64, expired: &mut Vec<T>) {
        while let Some((level, slot, due_ms)) = self.next_slot() {
            if due_ms > now_ms {
                break;
            }
            self.elapsed_ms = self.elapsed_ms.max(due_ms);
            self.empty_slot(level, slot, expired);
        }
        self.elapsed_ms = self.elapsed_ms.max(now_ms);
    }

    /// A moment at which [`TimerWheel::advance`] has something to do: no later than the first deadline.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.next_slot().map(|(_, _, due_ms)| due_ms)
    }

    fn allocate(&mut self, deadline_ms: u64, value: T) -> u32 {
        if self.free != NONE {
            let index = self.free;
            let entry = &mut self.entries[index as usize];
            self.free = entry.next;
            entry.value = Some(value);
            entry.deadline_ms = deadline_ms;
            return index;
        }
        let entry = Entry { value: Some(value), deadline_ms, generation: 0, place: 0, next: NONE, previous: NONE };
        self.entries.push(entry);
        (self.entries.len() - 1) as u32
    }

    fn release(&mut self, index: u32) -> T {
        self.len -= 1;
        let free = self.free;
        let entry = &mut self.entries[index as usize];
        entry.generation = entry.generation.wrapping_add(1);
        entry.next = free;
        self.free = index;
        entry.value.take().expect("a linked entry has a value")
    }

    /// Puts an entry into the slot of its deadline, or the furthest one.
    fn link(&mut self, index: u32) {
        let deadline = self.entries[index as usize].deadline_ms.max(self.elapsed_ms);
        let deadline = deadline.min(self.elapsed_ms + SPAN_MS - 1);
        let differing = (self.elapsed_ms ^ deadline) | (SLOTS as u64 - 1);
        let level = (((63 - differing.leading_zeros()) / SLOT_BITS) as usize).min(LEVELS - 1);
        let slot = (deadline >> (SLOT_BITS * level as u32)) as usize % SLOTS;
        let place = level * SLOTS + slot;
        let head = self.heads[place];
        let entry = &mut self.entries[index as usize];
        entry.place = place as u16;
        entry.previous = NONE;
        entry.next = head;
        if head != NONE {
            self.entries[head as usize].previous = index;
        }
        self.heads[place] = index;
        self.occupied[level] |= 1 << slot;
    }

    fn unlink(&mut self, index: u32) {
        let (place, previous, next) = {
            let entry = &self.entries[index as usize];
            (entry.place as usize, entry.previous, entry.next)
        };
        if next != NONE {
            self.entries[next as usize].previous = previous;
        }
        if previous == NONE {
            self.heads[place] = next;
            if next == NONE {
                self.occupied[place / SLOTS] &= !(1 << (place % SLOTS));
            }
        } else {
            self.entries[previous as usize].next = next;
        }
    }

    /// The occupied slot that comes round first: level, slot and when.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        (0..LEVELS).find_map(|level| {
            let occupied = self.occupied[level];
            if occupied == 0 {
                return None;
            }
            let shift = SLOT_BITS * level as u32;
            // On the top level the current slot holds what comes round in the next turn, so it is the last one.
            let is_top = level == LEVELS - 1;
            let first = (self.elapsed_ms >> shift) as u32 % SLOTS as u32 + u32::from(is_top);
            let ahead = occupied.rotate_right(first % SLOTS as u32).trailing_zeros();
            let slot = (first + ahead) as usize % SLOTS;
            let turn = 1u64 << (shift + SLOT_BITS);
            let mut due_ms = (self.elapsed_ms & !(turn - 1)) + ((slot as u64) << shift);
            if is_top && due_ms <= self.elapsed_ms {
                due_ms += turn;
            }
            Some((level, slot, due_ms))
        })
    }

    fn empty_slot(&mut self, level: usize, slot: usize, expired: &mut Vec<T>) {
        let place = level * SLOTS + slot;
        let mut index = std::mem::replace(&mut self.heads[place], NONE);
        self.occupied[level] &= !(1 << slot);
        while index != NONE {
            let next = self.entries[index as usize].next;
            if self.entries[index as usize].deadline_ms <= self.elapsed_ms {
                let value = self.release(index);
                expired.push(value);
            } else {
                self.link(index);
            }
            index = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use ottla_base::random::Random;

    use super::*;

    fn advance(wheel: &mut TimerWheel<u64>, now_ms: u64) -> Vec<u64> {
        let mut expired = Vec::new();
        wheel.advance(now_ms, &mut expired);
        expired.sort_unstable();
        expired
    }

    #[test]
    fn expires_at_the_deadline_and_not_before() {
        let mut wheel = TimerWheel::default();
        for deadline in [0, 1, 63, 64, 65, 4_096, 300_000] {
            wheel.insert(deadline, deadline);
        }
        assert_eq!(advance(&mut wheel, 0), [0]);
        assert_eq!(advance(&mut wheel, 62), [1]);
        assert_eq!(advance(&mut wheel, 64), [63, 64]);
        assert_eq!(advance(&mut wheel, 299_999), [65, 4_096]);
        assert_eq!(advance(&mut wheel, 300_000), [300_000]);
        assert!(wheel.is_empty());
        assert_eq!(wheel.next_deadline_ms(), None);
    }

    #[test]
    fn cancelled_entries_do_not_expire_and_ids_do_not_come_back() {
        let mut wheel = TimerWheel::default();
        let first = wheel.insert(10, 1);
        assert_eq!(wheel.cancel(first), Some(1));
        assert_eq!(wheel.cancel(first), None);
        let second = wheel.insert(10, 2);
        assert_eq!(wheel.cancel(first), None);
        assert_eq!(advance(&mut wheel, 10), [2]);
        assert_eq!(wheel.cancel(second), None);
    }

    #[test]
    fn deadlines_beyond_the_span_wait_their_turns() {
        let mut wheel = TimerWheel::default();
        let far = 3 * SPAN_MS + 5;
        wheel.insert(far, far);
        let mut now = 0;
        while now < far - 1 {
            now = (now + SPAN_MS / 3).min(far - 1);
            assert_eq!(advance(&mut wheel, now), [0; 0]);
        }
        assert_eq!(advance(&mut wheel, far), [far]);
    }

    #[test]
    fn agrees_with_a_sorted_list() {
        let mut random = Random::new(3);
        let mut wheel = TimerWheel::default();
        let mut model: Vec<(u64, TimerId)> = Vec::new();
        let mut now = 0;
        for _ in 0..20_000 {
            let reach = [10, 100, 5_000, 400_000, 20_000_000][random.index(5)];
            let deadline = now + random.below(reach);
            model.push((deadline, wheel.insert(deadline, deadline)));
            if random.chance(400_000) {
                let at = random.index(model.len());
                let (deadline, id) = model.swap_remove(at);
                assert_eq!(wheel.cancel(id), Some(deadline));
            }
            if random.chance(200_000) {
                let first = model.iter().map(|&(deadline, _)| deadline).min();
                assert!(wheel.next_deadline_ms() <= first || first.is_none_or(|first| first <= now));
                now += random.below(reach);
                let mut due: Vec<u64> = model.iter().map(|&(d, _)| d).filter(|&d| d <= now).collect();
                due.sort_unstable();
                model.retain(|&(d, _)| d > now);
                assert_eq!(advance(&mut wheel, now), due);
            }
            assert_eq!(wheel.len(), model.len());
        }
    }
}
