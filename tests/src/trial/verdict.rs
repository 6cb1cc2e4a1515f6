//! What a fault may cost; pure.

use std::time::{Duration, Instant};

use crate::load::{Operation, Score};

/// What a fault may cost the load; whatever else fails is a problem.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Allowed {
    errors: usize,
    reads: bool,
    refusals: bool,
}

impl Allowed {
    /// So many errors of each worker that writes, and no read that fails.
    pub const fn errors(errors: usize) -> Self {
        Self { errors, reads: false, refusals: false }
    }

    /// Reads may fail, too.
    pub const fn and_reads(self) -> Self {
        Self { reads: true, ..self }
    }

    /// Writes may be refused as read-only, until the new writer is known.
    pub const fn and_refusals(self) -> Self {
        Self { refusals: true, ..self }
    }

    /// The promises that were broken, in words.
    #[must_use]
    pub fn problems(&self, score: &Score, deadline: Duration) -> Vec<String> {
        let none = [
            (score.lost, "acknowledged writes are lost"),
            (score.duplicated, "rows are there twice, or were written by nobody"),
            (score.wrong, "errors are wrong about the outcome"),
            (score.torn, "transactions are torn"),
            (if self.refusals { 0 } else { score.refused }, "writes were refused as read-only"),
            (score.refused_late, "of them when the new writer was known"),
            (score.strange, "failures are of another kind"),
            (if self.reads { 0 } else { score.failed_reads }, "reads failed"),
            (usize::from(score.longest > deadline), "operation took longer than its deadline"),
        ];
        let broken = none.iter().filter(|(count, _)| *count > 0);
        let mut problems: Vec<_> = broken.map(|(count, what)| format!("{count} {what}")).collect();
        if score.most_errors > self.errors {
            let (seen, most) = (score.most_errors, self.errors);
            problems.push(format!("a worker saw {seen} errors, not {most} at most"));
        }
        problems
    }
}

/// Operations that began after everything was well again, and failed.
pub(super) fn failed_since(operations: &[Operation], healed: Instant) -> Option<String> {
    let late = |operation: &&Operation| operation.began > healed && operation.failure.is_some();
    let count = operations.iter().filter(late).count();
    (count > 0).then(|| format!("{count} operations failed after everything was well again"))
}

/// Errors that show the password.
pub(super) fn secrets(operations: &[Operation]) -> Option<String> {
    let shows = |operation: &&Operation| {
        let failure = operation.failure.as_ref();
        failure.is_some_and(|failure| failure.text.contains(test_kit::PASSWORD))
    };
    operations.iter().find(shows).map(|_| "an error shows the password".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(5);

    #[test]
    fn what_is_not_allowed_is_a_problem() {
        let clean = Score { acknowledged: 9, errors: 4, most_errors: 2, ..Score::default() };
        assert!(Allowed::errors(2).problems(&clean, DEADLINE).is_empty());
        assert_eq!(Allowed::errors(1).problems(&clean, DEADLINE).len(), 1);
        let longest = Duration::from_secs(6);
        for broken in [
            Score { lost: 1, ..clean },
            Score { duplicated: 1, ..clean },
            Score { wrong: 1, ..clean },
            Score { torn: 1, ..clean },
            Score { refused: 1, ..clean },
            Score { refused_late: 1, ..clean },
            Score { strange: 1, ..clean },
            Score { failed_reads: 1, ..clean },
            Score { longest, ..clean },
        ] {
            assert_eq!(Allowed::errors(2).problems(&broken, DEADLINE).len(), 1, "{broken:?}");
        }
        let reads = Score { failed_reads: 1, ..clean };
        assert!(Allowed::errors(2).and_reads().problems(&reads, DEADLINE).is_empty());
        let refused = Score { refused: 1, ..clean };
        assert!(Allowed::errors(2).and_refusals().problems(&refused, DEADLINE).is_empty());
    }
}
