//! Nothing waits past its deadline (DESIGN 6; invariant I6, which allows 50 ms). While our process
//! stands still nothing can end; that time does not count.

use std::time::{Duration, Instant};

use super::{Finding, Invariant, Seen};

const SLACK: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Deadlines;

impl Invariant for Deadlines {
    fn name(&self) -> &'static str {
        "nothing waits past its deadline"
    }

    fn see(&mut self, _: Instant, seen: &Seen<'_>) -> Finding {
        let Seen::Waited { client, late } = seen else { return Finding::Nothing };
        Finding::check(*late <= SLACK, || {
            format!("session {client} waited {late:?} longer than it may")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_fail() {
        let see = |late| Deadlines.see(Instant::now(), &Seen::Waited { client: 1, late });
        assert_eq!(see(SLACK), Finding::Holds);
        assert!(matches!(see(SLACK * 2), Finding::Violated(_)));
    }
}
