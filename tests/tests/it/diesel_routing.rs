//! Every statement runs where it belongs.

mod freshness;
mod functions;
mod reads;
mod scopes;
mod writes;
