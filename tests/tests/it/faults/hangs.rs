//! B: the writer says nothing any more, or the way to it is broken.

use aurora_tests::servers::Servers;
use aurora_tests::trial::{Allowed, Case};
use test_kit::PacketLoss;
use test_kit::chaos::{Direction, Fault};

/// B1: all processes of the writer are stopped, and a reader is promoted. When they go on there
/// are two writers, of which the old one is left alone; at last it is rebuilt as a reader.
pub(super) async fn paused<K: Servers>(case: Case) {
    let mut trial = case.trial::<K>().await;
    trial.strike(0, |kit| {
        kit.pause(0)?;
        kit.promote(1)
    });
    trial.await_roles(1, 1);
    trial.load.goes_on().await;
    trial.kit(|kit| kit.resume(0)).unwrap();
    trial.load.goes_on().await;
    trial.kit(|kit| kit.rejoin(0)).unwrap();
    trial.recovers(1, 2).await;
    trial.finish(Allowed::errors(1)).await;
}

/// B4: nothing reaches the writer any more, nor comes back; it is fenced and a reader is promoted.
pub(super) async fn blackhole<K: Servers>(case: Case) {
    let mut trial = case.behind_proxies::<K>().await;
    trial.strike(0, |kit| {
        kit.proxy(0).set(Fault::Blackhole(Direction::Both)).unwrap();
        kit.kill_and_promote(1)
    });
    trial.await_roles(1, 1);
    trial.load.goes_on().await;
    trial.kit(|kit| kit.proxy(0).heal()).unwrap();
    trial.kit(|kit| kit.rejoin(0)).unwrap();
    trial.recovers(1, 2).await;
    trial.finish(Allowed::errors(1)).await;
}

/// B4 with the packet filter: the kernel acknowledges nothing, either.
pub(super) async fn lost_packets<K: Servers>(case: Case) {
    if let Some(reason) = PacketLoss::why_not() {
        return case.skip(&reason);
    }
    let mut trial = case.behind_proxies::<K>().await;
    let mut loss = None;
    trial.strike(0, |kit| {
        loss = Some(kit.lose_packets(0, Direction::Both)?);
        kit.kill_and_promote(1)
    });
    trial.await_roles(1, 1);
    trial.load.goes_on().await;
    drop(loss);
    trial.kit(|kit| kit.rejoin(0)).unwrap();
    trial.recovers(1, 2).await;
    trial.finish(Allowed::errors(1)).await;
}

/// B6: the connections to the writer are reset, again and again; nobody fails over.
pub(super) async fn reset<K: Servers>(case: Case) {
    const TIMES: usize = 3;
    let mut trial = case.behind_proxies::<K>().await;
    trial
        .strike_in_steps(0, async |trial| {
            for _ in 0..TIMES {
                trial.kit(|kit| kit.proxy(0).reset_all());
                trial.load.goes_on().await;
            }
        })
        .await;
    trial.recovers(0, 2).await;
    trial.assert_writer_stayed(0);
    trial.finish(Allowed::errors(TIMES)).await;
}
