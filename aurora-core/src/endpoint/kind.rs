//! The kinds of endpoint and what each implies.

/// What kind of endpoint a host name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndpointKind {
    /// A custom endpoint of a cluster: a chosen set of its instances.
    CustomCluster,
    /// The writer endpoint of a global cluster.
    Global,
    /// One instance.
    Instance,
    /// An IP address.
    Ip,
    /// A shard group of Aurora Limitless.
    Limitless,
    /// A name that tells nothing.
    Other,
    /// The default endpoint of an RDS Proxy.
    Proxy,
    /// An additional endpoint of an RDS Proxy.
    ProxyEndpoint,
    /// The reader endpoint of a cluster.
    ReaderCluster,
    /// The cluster endpoint, which follows the writer.
    WriterCluster,
}

impl EndpointKind {
    /// Whether names of this kind belong to Amazon RDS.
    #[must_use]
    pub fn is_rds(self) -> bool {
        match self {
            Self::Ip | Self::Other => false,
            Self::CustomCluster
            | Self::Global
            | Self::Instance
            | Self::Limitless
            | Self::Proxy
            | Self::ProxyEndpoint
            | Self::ReaderCluster
            | Self::WriterCluster => true,
        }
    }

    /// Whether names of this kind stand for a cluster.
    #[must_use]
    pub fn is_cluster(self) -> bool {
        match self {
            Self::CustomCluster | Self::Global | Self::ReaderCluster | Self::WriterCluster => true,
            Self::Instance
            | Self::Ip
            | Self::Limitless
            | Self::Other
            | Self::Proxy
            | Self::ProxyEndpoint => false,
        }
    }

    /// Whether the first label names a group of instances and not one instance.
    pub(super) fn is_named_after_its_group(self) -> bool {
        match self {
            Self::CustomCluster
            | Self::Global
            | Self::Limitless
            | Self::Proxy
            | Self::ReaderCluster
            | Self::WriterCluster => true,
            Self::Instance | Self::Ip | Self::Other | Self::ProxyEndpoint => false,
        }
    }
}
