//! Functions of the user: no text tells whether they write.

use aurora_tests::stand::Stand;
use aurora_tests::{ITEMS, Session};
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};
use test_kit::PgCluster;

const WRITES: &str = "CREATE FUNCTION add_item(text) RETURNS int LANGUAGE sql AS \
     $$ INSERT INTO items (name) VALUES ($1) RETURNING id $$";

diesel::define_sql_function! {
    /// Writes.
    fn add_item(name: Text) -> Integer;
}

fn typed(session: &mut Session) -> i32 {
    diesel::select(add_item("typed")).get_result(session).unwrap()
}

fn as_text(session: &mut Session) -> i32 {
    let call = diesel::dsl::sql::<Integer>("add_item('text')");
    diesel::select(call).get_result(session).unwrap()
}

#[test]
fn a_call_that_a_reader_refuses_is_run_on_the_writer_and_remembered() {
    let stand = Stand::new(2);
    stand.seed(ITEMS);
    stand.seed(WRITES);
    for call in [typed, as_text] {
        let errors = stand.instance(1).stats().errors();
        // This session thinks for now that it is a read, and has to be told.
        let old = &mut stand.session();
        let first = stand.counting(|| assert!(call(&mut stand.session()) > 0));
        assert_eq!(first, [1, 1], "refused once, run on the writer");
        for _ in 0..10 {
            let again = stand.counting(|| assert!(call(&mut stand.session()) > 0));
            assert_eq!(again, [1, 0]);
        }
        assert_eq!(stand.counting(|| assert!(call(old) > 0)), [1, 0]);
        assert_eq!(stand.instance(1).stats().errors(), errors + 1);
    }
    let mut client = stand.kit.client(0).unwrap();
    let count: i64 = client.query_one("SELECT count(*) FROM items", &[]).unwrap().get(0);
    assert_eq!(count, 24, "each call wrote once");
}

#[test]
fn a_session_that_called_it_keeps_reading_its_own_writes() {
    let stand = Stand::with(PgCluster::builder().instances(2), "");
    stand.seed(ITEMS);
    stand.seed(WRITES);
    stand.kit.set_replay_delay(1, std::time::Duration::from_secs(30)).unwrap();
    // Refused by the reader; remembered; and on the writer because there is no reader.
    for round in 0..3 {
        let offline = round == 2;
        if offline {
            stand.cluster.instance(stand.id(1)).take_offline().unwrap();
        }
        let session = &mut stand.session();
        let id = if offline { as_text(session) } else { typed(session) };
        if offline {
            stand.cluster.instance(stand.id(1)).bring_online().unwrap();
        }
        let found = aurora_tests::items::table.find(id).count().get_result::<i64>(session);
        assert_eq!(found.unwrap(), 1, "round {round}");
    }
}

#[test]
fn functions_that_are_declared_to_write_are_never_tried_on_a_reader() {
    let stand = Stand::with(PgCluster::builder().instances(2), "write_functions=add_item");
    stand.seed(ITEMS);
    stand.seed(WRITES);
    assert_eq!(stand.counting(|| assert!(typed(&mut stand.session()) > 0)), [1, 0]);
    let cautious = Stand::with(PgCluster::builder().instances(2), "unknown_functions=write");
    cautious.seed(ITEMS);
    cautious.seed(WRITES);
    assert_eq!(cautious.counting(|| assert!(typed(&mut cautious.session()) > 0)), [1, 0]);
}
