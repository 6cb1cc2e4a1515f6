//! What a dropped future leaves behind, and how the session gets over it.
//!
//! A future may be dropped at any await. The connection it waited on is then in the middle of
//! something that nobody will hear the end of: it is closed before the session does anything
//! else, and a transaction it was part of is lost.

use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use aurora_core::sql::{Classification, Verdict};
use diesel::connection::{TransactionDepthChange, TransactionManagerStatus};
use diesel_async::{AnsiTransactionManager, TransactionManager as _};
use futures_core::Stream as _;
use futures_util::StreamExt as _;

use super::connection::AuroraConnection;
use super::driver::Physical;
use super::statement::{controls_transaction, ends_transaction};

/// How many rows that nobody wants are looked at to see whether they were the last ones.
const FEW: usize = 64;

impl<C: Physical> AuroraConnection<C> {
    /// Gets over a statement, and a transaction, whose future was dropped.
    pub(crate) fn heal(&mut self) {
        if self.in_flight.is_some() || self.abandoned.is_set() {
            self.heal_interrupted();
        }
    }

    fn heal_interrupted(&mut self) {
        if let Some(interrupted) = self.in_flight.take() {
            self.heal_statement(&interrupted);
        }
        if let Some(depth) = self.abandoned.take() {
            self.heal_transaction(depth);
        }
    }

    /// Undoes a transaction that nobody will end, with `depth` others around it.
    fn heal_transaction(&mut self, depth: u32) {
        if self.session.in_transaction() {
            self.close_lease();
            self.session.disconnected();
        }
        self.manager = AnsiTransactionManager::default();
        if depth == 0 {
            self.give_up_transaction();
        } else {
            // Those around it are lost with it: the server knows only one transaction.
            self.deepen(depth);
        }
    }

    fn heal_statement(&mut self, interrupted: &Classification) {
        self.close_lease();
        let depth = self.depth();
        let ended = ends_transaction(interrupted);
        let was_open = self.session.disconnected();
        if ended {
            self.give_up_transaction();
        }
        let may_have_written = match interrupted.verdict() {
            Verdict::Lock | Verdict::Read => !was_open && !interrupted.rerunnable(),
            Verdict::Session | Verdict::Write => !was_open,
            Verdict::Transaction(_) => ended,
        };
        if may_have_written {
            // What may have been written counts as written.
            self.session.wrote(Instant::now());
        }
        if controls_transaction(interrupted) {
            // diesel-async marks its manager as broken while such a statement runs, for good.
            self.manager = AnsiTransactionManager::default();
            if was_open && !ended {
                self.deepen(depth);
            }
        }
    }

    /// How many transactions deep diesel-async is.
    pub(crate) fn depth(&mut self) -> u32 {
        let depth = self.manager_status().transaction_depth();
        depth.ok().flatten().map_or(0, std::num::NonZeroU32::get)
    }

    fn deepen(&mut self, depth: u32) {
        if let Ok(state) = self.manager_status().transaction_state() {
            for _ in 0..depth {
                // Only leaving a transaction that one is not in can fail.
                let _ = state.change_transaction_depth(TransactionDepthChange::IncreaseDepth);
            }
        }
    }

    /// A lost transaction is over.
    pub(crate) fn give_up_transaction(&mut self) {
        let rollback = self.shared.cluster.classify("ROLLBACK");
        let _ = self.session.gives_up_what_is_lost(&rollback);
    }

    /// The rows of a query that somebody left in the middle.
    pub(crate) fn leftover(&mut self) -> &mut Option<C::Rows> {
        self.leftover.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the rows that somebody left in the middle have all arrived. Does not wait.
    pub(crate) fn leftover_is_over(&mut self) -> bool {
        let Some(rows) = self.leftover() else { return true };
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..FEW {
            match Pin::new(&mut *rows).poll_next(&mut context) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(None) => {
                    *self.leftover() = None;
                    return true;
                }
                Poll::Ready(Some(Err(_))) | Poll::Pending => return false,
            }
        }
        false
    }

    /// Waits for the end of rows that somebody left in the middle, where the session cannot leave
    /// its connection. An error there has ended the transaction, which must not go unnoticed: its
    /// COMMIT would be answered without an error, and roll back.
    pub(crate) async fn finish_leftover(&mut self) {
        if self.session.is_free() || self.leftover().is_none() {
            return;
        }
        // Dropped while waiting: what is left is still there.
        while let Some(rows) = self.leftover() {
            match rows.next().await {
                Some(Ok(_)) => {}
                None => *self.leftover() = None,
                Some(Err(_)) => {
                    self.close_lease();
                    self.session.disconnected();
                }
            }
        }
    }

    pub(crate) fn manager_status(&mut self) -> &mut TransactionManagerStatus {
        AnsiTransactionManager::transaction_manager_status_mut(self)
    }
}
