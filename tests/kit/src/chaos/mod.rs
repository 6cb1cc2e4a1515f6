//! A proxy between clients and one server that disturbs what passes.
//!
//! In process, one for each instance, all on one thread of their own: what `iptables` and
//! `tc netem` do, without privileges, and what they cannot do, because it knows the framing of
//! PostgreSQL's protocol, and of MySQL's.

mod dialogue;
mod door;
mod edit;
mod fault;
mod flow;
mod frame;
mod kept;
mod mishap;
mod proxy;
mod pump;
mod reactor;
mod shape;
mod stats;

pub use fault::{Direction, Fault};
pub use mishap::{Aim, Armed, Loss, Mishap};
pub use proxy::ChaosProxy;
pub(crate) use reactor::Reactor;
pub use stats::ProxyStats;
