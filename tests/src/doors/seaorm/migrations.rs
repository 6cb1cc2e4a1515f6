//! The migrations of [`super::super::MIGRATIONS`] as SeaORM writes them.
#![allow(elided_lifetimes_in_paths, reason = "the macro of the trait wants them so")]

use sea_orm_migration::prelude::*;

pub(super) struct Migrator;

#[derive(DeriveMigrationName)]
struct Baskets;

/// A second one of the module, so that its name is given.
struct Owners;

impl MigrationName for Owners {
    fn name(&self) -> &str {
        "owners"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Baskets {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let baskets = Table::create()
            .table("baskets")
            .col(ColumnDef::new("id").integer().primary_key())
            .to_owned();
        manager.create_table(baskets).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("baskets").to_owned()).await
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Owners {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let owner =
            Table::alter().table("baskets").add_column(ColumnDef::new("owner").text()).to_owned();
        manager.alter_table(owner).await?;
        let insert = "INSERT INTO baskets VALUES (1, 'Ada')";
        manager.get_connection().execute_unprepared(insert).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let delete = "DELETE FROM baskets";
        manager.get_connection().execute_unprepared(delete).await?;
        let owner = Table::alter().table("baskets").drop_column("owner").to_owned();
        manager.alter_table(owner).await
    }
}

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Baskets), Box::new(Owners)]
    }
}
