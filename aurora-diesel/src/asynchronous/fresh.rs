//! How recent what a session reads must be, and carrying that to another process.

use std::time::Instant;

use aurora_core::{CausalToken, Deadline, Explanation, Freshness};
use diesel::result::QueryResult;

use super::connection::AuroraConnection;
use super::driver::Physical;
use super::scope::AsyncFunc;
use crate::errors;

/// Gives the session its freshness back, also when the scope's future is dropped.
struct Scope<'a, C: Physical> {
    connection: &'a mut AuroraConnection<C>,
    before: Freshness,
}

impl<C: Physical> Drop for Scope<'_, C> {
    fn drop(&mut self) {
        self.connection.session.set_freshness(self.before);
    }
}

impl<C: Physical> AuroraConnection<C> {
    /// Runs `work` with reads that see data as recent as this, whatever the session's freshness is.
    ///
    /// A single statement says so with a comment, `/*@fresh strong*/`, which counts more.
    ///
    /// # Errors
    ///
    /// Those of `work`.
    ///
    /// # Cancel safety
    ///
    /// That of `work`; afterwards the session's freshness is what it was before.
    pub async fn with_freshness<F, T, E>(&mut self, freshness: Freshness, work: F) -> Result<T, E>
    where
        for<'r> F: AsyncFnOnce(&'r mut Self) -> Result<T, E>
            + AsyncFunc<&'r mut Self, Result<T, E>, Fut: Send>
            + Send,
    {
        let before = self.session.set_freshness(freshness);
        let scope = Scope { connection: self, before };
        work(&mut *scope.connection).await
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
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn token(&mut self) -> QueryResult<CausalToken> {
        self.heal();
        let deadline = Deadline::of(self.cluster()).no_later_than(self.session.limit());
        let token =
            self.cluster().token(self.session.stands_for(Instant::now()), deadline.at()).await;
        token.map_err(|error| errors::from_core(&error))
    }

    /// Has the session's reads, until check-in, see what the token stands for, whatever its
    /// freshness. A transaction that is open already stays on its connection, as it is.
    ///
    /// # Errors
    ///
    /// Those of [`Cluster::redeem`](aurora_core::Cluster::redeem); the session goes on as before.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn require(&mut self, token: &CausalToken) -> QueryResult<()> {
        let deadline = Deadline::of(self.cluster()).no_later_than(self.session.limit());
        let moment = self.cluster().redeem(token, deadline.at()).await;
        self.session.require(moment.map_err(|error| errors::from_core(&error))?);
        Ok(())
    }

    /// Where the SQL text would go now in this session, and why.
    #[must_use]
    pub fn explain(&self, sql: &str) -> Explanation {
        self.cluster().explain_in(&self.session, sql)
    }
}
