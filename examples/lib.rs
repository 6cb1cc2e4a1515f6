//! Programs that each teach one thing, and assert it; see the table in `README.md`.

/// The front page's example has to compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct FrontPage;
