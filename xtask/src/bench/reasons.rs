//! What is known where a target is missed: only what was counted or measured.

use super::guard::Counts;

/// What the client executes, out of `benches/instructions.txt`, for a figure of that name.
pub(super) fn of(name: &str, counts: &Counts) -> String {
    let mut words = name.split(", ");
    let known = match words.next() {
        Some("select" | "insert") => words.next().and_then(|door| statement(door, counts)),
        Some("classify cold postgres") => verdict("postgres", counts),
        Some("classify cold mysql") => verdict("mysql", counts),
        Some("at rest") => at_rest(counts),
        _ => None,
    };
    known.unwrap_or_else(|| "the reason is not known: this is to be looked into.".to_owned())
}

fn statement(door: &str, counts: &Counts) -> Option<String> {
    let ours = counts.get(&format!("select, {door}"))?;
    let bare = counts.get(&format!("select, {door}, bare"))?;
    Some(format!(
        "of one SELECT by key the client executes {ours} instructions through us and {bare} \
         without, counted under callgrind; no byte more goes over the wire \
         (`benches/tests/round_trips.rs`). What else the time holds is the server's and the \
         machine's."
    ))
}

fn verdict(dialect: &str, counts: &Counts) -> Option<String> {
    let cold = counts.get(&format!("classify cold {dialect}"))?;
    let cached = counts.get(&format!("classify cached {dialect}"))?;
    Some(format!(
        "a fresh verdict takes {cold} instructions, counted under callgrind. It is made once for \
         each text; after that the cached one takes {cached}."
    ))
}

fn at_rest(counts: &Counts) -> Option<String> {
    let engine = counts.get("engine: an answer, 15")?;
    Some(format!(
        "of one answer of 15 instances the engine's part is {engine} instructions, counted under \
         callgrind; the rest is the monitors' wake-ups, and what is sent and received."
    ))
}

/// How the figures come about.
pub(super) const METHOD: &str = "
## How it is measured

* Without a server (`benches/measure`): the time in which the thread has a processor, the least of 301 rounds of about a millisecond; allocations are counted by an allocator.
* With servers (`benches`): a cluster of two PostgreSQL instances on loopback addresses, so that ours and the bare ORM read from the same one. Client and servers share one processor (`taskset`), or the scheduler's choice of places would be measured. Both work in turn, in rounds of some milliseconds, and each round of ours is compared with its neighbour.
* Instructions: `cargo xtask bench --guard` counts them under callgrind, compares them with `benches/instructions.txt`, and fails where there are 5 % more.
* After a failover: three instances, eight threads that write all the time. The probe is a session on the heir from before the fault that tries to write every millisecond; nobody can write earlier. Each fault meets a cluster of its own. The crowd of 500 begins to write when there is no writer and is counted at a proxy before the heir.
* A new connection makes one round trip more than Diesel's own: it is asked for its role and its cluster, in one message (with strace: one `sendto`, one `recvfrom`). That is the least: Diesel gives a connection away only after its own statements, and libpq gives no way to send another with them. By libpq alone on loopback, in turn with each other, the least of 250 each: 6.46 ms without, 6.57 ms with a SELECT of a constant, 6.65 ms with the question (2026-11-22).
* criterion is not used: it measures one thing to the end before the next, and compares with another run. On a machine that does other work as well that says nothing.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_made_of_counts_or_not_known() {
        let pairs = [("select, bb8", 26), ("select, bb8, bare", 25)];
        let counts = pairs.map(|(name, count)| (name.to_owned(), count)).into_iter().collect();
        let reason = of("select, bb8, 8 workers, p99", &counts);
        assert!(reason.contains("26 instructions through us and 25"), "{reason}");
        assert!(of("insert, bb8, 1 workers, median", &counts).contains("26 instructions"));
        for name in ["select, mobc, 1 workers, p99", "classify cold mysql", "route 3", ""] {
            assert!(of(name, &counts).contains("not known"), "{name}");
        }
    }
}
