//! What to do about a statement that failed: the core decides, here it is carried out.

use std::time::Instant;

use aurora_core::session::{Failure, Place, Recovery, Step, Trouble};
use aurora_core::sql::Verdict;
use aurora_core::{Complaint, Deadline, Need, Outcome};

use super::Runner;
use crate::attempt::Attempt;
use crate::engine::Aftermath;
use crate::errors;
use crate::held::Condition;
use crate::statement::Statement;

impl Runner {
    /// What a failed statement needs to be run again; the error when it must not be.
    pub(super) async fn recover(
        &mut self,
        error: sqlx::Error,
        attempt: &Attempt<'_>,
        recovery: &mut Recovery,
        statement: Statement<'_>,
    ) -> Result<Need, sqlx::Error> {
        let Some(held) = &mut self.held else { return Err(error) };
        let (place, trouble, at) = (held.place(), errors::trouble(&error), Instant::now());
        // What a refused COMMIT leaves behind, nobody else shall find.
        let is_doubtful = matches!(attempt.classification.verdict(), Verdict::Transaction(_))
            && !held.link().ends_by_refused_commit();
        held.set(if errors::leaves_connection_usable(&error) && !is_doubtful {
            Condition::Clean
        } else {
            Condition::Dirty
        });
        let aftermath = held.link().aftermath(&error);
        let is_lost = matches!(trouble, Trouble::Lost | Trouble::NotSent);
        if is_lost {
            held.lease().stats().broke();
            let message = errors::driver_message(&error);
            let cluster = self.pools.cluster();
            cluster.complain(&place.instance, place.epoch, Complaint::ConnectionLost, message);
        }
        let failure = Failure {
            at,
            classification: &attempt.classification,
            has_time: !attempt.deadline.has_passed(),
            need: attempt.need,
            place: &place,
            // COMMIT ends the transaction even when it fails.
            transaction_is_over: true,
            trouble,
        };
        let step = attempt.limit(recovery.next(&mut self.session, &failure), is_lost);
        self.follow_failure(&error, is_lost, aftermath);
        match step {
            Step::Again(need) => Ok(need),
            Step::AskThenAgain(need) => {
                self.doubt_role(&place, attempt.deadline).await;
                Ok(need)
            }
            Step::AskThenFail => {
                self.doubt_role(&place, attempt.deadline).await;
                Err(error)
            }
            Step::OnWriter => {
                self.pools.cluster().remember_write(statement.sql);
                Ok(Need::Write)
            }
            Step::Fail => Err(error),
            Step::FailLost(outcome) => {
                self.wrote |= outcome == Outcome::Unknown;
                Err(errors::lost(error, &place.instance, outcome))
            }
        }
    }

    /// Lets the session's own marks follow a statement that failed.
    fn follow_failure(&mut self, error: &sqlx::Error, is_lost: bool, aftermath: Aftermath) {
        if is_lost {
            self.close();
            self.aborted = false;
        } else if !self.session.in_transaction() {
            self.aborted = false;
            self.release();
        } else if !errors::leaves_connection_usable(error) {
            self.close();
        } else {
            match aftermath {
                #[cfg(feature = "postgres")]
                Aftermath::Aborted => self.aborted = true,
                Aftermath::Nothing => {}
                #[cfg(feature = "mysql")]
                Aftermath::RolledBack => self.rolled_back(),
            }
        }
    }

    /// There is no transaction any more, whose owner does not know it yet: the connection is good,
    /// but what the owner sends would be committed by itself.
    #[cfg(feature = "mysql")]
    fn rolled_back(&mut self) {
        self.session.rolled_back();
        self.aborted = true;
        self.release();
    }

    /// Has the instance asked again about its role, and waits for the answer.
    async fn doubt_role(&self, place: &Place, deadline: Deadline) {
        let cluster = self.pools.cluster();
        let now = Instant::now();
        let message = "it refused a write";
        cluster.complain(&place.instance, place.epoch, Complaint::WrongRole, message);
        let until = deadline.at().min(now + cluster.config().probe_timeout());
        cluster.wait_confirmed(&place.instance, place.epoch, now, until).await;
    }
}
