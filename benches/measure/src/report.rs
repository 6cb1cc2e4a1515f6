//! What a bench was asked for, and what it prints.

use crate::Figure;

/// What the command line asks of a bench: only figures whose name contains a text, and whether they
/// are also for the program that called.
#[derive(Clone, Debug)]
pub struct Report {
    filter: String,
    figures: bool,
}

impl Report {
    /// As the arguments of this process say.
    #[must_use]
    pub fn from_arguments() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let figures = arguments.iter().any(|argument| argument == "--figures");
        let filter = arguments.into_iter().find(|argument| !argument.starts_with("--"));
        Self { filter: filter.unwrap_or_default(), figures }
    }

    /// Whether a figure of that name is asked for.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        name.contains(&self.filter)
    }

    /// Prints a figure, if it is asked for.
    pub fn add(&self, figure: &Figure) {
        if !self.wants(figure.name()) {
            return;
        }
        eprintln!("{}", figure.line());
        if self.figures {
            println!("{}", figure.json());
        }
    }
}
