//! Host names: what they tell, patterns of them, and addresses.

use crate::config::Address;
use crate::endpoint::{Endpoint, EndpointKind, HostPattern};

pub(super) fn run(data: &[u8]) {
    let host = String::from_utf8_lossy(data);
    let endpoint = Endpoint::parse(&*host);
    assert_eq!(endpoint.host(), host);
    let is_named = !matches!(endpoint.kind(), EndpointKind::Ip | EndpointKind::Other);
    assert_eq!(endpoint.is_rds(), is_named, "{endpoint:?}");
    spelled_otherwise(&endpoint);
    siblings(&endpoint);
    template(&endpoint);
    green(&endpoint);
    pattern(&host);
    address(&host);
}

/// Neither case nor the dot of the root makes another endpoint.
fn spelled_otherwise(endpoint: &Endpoint) {
    let facts = |of: &Endpoint| (of.kind(), of.region().map(str::to_owned));
    let shouted = Endpoint::parse(endpoint.host().to_ascii_uppercase());
    assert_eq!(facts(&shouted), facts(endpoint), "{endpoint:?}");
    if endpoint.is_rds() && !endpoint.host().ends_with('.') {
        let rooted = Endpoint::parse(format!("{}.", endpoint.host()));
        assert_eq!(facts(&rooted), facts(endpoint), "{endpoint:?}");
    }
}

/// The endpoints of a cluster name each other.
fn siblings(endpoint: &Endpoint) {
    let is_of_cluster =
        matches!(endpoint.kind(), EndpointKind::WriterCluster | EndpointKind::ReaderCluster);
    let kinds = [EndpointKind::WriterCluster, EndpointKind::ReaderCluster];
    let siblings = [endpoint.writer_endpoint(), endpoint.reader_endpoint()];
    for (kind, sibling) in kinds.into_iter().zip(siblings) {
        assert_eq!(sibling.is_some(), is_of_cluster, "{endpoint:?}");
        let Some(sibling) = sibling.map(Endpoint::parse) else { continue };
        assert_eq!(sibling.kind(), kind, "{endpoint:?}");
        assert_eq!(sibling.cluster_id(), endpoint.cluster_id());
        assert_eq!(sibling.writer_endpoint(), endpoint.writer_endpoint());
        assert_eq!(sibling.reader_endpoint(), endpoint.reader_endpoint());
    }
}

/// What the pattern of an endpoint makes of a name is an instance of the same region.
fn template(endpoint: &Endpoint) {
    let template = endpoint.instance_template();
    let instance = template.address("instance-1", 5432);
    if template.is_bare() {
        assert_eq!(instance.host(), "instance-1");
        return;
    }
    let instance = Endpoint::parse(instance.host());
    assert_eq!(instance.kind(), EndpointKind::Instance, "{endpoint:?}");
    assert_eq!(instance.region(), endpoint.region(), "{endpoint:?}");
}

fn green(endpoint: &Endpoint) {
    let (host, without) = (endpoint.host(), endpoint.without_green_prefix());
    if endpoint.is_green() {
        assert!(without.len() < host.len(), "{endpoint:?}");
    } else if host.contains('.') {
        assert_eq!(without, host);
    }
    let lower = host.to_ascii_lowercase();
    assert!(!endpoint.is_green() || lower.contains("-green-"), "{endpoint:?}");
    assert!(!endpoint.is_old() || lower.contains("-old1"), "{endpoint:?}");
}

/// What can be read is written so that it is read as the same again.
fn pattern(text: &str) {
    let Ok(pattern) = HostPattern::parse(text) else { return };
    let again = HostPattern::parse(pattern.to_string());
    assert_eq!(again.as_ref().ok(), Some(&pattern), "{pattern}");
    let address = pattern.address("instance-1", 5432);
    assert_eq!(address.port(), pattern.port().unwrap_or(5432));
    assert!(address.host().contains("instance-1"), "{address}");
}

fn address(text: &str) {
    let Ok(address) = text.parse::<Address>() else { return };
    assert_eq!(address.to_string().parse::<Address>().ok().as_ref(), Some(&address));
    assert_ne!(address.port(), 0);
    assert!(!address.host().is_empty());
}
