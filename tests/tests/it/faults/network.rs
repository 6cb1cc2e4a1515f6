//! B: the way to the writer is bad, but not gone.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use aurora_core::{Health, Outcome};
use aurora_tests::door::{Access, Answer, Kind};
use aurora_tests::scene::{SESSIONS, eventually, inside};
use aurora_tests::servers::{Servers, Setup};
use aurora_tests::trial::{Allowed, Case, Trial};
use futures_util::future::join_all;
use test_kit::chaos::{Direction, Fault, Loss, Mishap};
use test_kit::{KitError, PacketLoss};
use tokio::sync::Barrier;

use super::servers;

/// B5: the writer hears everything, and nothing of what it says arrives. What was under way is
/// carried out, so nobody may be told that it was not.
pub(super) async fn replies_lost<K: Servers>(case: Case) {
    let silent = |kit: &K| {
        kit.proxy(0).set(Fault::Blackhole(Direction::ToClient)).unwrap();
        Ok(())
    };
    silence_towards_clients(case, silent, |kit, ()| kit.proxy(0).heal().unwrap()).await;
}

/// B5 with the packet filter: the server is not told either that nobody hears it.
pub(super) async fn reply_packets_lost<K: Servers>(case: Case) {
    if let Some(reason) = PacketLoss::why_not() {
        return case.skip(&reason);
    }
    let silent = |kit: &K| kit.lose_packets(0, Direction::ToClient);
    silence_towards_clients(case, silent, |_, loss| drop(loss)).await;
}

async fn silence_towards_clients<K: Servers, R>(
    case: Case,
    silence: impl FnOnce(&K) -> Result<R, KitError>,
    heal: impl FnOnce(&K, R),
) {
    let mut trial = case.behind_proxies::<K>().await;
    let mut loss = None;
    trial
        .strike_in_steps(0, async |trial| {
            loss = Some(trial.kit(silence).unwrap());
            eventually("it is lost", async || trial.instance(0).health() == Health::Lost).await;
            trial.kit(|kit| kit.kill_and_promote(1)).unwrap();
        })
        .await;
    trial.await_roles(1, 1);
    trial.load.goes_on().await;
    trial.kit(|kit| heal(kit, loss.expect("it is silent")));
    trial.kit(|kit| kit.rejoin(0)).unwrap();
    trial.recovers(1, 2).await;
    let operations = trial.load.log.operations();
    let failures = operations.iter().filter_map(|operation| operation.failure.as_ref());
    let unknown = failures.filter(|failure| failure.outcome == Outcome::Unknown).count();
    assert!(unknown > 0, "what was under way is unknown: {:#?}", trial.errors());
    trial.finish(Allowed::errors(1)).await;
}

/// B7: answers end in the middle, by a reset or in an orderly way, or are no answers at all.
pub(super) async fn garbage<K: Servers>(case: Case) {
    let mut spoilt = vec![Mishap::ResetInMessage, Mishap::TruncateMessage];
    // sqlx-mysql and MariaDB Connector/C take a packet that is out of order for an answer, and may
    // wait for a rest that never comes.
    if !matches!(case.adapter, "mysql_r2d2" | "mysql_seaorm") {
        spoilt.push(Mishap::Garbage);
    }
    let times = spoilt.len() + 1;
    let mut trial = case.behind_proxies::<K>().await;
    trial
        .strike_in_steps(0, async |trial| {
            for mishap in spoilt {
                for index in 0..3 {
                    let aim = K::aim_at_load(index);
                    let armed = trial.kit(|kit| kit.proxy(index).arm(mishap, aim));
                    eventually("it happens", async || armed.has_happened()).await;
                    trial.load.goes_on().await;
                }
            }
            trial.kit(|kit| kit.proxy(0).half_close());
            trial.load.goes_on().await;
        })
        .await;
    trial.recovers(0, 2).await;
    trial.assert_writer_stayed(0);
    // Each hits one connection; the last one hits all.
    trial.finish(Allowed::errors(times)).await;
}

/// B8: something on the way forgets connections that were idle, and tells nobody. The first to
/// use one learns it at once; the others are not used any more.
pub(super) async fn idle_forgotten<K: Servers>(case: Case) {
    let mut trial = case.behind_proxies::<K>().await;
    whole_pool(&trial).await.into_iter().for_each(Result::unwrap);
    trial
        .strike_in_steps(0, async |trial| {
            // The monitors say something more often than that.
            let after = Duration::from_millis(1500);
            let forget = Fault::ForgetIdle { after, then: Loss::Reset };
            trial.kit(|kit| (0..3).try_for_each(|index| kit.proxy(index).set(forget))).unwrap();
            let begin = tokio::time::Instant::now();
            while begin.elapsed() < 2 * after {
                trial.load.goes_on().await;
            }
            let connects = trial.connects();
            // Nobody may be left that was forgotten: whoever used it later would fail.
            for failure in whole_pool(trial).await.into_iter().filter_map(Result::err) {
                assert_eq!(failure.kind, Kind::Lost, "{failure}");
            }
            whole_pool(trial).await.into_iter().for_each(Result::unwrap);
            assert!(trial.connects() > connects, "some were idle, and are replaced");
            trial.kit(|kit| (0..3).try_for_each(|index| kit.proxy(index).heal())).unwrap();
        })
        .await;
    trial.recovers(0, 2).await;
    trial.assert_writer_stayed(0);
    trial.finish(Allowed::errors(2)).await;
}

/// B8 with the packet filter: whoever uses a forgotten connection hears nothing at all, from the
/// kernel neither, until what it sent has been unacknowledged for `tcp_user_timeout`. The instance
/// is well meanwhile.
pub(super) async fn idle_packets_lost<K: Servers>(case: Case) {
    if let Some(reason) = PacketLoss::why_not() {
        return case.skip(&reason);
    }
    let options = "failover_timeout=10s&tcp_user_timeout=1s&keepalive_idle=10s";
    // Nobody tells the servers that these connections are no more: they have to ask.
    let keepalives = K::TEXTS.keepalives.iter();
    let setup = keepalives.fold(Setup::of(3), |setup, name| setup.setting(*name, "1"));
    let mut trial = case.with::<K>(&setup, options).await;
    let mut loss = None;
    trial
        .strike_in_steps(0, async |trial| {
            at_once(trial, Access::Write).await.into_iter().for_each(Result::unwrap);
            // The monitors say something more often than every second, and so does the load.
            eventually("some are idle", async || !idle_clients(trial).is_empty()).await;
            let idle = idle_clients(trial);
            loss = Some(trial.kit(|kit| kit.lose_flows(0, &idle)).unwrap());
            let connects = trial.connects();
            eventually("one is used, and all are replaced", async || {
                for failure in burst(trial).await.into_iter().filter_map(Result::err) {
                    // Whether it arrived, nobody can know.
                    let said = (failure.kind, failure.outcome);
                    assert_eq!(said, (Kind::Lost, Outcome::Unknown), "{failure}");
                }
                trial.connects() > connects
            })
            .await;
            burst(trial).await.into_iter().for_each(Result::unwrap);
        })
        .await;
    trial.load.goes_on().await;
    drop(loss);
    trial.recovers(0, 2).await;
    trial.assert_writer_stayed(0);
    servers::assert_never_lost(&trial);
    trial.finish(Allowed::errors(2)).await;
}

/// The ports of those who have said nothing to the writer for a second.
fn idle_clients<K: Servers>(trial: &Trial<K>) -> Vec<u16> {
    let ports = trial.kit(|kit| kit.texts(0, K::TEXTS.idle));
    ports.iter().map(|port| port.parse().unwrap()).collect()
}

/// All sessions of the pool write, each a statement of its own.
async fn burst<K: Servers>(trial: &Trial<K>) -> Vec<Answer<()>> {
    let writes = (0..SESSIONS).map(|_| {
        let door = trial.pool.clone();
        tokio::spawn(async move {
            let mut session = door.session().await?;
            session.execute("UPDATE items SET name = name WHERE id = 1").await
        })
    });
    join_all(writes).await.into_iter().map(Result::unwrap).collect()
}

/// All sessions of the pool in transactions at the same time, each with a connection of its own,
/// first to the writer and then to the readers.
async fn whole_pool<K: Servers>(trial: &Trial<K>) -> Vec<Answer<()>> {
    let mut answers = at_once(trial, Access::Write).await;
    answers.extend(at_once(trial, Access::ReadOnly).await);
    answers
}

async fn at_once<K: Servers>(trial: &Trial<K>, access: Access) -> Vec<Answer<()>> {
    let all = Arc::new(Barrier::new(SESSIONS));
    let transactions = (0..SESSIONS).map(|_| {
        let (door, all) = (trial.pool.clone(), Arc::clone(&all));
        tokio::spawn(async move {
            let mut session = door.session().await?;
            let has_come = AtomicBool::new(false);
            let (others, came) = (&all, &has_come);
            let work = inside(|transaction| {
                Box::pin(async move {
                    let read = transaction.names().await;
                    came.store(true, Relaxed);
                    others.wait().await;
                    read.map(drop)
                })
            });
            let answer = session.transaction(access, work).await;
            if !has_come.into_inner() {
                all.wait().await;
            }
            answer
        })
    });
    join_all(transactions).await.into_iter().map(Result::unwrap).collect()
}

/// B9: everything takes longer, by a time that varies, or little fits through. Nobody fails over,
/// and nothing fails.
pub(super) async fn slow<K: Servers>(case: Case) {
    let millis = Duration::from_millis;
    let narrow = NonZeroU32::new(10_000).unwrap();
    // Diesel asks a server of MySQL three times for one text: ten times for a transaction.
    let far = if case.adapter == "mysql_r2d2" { 100 } else { 250 };
    let faults = [
        Fault::Latency { delay: millis(25), jitter: millis(50) },
        Fault::Latency { delay: millis(far), jitter: Duration::ZERO },
        Fault::Bandwidth { bytes_per_second: narrow },
    ];
    let setup = Setup::of(3).behind_proxies();
    // To log in takes several round trips.
    let mut trial = case.with::<K>(&setup, "failover_timeout=10s&connect_timeout=10s").await;
    trial
        .strike_in_steps(0, async |trial| {
            for fault in faults {
                trial.kit(|kit| (0..3).try_for_each(|index| kit.proxy(index).set(fault))).unwrap();
                trial.load.goes_on().await;
            }
            trial.kit(|kit| (0..3).try_for_each(|index| kit.proxy(index).heal())).unwrap();
        })
        .await;
    trial.recovers(0, 2).await;
    trial.assert_writer_stayed(0);
    servers::assert_never_lost(&trial);
    trial.finish(Allowed::errors(0)).await;
}
