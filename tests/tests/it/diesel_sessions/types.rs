//! Types of the user's looked up through a session, and sessions in a `MultiConnection`.

use aurora_tests::stand::{Stand, caught_up};
use aurora_tests::{ITEMS, Manager, Session, items};
use diesel::connection::SimpleConnection as _;
use diesel::pg::{Pg, PgMetadataLookup as _};
use diesel::prelude::*;
use diesel::sql_types::HasSqlType;

use super::extras::MoodType;

const MOODS: &str = "CREATE TYPE mood AS ENUM ('good', 'bad'); \
                     CREATE TABLE days (id int PRIMARY KEY, mood mood NOT NULL)";

fn number_of_mood(session: &mut Session) -> Option<u32> {
    <Pg as HasSqlType<MoodType>>::metadata(session).oid().ok()
}

#[test]
fn a_type_is_looked_up_on_a_reader_and_forgotten_at_check_in() {
    let stand = Stand::new(2);
    stand.seed(MOODS);
    let session = &mut stand.session();
    let places = stand.counting(|| {
        let first = number_of_mood(session);
        assert!(first.is_some());
        assert_eq!(number_of_mood(session), first);
    });
    assert_eq!(places, [0, 1], "it is asked once");
    session.batch_execute("DROP TABLE days; DROP TYPE mood").unwrap();
    caught_up(&stand.kit);
    session.reset();
    let now = session.on_writer(|session| Ok::<_, ()>(number_of_mood(session)));
    assert_eq!(now, Ok(None), "a type that is gone");
    assert!(session.lookup_type("mood", Some("public")).oid().is_err());
}

#[derive(diesel::MultiConnection)]
enum Either {
    Cluster(Session),
    Plain(PgConnection),
}

#[test]
fn a_session_is_a_variant_of_a_multi_connection() {
    let stand = Stand::new(2);
    stand.seed(ITEMS);
    let plain = PgConnection::establish(&stand.kit.instance_url(0)).unwrap();
    let cluster = Manager::new(stand.cluster.clone()).session();
    for (mut either, name) in [(Either::Plain(plain), "plain"), (Either::Cluster(cluster), "one")] {
        let new = diesel::insert_into(items::table).values(items::name.eq(name));
        assert_eq!(new.execute(&mut either), Ok(1));
        let found = items::table.filter(items::name.eq(name)).select(items::name);
        let found: QueryResult<String> =
            either.transaction(|either| found.first::<String>(&mut *either));
        assert_eq!(found, Ok(name.to_owned()));
        caught_up(&stand.kit);
    }
    let mut fresh = Either::Cluster(Manager::new(stand.cluster.clone()).session());
    let places = stand.counting(|| {
        let named = items::table.filter(items::name.eq("one")).count();
        assert_eq!(named.get_result(&mut fresh), Ok(1));
    });
    assert_eq!(places, [0, 1], "it is routed as ever");
}
