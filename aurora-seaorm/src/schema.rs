//! `SchemaBuilder::sync` finds out what there is, and makes what is missing.

use sea_orm::sea_query::SelectStatement;
use sea_orm::{ConnectionTrait as _, Statement};
use sea_schema::sqlx_types::SqlxRow;

use crate::connection::AuroraConnection;
use crate::engine::Row;
use crate::transaction::AuroraTransaction;

fn wrapped(rows: Vec<Row>) -> Vec<SqlxRow> {
    let wrap = |row| match row {
        #[cfg(feature = "mysql")]
        Row::MySql(row) => SqlxRow::MySql(row),
        #[cfg(feature = "postgres")]
        Row::Postgres(row) => SqlxRow::Postgres(row),
    };
    rows.into_iter().map(wrap).collect()
}

/// On the writer: what was made a moment ago must not be made again.
#[async_trait::async_trait]
impl sea_schema::Connection for AuroraConnection {
    async fn query_all(&self, select: SelectStatement) -> Result<Vec<SqlxRow>, sqlx::Error> {
        let statement = self.get_database_backend().build(&select);
        self.on_writer().rows(&statement).await.map(wrapped)
    }

    async fn query_all_raw(&self, sql: String) -> Result<Vec<SqlxRow>, sqlx::Error> {
        let statement = Statement::from_string(self.get_database_backend(), sql);
        self.on_writer().rows(&statement).await.map(wrapped)
    }
}

#[async_trait::async_trait]
impl sea_schema::Connection for AuroraTransaction {
    async fn query_all(&self, select: SelectStatement) -> Result<Vec<SqlxRow>, sqlx::Error> {
        let statement = self.get_database_backend().build(&select);
        self.rows(&statement).await.map(wrapped)
    }

    async fn query_all_raw(&self, sql: String) -> Result<Vec<SqlxRow>, sqlx::Error> {
        let statement = Statement::from_string(self.get_database_backend(), sql);
        self.rows(&statement).await.map(wrapped)
    }
}
