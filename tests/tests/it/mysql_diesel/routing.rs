//! Every statement runs where it belongs.

use std::time::Duration;

use aurora_core::Freshness;
use aurora_tests::{eventually, items};
use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::{BigInt, Double, Integer, Nullable, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

use super::stand::Stand;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("src/migrations");

#[test]
fn reads_go_to_readers_and_writes_to_the_writer() {
    let stand = Stand::new(3);
    let places = stand.counting::<3>(|| {
        for _ in 0..10 {
            let session = &mut stand.session();
            let names: Vec<String> = items::table.select(items::name).load(session).unwrap();
            assert_eq!(names, ["a", "b", "c"]);
        }
    });
    assert_eq!((places[0], places[1] + places[2]), (0, 10), "{places:?}");
    assert!(places[1] > 0 && places[2] > 0, "{places:?}");
    let places = stand.counting::<3>(|| {
        let session = &mut stand.session();
        let new = diesel::insert_into(items::table).values(items::name.eq("x"));
        assert_eq!(new.execute(session).unwrap(), 1);
        let updated = diesel::update(items::table.filter(items::name.eq("x")))
            .set(items::name.eq("y"))
            .execute(session);
        assert_eq!(updated.unwrap(), 1);
        session.batch_execute("DELETE FROM items WHERE name = 'y'; SELECT 1").unwrap();
        session.batch_execute("SELECT * FROM items FOR UPDATE").unwrap();
    });
    assert_eq!(places, [4, 0, 0]);
    stand.assert_clean();
}

#[test]
fn a_session_reads_what_it_wrote_from_a_reader_that_has_it() {
    let stand = Stand::with(
        test_kit::MariaDbCluster::builder().instances(2).synchronous(false),
        "probe_interval=50ms",
    );
    stand.kit.pause_replay(1).unwrap();
    let session = &mut stand.session();
    let new = diesel::insert_into(items::table).values(items::name.eq("mine"));
    new.execute(session).unwrap();
    let mine = || items::table.filter(items::name.eq("mine")).count();
    assert_eq!(mine().get_result(session), Ok(1));
    assert_eq!(session.on_reader(|session| mine().get_result(session)), Ok(0), "it is behind");
    stand.kit.resume_replay(1).unwrap();
    eventually("the reader serves the session", || {
        stand.counting(|| assert_eq!(mine().get_result(session), Ok(1))) == [0, 1]
    });
    session.set_freshness(Freshness::Bounded(Duration::from_secs(60)));
    assert_eq!(stand.counting(|| _ = mine().get_result::<i64>(session).unwrap()), [0, 1]);
}

#[test]
fn a_read_that_writes_is_refused_once_and_run_on_the_writer() {
    let servers = test_kit::MariaDbCluster::builder().instances(2);
    let stand = Stand::with(servers.setting("log_bin_trust_function_creators", "ON"), "");
    stand.write(
        "CREATE FUNCTION add_item() RETURNS BIGINT MODIFIES SQL DATA BEGIN \
         INSERT INTO items (name) VALUES ('by function'); RETURN LAST_INSERT_ID(); END",
    );
    stand.kit.await_readers().unwrap();
    let call = || sql::<BigInt>("SELECT add_item()");
    let first =
        stand.counting(|| assert!(call().get_result::<i64>(&mut stand.session()).unwrap() > 0));
    assert_eq!(first, [1, 1], "refused once, run on the writer");
    let again =
        stand.counting(|| assert!(call().get_result::<i64>(&mut stand.session()).unwrap() > 0));
    assert_eq!(again, [1, 0], "remembered");
    assert_eq!(stand.stored("by function"), 2);
    stand.assert_clean();
}

#[test]
fn values_and_names_of_columns_come_as_from_diesel() {
    #[derive(QueryableByName, Debug, PartialEq)]
    struct Named {
        #[diesel(sql_type = Text)]
        word: String,
        #[diesel(sql_type = Nullable<Integer>)]
        nothing: Option<i32>,
    }
    let stand = Stand::new(1);
    let session = &mut stand.session();
    let named = diesel::sql_query("SELECT 'ü' AS word, NULL AS nothing UNION SELECT 'b', 2")
        .load::<Named>(session)
        .unwrap();
    let expected = [("ü", None), ("b", Some(2))]
        .map(|(word, nothing)| Named { word: word.to_owned(), nothing });
    assert_eq!(named, expected);
    type Row = (i64, f64, String, Option<String>);
    let long = "x".repeat(100_000);
    let text = format!("SELECT -5, 1.5e0, '{long}', NULL");
    let row: Row =
        sql::<(BigInt, Double, Text, Nullable<Text>)>(&text).get_result(session).unwrap();
    assert_eq!(row, (-5, 1.5, long, None));
}

#[test]
fn settings_of_diesel_hold_on_every_connection() {
    let stand = Stand::new(3);
    for _ in 0..6 {
        let session = &mut stand.session();
        let zone: String = sql::<Text>("SELECT @@time_zone").get_result(session).unwrap();
        assert_eq!(zone, "+00:00");
        let set = sql::<Text>("SELECT CONCAT(@@character_set_client, @@character_set_results)");
        assert_eq!(set.get_result::<String>(session).unwrap(), "utf8mb4utf8mb4");
    }
    // What a session sets ends with it.
    let session = &mut stand.session();
    session.batch_execute("SET time_zone = '+05:00'").unwrap();
    let zone = || sql::<Text>("SELECT @@time_zone");
    assert_eq!(zone().get_result::<String>(session).unwrap(), "+05:00", "it stays there");
    drop(std::mem::replace(session, stand.session()));
    for _ in 0..8 {
        assert_eq!(zone().get_result::<String>(&mut stand.session()).unwrap(), "+00:00");
    }
}

#[test]
fn migrations_run_on_the_writer_once() {
    let stand = Stand::new(2);
    stand.kit.pause_replay(1).unwrap();
    let [_, reader] = stand.counting(|| {
        let session = &mut stand.session();
        assert_eq!(session.run_pending_migrations(MIGRATIONS).unwrap().len(), 2);
        assert_eq!(session.run_pending_migrations(MIGRATIONS).unwrap().len(), 0);
        session.revert_last_migration(MIGRATIONS).unwrap();
    });
    assert_eq!(reader, 0, "the reader knows of no migration");
    assert_eq!(stand.ask("SELECT COUNT(*) FROM baskets"), 0);
    stand.kit.resume_replay(1).unwrap();
    stand.assert_clean();
}

#[test]
fn a_cluster_of_another_kind_is_refused() {
    let stand = Stand::new(1);
    let manager =
        aurora_diesel::AuroraConnectionManager::<PgConnection>::new(stand.cluster.clone());
    let error = sql::<Integer>("SELECT 1").get_result::<i32>(&mut manager.session()).unwrap_err();
    let Error::DatabaseError(DatabaseErrorKind::UnableToSendCommand, text) = &error else {
        panic!("{error:?}")
    };
    assert!(text.message().contains("not of the kind"), "{error}");
}
