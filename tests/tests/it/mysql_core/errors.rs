//! The table of errors, checked on a real server: each error is provoked.

use std::time::Duration;

use aurora_core::ErrorKind;
use aurora_tests::eventually;
use mysql_async::Error;
use test_kit::{KitError, MariaDbClient, MariaDbCluster};

/// The number, and what the library makes of it.
fn told(result: Result<(), KitError>) -> (u16, ErrorKind) {
    match result {
        Err(KitError::MySql { source: Error::Server(error), .. }) => {
            (error.code, ErrorKind::of_mysql(error.code, &error.state, &error.message))
        }
        other => panic!("not an answer of the server: {other:?}"),
    }
}

fn kit() -> MariaDbCluster {
    let kit = MariaDbCluster::builder().instances(2).start().unwrap();
    let table = "CREATE TABLE t (id INT PRIMARY KEY, n INT) ENGINE = InnoDB";
    kit.client(0).unwrap().run(table).unwrap();
    kit.client(0).unwrap().run("INSERT INTO t VALUES (1, 0), (2, 0)").unwrap();
    kit.await_readers().unwrap();
    kit
}

#[test]
fn what_a_reader_refuses() {
    let kit = kit();
    let mut reader = kit.client(1).unwrap();
    assert_eq!(told(reader.run("UPDATE t SET n = 1")), (1290, ErrorKind::ReadOnly));
    // The same number stands for other options.
    let outside = "SELECT 1 INTO OUTFILE '/nowhere/file'";
    let mut superuser = kit.superuser(0).unwrap();
    let (_, kind) = told(superuser.run(outside));
    assert_eq!(kind, ErrorKind::Statement);
    let mut writer = kit.client(0).unwrap();
    writer.run("START TRANSACTION READ ONLY").unwrap();
    assert_eq!(told(writer.run("UPDATE t SET n = 1")), (1792, ErrorKind::ReadOnly));
}

#[test]
fn what_passes_or_was_given_up_is_the_statements() {
    let kit = kit();
    let (mut one, mut two) = (kit.client(0).unwrap(), kit.client(0).unwrap());
    one.run("BEGIN").unwrap();
    one.run("UPDATE t SET n = 1 WHERE id = 1").unwrap();
    two.run("SET innodb_lock_wait_timeout = 1").unwrap();
    let waited = told(two.run("UPDATE t SET n = 2 WHERE id = 1"));
    assert_eq!(waited, (1205, ErrorKind::Statement));
    let late = told(two.run("SET STATEMENT max_statement_time = 0.01 FOR SELECT SLEEP(5)"));
    assert_eq!(late, (1969, ErrorKind::Statement));
    let duplicate = told(one.run("INSERT INTO t VALUES (1, 0)"));
    assert_eq!(duplicate, (1062, ErrorKind::Statement));
    assert_eq!(told(one.run("SELECT * FROM mysql.global_priv")).1, ErrorKind::Privilege);
    assert_eq!(told(one.run("SET GLOBAL read_only = ON")), (1227, ErrorKind::Privilege));
}

#[test]
fn a_deadlock_is_the_statements() {
    let kit = kit();
    let (mut one, mut two) = (kit.client(0).unwrap(), kit.client(0).unwrap());
    one.run("BEGIN").unwrap();
    two.run("BEGIN").unwrap();
    one.run("UPDATE t SET n = 1 WHERE id = 1").unwrap();
    two.run("UPDATE t SET n = 1 WHERE id = 2").unwrap();
    let (first, second) = std::thread::scope(|scope| {
        let crossing = scope.spawn(|| one.run("UPDATE t SET n = 1 WHERE id = 2"));
        let second = two.run("UPDATE t SET n = 1 WHERE id = 1");
        (crossing.join().unwrap(), second)
    });
    let victim = if first.is_err() { first } else { second };
    assert_eq!(told(victim), (1213, ErrorKind::Statement));
}

/// Ends what `client` waits for, from another session; says what `client` is told.
fn ended(kit: &MariaDbCluster, mut client: MariaDbClient, how: &str) -> Result<(), KitError> {
    let id = client.column("SELECT CONNECTION_ID()").unwrap().remove(0);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || client.run("SELECT SLEEP(20)"));
        let mut other = kit.superuser(0).unwrap();
        let sleeps = format!(
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = {id} AND INFO LIKE '%SLEEP%'"
        );
        eventually("it sleeps", || other.column(&sleeps).unwrap() == ["1"]);
        other.run(&how.replace("{id}", &id)).unwrap();
        waiting.join().unwrap()
    })
}

#[test]
fn a_statement_or_a_session_that_is_ended() {
    let kit = kit();
    let client = kit.client(0).unwrap();
    match ended(&kit, client, "KILL QUERY {id}") {
        // A sleep that is interrupted ends well, with another value.
        Ok(()) => {}
        other => assert_eq!(told(other), (1317, ErrorKind::Statement)),
    }
    let client = kit.client(0).unwrap();
    match ended(&kit, client, "KILL {id}") {
        Err(KitError::MySql { source: Error::Server(error), .. }) => {
            let kind = ErrorKind::of_mysql(error.code, &error.state, &error.message);
            assert!([1317, 1927].contains(&error.code), "{error:?}");
            assert_eq!(kind == ErrorKind::ConnectionLost, error.code == 1927, "{error:?}");
        }
        Err(KitError::MySql { source, .. }) => assert!(source.is_fatal(), "{source}"),
        other => panic!("the session was not ended: {other:?}"),
    }
}

#[test]
fn a_server_that_is_full_or_that_refuses_a_login() {
    let kit = kit();
    let mut superuser = kit.superuser(0).unwrap();
    superuser.run("ALTER USER app@'%' WITH MAX_USER_CONNECTIONS 1").unwrap();
    let _one = kit.client(0).unwrap();
    assert_eq!(told(kit.client(0).map(drop)), (1226, ErrorKind::TooManyConnections));
    superuser.run("ALTER USER app@'%' WITH MAX_USER_CONNECTIONS 0").unwrap();
    superuser.run("ALTER USER app@'%' ACCOUNT LOCK").unwrap();
    assert_eq!(told(kit.client(0).map(drop)).1, ErrorKind::Authentication);
    superuser.run("ALTER USER app@'%' ACCOUNT UNLOCK").unwrap();
    superuser.run("SET GLOBAL max_connections = 10").unwrap();
    let mut held = Vec::new();
    let full = loop {
        match kit.client(0) {
            Ok(client) => held.push(client),
            full => break full.map(drop),
        }
        assert!(held.len() < 20, "it is never full");
    };
    assert_eq!(told(full), (1040, ErrorKind::TooManyConnections));
    drop(held);
    let free = || kit.client(0).is_ok();
    assert!(test_kit::wait_until(Duration::from_secs(10), free));
}
