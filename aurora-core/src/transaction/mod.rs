//! Replayable transactions: what may be run again, and what became of a COMMIT whose answer was
//! lost. Shared by all adapters; pure but for [`MarkerId::random`].
//!
//! An attempt to run a transaction fails in one of two phases. Before its COMMIT was sent, it
//! certainly was not applied. From then on, a connection that breaks leaves it in doubt: of the
//! COMMITs that end so, most have been executed. [`Attempts`] decides; what it cannot decide is
//! resolved by asking the cluster, with the [`Evidence`] that was taken before the COMMIT:
//!
//! * A **marker** is a row with a unique key that the transaction itself has written. Whoever
//!   resolves writes a row of the same key, which waits for the transaction to end, and of the two
//!   rows one wins: the row that is there says which. This holds across crashes and failovers.
//! * A **transaction id** can be asked about with `txid_status`, for as long as the same server
//!   goes on without a crash: after a crash or a promotion ids are given to other transactions.
//!   Whether it did is known from the monitor's session, which breaks with every crash. MySQL has
//!   nothing like it: it gives a transaction its GTID with the COMMIT, and tells it in the very
//!   answer that was lost; and no user can ask what became of an id of InnoDB's.

mod attempts;
mod doubt;
mod marker;
mod options;

pub use self::attempts::{Attempts, Failed, Next, Phase};
pub use self::doubt::{Doubt, Evidence};
#[cfg(feature = "mysql")]
pub use self::marker::CREATE_TABLE_MYSQL;
#[cfg(feature = "mysql")]
pub(crate) use self::marker::{BATCH, MySqlMarkers};
pub use self::marker::{CREATE_TABLE, KEEP, MarkerId, MarkerTable};
pub use self::options::{Resolve, RunOptions};

#[cfg(test)]
mod tests;
