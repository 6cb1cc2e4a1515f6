//! URLs: what they configure, what is wrong with them, and that no password is ever shown.

use super::bytes::Bytes;
use crate::config::Config;

/// Stands for a password. Nothing that an input contains by chance.
const PASSWORD: &str = "Hunter2-of-the-fuzzer";

pub(super) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let form = bytes.pick(&[0_u8, 1, 2, 3, 4]);
    let text = bytes.rest();
    // A fuzzer learns words that are compared with, so it might come up with this one.
    if text.contains(PASSWORD) {
        return;
    }
    let url = match form {
        0 => text,
        1 => format!("postgres://app:{PASSWORD}@{text}"),
        2 => format!("postgres://{text}:{PASSWORD}@db.example.com/shop"),
        3 => format!("postgres://app:{PASSWORD}@db.example.com/{text}"),
        _ => format!("postgres://app:{PASSWORD}@db.example.com/shop?{text}"),
    };
    let told = match Config::from_url(&url) {
        Ok(config) => {
            check(&config);
            format!("{config:?} {}", config.redacted_url())
        }
        Err(error) => {
            let told = format!("{error} {error:?}");
            assert!(told.len() > 10, "an error without words");
            told
        }
    };
    assert!(!told.contains(PASSWORD), "{told}");
}

fn check(config: &Config) {
    assert!(!config.addresses().is_empty() || config.cluster_id().is_some());
    assert!(!config.user().is_empty());
    assert!(config.probe_timeout() <= config.detection_time());
    let shown = config.redacted_url();
    if config.password().is_some() || shown.contains("options=") {
        return;
    }
    // Nothing is hidden in it, so it makes the same configuration again.
    let again = Config::from_url(&shown).unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert_eq!(again.redacted_url(), shown);
    assert_eq!(format!("{again:?}"), format!("{config:?}"));
}
