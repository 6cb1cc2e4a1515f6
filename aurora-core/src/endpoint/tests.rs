//! The tables under `tests/data`, row by row.

use super::*;

const ENDPOINTS: &str = include_str!("../../tests/data/endpoints.txt");
const GREEN: &str = include_str!("../../tests/data/green_names.txt");
const PATTERNS: &str = include_str!("../../tests/data/host_patterns.txt");

/// The rows of a table, split at `|`; lines that start with `#` are comments.
fn rows(table: &str, columns: usize) -> Vec<Vec<&str>> {
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    for row in &rows {
        assert_eq!(row.len(), columns, "columns of {row:?}");
    }
    rows
}

fn kind(word: &str) -> EndpointKind {
    match word {
        "custom" => EndpointKind::CustomCluster,
        "global" => EndpointKind::Global,
        "instance" => EndpointKind::Instance,
        "ip" => EndpointKind::Ip,
        "limitless" => EndpointKind::Limitless,
        "other" => EndpointKind::Other,
        "proxy" => EndpointKind::Proxy,
        "proxy-endpoint" => EndpointKind::ProxyEndpoint,
        "reader" => EndpointKind::ReaderCluster,
        "writer" => EndpointKind::WriterCluster,
        _ => panic!("unknown kind {word}"),
    }
}

/// Whether names of a kind belong to RDS and are clusters, as `y` and `n`, in letters.
fn flags(kind: EndpointKind) -> &'static str {
    match kind {
        EndpointKind::Ip | EndpointKind::Other => "nn",
        EndpointKind::Instance
        | EndpointKind::Limitless
        | EndpointKind::Proxy
        | EndpointKind::ProxyEndpoint => "yn",
        EndpointKind::CustomCluster
        | EndpointKind::Global
        | EndpointKind::ReaderCluster
        | EndpointKind::WriterCluster => "yy",
    }
}

fn check(host: &str, row: &[&str], endpoint: &Endpoint) {
    let letter = |flag: bool| if flag { "y" } else { "n" };
    assert_eq!(endpoint.kind(), kind(row[1]), "kind of {host}");
    assert_eq!(endpoint.region().unwrap_or("-"), row[2], "region of {host}");
    let template = endpoint.instance_template().to_string();
    assert!(template.eq_ignore_ascii_case(row[3]), "template of {host}: {template}");
    let cluster = endpoint.cluster_id().unwrap_or("-");
    assert!(cluster.eq_ignore_ascii_case(row[4]), "cluster of {host}: {cluster}");
    let found = format!("{}{}", letter(endpoint.is_rds()), letter(endpoint.is_cluster()));
    assert_eq!(found, flags(endpoint.kind()), "flags of {host}");
}

#[test]
fn every_row_of_the_table_is_classified() {
    let rows = rows(ENDPOINTS, 5);
    assert!(rows.len() >= 50, "the table is complete: {}", rows.len());
    for row in rows {
        check(row[0], &row, &Endpoint::parse(row[0]));
    }
}

#[test]
fn case_and_one_trailing_dot_do_not_matter() {
    for row in rows(ENDPOINTS, 5) {
        let upper = row[0].to_ascii_uppercase();
        check(&upper, &row, &Endpoint::parse(upper.as_str()));
        if row[1] != "ip" {
            let dotted = format!("{}.", row[0]);
            check(&dotted, &row, &Endpoint::parse(dotted.as_str()));
        }
    }
}

#[test]
fn two_trailing_dots_are_no_rds_name() {
    let host = "a.c1.us-east-2.rds.amazonaws.com..";
    assert_eq!(Endpoint::parse(host).kind(), EndpointKind::Other);
}

#[test]
fn names_of_the_fips_service_are_alike() {
    for row in rows(ENDPOINTS, 5).into_iter().filter(|row| row[1] != "other") {
        let fips = |name: &str| match name.rsplit_once(".rds.") {
            Some((before, after)) => format!("{before}.rds-fips.{after}"),
            None => name.to_owned(),
        };
        let host = fips(row[0]);
        let template = fips(row[3]);
        let expected = [host.as_str(), row[1], row[2], &template, row[4]];
        check(&host, &expected, &Endpoint::parse(host.as_str()));
    }
}

#[test]
fn a_suffix_hides_the_kind_unless_the_hook_takes_it_off() {
    for row in rows(ENDPOINTS, 5) {
        let proxied = format!("{}.proxied", row[0]);
        let plain = Endpoint::parse(proxied.as_str());
        assert_eq!(plain.kind(), EndpointKind::Other, "{proxied}");
        assert!(plain.instance_template().is_bare(), "{proxied}");
        let endpoint =
            Endpoint::parse_with(&proxied, |host| host.strip_suffix(".proxied").unwrap_or(host));
        check(row[0], &row, &endpoint);
        assert_eq!(endpoint.host(), row[0]);
    }
}

#[test]
fn writer_and_reader_endpoints_name_each_other() {
    let writer = "db.cluster-XYZ.rds.cn-northwest-1.amazonaws.com.cn";
    let reader = "db.cluster-ro-XYZ.rds.cn-northwest-1.amazonaws.com.cn";
    for host in [writer, reader] {
        let endpoint = Endpoint::parse(host);
        assert_eq!(endpoint.writer_endpoint().as_deref(), Some(writer));
        assert_eq!(endpoint.reader_endpoint().as_deref(), Some(reader));
    }
    for row in rows(ENDPOINTS, 5) {
        let endpoint = Endpoint::parse(row[0]);
        let named = row[1] == "writer" || row[1] == "reader";
        assert_eq!(endpoint.writer_endpoint().is_some(), named, "{}", row[0]);
        assert_eq!(endpoint.reader_endpoint().is_some(), named, "{}", row[0]);
    }
}

#[test]
fn green_names_are_recognised_and_undone() {
    for row in rows(GREEN, 4) {
        let name = if row[0] == "-" { "" } else { row[0] };
        let without = if row[3] == "-" { "" } else { row[3] };
        for name in [name.to_owned(), name.to_ascii_uppercase()] {
            let endpoint = Endpoint::parse(name.as_str());
            assert_eq!(endpoint.is_green(), row[1] == "y", "green: {name}");
            assert_eq!(endpoint.is_old(), row[2] == "y", "old: {name}");
            let found = endpoint.without_green_prefix();
            assert!(found.eq_ignore_ascii_case(without), "without green: {name}: {found}");
        }
    }
}

#[test]
fn names_that_are_no_ascii_are_other() {
    for host in [
        "dätenbank-green-abcdef.example",
        "ü-green-äöü.x",
        "数据.cluster-数据.us-east-2.rds.amazonaws.com",
    ] {
        let endpoint = Endpoint::parse(host);
        assert_eq!(endpoint.kind(), EndpointKind::Other, "{host}");
        assert_eq!(endpoint.is_green(), host.starts_with('d'), "{host}");
    }
}

#[test]
fn host_patterns_are_checked_and_filled_in() {
    for row in rows(PATTERNS, 3) {
        match HostPattern::parse(row[0]) {
            Ok(pattern) => {
                assert_eq!(row[1], "ok", "{}", row[0]);
                assert_eq!(pattern.to_string(), row[0]);
                assert_eq!(pattern.is_bare(), matches!(row[0], "?" | "?:9999"), "{}", row[0]);
                assert_eq!(pattern.address("instance-1", 5432).to_string(), row[2]);
            }
            Err(error) => {
                assert_eq!(error.kind(), crate::error::ErrorKind::Configuration);
                assert_eq!(row[1], "wrong", "{}: {error}", row[0]);
                assert!(error.message().contains(row[2]), "{}: {error}", row[0]);
            }
        }
    }
}
