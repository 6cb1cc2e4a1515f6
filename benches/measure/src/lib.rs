//! Measures two ways of doing the same thing against each other, on a machine that is never quiet.
//!
//! Both are run in turn, in short rounds of the same length, and compared round by round
//! ([`compare`]): what disturbs one disturbs the other. criterion was tried in thought and left out:
//! it measures one thing to the end before the next, beside figures of another run, which says
//! nothing on such a machine, and it would be thirty more crates to compile. Where even this is too
//! coarse instructions are counted (`cargo xtask bench --guard`).
//!
//! `cargo xtask bench` runs all benches; each of them prints lines for people, and with `--figures`
//! one JSON object for each [`Figure`].

mod compare;
mod figure;
mod latency;
pub mod pure;
mod report;

pub use compare::{Comparison, compare, compare_by, cpu_time, threads_time};
pub use figure::{Figure, Goal};
pub use latency::Latencies;
pub use report::Report;
