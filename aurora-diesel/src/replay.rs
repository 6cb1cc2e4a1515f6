//! What the replayable transactions of both kinds of sessions share.

use aurora_core::transaction::{Doubt, Failed};
use diesel::result::Error;

diesel::define_sql_function! {
    /// The id of the present transaction, if it has written anything.
    #[sql_name = "pg_catalog.txid_current_if_assigned"]
    fn txid_current_if_assigned() -> diesel::sql_types::Nullable<diesel::sql_types::BigInt>;
}

/// An attempt that failed: how, and what to give back if it is not run again.
pub(crate) struct Attempt<T, E> {
    pub(crate) failed: Box<Failed>,
    pub(crate) error: Blame<E>,
    /// A COMMIT in doubt, and what the closure returned before it.
    pub(crate) doubt: Option<Box<(Doubt, T)>>,
}

/// Whose error it is.
pub(crate) enum Blame<E> {
    Closure(E),
    Ours(Error),
}

impl<E: From<Error>> Blame<E> {
    pub(crate) fn into_error(self) -> E {
        match self {
            Self::Closure(error) => error,
            Self::Ours(error) => error.into(),
        }
    }
}
