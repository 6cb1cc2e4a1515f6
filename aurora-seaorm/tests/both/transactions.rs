//! Transactions stay where they began.

use aurora_seaorm::AuroraTransaction;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, TransactionError,
    TransactionTrait,
};

use crate::entities::{item, named};
use crate::stand::Stand;

pub(crate) async fn count(db: &impl ConnectionTrait) -> u64 {
    item::Entity::find().count(db).await.unwrap()
}

pub(crate) async fn closures_commit_or_roll_back(stand: &Stand) {
    let insert = stand.db.transaction::<_, i32, DbErr>(|txn| {
        Box::pin(async move { Ok(named("a").insert(txn).await?.id) })
    });
    assert_eq!(insert.await.unwrap(), 1);
    let failed: Result<(), TransactionError<DbErr>> = stand
        .db
        .transaction(|txn| {
            Box::pin(async move {
                named("b").insert(txn).await?;
                Err(DbErr::Custom("no".to_owned()))
            })
        })
        .await;
    assert!(matches!(failed, Err(TransactionError::Transaction(DbErr::Custom(_)))));
    assert_eq!(count(&stand.db).await, 1);
}

/// Of what is inserted in savepoints, two items are kept.
pub(crate) async fn savepoints(outer: &AuroraTransaction) {
    named("kept").insert(outer).await.unwrap();
    let inner = outer.begin().await.unwrap();
    named("undone").insert(&inner).await.unwrap();
    inner.rollback().await.unwrap();
    assert_eq!(count(outer).await, 1);
    let inner = outer.begin().await.unwrap();
    named("kept, too").insert(&inner).await.unwrap();
    inner.commit().await.unwrap();
    assert_eq!(count(outer).await, 2);
    {
        let dropped = outer.begin().await.unwrap();
        named("dropped").insert(&dropped).await.unwrap();
        let deeper: AuroraTransaction = dropped.begin().await.unwrap();
        named("deeper").insert(&deeper).await.unwrap();
    }
    assert_eq!(count(outer).await, 2);
}

/// After five transactions that were dropped; `open` counts those that the writer still has.
pub(crate) async fn all_are_rolled_back_and_connections_kept(stand: &Stand, open: &str) {
    stand.quiet().await;
    let connects = stand.cluster.topology().writer().unwrap().stats().connects();
    // One is rolled back while the next begins: but not one more for every transaction.
    assert!(connects <= 4, "{connects} connections");
    assert_eq!(stand.ask(0, open).await, "0");
}
