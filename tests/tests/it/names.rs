//! Names, addresses, and whose address it is: catalogue C of the faults.

mod addresses;
pub(crate) mod book;
mod forms;
mod identity;
mod resolver;
mod stale;
