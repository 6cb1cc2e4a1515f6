//! Texts in, reports out.

use std::time::Duration;

use super::{
    DialectChoice, classify_errno, classify_trouble, detect, ends_transaction, refuses_login,
};
use crate::config::Address;
use crate::dialect::{Answer, Dialect};
use crate::engine::{FailureKind, Listed, Members, Report};
use crate::error::ErrorKind;
use crate::session::Trouble;

/// A result set whose values are written `NULL` or as they are.
fn set(columns: &[&str], rows: &[&[&str]]) -> Answer {
    let mut answer = Answer::new(columns.iter().map(|name| (*name).to_owned()).collect());
    for text in rows.iter().copied().flatten() {
        answer.push((*text != "NULL").then_some(*text));
    }
    answer
}

fn detected(choice: DialectChoice, variables: &[[&str; 2]]) -> Box<dyn Dialect> {
    let rows: Vec<&[&str]> = variables.iter().map(<[&str; 2]>::as_slice).collect();
    let mut answer = set(&["server"], &[&["db1:3306/1/1700000000"]]);
    answer.others.push(set(&["Variable_name", "Value"], &rows));
    detect(choice, &answer).unwrap()
}

fn mariadb() -> Box<dyn Dialect> {
    detected(DialectChoice::Auto, &[["read_only", "OFF"], ["version", "10.11.6-MariaDB-log"]])
}

fn mysql() -> Box<dyn Dialect> {
    let variables = [["read_only", "OFF"], ["super_read_only", "OFF"], ["version", "8.4.3"]];
    detected(DialectChoice::Auto, &variables)
}

const MARIADB: [&str; 7] =
    ["switches", "logs", "domain", "cluster", "source", "executed", "replayed"];
const MYSQL: [&str; 7] = MARIADB;

/// What `SHOW ALL SLAVES STATUS` says of one source.
fn slave(receiving: &str, applying: &str, behind: &str) -> Answer {
    let columns = ["Slave_IO_Running", "Slave_SQL_Running", "Seconds_Behind_Master"];
    set(&columns, &[&[receiving, applying, behind]])
}

/// What `SHOW REPLICA STATUS` says of one source.
const REPLICA: [&str; 3] = ["Replica_IO_Running", "Replica_SQL_Running", "Seconds_Behind_Source"];

fn replica(receiving: &str, applying: &str, behind: &str) -> Answer {
    set(&REPLICA, &[&[receiving, applying, behind]])
}

fn report(dialect: &dyn Dialect, mut own: Answer, others: Vec<Answer>) -> Report {
    own.others = others;
    dialect.report(&own).unwrap()
}

#[test]
fn the_kind_of_server_is_told_by_its_variables() {
    let version = |version| [["read_only", "OFF"], ["version", version]];
    let auto = |variables: &[[&str; 2]]| detected(DialectChoice::Auto, variables).name();
    assert_eq!(auto(&version("8.0.36")), "mysql");
    assert_eq!(auto(&version("10.6.14-MariaDB-log")), "mariadb");
    assert_eq!(auto(&[["aurora_version", "3.05.2"], ["version", "8.0.28"]]), "aurora-mysql");
    let single = detected(DialectChoice::Single, &version("10.6.14-MariaDB"));
    assert_eq!(single.name(), "single");
    assert!(!single.probe_sql().contains("SHOW"), "one that is alone has no others");
    let chosen = detected(DialectChoice::MySql, &version("5.7.44-log"));
    assert!(chosen.probe_sql().contains("SHOW SLAVE STATUS"), "{}", chosen.probe_sql());
    assert!(mysql().probe_sql().contains("SHOW REPLICA STATUS"));
    assert!(mysql().probe_sql().contains("super_read_only"));
    assert!(!mariadb().probe_sql().contains("super_read_only"), "it does not have it");
    assert!(detect(DialectChoice::Auto, &set(&["server"], &[&["s"]])).is_err(), "no variables");
}

#[test]
fn a_writer_of_mariadb_names_its_domain_and_its_readers() {
    let own = set(&MARIADB, &[&["0", "1", "7", "7", "1", "7-1-100,7-2-110,0-1-999", ""]]);
    let readers = set(
        &["Server_id", "Host", "Port", "Master_id"],
        &[&["2", "10.0.0.2", "3306", "1"], &["3", "", "3306", "1"], &["4", "10.0.0.4", "0", "1"]],
    );
    let found = report(&*mariadb(), own, vec![Answer::default(), readers]);
    assert!(found.accepts_writes && !found.stands_still);
    assert_eq!(found.cluster.as_deref(), Some("7"));
    assert_eq!((found.position, found.lag), (Some(110), Some(Duration::ZERO)));
    assert_eq!(found.members, Members::Suggested(vec![Address::new("10.0.0.2", 3306)]));
}

#[test]
fn what_is_not_logged_has_no_position() {
    let own = set(&MARIADB, &[&["0", "0", "7", "7", "1", "", ""]]);
    assert_eq!(report(&*mariadb(), own, vec![Answer::default()]).position, None);
    let own = set(&MYSQL, &[&["0,0", "0", "NULL", "NULL", "u1", "NULL", "NULL"]]);
    assert_eq!(report(&*mysql(), own, vec![Answer::default()]).position, None);
}

#[test]
fn a_reader_has_what_it_shows_not_what_it_has_logged() {
    let own = set(&MARIADB, &[&["1", "1", "7", "7", "2", "7-1-105,7-1-104", "7-1-104"]]);
    let found = report(&*mariadb(), own, vec![slave("Yes", "Yes", "0")]);
    assert!(!found.accepts_writes);
    assert_eq!((found.position, found.lag), (Some(104), Some(Duration::ZERO)));
    assert_eq!(found.members, Members::Unlisted, "it was not told of any");
}

#[test]
fn who_replicates_is_a_reader_whatever_its_switches_say() {
    let own = || set(&MYSQL, &[&["0,0", "1", "NULL", "NULL", "u2", "u1:1-9", "NULL"]]);
    for (receiving, applying, reader) in [
        ("Yes", "Yes", true),
        ("Connecting", "Yes", true),
        ("No", "Yes", true),
        ("No", "No", false),
    ] {
        let status = replica(receiving, applying, "NULL");
        let found = report(&*mysql(), own(), vec![status]);
        assert_eq!(found.accepts_writes, !reader, "{receiving} {applying}");
    }
    // Who may not see that goes by the switches.
    assert!(report(&*mysql(), own(), Vec::new()).accepts_writes);
}

#[test]
fn every_switch_forbids_writes() {
    for (switches, writes) in [
        ("0", true),
        ("OFF,OFF", true),
        ("1,0", false),
        ("0,1", false),
        ("NO_LOCK_NO_ADMIN", false),
        ("0,0,1", false),
    ] {
        let own = set(&MYSQL, &[&[switches, "1", "NULL", "NULL", "u1", "", "NULL"]]);
        let found = report(&*mysql(), own, vec![Answer::default()]);
        assert_eq!((found.accepts_writes, found.stands_still), (writes, !writes), "{switches}");
    }
    for switches in ["NULL", ""] {
        let own = set(&MYSQL, &[&[switches, "1", "NULL", "NULL", "u1", "", "NULL"]]);
        assert!(mysql().report(&own).is_err(), "nonsense is refused");
    }
}

#[test]
fn unknown_lag_is_not_zero_lag() {
    let own = || set(&MYSQL, &[&["1,1", "1", "NULL", "NULL", "u2", "u1:1-9", "NULL"]]);
    let lag = |status| report(&*mysql(), own(), vec![status]).lag;
    assert_eq!(lag(replica("Yes", "Yes", "3")), Some(Duration::from_secs(3)));
    assert_eq!(lag(replica("Yes", "Yes", "NULL")), None);
    assert_eq!(lag(replica("Connecting", "Yes", "0")), None, "what it receives is not all");
    assert_eq!(lag(replica("Yes", "No", "0")), None);
    let several = |rows: &[&[&str]]| set(&REPLICA, rows);
    let (one, other, stopped) = (["Yes", "Yes", "1"], ["Yes", "Yes", "5"], ["No", "No", "NULL"]);
    assert_eq!(lag(several(&[&one, &other])), Some(Duration::from_secs(5)));
    assert_eq!(lag(several(&[&one, &other, &stopped])), None);
    // Without positions it is what freshness is measured by: a started second counts as one.
    let bare = set(&MYSQL, &[&["1,1", "0", "NULL", "NULL", "u2", "NULL", "NULL"]]);
    let found = report(&*mysql(), bare, vec![replica("Yes", "Yes", "0")]);
    assert_eq!((found.position, found.lag), (None, Some(Duration::from_secs(1))));
}

#[test]
fn a_position_of_mysql_counts_transactions() {
    let position = |text| {
        let own = set(&MYSQL, &[&["0,0", "1", "NULL", "group-1", "u1", text, "NULL"]]);
        let found = mysql().report(&own);
        found.map(|report| (report.position, report.cluster)).ok()
    };
    let group = || Some("group-1".into());
    assert_eq!(position(""), Some((Some(0), group())));
    assert_eq!(position("u1:1-5:7-9,\nu2:4"), Some((Some(9), group())));
    assert_eq!(position("u1:1-5:tag:1-3"), Some((Some(8), group())));
    for nonsense in ["u1:x-y", "u1:5-1", "u1:1-"] {
        assert_eq!(position(nonsense), None, "{nonsense}");
    }
}

#[test]
fn aurora_lists_its_members() {
    let dialect = detected(DialectChoice::AuroraMySql, &[["version", "8.0.28"]]);
    let columns = ["name", "read_only", "server_id", "is_writer", "lag_millis"];
    let rows = |read_only| {
        let (a, b) = (["b", read_only, "a", "1", "NULL"], ["b", read_only, "b", "0", "21.5"]);
        set(&columns, &[&a, &b])
    };
    let found = report(&*dialect, rows("1"), Vec::new());
    assert_eq!(found.name.as_deref(), Some("b"));
    assert!(!found.accepts_writes);
    assert_eq!(found.lag, Some(Duration::from_micros(21_500)));
    let listed = |name: &str, is_writer| Listed { name: name.into(), is_writer };
    assert_eq!(found.members, Members::Listed(vec![listed("a", true), listed("b", false)]));
    // The topology may be older than its own word, and its own word older than the topology.
    assert!(!report(&*dialect, rows("0"), Vec::new()).accepts_writes);
    let own = set(&columns, &[&["b", "0", "NULL", "NULL", "NULL"]]);
    let found = report(&*dialect, own, Vec::new());
    assert!(found.accepts_writes, "a topology that leaves it out says nothing about it");
    assert_eq!(found.members, Members::Listed(Vec::new()));
}

#[test]
fn numbers_are_grouped_by_what_to_do() {
    let kind = |number, state| classify_errno(number, state, "").1;
    for number in [1044, 1045, 1049, 1130, 1698] {
        assert_eq!(kind(number, "28000"), ErrorKind::Authentication, "{number}");
    }
    for (number, state) in [(1040, "08004"), (1203, "42000"), (1226, "42000")] {
        assert_eq!(kind(number, state), ErrorKind::TooManyConnections, "{number}");
    }
    for number in [1053, 1158, 1159, 1160, 1161, 1927, 2006, 2013, 4031] {
        assert_eq!(kind(number, "HY000"), ErrorKind::ConnectionLost, "{number}");
    }
    assert_eq!(kind(4000, "08S01"), ErrorKind::ConnectionLost);
    for (number, state) in [(1205, "HY000"), (1213, "40001"), (1317, "70100"), (3024, "HY000")] {
        assert_eq!(kind(number, state), ErrorKind::Statement, "{number}");
    }
    assert_eq!(kind(1227, "42000"), ErrorKind::Privilege);
    assert_eq!(kind(1836, "HY000"), ErrorKind::ReadOnly);
    assert_eq!(kind(1792, "25006"), ErrorKind::ReadOnly);
    let with = |option: &str| {
        let text = format!(
            "The MySQL server is running with the {option} option so it cannot execute this statement"
        );
        classify_errno(1290, "HY000", &text)
    };
    assert_eq!(with("--read-only").1, ErrorKind::ReadOnly);
    assert_eq!(with("--super-read-only").1, ErrorKind::ReadOnly);
    assert_eq!(with("--secure-file-priv"), (FailureKind::Other, ErrorKind::Statement));
    assert!(refuses_login(1045) && !refuses_login(1044), "another password may help");
}

#[test]
fn what_an_error_means_for_its_statement() {
    let trouble = |number, state| classify_trouble(number, state, "");
    for (number, state) in [(1205, "HY000"), (1213, "40001"), (1020, "HY000"), (3101, "HY000")] {
        assert_eq!(trouble(number, state), Trouble::Conflict, "{number}");
    }
    assert_eq!(trouble(1053, "08S01"), Trouble::Lost);
    assert_eq!(trouble(1927, "70100"), Trouble::Lost);
    assert_eq!(trouble(4031, "HY000"), Trouble::NotSent, "said while no statement ran");
    assert_eq!(trouble(1047, "08S01"), Trouble::NotSent, "Galera: it is not executed");
    assert_eq!(trouble(1047, "42000"), Trouble::Statement, "an unknown command");
    assert_eq!(trouble(1792, "25006"), Trouble::ReadOnly);
    assert_eq!(trouble(1836, "HY000"), Trouble::ReadOnly);
    assert_eq!(trouble(1062, "23000"), Trouble::Statement);
}

#[test]
fn some_errors_end_the_transaction_around_their_statement() {
    assert!(ends_transaction(1213, "40001", false), "a deadlock");
    assert!(ends_transaction(1206, "HY000", false) && ends_transaction(1020, "HY000", false));
    assert!(!ends_transaction(1205, "HY000", false) && ends_transaction(1205, "HY000", true));
    assert!(!ends_transaction(1062, "23000", true) && !ends_transaction(1290, "HY000", true));
}

#[test]
fn an_instance_tells_which_transactions_it_has() {
    let read = |dialect: &dyn Dialect, own| report(dialect, own, vec![Answer::default()]).lineage;
    let own = set(&MARIADB, &[&["0", "1", "7", "7", "2", "7-1-100,7-2-110,0-1-999", "7-1-100"]]);
    let found = read(&*mariadb(), own).unwrap();
    let last: Vec<(&str, u64)> = found.last.iter().map(|(o, n)| (&**o, *n)).collect();
    assert_eq!(
        (&*found.own, last, found.is_one_sequence),
        ("2", vec![("1", 100), ("2", 110)], true)
    );
    let own =
        set(&MYSQL, &[&["0,0", "1", "NULL", "NULL", "u1", "U1:1-9:tag:1-3,\nu2:1-4", "NULL"]]);
    let found = read(&*mysql(), own).unwrap();
    let last: Vec<(&str, u64)> = found.last.iter().map(|(o, n)| (&**o, *n)).collect();
    assert_eq!(last, [("u1", 9), ("u1:tag", 3), ("u2", 4)]);
    assert!(!found.is_one_sequence);
    let unlogged = set(&MARIADB, &[&["1", "0", "7", "7", "2", "7-1-100", "7-1-100"]]);
    assert_eq!(read(&*mariadb(), unlogged), None);
}
