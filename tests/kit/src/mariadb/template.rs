//! The data directory every cluster starts from, made once per server version and kept.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use super::install::{self, SCRIPTS, SERVER};
use super::settings::{BOOTSTRAP, FIXED};
use crate::account::{Account, feed};
use crate::{KitError, PASSWORD, home};

/// The role of the application and its database, and the role of the kit itself.
const ROLES: &str = include_str!("roles.sql");

/// The template for this version; made now if there is none yet.
pub(super) fn prepare(root: &Path, account: Account) -> Result<PathBuf, KitError> {
    let mut hasher = DefaultHasher::new();
    (install::version()?, FIXED, BOOTSTRAP, ROLES, PASSWORD).hash(&mut hasher);
    let name = format!("mariadb-{:016x}", hasher.finish());
    let finished = root.join("templates").join(&name);
    let _lock = home::lock(&root.join(format!("{name}.lock")))?;
    if finished.exists() {
        return Ok(finished);
    }
    let unfinished = finished.with_extension("new");
    if unfinished.exists() {
        // Its maker died; we hold the lock.
        fs::remove_dir_all(&unfinished).map_err(KitError::io("remove a half-made template"))?;
    }
    build(&unfinished, account)?;
    fs::rename(&unfinished, &finished).map_err(KitError::io("put the template in place"))?;
    Ok(finished)
}

/// As `mariadb-install-db` does it, without a server that listens. Nothing of it is in a binary
/// log, so all copies begin with an empty one.
fn build(directory: &Path, account: Account) -> Result<(), KitError> {
    fs::create_dir(directory).map_err(KitError::io("create a template"))?;
    account.own(directory)?;
    let mut statements = "CREATE DATABASE mysql;\nUSE mysql;\n".to_owned();
    for script in SCRIPTS {
        statements += &fs::read_to_string(script).map_err(KitError::io(script))?;
    }
    bootstrap(directory, account, &statements)?;
    bootstrap(directory, account, &ROLES.replace("{password}", PASSWORD))
}

fn bootstrap(directory: &Path, account: Account, statements: &str) -> Result<(), KitError> {
    let mut command = account.command(SERVER);
    command.args(BOOTSTRAP).arg(format!("--datadir={}", directory.display()));
    feed("prepare a MariaDB template", &mut command, statements)
}
