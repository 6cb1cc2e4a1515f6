//! The rows of the catalogue.

mod cluster;
mod credentials;
mod program;

use std::time::Duration;

use self::cluster::{NAMES, STORMS, TOPOLOGY};
use self::credentials::CREDENTIALS;
use self::program::{ADAPTER, PROGRAM, TRANSACTIONS};
use super::catalogue::{ADAPTERS, Fault, Often, Proof};

/// How long a crash may keep anybody from writing, where another writer is there at once.
const CRASH: Duration = Duration::from_secs(1);
/// The same for an instance that says nothing any more.
const SILENCE: Duration = Duration::from_secs(3);

/// Why a fault is not for another engine.
const SAME: &str = "the code is the same for every engine, and was not run again";

/// All parts in order.
pub(super) const ROWS: [&[Fault]; 9] =
    [WRITERS, HANGS, NAMES, TOPOLOGY, STORMS, CREDENTIALS, PROGRAM, TRANSACTIONS, ADAPTER];

const fn trial(test: &'static str) -> Proof {
    Proof::Trial { test, adapters: &ADAPTERS, often: Often::Asked }
}

const fn always(test: &'static str) -> Proof {
    Proof::Trial { test, adapters: &ADAPTERS, often: Often::Always }
}

const fn scenarios(tests: &'static [&'static str]) -> Proof {
    Proof::Scenarios { tests, adapters: &ADAPTERS }
}

const fn tests(adapters: &'static [&'static str], tests: &'static [&'static str]) -> Proof {
    Proof::Tests { tests, adapters }
}

const WRITERS: &[Fault] = &[
    Fault::new(
        "A1",
        "the writer crashes",
        "SIGKILL to all its processes, promotion",
        always("a1_writer_crash"),
    )
    .within(CRASH),
    Fault::new(
        "A2",
        "only the postmaster crashes",
        "SIGKILL to it while a statement runs",
        trial("a2_postmaster_crash"),
    )
    .never_on_mysql("MariaDB is one process, whose crash is A1"),
    Fault::new("A3", "a backend crashes", "SIGKILL to one", trial("a3_backend_crash"))
        .within(CRASH)
        .never_on_mysql(
            "MariaDB serves sessions by threads, and the crash of one is the server's: A5",
        ),
    Fault::new(
        "A4",
        "switchover",
        "stop, promotion, return as a reader, and back",
        always("a4_switchover"),
    )
    .within(CRASH)
    .on_mysql_by("the old writer refuses writes under its sessions, promotion, and back"),
    Fault::new(
        "A5",
        "the same writer comes back",
        "SIGKILL to all its processes, start",
        trial("a5_same_writer"),
    ),
    Fault::new(
        "A6",
        "the new writer crashes at once",
        "two crashes, two promotions",
        trial("a6_double_failover"),
    )
    .within(CRASH),
    Fault::new(
        "A7",
        "hundreds wait for a writer",
        "500 tasks (100 that block) while there is none",
        trial("a7_waiters"),
    ),
    Fault::new(
        "A8",
        "nobody is promoted",
        "SIGKILL to all its processes",
        trial("a8_no_candidate"),
    ),
];

const HANGS: &[Fault] = &[
    Fault::new(
        "B1",
        "an instance hangs",
        "SIGSTOP to all its processes, promotion, SIGCONT",
        always("b1_hung_instance"),
    )
    .within(SILENCE),
    Fault::new("B2", "only the postmaster hangs", "SIGSTOP to it", trial("b2_hung_postmaster"))
        .never_on_mysql("MariaDB is one process, which hangs as a whole: B1"),
    Fault::new("B3", "a backend hangs", "SIGSTOP to one", trial("b3_hung_backend"))
        .never_on_mysql("MariaDB serves sessions by threads, and none can be stopped alone"),
    Fault::new(
        "B4",
        "an instance vanishes from the network",
        "silence both ways, promotion",
        always("b4_blackhole"),
    )
    .within(SILENCE)
    .and(trial("b4_lost_packets")),
    Fault::new(
        "B5",
        "answers are lost",
        "silence towards the client, promotion",
        trial("b5_replies_lost"),
    )
    .and(trial("b5_lost_packets")),
    Fault::new("B6", "connections are reset", "RST to all, three times", always("b6_reset"))
        .within(CRASH),
    Fault::new(
        "B7",
        "answers end in the middle, or are garbage",
        "mishaps of the proxy",
        trial("b7_garbage"),
    )
    .on_mysql_by("mishaps of the proxy; garbage with bb8 and deadpool alone"),
    Fault::new(
        "B8",
        "idle connections are forgotten",
        "the proxy forgets, or their packets are dropped",
        trial("b8_idle_forgotten"),
    )
    .and(trial("b8_lost_packets")),
    Fault::new("B9", "the network is slow", "latency, jitter, bandwidth", trial("b9_slow_network")),
    Fault::new("B10", "a query takes long", "pg_sleep", trial("b10_long_query"))
        .on_mysql_by("SLEEP"),
    Fault::new(
        "B11",
        "an instance crashes again and again",
        "SIGKILL to a backend five times, disk_full in between",
        trial("b11_crash_loop"),
    )
    .on_mysql_by("SIGKILL five times, a full disk in between"),
];
