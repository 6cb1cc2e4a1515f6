//! Addresses: what is read, printed, compared.

use super::super::Address;

#[test]
fn what_is_printed_is_read_again() {
    for (text, host, port) in [
        ("db:1", "db", 1),
        ("DB.example.com.:65535", "db.example.com.", 65535),
        ("10.0.0.1:5432", "10.0.0.1", 5432),
        ("[::1]:5432", "::1", 5432),
        ("[2001:DB8:0::1]:5432", "2001:db8::1", 5432),
    ] {
        let address: Address = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((address.host(), address.port()), (host, port));
        assert_eq!(address.to_string().parse::<Address>().ok(), Some(address));
    }
}

#[test]
fn two_spellings_are_one_address() {
    assert_eq!(Address::new("DB", 1), Address::new("db", 1));
    assert_eq!(Address::new("[0:0::1]", 1), Address::new("::1", 1));
    assert_ne!(Address::new("db", 1), Address::new("db", 2));
    assert!(Address::new("a", 2) < Address::new("b", 1));
}

#[test]
fn wrong_addresses_say_why() {
    for (text, part) in [
        ("db", "port is missing"),
        ("", "empty"),
        (":5432", "empty"),
        ("db:", "65535"),
        ("db:0", "65535"),
        ("db:65536", "65535"),
        ("db:+1", "65535"),
        ("::1", "brackets"),
        ("[::1]", "port is missing"),
        ("[::1", "open"),
        ("[::1]1", "closing bracket"),
        ("[db]:1", "not an IPv6"),
        ("d b:1", "other characters"),
        ("/run:1", "Unix"),
        ("a..b:1", "empty part"),
        (".:1", "empty part"),
    ] {
        let error = text.parse::<Address>().expect_err(text);
        assert!(error.message().contains(part), "{text}: {error}");
    }
    let long = format!("{}:1", "a".repeat(255));
    assert!(long.parse::<Address>().is_err());
}
