//! B: something is wrong with a server that has not gone.

use std::sync::Arc;
use std::time::Duration;

use aurora_core::sql::Target;
use aurora_core::{Event, Health, Outcome};
use aurora_tests::door::{Access, Answer, Door, Failure};
use aurora_tests::scene::inside;
use aurora_tests::servers::{Servers, Setup};
use aurora_tests::trial::{Allowed, Case, Trial};
use test_kit::PgCluster;
use tokio::sync::oneshot;

use super::processes;

/// Soon enough that a trial can wait for what must not come.
const SHORT: &str = "failover_timeout=10s&detection_time=1s";
/// Several times as long as that detection.
const LONG: Duration = Duration::from_secs(4);

/// B2: the process that accepts connections hangs, those that serve sessions do not: these go on,
/// and nobody fails over.
pub(super) async fn hung_postmaster(case: Case) {
    let mut trial = case.with::<PgCluster>(&Setup::of(3), SHORT).await;
    let postmaster = trial.kit.pid(0).unwrap();
    trial
        .strike_in_steps(0, async |trial| {
            processes::signal(postmaster, "STOP");
            goes_on_for_long(trial).await;
            assert!(trial.kit(|kit| kit.client(0)).is_err(), "nobody answers a new connection");
            trial.load.goes_on().await;
            processes::signal(postmaster, "CONT");
        })
        .await;
    trial.recovers(0, 2).await;
    trial.assert_writer_stayed(0);
    assert_never_lost(&trial);
    // A new connection is not answered.
    trial.finish(Allowed::errors(1)).await;
}

/// B3: one process that serves a session hangs: that session waits, all others go on, and nobody
/// fails over.
pub(super) async fn hung_backend(case: Case) {
    let mut trial = case.with::<PgCluster>(&Setup::of(3), SHORT).await;
    let (tell, told) = oneshot::channel();
    let (go, gone) = oneshot::channel();
    let session = tokio::spawn(hold_backend(Arc::clone(&trial.pool), tell, gone));
    let backend = told.await.unwrap();
    trial
        .strike_in_steps(0, async |trial| {
            processes::signal(backend, "STOP");
            go.send(()).unwrap();
            goes_on_for_long(trial).await;
            assert!(!session.is_finished(), "it waits");
            processes::signal(backend, "CONT");
            session.await.unwrap().unwrap();
        })
        .await;
    trial.recovers(0, 2).await;
    trial.assert_writer_stayed(0);
    assert_never_lost(&trial);
    trial.finish(Allowed::errors(0)).await;
}

/// Tells which process serves a transaction, and lets it write when told to.
async fn hold_backend(
    door: Arc<dyn Door>,
    tell: oneshot::Sender<i32>,
    go: oneshot::Receiver<()>,
) -> Answer<()> {
    let work = inside(|transaction| {
        Box::pin(async move {
            let backend = transaction.number("SELECT pg_backend_pid()::bigint").await?;
            tell.send(backend.try_into().unwrap()).unwrap();
            go.await.unwrap();
            // The load reads all items: they stay what they are.
            transaction.execute("UPDATE items SET name = name WHERE id = 1").await
        })
    });
    door.session().await?.transaction(Access::Write, work).await
}

/// B10: queries that take many times the detection time are left alone, on the writer and on a
/// reader.
pub(super) async fn long_queries<K: Servers>(case: Case) {
    let mut trial = case.with::<K>(&Setup::of(3), SHORT).await;
    trial
        .strike_in_steps(0, async |trial| {
            let [writer, reader] = [Target::Writer, Target::Reader]
                .map(|target| tokio::spawn(wait::<K>(Arc::clone(&trial.pool), target)));
            goes_on_for_long(trial).await;
            writer.await.unwrap().unwrap();
            reader.await.unwrap().unwrap();
        })
        .await;
    trial.recovers(0, 2).await;
    trial.assert_writer_stayed(0);
    assert_never_lost(&trial);
    trial.finish(Allowed::errors(0)).await;
}

async fn wait<K: Servers>(door: Arc<dyn Door>, target: Target) -> Answer<()> {
    let sql = K::TEXTS.wait.replace("{}", &LONG.as_secs().to_string());
    let work = inside(|session| Box::pin(async move { session.number(&sql).await.map(drop) }));
    door.session().await?.forced(target, work).await
}

/// B11: the writer crashes again and again, and has no room left in between. Each crash costs each
/// worker an error at most, nobody fails over, and what a full disk refuses is told as it is.
pub(super) async fn crash_loop<K: Servers>(case: Case) {
    const TIMES: usize = 5;
    let mut trial = case.behind_proxies::<K>().await;
    let proxy = trial.kit.proxy(0);
    proxy.forget_peaks();
    trial
        .strike_in_steps(0, async |trial| {
            for _ in 0..TIMES {
                let epoch = trial.instance(0).epoch();
                trial.kit(|kit| kit.crash_and_restart(0)).unwrap();
                trial.await_restart(0, epoch);
                let failure = write_without_room(trial).await.unwrap_err();
                assert!(failure.text.contains("No space left"), "{failure}");
                assert_eq!(failure.outcome, Outcome::NotApplied, "{failure}");
                trial.load.goes_on().await;
            }
        })
        .await;
    trial.recovers(0, 2).await;
    trial.assert_writer_stayed(0);
    // A crash costs each of the eight sessions a connect, and the monitor some; there may be
    // several crashes within a second. 18 to 26 connects were seen.
    let most = proxy.stats().most_accepted_in_a_second;
    assert!(most <= 60, "{most} connections within a second");
    // One by each crash, and one more if a session was let in just before all were ended.
    trial.finish(Allowed::errors(2 * TIMES)).await;
}

/// What a server says whose disk is full.
async fn write_without_room<K: Servers>(trial: &Trial<K>) -> Result<(), Failure> {
    trial.pool.session().await?.execute(K::TEXTS.disk_full).await
}

/// All workers go on for much longer than it takes to detect an instance that is gone.
async fn goes_on_for_long<K: Servers>(trial: &Trial<K>) {
    let begin = tokio::time::Instant::now();
    while begin.elapsed() < LONG {
        trial.load.goes_on().await;
    }
}

/// No instance was ever taken for lost.
#[track_caller]
pub(super) fn assert_never_lost<K: Servers>(trial: &Trial<K>) {
    let lost = |event: &Event| matches!(event, Event::HealthChanged { to: Health::Lost, .. });
    let told = trial.told();
    assert!(!told.iter().any(lost), "{told:#?}");
}
