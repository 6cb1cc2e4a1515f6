//! What the format's words for time and numbers mean.

use std::fmt::Debug;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _};

/// A duration as text: `250us`, `10ms`, `2s`, `5m` or `1h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub(super) struct Span(pub(super) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        span(&text).map(Self).ok_or_else(|| D::Error::custom(format!("no duration: {text}")))
    }
}

pub(super) fn span(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    match &text[digits..] {
        "us" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number * 60)),
        "h" => Some(Duration::from_secs(number * 3600)),
        _ => None,
    }
}

/// Whether a key is missing, `null`, or has a value.
#[expect(clippy::option_option, reason = "that is the point")]
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// One text or a list of texts.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum Names {
    Many(Vec<String>),
    One(String),
}

impl Names {
    pub(super) fn list(&self) -> Vec<&str> {
        match self {
            Self::Many(names) => names.iter().map(String::as_str).collect(),
            Self::One(name) => vec![name],
        }
    }
}

/// What is compared: equal is good, anything else is told.
pub(super) fn same<T: PartialEq + Debug>(what: &str, expected: &T, got: &T) -> Result<(), String> {
    if expected == got {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, got {got:?}"))
}

/// Bounds of a number or a duration, both inclusive.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bounds<T> {
    pub(super) least: Option<T>,
    pub(super) most: Option<T>,
}

impl<T: PartialOrd + Debug + Copy> Bounds<T> {
    pub(super) fn check(&self, what: &str, got: T) -> Result<(), String> {
        assert!(self.least.is_some() || self.most.is_some(), "{what}: bounds that bound nothing");
        let low = self.least.is_some_and(|least| got < least);
        let high = self.most.is_some_and(|most| got > most);
        if low || high {
            return Err(format!("{what}: expected {self:?}, got {got:?}"));
        }
        Ok(())
    }
}
