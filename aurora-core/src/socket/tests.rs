use std::io::{ErrorKind, Read as _};
use std::net::TcpListener;

use super::*;

fn the_one(peer: SocketAddr, local: &TcpStream) -> OwnSocket {
    let port = local.local_addr().unwrap().port();
    let mut found = OwnSocket::connected_to(peer);
    found.retain(|socket| socket.local_port() == Some(port));
    assert_eq!(found.len(), 1);
    found.remove(0)
}

#[test]
fn threads_that_search_at_the_same_time_find_each_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let ours = TcpStream::connect(server).unwrap();
                for _ in 0..200 {
                    the_one(server, &ours);
                }
            });
        }
    });
}

#[test]
fn a_call_that_waits_on_the_socket_is_ended_and_no_other() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let mut ours = TcpStream::connect(server).unwrap();
    let mut other = TcpStream::connect(server).unwrap();
    let copy = the_one(server, &ours);
    let blocked = std::thread::spawn(move || ours.read(&mut [0]));
    copy.shut_down();
    assert_eq!(blocked.join().unwrap().unwrap(), 0, "it reads the end");
    other.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(other.read(&mut [0]).is_err(), "it goes on waiting");
}

#[test]
fn a_server_in_the_middle_of_a_long_answer_hears_of_the_end_at_once() {
    use std::io::Write as _;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut theirs, _) = listener.accept().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let mut stuck = 0;
    while stuck < 10 {
        // All buffers are full when nothing moves for a while.
        stuck = if theirs.write(&[7; 65_536]).is_ok() { 0 } else { stuck + 1 };
        std::thread::sleep(Duration::from_millis(20));
    }
    theirs.set_nonblocking(false).unwrap();
    theirs.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    let answering = std::thread::spawn(move || {
        loop {
            theirs.write_all(&[7; 65_536])?;
        }
    });
    let copy = the_one(listener.local_addr().unwrap(), &ours);
    copy.shut_down();
    drop(copy);
    // Drivers read what is there before they close.
    std::io::copy(&mut ours, &mut std::io::sink()).unwrap();
    drop(ours);
    let failed: std::io::Result<()> = answering.join().unwrap();
    assert_ne!(failed.unwrap_err().kind(), ErrorKind::WouldBlock, "it waits no longer");
}

#[test]
fn an_idle_connection_has_news_when_the_server_speaks_or_ends_it() {
    use std::io::Write as _;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for ends in [false, true] {
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut theirs, _) = listener.accept().unwrap();
        let copy = the_one(listener.local_addr().unwrap(), &ours);
        assert!(!copy.has_news());
        if ends {
            theirs.shutdown(Shutdown::Both).unwrap();
        } else {
            theirs.write_all(b"farewell").unwrap();
        }
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while !copy.has_news() {
            assert!(std::time::Instant::now() < deadline, "it arrives");
            std::thread::yield_now();
        }
    }
}

#[test]
fn the_port_of_an_older_connection_says_nothing_of_a_new_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let [one, _two] = [(); 2].map(|()| TcpStream::connect(server).unwrap());
    let port = Some(one.local_addr().unwrap().port());
    let at_port = |port| OwnSocket::at_port(server, port);
    let found = at_port(port).expect("the port tells them apart");
    assert_eq!(found.local_port(), port);
    assert!(at_port(Some(1)).is_none() && at_port(None).is_none());
    let config = Config::from_url("mysql://app@h/d?tcp_user_timeout=3s").unwrap();
    found.bound_by(&config);
    assert!(at_port(port).is_none(), "something changes ports: that is another one's");
}

#[test]
fn the_option_is_read_from_the_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let ours = TcpStream::connect(server).unwrap();
    assert_eq!(the_one(server, &ours).user_timeout(), Some(Duration::ZERO));
    let timeout = Duration::from_millis(30_001);
    SockRef::from(&ours).set_tcp_user_timeout(Some(timeout)).unwrap();
    assert_eq!(the_one(server, &ours).user_timeout(), Some(timeout));
}

#[test]
fn a_new_connection_is_bounded_also_where_ports_are_changed_on_the_way() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let [one, two] = [(); 2].map(|()| TcpStream::connect(server).unwrap());
    let config = |time: &str| {
        Config::from_url(&format!("postgres://app@db/app?tcp_user_timeout={time}")).unwrap()
    };
    let times = || [&one, &two].map(|ours| the_one(server, ours).user_timeout().unwrap());
    let port = one.local_addr().unwrap().port();
    OwnSocket::bound(server, Some(port), &config("2s"));
    assert_eq!(times(), [Duration::from_secs(2), Duration::ZERO]);
    for unknown in [None, Some(1)] {
        OwnSocket::bound(server, unknown, &config("3s"));
        assert_eq!(times(), [Duration::from_secs(2), Duration::from_secs(3)]);
    }
    let keepalive = SockRef::from(&two).keepalive().unwrap();
    assert!(keepalive && SockRef::from(&one).keepalive().unwrap());
}
