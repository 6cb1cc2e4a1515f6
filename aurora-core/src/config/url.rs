//! The configuration in a URL.
//!
//! A malformed URL may show a password anywhere, so no problem quotes a part of it before the
//! question mark; behind it, nothing is quoted if a password was put there.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;

use super::address::Address;
use super::builder::ConfigBuilder;
use super::choices::Family;
use super::libpq;
use super::secret::Secret;
use super::table::OptionSpec;
use super::value::quoted;

const SCHEMES: &str = "supported are `postgres://`, `postgresql://`, `mysql://` and `mariadb://`";

/// What may stand before the name of an option of ours.
pub(super) const PREFIX: &str = "aurora.";

const FORM: &str = "write postgres://user:password@host:port/database?option=value";

/// Takes over what the URL says; `source` names it in the problems.
pub(super) fn apply(builder: &mut ConfigBuilder, url: &str, source: &str) {
    let rest = match after_scheme(url) {
        Ok((family, rest)) => {
            builder.family = family;
            rest
        }
        Err((what, remedy)) => {
            builder.problems.add(format!("{source} {what}"), remedy);
            builder.url_is_unusable = true;
            return;
        }
    };
    if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let what = format!("{source} contains a space, a line break or a control character");
        builder.problems.add(what, "remove it, or percent-encode it (a space is `%20`)");
        builder.url_is_unusable = true;
        return;
    }
    let (before, query) = rest.split_once('?').map_or((rest, None), |(b, q)| (b, Some(q)));
    let (authority, path) = before.split_once('/').map_or((before, None), |(a, p)| (a, Some(p)));
    let (login, hosts) = authority.split_once('@').map_or((None, authority), |(l, h)| (Some(l), h));
    let stray = |part: &str| part.contains('@');
    if stray(hosts) || path.is_some_and(stray) || query.is_some_and(stray) {
        let what = format!("{source} has an `@` that does not stand between login and hosts");
        let remedy = "in user, password, database and values write `%40` for `@`, `%2F` for `/`, \
                      `%3F` for `?`, `%23` for `#`, `%25` for `%`";
        builder.problems.add(what, remedy);
        builder.url_is_unusable = true;
        return;
    }
    if let Some(login) = login {
        take_login(builder, login, source);
    }
    let hosts_are_right = take_hosts(builder, hosts, source);
    if let Some(path) = path.filter(|path| !path.is_empty()) {
        take_database(builder, path, source);
    }
    // Without an `@`, what stands in the place of a host and port may be a login, cut off at an
    // unescaped question mark.
    if let Some(query) = query.filter(|_| login.is_some() || hosts_are_right) {
        take_options(builder, query, source);
    }
}

fn after_scheme(url: &str) -> Result<(Family, &str), (String, &'static str)> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(("has no scheme".to_owned(), FORM));
    };
    let scheme = scheme.to_ascii_lowercase();
    if let Some(family) = Family::of_scheme(&scheme) {
        return Ok((family, rest));
    }
    Err(match scheme.as_str() {
        // Quoted only if known: a scheme that is none may be anything.
        "sqlite" | "mssql" | "jdbc:postgresql" | "jdbc:mysql" => {
            (format!("has the scheme `{scheme}`"), SCHEMES)
        }
        _ => ("has a scheme that is not supported".to_owned(), SCHEMES),
    })
}

fn take_login(builder: &mut ConfigBuilder, login: &str, source: &str) {
    let (user, password) = login.split_once(':').map_or((login, None), |(u, p)| (u, Some(p)));
    if !user.is_empty() {
        builder.user = decoded(builder, user, "the user", source).or_else(stand_in);
    }
    if let Some(password) = password {
        builder.password = decoded(builder, password, "the password", source).map(Secret::new);
    }
}

/// Takes over the addresses; whether there is nothing wrong with them.
fn take_hosts(builder: &mut ConfigBuilder, hosts: &str, source: &str) -> bool {
    if hosts.is_empty() {
        return true;
    }
    let mut are_right = true;
    let mut addresses = Vec::new();
    for (index, host) in hosts.split(',').enumerate() {
        match Address::read(host, Some(builder.family.default_port())) {
            Ok(address) if addresses.contains(&address) => builder
                .problems
                .add(format!("{source}, host {}", index + 1), "it is there twice; remove one"),
            Ok(address) => addresses.push(address),
            Err(problem) => {
                builder.problems.add(format!("{source}, host {}", index + 1), problem);
                are_right = false;
            }
        }
    }
    builder.addresses = Some(addresses);
    are_right
}

fn take_database(builder: &mut ConfigBuilder, path: &str, source: &str) {
    if path.contains('/') {
        let what = format!("{source}, the database: it contains a `/`");
        builder.problems.add(what, "remove it, or write `%2F` if it is part of the name");
    }
    builder.database = decoded(builder, path, "the database", source).or_else(stand_in);
}

fn take_options(builder: &mut ConfigBuilder, query: &str, source: &str) {
    let pairs: Vec<(&str, Option<&str>)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').map_or((pair, None), |(n, v)| (n, Some(v))))
        .collect();
    let names = pairs.iter().map(|(name, _)| *name);
    let secret = names.filter(|name| !is_ours(name)).find(|name| libpq::is_secret(name));
    if let Some(name) = secret {
        let remedy = libpq::remedy(name).or_else(|| libpq::remedy("password")).unwrap_or(FORM);
        let hidden = "(the other options are not looked at before that)";
        builder.problems.add(format!("{source}, option `{name}`"), format!("{remedy} {hidden}"));
        return;
    }
    let mut seen = BTreeSet::new();
    for (name, value) in pairs {
        if !seen.insert(name.strip_prefix(PREFIX).unwrap_or(name)) {
            let what = format!("{source}, option {}", quoted(name));
            builder.problems.add(what, "it is there twice; remove one");
            continue;
        }
        take_option(builder, name, value, source);
    }
}

fn take_option(builder: &mut ConfigBuilder, name: &str, value: Option<&str>, source: &str) {
    // Our options may be written with a prefix, so that no other program takes them for its own.
    let own = name.strip_prefix(PREFIX).unwrap_or(name);
    let Some(option) = OptionSpec::find(own) else {
        let remedy = match (libpq::remedy(name), OptionSpec::nearest(own)) {
            (Some(remedy), _) => remedy.to_owned(),
            (None, Some((nearest, _))) => format!("unknown; the nearest is `{}`", nearest.name),
            (None, None) => "unknown".to_owned(),
        };
        builder.problems.add(format!("{source}, option {}", quoted(name)), remedy);
        return;
    };
    let what = format!("{source}, option `{name}`");
    let Some(value) = value else {
        builder.problems.add(what, format!("it has no value; give it {}", (option.forms)()));
        return;
    };
    let Some(value) = decoded(builder, value, &format!("option `{name}`"), source) else { return };
    if let Err(problem) = (option.set)(&mut builder.settings, &value) {
        builder.problems.add(what, problem);
    }
}

/// Whether it is an option of ours, written with the prefix: those about secrets hold none.
fn is_ours(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|own| OptionSpec::find(own).is_some())
}

/// What stands in for a part that is there but cannot be read, so that it is not missing too.
fn stand_in() -> Option<String> {
    Some("?".to_owned())
}

/// Decodes `text`; if it cannot be decoded, that is a problem.
fn decoded(builder: &mut ConfigBuilder, text: &str, what: &str, source: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let complete = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%').all(|(at, _)| {
        bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    });
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) if complete => Some(decoded.into_owned()),
        _ => {
            builder.problems.add(
                format!("{source}, {what}: the percent-encoding is wrong"),
                "write `%25` for `%`, and other characters as UTF-8",
            );
            None
        }
    }
}
