//! Every statement runs where it belongs.

mod functions;
mod reads;
mod scopes;
mod writes;
