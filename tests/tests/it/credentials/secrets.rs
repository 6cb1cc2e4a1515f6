//! A whole life with planted secrets, all of whose output is searched for them.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use aurora_tests::doors::diesel_r2d2;
use tokio::task::block_in_place;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::ALWAYS_ANEW;
use super::stand::{SECRET, Vault, all_doors, config, connect, json, set_password};

/// What everything says, at every level.
#[derive(Clone, Default)]
struct Capture {
    text: Arc<Mutex<String>>,
    spans: Arc<AtomicU64>,
}

impl Capture {
    fn note(&self, record: impl FnOnce(&mut Line<'_>)) {
        let mut text = self.text.lock().unwrap();
        record(&mut Line(&mut text));
        text.push('\n');
    }
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.note(|line| span.record(line));
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.note(|line| values.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.note(|line| {
            line.0.push_str(event.metadata().target());
            event.record(line);
        });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl log::Log for Capture {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.note(|line| write!(line.0, "{} {}", record.target(), record.args()).unwrap());
    }

    fn flush(&self) {}
}

/// Rotations, an API that fails, a wrong password; every adapter, at every level of every log, and
/// whatever can be printed.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_output() {
    let capture = Capture::default();
    tracing::subscriber::set_global_default(capture.clone()).unwrap();
    log::set_boxed_logger(Box::new(capture.clone())).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let mut said = String::new();

    let vault = Vault::open();
    // Whoever waits for the right password gives up soon.
    let options = format!("{ALWAYS_ANEW}&failover_timeout=3s");
    let scene = vault.scene(diesel_r2d2::open, 2, &options).await;
    let doors = all_doors(&scene).await;
    for password in ["planted-1", "planted-2"] {
        for door in &doors {
            let mut guest = door.session().await.unwrap();
            guest.add("d").await.unwrap();
            guest.names().await.unwrap();
            block_in_place(|| drop(guest));
        }
        scene.kit(|kit| vault.rotate(kit, password));
    }
    // A secret that cannot be read, and one that is wrong.
    let wrong = |text: &str| {
        scene.kit(|kit| {
            vault.moto.put_secret(SECRET, text).unwrap();
            let error = connect(config(kit, "").credentials(vault.secret())).unwrap_err();
            format!("{error} {error:?}")
        })
    };
    said += &wrong(r#"{"username":"shop","password":["planted-3"]}"#);
    said += &wrong(&json("planted-4"));
    scene.kit(|kit| set_password(kit, "planted-5"));
    for door in &doors {
        let mut guest = door.session().await.unwrap();
        let failure = guest.execute("INSERT INTO items (name) VALUES ('d')").await.unwrap_err();
        write!(said, "{failure} {failure:?}").unwrap();
        block_in_place(|| drop(guest));
    }
    let (cluster, given) = (&scene.cluster, scene.kit(|kit| config(kit, "")));
    let status = cluster.status();
    let given = given.user("shop").password("planted-6");
    write!(said, "{given:?} {cluster:?} {status} {status:?} ").unwrap();
    write!(said, "{} ", serde_json::to_string(&status).unwrap()).unwrap();
    write!(said, "{:?} {} ", cluster.explain("SELECT 1"), cluster.config().redacted_url()).unwrap();
    write!(said, "{:?} {:?}", vault.secret(), given.build().unwrap()).unwrap();

    let logged = capture.text.lock().unwrap().clone();
    // It has listened to us, to the SDK, and to a driver.
    for target in ["aurora", "aws", "hyper", "sqlx"] {
        assert!(logged.contains(target), "nothing of {target} was heard");
    }
    for (what, text) in [("a log", &logged), ("what is printed", &said)] {
        // The test itself tells the server its passwords, over a driver that logs what it sends.
        let is_own = |line: &&str| line.contains("ROLE shop") && line.contains("PASSWORD");
        let mut rest = text.lines().filter(|line| !is_own(line));
        let found = rest.find(|line| line.contains("planted"));
        assert!(found.is_none(), "{what}: {}", found.unwrap_or_default());
    }
}
