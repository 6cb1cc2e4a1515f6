//! D4: topology views that lie in ways the kit's own lies do not: the function itself is replaced
//! on all instances, in the database of the application.

use std::time::Instant;

use aurora_core::{Event, Freshness, Health, Role, Topology};
use aurora_tests::stand::{Stand, caught_up};
use aurora_tests::{ITEMS, events_until, eventually};
use diesel::connection::SimpleConnection as _;
use test_kit::{Builder, PgCluster};

/// The columns of the view that are read.
const COLUMNS: &str = "server_id text, session_id text, last_update_timestamp timestamptz, \
    replica_lag_in_msec double precision, durable_lsn bigint, current_read_lsn bigint";
const TRUTH: &str = "SELECT server_id, session_id, last_update_timestamp, replica_lag_in_msec, \
    durable_lsn, current_read_lsn FROM pg_catalog.true_status()";

fn stand() -> Stand {
    stand_of(PgCluster::builder())
}

fn stand_of(servers: Builder) -> Stand {
    let servers = servers.instances(3).aurora(true);
    let stand = Stand::with(servers, "probe_interval=100ms");
    stand.seed(ITEMS);
    eventually("the topology is complete", || stand.cluster.status().degraded.is_none());
    run(
        &stand,
        "ALTER FUNCTION pg_catalog.aurora_replica_status() RENAME TO true_status; \
         GRANT EXECUTE ON FUNCTION pg_catalog.true_status() TO PUBLIC",
    );
    lie(&stand, COLUMNS, TRUTH);
    eventually("it makes no difference", || stand.cluster.status().degraded.is_none());
    stand
}

/// Runs SQL on the writer, past the library, in one transaction, and waits for the readers.
fn run(stand: &Stand, sql: &str) {
    let sql = format!("SET allow_system_table_mods = on; BEGIN; {sql}; COMMIT");
    stand.kit.superuser(stand.kit.writer()).unwrap().batch_execute(&sql).unwrap();
    caught_up(&stand.kit);
}

/// Lets the view answer this from now on.
fn lie(stand: &Stand, columns: &str, body: &str) {
    run(
        stand,
        &format!(
            "DROP FUNCTION IF EXISTS pg_catalog.aurora_replica_status(); \
             CREATE FUNCTION pg_catalog.aurora_replica_status() RETURNS TABLE ({columns}) \
             LANGUAGE sql VOLATILE SECURITY DEFINER AS $lie$ {body} $lie$"
        ),
    );
}

/// Waits until every instance has answered twice to questions asked from now on.
fn all_asked(stand: &Stand) {
    for _ in 0..2 {
        let now = Instant::now();
        let later = |topology: &Topology| {
            topology.instances().iter().all(|i| i.confirmed_at().is_some_and(|at| at > now))
        };
        eventually("everybody was asked", || later(&stand.cluster.topology()));
    }
}

#[track_caller]
fn assert_complete(stand: &Stand, what: &str) {
    let topology = stand.cluster.topology();
    assert_eq!(topology.instances().len(), 3, "{what}: {topology:#?}");
    assert_eq!(topology.writer().map(|w| w.id().clone()), Some(stand.id(0)), "{what}");
    assert_eq!(topology.readers().len(), 2, "{what}: {topology:#?}");
    let session = &mut stand.session();
    session.batch_execute("INSERT INTO items (name) VALUES ('a')").unwrap();
    session.batch_execute("SELECT * FROM items").unwrap();
}

#[test]
fn views_that_say_too_little_or_too_much_shrink_nothing() {
    let stand = stand();
    let own = format!("{TRUTH} WHERE server_id = pg_catalog.aurora_db_instance_identifier()");
    let writer = format!("{TRUTH} WHERE session_id = 'MASTER_SESSION_ID'");
    let twice = format!("{TRUTH} UNION ALL {TRUTH}");
    let nulls = format!(
        "{TRUTH} UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL \
         UNION ALL SELECT NULL, 'MASTER_SESSION_ID', now(), NULL, NULL, NULL"
    );
    let no_values = "SELECT server_id, session_id, NULL::timestamptz, NULL::double precision, \
                     NULL::bigint, NULL::bigint FROM pg_catalog.true_status()";
    let lies = [
        ("only itself", own.as_str()),
        ("only the writer", &writer),
        ("everybody twice", &twice),
        ("rows of NULL", &nulls),
        ("names without values", no_values),
    ];
    for (what, body) in lies {
        lie(&stand, COLUMNS, body);
        all_asked(&stand);
        assert_complete(&stand, what);
    }
}

#[test]
fn a_view_of_other_types_is_told_and_changes_nothing() {
    let stand = stand();
    let columns =
        COLUMNS.replace("last_update_timestamp timestamptz", "last_update_timestamp text");
    let numbers = COLUMNS.replace("session_id text", "session_id bigint");
    let text = "SELECT server_id, session_id, 'yesterday'::text, replica_lag_in_msec, \
                durable_lsn, current_read_lsn FROM pg_catalog.true_status()";
    let number = "SELECT server_id, 1::bigint, last_update_timestamp, replica_lag_in_msec, \
                  durable_lsn, current_read_lsn FROM pg_catalog.true_status()";
    for (columns, body) in [(&columns, text), (&numbers, number)] {
        let mut events = stand.cluster.events();
        lie(&stand, columns, body);
        let told = |event: &Event| matches!(event, Event::TopologyDegraded { .. });
        events_until(&mut events, told);
        all_asked(&stand);
        assert_complete(&stand, body);
        lie(&stand, COLUMNS, TRUTH);
        eventually("good again", || stand.cluster.status().degraded.is_none());
    }
}

#[test]
fn a_server_that_forgets_what_it_has_planned_is_asked_all_the_same() {
    let stand = stand();
    let mut events = stand.cluster.events();
    // As a pooler does that gives every transaction another connection.
    let forget = format!(
        "CREATE OR REPLACE FUNCTION pg_catalog.aurora_replica_status() RETURNS TABLE ({COLUMNS}) \
         LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $forget$\n#variable_conflict use_column\n\
         BEGIN EXECUTE 'DEALLOCATE ALL'; RETURN QUERY {TRUTH}; END $forget$"
    );
    run(&stand, &forget);
    all_asked(&stand);
    all_asked(&stand);
    assert_complete(&stand, "nothing planned");
    let plans = "SELECT count(*) FROM pg_stat_activity \
                 WHERE application_name LIKE '% monitor' AND query LIKE '%aurora_db_instance_identifier%'";
    let row = stand.kit.superuser(0).unwrap().query_one(plans, &[]).unwrap();
    assert_eq!(row.get::<_, i64>(0), 1, "on the connection there was");
    let told = std::iter::from_fn(|| events.try_next()).collect::<Vec<_>>();
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn a_view_that_is_missing_changes_nothing_not_even_for_new_connections() {
    let stand = stand();
    let mut events = stand.cluster.events();
    run(&stand, "DROP FUNCTION pg_catalog.aurora_replica_status()");
    events_until(&mut events, |event| matches!(event, Event::TopologyDegraded { .. }));
    all_asked(&stand);
    assert_complete(&stand, "missing");
    // A new connection finds a server that does not look like Aurora's.
    stand.kit.restart(2).unwrap();
    eventually("the reader is back", || stand.cluster.topology().readers().len() == 2);
    stand.kit.restart(0).unwrap();
    stand.await_writer(0);
    eventually("all are back", || stand.cluster.topology().readers().len() == 2);
    assert_complete(&stand, "missing, and everybody reconnected");
    lie(&stand, COLUMNS, TRUTH);
    stand.kit.kill_and_promote(1).unwrap();
    stand.await_writer(1);
    assert_eq!(stand.cluster.topology().instances().len(), 3);
}

/// D5 as well: what a table says of others makes nobody a writer.
#[test]
fn a_stale_view_makes_nobody_else_the_writer_and_ends_without_a_trace() {
    let stand = stand();
    let stale = TRUTH.replacen(
        "session_id",
        "CASE WHEN server_id = 'instance-2' THEN 'MASTER_SESSION_ID' \
              WHEN session_id = 'MASTER_SESSION_ID' THEN 'another' ELSE session_id END",
        1,
    );
    lie(&stand, COLUMNS, &stale);
    // The writer's own row and its own word contradict each other: nobody is the writer.
    eventually("writes wait", || stand.cluster.topology().writer().is_none());
    all_asked(&stand);
    let topology = stand.cluster.topology();
    assert_eq!(topology.instances().len(), 3, "{topology:#?}");
    assert!(topology.instances().iter().all(|i| i.role() != Role::Writer), "{topology:#?}");
    assert!(topology.instances().iter().all(|i| i.health() == Health::Online), "{topology:#?}");
    stand.session().batch_execute("SELECT * FROM items").unwrap();
    lie(&stand, COLUMNS, TRUTH);
    stand.await_writer(0);
    eventually("the readers serve", || stand.cluster.topology().readers().len() == 2);
    assert_complete(&stand, "after the lie");
}

/// H5: local write forwarding lets a reader accept writes. These servers cannot forward, so one is
/// promoted behind the backs of all, and goes on to call itself a reader, as Aurora's do.
#[test]
fn a_reader_that_accepts_writes_stays_a_reader() {
    const WRITE: &str = "INSERT INTO items (name) VALUES ('forwarded')";
    // No commit waits for the reader that leaves.
    let stand = stand_of(PgCluster::builder().synchronous(false));
    run(
        &stand,
        "ALTER FUNCTION pg_catalog.pg_is_in_recovery() RENAME TO truly_in_recovery; \
         CREATE FUNCTION pg_catalog.pg_is_in_recovery() RETURNS boolean LANGUAGE sql STABLE \
         AS $$ SELECT pg_catalog.current_setting('cluster_name') <> 'instance-1' $$",
    );
    all_asked(&stand);
    let epoch = stand.instance(1).epoch();
    stand.kit.superuser(1).unwrap().batch_execute("SELECT pg_promote()").unwrap();
    let mut forwarding = stand.kit.client(1).unwrap();
    eventually("it accepts writes", || forwarding.batch_execute(WRITE).is_ok());
    all_asked(&stand);
    let reader = stand.instance(1);
    assert_eq!((reader.role(), reader.health()), (Role::Reader, Health::Online), "{reader:#?}");
    assert_eq!(reader.epoch(), epoch, "its connections go on to serve");
    assert_complete(&stand, "a reader forwards writes");
    let writes = || [0, 1, 2].map(|index| stand.instance(index).stats().writes());
    let (before, session) = (writes(), &mut stand.session());
    for _ in 0..6 {
        session.batch_execute(WRITE).unwrap();
    }
    assert_eq!(writes(), [before[0] + 6, before[1], before[2]], "writes go to the writer");
    // What it wrote itself does not reach the writer, as it would from a real one.
    session.set_freshness(Freshness::Eventual);
    let reads = stand.counting::<3>(|| {
        (0..6).for_each(|_| session.batch_execute("SELECT * FROM items").unwrap());
    });
    assert_eq!(reads, [0, 3, 3], "it serves its share of the reads");
}
