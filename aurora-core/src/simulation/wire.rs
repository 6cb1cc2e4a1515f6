//! Connections between us and the servers, and what goes over them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::log::{Transaction, WriteId};
use crate::engine::{FailureKind, Report, Slot};

/// The number of a connection.
pub(super) type ConnectionId = usize;

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Client(usize),
    /// The monitor of a slot.
    Monitor(Slot),
}

/// A connection, as both sides see it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) owner: Owner,
    pub(super) server: usize,
    /// The run of the server's process that accepted it.
    pub(super) run: u64,
    /// Whether our side holds it.
    pub(super) ours: bool,
    /// Whether our side has been told that it is broken.
    pub(super) broken: bool,
    /// Whether the server's side holds it.
    pub(super) theirs: bool,
    pub(super) transaction: Option<Transaction>,
    /// No message overtakes an earlier one.
    pub(super) last_sent: Instant,
    pub(super) last_back: Instant,
}

/// What we send.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sent {
    Ask,
    Close,
    Connect,
    Work { token: u64, work: Work },
}

/// What a statement does at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Begin {
        read_only: bool,
    },
    Commit,
    /// It fails by its own fault.
    Fail,
    /// The least there is.
    Look,
    Read,
    Rollback,
    /// State of the session changes.
    Set,
    Write(WriteId),
}

/// What servers, or the network before them, send.
#[derive(Clone, Debug)]
pub(super) enum Back {
    Broken,
    Connected { is_writer: bool },
    Refused(FailureKind),
    Reply { token: u64, result: Result<(), Wrong> },
    Report(Box<Report>),
}

/// A server's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Conflict,
    ReadOnly,
    Statement,
}

/// Connections that were dropped, or are to be ended, noted where the store has no way to tell us.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes(Arc<Mutex<Vec<ConnectionId>>>);

impl Notes {
    pub(super) fn note(&self, id: ConnectionId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    }

    pub(super) fn take(&self) -> Vec<ConnectionId> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The driver's connection, as the store holds it: dropping it closes the connection.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) id: ConnectionId,
    pub(super) closed: Notes,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.closed.note(self.id);
    }
}
