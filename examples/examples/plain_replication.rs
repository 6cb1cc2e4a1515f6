//! PostgreSQL with streaming replication: who is the writer, who lags, what a read may show, and a
//! planned switchover.

use std::time::{Duration, Instant};

use aurora_diesel::aurora_core::{Event, InstanceStatus};
use aurora_diesel::{AuroraConnection, AuroraConnectionManager, Cluster, Config, Freshness};
use diesel::prelude::*;
use diesel::r2d2::Pool;

mod schema {
    #![allow(missing_docs, reason = "made by the macro")]
    diesel::table! {
        users { id -> Integer, name -> Text, }
    }
}
use schema::users;

type Manager = AuroraConnectionManager<PgConnection>;
type Error = Box<dyn std::error::Error>;

/// How old the data may be that some reads show.
const BOUND: Duration = Duration::from_millis(500);

fn main() -> Result<(), Error> {
    // ---- set-up of the example: three servers, two of which replicate the first
    let kit = test_kit::PgCluster::builder().instances(3).start()?;
    let (url, [db1, db2, db3]) = (kit.url(), [0, 1, 2].map(|index| kit.name(index)));
    // Waits until all of them show it.
    let schema = "SET synchronous_commit = remote_apply;
        CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL)";
    kit.client(0)?.batch_execute(schema)?;
    // ---- end of set-up; in your program the URL lists your servers, in any order:
    // postgres://app:secret@db1.example.com,db2.example.com,db3.example.com/shop

    let config = Config::from_url(&format!("{url}?probe_interval=100ms"))?;
    let cluster = Cluster::connect_blocking(config)?;
    let pool = Pool::new(Manager::new(cluster.clone()))?;
    // Each server was asked whether it is a standby.
    let writer = cluster.topology().writer().map(|writer| writer.id().to_string());
    assert_eq!(writer, Some(db1));

    // One reader stops replaying what it receives.
    kit.pause_replay(2)?;
    read_beside_a_reader_that_lags(&pool, &db3)?;
    kit.resume_replay(2)?;

    // A planned switchover, by whatever tool you do it with.
    let mut events = cluster.events();
    kit.switchover(1)?;
    let session = &mut *pool.get()?;
    diesel::insert_into(users::table).values(users::name.eq("Grace")).execute(session)?;
    assert_eq!(count(session)?, 2);
    let mut seen = std::iter::from_fn(|| events.next_timeout(Duration::from_secs(20)))
        .inspect(|event| println!("event: {event}"));
    let to = db2.as_str().into();
    assert!(
        seen.any(|event| matches!(event, Event::WriterChanged { to: Some(id), .. } if id == to))
    );
    println!("\n{}", cluster.status());
    Ok(())
}

/// Writes, and reads with each kind of freshness.
fn read_beside_a_reader_that_lags(pool: &Pool<Manager>, laggard: &str) -> Result<(), Error> {
    let session = &mut *pool.get()?;
    diesel::insert_into(users::table).values(users::name.eq("Ada")).execute(session)?;
    let written = Instant::now();
    // Freshness::Session, the default: the session reads what it wrote.
    for _ in 0..20 {
        assert_eq!(count(session)?, 1);
    }
    until("the lag is seen", || {
        let status = session.cluster().status();
        let instance = |i: &&InstanceStatus| i.instance.as_str() == laggard;
        let lagging = status.instances.iter().find(instance).ok_or("gone")?;
        Ok(lagging.lag > Some(Duration::ZERO) && written.elapsed() > BOUND)
    })?;
    println!("{}", session.cluster().status());
    // However old, as any reader has it: another session, which promises itself nothing.
    let other = &mut *pool.get()?;
    other.set_freshness(Freshness::Eventual);
    until("the old data is shown", || Ok(count(other)? == 0))?;
    // At most this old: the reader that lags is left out.
    other.set_freshness(Freshness::Bounded(BOUND));
    for _ in 0..20 {
        assert_eq!(count(other)?, 1);
    }
    // Everything committed before: the writer.
    other.set_freshness(Freshness::Strong);
    assert_eq!(count(other)?, 1);
    Ok(())
}

fn count(session: &mut AuroraConnection<PgConnection>) -> QueryResult<i64> {
    users::table.count().get_result(session)
}

/// Waits for what replication does in its own time.
fn until(what: &str, mut done: impl FnMut() -> Result<bool, Error>) -> Result<(), Error> {
    let end = Instant::now() + Duration::from_secs(20);
    while !done()? {
        assert!(Instant::now() < end, "not within 20 s: {what}");
        std::thread::yield_now();
    }
    Ok(())
}
