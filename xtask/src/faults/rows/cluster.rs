//! C to E: names, topology, storms.

use super::super::catalogue::{DIESEL_ASYNC, Fault, Proof};
use super::{SAME, scenarios, tests, trial};

pub(super) const NAMES: &[Fault] = &[
    Fault::new(
        "C1",
        "the cluster endpoint is stale",
        "it leads to the old writer",
        Proof::Core(&[
            "aurora-tests::it$names::stale::a_stale_endpoint_is_not_trusted_and_the_writer_is_found_among_the_other_hosts",
            "aurora-tests::it$names::stale::a_stale_endpoint_alone_is_refused_with_what_to_add",
            "aurora-tests::it$names::stale::a_stale_endpoint_of_aurora_leads_to_the_writer_through_the_topology",
            "aurora-tests::it$names::stale::an_endpoint_that_is_moved_for_new_connections_alone_is_followed",
        ]),
    )
    .on_mysql(&[
        Proof::Core(&[
            "aurora-tests::it$mysql_aurora::endpoint::a_cluster_endpoint_leads_to_all_instances_and_need_not_follow_a_failover",
        ]),
    ]),
    Fault::new(
        "C2",
        "names cannot be resolved",
        "a resolver that fails or hangs",
        Proof::Core(&[
            "aurora-tests::it$names::resolver::a_resolver_that_fails_does_not_matter_once_the_instances_are_known",
            "aurora-tests::it$names::resolver::a_silent_resolver_does_not_matter_once_the_instances_are_known",
            "aurora-tests::it$names::resolver::before_the_instances_are_known_the_error_names_the_host_and_the_remedy",
            "aurora-core$names::tests::a_silent_resolver_is_asked_once_whoever_asks",
        ]),
    ),
    Fault::new(
        "C3",
        "an instance is replaced",
        "the same name, another address",
        Proof::Core(&[
            "aurora-tests::it$names::addresses::an_instance_that_was_replaced_under_its_name_is_a_new_epoch",
            "aurora-tests::it$names::addresses::a_ghost_that_still_answers_is_left_when_its_name_leads_elsewhere",
        ]),
    )
    .never_on_mysql(SAME),
    Fault::new(
        "C4",
        "an address now belongs to another cluster",
        "another system identifier",
        Proof::Core(&[
            "aurora-tests::it$names::identity::an_address_that_belongs_to_another_cluster_now_gets_nothing",
            "aurora-tests::it$names::identity::a_writers_name_that_leads_to_another_cluster_takes_no_write_there",
            "aurora-tests::it$names::identity::a_new_connection_that_leads_to_another_cluster_is_refused_before_any_statement",
            "aurora-tests::it$names::identity::so_is_one_of_an_asynchronous_adapter",
            "aurora-seaorm::seaorm$identity::a_new_connection_to_another_cluster_is_refused_before_any_statement",
        ]),
    )
    .never_on_mysql(SAME),
    Fault::new(
        "C5",
        "custom domains, addresses, localhost",
        "forms of the URL",
        Proof::Core(&[
            "aurora-tests::it$names::forms::ip_literals_and_localhost_work",
            "aurora-tests::it$names::forms::an_ipv6_literal_works",
            "aurora-tests::it$names::forms::an_alias_of_an_aurora_cluster_serves_and_names_the_setting_that_finds_the_others",
        ]),
    )
    .never_on_mysql(SAME),
    Fault::new(
        "C6",
        "one of two addresses is dead",
        "a name with a dead address",
        Proof::Core(&[
            "aurora-tests::it$names::addresses::of_several_addresses_the_first_that_answers_wins",
            "aurora-tests::it$names::addresses::an_instance_that_dies_at_one_of_its_addresses_is_reached_at_the_other",
        ]),
    )
    .never_on_mysql(SAME),
];

pub(super) const TOPOLOGY: &[Fault] = &[
    Fault::new(
        "D1",
        "the writer turns read-only under its sessions",
        "default_transaction_read_only on the live writer, promotion",
        trial("d1_read_only_writer"),
    )
    .on_mysql_by("read_only on the live writer, promotion"),
    Fault::new(
        "D2",
        "a reader is promoted under its sessions",
        "promotion",
        Proof::Core(&[
            "aurora-tests::it$topology::roles::a_reader_promoted_under_its_sessions_is_the_writer_in_a_new_epoch",
            "aurora-core$engine::tests::failover::a_promotion_under_a_live_session_is_noticed_within_an_interval",
        ]),
    )
    .on_mysql(&[
        Proof::Core(&[
            "aurora-tests::it$mysql_core::roles::a_failover_and_a_switchover_are_told_in_order",
        ]),
    ]),
    Fault::new(
        "D3",
        "two writers",
        "promotion while the old writer runs",
        Proof::Core(&[
            "aurora-core$engine::tests::rules::at_most_one_writer_per_generation",
            "aurora-tests::it$topology::roles::a_second_writer_is_fenced_until_it_is_a_reader",
        ]),
    )
    .on_mysql(&[
        Proof::Core(&[
            "aurora-tests::it$mysql_core::roles::a_second_writer_is_fenced_until_it_is_a_reader",
            "aurora-tests::it$mysql_core::roles::an_old_writer_that_comes_back_is_fenced_even_when_the_new_one_dies",
        ]),
    ]),
    Fault::new(
        "D4",
        "bad answers about the members",
        "lies of aurora_replica_status()",
        Proof::Core(&[
            "aurora-core$engine::tests::rules::a_bad_answer_never_shrinks_what_is_known",
            "aurora-tests::it$topology::aurora::a_bad_topology_answer_shrinks_nothing_and_is_told",
        ]),
    )
    .on_mysql_by("simulation"),
    Fault::new(
        "D5",
        "instances disagree about the writer",
        "simulation",
        Proof::Core(&[
            "aurora-core$engine::tests::rules::only_an_instances_own_word_changes_its_role",
        ]),
    ),
    Fault::new(
        "D6",
        "one instance, or a hundred",
        "configuration, simulation",
        Proof::Core(&[
            "aurora-tests::it$topology::sizes::a_writer_alone_serves_everything_and_its_reads_are_counted",
            "aurora-tests::it$topology::sizes::a_writer_alone_may_be_kept_from_reads",
            "aurora-tests::it$topology::sizes::fifteen_readers_share_the_reads",
            "aurora-core$engine::tests::members::a_hundred_rows_and_duplicates_do_no_harm",
        ]),
    )
    .on_mysql_by("simulation"),
    Fault::new(
        "D7",
        "readers come and go",
        "start, stop, add, remove",
        scenarios(&["readers_come_and_go_and_no_read_fails"]),
    ),
    Fault::new("D8", "a reader lags", "paused replay", trial("d8_lag"))
        .on_mysql_by("a stopped SQL thread"),
    Fault::new(
        "D9",
        "replay cancels a read",
        "VACUUM under a snapshot",
        trial("d9_recovery_conflict"),
    )
    .never_on_mysql("readers of MariaDB cancel no read for what they replay"),
    Fault::new(
        "D10",
        "all instances restart under a read",
        "SIGKILL to all, start",
        trial("d10_all_restart"),
    ),
];

pub(super) const STORMS: &[Fault] = &[
    Fault::new("E1", "no connection slot is left", "limit of the role", trial("e1_full_server"))
        .and(Proof::Core(&[
            "aurora-tests::it$storms::a_crowd_shares_the_slots_that_a_server_has_left",
            "aurora-tests::it$storms::a_writer_without_a_slot_makes_writes_wait_and_then_says_so",
            "aurora-tests::it$storms::reads_of_a_crowd_go_to_the_reader_that_has_slots",
            "aurora-seaorm::seaorm$storms::a_server_without_a_slot_is_full_and_not_dead",
            "aurora-core$engine::tests::outage::a_full_server_is_back_pressure",
        ]))
        .on_mysql_by("max_connections")
        .on_mysql(&[Proof::Core(&[
            "aurora-tests::it$mysql_core::connections::a_full_server_is_alive_and_says_that_it_is_full",
            "aurora-tests::it$mysql_core::errors::a_server_that_is_full_or_that_refuses_a_login",
        ])]),
    Fault::new(
        "E2",
        "thundering herd",
        "1,000 tasks (150 threads) and a crash",
        tests(
            &["diesel_r2d2"],
            &["aurora-tests::it$storms::threads_that_wait_for_a_writer_resume_within_the_ramp"],
        ),
    )
    .and(tests(
        DIESEL_ASYNC,
        &[
            "aurora-diesel::asynchronous$storms::a_thousand_tasks_resume_after_a_failover_within_the_ramp",
            "aurora-diesel::asynchronous$storms::a_kill_under_a_crowd_costs_few_failed_connects",
        ],
    ))
    .and(tests(
        &["seaorm"],
        &["aurora-seaorm::seaorm$storms::a_thousand_tasks_resume_after_a_failover_within_the_ramp"],
    ))
    .never_on_mysql(SAME),
    Fault::new(
        "E3",
        "the pool is exhausted",
        "all sessions held, during a failover",
        trial("e3_exhausted_pool"),
    ),
    Fault::new(
        "E4",
        "a new reader is cold",
        "restart, with slow_start",
        Proof::Core(&[
            "aurora-tests::it$topology::members::a_reader_that_has_just_come_up_gets_its_share_little_by_little",
            "aurora-core$engine::slow_start::tests::a_reader_that_restarted_or_is_new_gets_its_share_little_by_little",
            "aurora-core$policy::slow_start::tests::a_cold_reader_gets_its_part_and_the_others_the_rest_evenly",
        ]),
    ),
];
