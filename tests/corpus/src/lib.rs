//! Asks real servers what statements do, and judges the classifier by it.
//!
//! The scripts of a server's own regression suite run on a writer. Before each statement runs
//! there, it is tried on a caught-up server that may not write, in a session of its own: is it
//! refused, does it take locks, does it change the session or the transaction? What does must not
//! be called a read; what does not should be.

pub mod mysql;
pub mod postgres;
mod record;
mod report;
mod truth;

pub use record::Record;
pub use report::{READS, Report, name};
pub use truth::Truth;
