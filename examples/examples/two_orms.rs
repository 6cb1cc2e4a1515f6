//! Diesel, diesel-async and SeaORM in one program: one cluster, watched once, one failover for all.

use aurora_diesel::aurora_core::{Event, InstanceStatus, Status};
use aurora_diesel::{AuroraConnectionManager, Cluster, Config, asynchronous};
use aurora_examples::{Error, LocalCluster};
use aurora_seaorm::AuroraConnection;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use sea_orm::ConnectionTrait as _;
use test_kit::PgCluster;

mod schema {
    #![allow(missing_docs, reason = "made by the macro")]
    diesel::table! {
        notes (line) { line -> Text, }
    }
}
use schema::notes;

/// The doors to one cluster, for programs that are on their way from one ORM to another, or have
/// a migration tool, a job queue and a web service that do not agree.
struct Doors {
    diesel: AuroraConnectionManager<PgConnection>,
    diesel_async: asynchronous::AuroraConnectionManager,
    seaorm: AuroraConnection,
}

impl Doors {
    fn to(cluster: &Cluster) -> Self {
        Self {
            diesel: AuroraConnectionManager::new(cluster.clone()),
            diesel_async: asynchronous::AuroraConnectionManager::new(cluster.clone()),
            seaorm: AuroraConnection::new(cluster.clone()),
        }
    }

    /// Has each of the three write a line.
    async fn write(&self, when: &str) -> Result<(), Error> {
        let insert = |name| {
            let line = notes::line.eq(format!("{name} {when}"));
            diesel::insert_into(notes::table).values(line)
        };
        let (mut session, by_diesel) = (self.diesel.session(), insert("Diesel"));
        // Diesel blocks, so in an asynchronous program it has a thread.
        let blocking = move || diesel::RunQueryDsl::execute(by_diesel, &mut session);
        tokio::task::spawn_blocking(blocking).await??;
        insert("diesel-async").execute(&mut self.diesel_async.session()).await?;
        let sql = format!("INSERT INTO notes VALUES ('SeaORM {when}')");
        self.seaorm.execute_unprepared(&sql).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    // ---- set-up of the example: a local cluster of three instances, removed at the end
    let local = LocalCluster::start(3, "CREATE TABLE notes (line text PRIMARY KEY)").await?;
    let url = local.url();
    // ---- end of set-up

    let cluster = Cluster::connect(Config::from_url(&url)?).await?;
    let mut events = cluster.events();
    let doors = Doors::to(&cluster);
    doors.write("before the failover").await?;
    assert_eq!(monitors(&local).await?, [1, 1, 1], "each instance is watched once");
    let before = writer(&cluster).ok_or("no writer")?;
    assert_eq!(before.writes, 3);

    local.run(|kit| kit.kill_and_promote(1)).await?;
    doors.write("after the failover").await?;
    println!("{}", cluster.status());
    let after = writer(&cluster).ok_or("no writer")?;
    assert_eq!(after.writes, 3);
    assert_ne!(after.instance, before.instance);
    // The three heard of it from one source.
    let events: Vec<Event> = std::iter::from_fn(|| events.try_next()).collect();
    events.iter().for_each(|event| println!("event: {event}"));
    let elected = |event: &&Event| matches!(event, Event::WriterChanged { to: Some(_), .. });
    assert_eq!(events.iter().filter(elected).count(), 1, "{events:#?}");

    let session = &mut doors.diesel_async.session();
    let lines: i64 =
        session.on_writer(async |session| notes::table.count().get_result(session).await).await?;
    assert_eq!(lines, 6);
    Ok(())
}

fn writer(cluster: &Cluster) -> Option<InstanceStatus> {
    let Status { writer, instances, .. } = cluster.status();
    instances.into_iter().find(|instance| Some(&instance.instance) == writer.as_ref())
}

/// How many monitoring connections each instance says it has.
async fn monitors(local: &LocalCluster) -> Result<Vec<i64>, Error> {
    let question =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'aurora monitor'";
    let ask = |kit: &PgCluster| -> Result<Vec<i64>, Error> {
        let ask = |i| Ok(kit.superuser(i)?.query_one(question, &[])?.get(0));
        (0..kit.len()).map(ask).collect()
    };
    local.run(ask).await
}
