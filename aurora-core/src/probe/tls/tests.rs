//! The built-in roots: all readable, and none near its end.

use std::time::{Duration, SystemTime};

use super::*;

/// The content of the DER element at the start of `bytes`, and what follows it.
fn element(bytes: &[u8]) -> (u8, &[u8], &[u8]) {
    let (tag, first) = (bytes[0], usize::from(bytes[1]));
    let (length, header) = match first {
        short if short < 0x80 => (short, 2),
        long => {
            let digits = long & 0x7f;
            let length =
                bytes[2..2 + digits].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (length, 2 + digits)
        }
    };
    (tag, &bytes[header..header + length], &bytes[header + length..])
}

/// The year and the month in which a certificate ends. RFC 5280, 4.1: version, serial number,
/// signature and issuer stand before the validity.
fn end(certificate: &[u8]) -> (u32, u32) {
    let (_, certificate, _) = element(certificate);
    let (_, mut rest, _) = element(certificate);
    for _ in 0..4 {
        rest = element(rest).2;
    }
    let (_, validity, _) = element(rest);
    let (tag, end, _) = element(element(validity).2);
    let text = std::str::from_utf8(end).unwrap();
    // UTCTime has two digits of the year.
    let (year, rest) = match tag {
        0x17 => (2000 + text[..2].parse::<u32>().unwrap(), &text[2..]),
        _ => (text[..4].parse().unwrap(), &text[4..]),
    };
    (year, rest[..2].parse().unwrap())
}

#[test]
fn the_roots_of_rds_are_readable_and_have_a_year_left() {
    let next_year = SystemTime::now() + Duration::from_secs(365 * 24 * 3600);
    let days = next_year.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let year = 1970 + u32::try_from(days * 400 / 146_097).unwrap();
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(RDS_ROOTS.as_bytes()) {
        let certificate = certificate.unwrap();
        let end = end(&certificate);
        assert!(end.0 > year, "one ends in {end:?}: take a newer bundle");
        store.add(certificate).unwrap();
    }
    // Three authorities (RSA 2048, RSA 4096, ECC 384) for each of 34 regions.
    assert_eq!(store.len(), 34 * 3);
    assert_eq!(load(&RootCertificates::Rds, Checks::Authority).unwrap().len(), store.len());
    for region in ["us-east-1", "eu-west-1", "ap-northeast-1", "sa-east-1", "af-south-1"] {
        for kind in ["RSA2048", "RSA4096", "ECC384"] {
            let name = format!("# Amazon RDS {region} Root CA {kind} G1\n");
            assert!(RDS_ROOTS.contains(&name), "{name}");
        }
    }
}
