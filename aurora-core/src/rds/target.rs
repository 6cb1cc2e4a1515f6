//! Of which cluster the API is asked; pure.

use crate::config::Config;
use crate::endpoint::{Endpoint, EndpointKind};

/// What the configuration tells of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The cluster's identifier; a custom endpoint tells it too, once the API was asked.
    pub(super) cluster: Option<String>,
    /// The identifiers of the custom endpoints in the URL.
    pub(super) custom: Vec<String>,
    pub(super) region: Option<String>,
}

impl Target {
    /// `None` where nothing tells which cluster it is.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let endpoints: Vec<Endpoint> =
            config.addresses().iter().map(|address| Endpoint::parse(address.host())).collect();
        let named = |kinds: &[EndpointKind]| {
            let of_kind = endpoints.iter().filter(|endpoint| kinds.contains(&endpoint.kind()));
            of_kind.filter_map(Endpoint::cluster_id).map(str::to_owned).collect::<Vec<_>>()
        };
        let by_host = named(&[EndpointKind::WriterCluster, EndpointKind::ReaderCluster]);
        let cluster = config.cluster_id().cloned().or_else(|| by_host.into_iter().next());
        let custom = named(&[EndpointKind::CustomCluster]);
        let region = config
            .region()
            .cloned()
            .or_else(|| endpoints.iter().find_map(|endpoint| endpoint.region().map(str::to_owned)));
        let is_known = cluster.is_some() || !custom.is_empty();
        is_known.then_some(Self { cluster, custom, region })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Option<Target> {
        Target::of(&Config::from_url(url).unwrap())
    }

    fn told(cluster: Option<&str>, custom: &[&str], region: Option<&str>) -> Option<Target> {
        let owned = |text: &str| text.to_owned();
        Some(Target {
            cluster: cluster.map(owned),
            custom: custom.iter().map(|name| owned(name)).collect(),
            region: region.map(owned),
        })
    }

    #[test]
    fn host_names_tell_the_cluster_its_custom_endpoint_and_the_region() {
        let rds = "c1.eu-west-1.rds.amazonaws.com";
        let of = |hosts: String| target(&format!("postgres://app@{hosts}/shop"));
        let region = Some("eu-west-1");
        assert_eq!(of(format!("shop.cluster-{rds}")), told(Some("shop"), &[], region));
        assert_eq!(of(format!("shop.cluster-ro-{rds}")), told(Some("shop"), &[], region));
        let custom = told(None, &["reports"], region);
        assert_eq!(of(format!("reports.cluster-custom-{rds}")), custom);
        let both = format!("reports.cluster-custom-{rds},shop.cluster-{rds}");
        assert_eq!(of(both), told(Some("shop"), &["reports"], region));
        assert_eq!(of(format!("one.{rds}")), None, "an instance does not tell its cluster");
        assert_eq!(of("db.example.com".to_owned()), None);
    }

    #[test]
    fn the_options_come_first() {
        let url = "postgres://app@a.cluster-c1.eu-west-1.rds.amazonaws.com/shop\
                   ?aurora.cluster_id=b&aurora.region=us-east-2";
        assert_eq!(target(url), told(Some("b"), &[], Some("us-east-2")));
        let alone = "postgres://app@/shop?aurora.cluster_id=shop";
        assert_eq!(target(alone), told(Some("shop"), &[], None));
    }
}
