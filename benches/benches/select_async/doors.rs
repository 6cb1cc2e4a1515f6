//! One SELECT by key, through whatever gives a connection.

use std::future::Future;
use std::ops::DerefMut;

use diesel::QueryDsl as _;
use diesel::pg::Pg;
use diesel_async::{AsyncConnectionCore, RunQueryDsl as _};
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait as _};

#[allow(missing_docs, reason = "the macro's own items")]
mod schema {
    diesel::table! {
        items { id -> Integer, name -> Text, }
    }
}
use schema::items;

#[allow(missing_docs, unreachable_pub, reason = "the macro's own items")]
mod item {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "items")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Checks out what it needs, asks for one row, gives everything back.
pub(crate) trait Door: Send + Sync + 'static {
    fn select(&self, key: i32) -> impl Future<Output = String> + Send;
}

async fn with_diesel<C: AsyncConnectionCore<Backend = Pg>>(connection: &mut C, key: i32) -> String {
    let query = items::table.find(key).select(items::name);
    query.first(connection).await.expect("every key has its row")
}

async fn with_seaorm(connection: &impl ConnectionTrait, key: i32) -> String {
    let found = item::Entity::find_by_id(key).one(connection).await;
    found.expect("the server answers").expect("every key has its row").name
}

impl<M> Door for bb8::Pool<M>
where
    M: bb8::ManageConnection<Connection: AsyncConnectionCore<Backend = Pg>>,
{
    async fn select(&self, key: i32) -> String {
        with_diesel(&mut *self.get().await.expect("a connection"), key).await
    }
}

impl<M, W> Door for deadpool::managed::Pool<M, W>
where
    M: deadpool::managed::Manager<Type: AsyncConnectionCore<Backend = Pg>, Error: std::fmt::Debug>
        + 'static,
    W: From<deadpool::managed::Object<M>> + DerefMut<Target = M::Type> + Send + 'static,
{
    async fn select(&self, key: i32) -> String {
        with_diesel(&mut *self.get().await.expect("a connection"), key).await
    }
}

impl<M> Door for mobc::Pool<M>
where
    M: mobc::Manager<Connection: AsyncConnectionCore<Backend = Pg>, Error: std::fmt::Debug>,
{
    async fn select(&self, key: i32) -> String {
        with_diesel(&mut *self.get().await.expect("a connection"), key).await
    }
}

impl Door for DatabaseConnection {
    async fn select(&self, key: i32) -> String {
        with_seaorm(self, key).await
    }
}

impl Door for aurora_seaorm::AuroraConnection {
    async fn select(&self, key: i32) -> String {
        with_seaorm(self, key).await
    }
}
