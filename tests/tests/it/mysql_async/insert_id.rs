//! What tells of an earlier statement is the session's own, whatever connections it has had.

use aurora_diesel::{Outcome, outcome};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Unsigned};
use diesel_async::{AsyncConnection as _, RunQueryDsl};

use super::stand::{ITEMS, Session, Stand, add, eventually, is_on_reader, items, names};

async fn last_id(session: &mut Session) -> QueryResult<u64> {
    diesel::select(sql::<Unsigned<BigInt>>("LAST_INSERT_ID()")).get_result(session).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_an_insert_is_the_sessions_own() {
    let stand = Stand::new(2, ITEMS).await;
    let (one, two) = (&mut stand.session(), &mut stand.session());
    add(one, "one").await.unwrap();
    assert_eq!(last_id(one).await, Ok(1));
    // A read takes the session to a reader, and another one to the connection it has left.
    eventually("the reader has caught up", async || is_on_reader(one).await).await;
    add(two, "two").await.unwrap();
    add(two, "three").await.unwrap();
    assert_eq!(stand.open(0), 1, "they share the connection");
    eventually("the reader has caught up", async || is_on_reader(two).await).await;
    assert_eq!(last_id(one).await, Ok(1));
    assert_eq!(last_id(two).await, Ok(3));
    // The usual use of it.
    let child = "INSERT INTO items (name) VALUES (CONCAT('child of ', LAST_INSERT_ID()))";
    eventually("the reader has caught up", async || is_on_reader(one).await).await;
    diesel::sql_query(child).execute(one).await.unwrap();
    assert_eq!(names(one).await, ["one", "two", "three", "child of 1"]);
    assert_eq!(last_id(one).await, Ok(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_an_insert_in_a_transaction_is_there_after_it() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    let inside = session
        .transaction::<_, diesel::result::Error, _>(async |session| {
            add(session, "one").await?;
            let _: i64 = items::table.count().get_result(session).await?;
            last_id(session).await
        })
        .await;
    assert_eq!(inside, Ok(1));
    eventually("the reader has caught up", async || is_on_reader(session).await).await;
    assert_eq!(last_id(session).await, Ok(1));
    // A new session of the same connection begins as one that has inserted nothing.
    session.reset();
    diesel::update(items::table).set(items::name.eq("other")).execute(session).await.unwrap();
    assert!(last_id(session).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_went_with_its_connection_is_an_error() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    add(session, "one").await.unwrap();
    stand.kit(|kit| kit.kill_and_promote(1)).unwrap();
    let error = last_id(session).await.unwrap_err();
    assert_eq!(outcome(&error), Outcome::NotApplied, "{error}");
    let again = last_id(session).await.unwrap_err();
    assert!(again.to_string().contains("INSERT"), "{again}");
    add(session, "two").await.unwrap();
    let stored: i32 =
        items::table.select(items::id).filter(items::name.eq("two")).first(session).await.unwrap();
    assert_eq!(last_id(session).await, Ok(u64::try_from(stored).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_tells_of_the_statement_before_runs_where_that_one_did() {
    let stand = Stand::new(2, "CREATE TABLE items (id INT, name VARCHAR(64)); INSERT INTO items VALUES (1, 'a'), (2, 'b')").await;
    let session = &mut stand.session();
    assert!(is_on_reader(session).await);
    let limited = "SELECT SQL_CALC_FOUND_ROWS id FROM items LIMIT 1";
    let rows: Vec<i32> = sql::<diesel::sql_types::Integer>(limited).load(session).await.unwrap();
    assert_eq!(rows.len(), 1);
    let all: i64 = diesel::select(sql::<BigInt>("FOUND_ROWS()")).get_result(session).await.unwrap();
    assert_eq!(all, 2);
    diesel::sql_query("UPDATE items SET name = 'c'").execute(session).await.unwrap();
    let changed: i64 =
        diesel::select(sql::<BigInt>("ROW_COUNT()")).get_result(session).await.unwrap();
    assert_eq!(changed, 2);
}
