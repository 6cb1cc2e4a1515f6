//! Statements that tell what an earlier one left on its connection: MySQL's `LAST_INSERT_ID()`,
//! `ROW_COUNT()`, `FOUND_ROWS()`, `SHOW WARNINGS` and the like.
//!
//! Most of them are about the statement right before, and so stay where that one ran. The id that
//! an INSERT generated is asked for later as well. A session stays on that connection as long as nothing makes it leave. Before it leaves, for a
//! reader or another connection, it asks for the id and takes it along; the connection on which a
//! later statement asks for it is told the id first. So an id is the session's own, or an error,
//! never that of somebody else who had the connection before.

use aurora_core::sql::Verdict;
use aurora_core::{Deadline, Need};
use diesel::result::QueryResult;

use super::connection::AuroraConnection;
use super::driver::Physical;
use super::driver::sealed::Link as _;
use super::lease::lost;
use super::statement::Statement;

const ID_LOST: &str =
    "the id of the session's last INSERT went with the connection on which it was generated";

const BEFORE_LOST: &str =
    "the statement tells of the one before, which ran on a connection that is out of use";

/// Where the id of the session's last INSERT is to be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum InsertId {
    /// The session has inserted nothing.
    #[default]
    None,
    /// On the leased connection.
    Here,
    /// The session has taken it along.
    Carried(u64),
    /// Nowhere: its connection broke.
    Lost,
}

impl InsertId {
    /// Follows the connection being closed, or left without asking it.
    pub(crate) fn left(&mut self) {
        if *self == Self::Here {
            *self = Self::Lost;
        }
    }
}

impl<C: Physical> AuroraConnection<C> {
    /// Follows a statement that succeeded.
    pub(crate) fn note_insert(&mut self, statement: &Statement<'_, C>) {
        if C::KEEPS_INSERT_ID
            && statement.classification.verdict() == Verdict::Write
            && may_generate(statement.sql())
        {
            self.insert_id = InsertId::Here;
        }
    }

    /// Whether the leased connection has to be asked for the id before it is left.
    pub(crate) fn must_carry_insert_id(&self) -> bool {
        C::KEEPS_INSERT_ID && self.insert_id == InsertId::Here
    }

    /// Takes the id along.
    pub(crate) async fn carry_insert_id(&mut self) {
        let Some(lease) = &mut self.lease else { return self.insert_id.left() };
        self.in_flight = Some(self.shared.cluster.classify("SELECT 1"));
        let asked = lease.insert_id().await;
        self.in_flight = None;
        self.show_instrumentation();
        match asked {
            Ok(id) => self.insert_id = InsertId::Carried(id),
            // Its connection broke, which the id went with.
            Err(_) => self.close_lease(),
        }
    }

    /// Sees to it that a connection is leased that may run a statement which tells of an earlier
    /// one.
    pub(crate) async fn follow(
        &mut self,
        statement: &Statement<'_, C>,
        need: Need,
        deadline: Deadline,
    ) -> QueryResult<()> {
        if asks(statement.sql()) {
            self.acquire(need, deadline).await?;
            return self.bring_insert_id().await;
        }
        let is_bound = !self.session.is_free() || self.session.is_transaction_lost();
        let Some(lease) = self.lease.as_ref().filter(|_| !is_bound) else {
            return self.acquire(need, deadline).await;
        };
        let is_there = lease.is_in_epoch(&self.shared.cluster.snapshot()) && !lease.is_closed();
        if is_there && self.is_clean() {
            return Ok(());
        }
        self.close_lease();
        Err(lost(BEFORE_LOST))
    }

    /// Tells the leased connection the id, if another one has it.
    async fn bring_insert_id(&mut self) -> QueryResult<()> {
        let id = match self.insert_id {
            InsertId::None | InsertId::Here => return Ok(()),
            InsertId::Lost => return Err(lost(ID_LOST)),
            InsertId::Carried(id) => id,
        };
        let Some(lease) = &mut self.lease else { return Ok(()) };
        self.in_flight = Some(self.shared.cluster.classify("SELECT 1"));
        let told = lease.set_insert_id(id).await;
        self.in_flight = None;
        self.show_instrumentation();
        if let Err(error) = told {
            if let Some(place) = self.place() {
                self.bury(&place, &error);
                self.session.disconnected();
            }
            return Err(lost("the connection broke before the statement was sent"));
        }
        self.insert_id = InsertId::Here;
        Ok(())
    }

    /// Shows the session's instrumentation what happens on the connection from now on.
    pub(crate) fn show_instrumentation(&mut self) {
        let Some(lease) = &mut self.lease else { return };
        if let Some(connection) = lease.connection() {
            connection.set_instrumentation(self.instrumentation.clone());
            self.instrumented = true;
        }
    }
}

/// Whether a statement that changes data may set the id: all but the common ones that do not.
fn may_generate(sql: &str) -> bool {
    let begins = |word: &str| {
        let start = sql.trim_start().as_bytes();
        start.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    };
    !(begins("update") || begins("delete")) || asks(sql)
}

/// Whether a text may ask for the id.
fn asks(sql: &str) -> bool {
    let has = |word: &str| {
        let mut windows = sql.as_bytes().windows(word.len());
        windows.any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
    };
    has("last_insert_id") || has("@@identity") || has("session.identity")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sets_the_id_and_what_asks_for_it() {
        assert!(may_generate("INSERT INTO t VALUES (1)") && may_generate(" replace into t (a)"));
        assert!(may_generate("UPDATE t SET a = LAST_INSERT_ID(a + 1)") && may_generate("CALL p()"));
        assert!(!may_generate("UPDATE t SET a = 1") && !may_generate("\n delete from t"));
        assert!(!may_generate("Update"));
        assert!(asks("SELECT last_insert_ID()") && asks("INSERT INTO c VALUES (LAST_INSERT_ID())"));
        assert!(asks("SELECT @@identity") && asks("SELECT @@session.identity"));
        assert!(!asks("SELECT identity FROM t") && !asks(""));
    }

    #[test]
    fn an_id_is_lost_only_with_the_connection_that_has_it() {
        for (before, after) in [
            (InsertId::Here, InsertId::Lost),
            (InsertId::Carried(7), InsertId::Carried(7)),
            (InsertId::None, InsertId::None),
            (InsertId::Lost, InsertId::Lost),
        ] {
            let mut id = before;
            id.left();
            assert_eq!(id, after);
        }
    }
}
