//! A: the writer goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aurora_core::{Health, Outcome, Role};
use aurora_tests::door::Door;
use aurora_tests::scene::eventually;
use aurora_tests::servers::{Servers, Setup};
use aurora_tests::trial::{Allowed, Case};
use test_kit::PgCluster;
use tokio::task::JoinSet;

use super::processes;

/// What is written beside the load, whose readers know the items.
const NOTES: &str = "CREATE TABLE notes (name text NOT NULL)";

/// A1: the writer is killed with all its processes, and a reader is promoted. The old writer comes
/// back as a reader.
pub(super) async fn crash<K: Servers>(case: Case) {
    let mut trial = case.trial::<K>().await;
    trial.strike(0, |kit| kit.kill_and_promote(1));
    trial.await_roles(1, 1);
    trial.load.goes_on().await;
    trial.kit(|kit| kit.rejoin(0)).unwrap();
    trial.recovers(1, 2).await;
    assert_eq!(trial.instance(0).role(), Role::Reader);
    trial.finish(Allowed::errors(1)).await;
}

/// A2: the postmaster alone is killed: connects are refused, while a statement that is running
/// goes on and commits. So "refused" must not become "not applied".
pub(super) async fn postmaster_crash(case: Case) {
    // No commit waits for readers, which the dying server no longer feeds.
    let setup = Setup::of(3).synchronous(false);
    let mut trial = case.with::<PgCluster>(&setup, "failover_timeout=10s").await;
    trial.prepare(NOTES);
    let (door, epoch) = (Arc::clone(&trial.pool), trial.instance(0).epoch());
    let busy = tokio::spawn(async move {
        // Waits for nothing: a process that does notices that the postmaster is gone, and ends.
        let busy = "DO $$ DECLARE start timestamptz := clock_timestamp(); BEGIN \
                    WHILE clock_timestamp() < start + interval '1500 ms' LOOP END LOOP; \
                    INSERT INTO notes VALUES ('busy'); END $$";
        door.session().await?.execute(busy).await
    });
    let running = "SELECT count(*) FROM pg_stat_activity \
                   WHERE application_name = 'aurora' AND query LIKE 'DO %'";
    eventually("it runs", async || trial.ask(0, running) == 1).await;
    let postmaster = trial.kit.pid(0).unwrap();
    let process = "SELECT max(pid)::bigint FROM pg_stat_activity WHERE query LIKE 'DO %'";
    let process = trial.ask(0, process).try_into().unwrap();
    trial.strike(0, |_| {
        processes::kill(postmaster);
        Ok(())
    });
    let result = busy.await.unwrap();
    eventually("it has committed", async || !processes::is_alive(process)).await;
    trial.kit(|kit| kit.kill(0)).unwrap();
    trial.kit(|kit| kit.start(0)).unwrap();
    trial.await_restart(0, epoch);
    trial.recovers(0, 2).await;
    let outcome = result.map_err(|failure| failure.outcome);
    // It may have ended with the server, but whoever says so must be right.
    match trial.ask(0, "SELECT count(*) FROM notes") {
        0 => assert!(matches!(outcome, Err(Outcome::Unknown | Outcome::NotApplied)), "{outcome:?}"),
        1 => assert!(matches!(outcome, Ok(()) | Err(Outcome::Unknown | Outcome::Applied))),
        more => panic!("stored {more} times"),
    }
    trial.assert_writer_stayed(0);
    trial.finish(Allowed::errors(1)).await;
}

/// A3: one process of the writer crashes, whereupon the server ends all sessions and is back in
/// no time: nobody fails over.
pub(super) async fn backend_crash(case: Case) {
    let mut trial = case.trial::<PgCluster>().await;
    let epoch = trial.instance(0).epoch();
    let backend = "SELECT max(pid)::bigint FROM pg_stat_activity WHERE application_name = 'aurora'";
    let backend = trial.ask(0, backend).try_into().unwrap();
    trial.strike(0, |_| {
        processes::kill(backend);
        Ok(())
    });
    trial.await_restart(0, epoch);
    trial.recovers(0, 2).await;
    trial.assert_writer_stayed(0);
    // One by the crash; one more if a session was let in just before all were ended.
    trial.finish(Allowed::errors(2)).await;
}

/// A4: the writer's role is handed over in an orderly way, and back.
pub(super) async fn switchover<K: Servers>(case: Case) {
    let mut trial = case.trial::<K>().await;
    trial.strike(0, |kit| kit.switchover(1));
    trial.await_roles(1, 2);
    trial.load.goes_on().await;
    trial.kit(|kit| kit.switchover(0)).unwrap();
    trial.recovers(0, 2).await;
    let allowed = Allowed::errors(2);
    // Who has not heard of it is told so by the old writer, which still answers.
    let refused = if K::DEMOTED_SESSIONS_STAY { allowed.and_refusals() } else { allowed };
    trial.finish(refused).await;
}

/// A5: the writer crashes and comes back as the writer; no reader is taken for one.
pub(super) async fn same_writer<K: Servers>(case: Case) {
    let mut trial = case.trial::<K>().await;
    let epoch = trial.instance(0).epoch();
    trial.strike(0, |kit| {
        kit.kill(0)?;
        kit.start(0)
    });
    trial.await_restart(0, epoch);
    trial.recovers(0, 2).await;
    trial.assert_writer_stayed(0);
    trial.finish(Allowed::errors(1)).await;
}

/// A6: the new writer is killed as soon as it is one, and a third one takes over.
pub(super) async fn double_failover<K: Servers>(case: Case) {
    let mut trial = case.trial::<K>().await;
    trial.strike(0, |kit| {
        kit.kill_and_promote(1)?;
        kit.kill_and_promote(2)
    });
    trial.await_roles(2, 0);
    trial.load.goes_on().await;
    trial.kit(|kit| kit.rejoin(0).and_then(|()| kit.rejoin(1))).unwrap();
    trial.recovers(2, 2).await;
    trial.finish(Allowed::errors(2)).await;
}

/// A7: many tasks wait for a writer; they go on together when there is one, and do not storm it.
pub(super) async fn waiters<K: Servers>(case: Case) {
    // A task that blocks needs a thread of its own.
    let tasks = if case.blocks() { 100 } else { 500 };
    let mut trial = case.behind_proxies::<K>().await;
    trial.prepare(NOTES);
    let wrote = Arc::new(AtomicUsize::new(0));
    let mut waiting = JoinSet::new();
    let proxy = trial.kit.proxy(1);
    proxy.forget_peaks();
    trial
        .strike_in_steps(0, async |trial| {
            trial.kit(|kit| kit.kill(0)).unwrap();
            eventually("it is lost", async || trial.instance(0).health() == Health::Lost).await;
            for task in 0..tasks {
                let (door, wrote) = (Arc::clone(&trial.pool), Arc::clone(&wrote));
                waiting.spawn(async move {
                    write_in_the_end(&*door, task).await;
                    wrote.fetch_add(1, Ordering::Relaxed);
                });
            }
            assert_eq!(wrote.load(Ordering::Relaxed), 0, "there is no writer");
            trial.kit(|kit| kit.promote(1)).unwrap();
            eventually("all have written", async || wrote.load(Ordering::Relaxed) == tasks).await;
        })
        .await;
    // As many as there are sessions, the monitor, and one that was opened when it was a reader.
    let most = proxy.stats().most_accepted_in_a_second;
    assert!(most <= 20, "{most} connections within a second");
    while let Some(task) = waiting.join_next().await {
        task.unwrap();
    }
    let [all, different] = ["name", "DISTINCT name"]
        .map(|what| trial.ask(1, &format!("SELECT count({what}) FROM notes")));
    assert_eq!([all, different], [i64::try_from(tasks).unwrap(); 2], "each exactly once");
    trial.kit(|kit| kit.rejoin(0)).unwrap();
    trial.recovers(1, 2).await;
    // The pool has been as busy as can be, so that some waited for a session in vain.
    trial.finish(Allowed::errors(8).and_reads()).await;
}

/// As an application does: again after "not applied".
async fn write_in_the_end(door: &dyn Door, task: usize) {
    let insert = format!("INSERT INTO notes VALUES ('{task}')");
    loop {
        let result = match door.session().await {
            Ok(mut session) => session.execute(&insert).await,
            Err(failure) => Err(failure),
        };
        let Err(failure) = result else { return };
        assert_eq!(failure.outcome, Outcome::NotApplied, "{failure}");
    }
}

/// A8: the writer is killed and nobody is promoted for long: writes wait until their deadline and
/// are told what was tried, reads go on.
pub(super) async fn no_candidate<K: Servers>(case: Case) {
    let mut trial = case.with::<K>(&Setup::of(3), "failover_timeout=1s").await;
    trial
        .strike_in_steps(0, async |trial| {
            trial.kit(|kit| kit.kill(0)).unwrap();
            eventually("it is lost", async || trial.instance(0).health() == Health::Lost).await;
            let failure = trial.guest().await.add("never").await.unwrap_err();
            assert_eq!(failure.outcome, Outcome::NotApplied, "{failure}");
            let names = (0..3).map(|index| trial.kit.name(index));
            assert!(names.into_iter().all(|name| failure.text.contains(&name)), "{failure}");
            trial.load.reads_go_on().await;
            trial.kit(|kit| kit.promote(1)).unwrap();
        })
        .await;
    trial.await_roles(1, 1);
    trial.load.goes_on().await;
    trial.kit(|kit| kit.rejoin(0)).unwrap();
    trial.recovers(1, 2).await;
    assert_eq!(trial.stored("never"), 0);
    // One by the crash, and one for each second without a writer.
    trial.finish(Allowed::errors(20)).await;
}
