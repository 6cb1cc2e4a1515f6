//! A copy of a query's values, for when it has to be run again.

use diesel::pg::{Pg, PgTypeMetadata};
use diesel::query_builder::bind_collector::RawBytesBindCollector;

/// The values of a query, one after the other.
///
/// The driver takes the values themselves, each in an allocation of its own. Nearly all queries
/// need no other attempt: so this copy is made to be cheap to make and to drop.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The type of each value, and its length; `None` is NULL.
    heads: Vec<(PgTypeMetadata, Option<usize>)>,
    bytes: Vec<u8>,
}

impl Kept {
    /// Copies `values`.
    pub(crate) fn copy_of(values: &RawBytesBindCollector<Pg>) -> Self {
        let mut heads = Vec::with_capacity(values.binds.len());
        let mut bytes = Vec::with_capacity(values.binds.iter().flatten().map(Vec::len).sum());
        for (metadata, value) in values.metadata.iter().zip(&values.binds) {
            heads.push((metadata.clone(), value.as_ref().map(Vec::len)));
            bytes.extend_from_slice(value.as_deref().unwrap_or_default());
        }
        Self { heads, bytes }
    }

    /// The values, as the driver takes them.
    pub(crate) fn values(&self) -> RawBytesBindCollector<Pg> {
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

#[cfg(test)]
mod tests {
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
