//! C to F: names, topology, storms, credentials.

use super::super::catalogue::{Fault, Proof};
use super::{scenarios, trial};

pub(super) const NAMES: &[Fault] = &[
    Fault::new(
        "C1",
        "the cluster endpoint is stale",
        "it leads to the old writer",
        Proof::NotYet("the mapping of its tests"),
    ),
    Fault::new(
        "C2",
        "names cannot be resolved",
        "a resolver that fails or hangs",
        Proof::NotYet("the mapping of its tests"),
    ),
    Fault::new(
        "C3",
        "an instance is replaced",
        "the same name, another address",
        Proof::NotYet("the mapping of its tests"),
    ),
    Fault::new(
        "C4",
        "an address now belongs to another cluster",
        "another system identifier",
        Proof::NotYet("the mapping of its tests"),
    ),
    Fault::new(
        "C5",
        "custom domains, addresses, localhost",
        "forms of the URL",
        Proof::NotYet("the mapping of its tests"),
    ),
    Fault::new(
        "C6",
        "one of two addresses is dead",
        "a name with a dead address",
        Proof::NotYet("the mapping of its tests"),
    ),
];

pub(super) const TOPOLOGY: &[Fault] = &[
    Fault::new(
        "D1",
        "the writer turns read-only under its sessions",
        "default_transaction_read_only on the live writer, promotion",
        trial("d1_read_only_writer"),
    ),
    Fault::new(
        "D2",
        "a reader is promoted under its sessions",
        "promotion",
        Proof::NotYet("the mapping of its tests"),
    ),
    Fault::new(
        "D3",
        "two writers",
        "promotion while the old writer runs",
        Proof::Core(&[
            "aurora-core$engine::tests::rules::at_most_one_writer_per_generation",
            "aurora-tests::it$topology::roles::a_second_writer_is_fenced_until_it_is_a_reader",
        ]),
    ),
    Fault::new(
        "D4",
        "bad answers about the members",
        "lies of aurora_replica_status()",
        Proof::Core(&[
            "aurora-core$engine::tests::rules::a_bad_answer_never_shrinks_what_is_known",
            "aurora-tests::it$topology::aurora::a_bad_topology_answer_shrinks_nothing_and_is_told",
        ]),
    ),
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
        Proof::NotYet("the mapping of its tests"),
    ),
    Fault::new(
        "D7",
        "readers come and go",
        "start, stop, add, remove",
        scenarios(&["readers_come_and_go_and_no_read_fails"]),
    ),
    Fault::new("D8", "a reader lags", "paused replay", trial("d8_lag")),
    Fault::new(
        "D9",
        "replay cancels a read",
        "VACUUM under a snapshot",
        trial("d9_recovery_conflict"),
    ),
    Fault::new(
        "D10",
        "all instances restart under a read",
        "SIGKILL to all, start",
        trial("d10_all_restart"),
    ),
];

pub(super) const STORMS: &[Fault] = &[
    Fault::new(
        "E1",
        "no connection slot is left",
        "max_connections",
        Proof::NotYet("the mapping of its tests"),
    ),
    Fault::new(
        "E2",
        "thundering herd",
        "1,000 tasks and a crash",
        Proof::NotYet("the mapping of its tests"),
    ),
    Fault::new(
        "E3",
        "the pool is exhausted",
        "all sessions held, during a failover",
        trial("e3_exhausted_pool"),
    ),
    Fault::new("E4", "a new reader is cold", "delay", Proof::NotYet("the mapping of its tests")),
];

pub(super) const CREDENTIALS: &[Fault] = &[
    Fault::new("F1", "a token expires", "a signer of our own", Proof::NotYet("Credentials")),
    Fault::new("F2", "a token for something else", "known answers", Proof::NotYet("Credentials")),
    Fault::new("F3", "a secret is rotated", "a changed password", Proof::NotYet("Credentials")),
    Fault::new(
        "F4",
        "the secret store is down",
        "a server of our own",
        Proof::NotYet("Credentials"),
    ),
    Fault::new(
        "F5",
        "wrong password, user or database",
        "configuration",
        Proof::NotYet("the mapping of its tests"),
    ),
    Fault::new(
        "F6",
        "TLS goes wrong",
        "an authority of our own, a stall",
        Proof::NotYet("the mapping of its tests"),
    ),
];
