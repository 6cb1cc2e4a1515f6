//! SeaORM on MySQL, which its handle finds out by the URL.

pub use super::seaorm::open;
