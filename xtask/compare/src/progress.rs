//! What is happening, on standard error.

use std::io::{self, IsTerminal, Write as _};

/// Lines that stay, and on a terminal one that is rewritten.
pub(crate) struct Progress {
    live: bool,
    drawn: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|name| name == "dumb");
        Self { live: io::stderr().is_terminal() && !dumb, drawn: false }
    }

    /// Prints a line that stays.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) {
        let clear = if self.drawn { "\r\x1b[K" } else { "" };
        self.drawn = false;
        put(&format!("{clear}{}\n", text.as_ref()));
    }

    /// Replaces the live line; nothing where lines cannot be replaced.
    pub(crate) fn live(&mut self, text: impl AsRef<str>) {
        if self.live {
            self.drawn = true;
            // No wrapping: a narrow terminal cuts instead.
            put(&format!("\x1b[?7l\r{}\x1b[K\x1b[?7h", text.as_ref()));
        }
    }
}

/// A reader that went away must not end a run that has servers to clean up.
fn put(text: &str) {
    let mut out = io::stderr();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
