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

/// What an adapter is not asked, and why.
const LEFT_OUT: [(&str, &str, &str); 3] = [
    ("diesel_r2d2", "cancelled_anywhere_nothing_is_left_behind", BLOCKS),
    ("diesel_r2d2", "cancelled_in_a_failover_the_ledger_is_right", BLOCKS),
    ("diesel_r2d2", "cancelled_in_a_transaction_nothing_is_committed", BLOCKS),
];
const BLOCKS: &str = "a call that blocks has no future that could be dropped";

/// Makes one test of every scenario for one adapter, and a list of their names.
macro_rules! tests {
    ($list:ident of $open:path; $($scenario:path as $name:ident),+ $(,)?) => {
        pub(super) const $list: &[&str] = &[$(stringify!($name)),+];

        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                $scenario($open).await;
            }
        )+
    };
}

/// The scenarios of one adapter; `cancellation` are those for asynchronous ones.
macro_rules! adapter {
    ($adapter:ident $(, $cancellation:ident)?) => {
        mod $adapter {
            use super::doors::$adapter::open;
            use super::*;

            tests! { SCENARIOS of open;
                routing::every_statement as routing_of_every_kind_of_statement,
                lag::own_writes as routing_of_reads_of_own_writes_from_lagging_readers,
                lag::tokens as tokens_carry_a_session_and_are_refused_where_it_may_be_lost,
                lag::migrations as migrations_run_on_the_writer_once,
                transactions::whole as transactions_stay_where_they_began,
                lost::transactions as transactions_that_lose_their_connection_are_told_honestly,
                streams::whole_or_told as streams_are_whole_or_told,
                pools::bounded_and_clean as pools_are_bounded_and_clean,
                readers::come_and_go as readers_come_and_go_and_no_read_fails,
                writers::switchovers as writers_switched_over_refuse_no_write_once_known,
                writers::killed as writers_killed_cost_one_honest_error_at_most,
                writers::missing as writers_missing_let_writes_wait_and_reads_go_on,
            }
            $($cancellation!(open);)?
        }
    };
}

/// What needs futures.
macro_rules! cancellation {
    ($open:path) => {
        tests! { CANCELLATION of $open;
            dropped::anywhere as cancelled_anywhere_nothing_is_left_behind,
            dropped::in_a_failover as cancelled_in_a_failover_the_ledger_is_right,
            dropped::in_a_transaction as cancelled_in_a_transaction_nothing_is_committed,
        }
    };
}

adapter!(diesel_r2d2);
adapter!(bb8, cancellation);
adapter!(deadpool, cancellation);
adapter!(mobc, cancellation);
adapter!(seaorm, cancellation);

#[test]
fn every_adapter_passes_every_scenario_that_is_not_left_out() {
    let all = [bb8::SCENARIOS, bb8::CANCELLATION].concat();
    for (adapter, passes) in [
        ("diesel_r2d2", diesel_r2d2::SCENARIOS.to_vec()),
        ("bb8", all.clone()),
        ("deadpool", [deadpool::SCENARIOS, deadpool::CANCELLATION].concat()),
        ("mobc", [mobc::SCENARIOS, mobc::CANCELLATION].concat()),
        ("seaorm", [seaorm::SCENARIOS, seaorm::CANCELLATION].concat()),
    ] {
        let missing: Vec<_> = all.iter().filter(|name| !passes.contains(name)).copied().collect();
        let left_out = LEFT_OUT.iter().filter(|(of, ..)| *of == adapter);
        let left_out: Vec<_> = left_out.map(|(_, name, _)| *name).collect();
        assert_eq!(missing, left_out, "{adapter}");
    }
    assert!(LEFT_OUT.iter().all(|(.., reason)| !reason.is_empty()));
}
