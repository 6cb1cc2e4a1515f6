//! The MariaDB server of this machine.

use std::path::Path;
use std::process::Command;

use crate::KitError;

/// Debian's package of the bare server: no service is started, no user is created.
const PACKAGE: &str = "mariadb-server-core";
/// The server's program.
pub(super) const SERVER: &str = "/usr/sbin/mariadbd";
/// The statements that make the system tables, in this order.
pub(super) const SCRIPTS: [&str; 4] = [
    "/usr/share/mysql/mysql_system_tables.sql",
    "/usr/share/mysql/mysql_performance_tables.sql",
    "/usr/share/mysql/mysql_system_tables_data.sql",
    "/usr/share/mysql/mysql_sys_schema.sql",
];

/// The package, and the files that prove it is there.
pub(crate) const NEED: (&str, &[&str]) = (PACKAGE, &[SERVER, SCRIPTS[0]]);

/// What the server says of its version: part of the name of the template.
///
/// # Errors
/// [`KitError::MissingProgram`] names the Debian package to install.
pub(super) fn version() -> Result<String, KitError> {
    let missing = || KitError::MissingProgram { program: SERVER.into(), package: PACKAGE };
    if !Path::new(SERVER).exists() {
        return Err(missing());
    }
    let output = Command::new(SERVER).args(["--no-defaults", "--version"]).output();
    let output = output.map_err(KitError::io("ask MariaDB for its version"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
