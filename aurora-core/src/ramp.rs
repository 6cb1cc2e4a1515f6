//! How fast new connections to one instance may be opened; pure, time is an argument.
//!
//! Two limits, and a memory. The rate: after a failover every pool of a program wants its
//! connections back at the same moment, and a server starts a process for each. How many are under
//! way at once: an instance that does not answer is found out by few. And after a failed connect
//! the next one is tried alone, after a pause that grows; each one that succeeds then doubles how
//! many may be under way.
//!
//! Every epoch of an instance begins with one as well: where eight log in at the same time, the
//! first of them is done when nearly all are, and those who wait are soon served by what is open.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::error::ErrorKind;

/// How many connects may be under way at once, and how many of the rate may go at once.
pub(crate) const AT_ONCE: u32 = 8;

/// The first pause after a failed connect, and the longest.
const PAUSE: Duration = Duration::from_millis(20);
/// The first one when the server has no slot left: it is somebody else's turn to make room.
const PAUSE_FULL: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long the first ones of an epoch hold up the others; a login that takes longer is not waited
/// for.
const FIRST_FEW: Duration = Duration::from_millis(100);

/// How fast connections to one instance are opened.
#[derive(Debug)]
pub(crate) struct Ramp {
    /// Until when the connects admitted so far use up the rate (GCRA: the theoretical arrival time
    /// of the next one).
    used_up_to: Option<Instant>,
    /// What is told of an earlier epoch of the instance says nothing about this one.
    epoch: u64,
    /// Rises with every failure: what began before it is no news after it.
    round: u64,
    under_way: u32,
    /// How many may be: until the first of the epoch are open, and after a failure.
    at_once: u32,
    few_until: Option<Instant>,
    failures: u32,
    not_before: Option<Instant>,
    last_failure: Option<ErrorKind>,
}

/// Whether somebody may connect.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Now(Pass),
    /// Not before that moment.
    At(Instant),
    /// When another connect has ended, or at that moment if there is one.
    AfterAnother(Option<Instant>),
}

/// A connect that was admitted; [`Ramp::end`] takes it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pass {
    epoch: u64,
    round: u64,
}

/// What became of a connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was given up, or says nothing about the instance.
    Unknown,
    Failed(ErrorKind),
    Opened,
}

impl Ramp {
    pub(crate) fn new() -> Self {
        Self {
            used_up_to: None,
            epoch: 0,
            round: 0,
            under_way: 0,
            at_once: u32::MAX,
            few_until: None,
            failures: 0,
            not_before: None,
            last_failure: None,
        }
    }

    /// Asks to connect at `now` to the instance in `epoch`, at most `rate` times a second.
    pub(crate) fn admit(
        &mut self,
        rate: Option<NonZeroU32>,
        epoch: u64,
        now: Instant,
    ) -> Admission {
        if epoch > self.epoch {
            self.begin(epoch, now);
        }
        if self.few_until.is_some_and(|until| rate.is_none() || until <= now) {
            self.widen();
        }
        let most = rate.map_or(u32::MAX, |_| AT_ONCE);
        if self.under_way >= self.at_once.min(most) {
            return Admission::AfterAnother(self.few_until);
        }
        if let Some(at) = self.not_before.filter(|at| *at > now) {
            return Admission::At(at);
        }
        if let Some(at) = rate.and_then(|rate| self.use_up(rate, now)) {
            return Admission::At(at);
        }
        self.under_way += 1;
        Admission::Now(Pass { epoch: self.epoch, round: self.round })
    }

    /// Counts one of the rate; if it is used up, says until when.
    fn use_up(&mut self, rate: NonZeroU32, now: Instant) -> Option<Instant> {
        let interval = Duration::from_secs(1) / rate.get();
        let ahead = interval * (rate.get().min(AT_ONCE) - 1);
        let used = self.used_up_to.map_or(now, |used| used.max(now));
        if used > now + ahead {
            return Some(used - ahead);
        }
        self.used_up_to = Some(used + interval);
        None
    }

    /// Nothing is known of the instance in this epoch; the rate goes on.
    fn begin(&mut self, epoch: u64, now: Instant) {
        let (used_up_to, round) = (self.used_up_to, self.round + 1);
        *self = Self { used_up_to, epoch, round, ..Self::new() };
        self.at_once = 1;
        self.few_until = Some(now + FIRST_FEW);
    }

    fn widen(&mut self) {
        self.at_once = u32::MAX;
        self.few_until = None;
    }

    /// Notes what became of a connect.
    pub(crate) fn end(&mut self, pass: Pass, end: End, now: Instant) {
        if pass.epoch != self.epoch {
            return;
        }
        self.under_way = self.under_way.saturating_sub(1);
        if pass.round != self.round {
            return;
        }
        match end {
            End::Unknown => {}
            End::Failed(kind) => self.failed(kind, now),
            End::Opened => {
                self.failures = 0;
                self.not_before = None;
                self.at_once = self.at_once.saturating_mul(2);
                if self.at_once >= AT_ONCE {
                    self.widen();
                    self.last_failure = None;
                }
            }
        }
    }

    fn failed(&mut self, kind: ErrorKind, now: Instant) {
        let first = if kind == ErrorKind::TooManyConnections { PAUSE_FULL } else { PAUSE };
        let pause = first.saturating_mul(2_u32.saturating_pow(self.failures));
        self.not_before = Some(now + pause.min(LONGEST_PAUSE));
        self.failures = self.failures.saturating_add(1);
        self.round += 1;
        self.at_once = 1;
        self.few_until = None;
        self.last_failure = Some(kind);
    }

    /// Whether the instance in `epoch` is left alone after a failed connect.
    pub(crate) fn rests(&self, epoch: u64, now: Instant) -> bool {
        self.epoch == epoch && self.not_before.is_some_and(|at| at > now)
    }

    /// What went wrong with the last connect that failed, until connects are well again.
    pub(crate) fn last_failure(&self) -> Option<ErrorKind> {
        self.last_failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(n: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(n)
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn pass(admission: &Admission) -> Pass {
        match admission {
            Admission::Now(pass) => *pass,
            Admission::At(_) | Admission::AfterAnother(_) => panic!("{admission:?}"),
        }
    }

    /// When a crowd that tries every millisecond gets its connects through, each taking `took`.
    fn crowd(rate: Option<NonZeroU32>, took: Duration, span: Duration) -> Vec<Instant> {
        let (mut ramp, mut open, mut admitted) = (Ramp::new(), Vec::new(), Vec::new());
        let start = Instant::now();
        for tick in 0..u64::try_from(span.as_millis()).unwrap() {
            let now = start + ms(tick);
            open.retain(|(pass, at)| {
                let ends = *at + took <= now;
                if ends {
                    ramp.end(*pass, End::Opened, now);
                }
                !ends
            });
            while let Admission::Now(pass) = ramp.admit(rate, 1, now) {
                open.push((pass, now));
                admitted.push(now);
            }
        }
        admitted
    }

    #[test]
    fn a_crowd_gets_a_burst_and_then_the_rate() {
        for per_second in [1, 5, 8, 50, 100] {
            let admitted = crowd(rate(per_second), ms(5), Duration::from_secs(5));
            let burst = per_second.min(AT_ONCE) as usize;
            // One first, and when it is open two, then four.
            let begins = [0, 5, 5, 10, 10, 10, 10].into_iter().take(burst);
            assert!(admitted.iter().zip(begins).all(|(at, begin)| *at == admitted[0] + ms(begin)));
            for (index, at) in admitted.iter().enumerate() {
                let within = admitted[index..].iter().take_while(|other| **other < *at + ms(1000));
                let within = within.count();
                assert!(within <= per_second as usize + burst, "{within} of {per_second}");
            }
            let all = 5 * per_second as usize;
            assert!((all..=all + burst).contains(&admitted.len()), "{}", admitted.len());
        }
    }

    #[test]
    fn few_are_under_way_at_once() {
        let silent = crowd(rate(1000), Duration::from_secs(9), Duration::from_secs(5));
        assert_eq!(silent.len(), AT_ONCE as usize);
        let now = Instant::now();
        let mut ramp = Ramp::new();
        pass(&ramp.admit(rate(1000), 1, now));
        assert!((0..5000).all(|_| matches!(ramp.admit(None, 1, now), Admission::Now(_))));
    }

    #[test]
    fn a_login_that_takes_long_holds_nobody_up() {
        let (mut ramp, start) = (Ramp::new(), Instant::now());
        for (epoch, begin) in [(1, start), (2, start + ms(500))] {
            let begun = pass(&ramp.admit(rate(1000), epoch, begin));
            let until = begin + FIRST_FEW;
            let before = until - ms(1);
            assert_eq!(ramp.admit(rate(1000), epoch, before), Admission::AfterAnother(Some(until)));
            let more = (0..20).map_while(|_| match ramp.admit(rate(1000), epoch, until) {
                Admission::Now(pass) => Some(pass),
                Admission::At(_) | Admission::AfterAnother(_) => None,
            });
            assert_eq!(more.count(), AT_ONCE as usize - 1);
            assert_eq!(ramp.admit(rate(1000), epoch, until), Admission::AfterAnother(None));
            ramp.end(begun, End::Failed(ErrorKind::ConnectionLost), until);
            assert!(ramp.rests(epoch, until), "what fails after all is a failure as ever");
        }
    }

    #[test]
    fn after_a_failure_one_at_a_time_tries_and_successes_double_that() {
        let (mut ramp, start) = (Ramp::new(), Instant::now());
        let first: Vec<_> = (0..8).map(|_| pass(&ramp.admit(None, 1, start))).collect();
        let lost = End::Failed(ErrorKind::ConnectionLost);
        for pass in &first {
            ramp.end(*pass, lost, start);
        }
        assert!(ramp.rests(1, start));
        // One failure, as they all began before it.
        assert_eq!(ramp.admit(None, 1, start), Admission::At(start + ms(20)));
        let now = start + ms(20);
        let trial = pass(&ramp.admit(None, 1, now));
        assert_eq!(ramp.admit(None, 1, now), Admission::AfterAnother(None));
        ramp.end(trial, lost, now);
        assert_eq!(ramp.admit(None, 1, now), Admission::At(now + ms(40)));
        let mut now = now + ms(40);
        let mut widths = Vec::new();
        while widths.len() < 4 {
            now += ms(1);
            let mut passes = Vec::new();
            while let Admission::Now(pass) = ramp.admit(rate(1000), 1, now) {
                passes.push(pass);
            }
            widths.push(passes.len());
            ramp.end(passes[0], End::Opened, now);
            passes[1..].iter().for_each(|pass| ramp.end(*pass, End::Unknown, now));
            now += ms(100);
        }
        assert_eq!((widths, ramp.last_failure()), (vec![1, 2, 4, 8], None));
    }

    #[test]
    fn pauses_grow_to_a_second_and_a_new_epoch_knows_nothing_of_them() {
        let (mut ramp, mut now) = (Ramp::new(), Instant::now());
        let full = End::Failed(ErrorKind::TooManyConnections);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let trial = pass(&ramp.admit(rate(100), 7, now));
            ramp.end(trial, full, now);
            let Admission::At(at) = ramp.admit(rate(100), 7, now) else { panic!("{ramp:?}") };
            pauses.push(at - now);
            now = at;
        }
        assert_eq!(pauses, [ms(100), ms(200), ms(400), ms(800), ms(1000), ms(1000)]);
        let late = pass(&ramp.admit(rate(100), 7, now));
        let other = pass(&ramp.admit(rate(100), 8, now));
        ramp.end(late, full, now);
        assert!(!ramp.rests(8, now));
        ramp.end(other, End::Opened, now);
        assert_eq!(ramp.last_failure(), None);
    }

    #[test]
    fn who_gives_up_leaves_nothing_behind() {
        let (mut ramp, now) = (Ramp::new(), Instant::now());
        for _ in 0..1000 {
            let pass = pass(&ramp.admit(None, 1, now));
            ramp.end(pass, End::Unknown, now);
        }
        assert_eq!((ramp.under_way, ramp.last_failure()), (0, None));
    }
}
