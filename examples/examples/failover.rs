//! What an application sees when the writer is killed, and how to ask for the outcome of a write.

use std::time::{Duration, Instant};

use aurora_diesel::{AuroraConnectionManager, Cluster, Config, Outcome, outcome};
use diesel::prelude::*;
use diesel::r2d2::Pool;

mod schema {
    #![allow(missing_docs, reason = "made by the macro")]
    diesel::table! {
        orders { id -> BigInt, }
    }
}
use schema::orders;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // ---- set-up of the example: a local cluster of three instances, removed at the end
    let kit = test_kit::PgCluster::builder().instances(3).start()?;
    let url = kit.url();
    // ---- end of set-up

    let cluster = Cluster::connect_blocking(Config::from_url(&url)?)?;
    let pool = Pool::new(AuroraConnectionManager::<PgConnection>::new(cluster.clone()))?;
    diesel::sql_query("CREATE TABLE orders (id bigint PRIMARY KEY)").execute(&mut pool.get()?)?;
    let before = cluster.topology().writer().map(|writer| writer.id().clone());

    let (mut acknowledged, mut in_doubt) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        let killer = scope.spawn(|| kit.kill_and_promote(1));
        let until = Instant::now() + Duration::from_secs(30);
        for id in 0.. {
            let connection = &mut pool.get().expect("sessions cost nothing");
            match diesel::insert_into(orders::table).values(orders::id.eq(id)).execute(connection) {
                Ok(_) => acknowledged.push(id),
                // It may have been applied: whoever runs it again blindly may do it twice.
                Err(error) if outcome(&error) == Outcome::Unknown => in_doubt.push(id),
                Err(error) => panic!("order {id} was not applied: {error}"),
            }
            let writer = cluster.topology().writer().map(|writer| writer.id().clone());
            if (killer.is_finished() && writer.is_some() && writer != before)
                || Instant::now() > until
            {
                break;
            }
        }
        killer.join().expect("the killer does not panic")
    })?;

    let connection = &mut pool.get()?;
    let found: Vec<i64> = connection.on_writer(|c| orders::table.select(orders::id).load(c))?;
    let lost = acknowledged.iter().filter(|id| !found.contains(id)).count();
    let committed = in_doubt.iter().filter(|id| found.contains(id)).count();
    println!(
        "{} orders acknowledged, {lost} of them lost; {} in doubt, {committed} of them committed",
        acknowledged.len(),
        in_doubt.len()
    );
    println!("{}", cluster.status());
    assert_eq!(lost, 0);
    assert!(in_doubt.len() <= 1, "at most the one that was under way");
    assert_ne!(cluster.topology().writer().map(|writer| writer.id().clone()), before);
    Ok(())
}
