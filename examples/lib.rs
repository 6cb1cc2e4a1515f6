//! Programs that each teach one thing, and assert it; see the table in `README.md`.
//!
//! Here is only what they need beside what they teach: a cluster to run on ([`LocalCluster`]) and
//! somebody who sends requests ([`http`], [`Client`]).

mod client;
pub mod http;
mod local;

pub use client::Client;
pub use local::{Error, LocalCluster};

/// The front page's example has to compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct FrontPage;
