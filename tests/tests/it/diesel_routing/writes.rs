//! Whatever writes, locks or needs the writer's state goes to the writer, on the first try.

use aurora_tests::stand::Stand;
use aurora_tests::{ITEMS, Session, items};
use diesel::prelude::*;
use diesel::sql_types::Integer;

#[derive(AsChangeset, Identifiable, Queryable)]
#[diesel(table_name = items)]
struct Item {
    id: i32,
    name: String,
}

type Work = fn(&mut Session) -> QueryResult<usize>;

fn rows<T>(loaded: QueryResult<Vec<T>>) -> QueryResult<usize> {
    loaded.map(|rows| rows.len())
}

fn stand() -> Stand {
    let stand = Stand::new(3);
    stand.seed(ITEMS);
    stand.seed("INSERT INTO items SELECT g, 'item ' || g FROM generate_series(1, 10) AS g");
    stand.seed("SELECT setval('items_id_seq', 100)");
    stand
}

/// Runs each with a session of its own: on the writer, without having been refused by a reader.
#[track_caller]
fn assert_on_writer(stand: &Stand, forms: &[(&str, Work)]) {
    for (name, work) in forms {
        let places = stand.counting(|| {
            let result = work(&mut stand.session());
            assert!(result.as_ref().is_ok_and(|rows| *rows > 0), "{name}: {result:?}");
        });
        assert_eq!(places, [1, 0, 0], "{name}");
    }
}

#[test]
fn every_form_of_a_write_of_the_query_builder_goes_to_the_writer() {
    let forms: [(&str, Work); 11] = [
        ("insert", |c| diesel::insert_into(items::table).values(items::name.eq("a")).execute(c)),
        ("returning", |c| {
            let new = diesel::insert_into(items::table).values(items::name.eq("a"));
            rows(new.returning(items::id).get_results::<i32>(c))
        }),
        ("batch", |c| {
            let several = [items::name.eq("a"), items::name.eq("b")];
            diesel::insert_into(items::table).values(&several[..]).execute(c)
        }),
        ("insert-select", |c| {
            let source = items::table.select(items::name).filter(items::id.eq(1));
            source.insert_into(items::table).into_columns(items::name).execute(c)
        }),
        ("upsert", |c| {
            let new = (items::id.eq(1), items::name.eq("new"));
            let insert = diesel::insert_into(items::table).values(&new);
            insert.on_conflict(items::id).do_update().set(items::name.eq("newer")).execute(c)
        }),
        ("update", |c| diesel::update(items::table.find(2)).set(items::name.eq("b")).execute(c)),
        ("update returning", |c| {
            let update = diesel::update(items::table.find(2)).set(items::name.eq("c"));
            update.get_result::<(i32, String)>(c).map(|(_, name)| name.len())
        }),
        ("delete", |c| diesel::delete(items::table.find(3)).execute(c)),
        ("save_changes", |c| {
            let item = Item { id: 4, name: "saved".to_owned() };
            item.save_changes::<Item>(c).map(|item| item.name.len())
        }),
        ("for update", |c| rows(items::table.for_update().load::<(i32, String)>(c))),
        ("for share", |c| {
            rows(items::table.find(5).for_key_share().skip_locked().load::<(i32, String)>(c))
        }),
    ];
    assert_on_writer(&stand(), &forms);
}

#[test]
fn every_form_of_a_write_as_text_goes_to_the_writer() {
    let forms: [(&str, Work); 8] = [
        ("insert", |c| diesel::sql_query("INSERT INTO items (name) VALUES ('t')").execute(c)),
        ("bound", |c| {
            let update = diesel::sql_query("UPDATE items SET name = 'x' WHERE id = $1");
            update.bind::<Integer, _>(1).execute(c)
        }),
        ("cte", |c| {
            let cte = "WITH d AS (DELETE FROM items WHERE id = 6 RETURNING *) SELECT * FROM d";
            diesel::sql_query(cte).execute(c)
        }),
        ("comment", |c| {
            diesel::sql_query("-- a\n/* b */ DELETE FROM items WHERE id = 7").execute(c)
        }),
        ("nextval", |c| {
            let next = diesel::dsl::sql::<diesel::sql_types::BigInt>("nextval('items_id_seq')");
            rows(diesel::select(next).load::<i64>(c))
        }),
        ("transaction lock", |c| diesel::sql_query("SELECT pg_advisory_xact_lock(1)").execute(c)),
        ("session lock", |c| diesel::sql_query("SELECT pg_try_advisory_lock(2)").execute(c)),
        ("select into", |c| diesel::sql_query("SELECT * INTO copied FROM items").execute(c)),
    ];
    assert_on_writer(&stand(), &forms);
}
