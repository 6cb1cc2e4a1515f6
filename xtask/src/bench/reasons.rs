//! What is known where a target is missed: only what was counted or measured.

use serde_json::Value;

use super::guard::Counts;

/// Why a figure of that name is what it is, by the others and by what the client executes, out of
/// `benches/instructions.txt`.
pub(super) fn of(name: &str, figures: &[Value], counts: &Counts) -> String {
    let mut words = name.split(", ");
    let known = match words.next() {
        Some("select" | "insert") => words.next().and_then(|door| statement(door, figures, counts)),
        Some("classify cold postgres" | "classify cached postgres") => verdict("postgres", counts),
        Some("classify cold mysql" | "classify cached mysql") => verdict("mysql", counts),
        Some("at rest") => at_rest(name, figures, counts),
        Some(fault) if fault.starts_with("after a ") => failover(figures),
        _ => None,
    };
    known.unwrap_or_else(|| "the reason is not known: this is to be looked into.".to_owned())
}

fn named<'a>(name: &str, figures: &'a [Value]) -> Option<&'a Value> {
    figures.iter().find(|figure| figure["name"] == name)
}

fn statement(door: &str, figures: &[Value], counts: &Counts) -> Option<String> {
    let ours = counts.get(&format!("select, {door}"))?;
    let bare = counts.get(&format!("select, {door}, bare"))?;
    let alone = named(&format!("select, {door}, 1 workers, median"), figures)?;
    let later = alone["ours"].as_f64()? - alone["baseline"].as_f64()?;
    let (least, most) = apart(door, figures)?;
    Some(format!(
        "with one worker a SELECT by key takes {later:.2} µs more than through the bare pool. \
         The client executes {ours} instructions for it through us and {bare} without, counted \
         under callgrind, and no byte more goes over the wire (`benches/tests/round_trips.rs`). \
         Here there is no network, and client and server have one processor in turn: two readings \
         of the clock (deadline and latency), some atomic counters, and what the server has driven \
         out of the caches meanwhile are all that is left, and to be seen. Two bare pools in turn \
         with each other had ratios of {least:.3} to {most:.3} in this run: less than that cannot \
         be told apart."
    ))
}

/// The least and the largest ratio of two bare pools.
fn apart(door: &str, figures: &[Value]) -> Option<(f64, f64)> {
    let ratios = figures.iter().filter_map(|figure| {
        let name = figure["name"].as_str()?.strip_suffix(": bare twice")?;
        figure["ratio"].as_f64().filter(|_| name.split(", ").nth(1) == Some(door))
    });
    ratios.fold(None, |range, ratio| {
        let (least, most) = range.unwrap_or((ratio, ratio));
        Some((ratio.min(least), ratio.max(most)))
    })
}

fn failover(figures: &[Value]) -> Option<String> {
    let connect = named("connect, Diesel", figures)?["ours"].as_f64()? / 1e3;
    Some(format!(
        "the probe has a session on the heir from before. We ask the heir every 10 ms \
         (`failover_interval`), so that we know half of that later on the average, and meet it with \
         a new connection: one by itself takes {connect:.1} ms here, where client, servers and the \
         promotion share two processors. To ask more often would fall upon the new writer from every \
         process there is."
    ))
}

fn verdict(dialect: &str, counts: &Counts) -> Option<String> {
    let cold = counts.get(&format!("classify cold {dialect}"))?;
    let cached = counts.get(&format!("classify cached {dialect}"))?;
    Some(format!(
        "a fresh verdict takes {cold} instructions, once for each text, and after that the cached \
         one {cached}, counted under callgrind. What time that is depends on what else the host of \
         this virtual machine does: on 2026-11-22 it was 277 and 26 ns in the morning, and 347 and \
         32 ns two hours later."
    ))
}

fn at_rest(name: &str, figures: &[Value], counts: &Counts) -> Option<String> {
    let engine = counts.get("engine: an answer, 15")?;
    let bare = named(name, figures)?["baseline"].as_f64()?;
    Some(format!(
        "{bare:.1} s of it are what a client takes that asks all instances the least there is to \
         ask, as often, and does nothing with the answers: to send, to be woken and to receive, \
         with caches that fifteen servers on the same two processors have filled meanwhile. Both \
         move with what else the host of this virtual machine does (in one day ours 3.9 to 6.0 s, \
         that client 1.9 to 3.2 s, ours 1.8 to 2.1 times as much). Of one answer the engine's part \
         is {engine} instructions, counted under callgrind; the rest is to read what the servers \
         tell of themselves and of each other, and tokio's timers, whose wheel wakes the thread two \
         or three times in one pause and which write to its wake-up descriptor for each probe \
         (strace)."
    ))
}

/// How the figures come about.
pub(super) const METHOD: &str = "
## How it is measured

* Without a server (`benches/measure`): the time in which the thread has a processor, the least of 301 rounds of about a millisecond; allocations are counted by an allocator.
* With servers (`benches`): a cluster of two PostgreSQL instances on loopback addresses, so that ours and the bare ORM read from the same one. Client and servers share one processor (`taskset`), or the scheduler's choice of places would be measured. Ours and two bare pools work in turn, in rounds of some milliseconds, once ours has as many connections as it needs; the second bare pool tells how far apart two are that do not differ. The first statement of each round runs with caches that the other two have filled, and is told apart (`first of a round`): with one worker these alone would be much of the slowest hundredth.
* Instructions: `cargo xtask bench --guard` counts them under callgrind, compares them with `benches/instructions.txt`, and fails where there are 5 % more.
* After a failover: three instances, eight threads that write all the time. The probe is a session on the heir from before the fault that tries to write every millisecond; nobody can write earlier. Each fault meets a cluster of its own. The crowd of 500 begins to write when there is no writer and is counted at a proxy before the heir.
* At rest: processor time of the monitor's thread, from twenty seconds after the start, the least of five windows of eight seconds; the bare client likewise.
* A new connection makes one round trip more than Diesel's own: it is asked for its role and its cluster, in one message (with strace: one `sendto`, one `recvfrom`). That is the least: Diesel gives a connection away only after its own statements, and libpq gives no way to send another with them. By libpq alone on loopback, in turn with each other, the least of 250 each: 6.46 ms without, 6.57 ms with a SELECT of a constant, 6.65 ms with the question (2026-11-22).
* criterion is not used: it measures one thing to the end before the next, and compares with another run. On a machine that does other work as well that says nothing.
";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reason_is_made_of_counts_or_not_known() {
        let pairs = [("select, bb8", 26), ("select, bb8, bare", 25), ("select, mobc", 7)];
        let counts = pairs.map(|(name, count)| (name.to_owned(), count)).into_iter().collect();
        let figure = |name: &str, ours: f64, baseline: f64| json!({"name": name, "ours": ours, "baseline": baseline, "ratio": ours / baseline});
        let figures = [
            figure("select, bb8, 1 workers, median", 17.25, 17.0),
            figure("select, bb8, 1 workers, median: bare twice", 9.9, 10.0),
            figure("insert, bb8, 8 workers, p99: bare twice", 10.4, 10.0),
            figure("insert, deadpool, 8 workers, p99: bare twice", 20.0, 10.0),
        ];
        let reason = of("insert, bb8, 8 workers, p99", &figures, &counts);
        assert!(reason.contains("0.25 µs more"), "{reason}");
        assert!(reason.contains("26 instructions for it through us and 25"), "{reason}");
        assert!(reason.contains("0.990 to 1.040"), "{reason}");
        assert!(of("after a kill, bb8: later", &figures, &counts).contains("not known"));
        let figures = [figure("connect, Diesel", 6500.0, 6000.0)];
        let reason = of("after a kill, bb8: later than a probe, median", &figures, &counts);
        assert!(reason.contains("takes 6.5 ms"), "{reason}");
        for name in ["select, mobc, 1 workers, p99", "classify cold mysql", "route 3", ""] {
            assert!(of(name, &figures, &counts).contains("not known"), "{name}");
        }
    }
}
