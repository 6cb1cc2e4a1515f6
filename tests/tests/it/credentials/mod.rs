//! Passwords that change, and who provides them.

mod api;
mod refusals;
mod rotations;
mod secrets;
mod source;
mod stand;
mod tokens;

use aurora_tests::door::Open;
use aurora_tests::doors::{bb8, deadpool, diesel_r2d2, mobc, seaorm};

/// Every adapter, by name.
const ADAPTERS: [(&str, Open); 5] = [
    ("diesel_r2d2", diesel_r2d2::open),
    ("bb8", bb8::open),
    ("deadpool", deadpool::open),
    ("mobc", mobc::open),
    ("seaorm", seaorm::open),
];

/// Every statement opens a connection, and logs in, as often as it likes.
const ALWAYS_ANEW: &str = "max_idle_per_instance=0&connect_rate=none";

/// Under a load: connections are closed soon, and others are opened in their place.
const OFTEN_ANEW: &str = "max_lifetime=300ms&connect_rate=none";
