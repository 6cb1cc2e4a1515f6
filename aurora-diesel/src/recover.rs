//! Running a statement, and what to do when that fails.
//!
//! A read outside a transaction is run again elsewhere, unseen. A write is run again only when it
//! certainly was not executed: it never left, or the instance refused it as read-only.

use std::time::Instant;

use aurora_core::session::{Failure, Place, Recovery, Step, Trouble};
use aurora_core::sql::{Classification, Verdict};
use aurora_core::{Complaint, Deadline, Family, Lease, Need, Role};
use diesel::connection::{
    AnsiTransactionManager, InstrumentationEvent, TransactionManager as _, TransactionManagerStatus,
};
use diesel::result::{Error, QueryResult};

use crate::connection::AuroraConnection;
use crate::errors;
use crate::manager::Physical;
use crate::manager::sealed::{Explained, Form, Memory as _};
use crate::transaction::depth;

/// A statement, as routing and recovery see it.
#[derive(Clone, Copy)]
pub(crate) struct Statement<'a> {
    classification: Classification,
    text: Text<'a>,
}

/// How to come by the statement's SQL; of a query it is rendered only when it is needed.
#[derive(Clone, Copy)]
enum Text<'a> {
    Given(&'a str),
    Rendered(&'a dyn Fn() -> QueryResult<String>),
}

impl<'a> Statement<'a> {
    pub(crate) fn of_text(classification: Classification, sql: &'a str) -> Self {
        Self { classification, text: Text::Given(sql) }
    }

    pub(crate) fn of_query(
        classification: Classification,
        render: &'a dyn Fn() -> QueryResult<String>,
    ) -> Self {
        Self { classification, text: Text::Rendered(render) }
    }

    /// Whether it may make a number for a row, by the words in it.
    fn may_insert(&self) -> bool {
        let inserts = |sql: &str| {
            sql.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
                ["insert", "replace", "load", "call", "execute"]
                    .iter()
                    .any(|known| word.eq_ignore_ascii_case(known))
            })
        };
        match self.text {
            Text::Given(sql) => inserts(sql),
            Text::Rendered(render) => render().is_ok_and(|sql| inserts(&sql)),
        }
    }

    fn form(&self) -> Form {
        match self.text {
            Text::Given(_) => Form::Text,
            Text::Rendered(_) => Form::Query,
        }
    }

    fn needs<C: Physical>(&self, session: &AuroraConnection<C>) -> Need {
        let sql = match self.text {
            Text::Given(sql) => Some(sql),
            Text::Rendered(_) => None,
        };
        session.session.need(&self.classification, sql, Instant::now)
    }
}

impl<C: Physical> AuroraConnection<C> {
    /// Runs a statement where it belongs, and recovers where that is safe.
    pub(crate) fn run<R>(
        &mut self,
        statement: &Statement<'_>,
        mut work: impl FnMut(&mut C) -> QueryResult<R>,
    ) -> QueryResult<R> {
        let deadline = Deadline::of(self.cluster()).no_later_than(self.session.limit());
        let mut statement = *statement;
        let mut need = statement.needs(self);
        let mut recovery = Recovery::default();
        loop {
            let terms = deadline.taking_idle(recovery.takes_idle());
            self.acquire_for(&statement.classification, need, terms)?;
            if !recovery.is_first_attempt() {
                self.refuse_to_follow(&statement.classification)?;
            }
            let began = if recovery.is_first_attempt() { deadline.began() } else { Instant::now() };
            match self.attempt(&statement.classification, began, &mut work) {
                Ok(result) => {
                    self.succeeded(&statement.classification, self.used_at);
                    if statement.classification.verdict() == Verdict::Write {
                        self.memory.wrote(|| statement.may_insert());
                    }
                    return Ok(result);
                }
                Err(error) => {
                    need = self.recover(error, &mut statement, need, deadline, &mut recovery)?
                }
            }
        }
    }

    fn attempt<R>(
        &mut self,
        classification: &Classification,
        began: Instant,
        work: &mut impl FnMut(&mut C) -> QueryResult<R>,
    ) -> QueryResult<R> {
        let Some(lease) = &mut self.lease else { return Err(Error::BrokenTransactionManager) };
        if self.session.in_transaction() {
            self.depth = depth(&mut **lease);
        }
        // Not a reference of our own to the counters: to count it is to write what all threads do.
        let (connection, stats) = lease.counted();
        if classification.verdict() == Verdict::Write {
            stats.count_write();
        }
        let breaks = stats.breaks();
        let running = stats.start(began);
        let result = work(connection)?;
        let now = Instant::now();
        running.succeeded(now);
        lease.prove(breaks);
        self.used_at = now;
        Ok(result)
    }

    /// Lets the session follow a statement that succeeded at `now`.
    pub(crate) fn succeeded(&mut self, classification: &Classification, now: Instant) {
        let role = self.lease.as_ref().map_or(Role::Unknown, Lease::role);
        self.session.succeeded(classification, role, now);
        self.stay_where_diesel_is(classification);
    }

    /// What a failed statement needs to be run again; the error when it must not be.
    fn recover(
        &mut self,
        error: Error,
        statement: &mut Statement<'_>,
        need: Need,
        deadline: Deadline,
        recovery: &mut Recovery,
    ) -> QueryResult<Need> {
        let Explained { error, transaction_is_over: is_rolled_back } =
            self.find_out(error, statement.form());
        let transaction_is_over = self.transaction_is_over();
        let Some(lease) = &mut self.lease else { return Err(error) };
        let status = AnsiTransactionManager::transaction_manager_status_mut(&mut **lease);
        let is_broken = matches!(status, TransactionManagerStatus::InError);
        let place =
            Place { instance: lease.instance().clone(), epoch: lease.epoch(), role: lease.role() };
        let trouble = match errors::trouble(&error, is_broken) {
            Trouble::NotSent if !is_broken && self.answers() => Trouble::Statement,
            trouble => trouble,
        };
        if matches!(trouble, Trouble::Lost | Trouble::NotSent) {
            self.lose_connection(&error, &place);
        }
        let failure = Failure {
            at: Instant::now(),
            classification: &statement.classification,
            has_time: !deadline.has_passed(),
            need,
            place: &place,
            transaction_is_over,
            trouble,
        };
        let step = recovery.next(&mut self.session, &failure);
        if is_rolled_back {
            self.end_rolled_back();
        }
        if self.session.is_transaction_lost() {
            self.show_lost_transaction();
        }
        match step {
            Step::Again(need) => Ok(need),
            Step::AskThenAgain(need) => {
                self.release();
                self.doubt_role(&place, deadline);
                Ok(need)
            }
            Step::AskThenFail => {
                self.doubt_role(&place, deadline);
                Err(error)
            }
            Step::OnWriter => {
                // What it is judged by from here on: it must not be run twice, and it counts as a
                // write of the session.
                if let Some(write) = self.remember_write(statement) {
                    statement.classification = write;
                }
                Ok(Need::Write)
            }
            Step::Fail => Err(error),
            Step::FailLost(outcome) => Err(errors::lost(&error, &place.instance, outcome)),
        }
    }

    /// Finds out what an error is about, where the driver does not tell.
    fn find_out(&mut self, error: Error, form: Form) -> Explained {
        let (mut error, mut explained) = (Some(error), None);
        if C::FAMILY != Family::Postgres {
            self.unseen(|lease| {
                explained = error.take().map(|error| lease.explain(error, form));
            });
        }
        let error = error.unwrap_or(Error::BrokenTransactionManager);
        explained.unwrap_or(Explained { error, transaction_is_over: false })
    }

    /// Whether the connection works, asked because the driver could not send a statement on it: it
    /// says that of a connection that broke unnoticed, and of a statement that the protocol has no
    /// room for, such as one with more than 65535 values.
    fn answers(&mut self) -> bool {
        // In a transaction that has failed already it answers with another error.
        matches!(self.look(), Ok(()) | Err((_, Trouble::Statement)))
    }

    /// Fails with the server's error if it has aborted the transaction.
    pub(crate) fn refuse_if_aborted(&mut self) -> QueryResult<()> {
        match self.look() {
            Err((error, Trouble::Statement)) => Err(error),
            // A connection that is lost is found out about by the statement itself.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Sends the least there is, past any instrumentation: it is no statement of the user's.
    fn look(&mut self) -> Result<(), (Error, Trouble)> {
        let looked = self.unseen(|lease| {
            let answer = lease.batch_execute("SELECT 1");
            let answer = answer.map_err(|error| lease.explain(error, Form::Text).error);
            let status = AnsiTransactionManager::transaction_manager_status_mut(lease);
            let is_broken = matches!(status, TransactionManagerStatus::InError);
            answer.map_err(|error| {
                let trouble = errors::trouble(&error, is_broken);
                (error, trouble)
            })
        });
        looked.unwrap_or(Err((Error::BrokenTransactionManager, Trouble::Lost)))
    }

    /// Uses the connection, if there is one, past any instrumentation.
    pub(crate) fn unseen<R>(&mut self, work: impl FnOnce(&mut C) -> R) -> Option<R> {
        let lease = self.lease.as_mut()?;
        lease.set_instrumentation(|_: InstrumentationEvent<'_>| ());
        let result = work(&mut **lease);
        lease.set_instrumentation(self.instrumentation.clone());
        self.instrumented = true;
        Some(result)
    }

    /// The connection is gone, and those that were idle beside it are in doubt.
    pub(crate) fn lose_connection(&mut self, error: &Error, place: &Place) {
        if let Some(lease) = self.lease.take() {
            lease.stats().broke();
        }
        self.dirty = false;
        self.memory.lost();
        let message = errors::driver_message(error);
        self.cluster().complain(&place.instance, place.epoch, Complaint::ConnectionLost, message);
    }

    /// Has the instance asked again about its role, and waits for the answer.
    fn doubt_role(&self, place: &Place, deadline: Deadline) {
        let cluster = self.cluster();
        let now = Instant::now();
        let message = "it refused a write";
        cluster.complain(&place.instance, place.epoch, Complaint::WrongRole, message);
        let until = deadline.at().min(now + cluster.config().probe_timeout());
        cluster.wait_confirmed_blocking(&place.instance, place.epoch, now, until);
    }

    /// Remembers that the statement writes; returns the verdict on it from now on.
    fn remember_write(&self, statement: &Statement<'_>) -> Option<Classification> {
        let rendered;
        let sql = match statement.text {
            Text::Given(sql) => sql,
            // It was rendered to be sent: that it cannot be now would be strange, and would only
            // mean that the next one is refused as well.
            Text::Rendered(render) => {
                rendered = render().ok()?;
                &rendered
            }
        };
        self.shared.refusals.remember(self.cluster(), sql);
        Some(self.cluster().classify(sql))
    }
}
