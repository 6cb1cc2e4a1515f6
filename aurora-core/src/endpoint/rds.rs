//! The grammar of RDS names, read from the right.
//!
//! | where | shape after the instance or cluster label |
//! |---|---|
//! | most regions | `[kind-]HASH.REGION.rds.amazonaws.com` |
//! | China, old names | `[kind-]HASH.REGION.rds.amazonaws.com.cn` |
//! | China | `[kind-]HASH.rds.REGION.amazonaws.com.cn` |
//! | GovCloud | `[kind-]HASH.rds.REGION.amazonaws.com` |
//! | isolated regions | `[kind-]HASH.rds.REGION.c2s.ic.gov`, `….sc2s.sgov.gov` |
//! | global cluster | `global-HASH.global.rds.amazonaws.com` |
//!
//! Source: the endpoint forms documented for Amazon RDS and Aurora.

use super::EndpointKind;

/// The parts of a name that follows the grammar.
pub(super) struct RdsName {
    pub(super) kind: EndpointKind,
    pub(super) region: Option<String>,
    /// Everything before the label that carries the hash.
    pub(super) own_name: String,
    /// The domain all instances of this account and region share; none for a global cluster.
    pub(super) domain: Option<String>,
}

/// Longer prefixes first: `cluster-` starts the two others.
const PREFIXES: [(&str, EndpointKind); 5] = [
    ("cluster-custom-", EndpointKind::CustomCluster),
    ("cluster-ro-", EndpointKind::ReaderCluster),
    ("cluster-", EndpointKind::WriterCluster),
    ("proxy-", EndpointKind::Proxy),
    ("shardgrp-", EndpointKind::Limitless),
];

impl RdsName {
    pub(super) fn parse(host: &str) -> Option<Self> {
        let labels = labels(host);
        let lower: Vec<String> = labels.iter().map(|label| label.to_ascii_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let (rest, region) = take_region(&lower)?;
        let (hash, name) = rest.split_last()?;
        if name.is_empty() || name.iter().any(|label| label.is_empty()) {
            return None;
        }
        let at = name.len();
        let own_name = labels[..at].join(".");
        let Some(region) = region else {
            let hash = hash.strip_prefix("global-")?;
            return is_hash(hash).then_some(Self {
                kind: EndpointKind::Global,
                region: None,
                own_name,
                domain: None,
            });
        };
        let (kind, skip) = kind_of(hash)?;
        let is_additional = name.len() > 1 && name.last() == Some(&"endpoint");
        let kind = if kind == EndpointKind::Proxy && is_additional {
            EndpointKind::ProxyEndpoint
        } else {
            kind
        };
        // The prefix is ASCII, so its length is the same in the name as it was written.
        let domain = format!("{}.{}", &labels[at][skip..], labels[at + 1..].join("."));
        Some(Self { kind, region: Some(region.to_owned()), own_name, domain: Some(domain) })
    }
}

/// The region in the name of an Elastic Load Balancer, the usual alias in front of a database.
pub(super) fn load_balancer_region(host: &str) -> Option<String> {
    let host = host.to_ascii_lowercase();
    match labels(&host).as_slice() {
        [name @ .., "elb", region, "amazonaws", top]
            if !name.is_empty() && is_top(top) && is_region(region) =>
        {
            Some((*region).to_owned())
        }
        _ => None,
    }
}

fn labels(host: &str) -> Vec<&str> {
    host.strip_suffix('.').unwrap_or(host).split('.').collect()
}

/// Splits off everything after the hash and finds the region in it; the inner `None` stands for
/// a global cluster.
fn take_region<'l, 'a>(labels: &'l [&'a str]) -> Option<(&'l [&'a str], Option<&'a str>)> {
    let (rest, region) = match labels {
        [rest @ .., "global", service, "amazonaws", top] if is_service(service) && is_top(top) => {
            return Some((rest, None));
        }
        [rest @ .., region, service, "amazonaws", top, "cn"]
        | [rest @ .., service, region, "amazonaws", top, "cn"]
        | [rest @ .., region, service, "amazonaws", top]
            if is_service(service) && is_region(region) && is_top(top) =>
        {
            (rest, *region)
        }
        [rest @ .., service, region, "amazonaws", "com"]
        | [rest @ .., service, region, "c2s", "ic", "gov"]
        | [rest @ .., service, region, "sc2s", "sgov", "gov"]
            if is_service(service) && is_region(region) =>
        {
            (rest, *region)
        }
        _ => return None,
    };
    Some((rest, Some(region)))
}

/// The kind the hash label announces, and the length of its prefix.
fn kind_of(label: &str) -> Option<(EndpointKind, usize)> {
    if is_hash(label) {
        return Some((EndpointKind::Instance, 0));
    }
    PREFIXES
        .iter()
        .find(|(prefix, _)| label.strip_prefix(prefix).is_some_and(is_hash))
        .map(|(prefix, kind)| (*kind, prefix.len()))
}

fn is_hash(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_service(label: &str) -> bool {
    matches!(label, "rds" | "rds-fips")
}

fn is_top(label: &str) -> bool {
    matches!(label, "com" | "au" | "eu" | "uk")
}

/// Regions look like `us-east-2` or `us-isob-east-1`: words of letters, then a number.
fn is_region(label: &str) -> bool {
    let mut words = label.rsplit('-');
    let number = words.next().unwrap_or_default();
    let mut count = 0;
    let named = words.all(|word| {
        count += 1;
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase())
    });
    named && count >= 2 && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}
