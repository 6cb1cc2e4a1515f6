//! The fault catalogue: one function for each fault, run against every adapter it applies to.
//!
//! The name of a fault's module begins with its number in the catalogue, whose table is
//! `xtask/src/faults/catalogue.rs`; `cargo xtask faults` runs them all and prints what became of
//! each. A fault runs under the load of [`aurora_tests::load`], and the promises that hold for
//! every fault are judged by [`aurora_tests::trial`]: here is what happens, and what is peculiar
//! to it.

mod hangs;
mod writers;

use aurora_tests::trial::Case;

/// Makes a module of each fault, and in it a test of each adapter.
macro_rules! faults {
    ($($name:ident = $run:path;)+ $(@$adapters:tt $($more:ident = $others:path;)+)?) => {
        $(faults! { @[diesel_r2d2 bb8 deadpool seaorm] $name = $run })+
        $($(faults! { @$adapters $more = $others })+)?
    };
    (@[$($adapter:ident)+] $name:ident = $run:path) => {
        mod $name {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $adapter() {
                    let open = aurora_tests::doors::$adapter::open;
                    let (fault, adapter) = (stringify!($name), stringify!($adapter));
                    $run(Case { fault, adapter, open }).await;
                }
            )+
        }
    };
}

faults! {
    a1_writer_crash = writers::crash;
    a4_switchover = writers::switchover;
    b1_hung_instance = hangs::paused;
    b4_blackhole = hangs::blackhole;
    b6_reset = hangs::reset;
}
