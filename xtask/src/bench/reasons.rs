//! Why a target is missed where it is, by the beginning of the figure's name.

const REASONS: [(&str, &str); 5] = [
    (
        "classify cold",
        "a fresh verdict on 143 bytes is 36 tokens at some 140 instructions each, and every byte \
         is looked at: 300 ns are within reach of an idle processor only. It is paid once for each \
         text, and is a thousandth of a statement over a network.",
    ),
    (
        "select",
        "what we add to a statement is half a microsecond: the decision (70 ns), one lock of the \
         store to take a connection and one to give it back, and the clock. On loopback a SELECT \
         by key takes 15 to 20 µs, of which that is 2 to 3 %; 1 % would be the price of the clock \
         alone. At 0.5 ms, as between availability zones, it is 0.1 %. The 99th percentile is \
         that of a machine with other work.",
    ),
    (
        "insert",
        "the same half microsecond as for a SELECT; the writer on loopback answers in 60 to 120 µs, \
         and varies by more than what we add.",
    ),
    (
        "at rest",
        "an answer of an instance costs a wake-up of the monitor, a message to the engine and a \
         new snapshot; with 15 instances that is twenty times in a second.",
    ),
    (
        "connect",
        "a new connection is asked for its role and its cluster before its first use: one round \
         trip more than the bare ORM makes.",
    ),
];

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
