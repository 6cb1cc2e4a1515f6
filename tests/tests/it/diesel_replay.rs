//! Replayable transactions: applied once, or an error that is true.

mod commits;
mod ledgers;
mod markers;
mod work;

use aurora_diesel::{MarkerTable, Resolve, RunOptions};
use aurora_tests::stand::Stand;
use aurora_tests::{ITEMS, Session, items};
use diesel::prelude::*;
use test_kit::PgCluster;

/// Two instances behind proxies, with the tables of items and of markers.
fn stand() -> Stand {
    let servers = PgCluster::builder().instances(2).synchronous(true).behind_proxies();
    let stand = Stand::with(servers, "");
    stand.seed(ITEMS);
    stand.cluster.create_marker_table_blocking(&MarkerTable::default()).unwrap();
    stand
}

fn marked() -> RunOptions {
    RunOptions::new().resolve(Resolve::Marker(MarkerTable::default()))
}

fn insert(session: &mut Session, name: &str) -> QueryResult<usize> {
    diesel::insert_into(items::table).values(items::name.eq(name)).execute(session)
}

/// How many items of that name the writer holds.
fn stored(stand: &Stand, name: &str) -> i64 {
    let mut writer = stand.kit.client(stand.kit.writer()).unwrap();
    let sql = "SELECT count(*) FROM items WHERE name = $1";
    writer.query_one(sql, &[&name]).unwrap().get(0)
}
