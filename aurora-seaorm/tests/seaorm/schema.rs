//! Schema sync and migrations.
#![allow(elided_lifetimes_in_paths, reason = "the macro of the trait wants them so")]

use aurora_seaorm::{AuroraConnectOptions as _, Role};
use sea_orm::{
    ActiveModelTrait, ConnectOptions, ConnectionTrait, Database, EntityTrait, PaginatorTrait,
    Schema,
};
use sea_orm_migration::prelude::*;

use crate::engine::await_readers;
use crate::entities::{item, named, note};
use crate::stand::Stand;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_is_made_once_however_far_the_readers_are_behind() {
    let stand = Stand::new(2).await;
    stand.seed("DROP TABLE items; DROP TABLE notes; GRANT ALL ON SCHEMA public TO app").await;
    stand.verb(|kit| kit.pause_replay(1)).await;
    for _ in 0..2 {
        let session = stand.db.session();
        let builder = Schema::new(session.get_database_backend()).builder();
        let builder = builder.register(item::Entity).register(note::Entity);
        builder.sync(&session).await.unwrap();
    }
    named("a").insert(&stand.db).await.unwrap();
    assert_eq!(item::Entity::find().count(&stand.db).await.unwrap(), 1);
}

struct Migrator;

#[derive(DeriveMigrationName)]
struct MakeBoxes;

#[async_trait::async_trait]
impl MigrationTrait for MakeBoxes {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let boxes = Table::create()
            .table("boxes")
            .col(ColumnDef::new("id").integer().primary_key())
            .to_owned();
        manager.create_table(boxes).await?;
        manager.get_connection().execute_unprepared("INSERT INTO boxes VALUES (1)").await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("boxes").to_owned()).await
    }
}

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(MakeBoxes)]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_run_through_the_handle_and_through_a_registered_connection() {
    let stand = Stand::new(2).await;
    stand.seed("GRANT ALL ON SCHEMA public TO app").await;
    stand.verb(|kit| kit.pause_replay(1)).await;
    Migrator::up(&stand.db, None).await.unwrap();
    assert_eq!(stand.ask(0, "SELECT count(*)::text FROM boxes").await, "1");
    let options = ConnectOptions::for_cluster(&stand.cluster, Role::Writer);
    let registered = Database::connect(options).await.unwrap();
    assert_eq!(Migrator::get_pending_migrations(&registered).await.unwrap().len(), 0);
    // The handle migrates wherever the writer went.
    stand.verb(|kit| kit.resume_replay(1)).await;
    stand.verb(await_readers).await;
    stand.verb(|kit| kit.switchover(1)).await;
    Migrator::down(&registered, None).await.unwrap();
    Migrator::up(&stand.db, None).await.unwrap();
    assert_eq!(stand.ask(1, "SELECT count(*)::text FROM boxes").await, "1");
    registered.close().await.unwrap();
}
