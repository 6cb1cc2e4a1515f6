//! The servers of a scene, whichever engine they run: verbs, and the SQL in which engines differ.

mod mariadb;
mod postgres;
mod setup;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use test_kit::chaos::{Aim, ChaosProxy, Direction};
use test_kit::{KitError, PacketLoss};

pub use self::setup::Setup;

/// A cluster of the kit's.
///
/// The verbs are the kit's own: see there.
#[allow(missing_docs, reason = "the kit documents them")]
pub trait Servers: fmt::Debug + Send + Sync + Sized + 'static {
    /// The SQL of its engine.
    const TEXTS: Texts;
    /// Whether the sessions of a writer that is switched over stay open, so that it refuses what they
    /// go on to write.
    const DEMOTED_SESSIONS_STAY: bool;

    /// Starts servers like these.
    #[must_use]
    fn started(setup: &Setup) -> Self;

    fn url(&self) -> String;
    fn name(&self, index: usize) -> String;
    fn ip(&self, index: usize) -> String;
    fn count(&self) -> usize;
    fn writer(&self) -> usize;
    fn readers(&self) -> Vec<usize>;

    fn pid(&self, index: usize) -> Option<i32>;
    fn proxy(&self, index: usize) -> Arc<ChaosProxy>;
    fn lose_packets(&self, index: usize, direction: Direction) -> Result<PacketLoss, KitError>;
    fn lose_flows(&self, index: usize, clients: &[u16]) -> Result<PacketLoss, KitError>;

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
    fn pause(&self, index: usize) -> Result<(), KitError>;
    fn resume(&self, index: usize) -> Result<(), KitError>;

    /// Has an instance refuse writes, also those of sessions that are open; or not any more, from its
    /// next start on if it does not run.
    fn set_read_only(&self, index: usize, refuse: bool) -> Result<(), KitError>;

    /// Has an instance crash that is back in no time.
    fn crash_and_restart(&self, index: usize) -> Result<(), KitError>;

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

    /// The first column of what a superuser asks of an instance, as texts.
    fn texts(&self, index: usize, sql: &str) -> Vec<String>;

    /// The sessions of the library on an instance; where they can be told from those of monitors,
    /// without them.
    fn sessions(&self, index: usize) -> Vec<i64>;

    /// The sessions of monitors on an instance, where they can be told from the others.
    fn monitors(&self, index: usize) -> Option<usize>;

    /// Ends one of them.
    fn end(&self, index: usize, session: i64);

    /// Has COMMITs on the writer of those who have written to [`Texts::slow_table`] wait, until what is
    /// returned is dropped.
    fn block_commits(&self) -> Box<dyn Any + Send>;

    /// Leaves no instance a slot for another session of the library's, until [`Self::make_room`] is
    /// given what is returned.
    fn fill(&self) -> Box<dyn Any + Send>;

    /// Takes [`Self::fill`] back.
    fn make_room(&self, filled: Box<dyn Any + Send>);

    /// The same servers, of which a client that asks for TLS has to be answered.
    fn knowing_tls(setup: Setup, certificate: &str, key: &str) -> Setup;

    /// Meets what the load does on an instance, if 0 is the writer.
    fn aim_at_load(index: usize) -> Aim;
}

/// The verbs that both kits have, by the same names.
macro_rules! verbs {
    () => {
        fn url(&self) -> String {
            self.url()
        }

        fn name(&self, index: usize) -> String {
            self.name(index)
        }

        fn ip(&self, index: usize) -> String {
            self.address(index).0.to_string()
        }

        fn count(&self) -> usize {
            self.len()
        }

        fn writer(&self) -> usize {
            self.writer()
        }

        fn readers(&self) -> Vec<usize> {
            self.readers()
        }

        fn pid(&self, index: usize) -> Option<i32> {
            self.pid(index)
        }

        fn proxy(&self, index: usize) -> Arc<ChaosProxy> {
            self.proxy(index)
        }

        fn lose_packets(
            &self,
            index: usize,
            direction: Direction,
        ) -> Result<PacketLoss, KitError> {
            self.lose_packets(index, direction)
        }

        fn lose_flows(&self, index: usize, clients: &[u16]) -> Result<PacketLoss, KitError> {
            self.lose_flows(index, clients)
        }

        fn add_reader(&self) -> Result<usize, KitError> {
            self.add_reader()
        }

        verbs! { kill start promote kill_and_promote switchover rejoin remove_reader }
        verbs! { pause_replay resume_replay pause resume }
    };
    ($($verb:ident)+) => {
        $(
            fn $verb(&self, index: usize) -> Result<(), KitError> {
                self.$verb(index)
            }
        )+
    };
}
use verbs;

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
    /// How many of them run, of [`Texts::wait`], [`Texts::long_read`] and [`Texts::late_write`].
    pub sleeping: &'static str,
    /// What the number of a slow read is.
    pub slept: i64,
    /// A read that takes so many seconds, in place of `{}`; one number.
    pub wait: &'static str,
    /// A read that takes a second and tells how many items there are, if three.
    pub long_read: &'static str,
    /// Writes an item `half`, after ten minutes.
    pub late_write: &'static str,
    /// How many sessions of the library there are, monitors included, beside those that run a
    /// [`Texts::late_write`]: it may not notice that its client is gone.
    pub left: &'static str,
    /// What the load writes: without a unique index, so that a write that is applied twice shows, and
    /// with the session that wrote it, so that a transaction of two sessions shows.
    pub deeds: &'static str,
    /// The sessions of the library, each in words.
    pub who: &'static str,
    /// The ports of the clients whose sessions have been idle for a second.
    pub idle: &'static str,
    /// Settings that make a server find out soon which clients are gone.
    pub keepalives: &'static [&'static str],
    /// Writes an item, whereupon the disk is full.
    pub disk_full: &'static str,
    /// What a session may have, and what makes it, among it [`Texts::lock`].
    pub states: &'static [(&'static str, &'static str)],
    /// How many locks like [`Texts::lock`] are held.
    pub locked: &'static str,
    /// Makes a transaction that writes a 1 into a table `twice` belong to no session; commits it.
    pub two_phase: [&'static str; 2],
}
