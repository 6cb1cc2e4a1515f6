//! Reads go to the readers.

use aurora_tests::stand::Stand;
use aurora_tests::{ITEMS, Session, items};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

fn stand() -> Stand {
    let stand = Stand::new(3);
    stand.seed(ITEMS);
    stand.seed("INSERT INTO items SELECT g, 'item ' || g FROM generate_series(1, 100) AS g");
    stand
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
