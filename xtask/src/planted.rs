//! Searches what a test run has said for the password of its servers.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use crate::step::StepError;

/// The password of every server of the test kit: a word that stands nowhere else.
const PLANTED: &str = include_str!("../../tests/kit/src/password.txt");

/// What every test has printed, as nextest writes it down (`.config/nextest.toml`).
const PRINTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/nextest/default/junit.xml");

/// Searches what the tests printed, and what the library said in those with servers.
pub(crate) fn search(logs: &Path) -> Result<(), StepError> {
    let entries = fs::read_dir(logs).map_err(|error| unreadable(logs, &error))?;
    let logs: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    let printed = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PRINTED.into(),
        |target| Path::new(&target).join("nextest/default/junit.xml"),
    );
    let lines =
        logs.iter().try_fold(0, |sum, file| Ok::<_, StepError>(sum + clean_lines(file)?))?;
    let own = clean_lines(&printed)?;
    if lines == 0 || own == 0 {
        let text = format!("{lines} lines of logs and {own} of output: nobody has listened");
        return Err(StepError::Other(text));
    }
    eprintln!("no password in {lines} lines of {} logs and {own} lines of output", logs.len());
    Ok(())
}

/// How many lines the file has; an error if a password is in one of them.
fn clean_lines(file: &Path) -> Result<usize, StepError> {
    let opened = fs::File::open(file).map_err(|error| unreadable(file, &error))?;
    let mut lines = 0;
    for line in BufReader::new(opened).split(b'\n') {
        let line = line.map_err(|error| unreadable(file, &error))?;
        let line = String::from_utf8_lossy(&line);
        if line.contains(PLANTED) {
            let text = format!("a password in {}: {line}", file.display());
            return Err(StepError::Other(text));
        }
        lines += 1;
    }
    Ok(lines)
}

fn unreadable(what: &Path, error: &std::io::Error) -> StepError {
    StepError::Other(format!("{}: {error}", what.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_password_is_found_wherever_it_stands_in_a_line() {
        let scratch = Scratch::make("planted").unwrap();
        let file = scratch.path().join("1.log");
        fs::write(&file, "aurora connected\naurora left\n").unwrap();
        assert_eq!(clean_lines(&file).unwrap(), 2);
        fs::write(&file, format!("aurora connected\nwith app:{PLANTED}@a\n")).unwrap();
        let found = clean_lines(&file).unwrap_err().to_string();
        assert!(found.contains("a password in"), "{found}");
    }

    #[test]
    fn nothing_heard_is_nothing_proven() {
        let scratch = Scratch::make("unheard").unwrap();
        assert!(search(scratch.path()).is_err());
    }
}
