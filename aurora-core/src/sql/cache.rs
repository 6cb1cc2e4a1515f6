//! Verdicts remembered per SQL text, in bounded memory.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::keyed_hash::{KeyedHash, low_bits};
use super::popular::Popular;
use super::refused::Refused;
use super::shard::{Shard, WAYS};
use super::{Classification, Rules, SqlDialect, classify};

/// Shards with a lock each, so that threads rarely meet.
const SHARDS: usize = 16;
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

impl StatementCache {
    /// A cache for about `capacity` statements of one dialect (rounded up to a multiple of 64, at
    /// least 64), for half as many that are asked for again, and for a quarter as many refused ones.
    /// Memory is at most about 4.2 KiB per statement, typically 0.3.
    #[must_use]
    pub fn new(dialect: SqlDialect, capacity: usize) -> Self {
        let sets = capacity.div_ceil(SHARDS * WAYS).max(1);
        Self {
            dialect,
            hash: KeyedHash::new(),
            popular: Popular::new(sets * SHARDS / 2),
            shards: (0..SHARDS).map(|_| RwLock::new(Shard::new(sets))).collect(),
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

#[cfg(test)]
mod tests;
