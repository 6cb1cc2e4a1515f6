//! Where statements go, and what diesel-async's query DSL gives.

use aurora_diesel::asynchronous::AuroraConnectionManager;
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Text};
use diesel_async::{AsyncConnection, RunQueryDsl, SaveChangesDsl};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures_util::{StreamExt, TryStreamExt};

use crate::stand::{ITEMS, Stand, add, eventually, items, names};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_works_in_a_task_of_its_own() {
    let stand = Stand::new(2, ITEMS).await;
    let mut session = stand.session();
    let task = tokio::spawn(async move {
        add(&mut session, "one").await.unwrap();
        let all = items::table.order(items::id).load_stream::<(i32, String)>(&mut session);
        let all: Vec<_> = all.await.unwrap().try_collect().await.unwrap();
        session
            .transaction::<_, diesel::result::Error, _>(async |session| {
                let first: String = items::table.select(items::name).first(session).await?;
                Ok((all, first))
            })
            .await
    });
    let (all, first) = task.await.unwrap().unwrap();
    assert_eq!((all, first), (vec![(1, "one".to_owned())], "one".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_nobody_wants_disturb_nobody() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    let many = || diesel::dsl::sql::<Integer>("SELECT generate_series(1, 200000)");
    for _ in 0..3 {
        let mut rows = many().load_stream::<i32>(session).await.unwrap();
        assert_eq!(rows.next().await.unwrap().unwrap(), 1);
        drop(rows);
        assert_eq!(names(session).await, [""; 0]);
    }
    let sum = session
        .transaction::<_, diesel::result::Error, _>(async |session| {
            drop(many().load_stream::<i32>(session).await?);
            add(session, "kept").await?;
            let rows = many().load_stream::<i32>(session).await?;
            rows.try_fold(0_i64, async |sum, row| Ok(sum + i64::from(row))).await
        })
        .await;
    assert_eq!(sum.unwrap(), 20_000_100_000);
    assert_eq!(names(session).await, ["kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_in_rows_that_nobody_wanted_is_not_committed_over() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    let result = session
        .transaction::<_, diesel::result::Error, _>(async |session| {
            add(session, "gone").await?;
            let failing = "SELECT 1 / (100000 - n) FROM generate_series(1, 100000) AS n";
            drop(diesel::dsl::sql::<Integer>(failing).load_stream::<i32>(session).await?);
            Ok(())
        })
        .await;
    assert_eq!(aurora_diesel::outcome(&result.unwrap_err()), aurora_diesel::Outcome::NotApplied);
    assert_eq!(names(session).await, [""; 0]);
}

#[derive(Clone, Copy, Identifiable, AsChangeset, Queryable, PartialEq, Debug)]
#[diesel(table_name = counters)]
struct Counter {
    id: i32,
    value: i64,
}

diesel::table! {
    counters (id) {
        id -> Integer,
        value -> BigInt,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn save_changes_returns_what_it_saved() {
    let sql = "CREATE TABLE counters (id int PRIMARY KEY, value bigint); INSERT INTO counters VALUES (1, 1)";
    let stand = Stand::new(2, sql).await;
    let counter = Counter { id: 1, value: 7 };
    let saved: Counter = counter.save_changes(&mut stand.session()).await.unwrap();
    assert_eq!(saved, counter);
}

#[derive(Debug, diesel::sql_types::SqlType, diesel::query_builder::QueryId)]
#[diesel(postgres_type(name = "colour"))]
pub struct ColourType;

#[derive(Debug, PartialEq, Clone, Copy, AsExpression, FromSqlRow)]
#[diesel(sql_type = ColourType)]
enum Colour {
    Red,
    Blue,
}

impl diesel::serialize::ToSql<ColourType, diesel::pg::Pg> for Colour {
    fn to_sql<'b>(
        &'b self,
        out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>,
    ) -> diesel::serialize::Result {
        let name: &[u8] = if *self == Self::Red { b"red" } else { b"blue" };
        std::io::Write::write_all(out, name)?;
        Ok(diesel::serialize::IsNull::No)
    }
}

impl diesel::deserialize::FromSql<ColourType, diesel::pg::Pg> for Colour {
    fn from_sql(value: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
        Ok(if value.as_bytes() == b"red" { Self::Red } else { Self::Blue })
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::ColourType;
    cars (id) {
        id -> Integer,
        colour -> ColourType,
        tints -> Array<ColourType>,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn types_of_the_users_own_are_sent_and_fetched() {
    let sql = "CREATE TYPE colour AS ENUM ('red', 'blue'); CREATE TABLE cars (id serial PRIMARY KEY, colour colour NOT NULL, tints colour[] NOT NULL); CREATE FUNCTION pick(colour) RETURNS text LANGUAGE sql AS $$ SELECT 'colour' $$; CREATE FUNCTION pick(int) RETURNS text LANGUAGE sql AS $$ SELECT 'int' $$; CREATE FUNCTION pick(date) RETURNS text LANGUAGE sql AS $$ SELECT 'date' $$";
    let stand = Stand::new(2, sql).await;
    let session = &mut stand.session();
    let both = vec![Colour::Red, Colour::Blue];
    let car = (cars::colour.eq(Colour::Blue), cars::tints.eq(&both));
    diesel::insert_into(cars::table).values(car).execute(session).await.unwrap();
    let found: Vec<(Colour, Vec<Colour>)> = cars::table
        .filter(cars::colour.eq_any(&both))
        .select((cars::colour, cars::tints))
        .load(session)
        .await
        .unwrap();
    assert_eq!(found, [(Colour::Blue, both)]);
    // The server cannot infer this one.
    let chosen: String = diesel::dsl::sql::<Text>("SELECT pick(")
        .bind::<ColourType, _>(Colour::Blue)
        .sql(")")
        .get_result(session)
        .await
        .unwrap();
    assert_eq!(chosen, "colour");
    let echoed: Vec<String> =
        diesel::select(vec!["a", "b"].into_sql::<Array<Text>>()).get_result(session).await.unwrap();
    assert_eq!(echoed, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_physical_writer_pipelines_and_is_closed_at_check_in() {
    let stand = Stand::new(2, ITEMS).await;
    let mut session = stand.session();
    let connection: &AsyncPgConnection = session.writer().await.unwrap();
    let one = diesel::select(1.into_sql::<Integer>());
    let two = diesel::select(2.into_sql::<Integer>());
    let (mut left, mut right) = (connection, connection);
    let both = futures_util::future::try_join(
        one.get_result::<i32>(&mut left),
        two.get_result::<i32>(&mut right),
    );
    assert_eq!(both.await.unwrap(), (1, 2));
    session.batch_execute("SET work_mem = '1MB'").await.unwrap();
    assert_eq!(stand.connections(), 1);
    drop(session);
    eventually("it is closed", async || stand.connections() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_connections_are_prepared() {
    let stand = Stand::new(2, ITEMS).await;
    let manager = AuroraConnectionManager::with_on_connect(stand.cluster().clone(), |connection| {
        Box::pin(connection.batch_execute("SET statement_timeout = '7s'"))
    });
    let shown: String = diesel::dsl::sql::<Text>("SELECT current_setting('statement_timeout')")
        .get_result(&mut manager.session())
        .await
        .unwrap();
    assert_eq!(shown, "7s");
    let manager = AuroraConnectionManager::with_on_connect(stand.cluster().clone(), |connection| {
        Box::pin(connection.batch_execute("SET nonsense"))
    });
    let error = add(&mut manager.session(), "never").await.unwrap_err();
    assert!(error.to_string().contains("on_connect"), "{error}");
    assert_eq!(stand.ask(0, "SELECT count(*) FROM items"), 0);
}
