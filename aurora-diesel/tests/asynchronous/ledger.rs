//! Proof that no write is lost, none is applied twice, and no error lies about the outcome.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use aurora_diesel::Outcome;
use aurora_diesel::asynchronous::AuroraConnection;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::stand::Stand;

diesel::table! {
    // Without a unique index: a write that is applied twice shows.
    ledger (id) {
        id -> BigInt,
    }
}

pub(crate) const LEDGER: &str = "CREATE TABLE ledger (id bigint NOT NULL)";

/// Notes what became of every write.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    next: AtomicI64,
    entries: Mutex<Vec<Entry>>,
}

/// A write, and the outcome of its failure; `None` is "acknowledged".
type Entry = (i64, Option<(Outcome, String)>);

impl Ledger {
    pub(crate) fn take_id(&self) -> i64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Writes one row and notes what became of it.
    pub(crate) async fn write(&self, session: &mut AuroraConnection) {
        let id = self.take_id();
        let written = diesel::insert_into(ledger::table).values(ledger::id.eq(id));
        self.note(id, written.execute(session).await.map(|_| ()));
    }

    pub(crate) fn note(&self, id: i64, result: QueryResult<()>) {
        let failed = result.err().map(|error| (aurora_diesel::outcome(&error), error.to_string()));
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push((id, failed));
    }

    /// Notes a write whose future was dropped: nobody knows what became of it.
    pub(crate) fn note_dropped(&self, id: i64) {
        let dropped = (Outcome::Unknown, "dropped".to_owned());
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push((id, Some(dropped)));
    }

    pub(crate) fn acknowledged(&self) -> usize {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().filter(|(_, failed)| failed.is_none()).count()
    }

    pub(crate) fn errors(&self) -> Vec<String> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = entries.iter().filter_map(|(_, failed)| failed.as_ref());
        failed.map(|(outcome, text)| format!("{outcome:?}: {text}")).collect()
    }

    /// Compares with what the writer holds: acknowledged writes are there once, those that were
    /// reported as not applied are absent, the unknown ones are there at most once.
    pub(crate) fn verify(&self, stand: &Stand) {
        let mut stored: HashMap<i64, usize> = HashMap::new();
        let rows = stand.kit(|kit| {
            let mut writer = kit.superuser(kit.writer()).unwrap();
            writer.query("SELECT id FROM ledger", &[]).unwrap()
        });
        for row in rows {
            *stored.entry(row.get(0)).or_default() += 1;
        }
        for entry in self.entries.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let times = stored.remove(&entry.0).unwrap_or(0);
            let right = match &entry.1 {
                None | Some((Outcome::Applied, _)) => times == 1,
                Some((Outcome::NotApplied, _)) => times == 0,
                Some((Outcome::Unknown, _)) => times <= 1,
            };
            assert!(right, "stored {times} times: {entry:?}");
        }
        assert!(stored.is_empty(), "rows nobody wrote: {stored:?}");
    }
}
