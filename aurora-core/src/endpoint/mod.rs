//! What the host name of a database server tells about it, without asking the server.
//!
//! Amazon RDS encodes the kind of an endpoint, its region and the account's domain in the name.
//! Everything here is pure: no name is resolved.

mod green;
mod kind;
mod pattern;
mod rds;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

pub use kind::EndpointKind;
pub use pattern::HostPattern;

use rds::RdsName;

/// What a host name says about the server behind it.
///
/// Names are compared without regard to case, and one trailing dot is allowed.
///
/// # Examples
///
/// ```
/// use aurora_core::{Endpoint, EndpointKind};
///
/// let endpoint = Endpoint::parse("shop.cluster-ro-c1a2b3.eu-west-1.rds.amazonaws.com");
/// assert_eq!(endpoint.kind(), EndpointKind::ReaderCluster);
/// assert_eq!(endpoint.cluster_id(), Some("shop"));
/// assert_eq!(endpoint.region(), Some("eu-west-1"));
/// assert_eq!(
///     endpoint.instance_template().to_string(),
///     "?.c1a2b3.eu-west-1.rds.amazonaws.com"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    kind: EndpointKind,
    region: Option<String>,
    cluster_id: Option<String>,
    domain: Option<String>,
}

impl Endpoint {
    /// Classifies `host`, a name or an IP address without a port.
    #[must_use]
    pub fn parse(host: impl Into<String>) -> Self {
        let host = host.into();
        let other = |kind, region| Self {
            host: host.clone(),
            kind,
            region,
            cluster_id: None,
            domain: None,
        };
        if is_ip(&host) {
            return other(EndpointKind::Ip, None);
        }
        match RdsName::parse(&host) {
            Some(name) => Self {
                kind: name.kind,
                region: name.region,
                cluster_id: name.kind.is_named_after_its_group().then_some(name.own_name),
                domain: name.domain,
                host,
            },
            None => other(EndpointKind::Other, rds::load_balancer_region(&host)),
        }
    }

    /// Classifies what `prepare` makes of `host`.
    ///
    /// For networks that give RDS names a suffix of their own, such as a relay in front of every
    /// instance: the hook takes the suffix off before the name is looked at.
    ///
    /// # Examples
    ///
    /// ```
    /// use aurora_core::{Endpoint, EndpointKind};
    ///
    /// let relayed = "a.c1a2b3.eu-west-1.rds.amazonaws.com.proxied";
    /// assert_eq!(Endpoint::parse(relayed).kind(), EndpointKind::Other);
    ///
    /// let endpoint = Endpoint::parse_with(relayed, |host| {
    ///     host.strip_suffix(".proxied").unwrap_or(host)
    /// });
    /// assert_eq!(endpoint.kind(), EndpointKind::Instance);
    /// ```
    #[must_use]
    pub fn parse_with(host: &str, prepare: impl FnOnce(&str) -> &str) -> Self {
        Self::parse(prepare(host))
    }

    /// The name that was classified, as it was given.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What kind of endpoint it is.
    #[must_use]
    pub fn kind(&self) -> EndpointKind {
        self.kind
    }

    /// Whether the name belongs to Amazon RDS.
    #[must_use]
    pub fn is_rds(&self) -> bool {
        self.kind.is_rds()
    }

    /// Whether the name stands for a cluster and so may move from instance to instance.
    ///
    /// A proxy and a Limitless shard group are not clusters in this sense.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        self.kind.is_cluster()
    }

    /// The AWS region in lower case; also known for the name of a load balancer.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// The identifier of the cluster, global cluster, custom endpoint, proxy or shard group the
    /// name is made of; none for an instance and for names outside RDS.
    #[must_use]
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    /// The pattern that turns an instance's identifier into its host name.
    ///
    /// It is the bare `?` where the name does not tell: outside RDS, and for a global cluster,
    /// whose instances live in several regions.
    #[must_use]
    pub fn instance_template(&self) -> HostPattern {
        self.domain.as_ref().map_or_else(HostPattern::bare, |domain| HostPattern::below(domain))
    }

    /// The cluster's writer endpoint, for a writer or reader endpoint of a cluster.
    #[must_use]
    pub fn writer_endpoint(&self) -> Option<String> {
        self.sibling("cluster-")
    }

    /// The cluster's reader endpoint, for a writer or reader endpoint of a cluster.
    #[must_use]
    pub fn reader_endpoint(&self) -> Option<String> {
        self.sibling("cluster-ro-")
    }

    fn sibling(&self, prefix: &str) -> Option<String> {
        match self.kind {
            EndpointKind::WriterCluster | EndpointKind::ReaderCluster => {
                Some(format!("{}.{prefix}{}", self.cluster_id()?, self.domain.as_ref()?))
            }
            EndpointKind::CustomCluster
            | EndpointKind::Global
            | EndpointKind::Instance
            | EndpointKind::Ip
            | EndpointKind::Limitless
            | EndpointKind::Other
            | EndpointKind::Proxy
            | EndpointKind::ProxyEndpoint => None,
        }
    }

    /// Whether the name is on the green side of a blue/green deployment: `-green-` and six
    /// letters or digits right before a dot.
    #[must_use]
    pub fn is_green(&self) -> bool {
        green::is_green(&self.host)
    }

    /// Whether the name is on the old side of a completed blue/green switchover: `-old1` right
    /// before a dot.
    #[must_use]
    pub fn is_old(&self) -> bool {
        green::is_old(&self.host)
    }

    /// The name with its last `-green-xxxxxx` taken out; the same name where there is none.
    #[must_use]
    pub fn without_green_prefix(&self) -> String {
        green::without_green(&self.host)
    }
}

fn is_ip(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().is_ok()
}
