//! Where the demo prints: in place on a terminal, line by line anywhere else.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

/// Lines are cut here, so that a frame never wraps.
pub(crate) const COLUMNS: usize = 100;

/// Standard output, or standard error when standard output is for JSON.
pub(crate) struct Screen {
    out: Box<dyn Write>,
    live: bool,
    drawn: usize,
}

impl Screen {
    pub(crate) fn new(json: bool) -> Self {
        if json {
            Self::on(Box::new(io::stderr()), io::stderr().is_terminal())
        } else {
            Self::on(Box::new(io::stdout()), io::stdout().is_terminal())
        }
    }

    fn on(out: Box<dyn Write>, terminal: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|name| name == "dumb");
        Self { out, live: terminal && !dumb, drawn: 0 }
    }

    /// Whether frames are redrawn in place.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Prints a line that stays.
    pub(crate) fn line(&mut self, line: impl AsRef<str>) {
        self.drawn = 0;
        self.put(&format!("{}\n", line.as_ref()));
    }

    /// Draws a frame over the one before.
    pub(crate) fn frame(&mut self, lines: &[String]) {
        if !self.live {
            return;
        }
        let mut text = String::new();
        if self.drawn > 0 {
            // Cursor to the first line of the frame before.
            let _ = write!(text, "\x1b[{}F", self.drawn);
        }
        // No wrapping while drawing: a narrow terminal cuts instead. \x1b[K clears the rest.
        text.push_str("\x1b[?7l");
        for line in lines {
            let cut: String = line.chars().take(COLUMNS).collect();
            let _ = writeln!(text, "{cut}\x1b[K");
        }
        text.push_str("\x1b[?7h\x1b[J");
        self.put(&text);
        self.drawn = lines.len();
    }

    /// A reader that went away (`| head`) must not end a run that has servers to clean up.
    fn put(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Tape(Arc<Mutex<Vec<u8>>>);

    impl Write for Tape {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn screen(terminal: bool) -> (Screen, impl Fn() -> String) {
        let tape = Tape::default();
        let screen = Screen { out: Box::new(tape.clone()), live: terminal, drawn: 0 };
        (screen, move || String::from_utf8(tape.0.lock().unwrap().clone()).unwrap())
    }

    #[test]
    fn a_frame_is_drawn_over_the_one_before_and_cut() {
        let (mut screen, written) = screen(true);
        screen.frame(&["x".repeat(200), "b".to_owned()]);
        screen.frame(&["c".to_owned()]);
        let text = written();
        assert!(text.contains("\x1b[2F"), "{text:?}");
        assert_eq!(text.matches('x').count(), COLUMNS);
    }

    #[test]
    fn nothing_but_lines_without_a_terminal() {
        let (mut screen, written) = screen(false);
        screen.frame(&["frame".to_owned()]);
        screen.line("line");
        assert_eq!(written(), "line\n");
    }
}
