//! What the writes of a stack come to; pure.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::load::Log;

/// A write that lasts longer hangs, unless the observation itself is short.
const PATIENCE: Duration = Duration::from_secs(10);

/// What happened when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moments {
    /// Right before anything was done to the old writer.
    pub(crate) fault: Instant,
    /// When a direct connection had its first write acknowledged by the new writer.
    pub(crate) writer_known: Instant,
    /// The end of the observation.
    pub(crate) end: Instant,
    /// The address of the new writer.
    pub(crate) writer: IpAddr,
}

/// The result of one stack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Score {
    /// From the fault until every worker had a write acknowledged by the new writer; none if one
    /// of them had not, or hangs at the end.
    pub(crate) outage: Option<Duration>,
    /// Writes that failed.
    pub(crate) errors: u64,
    /// Those that were refused as read-only.
    pub(crate) refused: u64,
    /// Those of them that began when the new writer was known to accept writes.
    pub(crate) refused_after_writer_known: u64,
    /// Workers whose write did not end.
    pub(crate) hanging: u64,
    /// Writes that were acknowledged and are not in the database.
    pub(crate) lost: u64,
    /// Writes that are in the database more than once.
    pub(crate) duplicated: u64,
}

/// Judges a stack by the logs of its workers and by how often the database has each identifier.
pub(crate) fn score(logs: &[Log], moments: &Moments, found: &HashMap<i64, u64>) -> Score {
    let mut score = Score {
        hanging: logs.iter().filter(|log| hangs(log, moments)).count() as u64,
        duplicated: found.values().filter(|times| **times > 1).count() as u64,
        ..Score::default()
    };
    for write in logs.iter().flat_map(|log| &log.writes) {
        match &write.result {
            Ok(_) => score.lost += u64::from(!found.contains_key(&write.id)),
            Err(failure) => {
                score.errors += 1;
                score.refused += u64::from(failure.read_only);
                let late = failure.read_only && write.began > moments.writer_known;
                score.refused_after_writer_known += u64::from(late);
            }
        }
    }
    if score.hanging == 0 {
        let each = logs.iter().map(|log| recovery(log, moments));
        score.outage = each.collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max());
    }
    score
}

/// How long after the fault the new writer acknowledged a write of this worker.
///
/// Only the new writer counts: the old one may go on for a moment after the beginning of a
/// switchover.
fn recovery(log: &Log, moments: &Moments) -> Option<Duration> {
    let mut since = log.writes.iter().filter(|write| write.ended > moments.fault);
    let first = since.find(|write| write.result.as_ref() == Ok(&moments.writer))?;
    Some(first.ended - moments.fault)
}

fn hangs(log: &Log, moments: &Moments) -> bool {
    let limit = PATIENCE.min((moments.end - moments.fault) / 2);
    log.in_flight.is_some_and(|began| moments.end.saturating_duration_since(began) > limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Write;
    use crate::stacks::Failure;

    const OLD: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 1));
    const NEW: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

    /// A run with its fault after 5 s, its new writer known at 6 s, its end at 50 s.
    struct Run(Instant);

    impl Run {
        fn at(&self, millis: u64) -> Instant {
            self.0 + Duration::from_millis(millis)
        }

        fn moments(&self) -> Moments {
            Moments {
                fault: self.at(5000),
                writer_known: self.at(6000),
                end: self.at(50_000),
                writer: NEW,
            }
        }

        fn write(&self, id: i64, from: u64, to: u64, result: Result<IpAddr, Failure>) -> Write {
            Write { id, began: self.at(from), ended: self.at(to), result }
        }

        fn score(&self, logs: &[Log], found: &[(i64, u64)]) -> Score {
            score(logs, &self.moments(), &found.iter().copied().collect())
        }
    }

    fn failed(read_only: bool) -> Result<IpAddr, Failure> {
        Err(Failure { read_only, message: String::new() })
    }

    fn log(writes: Vec<Write>) -> Log {
        Log { writes, in_flight: None }
    }

    #[test]
    fn the_outage_lasts_until_the_last_worker_writes_to_the_new_writer() {
        let run = Run(Instant::now());
        // The old writer still answers after the beginning of a switchover.
        let first = log(vec![
            run.write(1, 4000, 4001, Ok(OLD)),
            run.write(2, 5001, 5010, Ok(OLD)),
            run.write(3, 5020, 5600, failed(false)),
            run.write(4, 5610, 5700, Ok(NEW)),
            run.write(5, 9000, 9001, Ok(NEW)),
        ]);
        let second = log(vec![run.write(6, 4999, 5650, Ok(NEW))]);
        let found = [(1, 1), (2, 1), (4, 1), (5, 1), (6, 1)];
        let score = run.score(&[first, second], &found);
        let expected =
            Score { outage: Some(Duration::from_millis(700)), errors: 1, ..Score::default() };
        assert_eq!(score, expected);
    }

    #[test]
    fn a_worker_that_never_writes_to_the_new_writer_makes_the_outage_endless() {
        let run = Run(Instant::now());
        let good = log(vec![run.write(1, 6000, 6001, Ok(NEW))]);
        let stuck = log(vec![run.write(2, 4000, 4001, Ok(OLD))]);
        let score = run.score(&[good, stuck], &[(1, 1), (2, 1)]);
        assert_eq!(score, Score::default());
    }

    #[test]
    fn refusals_are_late_only_if_they_began_when_the_writer_was_known() {
        let run = Run(Instant::now());
        let refused = log(vec![
            run.write(1, 5900, 6100, failed(true)),
            run.write(2, 6001, 6002, failed(true)),
            run.write(3, 6003, 6004, failed(false)),
        ]);
        let score = run.score(&[refused], &[]);
        assert_eq!((score.errors, score.refused, score.refused_after_writer_known), (3, 2, 1));
    }

    #[test]
    fn a_worker_hangs_whose_write_is_in_flight_for_more_than_ten_seconds() {
        let run = Run(Instant::now());
        let waiting = |since| Log {
            writes: vec![run.write(since as i64, 6000, 6001, Ok(NEW))],
            in_flight: Some(run.at(since)),
        };
        let patient = run.score(&[waiting(40_000)], &[(40_000, 1)]);
        assert_eq!((patient.hanging, patient.outage), (0, Some(Duration::from_millis(1001))));
        let hanging = run.score(&[waiting(40_000), waiting(39_999)], &[]);
        assert_eq!((hanging.hanging, hanging.outage), (1, None));
        // In a short run half of the observation is enough.
        let moments = Moments { end: run.at(17_000), ..run.moments() };
        let short = score(&[waiting(10_999), waiting(11_000)], &moments, &HashMap::new());
        assert_eq!(short.hanging, 1);
    }

    #[test]
    fn the_ledger_tells_lost_and_duplicated_writes_from_unknown_ones() {
        let run = Run(Instant::now());
        let writes = log(vec![
            run.write(1, 1, 2, Ok(OLD)),
            run.write(2, 3, 4, Ok(OLD)),
            run.write(3, 5, 6, Ok(OLD)),
            run.write(4, 7, 8, failed(false)),
            run.write(5, 9, 10, failed(false)),
        ]);
        // 2 is lost; 3 and 4 are there twice; 4 and 5 failed, with and without effect.
        let score = run.score(&[writes], &[(1, 1), (3, 2), (4, 2)]);
        assert_eq!((score.lost, score.duplicated, score.errors), (1, 2, 2));
    }
}
