//! The servers of a scene, whichever engine they run: verbs, and the SQL in which engines differ.

mod mariadb;
mod postgres;

use std::any::Any;
use std::fmt;

use test_kit::KitError;

/// A cluster of the kit's.
///
/// The verbs are the kit's own: see there.
#[allow(missing_docs, reason = "the kit documents them")]
pub trait Servers: fmt::Debug + Send + Sync + Sized + 'static {
    /// The SQL of its engine.
    const TEXTS: Texts;

    /// Starts so many instances with replication of that kind.
    #[must_use]
    fn started(instances: usize, synchronous: bool) -> Self;

    fn url(&self) -> String;
    fn name(&self, index: usize) -> String;
    fn ip(&self, index: usize) -> String;
    fn count(&self) -> usize;
    fn writer(&self) -> usize;
    fn readers(&self) -> Vec<usize>;

    fn kill(&self, index: usize) -> Result<(), KitError>;
    fn start(&self, index: usize) -> Result<(), KitError>;
    fn promote(&self, index: usize) -> Result<(), KitError>;
    fn kill_and_promote(&self, index: usize) -> Result<(), KitError>;
    fn switchover(&self, to: usize) -> Result<(), KitError>;
    fn rejoin(&self, index: usize) -> Result<(), KitError>;
    fn add_reader(&self) -> Result<usize, KitError>;
    fn remove_reader(&self, index: usize) -> Result<(), KitError>;
    fn pause_replay(&self, index: usize) -> Result<(), KitError>;
    fn resume_replay(&self, index: usize) -> Result<(), KitError>;

    /// Has a reader fall behind for good: of what the writer writes from here on, a promotion of the
    /// reader saves nothing that the library could know of.
    fn fall_behind(&self, index: usize) -> Result<(), KitError>;

    /// Waits until every reader that runs has replayed all that the writer has written.
    fn catch_up(&self);

    /// Runs SQL on an instance as the user of the library.
    fn run(&self, index: usize, sql: &str);

    /// Runs SQL on an instance as a superuser.
    fn run_as_superuser(&self, index: usize, sql: &str);

    /// The first column of what a superuser asks of an instance.
    fn numbers(&self, index: usize, sql: &str) -> Vec<i64>;

    /// The sessions of the library on an instance; where they can be told from those of monitors,
    /// without them.
    fn sessions(&self, index: usize) -> Vec<i64>;

    /// Ends one of them.
    fn end(&self, index: usize, session: i64);

    /// Has COMMITs on the writer of those who have written to [`Texts::slow_table`] wait, until what is
    /// returned is dropped.
    fn block_commits(&self) -> Box<dyn Any + Send>;
}

/// The SQL in which engines differ.
#[derive(Clone, Copy, Debug)]
pub struct Texts {
    /// The table of items.
    pub items: &'static str,
    /// Adds 12,000 long items.
    pub fill: &'static str,
    /// Tells the address of the instance, as a text.
    pub address: &'static str,
    /// Tells the number of the session, a `bigint`.
    pub session: &'static str,
    /// How many sessions have the number that is appended.
    pub alive: &'static str,
    /// How many sessions of the library are in a transaction.
    pub in_transaction: &'static str,
    /// How many COMMITs are under way.
    pub committing: &'static str,
    /// Takes a lock that any other on `items` excludes, within seconds.
    pub lock_items: &'static str,
    /// Fails while it is executed.
    pub failing: &'static str,
    /// Whether a transaction in which a statement has failed cannot be committed.
    pub failure_dooms: bool,
    /// Takes some seconds.
    pub sleep: &'static str,
    /// Statements that read.
    pub reads: &'static [&'static str],
    /// Statements for the writer alone, one after the other.
    pub writes: &'static [&'static str],
    /// Makes a function `add_item()` that writes, which nobody can tell by its name.
    pub function: &'static str,
    /// Lets only one item have the name `d`.
    pub one_d: &'static str,
    /// A table `pairs` with a 1, which takes no number twice, checked as late as can be.
    pub pairs: &'static str,
    /// A table `slow`.
    pub slow_table: &'static str,
    /// What a session may leave behind.
    pub leaks: &'static [&'static str],
    /// A setting of those, and its value.
    pub setting: (&'static str, &'static str),
    /// A lock of those: 1 if it is free.
    pub lock: &'static str,
    /// Sleeps a minute where [`Texts::address`] tells the address in place of `{}`; one number.
    pub slow: &'static str,
    /// How many of them run.
    pub sleeping: &'static str,
    /// What the number of a slow read is.
    pub slept: i64,
}
