//! Migrations of Diesel and of SeaORM: on the writer, whoever that is, however far the readers lag.
#![allow(elided_lifetimes_in_paths, reason = "the macro of SeaORM's traits wants them so")]

use std::time::Duration;

use aurora_diesel::AuroraConnectionManager;
use aurora_seaorm::{AuroraConnection, Cluster, Config};
use diesel::PgConnection;
use diesel::r2d2::Pool;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use sea_orm_migration::prelude::*;

/// The SQL files in `migrations`, compiled in.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Returns how many migrations were run.
fn migrate_with_diesel(cluster: &Cluster) -> Result<usize, Error> {
    let pool = Pool::new(AuroraConnectionManager::<PgConnection>::new(cluster.clone()))?;
    Ok(pool.get()?.run_pending_migrations(MIGRATIONS)?.len())
}

struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateOrders)]
    }
}

#[derive(DeriveMigrationName)]
struct CreateOrders;

#[async_trait::async_trait]
impl MigrationTrait for CreateOrders {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let id = ColumnDef::new("id").integer().primary_key().to_owned();
        manager.create_table(Table::create().table("orders").col(id).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("orders").to_owned()).await
    }
}

/// Returns how many migrations were run.
async fn migrate_with_seaorm(cluster: &Cluster) -> Result<usize, Error> {
    // The handle that routes statements. Those of migrations all go to the writer.
    let db = AuroraConnection::new(cluster.clone());
    let pending = Migrator::get_pending_migrations(&db).await?.len();
    Migrator::up(&db, None).await?;
    Ok(pending)
}

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Error> {
    // ---- set-up of the example: a local cluster of three instances, removed at the end; its
    // readers do not show for now what is written
    let kit = test_kit::PgCluster::builder().instances(3).start()?;
    let url = kit.url();
    kit.readers().into_iter().try_for_each(|reader| kit.pause_replay(reader))?;
    // ---- end of set-up

    let cluster = Cluster::connect_blocking(Config::from_url(&url)?)?;
    let runtime = tokio::runtime::Runtime::new()?;
    for expected in [[2, 1], [0, 0]] {
        let diesel = migrate_with_diesel(&cluster)?;
        let seaorm = runtime.block_on(migrate_with_seaorm(&cluster))?;
        println!("migrations run: {diesel} of Diesel, {seaorm} of SeaORM");
        assert_eq!([diesel, seaorm], expected, "each is run once");
    }
    // On the writer only: a reader would have said that nothing was run yet.
    let status = cluster.status();
    println!("{status}");
    assert!(status.instances[1..].iter().all(|reader| reader.queries == 0));

    // ---- the check, past the library: replication brings what the migrations made to the readers
    let made = "SELECT (SELECT count(*) = 1 FROM users) AND to_regclass('orders') IS NOT NULL";
    for reader in kit.readers() {
        kit.resume_replay(reader)?;
        let mut client = kit.client(reader)?;
        let found = test_kit::wait_until(Duration::from_secs(20), || {
            client.query_one(made, &[]).is_ok_and(|row| row.get(0))
        });
        assert!(found, "reader {reader} has what the migrations made");
    }
    Ok(())
}
