//! How an instance's identifier becomes a host name.

use std::fmt;
use std::str::FromStr;

use super::{Endpoint, EndpointKind};
use crate::config::{Address, host_problem, parse_port};
use crate::error::{Error, ErrorKind};

/// A host name with `?` in the place of the instance's identifier, and perhaps a port.
///
/// Needed where the servers report instance identifiers and not addresses, as Aurora does, and
/// the host names of the cluster do not show the domain, as behind a DNS alias.
///
/// # Examples
///
/// ```
/// use aurora_core::HostPattern;
///
/// let pattern: HostPattern = "?.db.example.com:6432".parse()?;
/// assert_eq!(pattern.address("instance-1", 5432).to_string(), "instance-1.db.example.com:6432");
/// # Ok::<(), aurora_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern {
    before: String,
    after: String,
    port: Option<u16>,
}

impl HostPattern {
    /// Reads a pattern such as `?.c1a2b3.eu-west-1.rds.amazonaws.com:5432`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if there is not exactly one `?`, if a character may not stand
    /// in a host name, if the port is not a number from 1 to 65535, and if the pattern has the
    /// form of an RDS Proxy or of a custom endpoint, below which no instance has a name.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, Error> {
        Self::read(text.as_ref()).map_err(|problem| {
            Error::new(ErrorKind::Configuration, format!("the host pattern is wrong: {problem}"))
        })
    }

    /// [`HostPattern::parse`] with the bare problem, for the list of problems.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(parse_port(port)?)),
            None => (text, None),
        };
        let one = "write exactly one `?` where the instance identifier goes, as in \
                   `?.db.example.com`";
        let Some((before, after)) = host.split_once('?').filter(|(_, rest)| !rest.contains('?'))
        else {
            return Err(one.to_owned());
        };
        let sample = format!("{before}instance{after}");
        if let Some(problem) = host_problem(&sample) {
            return Err(problem.to_owned());
        }
        match Endpoint::parse(sample).kind() {
            EndpointKind::Proxy | EndpointKind::ProxyEndpoint => {
                Err("an RDS Proxy hides its instances; use the domain of the instances, \
                     without `proxy-`"
                    .to_owned())
            }
            EndpointKind::CustomCluster => {
                Err("no instance has a name below a custom endpoint; use the domain of the \
                     instances, without `cluster-custom-`"
                    .to_owned())
            }
            EndpointKind::Global
            | EndpointKind::Instance
            | EndpointKind::Ip
            | EndpointKind::Limitless
            | EndpointKind::Other
            | EndpointKind::ReaderCluster
            | EndpointKind::WriterCluster => {
                Ok(Self { before: before.to_owned(), after: after.to_owned(), port })
            }
        }
    }

    /// The bare `?`: the identifier is the host name.
    pub(super) fn bare() -> Self {
        Self { before: String::new(), after: String::new(), port: None }
    }

    /// `?.` and `domain`.
    pub(super) fn below(domain: &str) -> Self {
        Self { before: String::new(), after: format!(".{domain}"), port: None }
    }

    /// Whether this is the bare `?`, which takes the identifier itself as the host name.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    /// The port of every instance, where the pattern names one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The address of `instance`; `default_port` is used where the pattern names no port.
    #[must_use]
    pub fn address(&self, instance: &str, default_port: u16) -> Address {
        let host = format!("{}{instance}{}", self.before, self.after);
        Address::new(host, self.port.unwrap_or(default_port))
    }
}

impl FromStr for HostPattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}?{}", self.before, self.after)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}
