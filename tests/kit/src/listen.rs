//! What the library says in a test run, kept in files, so that the whole run can be searched for
//! passwords.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::guarded;

/// Names the directory that the files are written to, one of each process.
pub(crate) const DIRECTORY: &str = "AURORA_TEST_LOGS";

/// Writes down all that the library says in this process, and the warnings of others: where the
/// environment asks for it, and the test does not listen itself.
pub(crate) fn listen() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let name = format!("{}.log", std::process::id());
    let Ok(file) = File::options().create(true).append(true).open(Path::new(&directory).join(name))
    else {
        return;
    };
    // Somebody listens already: this test itself, or its first cluster.
    let _ = tracing::subscriber::set_global_default(Listener::new(file));
}

struct Listener {
    began: Instant,
    file: Mutex<File>,
    spans: AtomicU64,
}

impl Listener {
    fn new(file: File) -> Self {
        Self { began: Instant::now(), file: Mutex::new(file), spans: AtomicU64::new(1) }
    }

    fn note(&self, target: &str, record: impl FnOnce(&mut Line)) {
        let mut line = Line(format!("{:.6} {target}", self.began.elapsed().as_secs_f64()));
        record(&mut line);
        line.0.push('\n');
        // A full disk is no fault of the test's.
        let _ = guarded(&self.file).write_all(line.0.as_bytes());
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Listener {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        of.target().starts_with("aurora") || *of.level() <= Level::WARN
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.note(span.metadata().target(), |line| span.record(line));
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.note("", |line| values.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.note(event.metadata().target(), |line| event.record(line));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
