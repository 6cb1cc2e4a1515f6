//! D: what the instances are changes, or what they know of each other is late.

use std::sync::Arc;
use std::time::Duration;

use aurora_core::{Freshness, Outcome};
use aurora_tests::door::Kind;
use aurora_tests::scene::{Scene, eventually};
use aurora_tests::servers::{Servers, Setup};
use aurora_tests::trial::{Allowed, Case};
use test_kit::PgCluster;
use tokio::task::block_in_place;

/// D1: the writer turns read-only under its sessions, which stay open, as when it is demoted; then
/// it goes, and a reader is promoted. The old writer comes back as a reader.
pub(super) async fn read_only_writer<K: Servers>(case: Case) {
    let mut trial = case.trial::<K>().await;
    trial
        .strike_in_steps(0, async |trial| {
            trial.kit(|kit| kit.set_read_only(0, true)).unwrap();
            let writer = async || trial.cluster.topology().writer().is_some();
            eventually("there is no writer", async || !writer().await).await;
            trial.load.reads_go_on().await;
            trial.kit(|kit| kit.kill_and_promote(1)).unwrap();
        })
        .await;
    trial.await_roles(1, 1);
    trial.load.goes_on().await;
    trial.kit(|kit| kit.set_read_only(0, false).and_then(|()| kit.rejoin(0))).unwrap();
    trial.recovers(1, 2).await;
    // A transaction that was open may be refused; nothing is, once the new writer is known.
    trial.finish(Allowed::errors(1).and_refusals()).await;
}

/// D8: a reader stops to replay: who asks for recent data is not sent there, until it has caught
/// up.
pub(super) async fn lag<K: Servers>(case: Case) {
    const RECENT: Duration = Duration::from_millis(500);
    let setup = Setup::of(3).synchronous(false);
    let mut trial = case.with::<K>(&setup, "failover_timeout=10s&probe_interval=50ms").await;
    let mut session = trial.guest().await;
    session.set_freshness(Freshness::Bounded(RECENT));
    trial.strike(1, |kit| kit.pause_replay(1));
    eventually("the reader is too old", async || !serves(&trial, 1, RECENT)).await;
    let before = trial.load.log.operations().len();
    for _ in 0..20 {
        assert_eq!(session.names().await.unwrap(), ["a", "b", "c"]);
        assert!(!serves(&trial, 1, RECENT), "its replay is paused");
    }
    trial.load.goes_on().await;
    assert!(trial.load.log.operations().len() > before);
    trial.kit(|kit| kit.resume_replay(1)).unwrap();
    eventually("the reader has caught up", async || serves(&trial, 1, RECENT)).await;
    drop(session);
    trial.recovers(0, 2).await;
    trial.assert_writer_stayed(0);
    trial.finish(Allowed::errors(0)).await;
}

/// Whether the instance is known to be as fresh as that.
fn serves<K: Servers>(scene: &Scene<K>, index: usize, bound: Duration) -> bool {
    scene.instance(index).fresh_as_of().is_some_and(|moment| moment.elapsed() <= bound)
}

/// D9: replay cancels a read, which is run again unseen; the reader is not to blame.
pub(super) async fn recovery_conflict(case: Case) {
    const RUNNING: &str = "SELECT count(*) FROM pg_stat_activity \
                           WHERE wait_event = 'PgSleep' AND application_name = 'aurora'";
    const CANCELLED: &str = "SELECT sum(confl_snapshot)::bigint FROM pg_stat_database_conflicts";
    // Commits wait for no reader: one that replays nothing for a moment would hold them up.
    let setup =
        Setup::of(2).setting("max_standby_streaming_delay", "0").setting("autovacuum", "off");
    let mut trial = case.with::<PgCluster>(&setup, "failover_timeout=10s").await;
    trial.prepare("CREATE TABLE old AS SELECT g FROM generate_series(1, 1000) AS g");
    let door = Arc::clone(&trial.pool);
    let before = trial.ask(1, CANCELLED);
    let read = tokio::spawn(async move {
        door.session().await?.number("SELECT count(*) FROM old, pg_sleep(4)").await
    });
    eventually("it runs", async || trial.ask(1, RUNNING) == 1).await;
    trial
        .strike_in_steps(1, async |trial| {
            let mut writer = trial.kit(|kit| kit.client(0)).unwrap();
            let mut run = |sql: &str| block_in_place(|| writer.batch_execute(sql)).unwrap();
            run("DELETE FROM old WHERE g > 10");
            eventually("replay cancels it", async || {
                // What a transaction of the load may still see is left by the first ones.
                run("VACUUM old");
                trial.ask(1, CANCELLED) > before
            })
            .await;
            block_in_place(|| drop(writer));
        })
        .await;
    assert!(matches!(read.await.unwrap(), Ok(10 | 1000)), "before or after the DELETE");
    trial.recovers(0, 1).await;
    trial.assert_writer_stayed(0);
    trial.finish(Allowed::errors(0)).await;
}

/// D10: all instances crash and come back while a reader reads for long, as Aurora's do in a
/// failover.
pub(super) async fn all_restart<K: Servers>(case: Case) {
    let mut trial = case.trial::<K>().await;
    let epochs = [0, 1, 2].map(|index| trial.instance(index).epoch());
    let door = Arc::clone(&trial.pool);
    let read = tokio::spawn(async move { door.session().await?.number(K::TEXTS.long_read).await });
    eventually("it runs", async || {
        [1, 2].map(|index| trial.ask(index, K::TEXTS.sleeping)).iter().sum::<i64>() == 1
    })
    .await;
    trial.strike(0, |kit| {
        [1, 2, 0].into_iter().try_for_each(|index| kit.kill(index))?;
        [0, 1, 2].into_iter().try_for_each(|index| kit.start(index))
    });
    for (index, epoch) in epochs.into_iter().enumerate() {
        trial.await_restart(index, epoch);
    }
    // It was run again, unless it met every instance in its last moment: three times is the most.
    let read = read.await.unwrap().map_err(|failure| (failure.kind, failure.outcome));
    assert!(matches!(read, Ok(3) | Err((Kind::Lost, Outcome::NotApplied))), "{read:?}");
    trial.recovers(0, 2).await;
    trial.assert_writer_stayed(0);
    trial.finish(Allowed::errors(1).and_reads()).await;
}
