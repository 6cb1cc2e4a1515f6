//! What the tests of both engines share: a stand, and what a scenario does where the engine makes no
//! difference. Each has a module `engine`, which says what is its own.

pub(crate) mod entities;
pub(crate) mod failover;
pub(crate) mod ledger;
pub(crate) mod registered;
pub(crate) mod routing;
pub(crate) mod sessions;
pub(crate) mod stand;
pub(crate) mod streams;
pub(crate) mod tls;
pub(crate) mod transactions;
