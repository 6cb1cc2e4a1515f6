//! One lock's share of the statements, in sets of few places each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Classification;
use super::keyed_hash::low_bits;

/// Places for one hash: a text competes with the other texts of its set only.
pub(super) const WAYS: usize = 4;

/// Statements that share a lock.
pub(super) struct Shard {
    sets: Box<[[Option<Arc<Entry>>; WAYS]]>,
}

/// One statement and its verdict.
pub(super) struct Entry {
    pub(super) hash: u64,
    pub(super) rules: u64,
    pub(super) sql: Box<str>,
    pub(super) classification: Classification,
    used: AtomicBool,
}

impl Entry {
    pub(super) fn is(&self, hash: u64, rules: u64, sql: &str) -> bool {
        self.hash == hash && self.rules == rules && &*self.sql == sql
    }
}

impl Shard {
    pub(super) fn new(sets: usize) -> Self {
        Self { sets: (0..sets).map(|_| [const { None }; WAYS]).collect() }
    }

    fn set(&self, hash: u64) -> usize {
        low_bits(hash >> 32, self.sets.len())
    }

    pub(super) fn find(&self, hash: u64, rules: u64, sql: &str) -> Option<Arc<Entry>> {
        let mut entries = self.sets[self.set(hash)].iter().flatten();
        let entry = entries.find(|entry| entry.is(hash, rules, sql))?;
        // Written once only, so that a popular entry's cache line is not passed around.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(Arc::clone(entry))
    }

    pub(super) fn remove(&mut self, entry: &Arc<Entry>) {
        let set = self.set(entry.hash);
        for way in &mut self.sets[set] {
            way.take_if(|known| Arc::ptr_eq(known, entry));
        }
    }

    pub(super) fn insert(
        &mut self,
        hash: u64,
        rules: u64,
        sql: &str,
        classification: Classification,
    ) {
        let set = self.set(hash);
        let ways = &mut self.sets[set];
        if ways.iter().flatten().any(|entry| entry.is(hash, rules, sql)) {
            return;
        }
        let used = |entry: &Option<Arc<Entry>>| {
            entry.as_ref().is_some_and(|entry| entry.used.load(Ordering::Relaxed))
        };
        let free = ways.iter().position(Option::is_none);
        let place =
            free.or_else(|| ways.iter().position(|entry| !used(entry))).unwrap_or_else(|| {
                // All were used: everybody must prove it again, and chance decides who goes.
                ways.iter().flatten().for_each(|entry| entry.used.store(false, Ordering::Relaxed));
                low_bits(hash >> 16, WAYS)
            });
        let used = AtomicBool::new(false);
        ways[place] = Some(Arc::new(Entry { hash, rules, sql: sql.into(), classification, used }));
    }

    pub(super) fn len(&self) -> usize {
        self.sets.iter().flatten().flatten().count()
    }
}
