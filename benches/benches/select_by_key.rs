//! `pool.get()` and one SELECT by key: the routed pool beside Diesel's own `ConnectionManager` on
//! the same instance, with and without Diesel's test at check-out (a round trip we do not make).
//!
//! `cargo bench -p aurora-benches --bench select_by_key`

use aurora_benches::compare;
use aurora_diesel::{AuroraConnectionManager, Cluster, Config};
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool, R2D2Connection};

/// How many connections the pools have. With more than one r2d2 hands them out in turn, and the
/// baseline pays for cold backends where ours keeps to the warm one: that is measured last.
const SIZES: [u32; 2] = [1, 4];

#[allow(missing_docs, reason = "the macro's own items")]
mod schema {
    diesel::table! {
        items { id -> Integer, name -> Text, }
    }
}
use schema::items;

const KEYS: i32 = 1000;
const ROUNDS: usize = 41;
const OPERATIONS: u32 = 500;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // One reader, so that both ask the same instance.
    let kit = test_kit::PgCluster::builder().instances(2).start()?;
    let cluster = Cluster::connect_blocking(Config::from_url(&kit.url())?)?;
    let manager = AuroraConnectionManager::<PgConnection>::new(cluster);
    fill(&mut manager.session())?;
    let url = kit.instance_url(kit.readers()[0]);

    println!("pool.get() + SELECT by key, {ROUNDS} rounds of {OPERATIONS}, in turn:");
    for size in SIZES {
        for (name, test) in [("test_on_check_out(false)", false), ("Diesel's default", true)] {
            let ours = Pool::builder().max_size(size).build(manager.clone())?;
            let baseline = Pool::builder()
                .max_size(size)
                .test_on_check_out(test)
                .build(ConnectionManager::<PgConnection>::new(&url))?;
            wait_for_rows(&baseline)?;
            let (mut a, mut b) = (0, 0);
            let found =
                compare(ROUNDS, OPERATIONS, || select(&ours, &mut a), || select(&baseline, &mut b));
            println!("  pool of {size}, against {name:25} {found}");
        }
    }
    Ok(())
}

fn fill(connection: &mut impl Connection<Backend = diesel::pg::Pg>) -> QueryResult<()> {
    connection.batch_execute(&format!(
        "CREATE TABLE items (id integer PRIMARY KEY, name text NOT NULL);
         INSERT INTO items SELECT n, 'item ' || n FROM generate_series(1, {KEYS}) AS n"
    ))
}

/// The reader may be a moment behind.
fn wait_for_rows(
    pool: &Pool<ConnectionManager<PgConnection>>,
) -> Result<(), Box<dyn std::error::Error>> {
    let connection = &mut pool.get()?;
    let arrived = test_kit::wait_until(std::time::Duration::from_secs(10), || {
        items::table.count().get_result(connection) == Ok(i64::from(KEYS))
    });
    if arrived { Ok(()) } else { Err("the rows did not arrive on the reader".into()) }
}

fn select<M>(pool: &Pool<M>, key: &mut i32)
where
    M: diesel::r2d2::ManageConnection,
    M::Connection:
        R2D2Connection<Backend = diesel::pg::Pg> + diesel::connection::LoadConnection + 'static,
{
    *key = *key % KEYS + 1;
    let connection = &mut pool.get().expect("a connection of the pool");
    let name: String = items::table
        .find(*key)
        .select(items::name)
        .first(connection)
        .expect("every key has its row");
    std::hint::black_box(name);
}
