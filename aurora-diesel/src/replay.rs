//! What the replayable transactions of both kinds of sessions share.

use std::hash::{BuildHasher as _, RandomState};

use aurora_core::Retry;
use aurora_core::session::{Place, Trouble};
use aurora_core::transaction::{Doubt, Failed, Phase};
use diesel::result::Error;

#[cfg(any(feature = "postgres", feature = "async-postgres"))]
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

/// What went wrong in an attempt to run a transaction: what its session met, else `otherwise`.
pub(crate) fn blame(
    phase: Phase,
    met: Option<(Trouble, Place)>,
    otherwise: Trouble,
) -> Box<Failed> {
    let (trouble, place) = match met {
        Some((trouble, place)) => (trouble, Some(place)),
        None => (otherwise, None),
    };
    Box::new(Failed { phase, trouble, place })
}

/// What an error of ours means that no server had a part in.
pub(crate) fn trouble_of(error: &Error) -> Trouble {
    match crate::errors::retry(error) {
        Retry::AfterTopologyChange => Trouble::NotSent,
        Retry::IfIdempotent => Trouble::Lost,
        Retry::Never => Trouble::Statement,
    }
}

/// A seed for jitter: not two sessions pause alike.
pub(crate) fn seed() -> u64 {
    RandomState::new().hash_one(0)
}
