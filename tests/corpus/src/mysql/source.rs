//! The test scripts of MariaDB, out of Debian's binary package.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGE: &str = "mariadb-test-data";
const SCRIPTS: &str = "usr/share/mysql/mysql-test/main";

/// Where the scripts of this machine's MariaDB are below `directory`. The package is downloaded the
/// first time and unpacked there; nothing is installed.
///
/// # Errors
/// When the package cannot be downloaded or unpacked.
pub fn fetch(directory: &Path) -> io::Result<PathBuf> {
    let scripts = directory.join(SCRIPTS);
    if scripts.is_dir() {
        return Ok(scripts);
    }
    std::fs::create_dir_all(directory)?;
    let mut download = Command::new("apt-get");
    run(download.current_dir(directory).args(["download", PACKAGE]))?;
    let mut found = None;
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let is_package = path.file_name().is_some_and(|name| {
            let name = name.to_string_lossy();
            name.starts_with(PACKAGE) && name.ends_with(".deb")
        });
        found = if is_package { Some(path) } else { found };
    }
    let package = found.ok_or_else(|| io::Error::other("no package was downloaded"))?;
    run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(directory))?;
    if scripts.is_dir() { Ok(scripts) } else { Err(io::Error::other("the package has no scripts")) }
}

fn run(command: &mut Command) -> io::Result<()> {
    let status = command.stdout(io::stderr()).status()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{} failed: {status}", command.get_program().display())))
}
