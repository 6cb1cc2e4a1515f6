//! What is happening, on standard error.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How often there is a live line where it cannot be rewritten.
const REST: Duration = Duration::from_secs(30);

/// Lines that stay, and one that is rewritten; off a terminal it is printed now and then.
#[derive(Debug)]
pub(crate) struct Progress {
    terminal: bool,
    drawn: bool,
    last: Instant,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|name| name == "dumb");
        let terminal = io::stderr().is_terminal() && !dumb;
        Self { terminal, drawn: false, last: Instant::now() }
    }

    /// Prints a line that stays.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) {
        let clear = if self.drawn { "\r\x1b[K" } else { "" };
        self.drawn = false;
        put(&format!("{clear}{}\n", text.as_ref()));
    }

    /// Replaces the live line.
    pub(crate) fn live(&mut self, text: impl AsRef<str>) {
        if self.terminal {
            self.drawn = true;
            // No wrapping: a narrow terminal cuts instead.
            put(&format!("\x1b[?7l\r{}\x1b[K\x1b[?7h", text.as_ref()));
        } else if self.last.elapsed() >= REST {
            self.last = Instant::now();
            self.line(text);
        }
    }
}

/// A reader that went away must not end a run that has servers to clean up.
fn put(text: &str) {
    let mut out = io::stderr();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
