//! A query with its values taken out of it, so that it can wait for a connection, and be run again.
//!
//! Diesel's queries need not be `Send`, so none of them can be held while something is awaited.

use std::any::TypeId;
use std::marker::PhantomData;
use std::sync::Arc;

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::Untyped;
use diesel_async::{AsyncConnectionCore as _, AsyncPgConnection};
use futures_core::future::BoxFuture;

use super::physical::PgRows;
use super::types::CustomTypes;

/// The SQL and the values of a query.
#[derive(Debug)]
pub(crate) struct Collected {
    sql: Arc<str>,
    safe_to_cache: bool,
    binds: RawBytesBindCollector<Pg>,
    /// The types of the user's own that it mentions.
    custom: Option<CustomTypes>,
}

impl Collected {
    /// Takes `query`, whose SQL this is, apart.
    pub(crate) fn new(
        query: &impl QueryFragment<Pg>,
        sql: Arc<str>,
        safe_to_cache: bool,
    ) -> QueryResult<Self> {
        let (binds, custom) = CustomTypes::collect(query)?;
        Ok(Self { sql, safe_to_cache, binds, custom })
    }

    /// The types whose numbers have to be filled in before it can be sent.
    pub(crate) fn custom(&self) -> Option<&CustomTypes> {
        self.custom.as_ref()
    }

    /// The same query with other values.
    pub(crate) fn with_binds(&self, binds: RawBytesBindCollector<Pg>) -> Self {
        let (sql, safe_to_cache) = (Arc::clone(&self.sql), self.safe_to_cache);
        Self { sql, safe_to_cache, binds, custom: None }
    }

    /// The values.
    pub(crate) fn binds(&self) -> &RawBytesBindCollector<Pg> {
        &self.binds
    }

    /// The text, with placeholders for the values.
    pub(crate) fn sql(&self) -> &str {
        &self.sql
    }
}

impl QueryFragment<Pg> for Collected {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if !self.safe_to_cache {
            pass.unsafe_to_cache_prepared();
        }
        pass.push_sql(&self.sql);
        pass.push_bind_collector_data(&self.binds)
    }
}

/// Its prepared statement is looked up by its text.
impl QueryId for Collected {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Collected {
    type SqlType = Untyped;
}

/// How a query is put to a connection for its rows.
pub(crate) type Load =
    for<'c> fn(&Collected, &'c mut AsyncPgConnection) -> BoxFuture<'c, QueryResult<PgRows>>;

/// How a query is put to a connection for the number of rows it touched.
pub(crate) type Count =
    for<'c> fn(&Collected, &'c mut AsyncPgConnection) -> BoxFuture<'c, QueryResult<usize>>;

/// A [`Collected`] of which the type of the query it was is known.
///
/// Its prepared statement is looked up by that type, as diesel-async does for the query itself:
/// the text need not be hashed.
struct Typed<'a, Id>(&'a Collected, PhantomData<fn() -> Id>);

impl<Id> QueryFragment<Pg> for Typed<'_, Id> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }
}

impl<Id: 'static> QueryId for Typed<'_, Id> {
    type QueryId = Id;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<Id> Query for Typed<'_, Id> {
    type SqlType = Untyped;
}

fn has_id<T: QueryId>() -> bool {
    T::query_id() == Some(TypeId::of::<T::QueryId>())
}

/// How queries like `T` are loaded: a pointer, so that nothing behind it is compiled per query.
pub(crate) fn load_of<T: QueryId>() -> Load {
    if has_id::<T>() {
        |query, connection| connection.load(Typed::<T::QueryId>(query, PhantomData))
    } else {
        |query, connection| connection.load(query)
    }
}

/// How queries like `T` are executed.
pub(crate) fn count_of<T: QueryId>() -> Count {
    if has_id::<T>() {
        |query, connection| {
            connection.execute_returning_count(Typed::<T::QueryId>(query, PhantomData))
        }
    } else {
        |query, connection| connection.execute_returning_count(query)
    }
}
