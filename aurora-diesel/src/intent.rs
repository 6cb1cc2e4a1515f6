//! Read or write? Known queries by their type, everything else by its text.

use std::any::TypeId;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
#[cfg(any(feature = "async-postgres", feature = "async-mysql"))]
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aurora_core::Cluster;
use aurora_core::sql::Classification;
use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::query_builder::{QueryBuilder, QueryFragment, QueryId};

/// The verdicts a session remembers by query type: no lock, no rendering, no scanning.
///
/// As safe as Diesel's own cache of prepared statements, which has the same key.
#[derive(Default)]
pub(crate) struct Intents {
    known: HashMap<TypeId, Classification, BuildHasherDefault<TypeIdHasher>>,
    /// The SQL of query types, where it was asked for.
    #[cfg(any(feature = "async-postgres", feature = "async-mysql"))]
    texts: HashMap<TypeId, Arc<str>, BuildHasherDefault<TypeIdHasher>>,
    /// Of which state of the refusals this is.
    refusals: u64,
}

/// Counts the statements that readers refused, in all sessions of a manager: what a session
/// remembers from before may be wrong.
#[derive(Debug, Default)]
pub(crate) struct Refusals(AtomicU64);

impl Refusals {
    /// Notes that a reader refused the statement; from now on it is a write.
    pub(crate) fn remember(&self, cluster: &Cluster, sql: &str) {
        cluster.remember_write(sql);
        self.0.fetch_add(1, Ordering::Release);
    }
}

impl Intents {
    /// The verdict on a query.
    pub(crate) fn classify<DB, T>(
        &mut self,
        source: &T,
        cluster: &Cluster,
        refusals: &Refusals,
    ) -> QueryResult<Classification>
    where
        DB: Backend + Default,
        DB::QueryBuilder: Default,
        T: QueryFragment<DB> + QueryId,
    {
        let Some(key) = T::query_id() else {
            return Ok(cluster.classify(&render::<DB, T>(source)?));
        };
        let now = refusals.0.load(Ordering::Acquire);
        if self.refusals != now {
            self.known.clear();
            self.refusals = now;
        }
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let classification = cluster.classify(&render::<DB, T>(source)?);
        self.known.insert(key, classification);
        Ok(classification)
    }
}

#[cfg(any(feature = "async-postgres", feature = "async-mysql"))]
impl Intents {
    /// The SQL of a query, without its bind values; `is_stable` is what Diesel says of this query:
    /// one prepared statement serves all of its type. So then the SQL is rendered once.
    pub(crate) fn text<DB, T>(&mut self, source: &T, is_stable: bool) -> QueryResult<Arc<str>>
    where
        DB: Backend + Default,
        DB::QueryBuilder: Default,
        T: QueryFragment<DB> + QueryId,
    {
        let Some(key) = T::query_id().filter(|_| is_stable) else {
            return Ok(render::<DB, T>(source)?.into());
        };
        if let Some(text) = self.texts.get(&key) {
            return Ok(Arc::clone(text));
        }
        let text: Arc<str> = render::<DB, T>(source)?.into();
        self.texts.insert(key, Arc::clone(&text));
        Ok(text)
    }
}

/// The SQL of a query, without its bind values.
pub(crate) fn render<DB, T>(source: &T) -> QueryResult<String>
where
    DB: Backend + Default,
    DB::QueryBuilder: Default,
    T: QueryFragment<DB>,
{
    let mut builder = DB::QueryBuilder::default();
    source.to_sql(&mut builder, &DB::default())?;
    Ok(builder.finish())
}

/// A [`TypeId`] is a hash already.
#[derive(Default)]
pub(crate) struct TypeIdHasher(u64);

impl Hasher for TypeIdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(all(test, feature = "async-postgres"))]
mod tests {
    use diesel::pg::Pg;
    use diesel::query_builder::AstPass;

    use super::*;

    struct Text(&'static str);

    impl QueryFragment<Pg> for Text {
        fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
            pass.push_sql(self.0);
            Ok(())
        }
    }

    impl QueryId for Text {
        type QueryId = Self;
    }

    #[test]
    fn the_text_of_a_type_is_kept_only_where_diesel_calls_it_stable() {
        let mut intents = Intents::default();
        let mut text = |sql, is_stable| intents.text::<Pg, _>(&Text(sql), is_stable).unwrap();
        assert_eq!(&*text("unstable", false), "unstable");
        assert_eq!(&*text("first", true), "first");
        assert_eq!(&*text("other", true), "first");
        assert_eq!(&*text("other", false), "other");
    }
}
