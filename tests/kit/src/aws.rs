//! A stand-in for AWS: moto's server, and a door before it that can misbehave.

mod front;
mod http;
mod moto;

pub use self::front::{Front, Mood};
pub use self::moto::{Moto, moto_program};
