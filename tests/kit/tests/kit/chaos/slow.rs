//! Ways that are slow, or whose ends do not answer.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use test_kit::chaos::{Fault, Loss};
use test_kit::wait_until;

use super::{aside, assert_silent, io_kind, proxied, through};
use crate::SOON;

/// `SSLRequest` of the protocol: its length, and its code.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

#[test]
fn a_stalled_handshake_hangs_and_goes_on_when_healed() {
    let (cluster, proxy) = proxied(1);
    let mut open = through(&cluster, 0).expect("a connection");
    proxy.set(Fault::StallHandshake).expect("a fault");
    // Accepted at once: a deadline of the connect alone does not help.
    TcpStream::connect_timeout(&proxy.address(), SOON).expect("accepted");
    let url = cluster.instance_url(0);
    let connect = aside(move || postgres::Client::connect(&url, postgres::NoTls).map(drop));
    assert_silent(&connect);
    open.simple_query("SELECT 1").expect("open connections go on");
    proxy.heal().expect("healed");
    connect.recv_timeout(SOON).expect("an end").expect("a connection");
}

#[test]
fn a_stalled_request_for_tls_hangs_and_plain_connections_go_on() {
    let (cluster, proxy) = proxied(1);
    proxy.set(Fault::StallTls).expect("a fault");
    let mut client = TcpStream::connect_timeout(&proxy.address(), SOON).expect("accepted");
    client.write_all(&SSL_REQUEST).expect("sent");
    client.set_read_timeout(Some(super::SILENCE)).expect("a deadline");
    let error = client.read(&mut [0]).expect_err("silence");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    through(&cluster, 0).expect("a connection").simple_query("SELECT 1").expect("an answer");
    proxy.heal().expect("healed");
    client.set_read_timeout(Some(SOON)).expect("a deadline");
    let mut answer = [0];
    client.read_exact(&mut answer).expect("an answer");
    assert_eq!(answer, *b"N");
}

#[test]
fn a_delay_is_paid_once_for_each_direction() {
    let (cluster, proxy) = proxied(1);
    let mut client = through(&cluster, 0).expect("a connection");
    let delay = Duration::from_millis(60);
    proxy.set(Fault::Latency { delay, jitter: Duration::from_millis(5) }).expect("a fault");
    let begin = Instant::now();
    let rows = client.simple_query("SELECT generate_series(1, 5000)").expect("rows");
    let took = begin.elapsed();
    assert!(rows.len() > 5000);
    assert!(took >= 2 * delay, "{took:?}");
    // Not once for each part of the answer either, with much to spare.
    assert!(took < SOON, "{took:?}");
    proxy.heal().expect("healed");
    client.simple_query("SELECT 1").expect("an answer");
}

#[test]
fn a_narrow_way_is_slow_until_it_is_healed() {
    let (cluster, proxy) = proxied(1);
    let mut client = through(&cluster, 0).expect("a connection");
    let bytes_per_second = NonZeroU32::new(10_000).expect("not zero");
    proxy.set(Fault::Bandwidth { bytes_per_second }).expect("a fault");
    let begin = Instant::now();
    client.simple_query("SELECT repeat('x', 4000)").expect("a row");
    assert!(begin.elapsed() >= Duration::from_millis(400), "{:?}", begin.elapsed());
    // Would take 100 s: what is on its way arrives at once when the fault ends.
    let before = proxy.stats().bytes_to_client;
    let answer = aside(move || client.simple_query("SELECT repeat('x', 1000000)").map(drop));
    assert!(wait_until(SOON, || proxy.stats().bytes_to_client > before));
    proxy.heal().expect("healed");
    answer.recv_timeout(SOON).expect("an end").expect("a row");
}

#[test]
fn an_idle_connection_is_forgotten_and_a_busy_one_is_not() {
    let (cluster, proxy) = proxied(1);
    let after = Duration::from_millis(400);
    for then in [Loss::Reset, Loss::Silence] {
        proxy.heal().expect("healed");
        let mut client = through(&cluster, 0).expect("a connection");
        let mut idle = through(&cluster, 0).expect("a connection");
        let (begin, mut last) = (Instant::now(), Instant::now());
        proxy.set(Fault::ForgetIdle { after, then }).expect("a fault");
        // Busy for as long as the other one is idle.
        let served = wait_until(SOON, || {
            // Where the machine stood still for that long, this one was idle, too.
            let asked = client.simple_query("SELECT 1");
            assert!(asked.is_ok() || last.elapsed() > after, "{asked:?}");
            last = Instant::now();
            asked.is_err() || begin.elapsed() > after * 2
        });
        assert!(served);
        let answer = aside(move || idle.simple_query("SELECT 1").map(drop));
        if then == Loss::Silence {
            assert_silent(&answer);
            proxy.heal().expect("healed");
            assert_silent(&answer);
            proxy.reset_all();
        }
        let error = answer.recv_timeout(SOON).expect("an end").expect_err("forgotten");
        assert!(error.is_closed() || io_kind(&error).is_some(), "{error:?}");
    }
}
