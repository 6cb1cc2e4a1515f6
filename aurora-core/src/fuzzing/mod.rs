//! What the fuzzers of `fuzz/` run: functions that take any bytes, make an input of them, and panic
//! where the code under test panics or breaks a rule.
//!
//! The same functions run in the tests of this crate, fed by a seeded generator and by the inputs
//! of `fuzz/seeds`, so that they need neither a fuzzer nor a nightly compiler to be of use.
//!
//! Bytes are read by a few lines of our own (`bytes.rs`) rather than with derived `Arbitrary`: the
//! inputs are types of this crate that nobody outside needs to see, and an input stays what it was
//! when a type gets one more field.

mod bytes;
mod endpoints;
mod engine;
mod rows;
mod rules;
mod statements;
#[cfg(test)]
mod tests;
mod urls;

/// One thing to fuzz.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Target {
    /// Its name, which is that of its directory of seeds, too.
    pub name: &'static str,
    /// Runs one input; a panic is a finding.
    pub run: fn(&[u8]),
}

impl Target {
    const fn new(name: &'static str, run: fn(&[u8])) -> Self {
        Self { name, run }
    }
}

/// All of them.
pub const TARGETS: [Target; 5] = [
    Target::new("endpoints", endpoints::run),
    Target::new("engine", engine::run),
    Target::new("rows", rows::run),
    Target::new("statements", statements::run),
    Target::new("urls", urls::run),
];

/// Runs one input of the target `name`.
///
/// # Panics
///
/// On a finding, and where there is no such target.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.unwrap_or_else(|| panic!("no fuzz target is called {name}"));
    (target.run)(data);
}
