//! A host and a port.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};

/// The host and the port of a server.
///
/// The host is kept in lower case and an IPv6 address in its shortest form without brackets, so
/// that two spellings of one address are equal.
///
/// # Examples
///
/// ```
/// use aurora_core::Address;
///
/// let address = Address::new("DB.example.com", 5432);
/// assert_eq!(address.to_string(), "db.example.com:5432");
/// assert_eq!("[0::1]:5433".parse::<Address>()?, Address::new("::1", 5433));
/// # Ok::<(), aurora_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Every snapshot of the cluster has it.
    host: Arc<str>,
    port: u16,
}

impl Address {
    /// Makes an address of a host name or an IP address, which is not looked at, and a port.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        let mut host = host.into();
        if let Some(bare) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            host = bare.to_owned();
        }
        match host.parse::<Ipv6Addr>() {
            Ok(ip) => host = ip.to_string(),
            Err(_) => host.make_ascii_lowercase(),
        }
        Self { host: host.into(), port }
    }

    /// The host name or IP address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
    ///
    /// The problem never quotes the text: in a malformed URL it may be a password.
    pub(crate) fn read(text: &str, default_port: Option<u16>) -> Result<Self, String> {
        let (host, port) = split(text)?;
        let port = match (port, default_port) {
            (Some(port), _) => parse_port(port)?,
            (None, Some(port)) => port,
            (None, None) => return Err("the port is missing; write `host:port`".to_owned()),
        };
        Ok(Self::new(host, port))
    }
}

/// Splits an address into its checked host and its port as text.
fn split(text: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(rest) = text.strip_prefix('[') {
        let (ip, port) = rest
            .split_once(']')
            .ok_or("the bracket of the IPv6 address is open; close it with `]`")?;
        if ip.parse::<Ipv6Addr>().is_err() {
            return Err(
                "the text in brackets is not an IPv6 address; write one, without a zone".to_owned()
            );
        }
        return match port.strip_prefix(':') {
            Some(port) => Ok((ip, Some(port))),
            None if port.is_empty() => Ok((ip, None)),
            None => Err("write `:` and the port after the closing bracket".to_owned()),
        };
    }
    let (host, port) = match text.split_once(':') {
        Some((_, port)) if port.contains(':') => {
            return Err("there is more than one `:`; put an IPv6 address in brackets".to_owned());
        }
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    match host_problem(host) {
        Some(problem) => Err(problem.to_owned()),
        None => Ok((host, port)),
    }
}

/// What is wrong with a host name or an IPv4 address, if anything.
pub(crate) fn host_problem(host: &str) -> Option<&'static str> {
    // RFC 1035 allows 255 octets on the wire: 253 characters, and the dot of the root.
    const LONGEST: usize = 254;
    if host.is_empty() {
        return Some("the host name is empty; write one, or remove the comma");
    }
    let is_escaped = host.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case("%2f"));
    if host.starts_with('/') || is_escaped {
        return Some("Unix sockets are not supported; write a host name or an IP address");
    }
    if host.len() > LONGEST {
        return Some("the host name is longer than 253 characters; no server has such a name");
    }
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Some(
            "the host name has other characters than letters, digits, `.`, `-` and `_`; remove them",
        );
    }
    let labels = host.strip_suffix('.').unwrap_or(host);
    if labels.split('.').any(str::is_empty) {
        return Some("the host name has an empty part between its dots; remove a dot");
    }
    None
}

/// Reads a port without quoting what was given.
pub(crate) fn parse_port(text: &str) -> Result<u16, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<u16>()
        .ok()
        .filter(|port| digits && *port != 0)
        .ok_or_else(|| "the port is wrong; write a number from 1 to 65535".to_owned())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Address {
    type Err = Error;

    /// Reads `host:port` or `[v6]:port`; the port is required.
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::read(text, None).map_err(|problem| {
            Error::new(ErrorKind::Configuration, format!("the address is wrong: {problem}"))
        })
    }
}
