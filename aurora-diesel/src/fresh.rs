//! How recent what a session reads must be, and carrying that to another process.

use std::time::Instant;

use aurora_core::{CausalToken, Deadline, Explanation, Freshness};
use diesel::result::QueryResult;

use crate::connection::AuroraConnection;
use crate::errors;
use crate::manager::Physical;

impl<C: Physical> AuroraConnection<C> {
    /// Runs `work` with reads that see data as recent as this, whatever the session's freshness is.
    ///
    /// A single statement says so with a comment, `/*@fresh strong*/`, which counts more.
    ///
    /// # Errors
    ///
    /// Those of `work`.
    pub fn with_freshness<T, E>(
        &mut self,
        freshness: Freshness,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let before = self.session.set_freshness(freshness);
        let result = work(self);
        self.session.set_freshness(before);
        result
    }

    /// A token of what the session has written and committed, and of what it continues: in another
    /// process, [`AuroraConnection::require`] has reads see it. What an open transaction has
    /// written is not in it.
    ///
    /// Waits until the writer has told a position after the session's last write, which takes
    /// about a round trip of the monitor, and `failover_timeout` at most; not at all when the
    /// session has written nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Cluster::token`](aurora_core::Cluster::token).
    pub fn token(&mut self) -> QueryResult<CausalToken> {
        let deadline = Deadline::of(self.cluster()).no_later_than(self.session.limit());
        let token =
            self.cluster().token_blocking(self.session.stands_for(Instant::now()), deadline.at());
        token.map_err(|error| errors::from_core(&error))
    }

    /// Has the session's reads, until check-in, see what the token stands for, whatever its
    /// freshness. A transaction that is open already stays on its connection, as it is.
    ///
    /// # Errors
    ///
    /// Those of [`Cluster::redeem`](aurora_core::Cluster::redeem); the session goes on as before.
    pub fn require(&mut self, token: &CausalToken) -> QueryResult<()> {
        let deadline = Deadline::of(self.cluster()).no_later_than(self.session.limit());
        let moment = self.cluster().redeem_blocking(token, deadline.at());
        self.session.require(moment.map_err(|error| errors::from_core(&error))?);
        Ok(())
    }

    /// Where the SQL text would go now in this session, and why.
    #[must_use]
    pub fn explain(&self, sql: &str) -> Explanation {
        self.cluster().explain_in(&self.session, sql)
    }
}
