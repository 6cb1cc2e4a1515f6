//! `save_changes`: an UPDATE and what it returns, on the writer.

use diesel::associations::HasTable;
use diesel::query_builder::{AsChangeset, AsQuery, IntoUpdateTarget};
use diesel::result::QueryResult;
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, UpdateAndFetchResults, methods};
use futures_core::future::BoxFuture;

use crate::asynchronous::AuroraConnection;

impl<'b, Changes, Output, Tab, V> UpdateAndFetchResults<Changes, Output>
    for AuroraConnection<AsyncPgConnection>
where
    Output: Send + 'static,
    Changes:
        Copy + AsChangeset<Target = Tab> + Send + diesel::associations::Identifiable<Table = Tab>,
    Tab: diesel::Table + diesel::query_dsl::methods::FindDsl<Changes::Id> + 'b,
    diesel::dsl::Find<Tab, Changes::Id>: IntoUpdateTarget<Table = Tab, WhereClause = V>,
    diesel::query_builder::UpdateStatement<Tab, V, Changes::Changeset>: AsQuery,
    diesel::dsl::Update<Changes, Changes>: methods::LoadQuery<'b, Self, Output>,
    Changes: HasTable<Table = Tab>,
    V: Send + 'b,
    Changes::Changeset: Send + 'b,
    Tab::FromClause: Send,
{
    fn update_and_fetch<'conn, 'changes>(
        &'conn mut self,
        changeset: Changes,
    ) -> BoxFuture<'changes, QueryResult<Output>>
    where
        Changes: 'changes,
        Changes::Changeset: 'changes,
        'conn: 'changes,
        Self: 'changes,
    {
        Box::pin(async move { diesel::update(changeset).set(changeset).get_result(self).await })
    }
}
