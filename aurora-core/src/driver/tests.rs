//! What becomes of the driver when the engine or a monitor has a bug.

use std::sync::atomic::Ordering;

use super::*;
use crate::credentials::Keyring;
use crate::event::Events;
use crate::topology::Health;

const LIMIT: Duration = Duration::from_secs(20);

/// A cluster of one address at which nobody listens, and its driver.
fn driven(bugs: u32) -> (Arc<Shared>, Events, tokio::task::JoinHandle<()>) {
    let config = Config::from_url("postgres://app@127.0.0.1:1/db").unwrap();
    let keyring = Keyring::new(&config, tokio::runtime::Handle::current());
    let prober = Prober::new(config.clone(), keyring).unwrap();
    prober.bugs.store(bugs, Ordering::Relaxed);
    let engine = engine(&config, Instant::now());
    let (commands, receiver) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared::new(config, engine.topology(), commands));
    let events = shared.events.subscribe();
    let driver = tokio::spawn(drive(Arc::clone(&shared), prober, engine, receiver));
    (shared, events, driver)
}

async fn heard(events: &mut Events, what: impl Fn(&Event) -> bool) -> Vec<Event> {
    let mut heard = Vec::new();
    let listen = async {
        while let Some(event) = events.next().await {
            heard.push(event);
            if heard.last().is_some_and(&what) {
                break;
            }
        }
    };
    tokio::time::timeout(LIMIT, listen).await.expect("it happens");
    heard
}

fn is_lost(event: &Event) -> bool {
    matches!(event, Event::HealthChanged { to: Health::Lost, .. })
}

fn bugs_told(events: &[Event], text: &str) -> usize {
    let told =
        |event: &&Event| matches!(event, Event::MonitorRestarted { reason, .. } if reason == text);
    events.iter().filter(told).count()
}

#[tokio::test]
async fn a_monitor_that_panics_is_announced_counted_and_started_again() {
    let (shared, mut events, driver) = driven(3);
    let heard = heard(&mut events, is_lost).await;
    assert_eq!(bugs_told(&heard, "a bug of the monitor"), 3, "{heard:?}");
    assert_eq!(shared.restarts.load(Ordering::Relaxed), 3);
    shared.commands.send(Command::Close).unwrap();
    tokio::time::timeout(LIMIT, driver).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_driver_that_panics_goes_on_with_another_engine() {
    let (shared, mut events, driver) = driven(0);
    heard(&mut events, is_lost).await;
    let before = shared.topology.load().generation();
    shared.commands.send(Command::Panic).unwrap();
    let heard = heard(&mut events, is_lost).await;
    assert_eq!(bugs_told(&heard, "a bug of the driver"), 1, "{heard:?}");
    assert_eq!(shared.restarts.load(Ordering::Relaxed), 1);
    assert!(shared.topology.load().generation() > before);
    shared.commands.send(Command::Close).unwrap();
    tokio::time::timeout(LIMIT, driver).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_an_operator_wants_outlives_a_bug() {
    let (shared, mut events, driver) = driven(0);
    heard(&mut events, is_lost).await;
    let instance = InstanceId::from("127.0.0.1:1");
    shared.commands.send(Command::Panic).unwrap();
    shared.tell(Input::SetOnline { instance: instance.clone(), online: false });
    let offline = async {
        loop {
            let changed = shared.changed.listen();
            let topology = shared.topology.load_full();
            if topology.instance(&instance).is_some_and(|instance| !instance.is_online()) {
                return;
            }
            changed.await;
        }
    };
    tokio::time::timeout(LIMIT, offline).await.unwrap();
    shared.commands.send(Command::Close).unwrap();
    tokio::time::timeout(LIMIT, driver).await.unwrap().unwrap();
}

#[tokio::test]
async fn monitors_of_an_engine_that_died_tell_the_next_one_nothing() {
    // It accepts and says nothing, so that its monitor is in the middle of asking.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let config = Config::from_url(&format!("postgres://app@{address}/db")).unwrap();
    let keyring = Keyring::new(&config, tokio::runtime::Handle::current());
    let prober = Prober::new(config.clone(), keyring).unwrap();
    let mut engine = engine(&config, Instant::now());
    let (commands, receiver) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared::new(config, engine.topology(), commands));
    let mut driver = Driver::new(&shared, &prober);
    driver.feed(&mut engine, Input::Tick, false);
    assert_eq!((driver.tasks.len(), receiver.sender_strong_count()), (1, 2));
    driver.end_monitors().await;
    assert_eq!((driver.tasks.len(), receiver.sender_strong_count()), (0, 1));
}

#[tokio::test]
async fn a_panic_is_told_and_not_passed_on() {
    let told = catch_unwind(AssertUnwindSafe(async {
        tokio::task::yield_now().await;
        panic!("a bug in {}", "the engine");
    }));
    assert_eq!(told.await, Err::<(), _>("a bug in the engine".to_owned()));
    assert_eq!(catch_unwind(AssertUnwindSafe(async { 7 })).await, Ok(7));
}
