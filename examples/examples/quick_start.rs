//! A Diesel r2d2 pool whose reads spread over the readers while writes go to the writer.

use aurora_diesel::{AuroraConnectionManager, Cluster, Config};
use diesel::prelude::*;
use diesel::r2d2::Pool;

mod schema {
    #![allow(missing_docs, reason = "made by the macro")]
    diesel::table! {
        users { id -> Integer, name -> Text, }
    }
}
use schema::users;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // ---- set-up of the example: a local cluster of three instances, removed at the end
    let kit = test_kit::PgCluster::builder().instances(3).start()?;
    let url = kit.url();
    // ---- end of set-up; in your program the URL is yours:
    // postgres://app:secret@db1.example.com,db2.example.com,db3.example.com/shop

    let cluster = Cluster::connect_blocking(Config::from_url(&url)?)?;
    let pool = Pool::builder()
        .max_size(8)
        .build(AuroraConnectionManager::<PgConnection>::new(cluster.clone()))?;

    let connection = &mut pool.get()?;
    diesel::sql_query("CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL)")
        .execute(connection)?;
    let id: i32 = diesel::insert_into(users::table)
        .values(users::name.eq("Ada"))
        .returning(users::id)
        .get_result(connection)?;
    // The session reads what it wrote, wherever it reads it.
    let name: String = users::table.find(id).select(users::name).first(connection)?;
    assert_eq!(name, "Ada");

    for _ in 0..100 {
        let connection = &mut pool.get()?;
        let _: i64 = users::table.count().get_result(connection)?;
    }
    let status = cluster.status();
    println!("{status}");
    let reads: Vec<u64> = status.instances[1..].iter().map(|reader| reader.queries).collect();
    assert!(reads.iter().all(|reads| (40..=60).contains(reads)), "{reads:?}");

    println!("{}", cluster.explain("SELECT name FROM users"));
    println!("{}", cluster.explain("SELECT name FROM users FOR UPDATE"));
    Ok(())
}
