//! A copy of a query's values, for when it has to be run again.

use std::fmt;

use diesel::backend::Backend;
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::sql_types::TypeMetadata;

/// The values of a query, one after the other.
///
/// The driver takes the values themselves, each in an allocation of its own. Nearly all queries
/// need no other attempt: so this copy is made to be cheap to make and to drop.
pub(crate) struct Kept<DB: Backend + TypeMetadata> {
    /// The type of each value, and its length; `None` is NULL.
    heads: Vec<(DB::TypeMetadata, Option<usize>)>,
    bytes: Vec<u8>,
}

impl<DB: Backend + TypeMetadata<TypeMetadata: Clone>> Kept<DB> {
    /// No values.
    #[cfg(feature = "async-mysql")]
    pub(crate) fn none() -> Self {
        Self { heads: Vec::new(), bytes: Vec::new() }
    }

    /// Copies `values`.
    pub(crate) fn copy_of(values: &RawBytesBindCollector<DB>) -> Self {
        let mut heads = Vec::with_capacity(values.binds.len());
        let mut bytes = Vec::with_capacity(values.binds.iter().flatten().map(Vec::len).sum());
        for (metadata, value) in values.metadata.iter().zip(&values.binds) {
            heads.push((metadata.clone(), value.as_ref().map(Vec::len)));
            bytes.extend_from_slice(value.as_deref().unwrap_or_default());
        }
        Self { heads, bytes }
    }

    /// The values, as the driver takes them.
    pub(crate) fn values(&self) -> RawBytesBindCollector<DB> {
        let mut values = RawBytesBindCollector::new();
        let mut rest = &*self.bytes;
        for (metadata, length) in &self.heads {
            let value = length.and_then(|length| rest.split_off(..length));
            values.metadata.push(metadata.clone());
            values.binds.push(value.map(<[u8]>::to_vec));
        }
        values
    }
}

impl<DB: Backend + TypeMetadata> fmt::Debug for Kept<DB> {
    /// Values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("values", &self.heads.len()).finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "async-postgres"))]
mod tests {
    use diesel::pg::{Pg, PgTypeMetadata};

    use super::*;

    #[test]
    fn a_copy_gives_the_same_values_as_often_as_it_is_asked() {
        for binds in [
            vec![],
            vec![Some(vec![1, 2, 3])],
            vec![None],
            vec![Some(vec![]), None, Some(vec![7; 300]), Some(vec![]), Some(vec![1]), None],
        ] {
            let oid = |n: usize| u32::try_from(n).unwrap();
            let types = (0..binds.len()).map(|n| PgTypeMetadata::new(oid(n), oid(n + 100)));
            let mut values = RawBytesBindCollector::<Pg>::new();
            (values.metadata, values.binds) = (types.collect(), binds.clone());
            let kept = Kept::copy_of(&values);
            for _ in 0..2 {
                let again = kept.values();
                assert_eq!(again.binds, binds);
                assert_eq!(again.metadata, values.metadata);
            }
        }
    }
}
