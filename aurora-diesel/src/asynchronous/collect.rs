//! A query with its values taken out of it, so that it can wait for a connection, and be run again.
//!
//! Diesel's queries need not be `Send`, so none of them can be held while something is awaited.

use std::any::TypeId;
use std::cell::{Cell, OnceCell};
use std::marker::PhantomData;
use std::sync::Arc;

use diesel::QueryResult;
use diesel::pg::{Pg, PgMetadataLookup, PgQueryBuilder};
use diesel::query_builder::bind_collector::{MoveableBindCollector as _, RawBytesBindCollector};
use diesel::query_builder::{AstPass, Query, QueryBuilder as _, QueryFragment, QueryId};
use diesel::result::Error;
use diesel::sql_types::Untyped;
use diesel_async::{AsyncConnectionCore as _, AsyncPgConnection};
use futures_core::future::BoxFuture;

use super::kept::Kept;
use super::physical::PgRows;
use super::types::CustomTypes;

/// The values of a query, as drivers take them.
pub(crate) type Values = RawBytesBindCollector<Pg>;

/// The SQL and the values of a query.
#[derive(Debug)]
pub(crate) struct Collected {
    sql: Arc<str>,
    safe_to_cache: bool,
    /// The values, until an attempt takes them.
    first: Option<Values>,
    /// A copy of them for the attempts after that.
    kept: Kept,
    /// The types of the user's own that it mentions: seldom any, so they take no room.
    custom: Option<Box<CustomTypes>>,
}

impl Collected {
    /// Takes `query`, whose SQL this is, apart.
    pub(crate) fn new(
        query: &impl QueryFragment<Pg>,
        sql: Arc<str>,
        safe_to_cache: bool,
    ) -> QueryResult<Self> {
        let (values, custom) = CustomTypes::collect(query)?;
        let kept = Kept::copy_of(&values);
        Ok(Self { sql, safe_to_cache, first: Some(values), kept, custom: custom.map(Box::new) })
    }

    /// The values for one attempt.
    pub(crate) fn take_values(&mut self) -> Values {
        self.first.take().unwrap_or_else(|| self.kept.values())
    }

    /// The types whose numbers have to be filled in before it can be sent.
    pub(crate) fn custom(&self) -> Option<&CustomTypes> {
        self.custom.as_deref()
    }

    /// The text, with placeholders for the values.
    pub(crate) fn sql(&self) -> &str {
        &self.sql
    }
}

/// How a query is put to a connection for its rows, with these values.
pub(crate) type Load =
    for<'c> fn(&Collected, Values, &'c mut AsyncPgConnection) -> BoxFuture<'c, QueryResult<PgRows>>;

/// How a query is put to a connection for the number of rows it touched, with these values.
pub(crate) type Count =
    for<'c> fn(&Collected, Values, &'c mut AsyncPgConnection) -> BoxFuture<'c, QueryResult<usize>>;

/// A [`Collected`] on its way to a connection.
///
/// With an id its prepared statement is looked up by the type of the query it was, as diesel-async
/// does for the query itself: the text need not be hashed. Without one it is by the text.
struct Sent<'a, Id, const HAS_ID: bool> {
    query: &'a Collected,
    /// The values, until the connection asks for them.
    values: Cell<Option<Values>>,
    /// The values for an instrumentation to look at, if there is one.
    shown: OnceCell<Values>,
    id: PhantomData<fn() -> Id>,
}

impl<'a, Id, const HAS_ID: bool> Sent<'a, Id, HAS_ID> {
    fn new(query: &'a Collected, values: Values) -> Self {
        Self { query, values: Cell::new(Some(values)), shown: OnceCell::new(), id: PhantomData }
    }

    /// A copy of the values, while nobody has taken them.
    fn look(&self) -> Values {
        let values = self.values.take();
        let copy = values.as_ref().map(Values::moveable);
        self.values.set(values);
        copy.unwrap_or_default()
    }
}

/// What a connection asks for is at hand: nothing has to be walked through.
impl<Id, const HAS_ID: bool> QueryFragment<Pg> for Sent<'_, Id, HAS_ID> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if !self.query.safe_to_cache {
            pass.unsafe_to_cache_prepared();
        }
        pass.push_sql(&self.query.sql);
        pass.push_bind_collector_data(self.shown.get_or_init(|| self.look()))
    }

    fn to_sql(&self, out: &mut PgQueryBuilder, _backend: &Pg) -> QueryResult<()> {
        out.push_sql(&self.query.sql);
        Ok(())
    }

    /// Moves the values into `out`, in which there is nothing yet: this is the whole query.
    fn collect_binds<'b>(
        &'b self,
        out: &mut Values,
        _metadata_lookup: &mut (dyn PgMetadataLookup + 'static),
        _backend: &'b Pg,
    ) -> QueryResult<()> {
        let twice = || Error::QueryBuilderError("its values were asked for twice".into());
        *out = self.values.take().ok_or_else(twice)?;
        Ok(())
    }

    fn is_safe_to_cache_prepared(&self, _backend: &Pg) -> QueryResult<bool> {
        Ok(self.query.safe_to_cache)
    }
}

impl<Id: 'static, const HAS_ID: bool> QueryId for Sent<'_, Id, HAS_ID> {
    type QueryId = Id;

    const HAS_STATIC_QUERY_ID: bool = HAS_ID;
}

impl<Id, const HAS_ID: bool> Query for Sent<'_, Id, HAS_ID> {
    type SqlType = Untyped;
}

fn has_id<T: QueryId>() -> bool {
    T::query_id() == Some(TypeId::of::<T::QueryId>())
}

/// How queries like `T` are loaded: a pointer, so that nothing behind it is compiled per query.
pub(crate) fn load_of<T: QueryId>() -> Load {
    if has_id::<T>() {
        |query, values, connection| connection.load(Sent::<T::QueryId, true>::new(query, values))
    } else {
        |query, values, connection| connection.load(Sent::<(), false>::new(query, values))
    }
}

/// How queries like `T` are executed.
pub(crate) fn count_of<T: QueryId>() -> Count {
    if has_id::<T>() {
        |query, values, connection| {
            connection.execute_returning_count(Sent::<T::QueryId, true>::new(query, values))
        }
    } else {
        |query, values, connection| {
            connection.execute_returning_count(Sent::<(), false>::new(query, values))
        }
    }
}

#[cfg(test)]
mod tests {
    use diesel::sql_types::{Integer, Nullable};

    use super::*;

    const SQL: &str = "SELECT $1, $2";

    fn collected() -> Collected {
        let query = diesel::sql_query(SQL);
        let query = query.bind::<Integer, _>(7).bind::<Nullable<Integer>, _>(None::<i32>);
        Collected::new(&query, SQL.into(), false).unwrap()
    }

    #[test]
    fn every_attempt_has_the_same_values() {
        let mut query = collected();
        for _ in 0..3 {
            let values = query.take_values();
            assert_eq!(values.binds, [Some(vec![0, 0, 0, 7]), None]);
            assert_eq!(values.metadata.len(), 2);
        }
    }

    #[test]
    fn who_looks_at_a_query_takes_nothing_from_it() {
        let mut query = collected();
        let values = query.take_values();
        let sent = Sent::<(), false>::new(&query, values);
        for _ in 0..2 {
            let shown = diesel::debug_query::<Pg, _>(&sent).to_string();
            assert!(shown.starts_with(SQL) && shown.contains("PgTypeMetadata"), "{shown}");
        }
        let mut lookup = NoTypes;
        let mut out = Values::new();
        sent.collect_binds(&mut out, &mut lookup, &Pg).unwrap();
        assert_eq!(out.binds, query.kept.values().binds);
        assert!(sent.collect_binds(&mut out, &mut lookup, &Pg).is_err(), "they are gone");
    }

    struct NoTypes;

    impl PgMetadataLookup for NoTypes {
        fn lookup_type(&mut self, name: &str, _schema: Option<&str>) -> diesel::pg::PgTypeMetadata {
            panic!("nobody asks for {name}")
        }
    }
}
