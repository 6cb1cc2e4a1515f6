//! diesel-async behind axum: requests while the writer is killed, and what a service then answers.

use aurora_diesel::asynchronous::{AuroraConnectionManager, bb8::Pool};
use aurora_diesel::aurora_core::{self, Status};
use aurora_diesel::{Cluster, Config, Outcome, Retry, outcome, retry};
use aurora_examples::{Client, Error, LocalCluster, http};
use axum::extract::State;
use axum::http::{StatusCode, header::RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::get};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};

mod schema {
    #![allow(missing_docs, reason = "made by the macro")]
    diesel::table! {
        users { id -> Integer, name -> Text, }
    }
}
use schema::users;

#[derive(Debug, Serialize, Queryable)]
struct User {
    id: i32,
    name: String,
}

#[derive(Debug, Deserialize, Insertable)]
#[diesel(table_name = users)]
struct NewUser {
    name: String,
}

#[derive(Clone)]
struct App {
    cluster: Cluster,
    pool: Pool,
}

fn service(app: App) -> Router {
    Router::new()
        .route("/users", get(list_users).post(create_user))
        .route("/health", get(health))
        .with_state(app)
}

/// Runs on a reader; on another one if that dies meanwhile.
async fn list_users(State(app): State<App>) -> Result<Json<Vec<User>>, Failure> {
    let connection = &mut app.pool.get().await?;
    Ok(Json(users::table.order(users::id).load(connection).await?))
}

/// Runs on the writer; waits for the next one if there is none, up to `failover_timeout`.
async fn create_user(
    State(app): State<App>,
    Json(new): Json<NewUser>,
) -> Result<(StatusCode, Json<User>), Failure> {
    let connection = &mut app.pool.get().await?;
    let insert = diesel::insert_into(users::table).values(new).returning(users::all_columns);
    Ok((StatusCode::CREATED, Json(insert.get_result(connection).await?)))
}

async fn health(State(app): State<App>) -> (StatusCode, Json<Status>) {
    let status = app.cluster.status();
    let code = match status.writer {
        Some(_) => StatusCode::OK,
        None => StatusCode::SERVICE_UNAVAILABLE,
    };
    (code, Json(status))
}

/// A request that failed: the answer, as honest as it can be.
struct Failure(StatusCode, String);

impl From<diesel::result::Error> for Failure {
    fn from(error: diesel::result::Error) -> Self {
        let status = match (outcome(&error), retry(&error)) {
            // It may have been done: the client has to look before it sends the request again.
            (Outcome::Unknown, _) => StatusCode::INTERNAL_SERVER_ERROR,
            // Nothing was done, and in a moment it can be.
            (Outcome::NotApplied, Retry::AfterTopologyChange) => StatusCode::SERVICE_UNAVAILABLE,
            // Nothing was done, and it will not be: the name is taken, for instance.
            (_, _) => StatusCode::CONFLICT,
        };
        Self(status, error.to_string())
    }
}

/// Every session of the pool has been in use for too long.
impl From<bb8::RunError<aurora_core::Error>> for Failure {
    fn from(error: bb8::RunError<aurora_core::Error>) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self(StatusCode::SERVICE_UNAVAILABLE, text) => {
                (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], text).into_response()
            }
            Self(status, text) => (status, text).into_response(),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    // ---- set-up of the example: a local cluster of three instances, removed at the end
    let schema = "CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE NOT NULL)";
    let local = LocalCluster::start(3, schema).await?;
    let url = local.url();
    // ---- end of set-up

    // Longer than a failover takes, and no longer than a client wants to wait.
    let config = Config::from_url(&format!("{url}?failover_timeout=2s"))?;
    let cluster = Cluster::connect(config).await?;
    let manager = AuroraConnectionManager::new(cluster.clone());
    let pool = Pool::builder().max_size(8).build(manager).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = App { cluster: cluster.clone(), pool };
    tokio::spawn(async { axum::serve(listener, service(app)).await });

    let mut client = Client::new(address);
    client.create_and_list(50).await?;
    let status = http::get(address, "/health").await?;
    println!("{}", cluster.status());
    assert_eq!(status.json["instances"][0]["queries"], 50, "the writer served writes only");

    local.run(|kit| kit.kill(0)).await?;
    let refusal = client.create_until(503).await?;
    println!("writer killed, POST /users: {} {:?}", refusal.status, refusal.header("retry-after"));
    assert_eq!(refusal.header("retry-after"), Some("1"));
    assert_eq!(http::get(address, "/health").await?.status, 503);
    assert_eq!(http::get(address, "/users").await?.status, 200, "reads go on");

    local.run(|kit| kit.promote(1)).await?;
    client.create_until(201).await?;
    client.create_and_list(50).await?;
    println!("{}", cluster.status());
    client.check(&local).await
}
