//! COPY, types of the user, and other things that need the physical connection.

use std::io::Read as _;

use aurora_diesel::Outcome;
use aurora_tests::stand::{Stand, caught_up};
use aurora_tests::{Manager, items};
use diesel::connection::SimpleConnection as _;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{CopyFormat, Pg, PgValue};
use diesel::prelude::*;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::SqlType;

use super::{count, stand};

#[test]
fn copy_from_runs_on_the_writer_and_counts_as_a_write_of_the_session() {
    let stand = stand(2);
    stand.kit.set_replay_delay(1, std::time::Duration::from_secs(60)).unwrap();
    let session = &mut stand.session();
    let places = stand.counting(|| {
        let rows: Vec<_> =
            (100..200).map(|id| (items::id.eq(id), items::name.eq("copied"))).collect();
        // The pool's wrapper has no such implementation, so the session itself is named.
        let copy = diesel::copy_from(items::table).from_insertable(rows);
        let copied = copy.execute(&mut **session);
        assert_eq!(copied.unwrap(), 100);
        assert_eq!(count(session, "copied"), 100);
    });
    assert_eq!(places, [2, 0]);
}

#[test]
fn a_copy_that_the_writer_refuses_says_that_nothing_was_applied() {
    let stand = stand(2);
    let read_only = "SET default_transaction_read_only = on";
    let manager = Manager::with_on_connect(stand.cluster, move |c| c.batch_execute(read_only));
    let session = &mut manager.session();
    let rows = vec![(items::id.eq(100), items::name.eq("copied"))];
    let refused = diesel::copy_from(items::table).from_insertable(rows).execute(session);
    let error = refused.unwrap_err();
    assert!(error.to_string().contains("run it again"), "{error}");
    assert_eq!(aurora_diesel::outcome(&error), Outcome::NotApplied);
    assert_eq!(count(session, "copied"), 0);
}

#[test]
fn copy_to_reads_through_the_physical_writer_connection() {
    let stand = stand(2);
    let session = &mut stand.session();
    let mut text = String::new();
    let writer = session.writer().unwrap();
    let copy = diesel::copy_to(items::table).with_format(CopyFormat::Csv);
    copy.load_raw(writer).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "1,a\n2,b\n3,c\n");
    // What happened there is not known, so the session stays.
    assert_eq!(stand.counting(|| assert_eq!(count(session, "a"), 1)), [1, 0]);
    session.reset();
    assert_eq!(stand.counting(|| assert_eq!(count(session, "a"), 1)), [0, 1]);
}

#[test]
fn the_writer_is_not_to_be_had_in_a_transaction_on_a_reader() {
    let stand = stand(2);
    let session = &mut stand.session();
    let result = session.build_transaction().read_only().run(|session| {
        session.batch_execute("SELECT 1")?;
        session.writer().map(|_| ())
    });
    let text = result.unwrap_err().to_string();
    assert!(text.contains("read-only transaction on a reader"), "{text}");
}

#[derive(Clone, Copy, Debug, SqlType, diesel::query_builder::QueryId)]
#[diesel(postgres_type(name = "mood"))]
pub struct MoodType;

#[derive(AsExpression, Clone, Copy, Debug, FromSqlRow, PartialEq, Eq)]
#[diesel(sql_type = MoodType)]
pub enum Mood {
    Good,
    Bad,
}

impl ToSql<MoodType, Pg> for Mood {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let text: &[u8] = if *self == Self::Good { b"good" } else { b"bad" };
        std::io::Write::write_all(out, text)?;
        Ok(IsNull::No)
    }
}

impl FromSql<MoodType, Pg> for Mood {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        match value.as_bytes() {
            b"good" => Ok(Self::Good),
            b"bad" => Ok(Self::Bad),
            other => Err(format!("no mood: {other:?}").into()),
        }
    }
}

diesel::table! {
    use diesel::sql_types::Integer;
    use super::MoodType;
    days (id) {
        id -> Integer,
        mood -> MoodType,
    }
}

#[test]
fn an_enum_of_the_user_is_bound_and_read_on_writer_and_reader() {
    let stand = Stand::new(2);
    stand.seed(
        "CREATE TYPE mood AS ENUM ('good', 'bad'); \
         CREATE TABLE days (id int PRIMARY KEY, mood mood NOT NULL)",
    );
    let session = &mut stand.session();
    let new =
        [(days::id.eq(1), days::mood.eq(Mood::Good)), (days::id.eq(2), days::mood.eq(Mood::Bad))];
    assert_eq!(diesel::insert_into(days::table).values(&new[..]).execute(session), Ok(2));
    caught_up(&stand.kit);
    let places = stand.counting(|| {
        let session = &mut stand.session();
        let bad = days::table.filter(days::mood.eq(Mood::Bad));
        assert_eq!(bad.load::<(i32, Mood)>(session), Ok(vec![(2, Mood::Bad)]));
        let any = days::table.filter(days::mood.eq_any([Mood::Good])).select(days::id);
        assert_eq!(any.load::<i32>(session), Ok(vec![1]));
    });
    assert_eq!(places, [0, 2]);
}
