//! Proof that no write is lost, none is applied twice, and no error lies about the outcome.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aurora_diesel::Outcome;
use diesel::prelude::*;

use crate::Sessions;
use crate::servers::Servers;

diesel::table! {
    /// Without a unique index: a write that is applied twice shows.
    #[allow(missing_docs, reason = "made by the macro")]
    ledger (id) {
        id -> BigInt,
    }
}

/// The definition of [`ledger`].
pub const LEDGER: &str = "CREATE TABLE ledger (id bigint NOT NULL)";

/// Notes what became of every write, from several threads.
#[derive(Debug, Default)]
pub struct Ledger {
    next: AtomicI64,
    stop: AtomicBool,
    entries: Mutex<Vec<Entry>>,
}

/// A write that was tried.
#[derive(Debug)]
struct Entry {
    id: i64,
    thread: usize,
    failed: Option<(Outcome, String)>,
}

impl Ledger {
    /// Tells the writers to end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Whether the writers shall end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Writes one row after the other, each with a session out of the pool, until told to stop.
    pub fn write(&self, pool: &Sessions, thread: usize) {
        while !self.is_stopped() {
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            let session = &mut pool.get().unwrap();
            let written = diesel::insert_into(ledger::table).values(ledger::id.eq(id));
            self.note(id, thread, written.execute(session).map(|_| ()));
        }
    }

    /// Notes what became of the write of `id`.
    pub fn note(&self, id: i64, thread: usize, result: QueryResult<()>) {
        let failed = result.err().map(|error| (aurora_diesel::outcome(&error), error.to_string()));
        self.note_outcome(id, thread, failed);
    }

    /// Notes the write of `id`: acknowledged, or how it failed and what that came to.
    pub fn note_outcome(&self, id: i64, thread: usize, failed: Option<(Outcome, String)>) {
        self.entries().push(Entry { id, thread, failed });
    }

    /// A number that no other write has.
    pub fn take_id(&self) -> i64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// How many writes were acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.entries().iter().filter(|entry| entry.failed.is_none()).count()
    }

    /// Every error so far, with the thread that saw it.
    #[must_use]
    pub fn errors(&self) -> Vec<(usize, Outcome, String)> {
        let failed = |entry: &Entry| {
            entry.failed.clone().map(|(outcome, text)| (entry.thread, outcome, text))
        };
        self.entries().iter().filter_map(failed).collect()
    }

    /// The most errors that one thread saw.
    #[must_use]
    pub fn most_errors_of_a_thread(&self) -> usize {
        let mut counts: HashMap<usize, usize> = HashMap::new();
        for (thread, ..) in self.errors() {
            *counts.entry(thread).or_default() += 1;
        }
        counts.into_values().max().unwrap_or(0)
    }

    /// Compares with what the writer holds: acknowledged writes are there once, those that were
    /// reported as not applied are absent, the unknown ones are there at most once.
    #[track_caller]
    pub fn verify<K: Servers>(&self, kit: &K) {
        self.verify_rows(kit.numbers(kit.writer(), "SELECT id FROM ledger"));
    }

    /// The same with the rows of a writer.
    #[track_caller]
    pub fn verify_rows(&self, rows: impl IntoIterator<Item = i64>) {
        let mut stored: HashMap<i64, usize> = HashMap::new();
        for id in rows {
            *stored.entry(id).or_default() += 1;
        }
        for entry in self.entries().iter() {
            let times = stored.remove(&entry.id).unwrap_or(0);
            let right = match &entry.failed {
                None | Some((Outcome::Applied, _)) => times == 1,
                Some((Outcome::NotApplied, _)) => times == 0,
                Some((Outcome::Unknown, _)) => times <= 1,
            };
            assert!(right, "stored {times} times: {entry:?}");
        }
        assert!(stored.is_empty(), "rows nobody wrote: {stored:?}");
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
