//! E, F: a server that lets nobody in, while whoever is in goes on.

use aurora_core::Outcome;
use aurora_tests::door::{Answer, Door, Kind};
use aurora_tests::scene::eventually;
use aurora_tests::servers::{Servers, Setup};
use aurora_tests::trial::{Allowed, Case};
use test_kit::chaos::Fault;

use super::servers::assert_never_lost;
use crate::tls::Certificates;

/// How many newcomers there are, each of which wants a connection of its own.
const NEWCOMERS: usize = 8;

/// E1: no instance has a slot left. Sessions that are open go on, newcomers wait and are told why,
/// nobody is taken for dead, and the servers are not stormed. With a slot all is well.
pub(super) async fn full_server<K: Servers>(case: Case) {
    let setup = Setup::of(3).behind_proxies();
    let mut trial = case.with::<K>(&setup, "failover_timeout=2s").await;
    trial
        .strike_in_steps(0, async |trial| {
            let filled = trial.kit(K::fill);
            let door = trial.open(NEWCOMERS).await;
            let proxy = trial.kit.proxy(0);
            proxy.forget_peaks();
            let failures = newcomers(&*door).await.into_iter().map(Result::unwrap_err);
            for failure in failures {
                let said = (failure.kind, failure.outcome);
                assert_eq!(said, (Kind::NotSent, Outcome::NotApplied), "{failure}");
                assert!(failure.text.to_lowercase().contains("too many"), "{failure}");
            }
            // The pauses between tries are 100 ms, 200 ms and so on; the monitor may try as well.
            let most = proxy.stats().most_accepted_in_a_second;
            assert!(most <= 16, "{most} connects within a second");
            trial.load.goes_on().await;
            trial.kit(|kit| kit.make_room(filled));
            eventually("there is room", async || newcomers(&*door).await.iter().all(Result::is_ok))
                .await;
        })
        .await;
    trial.recovers(0, 2).await;
    trial.assert_writer_stayed(0);
    assert_never_lost(&trial);
    trial.finish(Allowed::errors(0)).await;
}

/// Writes at the same time.
async fn newcomers(door: &dyn Door) -> Vec<Answer<()>> {
    let write = async || {
        let mut session = door.session().await?;
        session.execute("UPDATE items SET name = name WHERE id = 1").await
    };
    futures_util::future::join_all((0..NEWCOMERS).map(|_| write())).await
}

/// F6: whoever asks for TLS is not answered. Sessions that are open go on, newcomers are told in
/// time, and nobody is taken for dead.
pub(super) async fn stalled_tls<K: Servers>(case: Case) {
    let Case { fault, adapter, .. } = case;
    let certificates = Certificates::signed(&format!("{fault}-{adapter}"), "DNS:a.example.com");
    let [certificate, key] = ["server.pem", "server.key"].map(|name| certificates.readable(name));
    let setup = K::knowing_tls(Setup::of(3).behind_proxies(), &certificate, &key);
    let mut trial = case.with::<K>(&setup, "failover_timeout=2s&connect_timeout=1s").await;
    trial
        .strike_in_steps(0, async |trial| {
            let all = |fault: fn(&K, usize)| {
                trial.kit(|kit| (0..3).for_each(|index| fault(kit, index)));
            };
            all(|kit, index| kit.proxy(index).set(Fault::StallTls).unwrap());
            let door = trial.open(NEWCOMERS).await;
            for failure in newcomers(&*door).await.into_iter().map(Result::unwrap_err) {
                let said = (failure.kind, failure.outcome);
                assert_eq!(said, (Kind::NotSent, Outcome::NotApplied), "{failure}");
            }
            trial.load.goes_on().await;
            all(|kit, index| kit.proxy(index).heal().unwrap());
            eventually("it answers", async || newcomers(&*door).await.iter().all(Result::is_ok))
                .await;
        })
        .await;
    trial.recovers(0, 2).await;
    trial.assert_writer_stayed(0);
    trial.finish(Allowed::errors(1)).await;
}
