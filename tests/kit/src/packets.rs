//! Packets that are really lost: rules of the kernel's packet filter.
//!
//! What a proxy cannot do: it reads, or leaves to the kernel, what it does not forward, so that
//! the kernel still acknowledges it, and neither keepalives nor `TCP_USER_TIMEOUT` ever fire.
//! Rules name the loopback addresses of one cluster and its port, so that concurrent tests do not
//! meet. They go when they are dropped, also by a panicking test; those of a process that was
//! killed are removed by the cluster's guard.

use std::net::Ipv4Addr;
use std::process::{Command, Output};

use crate::chaos::Direction;
use crate::{KitError, PgCluster};

/// Waits so many seconds for others who change rules at this moment.
const PATIENCE: &str = "5";

/// Packets that the kernel drops, for as long as this lives.
#[derive(Debug)]
#[must_use = "dropping it lets the packets pass again"]
pub struct PacketLoss {
    rules: Vec<Vec<String>>,
}

impl PacketLoss {
    /// Why packets cannot be dropped on this machine; `None` where they can. It needs `iptables`
    /// and the right to use it, which root has outside of most containers.
    #[must_use]
    pub fn why_not() -> Option<String> {
        iptables(&["-S", "INPUT"]).err().map(|reason| format!("no packet filter: {reason}"))
    }

    /// Between the clients of a server and its address, in this direction.
    pub(crate) fn towards(server: (Ipv4Addr, u16), direction: Direction) -> Result<Self, KitError> {
        let (address, port) = server;
        let rules = [to_server(address, port, None), to_client(address, port, None)];
        let wanted = [Direction::ToServer, Direction::ToClient]
            .map(|way| direction == Direction::Both || direction == way);
        Self::begin(rules.into_iter().zip(wanted).filter_map(|(r, wanted)| wanted.then_some(r)))
    }

    /// Of single connections to a server, both ways, by the port of the client.
    pub(crate) fn of_flows(server: (Ipv4Addr, u16), clients: &[u16]) -> Result<Self, KitError> {
        let (address, port) = server;
        Self::begin(clients.iter().flat_map(|client| {
            [to_server(address, port, Some(*client)), to_client(address, port, Some(*client))]
        }))
    }

    fn begin(rules: impl IntoIterator<Item = Vec<String>>) -> Result<Self, KitError> {
        // What was added is removed when a later one fails.
        let mut loss = Self { rules: Vec::new() };
        for rule in rules {
            change("-I", &rule).map_err(|detail| KitError::Failed {
                action: "drop packets with iptables".into(),
                detail,
            })?;
            loss.rules.push(rule);
        }
        Ok(loss)
    }
}

impl Drop for PacketLoss {
    fn drop(&mut self) {
        for rule in &self.rules {
            // Tests must not go on as if the packets passed again.
            if let Err(reason) = change("-D", rule) {
                eprintln!("test kit: {rule:?} could not be removed: {reason}");
            }
        }
    }
}

impl PgCluster {
    /// Drops every packet between the clients and one instance, in this direction: to the
    /// address that clients see, which with proxies is the proxy's, so that the kit and the
    /// replication pass. Without proxies these are cut off as well.
    ///
    /// Nobody is told: open connections fall silent, and connects get no answer, whatever the
    /// direction.
    ///
    /// # Errors
    /// When this machine has no packet filter (see [`PacketLoss::why_not`]), and when there is no
    /// such instance.
    pub fn lose_packets(&self, index: usize, direction: Direction) -> Result<PacketLoss, KitError> {
        let server = self.look(index, |slot| (slot.instance.public, slot.instance.port))?;
        PacketLoss::towards(server, direction)
    }

    /// Drops the packets of single connections to one instance, both ways, by the port of the
    /// client: as something on the way does that has forgotten them. All others pass.
    ///
    /// # Errors
    /// As [`Self::lose_packets`].
    pub fn lose_flows(&self, index: usize, clients: &[u16]) -> Result<PacketLoss, KitError> {
        let server = self.look(index, |slot| (slot.instance.public, slot.instance.port))?;
        PacketLoss::of_flows(server, clients)
    }
}

fn to_server(address: Ipv4Addr, port: u16, client: Option<u16>) -> Vec<String> {
    rule([("-d", address.to_string()), ("--dport", port.to_string())], "--sport", client)
}

fn to_client(address: Ipv4Addr, port: u16, client: Option<u16>) -> Vec<String> {
    rule([("-s", address.to_string()), ("--sport", port.to_string())], "--dport", client)
}

fn rule(end: [(&str, String); 2], other: &str, client: Option<u16>) -> Vec<String> {
    let [(side, address), server] = end;
    let client = client.map(|port| (other, port.to_string()));
    let mut words = vec![side.to_owned(), address, "-p".to_owned(), "tcp".to_owned()];
    for (name, value) in [Some(server), client].into_iter().flatten() {
        words.extend([name.to_owned(), value]);
    }
    words.extend(["-j", "DROP"].map(str::to_owned));
    words
}

fn change(verb: &str, rule: &[String]) -> Result<(), String> {
    // What arrives is dropped, not what is sent: a sender would be told.
    let words = [verb, "INPUT"].into_iter().chain(rule.iter().map(String::as_str));
    iptables(&words.collect::<Vec<_>>()).map(drop)
}

fn iptables(words: &[&str]) -> Result<Output, String> {
    let output = Command::new("iptables").args(["-w", PATIENCE]).args(words).output();
    let output = output.map_err(|error| format!("iptables: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_name_the_server_and_perhaps_one_client() {
        let server = Ipv4Addr::new(127, 20, 3, 1);
        let text = |words: Vec<String>| words.join(" ");
        assert_eq!(
            text(to_server(server, 5432, None)),
            "-d 127.20.3.1 -p tcp --dport 5432 -j DROP"
        );
        assert_eq!(
            text(to_client(server, 5432, Some(40_000))),
            "-s 127.20.3.1 -p tcp --sport 5432 --dport 40000 -j DROP"
        );
    }
}
