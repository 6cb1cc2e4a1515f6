//! SeaORM, to whichever engine: a pool of an instance's connections, and sessions that are made when asked for.

mod migrations;

use std::ops::{ControlFlow, Deref, DerefMut};
use std::sync::Arc;

use async_trait::async_trait;
use aurora_core::sql::Target;
use aurora_core::{CausalToken, Cluster, ErrorKind, Freshness};
use aurora_seaorm::{AuroraConnection, AuroraTransaction};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use sea_orm::entity::prelude::*;
use sea_orm::{
    AccessMode, IsolationLevel, QueryOrder as _, QueryResult, QuerySelect as _, RuntimeErr, Set,
    SqlErr, SqlxMySqlError, Statement, StreamTrait, TransactionTrait, TryGetable,
};
use sea_orm_migration::MigratorTrait as _;

use self::item::{ActiveModel, Column, Entity};
use self::migrations::Migrator;
use crate::door::{Access, Answer, Door, Each, Failure, Guest, Kind, Session, Work};

mod item {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "items")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

struct SeaOrm(AuroraConnection);

/// A session or a transaction.
struct Sea<C>(C);

/// A pool of so many sessions.
pub fn open(cluster: Cluster, size: usize) -> BoxFuture<'static, Arc<dyn Door>> {
    Box::pin(async move {
        let db = AuroraConnection::builder(cluster).max_connections(size).build();
        Arc::new(SeaOrm(db)) as Arc<dyn Door>
    })
}

#[async_trait]
impl Door for SeaOrm {
    async fn session(&self) -> Answer<Guest> {
        Ok(Guest::new(Out(Sea(self.0.session()))))
    }

    async fn migrate(&self) -> Answer<usize> {
        let pending = Migrator::get_pending_migrations(&self.0).await?.len();
        Migrator::up(&self.0, None).await?;
        Ok(pending)
    }

    async fn revert(&self) -> Answer<()> {
        Ok(Migrator::down(&self.0, Some(1)).await?)
    }
}

/// A session that is not lent: dropping it is all there is to a check-in.
struct Out(Sea<AuroraConnection>);

impl Deref for Out {
    type Target = Sea<AuroraConnection>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Out {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// What a handle can be told, and a transaction cannot.
#[async_trait]
trait Routed: Sized {
    async fn token(&self) -> Option<Result<CausalToken, DbErr>>;
    async fn require(&self, token: &CausalToken) -> Option<Result<(), DbErr>>;
    fn sent_to(&self, to: Target) -> Option<Self>;
    fn with_freshness(&self, freshness: Freshness) -> Option<Self>;
}

#[async_trait]
impl Routed for AuroraConnection {
    async fn token(&self) -> Option<Result<CausalToken, DbErr>> {
        Some(Self::token(self).await)
    }

    async fn require(&self, token: &CausalToken) -> Option<Result<(), DbErr>> {
        Some(Self::require(self, token).await)
    }

    fn sent_to(&self, to: Target) -> Option<Self> {
        Some(match to {
            Target::Reader => self.on_reader(),
            Target::Writer => self.on_writer(),
        })
    }

    fn with_freshness(&self, freshness: Freshness) -> Option<Self> {
        Some(Self::with_freshness(self, freshness))
    }
}

#[async_trait]
impl Routed for AuroraTransaction {
    async fn token(&self) -> Option<Result<CausalToken, DbErr>> {
        None
    }

    async fn require(&self, _: &CausalToken) -> Option<Result<(), DbErr>> {
        None
    }

    fn sent_to(&self, _: Target) -> Option<Self> {
        None
    }

    fn with_freshness(&self, _: Freshness) -> Option<Self> {
        None
    }
}

impl<C: ConnectionTrait> Sea<C> {
    async fn one<T: TryGetable>(&self, sql: &str) -> Answer<T> {
        let statement = Statement::from_string(self.0.get_database_backend(), sql);
        let row: Option<QueryResult> = self.0.query_one_raw(statement).await?;
        Ok(row.unwrap().try_get_by_index(0)?)
    }
}

#[async_trait]
impl<C> Session for Sea<C>
where
    C: ConnectionTrait + StreamTrait + Routed + Send + Sync + 'static,
    C: TransactionTrait<Transaction = AuroraTransaction>,
{
    async fn execute(&mut self, sql: &str) -> Answer<()> {
        Ok(self.0.execute_unprepared(sql).await.map(drop)?)
    }

    async fn number(&mut self, sql: &str) -> Answer<i64> {
        self.one(sql).await
    }

    async fn text(&mut self, sql: &str) -> Answer<String> {
        self.one(sql).await
    }

    async fn add(&mut self, name: &str) -> Answer<i32> {
        let new = ActiveModel { name: Set(name.to_owned()), ..Default::default() };
        if self.0.support_returning() {
            return Ok(new.insert(&self.0).await?.id);
        }
        // `insert` would read the row back in a statement of its own, wherever that may run.
        Ok(Entity::insert(new).exec(&self.0).await?.last_insert_id)
    }

    async fn names(&mut self) -> Answer<Vec<String>> {
        let names = Entity::find().select_only().column(Column::Name).order_by_asc(Column::Id);
        Ok(names.into_tuple().all(&self.0).await?)
    }

    async fn rename(&mut self, id: i32, name: &str) -> Answer<usize> {
        let update = Entity::update_many().col_expr(Column::Name, Expr::value(name));
        let done = update.filter(Column::Id.eq(id)).exec(&self.0).await?;
        Ok(done.rows_affected.try_into().unwrap())
    }

    async fn remove(&mut self, id: i32) -> Answer<usize> {
        let done = Entity::delete_by_id(id).exec(&self.0).await?;
        Ok(done.rows_affected.try_into().unwrap())
    }

    async fn stream(&mut self, each: Each<'_>) -> (usize, Option<Failure>) {
        let mut rows = match Entity::find().stream(&self.0).await {
            Ok(rows) => rows,
            Err(error) => return (0, Some(error.into())),
        };
        let mut count = 0;
        while let Some(row) = rows.next().await {
            match row {
                Ok(_) => count += 1,
                Err(error) => return (count, Some(error.into())),
            }
            if each(count) == ControlFlow::Break(()) {
                break;
            }
        }
        (count, None)
    }

    async fn transaction(&mut self, access: Access, work: Work<'_>) -> Answer<()> {
        let (level, mode) = match access {
            Access::Write => (None, None),
            Access::ReadOnly => (None, Some(AccessMode::ReadOnly)),
            Access::SerializableReadOnly => {
                (Some(IsolationLevel::Serializable), Some(AccessMode::ReadOnly))
            }
        };
        let mut transaction = Sea(self.0.begin_with_config(level, mode).await?);
        match work(&mut transaction).await {
            Ok(()) => Ok(transaction.0.commit().await?),
            Err(failure) => {
                transaction.0.rollback().await?;
                Err(failure)
            }
        }
    }

    async fn forced(&mut self, to: Target, work: Work<'_>) -> Answer<()> {
        let mut handle = Self(self.0.sent_to(to).unwrap());
        work(&mut handle).await
    }

    async fn token(&mut self) -> Answer<String> {
        Ok(self.0.token().await.unwrap()?.to_string())
    }

    async fn require(&mut self, token: &str) -> Answer<()> {
        Ok(self.0.require(&token.parse().unwrap()).await.unwrap()?)
    }

    fn set_freshness(&mut self, freshness: Freshness) {
        self.0 = self.0.with_freshness(freshness).unwrap();
    }
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        let unique = matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)));
        let kind = match aurora_seaorm::cause(&error).map(aurora_core::Error::kind) {
            Some(ErrorKind::ConnectionLost) => Kind::Lost,
            Some(
                ErrorKind::Deadline
                | ErrorKind::NoReader
                | ErrorKind::NoWriter
                | ErrorKind::TooManyConnections,
            ) => Kind::NotSent,
            Some(ErrorKind::ReadOnly) => Kind::ReadOnly,
            _ if unique => Kind::Unique,
            _ if refuses_writes(&error) => Kind::ReadOnly,
            _ => Kind::Other,
        };
        Self {
            kind,
            outcome: aurora_seaorm::outcome(&error),
            retry: aurora_seaorm::retry(&error),
            instance: aurora_seaorm::instance(&error).map(ToString::to_string),
            text: error.to_string(),
        }
    }
}

/// Whether the server itself says that it takes no writes.
fn refuses_writes(error: &DbErr) -> bool {
    let (DbErr::Conn(inner) | DbErr::Exec(inner) | DbErr::Query(inner)) = error else {
        return false;
    };
    let RuntimeErr::SqlxError(error) = inner else { return false };
    let Some(error) = error.as_database_error() else { return false };
    let code = error.code().unwrap_or_default();
    match error.try_downcast_ref::<SqlxMySqlError>() {
        Some(mysql) => {
            ErrorKind::of_mysql(mysql.number(), &code, mysql.message()) == ErrorKind::ReadOnly
        }
        None => code == "25006",
    }
}
