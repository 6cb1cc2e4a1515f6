//! To one of several addresses, in the simplest form of RFC 8305 ("happy eyeballs").

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::engine::FailureKind;
use crate::probe::Failure;

/// How long a connect may take before the next address is tried beside it. Source: RFC 8305,
/// section 8, "Connection Attempt Delay".
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to the first of `addresses` that lets us, each tried [`HEAD_START`] after the one
/// before, or as soon as that one has failed. Without a deadline: the caller has one.
///
/// # Cancel safety
///
/// Dropped in the middle, it closes what it has opened.
pub(crate) async fn reach(
    addresses: Vec<IpAddr>,
    port: u16,
) -> Result<(TcpStream, IpAddr), Failure> {
    let mut waiting = addresses.into_iter();
    let mut trying = JoinSet::new();
    let mut failure: Option<Failure> = None;
    loop {
        let next = waiting.next();
        if let Some(ip) = next {
            trying.spawn(async move { (ip, TcpStream::connect(SocketAddr::new(ip, port)).await) });
        }
        loop {
            let ended = tokio::select! {
                ended = trying.join_next() => ended,
                () = tokio::time::sleep(HEAD_START), if waiting.len() > 0 => break,
            };
            match ended {
                Some(Ok((ip, Ok(stream)))) => return Ok((stream, ip)),
                Some(Ok((ip, Err(error)))) => {
                    let doing = format!("cannot connect to {}", SocketAddr::new(ip, port));
                    let new = Failure::from_io(&error, &doing);
                    // That nobody listens is certain only if nobody does at any address.
                    failure = match failure.take() {
                        Some(old) if !old.is_refusal() => Some(old),
                        Some(_) | None => Some(new),
                    };
                }
                Some(Err(died)) => std::panic::resume_unwind(died.into_panic()),
                None => {
                    let none = || Failure::new(FailureKind::Other, "no address");
                    return Err(failure.unwrap_or_else(none));
                }
            }
            if waiting.len() > 0 {
                break;
            }
        }
    }
}
