//! Verdicts that are asked for again and again, where no thread writes anything to read them.

use std::sync::{Arc, OnceLock};

use super::Classification;
use super::keyed_hash::low_bits;
use super::shard::{Entry, WAYS};

/// Places that are filled once and never given away: to look at one is to read, so that threads do
/// not pass a lock's cache line around, and a verdict costs no atomic operation.
///
/// Whatever is asked for twice is admitted while there is room. What finds no room, as where an
/// application writes values into its texts, is remembered behind locks as before.
pub(super) struct Popular {
    /// The places of a set are filled from the first to the last.
    sets: Box<[[OnceLock<Arc<Entry>>; WAYS]]>,
}

impl Popular {
    pub(super) fn new(sets: usize) -> Self {
        let sets = (0..sets.max(1)).map(|_| [const { OnceLock::new() }; WAYS]).collect();
        Self { sets }
    }

    pub(super) fn find(&self, hash: u64, rules: u64, sql: &str) -> Option<Classification> {
        let mut entries = self.set(hash).iter().map_while(OnceLock::get);
        entries.find(|entry| entry.is(hash, rules, sql)).map(|entry| entry.classification)
    }

    /// Whether the entry is here now.
    pub(super) fn admit(&self, entry: &Arc<Entry>) -> bool {
        self.set(entry.hash).iter().any(|place| {
            let there = place.get_or_init(|| Arc::clone(entry));
            there.is(entry.hash, entry.rules, &entry.sql)
        })
    }

    /// Whether there is room for a text of that hash.
    pub(super) fn has_room(&self, hash: u64) -> bool {
        self.set(hash)[WAYS - 1].get().is_none()
    }

    pub(super) fn len(&self) -> usize {
        self.sets.iter().flatten().filter(|place| place.get().is_some()).count()
    }

    fn set(&self, hash: u64) -> &[OnceLock<Arc<Entry>>; WAYS] {
        &self.sets[low_bits(hash >> 32, self.sets.len())]
    }
}
