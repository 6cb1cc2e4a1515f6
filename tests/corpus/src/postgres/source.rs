//! The regression suite of PostgreSQL, out of Debian's source package.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which parts of the source are needed.
const PARTS: [&str; 4] = [
    "*/src/test/regress/sql/*",
    "*/src/test/regress/data/*",
    "*/contrib/*/sql/*",
    "*/parallel_schedule",
];

/// Where the source of this machine's PostgreSQL lies below `directory`; it is fetched the first
/// time, with `apt-get source` and package lists of its own, so that the machine's stay as they are.
///
/// # Errors
/// When the package cannot be fetched or unpacked.
pub fn fetch(directory: &Path) -> io::Result<PathBuf> {
    if let Some(found) = unpacked(directory)? {
        return Ok(found);
    }
    let apt = directory.join("apt");
    std::fs::create_dir_all(apt.join("lists/partial"))?;
    let release = std::fs::read_to_string("/etc/os-release")?;
    let name = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let name = name.ok_or_else(|| io::Error::other("/etc/os-release names no release"))?;
    let list = format!("deb-src http://deb.debian.org/debian {name} main\n");
    std::fs::write(apt.join("sources.list"), list)?;
    let settings = [
        format!("Dir::Etc::sourcelist={}", apt.join("sources.list").display()),
        "Dir::Etc::sourceparts=/dev/null".to_owned(),
        format!("Dir::State::lists={}", apt.join("lists").display()),
        format!("Dir::Cache={}", apt.display()),
    ];
    let apt_get = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .current_dir(directory)
            .args(settings.iter().flat_map(|one| ["-o", one]))
            .args(words);
        run(command)
    };
    apt_get(&["update"])?;
    apt_get(&["source", "--download-only", &format!("postgresql-{}", version()?)])?;
    unpack(directory)?;
    unpacked(directory)?.ok_or_else(|| io::Error::other("the package has no regression suite"))
}

fn unpacked(directory: &Path) -> io::Result<Option<PathBuf>> {
    Ok(entries(directory)?.into_iter().find(|path| path.join("src/test/regress/sql").is_dir()))
}

fn unpack(directory: &Path) -> io::Result<()> {
    let is_source = |path: &PathBuf| path.to_string_lossy().contains(".orig.tar");
    let source = entries(directory)?.into_iter().find(is_source);
    let source = source.ok_or_else(|| io::Error::other("no source package was fetched"))?;
    let mut tar = Command::new("tar");
    tar.current_dir(directory)
        .arg("--extract")
        .arg("--file")
        .arg(source)
        .arg("--wildcards")
        .args(PARTS);
    run(tar)
}

fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(directory)?;
    std::fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
}

/// The major version that the test kit uses: it is in the path of its programs.
fn version() -> io::Result<String> {
    let program = test_kit::bin("postgres").map_err(io::Error::other)?;
    let version = program.ancestors().nth(2).and_then(Path::file_name);
    let version = version.ok_or_else(|| io::Error::other("PostgreSQL has no version"))?;
    Ok(version.to_string_lossy().into_owned())
}

fn run(mut command: Command) -> io::Result<()> {
    let status = command.stdout(io::stderr()).status()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{} failed: {status}", command.get_program().display())))
}
