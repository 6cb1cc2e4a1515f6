//! One list of scenarios, each written once and run against every adapter.
//!
//! A scenario knows the adapter by its [`door::Door`] only; what does the servers no harm shares a
//! cluster. `adapter!` holds the list, [`LEFT_OUT`] what an adapter is not asked and why.

mod dropped;
mod lag;
mod load;
mod lost;
mod pools;
mod readers;
mod routing;
mod streams;
mod together;
mod transactions;
mod writers;

use aurora_tests::{door, doors, scene};
use test_kit::{MariaDbCluster, PgCluster};

/// What an adapter is not asked, and why.
const LEFT_OUT: [(&str, &str, &str); 7] = [
    ("diesel_r2d2", "cancelled_anywhere_nothing_is_left_behind", BLOCKS),
    ("diesel_r2d2", "cancelled_in_a_failover_the_ledger_is_right", BLOCKS),
    ("diesel_r2d2", "cancelled_in_a_transaction_nothing_is_committed", BLOCKS),
    ("mysql_r2d2", "streams_are_whole_or_told", ALL_AT_ONCE),
    ("mysql_r2d2", "cancelled_anywhere_nothing_is_left_behind", BLOCKS),
    ("mysql_r2d2", "cancelled_in_a_failover_the_ledger_is_right", BLOCKS),
    ("mysql_r2d2", "cancelled_in_a_transaction_nothing_is_committed", BLOCKS),
];
const ALL_AT_ONCE: &str = "Diesel has all rows of MySQL before it shows the first";
const BLOCKS: &str = "a call that blocks has no future that could be dropped";

/// Makes one test of every scenario for one adapter, and a list of their names.
macro_rules! tests {
    ($list:ident of $open:path, $servers:ty; $($module:ident :: $scenario:ident as $name:ident),+ $(,)?) => {
        pub(super) const $list: &[&str] = &[$(stringify!($name)),+];

        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                $module::$scenario::<$servers>($open).await;
            }
        )+
    };
}

/// The scenarios of one adapter on servers of one engine, and more of those that not all can pass.
macro_rules! adapter {
    ($adapter:ident of $servers:ty $(, $more:ident)*) => {
        mod $adapter {
            use super::doors::$adapter::open;
            use super::*;

            tests! { SCENARIOS of open, $servers;
                routing::every_statement as routing_of_every_kind_of_statement,
                lag::own_writes as routing_of_reads_of_own_writes_from_lagging_readers,
                lag::migrations as migrations_run_on_the_writer_once,
                transactions::whole as transactions_stay_where_they_began,
                lost::transactions as transactions_that_lose_their_connection_are_told_honestly,
                lost::ended_while_idle as connections_that_end_while_they_are_idle_fail_no_write,
                lost::idle_everywhere as idle_connections_that_end_everywhere_fail_no_read,
                pools::bounded_and_clean as pools_are_bounded_and_clean,
                readers::come_and_go as readers_come_and_go_and_no_read_fails,
                writers::switchovers as writers_switched_over_refuse_no_write_once_known,
                writers::killed as writers_killed_cost_one_honest_error_at_most,
                writers::missing as writers_missing_let_writes_wait_and_reads_go_on,
            }
            $($more!(open, $servers);)*
        }
    };
}

/// What needs positions that a token can carry.
macro_rules! tokens {
    ($open:path, $servers:ty) => {
        tests! { TOKENS of $open, $servers;
            lag::tokens as tokens_carry_a_session_and_are_refused_where_it_may_be_lost,
        }
    };
}

/// What needs rows that arrive one by one.
macro_rules! streams {
    ($open:path, $servers:ty) => {
        tests! { STREAMS of $open, $servers;
            streams::whole_or_told as streams_are_whole_or_told,
        }
    };
}

/// What needs futures.
macro_rules! cancellation {
    ($open:path, $servers:ty) => {
        tests! { CANCELLATION of $open, $servers;
            dropped::anywhere as cancelled_anywhere_nothing_is_left_behind,
            dropped::in_a_failover as cancelled_in_a_failover_the_ledger_is_right,
            dropped::in_a_transaction as cancelled_in_a_transaction_nothing_is_committed,
        }
    };
}

adapter!(diesel_r2d2 of PgCluster, tokens, streams);
adapter!(bb8 of PgCluster, tokens, streams, cancellation);
adapter!(deadpool of PgCluster, tokens, streams, cancellation);
adapter!(mobc of PgCluster, tokens, streams, cancellation);
adapter!(seaorm of PgCluster, tokens, streams, cancellation);

// The same doors to MySQL: a module in `doors`, a line here, and one in the test below.
adapter!(mysql_r2d2 of MariaDbCluster, tokens);
adapter!(mysql_bb8 of MariaDbCluster, tokens, streams, cancellation);
adapter!(mysql_deadpool of MariaDbCluster, tokens, streams, cancellation);
adapter!(mysql_mobc of MariaDbCluster, tokens, streams, cancellation);
adapter!(mysql_seaorm of MariaDbCluster, tokens, streams, cancellation);

#[test]
fn every_adapter_passes_every_scenario_that_is_not_left_out() {
    /// All the lists of an adapter in one.
    macro_rules! passes {
        ($adapter:ident: $($list:ident),+) => {
            (stringify!($adapter), [$($adapter::$list),+].concat())
        };
    }
    let bb8 = passes!(bb8: SCENARIOS, TOKENS, STREAMS, CANCELLATION);
    let all = bb8.1.clone();
    for (adapter, passes) in [
        passes!(diesel_r2d2: SCENARIOS, TOKENS, STREAMS),
        bb8,
        passes!(deadpool: SCENARIOS, TOKENS, STREAMS, CANCELLATION),
        passes!(mobc: SCENARIOS, TOKENS, STREAMS, CANCELLATION),
        passes!(seaorm: SCENARIOS, TOKENS, STREAMS, CANCELLATION),
        passes!(mysql_r2d2: SCENARIOS, TOKENS),
        passes!(mysql_bb8: SCENARIOS, TOKENS, STREAMS, CANCELLATION),
        passes!(mysql_deadpool: SCENARIOS, TOKENS, STREAMS, CANCELLATION),
        passes!(mysql_mobc: SCENARIOS, TOKENS, STREAMS, CANCELLATION),
        passes!(mysql_seaorm: SCENARIOS, TOKENS, STREAMS, CANCELLATION),
    ] {
        let missing: Vec<_> = all.iter().filter(|name| !passes.contains(name)).copied().collect();
        let left_out = LEFT_OUT.iter().filter(|(of, ..)| *of == adapter);
        let left_out: Vec<_> = left_out.map(|(_, name, _)| *name).collect();
        assert_eq!(missing, left_out, "{adapter}");
    }
    assert!(LEFT_OUT.iter().all(|(.., reason)| !reason.is_empty()));
}
