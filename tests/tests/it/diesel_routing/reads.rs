//! Reads go to the readers, evenly.

use aurora_tests::stand::Stand;
use aurora_tests::{ITEMS, Session, items};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

fn stand() -> Stand {
    let stand = Stand::new(3);
    stand.seed(ITEMS);
    stand.seed("INSERT INTO items SELECT g, 'item ' || g FROM generate_series(1, 100) AS g");
    stand
}

/// Where the statement itself says that it ran.
fn address(session: &mut Session) -> String {
    let own = diesel::dsl::sql::<Text>("host(inet_server_addr())");
    diesel::select(own).get_result(session).unwrap()
}

#[test]
fn reads_are_spread_evenly_and_none_goes_to_the_writer() {
    let stand = stand();
    let mut seen = [0_u32; 3];
    let names: [String; 3] = std::array::from_fn(|index| stand.kit.address(index).0.to_string());
    let counted = stand.counting::<3>(|| {
        // Half of them in one session, half in as many sessions.
        let session = &mut stand.session();
        let mut note = |address: String| {
            seen[names.iter().position(|name| *name == address).unwrap()] += 1;
        };
        (0..200).for_each(|_| note(address(session)));
        (0..200).for_each(|_| note(address(&mut stand.session())));
    });
    assert_eq!(seen.map(u64::from), counted, "the counters say what the servers say");
    assert_eq!(seen[0], 0, "{seen:?}");
    assert!(seen[1..].iter().all(|reads| (160..=240).contains(reads)), "{seen:?}");
}

type Work = fn(&mut Session);

#[test]
fn every_form_of_a_read_goes_to_a_reader() {
    let forms: [(&str, Work); 12] = [
        ("find", |c| assert!(items::table.find(7).first::<(i32, String)>(c).is_ok())),
        ("filter", |c| {
            let found = items::table.filter(items::name.like("item 1%")).load::<(i32, String)>(c);
            assert_eq!(found.unwrap().len(), 12);
        }),
        ("count", |c| assert_eq!(items::table.count().get_result::<i64>(c).unwrap(), 100)),
        ("boxed", |c| {
            let boxed = items::table.into_boxed().filter(items::id.lt(5));
            assert_eq!(boxed.load::<(i32, String)>(c).unwrap().len(), 4);
        }),
        ("eq_any", |c| {
            let some = items::table.filter(items::id.eq_any([1, 2, 3]));
            assert_eq!(some.load::<(i32, String)>(c).unwrap().len(), 3);
        }),
        ("exists", |c| {
            let exists = diesel::select(diesel::dsl::exists(items::table.find(1)));
            assert!(exists.get_result::<bool>(c).unwrap());
        }),
        ("expression", |c| {
            let sum =
                diesel::select(diesel::dsl::sql::<BigInt>("6::int8 * 7")).get_result::<i64>(c);
            assert_eq!(sum.unwrap(), 42);
        }),
        ("text", |c| assert_eq!(diesel::sql_query("SELECT 1").execute(c).unwrap(), 1)),
        ("cte", |c| {
            let cte = "WITH few AS (SELECT * FROM items LIMIT 2) SELECT * FROM few";
            assert_eq!(diesel::sql_query(cte).execute(c).unwrap(), 2);
        }),
        ("explain", |c| c.batch_execute("EXPLAIN SELECT * FROM items").unwrap()),
        ("show", |c| c.batch_execute("SHOW server_version").unwrap()),
        ("values", |c| c.batch_execute("VALUES (1), (2)").unwrap()),
    ];
    let stand = stand();
    for (name, work) in forms {
        let [writer, one, two] = stand.counting(|| work(&mut stand.session()));
        assert_eq!((writer, one + two), (0, 1), "{name}");
    }
}

#[test]
fn rows_one_by_one_come_from_a_reader() {
    use diesel::pg::PgRowByRowLoadingMode;
    let stand = stand();
    let [writer, one, two] = stand.counting(|| {
        let session = &mut stand.session();
        let rows = items::table.load_iter::<(i32, String), PgRowByRowLoadingMode>(session);
        assert_eq!(rows.unwrap().map(Result::unwrap).count(), 100);
        // Left in the middle, and used again at once.
        let rows = items::table.load_iter::<(i32, String), PgRowByRowLoadingMode>(session);
        assert_eq!(rows.unwrap().take(3).map(Result::unwrap).count(), 3);
        assert_eq!(items::table.count().get_result::<i64>(session).unwrap(), 100);
    });
    assert_eq!((writer, one + two), (0, 3));
}
