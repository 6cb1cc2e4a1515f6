//! Every statement runs where it belongs.

use aurora_core::sql::Target;
use aurora_core::{Freshness, Outcome};

use aurora_tests::servers::Servers;

use super::door::{Kind, Open};
use super::scene::{Scene, inside};

const COUNT: &str = "SELECT count(*) FROM items";

/// Reads go to readers and writes to the writer, on the first try, unless told otherwise.
pub(crate) async fn every_statement<K: Servers>(open: Open) {
    let scene = Scene::<K>::started(open, 3, false, "").await;
    reads_are_spread_over_the_readers(&scene).await;
    reads_of_every_form(&scene).await;
    writes_of_every_form(&scene).await;
    hints_and_scopes(&scene).await;
    a_read_that_writes_is_refused_once(&scene).await;
    errors_of_statements_are_the_orm_s(&scene).await;
    scene.assert_clean().await;
}

async fn reads_are_spread_over_the_readers<K: Servers>(scene: &Scene<K>) {
    let names: [String; 3] = std::array::from_fn(|index| scene.kit.ip(index));
    let mut seen = [0_u64; 3];
    let own = K::TEXTS.address;
    let counted = scene
        .ran::<3>(async {
            let mut lasting = scene.guest().await;
            lasting.set_freshness(Freshness::Eventual);
            for _ in 0..60 {
                let places = [lasting.text(own).await, scene.guest().await.text(own).await]
                    .map(Result::unwrap);
                for place in places {
                    seen[names.iter().position(|name| *name == place).unwrap()] += 1;
                }
            }
        })
        .await;
    assert_eq!(seen, counted, "the counters say what the servers say");
    assert_eq!(seen[0], 0, "{seen:?}");
    assert!(seen[1..].iter().all(|reads| (40..=80).contains(reads)), "{seen:?}");
    // A session that reads what it wrote stays with its reader.
    let mut served = [0_u64; 3];
    for _ in 0..8 {
        let [writer, one, two] = scene
            .ran(async {
                let mut session = scene.guest().await;
                for _ in 0..10 {
                    session.number(COUNT).await.unwrap();
                }
            })
            .await;
        assert!(matches!([writer, one, two], [0, 10, 0] | [0, 0, 10]), "{writer} {one} {two}");
        served[1] += one;
        served[2] += two;
    }
    assert!(
        served[1..].iter().all(|reads| *reads > 0),
        "other sessions, other readers: {served:?}"
    );
}

async fn reads_of_every_form<K: Servers>(scene: &Scene<K>) {
    let [writer, one, two] = scene
        .ran(async {
            let mut session = scene.guest().await;
            assert_eq!(session.names().await.unwrap(), ["a", "b", "c"]);
            let (rows, failed) = session.stream(&mut |_| std::ops::ControlFlow::Continue(())).await;
            assert!(rows == 3 && failed.is_none(), "{rows} {failed:?}");
        })
        .await;
    assert_eq!((writer, one + two), (0, 2));
    for sql in K::TEXTS.reads {
        let places = scene.ran(async { scene.guest().await.execute(sql).await.unwrap() }).await;
        let [writer, one, two] = places;
        assert_eq!((writer, one + two), (0, 1), "{sql}");
    }
}

async fn writes_of_every_form<K: Servers>(scene: &Scene<K>) {
    let places = scene
        .ran(async {
            let id = scene.guest().await.add("x").await.unwrap();
            assert_eq!(scene.guest().await.rename(id, "y").await.unwrap(), 1);
            assert_eq!(scene.guest().await.remove(id).await.unwrap(), 1);
        })
        .await;
    assert_eq!(places, [2 + scene.pool.adds(), 0, 0]);
    for sql in K::TEXTS.writes {
        let places = scene.ran(async { scene.guest().await.execute(sql).await.unwrap() }).await;
        assert_eq!(places, [1, 0, 0], "{sql}");
    }
    assert_eq!(scene.stored("x"), 0);
}

async fn hints_and_scopes<K: Servers>(scene: &Scene<K>) {
    let hints = [("", 0), ("/*@writer*/", 1), ("/* @Writer */", 1), ("/*@reader*/", 0)];
    for (hint, expected) in hints {
        let sql = format!("{hint} {COUNT}");
        let places = scene.ran(async { scene.guest().await.execute(&sql).await.unwrap() }).await;
        let [writer, one, two] = places;
        assert_eq!((writer, one + two), (expected, 1 - expected), "{hint}");
    }
    let nested = inside(|session| {
        Box::pin(async move {
            let inner = inside(|session| Box::pin(session.execute(COUNT)));
            session.forced(Target::Reader, inner).await?;
            session.execute(COUNT).await
        })
    });
    let writing = inside(|session| {
        Box::pin(async move { session.add("from a scope of reads").await.map(drop) })
    });
    let failing = inside(|session| Box::pin(session.execute(K::TEXTS.failing)));
    let [writer, one, two] = scene
        .ran(async {
            let mut session = scene.guest().await;
            session.forced(Target::Writer, nested).await.unwrap();
            session.execute(COUNT).await.unwrap();
            session.forced(Target::Writer, failing).await.unwrap_err();
            session.execute(COUNT).await.unwrap();
            session.forced(Target::Reader, writing).await.unwrap();
        })
        .await;
    assert_eq!((writer, one + two), (2 + scene.pool.adds(), 3));
    assert_eq!(scene.stored("from a scope of reads"), 1);
}

async fn a_read_that_writes_is_refused_once<K: Servers>(scene: &Scene<K>) {
    scene.prepare(K::TEXTS.function);
    let call = "SELECT add_item()";
    let errors = || scene.cluster.status().instances.iter().map(|i| i.errors).sum::<u64>();
    let before = errors();
    // Checked out before anybody knows.
    let mut old = scene.guest().await;
    let first = scene.ran(async { _ = scene.guest().await.number(call).await.unwrap() }).await;
    let [writer, one, two] = first;
    assert_eq!((writer, one + two), (1, 1), "refused once, run on the writer");
    for session in [&mut old, &mut scene.guest().await] {
        let again = scene.ran(async { assert!(session.number(call).await.unwrap() > 0) }).await;
        assert_eq!(again, [1, 0, 0], "remembered");
    }
    assert_eq!(errors(), before + 1);
    assert_eq!(scene.stored("by function"), 3, "each call wrote once");
}

async fn errors_of_statements_are_the_orm_s<K: Servers>(scene: &Scene<K>) {
    scene.prepare(K::TEXTS.one_d);
    let mut session = scene.guest().await;
    session.add("d").await.unwrap();
    let failure = session.add("d").await.unwrap_err();
    assert_eq!((failure.kind, failure.outcome), (Kind::Unique, Outcome::NotApplied), "{failure}");
    let failure = session.execute("SELECT no_such_column").await.unwrap_err();
    assert_eq!((failure.kind, failure.outcome), (Kind::Other, Outcome::NotApplied), "{failure}");
    assert!(failure.text.contains("no_such_column"), "{failure}");
    assert!(session.names().await.unwrap().contains(&"d".to_owned()));
    assert_eq!(scene.stored("d"), 1);
}
