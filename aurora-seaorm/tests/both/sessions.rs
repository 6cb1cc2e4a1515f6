//! Who reads what was written: a task, or an explicit session.

use aurora_seaorm::AuroraConnection;
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, PaginatorTrait};

use crate::entities::{item, named};
use crate::stand::Stand;

/// The reader does not replay, and is left so.
pub(crate) async fn a_task_reads_what_it_wrote(stand: &Stand) {
    stand.verb(|kit| kit.pause_replay(1)).await;
    let db = stand.db.clone();
    let task = tokio::spawn(async move {
        for n in 1..=20 {
            named(&format!("n{n}")).insert(&db).await.unwrap();
            assert_eq!(item::Entity::find().count(&db).await.unwrap(), n);
        }
    });
    task.await.unwrap();
}

/// A begin as text, outside of an explicit session.
pub(crate) async fn is_refused(db: &AuroraConnection, begin: &str) {
    let refused = db.execute_unprepared(begin).await.unwrap_err();
    assert!(refused.to_string().contains("session"), "{refused}");
}

/// A transaction that is begun, and rolled back, as text.
pub(crate) async fn a_transaction_as_text(db: &AuroraConnection, session: &AuroraConnection) {
    for sql in ["BEGIN", "INSERT INTO items (name) VALUES ('a')"] {
        session.execute_unprepared(sql).await.unwrap();
    }
    assert_eq!(item::Entity::find().count(session).await.unwrap(), 1);
    assert_eq!(item::Entity::find().count(db).await.unwrap(), 0);
    session.execute_unprepared("ROLLBACK").await.unwrap();
    assert_eq!(item::Entity::find().count(session).await.unwrap(), 0);
}
