//! `cargo xtask mutate`: would the specification notice a mistake? Breaks the engine, the router and
//! the detector in many small ways, one at a time, and runs the vectors and the simulation.

mod list;
mod scratch;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Instant;

use self::list::Mutation;
use self::scratch::{Ran, Scratch};
use crate::step::StepError;

/// Tries all mutations that have `filter` in their file or description; an error names those that
/// survived.
pub(crate) fn run(filter: &str) -> Result<(), StepError> {
    let mutations: Vec<Mutation> = list::read()?
        .into_iter()
        .filter(|mutation| mutation.file.contains(filter) || mutation.breaks.contains(filter))
        .collect();
    if mutations.is_empty() {
        return Err(StepError::Other(format!("no mutation has `{filter}` in it")));
    }
    let scratch = Scratch::make()?;
    eprintln!("{} mutations; first the vectors without any", mutations.len());
    let begin = Instant::now();
    match scratch.test()? {
        Ran::Passed => {}
        Ran::Failed(tests) => {
            return Err(StepError::Other(format!("without a mutation these fail: {tests:?}")));
        }
        Ran::NotBuilt(why) => return Err(StepError::Other(why)),
    }
    let mut survivors = Vec::new();
    println!("| # | file | what it breaks | caught by |");
    println!("|--:|---|---|---|");
    for (index, mutation) in mutations.iter().enumerate() {
        let caught = try_one(&scratch, mutation)?;
        let Mutation { file, breaks, .. } = mutation;
        println!("| {} | `{file}` | {breaks} | {caught} |", index + 1);
        // Seen at once, also where the output is a pipe.
        let _ = std::io::stdout().flush();
        if !caught.is_good() {
            survivors.push(format!("{breaks} ({file}): {caught}"));
        }
    }
    let caught = mutations.len() - survivors.len();
    eprintln!("{caught} of {} caught in {:.0} s", mutations.len(), begin.elapsed().as_secs_f64());
    if survivors.is_empty() {
        return Ok(());
    }
    Err(StepError::Other(format!("not caught:\n  {}", survivors.join("\n  "))))
}

/// What became of a mutation.
enum Caught {
    By(BTreeSet<String>),
    NotBuilt(String),
    Survived,
}

impl Caught {
    fn is_good(&self) -> bool {
        matches!(self, Self::By(_))
    }
}

/// How many tests are named where many caught a mutation.
const NAMED: usize = 3;

impl std::fmt::Display for Caught {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::By(tests) => {
                let named: Vec<&str> = tests.iter().take(NAMED).map(String::as_str).collect();
                f.write_str(&named.join(", "))?;
                match tests.len().saturating_sub(NAMED) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::NotBuilt(why) => write!(f, "DOES NOT COMPILE: {why}"),
            Self::Survived => f.write_str("SURVIVED"),
        }
    }
}

fn try_one(scratch: &Scratch, mutation: &Mutation) -> Result<Caught, StepError> {
    let original = scratch.read(&mutation.file)?;
    let mutated = mutation.apply(&original)?;
    scratch.write(&mutation.file, &mutated)?;
    let ran = scratch.test();
    scratch.write(&mutation.file, &original)?;
    Ok(match ran? {
        Ran::Passed => Caught::Survived,
        Ran::Failed(tests) => Caught::By(tests),
        Ran::NotBuilt(why) => Caught::NotBuilt(why),
    })
}
