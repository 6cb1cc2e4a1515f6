//! The topology that the library sees is the one that is there.

mod aurora;
mod handle;
mod lies;
mod members;
mod operator;
mod roles;
mod sizes;
