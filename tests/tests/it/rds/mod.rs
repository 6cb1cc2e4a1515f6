//! What the API of RDS tells: it enriches, leads to the cluster, and keeps reads inside a custom
//! endpoint. Whatever becomes of it, routing goes on.

mod api;
mod discovery;
mod endpoint;
mod stand;
