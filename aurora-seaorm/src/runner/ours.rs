//! What a replayable transaction asks of its session.

use aurora_core::session::{Place, Recovery, Trouble};
use aurora_core::{Deadline, Need};

use super::{Runner, TRANSACTION_LOST};
use crate::attempt::Attempt;
use crate::errors;
use crate::statement::{Answer, Ask};

impl Runner {
    /// What the last statement met with that failed; forgets it.
    pub(crate) fn take_trouble(&mut self) -> Option<(Trouble, Place)> {
        self.session.take_trouble()
    }

    /// Runs a statement of ours in the open transaction, judged as if it were `class`.
    pub(crate) async fn run_as(
        &mut self,
        class: &str,
        sql: &str,
        ask: Ask<'_>,
    ) -> Result<Answer, sqlx::Error> {
        let cluster = self.pools.cluster();
        let classification = cluster.classify(class);
        let deadline = Deadline::of(cluster);
        self.acquire(Need::Write, deadline).await?;
        let error = match self.attempt(sql.into(), ask, &classification).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let attempt = Attempt { ask, classification, deadline, need: Need::Write };
        // In a transaction nothing is run again.
        match self.recover(error, &attempt, &mut Recovery::default(), sql.into()).await {
            Ok(_) => Err(errors::lost_before(TRANSACTION_LOST)),
            Err(error) => Err(error),
        }
    }
}
