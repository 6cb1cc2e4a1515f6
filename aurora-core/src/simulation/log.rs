//! What the servers have written: records of committed transactions.

/// The number of something that a client wants written once. Every attempt of the application is
/// another one; what we run again on our own is the same.
pub(super) type WriteId = usize;

/// The number of a record in the log.
pub(super) type RecordId = usize;

/// One record: the writes of a committed transaction, or the beginning of a timeline.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) writes: Vec<WriteId>,
}

/// An open transaction at a server.
#[derive(Clone, Debug, Default)]
pub(super) struct Transaction {
    pub(super) read_only: bool,
    pub(super) aborted: bool,
    pub(super) writes: Vec<WriteId>,
}

/// What became of a write, as the application was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    Applied,
    NotApplied,
    Unknown,
}

/// A write and its fate.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) told: Told,
    /// In which records it stands, each with its place in the log; more than one is a violation.
    pub(super) records: Vec<(RecordId, usize)>,
}

/// The position a server reports when its log has that many records.
pub(super) fn position(length: usize) -> u64 {
    1000 + 16 * length as u64
}
