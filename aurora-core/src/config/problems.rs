//! The list of everything that is wrong with a configuration.

use crate::error::{Error, ErrorKind};

/// Problems, each with its remedy, in the order they were found.
#[derive(Clone, Debug, Default)]
pub(super) struct Problems(Vec<String>);

impl Problems {
    /// Notes that `what` is so, and what to do about it.
    pub(super) fn add(&mut self, what: impl AsRef<str>, remedy: impl AsRef<str>) {
        self.note(format!("{}: {}", what.as_ref(), remedy.as_ref()));
    }

    /// Notes a problem that already names its remedy.
    pub(super) fn note(&mut self, problem: String) {
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One error that lists every problem.
    pub(super) fn into_error(self) -> Error {
        let message = match self.0.as_slice() {
            [problem] => format!("the configuration is wrong: {problem}"),
            problems => {
                let mut message = format!("the configuration has {} problems:", problems.len());
                for (index, problem) in problems.iter().enumerate() {
                    message.push_str(&format!("\n  {}. {problem}", index + 1));
                }
                message
            }
        };
        Error::new(ErrorKind::Configuration, message)
    }
}
