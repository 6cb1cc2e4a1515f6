//! G to I: the program itself, transactions, what is peculiar to an ORM.

use super::super::catalogue::{ASYNCHRONOUS, DIESEL_ASYNC, Fault, Often, Proof};
use super::{SAME, scenarios, tests, trial};

pub(super) const PROGRAM: &[Fault] = &[
    Fault::new(
        "G1",
        "a future is dropped",
        "after every number of polls",
        Proof::Scenarios {
            tests: &[
                "cancelled_anywhere_nothing_is_left_behind",
                "cancelled_in_a_failover_the_ledger_is_right",
                "cancelled_in_a_transaction_nothing_is_committed",
            ],
            adapters: ASYNCHRONOUS,
        },
    ),
    Fault::new("G2", "a panic in a transaction", "panic!", trial("g2_panic")),
    Fault::new(
        "G3",
        "the monitoring dies",
        "a panic in it",
        Proof::Core(&[
            "aurora-core$driver::tests::a_panic_is_told_and_not_passed_on",
            "aurora-core$engine::tests::pace::a_monitor_that_dies_is_announced_and_replaced",
            "aurora-core$engine::tests::pace::monitors_that_always_die_rest_longer_and_longer",
        ]),
    ),
    Fault::new(
        "G4",
        "everything is dropped in the middle",
        "drop in a connect, a statement, a transaction, a failover, a pause",
        trial("g4_dropped"),
    )
    .and(Proof::Core(&[
        "aurora-diesel::resources$dropped::what_is_dropped_in_any_state_ends",
        "aurora-diesel::resources$dropped::a_connect_that_is_dropped_ends",
        "aurora-diesel::resources$dropped::threads_that_wait_end_when_the_cluster_is_closed",
        "aurora-tests::it$topology::handle::closing_ends_waiting_statements_and_listeners_at_once",
    ]))
    .on_mysql(&[
        tests(
            &["diesel_r2d2"],
            &[
                "aurora-tests::it$mysql_diesel::dropped::a_session_dropped_in_any_state_leaves_nothing_behind",
            ],
        ),
    ]),
    Fault::new(
        "G5",
        "the clock jumps",
        "virtual time",
        Proof::Core(&["aurora-core$engine::tests::rules::time_and_jitter_are_arguments"]),
    ),
    Fault::new(
        "G6",
        "the program stands still",
        "virtual time",
        Proof::Core(&[
            "aurora-core$engine::tests::outage::our_own_delay_is_not_the_instances_silence",
            "aurora-core$engine::tests::outage::an_hour_of_slowness_stalls_and_standstills_condemns_nobody",
        ]),
    ),
    Fault::new(
        "G7",
        "many clusters in one process",
        "50 of them",
        Proof::Core(&["aurora-diesel::resources$many::fifty_clusters_do_not_disturb_each_other"]),
    )
    .never_on_mysql(SAME),
];

pub(super) const TRANSACTIONS: &[Fault] = &[
    Fault::new(
        "H1",
        "the outcome of a COMMIT is unknown",
        "its answer is lost",
        scenarios(&["transactions_that_lose_their_connection_are_told_honestly"]),
    )
    .on_mysql(&[
        Proof::Core(&[
            "aurora-tests::it$mysql_core::faults::a_commit_whose_answer_or_whose_request_was_lost_is_resolved",
        ]),
    ]),
    Fault::new(
        "H2",
        "its outcome after a failover",
        "its answer is lost, promotion",
        tests(
            &["diesel_r2d2"],
            &[
                "aurora-tests::it$diesel_replay::commits::a_marker_tells_across_a_failover",
                "aurora-tests::it$diesel_replay::commits::an_id_tells_nothing_across_a_failover_or_a_crash",
            ],
        ),
    )
    .and(tests(
        DIESEL_ASYNC,
        &["aurora-diesel::asynchronous$replay::a_marker_tells_across_a_failover"],
    ))
    .and(tests(&["seaorm"], &["aurora-seaorm::seaorm$replay::a_marker_tells_across_a_failover"]))
    .on_mysql(&[
        Proof::Core(&[
            "aurora-tests::it$mysql_core::faults::a_commit_that_was_the_last_deed_of_a_writer_is_found_on_the_next_one",
            "aurora-tests::it$mysql_core::markers::what_was_committed_is_found_on_the_new_writer_and_what_was_not_is_not",
        ]),
    ]),
    Fault::new(
        "H3",
        "session state is lost",
        "every kind of it, then SIGTERM to the backend",
        trial("h3_session_state"),
    )
    .on_mysql_by("every kind of it, then KILL to the session"),
    Fault::new(
        "H4",
        "statements that only look like reads",
        "every kind of statement",
        scenarios(&["routing_of_every_kind_of_statement"]),
    ),
    Fault::new(
        "H5",
        "a reader that forwards writes",
        "a reader that is promoted, and goes on to call itself one",
        Proof::Core(&[
            "aurora-tests::it$topology::lies::a_reader_that_accepts_writes_stays_a_reader",
            "aurora-core$spec::degraded::readings_aurora",
        ]),
    )
    .on_mysql_by("answers of an Aurora reader"),
];

pub(super) const ADAPTER: &[Fault] = &[
    Fault::new(
        "I1",
        "a COMMIT that fails has to be told",
        "its connection is lost",
        Proof::Scenarios {
            tests: &["transactions_that_lose_their_connection_are_told_honestly"],
            adapters: &["seaorm"],
        },
    ),
    Fault::new(
        "I2",
        "a transaction's future is dropped",
        "after every number of polls",
        Proof::Scenarios {
            tests: &["cancelled_in_a_transaction_nothing_is_committed"],
            adapters: ASYNCHRONOUS,
        },
    ),
    Fault::new(
        "I3",
        "a check of the pool blocks",
        "silence both ways",
        Proof::Trial { test: "b4_blackhole", adapters: &["diesel_r2d2"], often: Often::Always },
    ),
];
