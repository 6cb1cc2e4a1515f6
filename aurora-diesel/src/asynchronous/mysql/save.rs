//! `save_changes`: an UPDATE, and a SELECT of what it has made, both on the writer.

use aurora_core::sql::Target;
use diesel::associations::{HasTable, Identifiable};
use diesel::query_builder::{AsChangeset, AsQuery, IntoUpdateTarget, UpdateStatement};
use diesel::query_dsl::methods::FindDsl;
use diesel::result::QueryResult;
use diesel_async::{AsyncMysqlConnection, RunQueryDsl as _, UpdateAndFetchResults, methods};
use futures_core::future::BoxFuture;

use crate::asynchronous::AuroraConnection;
use crate::asynchronous::scope::Forced;

type Session = AuroraConnection<AsyncMysqlConnection>;

impl<'b, Changes, Output, Tab, V> UpdateAndFetchResults<Changes, Output> for Session
where
    Output: Send + 'static,
    Changes: Copy + AsChangeset<Target = Tab> + Send + Identifiable<Table = Tab>,
    Tab: diesel::Table + FindDsl<Changes::Id> + 'b,
    diesel::dsl::Find<Tab, Changes::Id>: IntoUpdateTarget<Table = Tab, WhereClause = V>,
    UpdateStatement<Tab, V, Changes::Changeset>: AsQuery,
    diesel::dsl::Update<Changes, Changes>: methods::ExecuteDsl<Self>,
    V: Send + 'b,
    Changes::Changeset: Send + 'b,
    Changes::Id: 'b,
    Tab::FromClause: Send,
    diesel::dsl::Find<Changes::Table, Changes::Id>: methods::LoadQuery<'b, Self, Output> + Send,
    Changes: HasTable<Table = Tab>,
{
    fn update_and_fetch<'conn, 'changes>(
        &'conn mut self,
        changeset: Changes,
    ) -> BoxFuture<'changes, QueryResult<Output>>
    where
        Changes: 'changes,
        'conn: 'changes,
        Self: 'changes,
    {
        Box::pin(async move {
            let scope = Forced::to(Target::Writer, self);
            let session = &mut *scope.connection;
            diesel::update(changeset).set(changeset).execute(session).await?;
            <Changes as HasTable>::table().find(changeset.id()).get_result(session).await
        })
    }
}
