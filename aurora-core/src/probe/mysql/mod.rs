//! A monitoring connection to MySQL or MariaDB.
//!
//! Written over the packets of `mysql_common` and not over `mysql_async`, because that one makes
//! its own socket and its own TLS configuration, which cannot be ours, and does not tell when a
//! connection that nobody uses breaks: a monitor has to know at once.

mod login;
mod results;
mod wire;

use std::net::IpAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use socket2::SockRef;

use self::wire::Wire;
use super::{Failure, Tls};
use crate::config::{Address, Config};
use crate::credentials::Login;
use crate::dialect::Answer;
use crate::engine::FailureKind;
use crate::names::reach;
use crate::socket;

/// Dropping it closes the connection.
pub(super) struct MySqlLink {
    wire: Wire,
    /// Why it has ended.
    ended: Option<String>,
}

/// Connects to the one of `found`, the addresses of `address`, that lets us first. The caller holds
/// the deadline.
pub(super) async fn connect(
    config: &Config,
    tls: &Tls,
    address: &Address,
    login: &Login,
    found: Vec<IpAddr>,
) -> Result<(MySqlLink, IpAddr), Failure> {
    let (stream, ip) = reach(found, address.port()).await?;
    // A delayed small packet would look like a slow instance.
    let _ = stream.set_nodelay(true);
    // The probes have deadlines of their own. But where ports are changed on the way, an
    // application's connection is known by this not being set yet, and there must be no other.
    socket::bound(&SockRef::from(&stream), config);
    let wire = login::log_in(stream, config, tls, address, login).await?;
    Ok((MySqlLink { wire, ended: None }, ip))
}

impl MySqlLink {
    /// Asks one or several statements.
    pub(super) async fn ask(&mut self, sql: &str) -> Result<Answer, Failure> {
        const COM_QUERY: u8 = 3;
        self.wire.begin();
        self.wire.write(&[&[COM_QUERY], sql.as_bytes()].concat()).await?;
        results::read(&mut self.wire).await
    }

    /// Waits until it has ended. A server says nothing on its own but a farewell.
    pub(super) async fn closed(&mut self) -> Failure {
        if self.ended.is_none() {
            self.ended = Some(self.wire.farewell().await);
        }
        let message = self.ended.clone().unwrap_or_default();
        Failure::new(FailureKind::Reset, message)
    }

    pub(super) fn is_broken(&mut self) -> bool {
        let look = pin!(self.closed()).poll(&mut Context::from_waker(Waker::noop()));
        matches!(look, Poll::Ready(_))
    }
}
