//! What `NOTIFY` told a session that listens.

use aurora_core::Outcome;
use aurora_core::session::Place;
use diesel::pg::{PgConnection, PgNotification};
use diesel::result::{Error, QueryResult};

use crate::connection::AuroraConnection;
use crate::errors;
use crate::transaction::depth;

impl AuroraConnection<PgConnection> {
    /// The notifications that have arrived for the session by now, as
    /// [`PgConnection::notifications_iter`] gives them. It does not wait for more.
    ///
    /// `LISTEN` keeps the session on its connection to the writer until check-in. When that
    /// connection is lost, as in a failover, there is one error, and the session listens no more:
    /// `LISTEN` again, and look whether something was missed.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use diesel::prelude::*;
    /// # fn follow(connection: &mut aurora_diesel::AuroraConnection<PgConnection>) -> QueryResult<()> {
    /// diesel::sql_query("LISTEN orders").execute(connection)?;
    /// for notification in connection.notifications_iter() {
    ///     println!("{}", notification?.payload);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn notifications_iter(
        &mut self,
    ) -> impl Iterator<Item = QueryResult<PgNotification>> + use<> {
        let mut arrived = Vec::new();
        if let Err(error) = self.collect_notifications(&mut arrived) {
            arrived.push(Err(error));
        }
        arrived.into_iter()
    }

    fn collect_notifications(
        &mut self,
        arrived: &mut Vec<QueryResult<PgNotification>>,
    ) -> QueryResult<()> {
        // A session that is bound to no connection has not said LISTEN.
        if self.session.is_free() {
            return Ok(());
        }
        self.stay()?;
        let mut news = self.leased()?.notifications_iter();
        let failed = loop {
            match news.next() {
                Some(Ok(notification)) => arrived.push(Ok(notification)),
                Some(Err(error)) => break error,
                None => return Ok(()),
            }
        };
        drop(news);
        Err(self.lose_listener(&failed))
    }

    /// The connection broke, which libpq notices while it looks for notifications.
    fn lose_listener(&mut self, error: &Error) -> Error {
        let Some(lease) = &mut self.lease else { return Error::BrokenTransactionManager };
        let place =
            Place { instance: lease.instance().clone(), epoch: lease.epoch(), role: lease.role() };
        self.depth = depth(&mut **lease);
        self.lose_connection(error, &place);
        self.session.disconnected();
        if self.session.is_transaction_lost() {
            self.show_lost_transaction();
        }
        errors::lost(error, &place.instance, Outcome::NotApplied)
    }
}
