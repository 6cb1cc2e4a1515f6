//! A cluster that is named by its identifier alone.

use super::super::Config;
use super::problems;

#[cfg(feature = "rds-api")]
#[test]
fn an_identifier_stands_in_for_the_hosts() {
    use super::super::{Address, RootCertificates, TlsMode};

    let url = "postgres://app@/shop?aurora.cluster_id=shop";
    let config = Config::from_url(url).unwrap();
    assert!(config.addresses().is_empty());
    assert_eq!(config.sslmode(), TlsMode::VerifyFull);
    assert_eq!(config.sslrootcert(), &RootCertificates::Rds);
    assert_eq!(Config::from_url(&config.redacted_url()).unwrap().redacted_url(), url_of(&config));

    let host = "shop.cluster-c1.eu-west-1.rds.amazonaws.com";
    let found = config.with_addresses(vec![Address::new(host, 6000)]);
    assert_eq!(found.addresses()[0].to_string(), format!("{host}:6000"));
    assert_eq!(found.user(), "app");
    let pattern = found.instance_host_pattern().unwrap().to_string();
    assert_eq!(pattern, "?.c1.eu-west-1.rds.amazonaws.com");
    assert_eq!(found.sslmode(), TlsMode::VerifyFull);
}

#[cfg(feature = "rds-api")]
fn url_of(config: &Config) -> String {
    config.redacted_url()
}

#[cfg(not(feature = "rds-api"))]
#[test]
fn an_identifier_needs_the_feature() {
    let url = "postgres://app@db/shop?aurora.cluster_id=shop";
    let found = problems(Config::builder().url(url));
    assert!(found[0].contains("aurora.cluster_id needs the feature `rds-api`"), "{found:?}");
}

#[test]
fn an_empty_identifier_and_a_hurried_refresh_are_refused() {
    let url = "postgres://app@/shop?aurora.cluster_id=&aurora.rds_refresh=10ms";
    let found = problems(Config::builder().url(url));
    for words in ["no host is given", "cluster_id is empty", "rds_refresh is shorter than `1s`"] {
        assert!(found.iter().any(|problem| problem.contains(words)), "{words}: {found:?}");
    }
}
