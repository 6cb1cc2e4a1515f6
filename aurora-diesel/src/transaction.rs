//! What Diesel is shown of a transaction, whatever became of its connection.

use aurora_core::Family;
use aurora_core::sql::{Classification, TransactionEffect, Verdict};
use diesel::connection::{AnsiTransactionManager, TransactionDepthChange, TransactionManager as _};

use crate::connection::AuroraConnection;
use crate::manager::Physical;

/// How many transactions deep Diesel is on a connection.
pub(crate) fn depth<C: Physical>(connection: &mut C) -> u32 {
    let status = AnsiTransactionManager::transaction_manager_status_mut(connection);
    status.transaction_depth().ok().flatten().map_or(0, std::num::NonZeroU32::get)
}

impl<C: Physical> AuroraConnection<C> {
    /// The transaction ended with its connection. To Diesel it stays open until it is rolled back,
    /// as one that the server has aborted does; until then everything else fails.
    pub(crate) fn show_lost_transaction(&mut self) {
        self.idle = AnsiTransactionManager::default();
        let depth = self.depth;
        let status = AnsiTransactionManager::transaction_manager_status_mut(self);
        if let Ok(state) = status.transaction_state() {
            for _ in 0..depth {
                // Only leaving a transaction that one is not in can fail.
                let _ = state.change_transaction_depth(TransactionDepthChange::IncreaseDepth);
            }
        }
    }

    /// The server has rolled back all of the transaction and goes on without one: to Diesel it stays
    /// open until it is rolled back, and until then everything fails, because the server would
    /// commit each statement by itself.
    pub(crate) fn end_rolled_back(&mut self) {
        if !self.session.in_transaction() {
            return;
        }
        // Whatever the server thinks of it, it ends here.
        let rolled_back = self.unseen(|lease| {
            *lease.transaction_state() = AnsiTransactionManager::default();
            lease.batch_execute("ROLLBACK").is_ok()
        });
        if rolled_back == Some(true) {
            self.session.rolled_back();
        } else {
            self.dirty = true;
            self.release();
            self.session.disconnected();
        }
        self.show_lost_transaction();
    }

    /// Keeps the connection on which the server has committed what Diesel takes for open, as MySQL
    /// does before it changes a definition: the COMMIT that is still to come must find it.
    pub(crate) fn stay_where_diesel_is(&mut self, classification: &Classification) {
        if C::FAMILY == Family::MySql
            && classification.transaction_effect() == TransactionEffect::Closes
            && !matches!(classification.verdict(), Verdict::Transaction(_))
            && !self.transaction_is_over()
        {
            self.session.pin();
        }
    }

    /// Whether the driver knows that no transaction is open.
    pub(crate) fn transaction_is_over(&mut self) -> bool {
        let Some(lease) = &mut self.lease else { return true };
        let status = AnsiTransactionManager::transaction_manager_status_mut(&mut **lease);
        status.transaction_depth().is_ok_and(|depth| depth.is_none())
    }

    /// Whether the transaction is one of Diesel's test transactions, which outlive check-in.
    #[cfg(feature = "r2d2")]
    pub(crate) fn is_test_transaction(&mut self) -> bool {
        self.session.in_transaction()
            && !self.transaction_is_over()
            && !AnsiTransactionManager::is_broken_transaction_manager(self)
    }
}
