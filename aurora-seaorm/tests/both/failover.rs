//! A writer that falls silent.

use std::time::{Duration, Instant};

use aurora_seaorm::{ErrorKind, Outcome, cause, instance, outcome};
use sea_orm::{ActiveModelTrait, EntityTrait, PaginatorTrait, TransactionTrait};

use crate::entities::{item, named};
use crate::stand::Stand;

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
