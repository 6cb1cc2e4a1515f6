//! The macro that makes everything that knows an option by name out of one row per option.

use super::options::{OPTIONS, Settings, Values};

/// One option, as URL, environment, documentation and `Debug` see it.
pub(super) struct OptionSpec {
    /// The name in a URL, and of the builder's method.
    pub(super) name: &'static str,
    /// What it means, as Markdown.
    pub(super) doc: &'static str,
    /// The forms of its text.
    pub(super) forms: fn() -> String,
    /// Reads the text and keeps the value.
    pub(super) set: fn(&mut Settings, &str) -> Result<(), String>,
    /// Whether somebody gave a value.
    pub(super) is_set: fn(&Settings) -> bool,
    /// The value in force, as text.
    pub(super) text: fn(&Values) -> String,
}

impl OptionSpec {
    /// The option called `name`.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        OPTIONS.iter().find(|option| option.name == name)
    }

    /// The option whose name is most like `name`, and how many letters differ.
    pub(super) fn nearest(name: &str) -> Option<(&'static Self, usize)> {
        let name = name.to_ascii_lowercase();
        OPTIONS
            .iter()
            .map(|option| (option, distance(option.name, &name)))
            .min_by_key(|(_, distance)| *distance)
    }

    /// The name of the environment variable.
    pub(super) fn variable(&self) -> String {
        format!("AURORA_{}", self.name.to_ascii_uppercase())
    }
}

/// All options as a Markdown table.
pub(super) fn markdown() -> String {
    let mut table = "| Option | Variable | Value | Meaning |\n|---|---|---|---|\n".to_owned();
    for option in OPTIONS {
        table.push_str(&format!(
            "| `{}` | `{}` | {} | {} |\n",
            option.name,
            option.variable(),
            (option.forms)(),
            option.doc.trim()
        ));
    }
    table
}

/// The Levenshtein distance: how many letters to add, drop or replace.
pub(super) fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

/// Makes, from one row per option, `Settings` (what was given), `Values` (what is in force),
/// the table `OPTIONS`, the setters of `ConfigBuilder` and the accessors of `Config`.
///
/// A row is `documentation (shape) name: Type = default;`. The default may depend on the
/// addresses and on what was given for other options, so it is a function of them. The shape says how the value is passed:
/// `copy` by value both ways, `maybe` for an `Option` of such a value, `into` and
/// `(optional Lent)` are taken by `Into` and lent, `text` is a `String`, `list` a list of names.
macro_rules! options {
    ($($(#[doc = $doc:literal])+ ($($shape:tt)+) $name:ident: $type:ty = $default:expr;)+) => {
        /// The options somebody gave a value.
        #[derive(Clone, Default)]
        pub(super) struct Settings {
            $(pub(super) $name: Option<$type>,)+
        }

        /// The options in force.
        #[derive(Clone)]
        pub(super) struct Values {
            $(pub(super) $name: $type,)+
        }

        impl Settings {
            /// Fills in the defaults.
            pub(super) fn resolve(&self, addresses: &[Address]) -> Values {
                $(let $name: fn(&[Address], &Self) -> $type = $default;)+
                Values {
                    $($name: self.$name.clone().unwrap_or_else(|| $name(addresses, self)),)+
                }
            }
        }

        /// Every option, in the order of the documentation.
        pub(super) static OPTIONS: &[OptionSpec] = &[
            $(OptionSpec {
                name: stringify!($name),
                doc: concat!($($doc),+),
                forms: <$type as OptionValue>::forms,
                set: |settings, text| {
                    settings.$name = Some(<$type as OptionValue>::read(text)?);
                    Ok(())
                },
                is_set: |settings| settings.$name.is_some(),
                text: |values| values.$name.text(),
            },)+
        ];

        impl ConfigBuilder {
            $(options!(@setter ($($shape)+) $name $type, $($doc)+);)+
        }

        /// The options in force; each is described at the builder's method of the same name.
        impl Config {
            $(options!(@accessor ($($shape)+) $name $type, $($doc)+);)+
        }
    };

    (@setter (copy) $name:ident $type:ty, $($doc:literal)+) => {
        $(#[doc = $doc])+
        pub fn $name(mut self, $name: $type) -> Self {
            self.settings.$name = Some($name);
            self
        }
    };
    (@setter (list) $name:ident $type:ty, $($doc:literal)+) => {
        $(#[doc = $doc])+
        pub fn $name(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
            self.settings.$name = Some(names.into_iter().map(Into::into).collect());
            self
        }
    };
    // `maybe`, `into`, `optional` and `text`.
    (@setter $shape:tt $name:ident $type:ty, $($doc:literal)+) => {
        $(#[doc = $doc])+
        pub fn $name(mut self, $name: impl Into<$type>) -> Self {
            self.settings.$name = Some($name.into());
            self
        }
    };

    (@accessor (text) $name:ident $type:ty, $($doc:literal)+) => {
        $(#[doc = $doc])+
        #[must_use]
        pub fn $name(&self) -> &str {
            &self.0.values.$name
        }
    };
    (@accessor (list) $name:ident $type:ty, $($doc:literal)+) => {
        $(#[doc = $doc])+
        #[must_use]
        pub fn $name(&self) -> &[String] {
            &self.0.values.$name
        }
    };
    (@accessor (into) $name:ident $type:ty, $($doc:literal)+) => {
        $(#[doc = $doc])+
        #[must_use]
        pub fn $name(&self) -> &$type {
            &self.0.values.$name
        }
    };
    (@accessor (optional $lent:ty) $name:ident $type:ty, $($doc:literal)+) => {
        $(#[doc = $doc])+
        #[must_use]
        pub fn $name(&self) -> Option<&$lent> {
            self.0.values.$name.as_ref()
        }
    };
    // `copy` and `maybe`.
    (@accessor $shape:tt $name:ident $type:ty, $($doc:literal)+) => {
        $(#[doc = $doc])+
        #[must_use]
        pub fn $name(&self) -> $type {
            self.0.values.$name
        }
    };
}

pub(super) use options;
