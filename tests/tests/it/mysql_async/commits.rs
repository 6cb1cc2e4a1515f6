//! What happens to a COMMIT.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use aurora_diesel::{MarkerTable, Outcome, Resolve, RunOptions, outcome};
use aurora_tests::LIMIT;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use test_kit::MariaDbCluster;
use test_kit::chaos::{Aim, Loss, Mishap};

use super::stand::{ITEMS, LEDGER, Ledger, Session, Stand, add, eventually, ledger, names};

/// So many servers behind proxies, where `sql` was run, with the table of markers.
async fn stand(instances: usize, sql: &'static str) -> Stand {
    let servers = MariaDbCluster::builder().instances(instances).behind_proxies();
    let stand = Stand::with(servers, sql).await;
    stand.manager.cluster().create_marker_table(&MarkerTable::default()).await.unwrap();
    stand
}

fn marked() -> RunOptions {
    RunOptions::new().resolve(Resolve::Marker(MarkerTable::default()))
}

async fn run(session: &mut Session, options: &RunOptions, name: &str) -> (QueryResult<usize>, u32) {
    let runs = AtomicU32::new(0);
    let done = session.run_transaction_with(options, async |session| {
        runs.fetch_add(1, Relaxed);
        add(session, name).await
    });
    (done.await, AtomicU32::load(&runs, Relaxed))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_commit_is_resolved_by_its_marker_or_stays_unknown() {
    let stand = stand(2, ITEMS).await;
    let session = &mut stand.session();
    let mut expected = Vec::new();
    // There are no ids that the server could be asked about: so by default nothing is resolved.
    for options in [marked(), RunOptions::new(), RunOptions::new().resolve(Resolve::No)] {
        for (name, mishap, is_there) in [
            ("answer", Mishap::LoseAnswer(Loss::Reset), true),
            ("request", Mishap::LoseRequest(Loss::Reset), false),
        ] {
            let armed = stand.kit.proxy(0).arm(mishap, Aim::Commit);
            let (done, runs) = run(session, &options, name).await;
            assert!(armed.has_happened(), "{name}");
            let is_marked = options == marked();
            if is_marked {
                assert_eq!((done, runs), (Ok(1), if is_there { 1 } else { 2 }), "{name}");
            } else {
                let error = done.unwrap_err();
                assert_eq!((outcome(&error), runs), (Outcome::Unknown, 1), "{name}: {error}");
            }
            expected.extend((is_there || is_marked).then_some(name));
        }
    }
    assert_eq!(names(session).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marker_tells_across_a_failover() {
    for (mishap, expected) in
        [(Mishap::LoseAnswer(Loss::Silence), 1), (Mishap::LoseRequest(Loss::Silence), 2)]
    {
        let stand = stand(2, ITEMS).await;
        let armed = stand.kit.proxy(0).arm(mishap, Aim::Commit);
        let mut session = stand.session();
        // The future moves between threads.
        let running = tokio::spawn(async move { run(&mut session, &marked(), "one").await });
        assert!(stand.kit(|_| armed.wait(LIMIT)), "the COMMIT was sent");
        if expected == 1 {
            let there = "SELECT COUNT(*) FROM items";
            eventually("it is applied", async || stand.ask(0, there) == "1").await;
        }
        stand.kit(|kit| kit.kill_and_promote(1)).unwrap();
        assert_eq!(running.await.unwrap(), (Ok(1), expected), "{mishap:?}");
        assert_eq!(names(&mut stand.session()).await, ["one"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_markers_every_transaction_is_applied_once_and_nothing_stays_unknown() {
    let stand = stand(3, LEDGER).await;
    let book = &Ledger::default();
    let write = async |thread| {
        let (session, options) = (&mut stand.session(), marked());
        while !book.is_stopped() {
            let id = book.take_id();
            let done = session.run_transaction_with(&options, async |session| {
                let written = diesel::insert_into(ledger::table).values(ledger::id.eq(id));
                written.execute(session).await.map(|_| ())
            });
            book.note(id, thread, done.await);
        }
    };
    let goes_on = async || {
        let goal = book.acknowledged() + 50;
        eventually("transactions go on", async || book.acknowledged() > goal).await;
    };
    let hurt = async {
        for to in [1, 2] {
            for mishap in [Mishap::LoseAnswer(Loss::Reset), Mishap::LoseRequest(Loss::Reset)] {
                goes_on().await;
                let armed = stand.kit(|kit| kit.proxy(kit.writer()).arm(mishap, Aim::Commit));
                eventually("a COMMIT was lost", async || armed.has_happened()).await;
            }
            goes_on().await;
            if to == 1 {
                stand.kit(|kit| kit.kill_and_promote(to)).unwrap();
                goes_on().await;
                stand.kit(|kit| kit.rejoin(0)).unwrap();
            } else {
                stand.kit(|kit| kit.switchover(to)).unwrap();
            }
            goes_on().await;
        }
        book.stop();
    };
    futures_util::join!(write(0), write(1), write(2), write(3), hurt);
    stand.kit(|kit| book.verify(kit));
    assert_eq!(book.errors(), []);
}
