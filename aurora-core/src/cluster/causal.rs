//! Causal tokens: made from what the monitors measured, and what they mean here.

use std::time::Instant;

use super::Cluster;
use crate::config::{Config, Family};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::token::{CausalToken, Judgement, judge};
use crate::topology::{Reign, Topology};

/// The writer's incarnation, or its reign, and a position in its log.
type Point = (Option<u64>, Option<Reign>, u64);

/// Carrying a session to another process.
impl Cluster {
    /// A token of everything acknowledged before `since`, or of what is known now: waits for a sample of the writer's log
    /// that was asked for afterwards, until `deadline`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoWriter`] when the writer was not heard of in time, [`ErrorKind::Configuration`]
    /// when the cluster has no identity that another process could check, or its servers tell no
    /// position; [`ErrorKind::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Safe: waiting changes nothing.
    pub async fn token(
        &self,
        since: Option<Instant>,
        deadline: Instant,
    ) -> Result<CausalToken, Error> {
        let identity = self.token_identity()?;
        self.ask_for(since);
        let sample = self.wait(self.changed(), deadline, |topology| sampled(topology, since)).await;
        self.make_token(identity, sample)
    }

    /// Like [`Cluster::token`], on the calling thread.
    ///
    /// # Errors
    ///
    /// See [`Cluster::token`].
    pub fn token_blocking(
        &self,
        since: Option<Instant>,
        deadline: Instant,
    ) -> Result<CausalToken, Error> {
        let identity = self.token_identity()?;
        self.ask_for(since);
        let sample =
            self.wait_blocking(self.changed(), deadline, |topology| sampled(topology, since));
        self.make_token(identity, sample)
    }

    /// The moment that reads have to require here so that they see what `token` stands for. Waits,
    /// until `deadline`, only while this process knows no writer, or not yet of the failover after
    /// which the token was made.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongCluster`] when the token is another cluster's; [`ErrorKind::HistoryLost`]
    /// when there was a failover since, and what it stands for is not known to have survived;
    /// [`ErrorKind::NoWriter`] when the writer was not heard of in time; [`ErrorKind::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Safe: waiting changes nothing.
    pub async fn redeem(&self, token: &CausalToken, deadline: Instant) -> Result<Instant, Error> {
        self.check_token(token)?;
        let now = Instant::now();
        if judge(token, &self.snapshot(), now).is_none() {
            self.want(now);
        }
        let judged =
            self.wait(self.changed(), deadline, |topology| judge(token, topology, now)).await;
        self.pass(token, judged)
    }

    /// Like [`Cluster::redeem`], on the calling thread.
    ///
    /// # Errors
    ///
    /// See [`Cluster::redeem`].
    pub fn redeem_blocking(
        &self,
        token: &CausalToken,
        deadline: Instant,
    ) -> Result<Instant, Error> {
        self.check_token(token)?;
        let now = Instant::now();
        if judge(token, &self.snapshot(), now).is_none() {
            self.want(now);
        }
        let judged =
            self.wait_blocking(self.changed(), deadline, |topology| judge(token, topology, now));
        self.pass(token, judged)
    }

    fn ask_for(&self, since: Option<Instant>) {
        if sampled(&self.snapshot(), since).is_none() {
            self.want(since.unwrap_or_else(Instant::now));
        }
    }

    fn make_token(&self, identity: String, point: Option<Point>) -> Result<CausalToken, Error> {
        let Some((incarnation, reign, position)) = point else {
            if self.is_closed() {
                return Err(Error::new(ErrorKind::Closed, "the cluster handle was closed"));
            }
            if self.snapshot().writer().is_some() && self.snapshot().sampled.is_none() {
                return Err(no_positions());
            }
            let text = "the writer did not tell its position before the deadline";
            return Err(Error::new(ErrorKind::NoWriter, text));
        };
        if self.config().family() == Family::MySql && reign.is_none() {
            // A position alone says nothing of the history it is in: what a failover lost would
            // pass for what was written after it.
            return Err(no_positions());
        }
        Ok(CausalToken::new(identity, incarnation, position).in_reign(reign))
    }

    fn pass(&self, token: &CausalToken, judged: Option<Judgement>) -> Result<Instant, Error> {
        match judged {
            Some(Judgement::Holds { required }) => Ok(required),
            Some(Judgement::MayBeLost) => Err(Error::new(
                ErrorKind::HistoryLost,
                format!(
                    "there was a failover after the token was made ({}), and what it stands for \
                     may be lost: read from the writer to see what is there",
                    made_by(token)
                ),
            )),
            None if self.is_closed() => {
                Err(Error::new(ErrorKind::Closed, "the cluster handle was closed"))
            }
            None => Err(Error::new(
                ErrorKind::NoWriter,
                format!(
                    "the writer that the token is of ({}) was not heard of before the deadline",
                    made_by(token)
                ),
            )),
        }
    }

    fn check_token(&self, token: &CausalToken) -> Result<(), Error> {
        let ours = self.token_identity()?;
        if token.cluster() == ours {
            return Ok(());
        }
        let text =
            format!("the token belongs to another cluster ({}, not {ours})", token.cluster());
        Err(Error::new(ErrorKind::WrongCluster, text))
    }

    /// What other processes know the cluster by: what its servers say, or on Aurora the name and
    /// domain of its cluster endpoint, which no other cluster of the world has. In MySQL the UUID of
    /// the writer, which is in the token anyway, tells as much.
    fn token_identity(&self) -> Result<String, Error> {
        let dialect = self.0.dialect.get().copied();
        if dialect == Some("aurora-mysql") {
            return Err(no_positions());
        }
        if let Some(told) = self.snapshot().cluster() {
            return Ok(told.to_owned());
        }
        if dialect == Some("mysql") {
            return Ok(String::new());
        }
        endpoint_identity(self.config()).ok_or_else(|| {
            let text = if self.config().family() == Family::MySql {
                "the cluster has no identity that another process could check: give all its \
                 instances a gtid_domain_id of their own, other than 0"
            } else {
                "the cluster has no identity that another process could check: name its \
                 cluster endpoint in the URL, or grant EXECUTE on pg_control_system()"
            };
            Error::new(ErrorKind::Configuration, text)
        })
    }
}

fn no_positions() -> Error {
    let text = "the servers tell no log positions, so there are no causal tokens";
    Error::new(ErrorKind::Configuration, text)
}

/// Whose position it is.
fn made_by(token: &CausalToken) -> String {
    match token.origin() {
        Some(origin) => format!("server {origin}"),
        None => format!("timeline {}", token.timeline().unwrap_or_default()),
    }
}

/// `shop@c1a2b3.eu-west-1.rds.amazonaws.com`, from the writer or reader endpoint of the cluster.
fn endpoint_identity(config: &Config) -> Option<String> {
    let mut endpoints = config.addresses().iter().map(|address| Endpoint::parse(address.host()));
    endpoints.find_map(|endpoint| {
        let writer = endpoint.writer_endpoint()?;
        let (name, domain) = writer.split_once(".cluster-")?;
        Some(format!("{name}@{domain}").to_ascii_lowercase())
    })
}

/// A position that includes everything acknowledged before `since`, and its incarnation.
fn sampled(topology: &Topology, since: Option<Instant>) -> Option<Point> {
    let sampled = topology.sampled.as_ref()?;
    Some((sampled.incarnation, sampled.reign.clone(), sampled.position_since(since)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_endpoints_of_a_cluster_tell_the_same_and_those_of_another_do_not() {
        let identity = |host: &str| {
            let url = format!("postgres://app@{host}/shop");
            endpoint_identity(&Config::from_url(&url).unwrap())
        };
        let domain = "c1a2b3.eu-west-1.rds.amazonaws.com";
        let shop = Some(format!("shop@{domain}"));
        assert_eq!(identity(&format!("shop.cluster-{domain}")), shop);
        assert_eq!(identity(&format!("SHOP.cluster-ro-{domain}")), shop);
        assert_ne!(identity(&format!("till.cluster-{domain}")), shop);
        assert_eq!(identity(&format!("shop-1.{domain}")), None);
        assert_eq!(identity("db1,db2"), None);
    }
}
