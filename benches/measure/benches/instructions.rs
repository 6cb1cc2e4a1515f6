//! One piece of the work that needs no server, done so many times and nothing else: to count
//! instructions under callgrind, which are the same in every run.
//!
//! `cargo xtask bench --guard` runs it; by hand, `<the program> --list` names the pieces, and
//! `valgrind --tool=callgrind --collect-atstart=no --toggle-collect='*measured*' <the program>
//! "route 3" 100` counts those of one of them.

use std::process::ExitCode;

use aurora_core::Error;
use aurora_measure::pure::{Work, pieces};

fn main() -> Result<ExitCode, Error> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] | ["--list"] => {
            pieces().iter().for_each(|piece| println!("{}", piece.name));
            Ok(ExitCode::SUCCESS)
        }
        [name, count] => {
            let found = pieces().into_iter().find(|piece| piece.name == **name);
            let (Some(piece), Ok(count)) = (found, count.parse()) else {
                eprintln!("no piece called {name}, or {count} is no number");
                return Ok(ExitCode::FAILURE);
            };
            // Caches are filled, and everything is set up that is set up once.
            let mut work = piece.begin()?;
            work(20);
            measured(&mut work, count);
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("give the name of a piece and a number, or nothing");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// What callgrind counts: its name is what it is told to look for.
#[inline(never)]
fn measured(work: &mut Work, count: u32) {
    work(count);
    std::hint::black_box(count);
}
