//! Who is asked for the addresses of a name.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;

/// The answer to a question for the addresses of a host, still to come.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// A source of addresses for host names: a DNS client of one's own, a table, a service registry.
///
/// Given to [`ConfigBuilder::resolver`](crate::ConfigBuilder::resolver); without one the
/// operating system is asked. It is asked for names only, never for IP addresses, on the
/// background runtime of the library (tokio, with timers and I/O). There is at most one question
/// per host under way, which is given up after 30 s. What it answers is remembered: a remembered
/// address is used while it fails, and while it takes longer than an eighth of `connect_timeout`.
///
/// Statements connect to the address that the monitor has reached and look no name up. One driver
/// cannot: `aurora-seaorm` with `sslmode=verify-full`, where sqlx takes the name that the
/// certificate must have for the one to connect to, and asks the operating system.
///
/// Behind a tunnel or a network translation, answer the addresses that the instances have on
/// this side; the port stays that of the instance.
///
/// # Examples
///
/// Tunnels such as `ssh -L 127.0.1.1:5432:a.internal:5432 -L 127.0.1.2:5432:b.internal:5432`:
///
/// ```
/// use aurora_core::{Config, Resolve, Resolving};
/// use std::io;
///
/// struct Tunnels;
///
/// impl Resolve for Tunnels {
///     fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
///         Box::pin(async move {
///             match host {
///                 "a.internal" => Ok(vec![[127, 0, 1, 1].into()]),
///                 "b.internal" => Ok(vec![[127, 0, 1, 2].into()]),
///                 _ => Err(io::Error::new(io::ErrorKind::NotFound, "no tunnel to this host")),
///             }
///         })
///     }
/// }
///
/// let config = Config::builder()
///     .url("postgres://app@a.internal,b.internal/shop")
///     .resolver(Tunnels)
///     .build()?;
/// # drop(config);
/// # Ok::<(), aurora_core::Error>(())
/// ```
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of `host`, in the order in which they are to be tried.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from answering; no address at all counts as an error, too. The text is
    /// shown to users beside the name of the host.
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a>;
}

/// What the operating system says: `/etc/hosts`, then DNS, or however it is set up.
///
/// `getaddrinfo` has no deadline and cannot be interrupted: it takes a thread until it returns.
pub(super) async fn system(host: &str) -> io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((host, 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}
