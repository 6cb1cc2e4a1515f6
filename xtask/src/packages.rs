//! The Debian packages that the demo and the tests need, and their installation.

use std::fs;
use std::path::Path;

use crate::step::{Step, StepError};

/// Each package and the files that prove it is there; `*` stands for one directory.
///
/// The test kit, which uses them, has the same list. It is repeated here so that this program
/// builds within seconds; a test compares the two.
const NEEDS: [Need; 5] = [
    ("postgresql", &["/usr/lib/postgresql/*/bin/postgres", "/usr/lib/postgresql/*/bin/pgbench"]),
    ("libpq-dev", &["/usr/include/postgresql/libpq-fe.h"]),
    ("default-libmysqlclient-dev", &["/usr/include/mariadb/mysql.h"]),
    ("util-linux", &["/usr/bin/setpriv", "/usr/bin/ipcrm"]),
    // The bare server: `mariadb-server` would start a service.
    ("mariadb-server-core", &["/usr/sbin/mariadbd", "/usr/share/mysql/mysql_system_tables.sql"]),
];

/// What a single command needs on top, and no test does.
pub(crate) const VALGRIND: Need = ("valgrind", &["/usr/bin/valgrind"]);

/// A package, and the files that prove it is there.
type Need = (&'static str, &'static [&'static str]);

/// Only what is missing: a package that is there is not upgraded, and none is removed for it.
const INSTALL: &[&str] =
    &["install", "--yes", "--no-install-recommends", "--no-upgrade", "--no-remove"];

/// Installs what is missing, and says so first.
pub(crate) fn install_missing() -> Result<(), StepError> {
    install_of(&NEEDS)
}

/// Installs those of these packages that are missing, and says so first.
pub(crate) fn install_of(needs: &[Need]) -> Result<(), StepError> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let prefix = privileges();
    let update = apt(prefix.unwrap_or(&["sudo"]), &["update"]);
    let install = [INSTALL, missing.as_slice()].concat();
    let install = apt(prefix.unwrap_or(&["sudo"]), &install);
    eprintln!("missing Debian packages: {}", missing.join(", "));
    if prefix.is_none() || !Path::new("/usr/bin/apt-get").exists() {
        let text = format!("run this first, as an administrator:\n  {update}\n  {install}");
        return Err(StepError::Other(text));
    }
    for step in [update, install] {
        eprintln!("running: {step}");
        step.printing_to_stderr().run()?;
    }
    match self::missing(needs).as_slice() {
        [] => Ok(()),
        still => Err(StepError::Other(format!("still missing: {}", still.join(", ")))),
    }
}

/// What goes in front of apt-get: nothing for root, sudo where it asks no password.
fn privileges() -> Option<&'static [&'static str]> {
    if is_root() {
        return Some(&[]);
    }
    Step::new("sudo").args(["-n", "true"]).succeeds().then_some(&["sudo", "-n"])
}

/// The effective user, as `/proc/self/status` gives it: `Uid: real effective saved filesystem`.
fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    line.and_then(|uids| uids.split_whitespace().nth(1)) == Some("0")
}

fn apt(prefix: &[&str], arguments: &[&str]) -> Step {
    // `env` sets the variable on the far side of sudo, which clears the environment. The front
    // end is told to ask nothing.
    let words = [prefix, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat();
    Step::new(words[0]).args(&words[1..])
}

/// Those packages whose files are not on this machine.
fn missing(needs: &[Need]) -> Vec<&'static str> {
    let absent = |files: &[&str]| !files.iter().all(|file| present(file));
    needs.iter().filter(|(_, files)| absent(files)).map(|(package, _)| *package).collect()
}

fn present(file: &str) -> bool {
    let Some((before, after)) = file.split_once('*') else { return Path::new(file).exists() };
    let versions = fs::read_dir(before).into_iter().flatten().flatten();
    let after = after.trim_start_matches('/');
    versions.into_iter().any(|version| version.path().join(after).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_are_those_of_the_test_kit() {
        assert_eq!(NEEDS.map(|(package, _)| package), test_kit::packages());
        assert_eq!(missing(&NEEDS), test_kit::missing_packages());
    }

    #[test]
    fn a_star_stands_for_one_directory() {
        assert!(present("/proc/*/status"));
        assert!(!present("/proc/*/no-such-file"));
        assert!(!present("/no-such-directory/*/status"));
    }

    #[test]
    fn the_command_is_shown_with_all_it_needs() {
        let step = apt(&["sudo", "-n"], &[INSTALL, &["postgresql"]].concat()).to_string();
        let words = "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get install --yes";
        assert!(step.starts_with(words), "{step}");
        assert!(step.ends_with("--no-upgrade --no-remove postgresql"), "{step}");
    }
}
