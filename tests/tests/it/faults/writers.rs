//! A: the writer goes.

use aurora_core::Role;
use aurora_tests::trial::{Allowed, Case};

/// A1: the writer is killed with all its processes, and a reader is promoted. The old writer comes
/// back as a reader.
pub(super) async fn crash(case: Case) {
    let mut trial = case.trial().await;
    trial.strike(0, |kit| kit.kill_and_promote(1));
    trial.await_roles(1, 1);
    trial.load.goes_on().await;
    trial.kit(|kit| kit.rejoin(0)).unwrap();
    trial.recovers(1, 2).await;
    assert_eq!(trial.instance(0).role(), Role::Reader);
    trial.finish(Allowed::errors(1)).await;
}

/// A4: the writer's role is handed over in an orderly way, and back.
pub(super) async fn switchover(case: Case) {
    let mut trial = case.trial().await;
    trial.strike(0, |kit| kit.switchover(1));
    trial.await_roles(1, 2);
    trial.load.goes_on().await;
    trial.kit(|kit| kit.switchover(0)).unwrap();
    trial.recovers(0, 2).await;
    trial.finish(Allowed::errors(2)).await;
}
