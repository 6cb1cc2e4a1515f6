//! What the integration tests share: a real cluster with the library connected to it, and ways to
//! find out where a statement ran.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
#![allow(clippy::missing_errors_doc, reason = "a failure is the ORM's own")]
#![allow(clippy::missing_panics_doc, reason = "in a test a panic is the verdict")]

pub mod door;
pub mod doors;
pub mod ledger;
pub mod load;
pub mod scene;
pub mod servers;
pub mod stand;
pub mod trial;

use std::time::Duration;

use aurora_core::{Event, Events};
use aurora_diesel::{AuroraConnection, AuroraConnectionManager};
use diesel::PgConnection;
use diesel::r2d2::{Pool, PooledConnection};

/// The manager under test.
pub type Manager = AuroraConnectionManager<PgConnection>;
/// A session under test.
pub type Session = AuroraConnection<PgConnection>;
/// A pool of sessions.
pub type Sessions = Pool<Manager>;
/// A session out of a pool.
pub type Pooled = PooledConnection<Manager>;

/// The longest wait for anything that a test waits for.
pub const LIMIT: Duration = Duration::from_secs(20);

diesel::table! {
    /// What most tests read and write.
    items (id) {
        /// A serial number.
        id -> Integer,
        /// Any text.
        name -> Text,
    }
}

/// The definition of [`items`].
pub const ITEMS: &str = "CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL)";

/// Waits until `condition` holds.
#[track_caller]
pub fn eventually(what: &str, condition: impl FnMut() -> bool) {
    assert!(test_kit::wait_until(LIMIT, condition), "not within {LIMIT:?}: {what}");
}

/// Collects events until one satisfies `last`.
#[track_caller]
pub fn events_until(events: &mut Events, last: impl Fn(&Event) -> bool) -> Vec<Event> {
    let mut seen = Vec::new();
    loop {
        let next = events.next_timeout(LIMIT);
        let event =
            next.unwrap_or_else(|| panic!("no such event within {LIMIT:?}; seen: {seen:#?}"));
        seen.push(event);
        if last(&seen[seen.len() - 1]) {
            return seen;
        }
    }
}
