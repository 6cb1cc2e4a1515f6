//! Carrying a session to another process.

use aurora_core::{CausalToken, Deadline, Explanation};
use sea_orm::DbErr;

use crate::connection::AuroraConnection;
use crate::errors;

impl AuroraConnection {
    /// A token of what the session has written and committed, and of what it continues: in another
    /// process, [`AuroraConnection::session_after`] has reads see it. What an open transaction has
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
    pub async fn token(&self) -> Result<CausalToken, DbErr> {
        let deadline = Deadline::of(self.cluster()).at();
        let token = self.cluster().token(self.owner().stands_for(), deadline).await;
        token.map_err(|error| errors::query_err(errors::from_core(error)))
    }

    /// A session of its own ([`AuroraConnection::session`]) whose reads see what the token stands
    /// for, whatever their freshness.
    ///
    /// # Errors
    ///
    /// Those of [`Cluster::redeem`](aurora_core::Cluster::redeem).
    ///
    /// # Cancel safety
    ///
    /// Safe.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use aurora_seaorm::AuroraConnection;
    /// # async fn request(db: &AuroraConnection, cookie: Option<&str>) -> Result<String, Box<dyn std::error::Error>> {
    /// let session = match cookie {
    ///     Some(text) => db.session_after(&text.parse()?).await?,
    ///     None => db.session(),
    /// };
    /// // … the request is served with `session` …
    /// Ok(session.token().await?.to_string())
    /// # }
    /// ```
    pub async fn session_after(&self, token: &CausalToken) -> Result<Self, DbErr> {
        let session = self.session();
        session.require(token).await?;
        Ok(session)
    }

    /// Has this session's reads see what the token stands for. In a session without a handle of its
    /// own (a task's) that counts for reads with [`Freshness::Session`](crate::Freshness::Session).
    ///
    /// # Errors
    ///
    /// Those of [`Cluster::redeem`](aurora_core::Cluster::redeem); the session goes on as before.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn require(&self, token: &CausalToken) -> Result<(), DbErr> {
        let deadline = Deadline::of(self.cluster()).at();
        let moment = self.cluster().redeem(token, deadline).await;
        let moment = moment.map_err(|error| errors::query_err(errors::from_core(error)))?;
        self.owner().require(moment);
        Ok(())
    }

    /// Where the SQL text would go now in this session, and why.
    #[must_use]
    pub fn explain(&self, sql: &str) -> Explanation {
        self.cluster().explain_in(&self.new_session(), sql)
    }
}
