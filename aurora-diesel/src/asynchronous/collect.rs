//! A query with its values taken out of it, so that it can wait for a connection, and be run again.
//!
//! Diesel's queries need not be `Send`, so none of them can be held while something is awaited.

use diesel::QueryResult;
use diesel::pg::{Pg, PgQueryBuilder};
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::query_builder::{AstPass, Query, QueryBuilder as _, QueryFragment, QueryId};
use diesel::sql_types::Untyped;

use super::types::CustomTypes;

/// The SQL and the values of a query.
#[derive(Debug)]
pub(crate) struct Collected {
    sql: String,
    safe_to_cache: bool,
    binds: RawBytesBindCollector<Pg>,
    /// The types of the user's own that it mentions.
    custom: Option<CustomTypes>,
}

impl Collected {
    /// Takes `query` apart.
    pub(crate) fn new(query: &impl QueryFragment<Pg>) -> QueryResult<Self> {
        let mut builder = PgQueryBuilder::default();
        query.to_sql(&mut builder, &Pg)?;
        let (binds, custom) = CustomTypes::collect(query)?;
        let safe_to_cache = query.is_safe_to_cache_prepared(&Pg)?;
        Ok(Self { sql: builder.finish(), safe_to_cache, binds, custom })
    }

    /// The types whose numbers have to be filled in before it can be sent.
    pub(crate) fn custom(&self) -> Option<&CustomTypes> {
        self.custom.as_ref()
    }

    /// The same query with other values.
    pub(crate) fn with_binds(&self, binds: RawBytesBindCollector<Pg>) -> Self {
        let (sql, safe_to_cache) = (self.sql.clone(), self.safe_to_cache);
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

/// Prepared statements are looked up by their text.
impl QueryId for Collected {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Collected {
    type SqlType = Untyped;
}
