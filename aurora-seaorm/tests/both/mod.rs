//! What the tests of both engines share. Each has a module `engine`, which says what is its own.

pub(crate) mod entities;
pub(crate) mod ledger;
pub(crate) mod stand;
