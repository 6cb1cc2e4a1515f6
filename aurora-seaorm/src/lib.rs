//! SeaORM on a replicated cluster: not built yet.
//!
//! This crate will register an [`aurora_core::Cluster`] with SeaORM's `Database::connect`.

#![warn(clippy::print_stdout)]
