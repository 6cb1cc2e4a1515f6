//! Read or write? The time of one verdict on a SELECT as ORMs render it, fresh and remembered.
//!
//! `cargo bench -p aurora-benches --bench classify`

use std::hint::black_box;

use aurora_benches::compare;
use aurora_diesel::aurora_core::sql::{Rules, SqlDialect, StatementCache, classify};

/// What Diesel renders for a filter by two columns.
const SELECT: &str = "SELECT \"users\".\"id\", \"users\".\"name\", \"users\".\"hair_color\" FROM \"users\" \
                      WHERE ((\"users\".\"id\" = $1) AND (\"users\".\"name\" = $2)) LIMIT $3 OFFSET $4";

const ROUNDS: usize = 101;
const OPERATIONS: u32 = 10_000;

fn main() {
    let rules = Rules::default();
    let dialects = [SqlDialect::Postgres, SqlDialect::MySql];
    println!("{} bytes, {ROUNDS} rounds of {OPERATIONS}, in turn:", SELECT.len());
    for dialect in dialects {
        let cache = StatementCache::new(dialect, 1024);
        let fresh = || {
            black_box(classify(dialect, black_box(SELECT), &rules));
        };
        let remembered = || {
            black_box(cache.classify(black_box(SELECT), &rules));
        };
        println!("  {dialect} fresh      {}", compare(ROUNDS, OPERATIONS, fresh, remembered));
    }
    println!("  (baseline: the verdict from the cache)");
}
