//! moto's server, the stand-in for AWS in the tests: a Python package in an environment of its own.

use std::path::{Path, PathBuf};

use crate::step::{Step, StepError};

/// The Debian packages for an environment of Python's.
const PACKAGES: &str = "python3-venv python3-pip";

/// Installs it if it is not there. What cannot be installed is told, with what to do: the tests
/// that need it fail then.
pub(crate) fn install_missing() -> Result<(), StepError> {
    if test_kit_finds().is_some() {
        return Ok(());
    }
    let Some(folder) = own_folder() else {
        return Err(StepError::Other("HOME is not set: there is no place for moto".to_owned()));
    };
    eprintln!("moto's server is missing: installing it to {}", folder.display());
    let pip = folder.join("bin/pip");
    let environment = Step::new("python3").args(["-m", "venv"]).args([&folder]);
    let install = Step::new(pip).args(["install", "--quiet", "moto[server]"]);
    environment.run().and_then(|()| install.run()).map_err(|error| cannot(&error, &folder))
}

fn cannot(error: &StepError, folder: &Path) -> StepError {
    let folder = folder.display();
    StepError::Other(format!(
        "{error}\nmoto's server cannot be installed, which tests of Secrets Manager need; run this \
         first:\n  apt-get install {PACKAGES}\n  python3 -m venv {folder}\n  \
         {folder}/bin/pip install 'moto[server]'"
    ))
}

/// Where the test kit looks first.
fn own_folder() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    Some(cache.or_else(home)?.join("aurora-test-kit/moto"))
}

/// What the test kit will find; it looks in the same places.
fn test_kit_finds() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("moto_server"));
    let own = own_folder().map(|folder| folder.join("bin/moto_server"));
    own.into_iter().chain(on_path).find(|program| program.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_are_those_of_the_test_kit() {
        assert_eq!(test_kit_finds(), test_kit::aws::moto_program());
    }
}
