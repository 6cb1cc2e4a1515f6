//! Which texts readers have refused, by their hash.

use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use std::sync::{Mutex, PoisonError};

use super::keyed_hash::low_bits;
use super::shard::WAYS;

/// Hashes of refused texts, the latest last; zero is a free place. Two texts of one hash share the
/// memory: that one of them goes to the writer needlessly is harmless.
///
/// Every statement looks here, so looking writes nothing, not even a lock.
pub(super) struct Refused {
    sets: Box<[[AtomicU64; WAYS]]>,
    writing: Mutex<()>,
}

impl Refused {
    pub(super) fn new(sets: usize) -> Self {
        let sets = (0..sets.max(1)).map(|_| [const { AtomicU64::new(0) }; WAYS]).collect();
        Self { sets, writing: Mutex::new(()) }
    }

    /// Looks from the last place to the first, as [`Refused::add`] moves hashes that way and writes
    /// each to its new place before it leaves the old one: so none is missed on its way.
    pub(super) fn contains(&self, hash: u64) -> bool {
        self.set(hash).iter().rev().any(|place| place.load(Acquire) == hash.max(1))
    }

    /// The oldest of the set gives way. One that is there stays where it is: to move it towards the
    /// end would be against the direction of who looks.
    pub(super) fn add(&self, hash: u64) {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.contains(hash) {
            return;
        }
        let set = self.set(hash);
        for pair in set.windows(2) {
            pair[0].store(pair[1].load(Acquire), Release);
        }
        set[WAYS - 1].store(hash.max(1), Release);
    }

    fn set(&self, hash: u64) -> &[AtomicU64; WAYS] {
        &self.sets[low_bits(hash >> 32, self.sets.len())]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use super::Refused;

    #[test]
    fn the_latest_are_kept() {
        let refused = Refused::new(1);
        [0, 2, 3, 4, 4, 5].into_iter().for_each(|hash| refused.add(hash));
        let kept: Vec<u64> = (0..9).filter(|&hash| refused.contains(hash)).collect();
        assert_eq!(kept, [2, 3, 4, 5]);
        refused.add(0);
        assert!(refused.contains(0) && refused.contains(1), "zero is taken for one");
    }

    #[test]
    fn none_is_missed_while_others_move_it() {
        const ENDED: u64 = u64::MAX;
        let (refused, there) = (Refused::new(1), AtomicU64::new(0));
        let looks = AtomicU64::new(0);
        // On a busy machine it may take a while until both run at once.
        let goes_on = |round| round < 100_000 || round < 20_000_000 && looks.load(SeqCst) == 0;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in (1_u64..).take_while(|round| goes_on(*round)) {
                    let hash = 4 * round;
                    refused.add(hash);
                    there.store(hash, SeqCst);
                    // These move it to the first place.
                    (1..4).for_each(|other| refused.add(hash + other));
                    there.store(0, SeqCst);
                }
                there.store(ENDED, SeqCst);
            });
            loop {
                match there.load(SeqCst) {
                    ENDED => break,
                    0 => {}
                    hash => {
                        let found = refused.contains(hash);
                        assert!(found || there.load(SeqCst) != hash, "{hash} was missed");
                        looks.fetch_add(1, SeqCst);
                    }
                }
            }
        });
        assert!(looks.into_inner() > 0, "it was never looked for while it was there");
    }
}
