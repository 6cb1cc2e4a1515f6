//! A query with its values taken out of it, so that it can wait for a connection, and be run again.
//!
//! Diesel's queries need not be `Send`, so none of them can be held while something is awaited.

use std::any::TypeId;
use std::borrow::Borrow;
use std::cell::{Cell, OnceCell};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::query_builder::bind_collector::{MoveableBindCollector as _, RawBytesBindCollector};
use diesel::query_builder::{AstPass, Query, QueryBuilder as _, QueryFragment, QueryId};
use diesel::result::Error;
use diesel::sql_types::{TypeMetadata, Untyped};

use super::kept::Kept;

/// The values of a query, as drivers take them.
pub(crate) type Values<DB> = RawBytesBindCollector<DB>;

/// The SQL and the values of a query.
pub struct Collected<DB: Backend + TypeMetadata> {
    sql: Arc<str>,
    safe_to_cache: bool,
    /// The values, until an attempt takes them.
    first: Option<Values<DB>>,
    /// A copy of them for the attempts after that.
    kept: Kept<DB>,
}

impl<DB: Backend + TypeMetadata<TypeMetadata: Clone>> Collected<DB> {
    /// The query whose SQL and values these are.
    pub(crate) fn new(sql: Arc<str>, safe_to_cache: bool, values: Values<DB>) -> Self {
        let kept = Kept::copy_of(&values);
        Self { sql, safe_to_cache, first: Some(values), kept }
    }

    /// The values for one attempt.
    pub(crate) fn take_values(&mut self) -> Values<DB> {
        self.first.take().unwrap_or_else(|| self.kept.values())
    }

    /// The query without its values, for who takes those apart from it.
    #[cfg(feature = "async-mysql")]
    pub(crate) fn bare(&self) -> Self {
        let sql = Arc::clone(&self.sql);
        Self { sql, safe_to_cache: self.safe_to_cache, first: None, kept: Kept::none() }
    }

    /// The text, with placeholders for the values.
    pub(crate) fn sql(&self) -> &str {
        &self.sql
    }
}

impl<DB: Backend + TypeMetadata> fmt::Debug for Collected<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collected")
            .field("sql", &self.sql)
            .field("kept", &self.kept)
            .finish_non_exhaustive()
    }
}

/// A [`Collected`] on its way to a connection.
///
/// With an id its prepared statement is looked up by the type of the query it was, as diesel-async
/// does for the query itself: the text need not be hashed. Without one it is by the text.
pub(crate) struct Sent<DB: Backend + TypeMetadata, Q, Id, const HAS_ID: bool> {
    query: Q,
    /// The values, until the connection asks for them.
    values: Cell<Option<Values<DB>>>,
    /// The values for an instrumentation to look at, if there is one.
    shown: OnceCell<Values<DB>>,
    id: PhantomData<fn() -> Id>,
}

impl<DB: Backend + TypeMetadata, Q, Id, const HAS_ID: bool> Sent<DB, Q, Id, HAS_ID> {
    pub(crate) fn new(query: Q, values: Values<DB>) -> Self {
        Self { query, values: Cell::new(Some(values)), shown: OnceCell::new(), id: PhantomData }
    }
}

/// A macro, because the bounds that say "its bind collector is the one of raw bytes" for any backend
/// would have to be repeated wherever a query passes.
macro_rules! sent_to {
    ($backend:ty) => {
        impl<Q, Id, const HAS_ID: bool> Sent<$backend, Q, Id, HAS_ID> {
            /// A copy of the values, while nobody has taken them.
            fn look(&self) -> Values<$backend> {
                let values = self.values.take();
                let copy = values.as_ref().map(Values::moveable);
                self.values.set(values);
                copy.unwrap_or_default()
            }
        }

        /// What a connection asks for is at hand: nothing has to be walked through.
        impl<Q, Id, const HAS_ID: bool> QueryFragment<$backend> for Sent<$backend, Q, Id, HAS_ID>
        where
            Q: Borrow<Collected<$backend>>,
        {
            fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, $backend>) -> QueryResult<()> {
                let query = self.query.borrow();
                if !query.safe_to_cache {
                    pass.unsafe_to_cache_prepared();
                }
                pass.push_sql(&query.sql);
                pass.push_bind_collector_data(self.shown.get_or_init(|| self.look()))
            }

            fn to_sql(
                &self,
                out: &mut <$backend as Backend>::QueryBuilder,
                _backend: &$backend,
            ) -> QueryResult<()> {
                out.push_sql(&self.query.borrow().sql);
                Ok(())
            }

            /// Moves the values into `out`, in which there is nothing yet: this is the whole query.
            fn collect_binds<'b>(
                &'b self,
                out: &mut Values<$backend>,
                _metadata_lookup: &mut <$backend as TypeMetadata>::MetadataLookup,
                _backend: &'b $backend,
            ) -> QueryResult<()> {
                let twice = || Error::QueryBuilderError("its values were asked for twice".into());
                *out = self.values.take().ok_or_else(twice)?;
                Ok(())
            }

            fn is_safe_to_cache_prepared(&self, _backend: &$backend) -> QueryResult<bool> {
                Ok(self.query.borrow().safe_to_cache)
            }
        }
    };
}

#[cfg(feature = "async-postgres")]
sent_to!(diesel::pg::Pg);
#[cfg(feature = "async-mysql")]
sent_to!(diesel::mysql::Mysql);

impl<DB, Q, Id, const HAS_ID: bool> QueryId for Sent<DB, Q, Id, HAS_ID>
where
    DB: Backend + TypeMetadata,
    Id: 'static,
{
    type QueryId = Id;

    const HAS_STATIC_QUERY_ID: bool = HAS_ID;
}

impl<DB: Backend + TypeMetadata, Q, Id, const HAS_ID: bool> Query for Sent<DB, Q, Id, HAS_ID> {
    type SqlType = Untyped;
}

/// Whether all queries of that type are one prepared statement.
pub(crate) fn has_id<T: QueryId>() -> bool {
    T::query_id() == Some(TypeId::of::<T::QueryId>())
}

#[cfg(all(test, feature = "async-postgres"))]
mod tests {
    use diesel::pg::{Pg, PgMetadataLookup};
    use diesel::sql_types::{Integer, Nullable};

    use super::*;

    const SQL: &str = "SELECT $1, $2";

    fn collected() -> QueryResult<Collected<Pg>> {
        let query = diesel::sql_query(SQL);
        let query = query.bind::<Integer, _>(7).bind::<Nullable<Integer>, _>(None::<i32>);
        let mut values = Values::new();
        let lookup: &mut dyn PgMetadataLookup = &mut NoTypes;
        query.collect_binds(&mut values, lookup, &Pg)?;
        Ok(Collected::new(SQL.into(), false, values))
    }

    #[test]
    fn every_attempt_has_the_same_values() {
        let mut query = collected().unwrap();
        for _ in 0..3 {
            let values = query.take_values();
            assert_eq!(values.binds, [Some(vec![0, 0, 0, 7]), None]);
            assert_eq!(values.metadata.len(), 2);
        }
    }

    #[test]
    fn who_looks_at_a_query_takes_nothing_from_it() {
        let mut query = collected().unwrap();
        let values = query.take_values();
        let sent = Sent::<Pg, _, (), false>::new(&query, values);
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
