//! The pools: thin files over [`super::AuroraConnectionManager`]. In all of them a session gives
//! its connection back at check-in, so that a check-out has nothing to prove.

#[cfg(feature = "bb8")]
pub mod bb8;
#[cfg(feature = "deadpool")]
pub mod deadpool;
#[cfg(feature = "mobc")]
pub mod mobc;
