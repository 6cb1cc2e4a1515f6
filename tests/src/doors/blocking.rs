//! Diesel with r2d2, whichever engine its sessions lead to.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::items;
use async_trait::async_trait;
use aurora_core::sql::Target;
use aurora_core::{Cluster, Freshness};
use aurora_diesel::{AuroraConnection, AuroraConnectionManager, Physical};
use diesel::connection::{DefaultLoadingMode, SimpleConnection as _};
use diesel::dsl::sql;
use diesel::pg::PgRowByRowLoadingMode;
use diesel::prelude::*;
use diesel::r2d2::Pool;
use diesel::sql_types::{BigInt, Text};
use diesel_migrations::MigrationHarness as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::{MIGRATIONS, PATIENCE};
use crate::door::{Access, Answer, Door, Each, Failure, Guest, Session, Work};

/// A pool.
pub(super) struct Blocking<C: Physical>(Pool<AuroraConnectionManager<C>>);

/// A pool of so many sessions.
pub(super) fn opened<C: Physical>(
    cluster: Cluster,
    size: usize,
) -> BoxFuture<'static, Arc<dyn Door>>
where
    Blocking<C>: Door + 'static,
{
    Box::pin(async move {
        let size = size.try_into().unwrap();
        let pool = Pool::builder().max_size(size).connection_timeout(PATIENCE);
        let pool = block_in_place(|| pool.build(AuroraConnectionManager::new(cluster)).unwrap());
        Arc::new(Blocking(pool)) as Arc<dyn Door>
    })
}

fn add_to_postgres(session: &mut AuroraConnection<PgConnection>, name: &str) -> QueryResult<i32> {
    let new = diesel::insert_into(items::table).values(items::name.eq(name));
    new.returning(items::id).get_result(session)
}

fn add_to_mysql(session: &mut AuroraConnection<MysqlConnection>, name: &str) -> QueryResult<i32> {
    diesel::insert_into(items::table).values(items::name.eq(name)).execute(session)?;
    let id: i64 = sql::<BigInt>("SELECT LAST_INSERT_ID()").get_result(session)?;
    Ok(id.try_into().unwrap())
}

/// Runs the work of a scenario, whose steps block.
fn run<C: Physical>(work: Work<'_>, session: &mut AuroraConnection<C>) -> Answer<()>
where
    AuroraConnection<C>: Session,
{
    Handle::current().block_on(work(session))
}

/// What is the same with every driver, whose bounds would take more room than it.
macro_rules! door {
    ($connection:ty, $mode:ty, $add:path, $adds:literal) => {
        #[async_trait]
        impl Door for Blocking<$connection> {
            async fn session(&self) -> Answer<Guest> {
                block_in_place(|| self.0.get().map(Guest::new).map_err(Failure::exhausted))
            }

            async fn migrate(&self) -> Answer<usize> {
                block_in_place(|| {
                    let session = &mut self.0.get().unwrap();
                    Ok(session.run_pending_migrations(MIGRATIONS).unwrap().len())
                })
            }

            async fn revert(&self) -> Answer<()> {
                block_in_place(|| {
                    self.0.get().unwrap().revert_last_migration(MIGRATIONS).unwrap();
                    Ok(())
                })
            }

            fn adds(&self) -> u64 {
                $adds
            }
        }

        #[async_trait]
        impl Session for AuroraConnection<$connection> {
            async fn execute(&mut self, sql: &str) -> Answer<()> {
                block_in_place(|| Ok(self.batch_execute(sql)?))
            }

            async fn number(&mut self, text: &str) -> Answer<i64> {
                block_in_place(|| Ok(sql::<BigInt>(text).get_result(self)?))
            }

            async fn text(&mut self, text: &str) -> Answer<String> {
                block_in_place(|| Ok(sql::<Text>(text).get_result(self)?))
            }

            async fn add(&mut self, name: &str) -> Answer<i32> {
                block_in_place(|| Ok($add(self, name)?))
            }

            async fn names(&mut self) -> Answer<Vec<String>> {
                let names = items::table.select(items::name).order(items::id);
                block_in_place(|| Ok(names.load(self)?))
            }

            async fn rename(&mut self, id: i32, name: &str) -> Answer<usize> {
                let update = diesel::update(items::table.find(id)).set(items::name.eq(name));
                block_in_place(|| Ok(update.execute(self)?))
            }

            async fn remove(&mut self, id: i32) -> Answer<usize> {
                block_in_place(|| Ok(diesel::delete(items::table.find(id)).execute(self)?))
            }

            async fn stream(&mut self, each: Each<'_>) -> (usize, Option<Failure>) {
                block_in_place(|| {
                    let rows = items::table.load_iter::<(i32, String), $mode>(self);
                    let rows = match rows {
                        Ok(rows) => rows,
                        Err(error) => return (0, Some(error.into())),
                    };
                    let mut count = 0;
                    for row in rows {
                        match row {
                            Ok(_) => count += 1,
                            Err(error) => return (count, Some(error.into())),
                        }
                        if each(count) == ControlFlow::Break(()) {
                            break;
                        }
                    }
                    (count, None)
                })
            }

            async fn transaction(&mut self, access: Access, work: Work<'_>) -> Answer<()> {
                block_in_place(|| match access {
                    Access::Write => {
                        diesel::Connection::transaction(self, |session| run(work, session))
                    }
                    Access::ReadOnly => {
                        self.build_transaction().read_only().run(|session| run(work, session))
                    }
                    Access::SerializableReadOnly => {
                        let transaction = self.build_transaction().serializable();
                        transaction.read_only().run(|session| run(work, session))
                    }
                })
            }

            async fn forced(&mut self, to: Target, work: Work<'_>) -> Answer<()> {
                block_in_place(|| match to {
                    Target::Reader => self.on_reader(|session| run(work, session)),
                    Target::Writer => self.on_writer(|session| run(work, session)),
                })
            }

            async fn token(&mut self) -> Answer<String> {
                block_in_place(|| Ok(Self::token(self)?.to_string()))
            }

            async fn require(&mut self, token: &str) -> Answer<()> {
                block_in_place(|| Ok(Self::require(self, &token.parse().unwrap())?))
            }

            fn set_freshness(&mut self, freshness: Freshness) {
                Self::set_freshness(self, freshness);
            }
        }
    };
}

door!(PgConnection, PgRowByRowLoadingMode, add_to_postgres, 1);
// The second asks for the number of the first.
door!(MysqlConnection, DefaultLoadingMode, add_to_mysql, 2);
