//! How the value of an option is written as text, in a URL and in the environment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::choices::{
    AuthMethod, DialectChoice, Freshness, PolicyKind, RootCertificates, TlsMode, UnknownFunctions,
};
use crate::endpoint::HostPattern;

/// A type an option may have; `read(&x.text())` gives `x` again.
pub(super) trait OptionValue: Sized {
    /// Reads the text; the problem quotes it and says what to write instead.
    fn read(text: &str) -> Result<Self, String>;

    /// The value as text.
    fn text(&self) -> String;

    /// The forms the text may have, as Markdown, for the documentation.
    fn forms() -> String;
}

/// Implements [`OptionValue`] for an enum of plain words.
macro_rules! words {
    ($type:ident { $($word:literal => $variant:ident),+ $(,)? }) => {
        impl OptionValue for $type {
            fn read(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(none_of(text, &[$($word),+])),
                }
            }

            fn text(&self) -> String {
                match self {
                    $(Self::$variant => $word.to_owned(),)+
                }
            }

            fn forms() -> String {
                listed(&[$($word),+])
            }
        }
    };
}

words!(TlsMode {
    "disable" => Disable,
    "prefer" => Prefer,
    "require" => Require,
    "verify-ca" => VerifyCa,
    "verify-full" => VerifyFull,
});

words!(DialectChoice {
    "auto" => Auto,
    "aurora-mysql" => AuroraMySql,
    "aurora-postgres" => AuroraPostgres,
    "mariadb" => MariaDb,
    "mysql" => MySql,
    "postgres" => Postgres,
    "single" => Single,
});

words!(AuthMethod {
    "password" => Password,
    "iam" => Iam,
    "secrets-manager" => SecretsManager,
});

words!(PolicyKind {
    "least-connections" => LeastConnections,
    "random" => Random,
    "round-robin" => RoundRobin,
});

words!(UnknownFunctions { "read" => Read, "write" => Write });

fn none_of(text: &str, words: &[&str]) -> String {
    format!("{} is not one of {}", quoted(text), listed(words))
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Quotes a text of the user: no control characters, and not without end.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

impl OptionValue for bool {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(none_of(text, &["true", "false"])),
        }
    }

    fn text(&self) -> String {
        self.to_string()
    }

    fn forms() -> String {
        listed(&["true", "false"])
    }
}

/// Implements [`OptionValue`] for whole numbers.
macro_rules! whole_numbers {
    ($($type:ty),+) => {
        $(impl OptionValue for $type {
            fn read(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| format!("{} is not a whole number", quoted(text)))
            }

            fn text(&self) -> String {
                self.to_string()
            }

            fn forms() -> String {
                "a whole number".to_owned()
            }
        })+
    };
}

whole_numbers!(u32, usize);

impl OptionValue for String {
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn text(&self) -> String {
        self.clone()
    }

    fn forms() -> String {
        "a text".to_owned()
    }
}

impl OptionValue for Vec<String> {
    fn read(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::new());
        }
        Ok(text.split(',').map(|item| item.trim().to_owned()).collect())
    }

    fn text(&self) -> String {
        self.join(",")
    }

    fn forms() -> String {
        "names with commas between them".to_owned()
    }
}

impl<T: OptionValue> OptionValue for Option<T> {
    fn read(text: &str) -> Result<Self, String> {
        if text == "none" { Ok(None) } else { T::read(text).map(Some) }
    }

    fn text(&self) -> String {
        self.as_ref().map_or_else(|| "none".to_owned(), T::text)
    }

    fn forms() -> String {
        format!("{}, or `none`", T::forms())
    }
}

impl OptionValue for HostPattern {
    fn read(text: &str) -> Result<Self, String> {
        // Not quoted: whoever writes a whole URL here may write a password.
        Self::read(text)
    }

    fn text(&self) -> String {
        self.to_string()
    }

    fn forms() -> String {
        "a host name with `?` for the instance, and perhaps a port".to_owned()
    }
}

impl OptionValue for RootCertificates {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("the path is empty; write a path, `rds` or `system`".to_owned()),
            "rds" => Ok(Self::Rds),
            "system" => Ok(Self::System),
            path => Ok(Self::File(PathBuf::from(path))),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Rds => "rds".to_owned(),
            Self::System => "system".to_owned(),
            Self::File(path) if [Path::new("rds"), Path::new("system")].contains(&&**path) => {
                format!("./{}", path.display())
            }
            Self::File(path) => path.display().to_string(),
        }
    }

    fn forms() -> String {
        "`rds`, `system`, or the path of a PEM file".to_owned()
    }
}

impl OptionValue for Freshness {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "eventual" => Ok(Self::Eventual),
            "session" => Ok(Self::Session),
            "strong" => Ok(Self::Strong),
            _ => match text.strip_prefix("bounded:") {
                Some(age) => Duration::read(age).map(Self::Bounded),
                None => {
                    Err(none_of(text, &["eventual", "bounded:<duration>", "session", "strong"]))
                }
            },
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Bounded(age) => format!("bounded:{}", age.text()),
            Self::Eventual => "eventual".to_owned(),
            Self::Session => "session".to_owned(),
            Self::Strong => "strong".to_owned(),
        }
    }

    fn forms() -> String {
        listed(&["eventual", "bounded:<duration>", "session", "strong"])
    }
}

impl Freshness {
    /// The level that a comment in a statement names.
    pub(crate) fn of_hint(text: &str) -> Option<Self> {
        let level = Self::read(&text.to_ascii_lowercase()).ok()?;
        (level != Self::Bounded(Duration::ZERO)).then_some(level)
    }
}

/// The units of a duration, in nanoseconds, largest first.
const UNITS: [(&str, u128); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl OptionValue for Duration {
    fn read(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        if digits > 0 && unit.is_empty() {
            return Err(format!("{} has no unit; write `{text}s` or `{text}ms`", quoted(text)));
        }
        let wrong = || format!("{} is not a duration such as `500ms`, `2s`, `1m`", quoted(text));
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let nanos = u128::from(number) * size;
        let seconds = u64::try_from(nanos / 1_000_000_000).map_err(|_| wrong())?;
        let rest = u32::try_from(nanos % 1_000_000_000).map_err(|_| wrong())?;
        Ok(Self::new(seconds, rest))
    }

    fn text(&self) -> String {
        let nanos = self.as_nanos();
        if nanos == 0 {
            return "0s".to_owned();
        }
        UNITS
            .iter()
            .find(|(_, size)| nanos.is_multiple_of(*size))
            .map_or_else(|| format!("{nanos}ns"), |(unit, size)| format!("{}{unit}", nanos / size))
    }

    fn forms() -> String {
        "a duration (`500ms`, `2s`, `1m`, `1h`)".to_owned()
    }
}
