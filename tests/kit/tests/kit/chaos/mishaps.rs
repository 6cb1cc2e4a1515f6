//! Mishaps of single messages and answers, as a driver reports them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use postgres::Client;
use test_kit::chaos::{Aim, ChaosProxy, Loss, Mishap};
use test_kit::wait_until;

use super::{aside, assert_silent, insert, io_kind, proxied, through};
use crate::{SOON, assert_shows, ids};

/// A query whose answer is some kilobytes.
const ROWS: &str = "SELECT n, repeat('x', 50) FROM generate_series(1, 100) AS n";

/// The error of a query that a mishap hits; the connection must be of no use then.
fn broken(client: &mut Client, query: &str) -> postgres::Error {
    let error = client.simple_query(query).expect_err("a broken answer");
    assert!(client.is_closed() || client.simple_query("SELECT 1").is_err(), "{error:?}");
    error
}

#[test]
fn a_reset_in_a_message_and_a_truncated_one_break_the_connection() {
    let (cluster, proxy) = proxied(1);
    for mishap in [Mishap::ResetInMessage, Mishap::TruncateMessage] {
        let mut client = through(&cluster, 0).expect("a connection");
        let mut bystander = through(&cluster, 0).expect("a connection");
        let armed = proxy.arm(mishap, Aim::Statement("repeat".to_owned()));
        bystander.simple_query("SELECT 1").expect("another statement is answered");
        assert!(!armed.has_happened());
        let error = broken(&mut client, ROWS);
        println!("{mishap:?}: {error:?}");
        assert!(error.code().is_none() && armed.has_happened());
        bystander.simple_query(ROWS).expect("it happens once");
    }
}

#[test]
fn garbage_is_a_protocol_error_and_not_a_hang() {
    let (cluster, proxy) = proxied(1);
    let mut client = through(&cluster, 0).expect("a connection");
    let armed = proxy.arm(Mishap::Garbage, Aim::Any);
    let answer = aside(move || broken(&mut client, ROWS));
    let error = answer.recv_timeout(SOON).expect("an end");
    println!("garbage: {error:?}");
    assert!(error.code().is_none() && armed.has_happened());
}

#[test]
fn a_swallowed_commit_took_effect_and_the_client_hangs_or_is_reset() {
    let (cluster, proxy) = proxied(1);
    for (id, loss) in [(1, Loss::Silence), (2, Loss::Reset)] {
        let mut client = through(&cluster, 0).expect("a connection");
        let armed = proxy.swallow_commit_reply(loss);
        let answer = aside(move || {
            let mut transaction = client.transaction()?;
            transaction.execute("INSERT INTO t VALUES ($1)", &[&id])?;
            transaction.commit()
        });
        assert!(armed.wait(SOON), "the server answers");
        assert!(ids(&mut cluster.client(0).expect("a connection")).contains(&id));
        if loss == Loss::Silence {
            assert_silent(&answer);
            proxy.heal().expect("healed");
            assert_silent(&answer);
            proxy.reset_all();
        }
        let error = answer.recv_timeout(SOON).expect("an end").expect_err("no answer");
        assert!(error.code().is_none(), "{error:?}");
    }
    assert_shows(&cluster, 0, &[1, 2]);
}

#[test]
fn a_lost_request_takes_no_effect_and_a_lost_answer_does() {
    let (cluster, proxy) = proxied(1);
    let cases = [(1, Mishap::LoseRequest(Loss::Reset)), (2, Mishap::LoseAnswer(Loss::Reset))];
    for (id, mishap) in cases {
        let mut client = through(&cluster, 0).expect("a connection");
        let statement = client.prepare("INSERT INTO t VALUES ($1)").expect("prepared");
        let armed = proxy.arm(mishap, Aim::Statement("INTO t".to_owned()));
        let error = client.execute(&statement, &[&id]).expect_err("lost");
        // Both look the same: that is the point.
        assert!(error.code().is_none() && armed.has_happened(), "{error:?}");
    }
    assert_shows(&cluster, 0, &[2]);
}

#[test]
fn half_closing_ends_the_answers_and_not_the_requests() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let target = listener.local_addr().expect("an address");
    let proxy = ChaosProxy::start(([127, 0, 0, 1], 0), target).expect("a proxy");
    let mut client = TcpStream::connect_timeout(&proxy.address(), SOON).expect("a connection");
    let (mut server, _) = listener.accept().expect("a connection");
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(SOON)).expect("a deadline");
    }
    proxy.half_close();
    assert_eq!(client.read(&mut [0]).expect("the end of the stream"), 0);
    client.write_all(b"more").expect("sent");
    let mut received = [0; 4];
    server.read_exact(&mut received).expect("received");
    assert_eq!(&received, b"more");
    drop(client);
    assert!(wait_until(SOON, || proxy.stats().open == 0));
}

#[test]
fn a_driver_sees_a_half_closed_connection_as_closed() {
    let (cluster, proxy) = proxied(1);
    let mut client = through(&cluster, 0).expect("a connection");
    proxy.half_close();
    let error = client.batch_execute(&insert(1)).expect_err("the stream has ended");
    assert!(error.is_closed() || io_kind(&error).is_some(), "{error:?}");
    through(&cluster, 0).expect("a connection").batch_execute(&insert(2)).expect("an insert");
}

#[test]
fn a_disarmed_mishap_does_not_happen() {
    let (cluster, proxy) = proxied(1);
    let mut client = through(&cluster, 0).expect("a connection");
    let armed = proxy.arm(Mishap::LoseRequest(Loss::Silence), Aim::Any);
    armed.disarm();
    client.batch_execute(&insert(1)).expect("an insert");
    assert!(!armed.wait(Duration::from_millis(1)));
}
