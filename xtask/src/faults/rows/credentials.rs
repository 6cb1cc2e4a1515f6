//! F: credentials and TLS.

use super::super::catalogue::{ASYNCHRONOUS, Fault, Proof};
use super::{SAME, tests, trial};

pub(super) const CREDENTIALS: &[Fault] = &[
    Fault::new(
        "F1",
        "a token expires",
        "a server that takes a token until its end",
        Proof::Core(&[
            "aurora-tests::it$credentials::tokens::tokens_are_replaced_before_they_end_and_no_login_fails",
            "aurora-core$credentials::cache::tests::what_expires_is_replaced_ahead_of_its_time_and_never_used_after_it",
        ]),
    )
    .on_mysql_by("virtual time"),
    Fault::new(
        "F2",
        "a token for something else",
        "known answers",
        Proof::Core(&[
            "aurora-core$credentials::iam::tests::tokens_are_the_known_ones",
            "aurora-core$credentials::iam::tests::an_endpoint_of_ones_own_is_what_is_signed",
        ]),
    ),
    Fault::new(
        "F3",
        "a secret is rotated",
        "a changed password, moto",
        Proof::Core(&[
            "aurora-tests::it$credentials::rotations::twenty_rotations_under_load_fail_nothing_and_cost_one_call_each",
            "aurora-tests::it$credentials::rotations::a_window_between_server_and_source_delays_and_fails_nothing",
            "aurora-tests::it$credentials::rotations::the_pending_version_bridges_a_rotation",
            "aurora-core$credentials::cache::tests::hour::sixty_rotations_in_an_hour_fail_no_connect_and_cost_one_fetch_each",
        ]),
    )
    .on_mysql_by("virtual time"),
    Fault::new(
        "F4",
        "the secret store is down",
        "a door before moto that misbehaves",
        Proof::Core(&[
            "aurora-tests::it$credentials::api::a_failing_api_blocks_no_connect_while_something_is_in_memory",
            "aurora-tests::it$credentials::api::without_anything_in_memory_the_error_says_what_to_do",
            "aurora-tests::it$credentials::api::a_rotation_while_the_api_is_away_is_waited_for",
        ]),
    )
    .never_on_mysql(SAME),
    Fault::new(
        "F5",
        "wrong password, user or database",
        "configuration",
        Proof::Core(&[
            "aurora-tests::it$startup::bad_credentials_and_missing_privileges_are_refused_with_the_remedy",
            "aurora-core$engine::tests::outage::a_wrong_password_is_not_tried_often",
            "aurora-tests::it$credentials::refusals::wrong_credentials_are_tried_once_and_named_by_their_source",
            "aurora-tests::it$credentials::refusals::a_password_changed_behind_the_source_fails_fast_in_every_adapter",
        ]),
    )
    .on_mysql(&[
        Proof::Core(&[
            "aurora-tests::it$mysql_core::connections::a_login_that_is_refused_says_what_to_check",
        ]),
    ]),
    Fault::new("F6", "TLS goes wrong", "an authority of our own, a stall", trial("f6_stalled_tls"))
        .and(Proof::Core(&[
            "aurora-tests::it$tls::connections_are_as_safe_as_sslmode_says",
            "aurora-tests::it$tls::a_certificate_of_another_name_is_for_verify_ca_only",
            "aurora-tests::it$tls_adapters::wrong_certificates_are_refused_by_every_adapter",
            "aurora-tests::it$tls_adapters::a_stall_after_the_request_for_tls_ends_at_the_deadline_in_every_adapter",
            "aurora-diesel::asynchronous$tls::connections_are_as_safe_as_sslmode_says",
            "aurora-seaorm::seaorm$tls::connections_are_as_safe_as_sslmode_says",
        ]))
        .on_mysql_with(ASYNCHRONOUS)
        .on_mysql(&[
            tests(
                &["diesel_r2d2"],
                &["aurora-tests::it$mysql_diesel::tls::tls_is_had_as_it_was_asked_for_or_the_error_says_why_not"],
            ),
            tests(
                &["seaorm"],
                &["aurora-seaorm::mysql$tls::connections_are_as_safe_as_sslmode_says"],
            ),
            Proof::Core(&[
                "aurora-tests::it$mysql_core::tls::the_modes_mean_what_they_mean_for_libpq",
                "aurora-tests::it$mysql_core::tls::only_verify_full_looks_at_the_name",
            ]),
        ]),
];
