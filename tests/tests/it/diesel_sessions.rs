//! Transactions as text, session state and physical connections.

mod connections;
mod extras;
mod notifications;
mod state;
mod test_transactions;
mod text;
mod types;
mod unsendable;

use aurora_tests::stand::Stand;
use aurora_tests::{ITEMS, Session, items};
use diesel::prelude::*;
use diesel::sql_types::Integer;

/// A cluster with a table of three rows.
fn stand(instances: usize) -> Stand {
    let stand = Stand::new(instances);
    stand.seed(ITEMS);
    stand.seed("INSERT INTO items (name) VALUES ('a'), ('b'), ('c')");
    stand
}

fn insert(session: &mut Session, name: &str) -> QueryResult<i32> {
    let new = diesel::insert_into(items::table).values(items::name.eq(name));
    new.returning(items::id).get_result(session)
}

fn count(session: &mut Session, name: &str) -> i64 {
    items::table.filter(items::name.eq(name)).count().get_result(session).unwrap()
}

/// Which connection serves the session now.
fn backend(session: &mut Session) -> i32 {
    diesel::select(diesel::dsl::sql::<Integer>("pg_backend_pid()")).get_result(session).unwrap()
}
