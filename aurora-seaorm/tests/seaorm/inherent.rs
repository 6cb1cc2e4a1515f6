//! What SeaORM's own connection has beside its traits.

use aurora_seaorm::Outcome;
use sea_orm::{
    AccessMode, ActiveModelTrait, ConnectionTrait, DatabaseExecutor, DbBackend, DbErr, EntityTrait,
    PaginatorTrait, StreamTrait, TransactionError,
};

use crate::entities::{item, named, note};
use crate::stand::Stand;

/// With both traits in scope the call would be ambiguous, were it not a method of the type.
fn backend<C: ConnectionTrait + StreamTrait>(_: &C, backend: DbBackend) -> bool {
    backend == DbBackend::Postgres
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asynchronous_closures_commit_or_roll_back() {
    let stand = Stand::new(2).await;
    let db = &stand.db;
    let kept = db.transaction_async(async |txn| {
        named("a").insert(txn).await?;
        let nested = txn.transaction_async(async |nested| {
            named("never").insert(nested).await?;
            Err::<(), _>(DbErr::Custom("no".to_owned()))
        });
        assert!(matches!(nested.await, Err(TransactionError::Transaction(DbErr::Custom(_)))));
        named("b").insert(txn).await.map(|item| item.id)
    });
    assert_eq!(kept.await.unwrap(), 3);
    assert_eq!(item::Entity::find().count(db).await.unwrap(), 2);
    let read_only = Some(AccessMode::ReadOnly);
    let write = async |txn: &_| named("c").insert(txn).await;
    let refused = db.transaction_with_config_async(write, None, read_only).await.unwrap_err();
    assert_eq!(aurora_seaorm::outcome(&refused), Outcome::NotApplied, "{refused}");
    assert_eq!(item::Entity::find().count(db).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_handle_pings_builds_schemas_and_is_an_executor() {
    let stand = Stand::new(2).await;
    let db = &stand.db;
    assert!(backend(db, db.get_database_backend()));
    let [_, reader] = stand.counting::<2>(async { db.ping().await.unwrap() }).await;
    assert_eq!(reader, 1);
    let [writer, _] = stand.counting::<2>(async { db.on_writer().ping().await.unwrap() }).await;
    assert_eq!(writer, 1);
    stand.seed("DROP TABLE notes; GRANT ALL ON SCHEMA public TO app").await;
    db.get_schema_builder().register(note::Entity).apply(db).await.unwrap();
    stand.verb(|kit| kit.pause_replay(1)).await;
    let executor = DatabaseExecutor::from(db);
    named("a").insert(&executor).await.unwrap();
    assert_eq!(item::Entity::find().count(&executor).await.unwrap(), 1, "read on the writer");
    assert_eq!(note::Entity::find().count(&executor).await.unwrap(), 0);
}
