//! Why a target is missed where it is, by the beginning of the figure's name.

const REASONS: [(&str, &str); 0] = [];

/// The reason, if one is known.
pub(super) fn of(name: &str) -> &'static str {
    let known = REASONS.iter().find(|(begin, _)| name.starts_with(begin));
    known.map_or("the reason is not known: this is to be looked into.", |(_, reason)| reason)
}

/// How the figures come about.
pub(super) const METHOD: &str = "
## How it is measured

* Without a server (`benches/measure`): the time in which the thread has a processor, the least of 301 rounds of about a millisecond; allocations are counted by an allocator.
* With servers (`benches`): a cluster of two PostgreSQL instances on loopback addresses, so that ours and the bare ORM read from the same one. Both work in turn, in rounds of some milliseconds, and each round of ours is compared with its neighbour.
* Instructions: `cargo xtask bench --guard` counts them under callgrind, compares them with `benches/instructions.txt`, and fails where there are 5 % more.
* criterion is not used: it measures one thing to the end before the next, and compares with another run. On a machine that does other work as well that says nothing.
";
