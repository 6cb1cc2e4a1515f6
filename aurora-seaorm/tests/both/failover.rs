//! A writer that falls silent.

use std::time::{Duration, Instant};

use aurora_seaorm::{ErrorKind, Outcome, cause, instance, outcome};
use sea_orm::{ActiveModelTrait, EntityTrait, PaginatorTrait, TransactionTrait};

use crate::entities::{item, named};
use crate::stand::{LIMIT, Stand};

/// What changes data fails within `limit`; a read waits for the next writer.
pub(crate) async fn statements_on_a_writer_that_hangs(stand: &Stand, limit: Duration) {
    let txn = stand.db.begin().await.unwrap();
    named("in doubt").insert(&txn).await.unwrap();
    // Two idle connections: to a server that hangs no new one can be made.
    let warm = || named("warm").insert(&stand.db);
    let (one, two) = tokio::join!(warm(), warm());
    assert!(one.is_ok() && two.is_ok());
    stand.verb(|kit| kit.pause(0)).await;
    let hung = Instant::now();
    let (db, other) = (stand.db.clone(), stand.db.session());
    let insert = tokio::spawn(async move { named("pending").insert(&db).await });
    let read = tokio::spawn(async move { item::Entity::find().count(&other.on_writer()).await });
    let commit = tokio::spawn(async move { txn.commit().await });
    let error = insert.await.unwrap().unwrap_err();
    let took = hung.elapsed();
    assert!(took < limit, "{took:?}: {error}");
    assert_eq!(outcome(&error), Outcome::Unknown, "{error}");
    assert_eq!(cause(&error).map(aurora_seaorm::Error::kind), Some(ErrorKind::ConnectionLost));
    assert_eq!(instance(&error), Some(&stand.id(0)));
    let error = commit.await.unwrap().unwrap_err();
    assert_eq!(outcome(&error), Outcome::Unknown, "{error}");
    assert!(hung.elapsed() < limit);
    stand.verb(|kit| kit.promote(1)).await;
    // Waited for the next writer, unseen.
    assert!(read.await.unwrap().unwrap() >= 1);
    named("after").insert(&stand.db).await.unwrap();
}

/// The options of the next one's stand.
pub(crate) const NOTHING_IDLE: &str =
    "max_idle_per_instance=0&connect_timeout=60s&failover_timeout=60s";

/// What connects to a writer that is silent goes to the next one as soon as there is one. Nothing
/// is idle on the stand, and the silence alone would last longer than the test.
pub(crate) async fn a_connect_to_a_writer_that_hangs(stand: &Stand) {
    named("one").insert(&stand.db).await.unwrap();
    stand.verb(|kit| kit.pause(0)).await;
    let next = tokio::time::timeout(LIMIT, named("two").insert(&stand.db));
    let (added, ()) = tokio::join!(next, stand.verb(|kit| kit.promote(1)));
    added.expect("it does not wait for the old writer").unwrap();
    assert_eq!(item::Entity::find().count(&stand.db).await.unwrap(), 2);
}
