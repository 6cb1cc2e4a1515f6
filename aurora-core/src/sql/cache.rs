//! Verdicts remembered per SQL text, in bounded memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::keyed_hash::KeyedHash;
use super::popular::Popular;
use super::refused::Refused;
use super::{Classification, Rules, SqlDialect, classify};

/// Shards with a lock each, so that threads rarely meet.
const SHARDS: usize = 16;
/// Places for one hash: a text competes with the other texts of its set only.
pub(super) const WAYS: usize = 4;
/// Longer texts are classified every time: ORMs write none, and memory stays bounded.
const LONGEST: usize = 4096;

/// A bounded memory of classified statements, to be shared by all threads of a cluster handle.
///
/// Texts are found by a hash with random keys of this cache and then compared in full, so no text
/// can get another's verdict, and nobody can choose texts that displace each other. When a set of
/// places is full, one that was not used lately is given away. Text longer than 4 KiB is not kept.
///
/// Statements that are asked for again have places of their own that are read without a lock, and so
/// have those which a reader refused ([`StatementCache::remember_write`]): ordinary statements never
/// take them.
///
/// ```
/// use aurora_core::sql::{Rules, SqlDialect, StatementCache, Target};
///
/// let cache = StatementCache::new(SqlDialect::Postgres, 1024);
/// let rules = Rules::default();
/// let sql = "SELECT touch_user($1)";
/// assert_eq!(cache.classify(sql, &rules).route(), Target::Reader);
/// cache.remember_write(sql);
/// assert_eq!(cache.classify(sql, &rules).route(), Target::Writer);
/// ```
pub struct StatementCache {
    dialect: SqlDialect,
    hash: KeyedHash,
    popular: Popular,
    shards: Box<[RwLock<Shard>]>,
    refused: Refused,
}

struct Shard {
    sets: Box<[[Option<Arc<Entry>>; WAYS]]>,
}

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

impl StatementCache {
    /// A cache for about `capacity` statements of one dialect (rounded up to a multiple of 64, at
    /// least 64), for half as many that are asked for again, and for a quarter as many refused ones.
    /// Memory is at most about 4.2 KiB per statement, typically 0.3.
    #[must_use]
    pub fn new(dialect: SqlDialect, capacity: usize) -> Self {
        let sets = capacity.div_ceil(SHARDS * WAYS).max(1);
        let shard = || Shard { sets: (0..sets).map(|_| [const { None }; WAYS]).collect() };
        Self {
            dialect,
            hash: KeyedHash::new(),
            popular: Popular::new(sets * SHARDS / 2),
            shards: (0..SHARDS).map(|_| RwLock::new(shard())).collect(),
            refused: Refused::new(sets.div_ceil(4) * SHARDS),
        }
    }

    /// Classifies a text, from memory if it was seen before.
    ///
    /// A text that a reader refused is [`Verdict::Write`](super::Verdict::Write) from then on, with
    /// the reason "a reader refused it".
    #[must_use]
    pub fn classify(&self, sql: &str, rules: &Rules) -> Classification {
        let hash = self.hash.of(sql);
        let known = self.popular.find(hash, rules.fingerprint(), sql);
        let classification = known.unwrap_or_else(|| self.look_further(hash, sql, rules));
        if self.refused.contains(hash) {
            return classification.refused_by_reader();
        }
        classification
    }

    #[inline(never)]
    fn look_further(&self, hash: u64, sql: &str, rules: &Rules) -> Classification {
        let known = self.read(hash).find(hash, rules.fingerprint(), sql);
        if let Some(entry) = known {
            // It was asked for again.
            if self.popular.has_room(hash) && self.popular.admit(&entry) {
                self.write(hash).remove(&entry);
            }
            return entry.classification;
        }
        let fresh = classify(self.dialect, sql, rules);
        if sql.len() <= LONGEST {
            self.write(hash).insert(hash, rules.fingerprint(), sql, fresh);
        }
        fresh
    }

    /// Remembers that a reader refused this text: it executed nothing there, and goes to the writer
    /// from now on. Works for a text of any length.
    pub fn remember_write(&self, sql: &str) {
        self.refused.add(self.hash.of(sql));
    }

    /// How many statements are remembered now, refused ones apart.
    #[must_use]
    pub fn len(&self) -> usize {
        let locked: usize = self.shards.iter().map(|shard| lock_read(shard).len()).sum();
        locked + self.popular.len()
    }

    /// Whether no statement is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read(&self, hash: u64) -> RwLockReadGuard<'_, Shard> {
        lock_read(&self.shards[low_bits(hash, SHARDS)])
    }

    fn write(&self, hash: u64) -> RwLockWriteGuard<'_, Shard> {
        let shard = &self.shards[low_bits(hash, SHARDS)];
        shard.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for StatementCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the texts: they may contain data.
        f.debug_struct("StatementCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// No operation of a shard can panic half way, so a poisoned lock guards sound data.
fn lock_read(shard: &RwLock<Shard>) -> RwLockReadGuard<'_, Shard> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

/// A number below `count` from the low half of a hash (the shard) or, shifted, its high half.
pub(super) fn low_bits(hash: u64, count: usize) -> usize {
    // Multiply and shift instead of a division; both halves fit, so nothing is lost.
    (((hash & 0xffff_ffff) * count as u64) >> 32) as usize
}

impl Shard {
    fn set(&self, hash: u64) -> usize {
        low_bits(hash >> 32, self.sets.len())
    }

    fn find(&self, hash: u64, rules: u64, sql: &str) -> Option<Arc<Entry>> {
        let mut entries = self.sets[self.set(hash)].iter().flatten();
        let entry = entries.find(|entry| entry.is(hash, rules, sql))?;
        // Written once only, so that a popular entry's cache line is not passed around.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(Arc::clone(entry))
    }

    fn remove(&mut self, entry: &Arc<Entry>) {
        let set = self.set(entry.hash);
        for way in &mut self.sets[set] {
            way.take_if(|known| Arc::ptr_eq(known, entry));
        }
    }

    fn insert(&mut self, hash: u64, rules: u64, sql: &str, classification: Classification) {
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

    fn len(&self) -> usize {
        self.sets.iter().flatten().flatten().count()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{LONGEST, StatementCache};
    use crate::sql::{Rules, SqlDialect, Target, Verdict};

    fn postgres(capacity: usize) -> StatementCache {
        StatementCache::new(SqlDialect::Postgres, capacity)
    }

    #[test]
    fn the_second_look_gives_the_first_answer() {
        let (cache, rules) = (postgres(100), Rules::default());
        assert!(cache.is_empty());
        for _ in 0..2 {
            assert_eq!(cache.classify("SELECT 1", &rules).verdict(), Verdict::Read);
            assert_eq!(cache.classify("DELETE FROM t", &rules).verdict(), Verdict::Write);
        }
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn what_is_asked_for_again_is_found_without_a_lock_and_counted_once() {
        let (cache, rules) = (postgres(64), Rules::default());
        for look in 0..4 {
            assert_eq!(cache.classify("SELECT f()", &rules).verdict(), Verdict::Read);
            assert_eq!((cache.popular.len(), cache.len()), (usize::from(look > 0), 1));
        }
        // Nobody could take it out if that took a lock.
        let locks: Vec<_> = cache.shards.iter().map(|shard| shard.write().unwrap()).collect();
        assert_eq!(cache.classify("SELECT f()", &rules).verdict(), Verdict::Read);
        cache.remember_write("SELECT f()");
        assert_eq!(cache.classify("SELECT f()", &rules).verdict(), Verdict::Write);
        drop(locks);
    }

    #[test]
    fn more_than_there_is_room_for_is_remembered_behind_locks() {
        let (cache, rules) = (postgres(64), Rules::default());
        for _ in 0..4 {
            for i in 0..200 {
                let sql = format!("SELECT f({i})");
                assert_eq!(cache.classify(&sql, &rules).verdict(), Verdict::Read);
                let sql = format!("DELETE FROM t WHERE a = {i}");
                assert_eq!(cache.classify(&sql, &rules).verdict(), Verdict::Write);
            }
        }
        assert!((33..=96).contains(&cache.len()), "{}", cache.len());
        assert!(cache.popular.len() <= 32);
    }

    #[test]
    fn rules_do_not_see_each_others_answers() {
        let cache = postgres(100);
        let strict = Rules::default().unknown_functions_write(true);
        for _ in 0..2 {
            assert_eq!(cache.classify("SELECT f()", &Rules::default()).verdict(), Verdict::Read);
            assert_eq!(cache.classify("SELECT f()", &strict).verdict(), Verdict::Write);
        }
    }

    #[test]
    fn it_is_bounded_and_refusals_survive_a_flood() {
        let (cache, rules) = (postgres(256), Rules::default());
        cache.remember_write("SELECT f(-1)");
        for i in 0..20_000 {
            let sql = format!("SELECT f({i})");
            assert_eq!(cache.classify(&sql, &rules).verdict(), Verdict::Read);
        }
        assert!((128..=256).contains(&cache.len()), "{}", cache.len());
        let refused = cache.classify("SELECT f(-1)", &rules);
        assert_eq!((refused.verdict(), refused.route()), (Verdict::Write, Target::Writer));
        assert_eq!(refused.reason(), "a reader refused it");
        assert!(!refused.rerunnable());
        assert_eq!(cache.classify("SELECT f(-2)", &rules).route(), Target::Reader);
    }

    #[test]
    fn refusals_are_bounded_and_the_latest_are_kept() {
        let (cache, rules) = (postgres(64), Rules::default());
        let sql = |i: usize| format!("SELECT f({i})");
        (0..10_000).for_each(|i| cache.remember_write(&sql(i)));
        assert_eq!(cache.classify(&sql(9_999), &rules).route(), Target::Writer);
        let kept =
            (0..10_000).filter(|&i| cache.classify(&sql(i), &rules).route() == Target::Writer);
        assert!(kept.count() <= 64);
    }

    #[test]
    fn a_reader_hint_does_not_defeat_a_refusal() {
        let (cache, rules) = (postgres(64), Rules::default());
        let sql = "/*@reader*/ SELECT f()";
        assert_eq!(cache.classify(sql, &rules).route(), Target::Reader);
        cache.remember_write(sql);
        cache.remember_write(sql);
        assert_eq!(cache.classify(sql, &rules).route(), Target::Writer);
    }

    #[test]
    fn a_refused_lock_or_session_keeps_what_else_is_known_of_it() {
        let (cache, rules) = (postgres(64), Rules::default());
        let sql = "SELECT set_config('a', 'b', false)";
        cache.remember_write(sql);
        let found = cache.classify(sql, &rules);
        assert_eq!(found.verdict(), Verdict::Write);
        assert!(found.leaves_session_state());
    }

    #[test]
    fn long_text_is_not_kept_but_its_refusal_is() {
        let (cache, rules) = (postgres(64), Rules::default());
        let sql = format!("SELECT f('{}')", "x".repeat(LONGEST));
        assert_eq!(cache.classify(&sql, &rules).verdict(), Verdict::Read);
        assert_eq!(cache.len(), 0);
        cache.remember_write(&sql);
        assert_eq!(cache.classify(&sql, &rules).verdict(), Verdict::Write);
    }

    #[test]
    fn threads_share_it() {
        let cache = Arc::new(postgres(64));
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let cache = Arc::clone(&cache);
                std::thread::spawn(move || {
                    let rules = Rules::default();
                    (0..2_000).all(|i| {
                        let read = format!("SELECT {}", (i * 7 + thread) % 200);
                        let write = format!("DELETE FROM t WHERE a = {}", i % 200);
                        cache.classify(&read, &rules).verdict() == Verdict::Read
                            && cache.classify(&write, &rules).verdict() == Verdict::Write
                    })
                })
            })
            .collect();
        for thread in threads {
            assert!(thread.join().unwrap());
        }
        assert!(cache.len() <= 64 + 32);
    }

    #[test]
    fn debug_does_not_show_text() {
        let cache = postgres(64);
        let _ = cache.classify("SELECT 'secret'", &Rules::default());
        assert_eq!(format!("{cache:?}"), "StatementCache { len: 1, .. }");
    }
}
