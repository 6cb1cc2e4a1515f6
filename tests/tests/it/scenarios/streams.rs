//! Rows one by one, as they arrive.

use std::ops::ControlFlow;

use aurora_core::Outcome;

use aurora_tests::servers::Servers;

use super::door::{Access, Kind, Open};
use super::scene::{Scene, inside};

/// How many items there are, of which a few hundred fill all buffers on the way.
const MANY: usize = 12_003;

/// Streams come from readers, whole or with one error at the end, and leave nothing behind.
pub(crate) async fn whole_or_told<K: Servers>(open: Open) {
    let scene = Scene::<K>::started(open, 2, false, "").await;
    scene.prepare(K::TEXTS.fill);
    let places = scene
        .ran(async {
            let mut session = scene.guest().await;
            let (rows, failed) = session.stream(&mut |_| ControlFlow::Continue(())).await;
            assert!(rows == MANY && failed.is_none(), "{rows} {failed:?}");
        })
        .await;
    assert_eq!(places, [0, 1]);
    left_early(&scene).await;
    in_a_transaction(&scene).await;
    cut_off(&scene).await;
    scene.assert_usable().await;
    scene.assert_clean().await;
}

/// The session goes on at once, and others are not disturbed.
async fn left_early<K: Servers>(scene: &Scene<K>) {
    let mut session = scene.guest().await;
    for _ in 0..5 {
        let (rows, failed) = session.stream(&mut |_| ControlFlow::Break(())).await;
        assert!(rows == 1 && failed.is_none(), "{rows} {failed:?}");
        assert_eq!(session.number("SELECT count(*) FROM items").await.unwrap(), 12_003);
    }
    scene.assert_clean().await;
    assert!(scene.connections() <= 4, "{} connections", scene.connections());
}

/// It sees the transaction's own rows; one that is left early does not harm the transaction.
async fn in_a_transaction<K: Servers>(scene: &Scene<K>) {
    let mut session = scene.guest().await;
    let work = inside(|transaction| {
        Box::pin(async move {
            transaction.add("streamed").await?;
            let (rows, failed) = transaction.stream(&mut |_| ControlFlow::Break(())).await;
            assert!(rows == 1 && failed.is_none(), "{rows} {failed:?}");
            let (rows, failed) = transaction.stream(&mut |_| ControlFlow::Continue(())).await;
            assert!(rows == MANY + 1 && failed.is_none(), "{rows} {failed:?}");
            Ok(())
        })
    });
    let [_, reader] =
        scene.ran(async { session.transaction(Access::Write, work).await.unwrap() }).await;
    assert_eq!(reader, 0);
    assert_eq!(scene.stored("streamed"), 1);
}

/// After its first row a stream is not run again: it ends with one error, and no row comes twice.
async fn cut_off<K: Servers>(scene: &Scene<K>) {
    let mut session = scene.guest().await;
    let (rows, failed) = session
        .stream(&mut |row| {
            if row == 1 {
                assert!(scene.terminate(1) > 0);
            }
            ControlFlow::Continue(())
        })
        .await;
    let failure = failed.expect("it must not look complete");
    assert_eq!((failure.kind, failure.outcome), (Kind::Lost, Outcome::NotApplied), "{failure}");
    assert!((1..MANY).contains(&rows), "{rows}");
    // The same session begins anew.
    let (rows, failed) = session.stream(&mut |_| ControlFlow::Continue(())).await;
    assert!(rows == MANY + 1 && failed.is_none(), "{rows} {failed:?}");
}
