//! One SELECT by key, or one INSERT, through whatever gives a connection.

use std::future::Future;
use std::ops::DerefMut;

use diesel::pg::Pg;
use diesel::{ExpressionMethods as _, QueryDsl as _};
use diesel_async::{AsyncConnectionCore, RunQueryDsl as _};
use sea_orm::{ActiveValue, ConnectionTrait, DatabaseConnection, EntityTrait as _};

#[allow(missing_docs, reason = "the macro's own items")]
mod schema {
    diesel::table! {
        items { id -> Integer, name -> Text, }
    }
    diesel::table! {
        events { id -> Integer, item -> Integer, }
    }
}
pub(crate) use schema::{events, items};

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

#[allow(missing_docs, unreachable_pub, reason = "the macro's own items")]
mod event {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "events")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub item: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Which statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A SELECT of one row by key.
    Select,
    /// An INSERT of one row.
    Insert,
}

/// Checks out what it needs, runs one statement, gives everything back.
pub(crate) trait Door: Send + Sync + 'static {
    fn run(&self, kind: Kind, key: i32) -> impl Future<Output = ()> + Send;
}

async fn with_diesel<C: AsyncConnectionCore<Backend = Pg>>(
    connection: &mut C,
    kind: Kind,
    key: i32,
) {
    if kind == Kind::Select {
        let query = items::table.find(key).select(items::name);
        let name: String = query.first(connection).await.expect("every key has its row");
        std::hint::black_box(name);
        return;
    }
    let row = diesel::insert_into(events::table).values(events::item.eq(key));
    row.execute(connection).await.expect("the row is written");
}

async fn with_seaorm(connection: &impl ConnectionTrait, kind: Kind, key: i32) {
    if kind == Kind::Select {
        let found = item::Entity::find_by_id(key).one(connection).await;
        let found = found.expect("the server answers").expect("every key has its row");
        std::hint::black_box(found.name);
        return;
    }
    let row = event::ActiveModel { item: ActiveValue::Set(key), ..Default::default() };
    let written = event::Entity::insert(row).exec_without_returning(connection).await;
    written.expect("the row is written");
}

impl<M> Door for bb8::Pool<M>
where
    M: bb8::ManageConnection<Connection: AsyncConnectionCore<Backend = Pg>>,
{
    async fn run(&self, kind: Kind, key: i32) {
        with_diesel(&mut *self.get().await.expect("a connection"), kind, key).await
    }
}

impl<M, W> Door for deadpool::managed::Pool<M, W>
where
    M: deadpool::managed::Manager<Type: AsyncConnectionCore<Backend = Pg>, Error: std::fmt::Debug>
        + 'static,
    W: From<deadpool::managed::Object<M>> + DerefMut<Target = M::Type> + Send + 'static,
{
    async fn run(&self, kind: Kind, key: i32) {
        with_diesel(&mut *self.get().await.expect("a connection"), kind, key).await
    }
}

impl<M> Door for mobc::Pool<M>
where
    M: mobc::Manager<Connection: AsyncConnectionCore<Backend = Pg>, Error: std::fmt::Debug>,
{
    async fn run(&self, kind: Kind, key: i32) {
        with_diesel(&mut *self.get().await.expect("a connection"), kind, key).await
    }
}

impl Door for DatabaseConnection {
    async fn run(&self, kind: Kind, key: i32) {
        with_seaorm(self, kind, key).await
    }
}

impl Door for aurora_seaorm::AuroraConnection {
    async fn run(&self, kind: Kind, key: i32) {
        with_seaorm(self, kind, key).await
    }
}
