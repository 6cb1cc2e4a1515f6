//! The list of mutations, as `tests/mutations/README.md` describes it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::step::StepError;

/// One deliberate breakage.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mutation {
    /// The file, below `aurora-core`.
    pub(super) file: String,
    /// What it breaks, in one line.
    pub(super) breaks: String,
    search: String,
    replace: String,
}

/// The repository.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All mutations of `tests/mutations/*.txt`, in order of file names.
pub(super) fn read() -> Result<Vec<Mutation>, StepError> {
    let directory = root().join("tests/mutations");
    let entries = fs::read_dir(&directory).map_err(|error| wrong(&directory, error))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "txt")).collect();
    paths.sort();
    let mut mutations = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).map_err(|error| wrong(&path, error))?;
        mutations.extend(parse(&text).map_err(|problem| wrong(&path, problem))?);
    }
    Ok(mutations)
}

fn wrong(path: &Path, problem: impl std::fmt::Display) -> StepError {
    StepError::Other(format!("{}: {problem}", path.display()))
}

fn parse(text: &str) -> Result<Vec<Mutation>, String> {
    let is_content = |line: &&str| !line.starts_with("##");
    let lines: Vec<&str> = text.lines().filter(is_content).collect();
    let blocks = lines.split(|line| line.is_empty()).filter(|block| !block.is_empty());
    blocks.map(block).collect()
}

fn block(lines: &[&str]) -> Result<Mutation, String> {
    let with = |mark: &str| -> Vec<&str> {
        lines.iter().filter_map(|line| line.strip_prefix(mark)).collect()
    };
    let (files, breaks, search, replace) = (with("@ "), with("# "), with("- "), with("+ "));
    let all = files.len() + breaks.len() + search.len() + replace.len();
    match (files.as_slice(), breaks.as_slice()) {
        ([file], [breaks]) if all == lines.len() && !search.is_empty() => Ok(Mutation {
            file: (*file).to_owned(),
            breaks: (*breaks).to_owned(),
            search: search.join("\n"),
            replace: replace.join("\n"),
        }),
        _ => Err(format!("no mutation: {lines:?}")),
    }
}

impl Mutation {
    /// The source with the mutation in it; an error where the text is not there exactly once.
    pub(super) fn apply(&self, source: &str) -> Result<String, StepError> {
        let Self { file, search, replace, .. } = self;
        match source.matches(search.as_str()).count() {
            1 => Ok(source.replacen(search, replace, 1)),
            count => {
                Err(StepError::Other(format!("{file}: {count} times instead of once: {search}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_what_does_not_fit_is_told() {
        let text =
            "## all\n\n@ a.rs\n# it breaks\n- x == 1\n+ x == 2\n\n\n@ b.rs\n# gone\n-     y;\n";
        let mutations = parse(text).unwrap();
        assert_eq!(mutations.len(), 2);
        assert_eq!(mutations[0].apply("if x == 1 {").unwrap(), "if x == 2 {");
        assert_eq!(mutations[1].apply("    y;\n").unwrap(), "\n");
        assert!(mutations[0].apply("x == 1 || x == 1").is_err());
        assert!(mutations[0].apply("").is_err());
        assert!(parse("@ a.rs\n- x").is_err());
        assert!(parse("@ a.rs\n# it breaks\n- x\nwhat").is_err());
    }

    #[test]
    fn every_mutation_fits_the_source_and_changes_it() {
        let mutations = read().unwrap();
        assert!(mutations.len() >= 25, "{}", mutations.len());
        for mutation in mutations {
            let path = root().join("aurora-core").join(&mutation.file);
            let source = fs::read_to_string(path).unwrap();
            assert_ne!(mutation.apply(&source).unwrap(), source, "{mutation:?}");
        }
    }
}
