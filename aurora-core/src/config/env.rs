//! The configuration in environment variables.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::builder::ConfigBuilder;
use super::options::OPTIONS;
use super::secret::Secret;
use super::table::distance;
use super::url;

const URLS: [&str; 2] = ["AURORA_URL", "DATABASE_URL"];
const PARTS: [&str; 3] = ["AURORA_USER", "AURORA_PASSWORD", "AURORA_DATABASE"];

/// Variables by name; no value where it is not Unicode.
type Variables = BTreeMap<String, Option<String>>;

/// A variable of the environment; one that is not Unicode has no value.
pub(super) fn readable((name, value): (OsString, OsString)) -> (String, Option<String>) {
    (name.to_string_lossy().into_owned(), value.into_string().ok())
}

/// Takes over what the variables say.
pub(super) fn apply(builder: &mut ConfigBuilder, variables: &Variables) {
    if let Some(name) = URLS.into_iter().find(|name| variables.contains_key(*name)) {
        match value(builder, variables, name) {
            Some(url) => url::apply(builder, url, name),
            None => builder.url_is_unusable = true,
        }
    }
    for name in PARTS {
        let Some(text) = value(builder, variables, name) else { continue };
        match name {
            "AURORA_USER" => builder.user = Some(text.to_owned()),
            "AURORA_PASSWORD" => builder.password = Some(Secret::new(text)),
            _ => builder.database = Some(text.to_owned()),
        }
    }
    for option in OPTIONS {
        let name = option.variable();
        let Some(text) = value(builder, variables, &name) else { continue };
        if let Err(problem) = (option.set)(&mut builder.settings, text) {
            builder.problems.add(name, problem);
        }
    }
    report_misspelt(builder, variables);
}

/// The variable's value if it is set; one that is empty or unreadable is a problem, since it
/// would otherwise be a setting that silently does nothing.
fn value<'v>(builder: &mut ConfigBuilder, variables: &'v Variables, name: &str) -> Option<&'v str> {
    match variables.get(name)? {
        None => {
            builder.problems.add(format!("{name} is not Unicode"), "unset it or set it anew");
            None
        }
        Some(text) if text.is_empty() => {
            builder.problems.add(format!("{name} is empty"), "unset it or give it a value");
            None
        }
        Some(text) => Some(text),
    }
}

/// Variables of other programs may start with `AURORA_` too, so only what is nearly an option is
/// taken for a mistake.
fn report_misspelt(builder: &mut ConfigBuilder, variables: &Variables) {
    const MISSPELT: usize = 2;
    let known: Vec<String> = OPTIONS
        .iter()
        .map(|option| option.variable())
        .chain(PARTS.map(ToOwned::to_owned))
        .chain(["AURORA_URL".to_owned()])
        .collect();
    for name in variables.keys().filter(|name| name.starts_with("AURORA_")) {
        if known.contains(name) {
            continue;
        }
        let nearest = known.iter().min_by_key(|known| distance(known, name));
        if let Some(nearest) = nearest.filter(|known| distance(known, name) <= MISSPELT) {
            builder
                .problems
                .add(format!("{name} is no variable of ours"), format!("did you mean {nearest}?"));
        }
    }
}
