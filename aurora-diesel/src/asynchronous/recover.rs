//! Running a statement, and recovering where that is safe.

use std::time::Instant;

use aurora_core::session::{Failure, Place, Recovery, Step, Trouble};
use aurora_core::sql::{Classification, Verdict};
use aurora_core::{Cluster, Complaint, Deadline, Need, Outcome};
use diesel::result::{DatabaseErrorKind, Error, QueryResult};

use super::connection::AuroraConnection;
use super::driver::Physical;
use super::driver::sealed::{After, Condition, Diagnosis, Link as _};
use super::lease::lost;
use super::statement::{Done, Statement, Work, controls_transaction, ends_transaction};
use crate::errors;

/// One attempt that failed.
struct Failed {
    error: Error,
    trouble: Trouble,
    /// No transaction is open on the connection.
    transaction_is_over: bool,
    /// What became of the transaction around it.
    after: After,
}

/// What happens seldom is boxed here, and where it waits for an instance: the future of every
/// statement is allocated, and has the size of the largest thing it may have to wait for.
impl<C: Physical> AuroraConnection<C> {
    /// Runs a statement where it belongs, and recovers where that is safe.
    pub(crate) async fn run(&mut self, statement: &mut Statement<'_, C>) -> QueryResult<Done<C>> {
        self.heal();
        if self.leftover().is_some() {
            Box::pin(self.finish_leftover()).await;
        }
        let deadline = Deadline::of(&self.shared.cluster).no_later_than(self.session.limit());
        let sql = statement.batch();
        let mut need = self.session.need(&statement.classification, sql, || deadline.began());
        let mut recovery = Recovery::default();
        loop {
            let terms = deadline.taking_idle(recovery.takes_idle());
            if C::KEEPS_INSERT_ID && statement.classification.follows() {
                Box::pin(self.follow(statement, need, terms)).await?;
            } else {
                self.acquire(need, terms).await?;
            }
            let began = if recovery.is_first_attempt() { deadline.began() } else { Instant::now() };
            match self.attempt(statement, began).await {
                Ok(done) => return Ok(done),
                Err(failed) => {
                    let step = self.judge(&failed, statement, need, deadline, &mut recovery);
                    need = Box::pin(self.take(step, failed, statement, deadline)).await?;
                }
            }
        }
    }

    async fn attempt(
        &mut self,
        statement: &mut Statement<'_, C>,
        began: Instant,
    ) -> Result<Done<C>, Failed> {
        let classification = statement.classification;
        let Some(lease) = &mut self.lease else {
            return Err(Failed::not_sent(Error::BrokenTransactionManager));
        };
        if lease.is_closed() {
            return Err(Failed::not_sent(lost("its connection was closed")));
        }
        // Whoever drops this future from here on leaves the connection in the middle of something.
        self.in_flight = Some(classification);
        let role = lease.role();
        let (connection, stats) = lease.counted();
        if classification.verdict() == Verdict::Write {
            stats.count_write();
        }
        let running = stats.start(began);
        match statement.perform(connection).await {
            Ok(done) => {
                let now = Instant::now();
                running.succeeded(now);
                self.used_at = now;
                self.in_flight = None;
                self.session.succeeded(&classification, role, now);
                self.note_insert(statement);
                Ok(done)
            }
            Err(error) => {
                drop(running);
                let ends = ends_transaction(&classification);
                let found = Box::pin(self.diagnose(error, ends)).await;
                self.in_flight = None;
                let transaction_is_over = ends && found.condition == Condition::Usable;
                let Diagnosis { error, trouble, after, .. } = found;
                Err(Failed { error, trouble, transaction_is_over, after })
            }
        }
    }

    /// Whether the server has aborted the transaction that `commit` would end.
    pub(crate) async fn is_aborted(&mut self, commit: Classification) -> bool {
        self.in_flight = Some(commit);
        let condition = self.condition().await;
        self.in_flight = None;
        condition == Condition::InFailedTransaction
    }

    /// Does what the server would do for a COMMIT, and says so.
    pub(crate) async fn roll_back_aborted(&mut self) -> QueryResult<()> {
        let sql = "ROLLBACK";
        let classification = self.shared.cluster.classify(sql);
        if self.run(&mut Statement { classification, work: Work::Batch(sql) }).await.is_err() {
            // The connection broke under it, which comes to the same.
            self.give_up_transaction();
        }
        let text = "the server had aborted the transaction when a statement in it failed: \
                    it was rolled back";
        Err(Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(text.to_owned())))
    }

    /// How the connection is, asked past the session's instrumentation.
    async fn condition(&mut self) -> Condition {
        let Some(lease) = &mut self.lease else { return Condition::Closed };
        let condition = lease.condition().await;
        self.show_instrumentation();
        condition
    }

    /// What an error means, asked past the session's instrumentation.
    async fn diagnose(&mut self, error: Error, ends: bool) -> Diagnosis {
        let Some(lease) = &mut self.lease else {
            let (trouble, condition) = (Trouble::Lost, Condition::Closed);
            return Diagnosis { error, trouble, condition, after: After::Aborted };
        };
        let found = lease.diagnose(error, ends).await;
        self.show_instrumentation();
        found
    }

    /// Decides about a failure, and lets the session follow it.
    fn judge(
        &mut self,
        failed: &Failed,
        statement: &Statement<'_, C>,
        need: Need,
        deadline: Deadline,
        recovery: &mut Recovery,
    ) -> (Step, Option<Place>) {
        let Some(place) = self.place() else { return (Step::Fail, None) };
        let classification = &statement.classification;
        let failure = Failure {
            at: Instant::now(),
            classification,
            has_time: !deadline.has_passed(),
            need,
            place: &place,
            transaction_is_over: failed.transaction_is_over,
            trouble: failed.trouble,
        };
        let step = recovery.next(&mut self.session, &failure);
        match failed.trouble {
            Trouble::Lost | Trouble::NotSent => {
                self.bury(&place, &failed.error);
            }
            Trouble::Conflict
                if failed.after != After::GoesOn && !controls_transaction(classification) =>
            {
                self.manager_status().set_requires_rollback_maybe_up_to_top_level(true);
            }
            Trouble::Conflict | Trouble::ReadOnly | Trouble::Statement => {}
        }
        if failed.after == After::RolledBack && self.session.in_transaction() {
            // Nothing may run outside of the transaction it is meant to be part of.
            self.session.rolled_back();
        }
        (step, Some(place))
    }

    /// Does what was decided: what the statement needs to be run again, or its error.
    async fn take(
        &mut self,
        (step, place): (Step, Option<Place>),
        failed: Failed,
        statement: &mut Statement<'_, C>,
        deadline: Deadline,
    ) -> QueryResult<Need> {
        let Some(place) = place else { return Err(failed.error) };
        match step {
            Step::Again(need) => Ok(need),
            Step::AskThenAgain(need) => {
                self.release();
                doubt_role(&self.shared.cluster, &place, deadline).await;
                Ok(need)
            }
            Step::AskThenFail => {
                doubt_role(&self.shared.cluster, &place, deadline).await;
                Err(failed.error)
            }
            Step::OnWriter => {
                let (shared, sql) = (&self.shared, statement.sql());
                shared.refusals.remember(&shared.cluster, sql);
                // What it is judged by from here on: it must not be run twice, and it counts as a
                // write of the session.
                statement.classification = shared.cluster.classify(sql);
                Ok(Need::Write)
            }
            Step::Fail => Err(failed.error),
            Step::FailLost(outcome) => Err(errors::lost(&failed.error, &place.instance, outcome)),
        }
    }

    /// Where the leased connection leads.
    pub(crate) fn place(&self) -> Option<Place> {
        let lease = self.lease.as_ref()?;
        let instance = lease.instance().clone();
        Some(Place { instance, epoch: lease.epoch(), role: lease.role() })
    }

    /// The connection broke: nobody uses it, or those that were idle beside it, again.
    pub(crate) fn bury(&mut self, place: &Place, error: &Error) {
        if let Some(lease) = &self.lease {
            lease.stats().broke();
        }
        self.close_lease();
        let cluster = &self.shared.cluster;
        let message = errors::driver_message(error);
        cluster.complain(&place.instance, place.epoch, Complaint::ConnectionLost, message);
    }
}

/// Has the instance asked again about its role, and waits for the answer.
async fn doubt_role(cluster: &Cluster, place: &Place, deadline: Deadline) {
    let now = Instant::now();
    let message = "it refused a write";
    cluster.complain(&place.instance, place.epoch, Complaint::WrongRole, message);
    let until = deadline.at().min(now + cluster.config().probe_timeout());
    cluster.wait_confirmed(&place.instance, place.epoch, now, until).await;
}

impl Failed {
    fn not_sent(error: Error) -> Self {
        let (trouble, after) = (Trouble::NotSent, After::GoesOn);
        Self { error, trouble, transaction_is_over: false, after }
    }
}

/// The error of rows of which some were delivered already: nothing is run again then.
pub(crate) fn lost_in_the_middle(error: &Error, place: &Place) -> Error {
    errors::lost(error, &place.instance, Outcome::NotApplied)
}
