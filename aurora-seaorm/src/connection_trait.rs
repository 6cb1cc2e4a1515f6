//! What SeaORM asks of everything that runs statements, written once.

/// Implements [`sea_orm::ConnectionTrait`] by the type's own `run` and `rows`.
macro_rules! connection_trait {
    ($type:ty) => {
        #[async_trait::async_trait]
        impl sea_orm::ConnectionTrait for $type {
            fn get_database_backend(&self) -> sea_orm::DbBackend {
                $crate::engine::backend(self.config())
            }

            async fn execute_raw(
                &self,
                statement: sea_orm::Statement,
            ) -> Result<sea_orm::ExecResult, sea_orm::DbErr> {
                let answer = self.run((&statement).into(), $crate::statement::Ask::Execute).await;
                let family = self.config().family();
                answer.map(|answer| answer.done(family)).map_err($crate::errors::exec_err)
            }

            async fn execute_unprepared(
                &self,
                sql: &str,
            ) -> Result<sea_orm::ExecResult, sea_orm::DbErr> {
                let answer = self.run(sql.into(), $crate::statement::Ask::Unprepared).await;
                let family = self.config().family();
                answer.map(|answer| answer.done(family)).map_err($crate::errors::exec_err)
            }

            async fn query_one_raw(
                &self,
                statement: sea_orm::Statement,
            ) -> Result<Option<sea_orm::QueryResult>, sea_orm::DbErr> {
                let answer = self.run((&statement).into(), $crate::statement::Ask::One).await;
                answer.map(|answer| answer.row().map(Into::into)).map_err($crate::errors::query_err)
            }

            async fn query_all_raw(
                &self,
                statement: sea_orm::Statement,
            ) -> Result<Vec<sea_orm::QueryResult>, sea_orm::DbErr> {
                let rows = self.rows(&statement).await.map_err($crate::errors::query_err)?;
                Ok(rows.into_iter().map(Into::into).collect())
            }
        }
    };
}

pub(crate) use connection_trait;
