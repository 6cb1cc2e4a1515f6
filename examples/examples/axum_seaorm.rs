//! SeaORM behind axum: one session per request, which reads what it wrote, through a failover.

use std::convert::Infallible;

use aurora_examples::{Client, Error, LocalCluster, http};
use aurora_seaorm::{AuroraConnection, ConnectAurora as _, Outcome, Retry, outcome, retry};
use axum::extract::FromRequestParts;
use axum::http::{StatusCode, header::RETRY_AFTER, request::Parts};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::get};
use sea_orm::{ActiveModelTrait, Database, DbErr, EntityTrait, PaginatorTrait, Set};
use serde::{Deserialize, Serialize};

mod user {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, DeriveEntityModel)]
    #[sea_orm(table_name = "users")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[derive(Deserialize)]
struct NewUser {
    name: String,
}

#[derive(Serialize)]
struct Created {
    user: user::Model,
    number_of_users: Option<u64>,
}

fn service(db: AuroraConnection) -> Router {
    Router::new().route("/users", get(list_users).post(create_user)).with_state(db)
}

/// What the handlers get instead of the shared handle: a session that ends with the request.
struct Session(AuroraConnection);

impl FromRequestParts<AuroraConnection> for Session {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, db: &AuroraConnection) -> Result<Self, Infallible> {
        Ok(Self(db.session()))
    }
}

/// Runs on a reader: this request has written nothing.
async fn list_users(Session(db): Session) -> Result<Json<Vec<user::Model>>, Failure> {
    Ok(Json(user::Entity::find().all(&db).await?))
}

/// Writes on the writer, and counts where the new user is there: on a reader that has caught up,
/// or on the writer.
async fn create_user(
    Session(db): Session,
    Json(NewUser { name }): Json<NewUser>,
) -> Result<(StatusCode, Json<Created>), Failure> {
    let user = user::ActiveModel { name: Set(name), ..Default::default() }.insert(&db).await?;
    // The user is created, whatever becomes of the count.
    let number_of_users = user::Entity::find().count(&db).await.ok();
    Ok((StatusCode::CREATED, Json(Created { user, number_of_users })))
}

/// A request that failed: the answer, as honest as it can be.
struct Failure(DbErr);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let text = error.to_string();
        match (outcome(&error), retry(&error)) {
            // Nothing was done, and in a moment it can be.
            (Outcome::NotApplied, Retry::AfterTopologyChange) => {
                (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], text).into_response()
            }
            // Nothing was done, and it will not be: the name is taken, for instance.
            (Outcome::NotApplied, _) => (StatusCode::CONFLICT, text).into_response(),
            // It may have been done: the client has to look before it sends the request again.
            (_, _) => (StatusCode::INTERNAL_SERVER_ERROR, text).into_response(),
        }
    }
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        Self(error)
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    // ---- set-up of the example: a local cluster of three instances, removed at the end
    let schema = "CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE NOT NULL)";
    let local = LocalCluster::start(3, schema).await?;
    let url = local.url();
    // ---- end of set-up

    let db = Database::connect_aurora(url).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = service(db.clone());
    tokio::spawn(async { axum::serve(listener, app).await });

    // The readers stand still: what is written from now on is on the writer only.
    local.run(|kit| kit.readers().into_iter().try_for_each(|i| kit.pause_replay(i))).await?;
    let mut client = Client::new(address);
    let created = client.create().await?.json;
    let listed = http::get(address, "/users").await?.json;
    println!("POST /users: {created}\n GET /users: {listed}");
    assert_eq!(created["number_of_users"], 1, "the request reads what it wrote");
    assert_eq!(listed, serde_json::json!([]), "another request reads from a reader");
    local.run(|kit| kit.readers().into_iter().try_for_each(|i| kit.resume_replay(i))).await?;

    // The writer is killed while requests come in, and they go on.
    let killed = local.run(|kit| kit.kill_and_promote(1));
    let (killed, sent) = tokio::join!(killed, client.create_and_list(200));
    killed?;
    sent?;
    client.create_until(201).await?;
    println!("{}", db.cluster().status());
    client.check(&local).await
}
