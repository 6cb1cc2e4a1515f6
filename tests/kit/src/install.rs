//! The PostgreSQL programs of this machine.

use std::fs;
use std::path::{Path, PathBuf};

use crate::KitError;

/// Where Debian puts the programs of each major version.
const ROOT: &str = "/usr/lib/postgresql";

/// The oldest version that takes a new `primary_conninfo` without a restart
/// (PostgreSQL 13 release notes, "Allow streaming replication settings to be changed by reload").
const OLDEST: u32 = 13;

/// The Debian packages and, for each, the files that prove it is there. `pgbench` comes with the
/// servers since Debian merged the contributed programs into `postgresql-<version>`.
const NEEDS: [(&str, &[&str]); 5] = [
    ("postgresql", &["/usr/lib/postgresql/*/bin/postgres", "/usr/lib/postgresql/*/bin/pgbench"]),
    ("libpq-dev", &["/usr/include/postgresql/libpq-fe.h"]),
    ("default-libmysqlclient-dev", &["/usr/include/mariadb/mysql.h"]),
    ("util-linux", &["/usr/bin/setpriv", "/usr/bin/ipcrm"]),
    crate::mariadb::NEED,
];

/// The Debian packages a test run needs: the servers with `pgbench`, libpq, the client
/// library of MySQL, `setpriv`, MariaDB.
#[must_use]
pub fn packages() -> &'static [&'static str] {
    const { &[NEEDS[0].0, NEEDS[1].0, NEEDS[2].0, NEEDS[3].0, NEEDS[4].0] }
}

/// Those of [`packages`] whose files are not on this machine.
#[must_use]
pub fn missing_packages() -> Vec<&'static str> {
    let missing = |files: &[&str]| !files.iter().all(|file| present(file));
    NEEDS.iter().filter(|(_, files)| missing(files)).map(|(package, _)| *package).collect()
}

/// The path of a PostgreSQL program, such as `pgbench`, of the newest installed version.
///
/// # Errors
/// [`KitError::MissingProgram`] names the Debian package to install.
pub fn bin(program: &str) -> Result<PathBuf, KitError> {
    Ok(Install::find()?.program(program))
}

/// The newest PostgreSQL of this machine.
#[derive(Debug, Clone)]
pub(crate) struct Install {
    pub(crate) version: u32,
    bin: PathBuf,
}

impl Install {
    pub(crate) fn find() -> Result<Self, KitError> {
        versions()
            .into_iter()
            .map(|version| Self { version, bin: Path::new(ROOT).join(format!("{version}/bin")) })
            .find(|install| install.version >= OLDEST && install.program("postgres").exists())
            .ok_or_else(|| KitError::MissingProgram {
                program: "a PostgreSQL server, version 13 or later,".into(),
                package: "postgresql",
            })
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }
}

/// The installed major versions, newest first.
fn versions() -> Vec<u32> {
    let entries = fs::read_dir(ROOT).into_iter().flatten().flatten();
    let mut versions: Vec<u32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions
}

fn present(file: &str) -> bool {
    match file.split_once('*') {
        Some((before, after)) => versions()
            .iter()
            .any(|version| Path::new(&format!("{before}{version}{after}")).exists()),
        None => Path::new(file).exists(),
    }
}
