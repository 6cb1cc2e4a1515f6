//! Rows as they arrive.

use aurora_seaorm::{Outcome, outcome};
use futures_util::{StreamExt as _, TryStreamExt as _};
use sea_orm::{ActiveModelTrait, EntityTrait, PaginatorTrait, StreamTrait, TransactionTrait};

use crate::entities::{item, named};
use crate::stand::{Stand, text};

/// `failing` fails after its first rows.
pub(crate) async fn an_error_reaches_whoever_takes_the_rows(failing: &str) {
    let stand = Stand::new(1).await;
    let rows = stand.db.stream_raw(text(failing)).await.unwrap();
    let rows: Vec<_> = rows.collect().await;
    let error = rows.last().unwrap().as_ref().unwrap_err();
    assert_eq!(outcome(error), Outcome::NotApplied);
    assert_eq!(rows.iter().filter(|row| row.is_err()).count(), 1);
}

/// `cut` ends the connections of the readers, from which all items are streamed.
pub(crate) async fn is_run_again_before_its_first_row_alone(
    stand: &Stand,
    items: usize,
    cut: impl AsyncFnOnce(),
) {
    // One whose statement has not begun, one that is in the middle.
    let db = stand.db.on_reader();
    item::Entity::find().count(&db).await.unwrap();
    let fresh = item::Entity::find().stream(&db).await.unwrap();
    let mut begun = item::Entity::find().stream(&db).await.unwrap();
    begun.next().await.unwrap().unwrap();
    cut().await;
    let rows: Vec<_> = fresh.try_collect().await.unwrap();
    assert_eq!(rows.len(), items);
    let rest: Vec<_> = begun.collect().await;
    let failed: Vec<_> = rest.iter().filter_map(|row| row.as_ref().err()).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(outcome(failed[0]), Outcome::NotApplied);
    assert!(rest.len() < items, "no row comes twice");
}

/// On a cluster with a short `failover_timeout`.
pub(crate) async fn a_statement_behind_a_stream_does_not_wait(stand: &Stand, items: u64) {
    let txn = stand.db.begin().await.unwrap();
    let mut rows = item::Entity::find().stream(&txn).await.unwrap();
    rows.next().await.unwrap().unwrap();
    let error = named("a").insert(&txn).await.unwrap_err();
    assert_eq!(outcome(&error), Outcome::NotApplied, "{error}");
    drop(rows);
    named("b").insert(&txn).await.unwrap();
    txn.commit().await.unwrap();
    assert_eq!(item::Entity::find().count(&stand.db).await.unwrap(), items + 1);
}
