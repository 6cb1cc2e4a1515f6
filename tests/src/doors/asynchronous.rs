//! diesel-async, whichever pool its sessions come from, and whichever engine they lead to.

use std::ops::ControlFlow;

use crate::items;
use async_trait::async_trait;
use aurora_core::Freshness;
use aurora_core::sql::Target;
use aurora_diesel::asynchronous::{AuroraConnection, AuroraConnectionManager, Physical};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Unsigned};
use diesel_async::{
    AsyncMigrationHarness, AsyncMysqlConnection, AsyncPgConnection, RunQueryDsl,
    SimpleAsyncConnection,
};
use diesel_migrations::MigrationHarness as _;
use futures_util::StreamExt as _;

use super::MIGRATIONS;
use crate::door::{Access, Answer, Door, Each, Failure, Guest, Session, Work};

/// A pool, and the manager behind it: migrations want to own their session.
pub(super) struct Pooled<P, C: Physical = AsyncPgConnection> {
    pub(super) pool: P,
    pub(super) manager: AuroraConnectionManager<C>,
}

/// A pool of sessions of diesel-async.
#[async_trait]
pub(super) trait CheckOut: Send + Sync {
    async fn check_out(&self) -> Answer<Guest>;
}

async fn add_to_postgres(
    session: &mut AuroraConnection<AsyncPgConnection>,
    name: &str,
) -> QueryResult<i32> {
    let new = diesel::insert_into(items::table).values(items::name.eq(name));
    new.returning(items::id).get_result(session).await
}

async fn add_to_mysql(
    session: &mut AuroraConnection<AsyncMysqlConnection>,
    name: &str,
) -> QueryResult<i32> {
    let new = diesel::insert_into(items::table).values(items::name.eq(name));
    new.execute(session).await?;
    let id = diesel::select(sql::<Unsigned<BigInt>>("LAST_INSERT_ID()"));
    Ok(id.get_result::<u64>(session).await?.try_into().unwrap())
}

/// What is the same with every driver, whose bounds would take more room than it.
macro_rules! door {
    ($connection:ty, $add:path, $adds:literal) => {
        #[async_trait]
        impl<P: CheckOut> Door for Pooled<P, $connection> {
            async fn session(&self) -> Answer<Guest> {
                self.pool.check_out().await
            }

            async fn migrate(&self) -> Answer<usize> {
                let mut harness = AsyncMigrationHarness::new(self.manager.session());
                Ok(harness.run_pending_migrations(MIGRATIONS).unwrap().len())
            }

            async fn revert(&self) -> Answer<()> {
                let mut harness = AsyncMigrationHarness::new(self.manager.session());
                harness.revert_last_migration(MIGRATIONS).unwrap();
                Ok(())
            }

            fn adds(&self) -> u64 {
                $adds
            }
        }

        #[async_trait]
        impl Session for AuroraConnection<$connection> {
            async fn execute(&mut self, sql: &str) -> Answer<()> {
                Ok(self.batch_execute(sql).await?)
            }

            async fn number(&mut self, text: &str) -> Answer<i64> {
                Ok(sql::<BigInt>(text).get_result(self).await?)
            }

            async fn text(&mut self, text: &str) -> Answer<String> {
                Ok(sql::<Text>(text).get_result(self).await?)
            }

            async fn add(&mut self, name: &str) -> Answer<i32> {
                Ok($add(self, name).await?)
            }

            async fn names(&mut self) -> Answer<Vec<String>> {
                Ok(items::table.select(items::name).order(items::id).load(self).await?)
            }

            async fn rename(&mut self, id: i32, name: &str) -> Answer<usize> {
                let update = diesel::update(items::table.find(id)).set(items::name.eq(name));
                Ok(update.execute(self).await?)
            }

            async fn remove(&mut self, id: i32) -> Answer<usize> {
                Ok(diesel::delete(items::table.find(id)).execute(self).await?)
            }

            async fn stream(&mut self, each: Each<'_>) -> (usize, Option<Failure>) {
                let mut rows = match items::table.load_stream::<(i32, String)>(self).await {
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
                match access {
                    Access::Write => {
                        diesel_async::AsyncConnection::transaction::<(), Failure, _>(
                            self,
                            async |session| work(session).await,
                        )
                        .await
                    }
                    Access::ReadOnly => {
                        let mut transaction = self.build_transaction().read_only();
                        transaction.run(async |session| work(session).await).await
                    }
                    Access::SerializableReadOnly => {
                        let mut transaction = self.build_transaction().serializable().read_only();
                        transaction.run(async |session| work(session).await).await
                    }
                }
            }

            async fn forced(&mut self, to: Target, work: Work<'_>) -> Answer<()> {
                match to {
                    Target::Reader => self.on_reader(async |session| work(session).await).await,
                    Target::Writer => self.on_writer(async |session| work(session).await).await,
                }
            }

            async fn token(&mut self) -> Answer<String> {
                Ok(Self::token(self).await?.to_string())
            }

            async fn require(&mut self, token: &str) -> Answer<()> {
                Ok(Self::require(self, &token.parse().unwrap()).await?)
            }

            fn set_freshness(&mut self, freshness: Freshness) {
                Self::set_freshness(self, freshness);
            }
        }
    };
}

door!(AsyncPgConnection, add_to_postgres, 1);
// The second asks for the number of the first.
door!(AsyncMysqlConnection, add_to_mysql, 2);
