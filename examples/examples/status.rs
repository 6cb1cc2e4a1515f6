//! The status of the instances as a table and as JSON, events, and draining a reader by hand.

use std::time::Duration;

use aurora_diesel::aurora_core::{Event, Role};
use aurora_diesel::{AuroraConnectionManager, Cluster, Config};
use diesel::prelude::*;
use diesel::sql_types::Integer;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // ---- set-up of the example: a local cluster of three instances, removed at the end
    let kit = test_kit::PgCluster::builder().instances(3).start()?;
    let url = kit.url();
    // ---- end of set-up

    let cluster = Cluster::connect_blocking(Config::from_url(&url)?)?;
    let manager = AuroraConnectionManager::<PgConnection>::new(cluster.clone());
    let mut events = cluster.events();
    println!("{}", cluster.status());

    // Take a reader out of use: what runs on it ends undisturbed, nothing new is sent to it.
    let status = cluster.status();
    let drained = status.instances.iter().find(|i| i.role == Role::Reader).ok_or("no reader")?;
    let drained = drained.instance.clone();
    cluster.instance(&drained).take_offline()?;
    let event = events.next_timeout(Duration::from_secs(5));
    println!("event: {}", event.as_ref().ok_or("no event")?);
    assert_eq!(event, Some(Event::OnlineChanged { instance: drained.clone(), online: false }));

    // A session stays with its reader; new ones are spread over those that are in use.
    let read = || diesel::select(1.into_sql::<Integer>()).get_result::<i32>(&mut manager.session());
    for _ in 0..20 {
        read()?;
    }
    let json = serde_json::to_value(cluster.status())?;
    println!("{json:#}");
    let instances = json["instances"].as_array().ok_or("no instances")?;
    let of = |name: &str| instances.iter().find(|i| i["instance"] == name);
    assert_eq!(of(drained.as_str()).ok_or("gone")?["queries"], 0);
    assert_eq!(of(drained.as_str()).ok_or("gone")?["online"], false);

    cluster.instance(&drained).bring_online()?;
    for _ in 0..20 {
        read()?;
    }
    let back = cluster.status();
    let back = back.instances.iter().find(|i| i.instance == drained).ok_or("gone")?;
    assert!(back.queries > 0, "it serves reads again");
    Ok(())
}
