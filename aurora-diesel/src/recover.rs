//! Running a statement, and what to do when that fails.
//!
//! A read outside a transaction is run again elsewhere, unseen. A write is run again only when it
//! certainly was not executed: it never left, or the instance refused it as read-only.

use std::sync::Arc;
use std::time::Instant;

use aurora_core::sql::{Classification, Verdict};
use aurora_core::{Complaint, InstanceId, Need, Outcome, Role};
use diesel::connection::{
    AnsiTransactionManager, TransactionManager as _, TransactionManagerStatus,
};
use diesel::result::{Error, QueryResult};

use crate::connection::AuroraConnection;
use crate::errors::{self, Trouble};
use crate::lease::Deadline;
use crate::manager::Physical;
use crate::transaction::{begins_on_reader, commits, only_begins};

/// How often a statement is run whose connection broke under it. A statement that crashes its
/// server must not be carried from one to the next.
const LOSSES: u32 = 3;

/// How often replay may cancel a read before the writer serves it.
const CONFLICTS: u32 = 3;

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

    fn needs<C: Physical>(&self, session: &AuroraConnection<C>) -> Need {
        match self.text {
            Text::Given(sql) if begins_on_reader(&self.classification, sql) => session.read_need(),
            Text::Given(_) | Text::Rendered(_) => session.need(&self.classification),
        }
    }
}

/// What has gone wrong with one statement so far.
#[derive(Debug, Default)]
struct History {
    losses: u32,
    conflicts: u32,
    refused_by: Option<(InstanceId, u64)>,
}

impl History {
    fn is_empty(&self) -> bool {
        self.losses == 0 && self.conflicts == 0 && self.refused_by.is_none()
    }
}

/// Where the statement failed.
struct Place {
    instance: InstanceId,
    epoch: u64,
    role: Role,
}

impl<C: Physical> AuroraConnection<C> {
    /// Runs a statement where it belongs, and recovers where that is safe.
    pub(crate) fn run<R>(
        &mut self,
        statement: &Statement<'_>,
        mut work: impl FnMut(&mut C) -> QueryResult<R>,
    ) -> QueryResult<R> {
        let deadline = Deadline::of(self.cluster());
        let mut statement = *statement;
        let mut need = statement.needs(self);
        let mut history = History::default();
        loop {
            self.acquire(need, deadline)?;
            let began = if history.is_empty() { deadline.began() } else { Instant::now() };
            match self.attempt(&statement.classification, began, &mut work) {
                Ok(result) => {
                    self.follow(&statement.classification);
                    return Ok(result);
                }
                Err(error) => {
                    need = self.recover(error, &mut statement, need, deadline, &mut history)?
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
        let stats = Arc::clone(lease.stats());
        if classification.verdict() == Verdict::Write {
            stats.count_write();
        }
        let running = stats.start(began);
        let result = work(&mut **lease);
        if result.is_ok() {
            self.used_at = Instant::now();
            running.succeeded(self.used_at);
        }
        result
    }

    /// What a failed statement needs to be run again; the error when it must not be.
    fn recover(
        &mut self,
        error: Error,
        statement: &mut Statement<'_>,
        need: Need,
        deadline: Deadline,
        history: &mut History,
    ) -> QueryResult<Need> {
        let Some(lease) = &mut self.lease else { return Err(error) };
        let status = AnsiTransactionManager::transaction_manager_status_mut(&mut **lease);
        let is_broken = matches!(status, TransactionManagerStatus::InError);
        let place =
            Place { instance: lease.instance().clone(), epoch: lease.epoch(), role: lease.role() };
        match errors::trouble(&error, is_broken) {
            Trouble::Lost => self.lost(&error, true, &place, statement, need, deadline, history),
            Trouble::NotSent => {
                self.lost(&error, false, &place, statement, need, deadline, history)
            }
            Trouble::ReadOnly => self.refused(error, &place, statement, need, deadline, history),
            // Outside a transaction a reader gives this code only when replay was in the way.
            Trouble::Conflict if self.is_free() && place.role == Role::Reader => {
                history.conflicts += 1;
                if deadline.has_passed() {
                    return Err(error);
                }
                Ok(if history.conflicts < CONFLICTS { need } else { Need::Write })
            }
            Trouble::Conflict | Trouble::Statement => {
                self.follow_failure(&statement.classification);
                Err(error)
            }
        }
    }

    /// The connection is gone, and with it the transaction and the session's state.
    #[expect(clippy::too_many_arguments, reason = "the facts of one failure")]
    fn lost(
        &mut self,
        error: &Error,
        sent: bool,
        place: &Place,
        statement: &Statement<'_>,
        need: Need,
        deadline: Deadline,
        history: &mut History,
    ) -> QueryResult<Need> {
        let classification = &statement.classification;
        if let Some(lease) = self.lease.take() {
            lease.stats().broke();
        }
        let message = errors::driver_message(error);
        self.cluster().complain(&place.instance, place.epoch, Complaint::ConnectionLost, message);
        self.dirty = false;
        let was_pinned = std::mem::take(&mut self.pinned);
        if self.transaction.take().is_some() {
            AnsiTransactionManager::transaction_manager_status_mut(self).set_in_error();
            let in_doubt = sent && commits(classification);
            return Err(self.give_up(error, in_doubt, place));
        }
        let on_reader = place.role == Role::Reader && classification.verdict() == Verdict::Read;
        let harmless =
            !sent || only_begins(classification) || classification.rerunnable() || on_reader;
        history.losses += 1;
        if harmless && !was_pinned && history.losses < LOSSES && !deadline.has_passed() {
            return Ok(need);
        }
        Err(self.give_up(error, !harmless, place))
    }

    fn give_up(&mut self, error: &Error, in_doubt: bool, place: &Place) -> Error {
        let outcome = if in_doubt { Outcome::Unknown } else { Outcome::NotApplied };
        if in_doubt {
            // What may have been written counts as written.
            self.last_write = Some(Instant::now());
        }
        errors::lost(error, &place.instance, outcome)
    }

    /// The instance refused a write: nothing was executed.
    fn refused(
        &mut self,
        error: Error,
        place: &Place,
        statement: &mut Statement<'_>,
        need: Need,
        deadline: Deadline,
        history: &mut History,
    ) -> QueryResult<Need> {
        let by_choice = self.transaction.is_some_and(|transaction| transaction.read_only);
        if !self.is_free() {
            self.follow_failure(&statement.classification);
            if !by_choice && place.role == Role::Writer {
                self.doubt_role(place, deadline);
            }
            return Err(error);
        }
        if place.role == Role::Reader && need != Need::Write {
            // What it is judged by from here on: it must not be run twice, and it counts as a
            // write of the session.
            if let Some(write) = self.remember_write(statement) {
                statement.classification = write;
            }
            return Ok(Need::Write);
        }
        self.release();
        let who = (place.instance.clone(), place.epoch);
        if deadline.has_passed() || history.refused_by.as_ref() == Some(&who) {
            // Asked again it still is the writer: somebody made the session read-only.
            return Err(error);
        }
        history.refused_by = Some(who);
        self.doubt_role(place, deadline);
        Ok(need)
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

    /// Whether the session may leave its connection.
    pub(crate) fn is_free(&self) -> bool {
        self.transaction.is_none() && !self.pinned
    }
}
