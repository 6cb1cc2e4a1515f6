//! What is remembered of one name. Pure.

use std::net::IpAddr;
use std::time::{Duration, Instant};

/// A name whose answer has changed this often within [`ROTATION`] stands for several servers in
/// turn, as a reader endpoint does.
const CHANGES: usize = 3;
const ROTATION: Duration = Duration::from_secs(60);

/// The addresses of a name as last answered, and how steady the answers are.
#[derive(Debug, Default)]
pub(super) struct Memory {
    answer: Vec<IpAddr>,
    /// Since when it has been this answer.
    since: Option<Instant>,
    asked_at: Option<Instant>,
    /// When the answer changed, the last [`CHANGES`] times.
    changed_at: Vec<Instant>,
    /// The address at which somebody answered last.
    reached: Option<IpAddr>,
}

impl Memory {
    /// Takes in a fresh answer, which replaces the one before.
    pub(super) fn answered(&mut self, addresses: Vec<IpAddr>, now: Instant) {
        let same = |a: &[IpAddr], b: &[IpAddr]| a.iter().all(|ip| b.contains(ip));
        let is_same = same(&self.answer, &addresses) && same(&addresses, &self.answer);
        if !is_same && !self.answer.is_empty() {
            if self.changed_at.len() == CHANGES {
                self.changed_at.remove(0);
            }
            self.changed_at.push(now);
        }
        if !is_same {
            self.since = Some(now);
        }
        self.answer = addresses;
    }

    /// Notes at which address somebody answered.
    pub(super) fn reached(&mut self, ip: IpAddr) {
        self.reached = Some(ip);
    }

    /// The addresses in the order in which to try them: first the one that answered last, so that
    /// one of two addresses of a server is not taken for another server with every connection.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        let mut addresses = self.answer.clone();
        addresses.sort_by_key(|ip| Some(*ip) != self.reached);
        addresses
    }

    /// Notes that the question was asked, whatever becomes of it.
    pub(super) fn asked(&mut self, now: Instant) {
        self.asked_at = Some(now);
    }

    /// Whether the last question is `pause` ago, if there was one.
    pub(super) fn is_due(&self, pause: Duration, now: Instant) -> bool {
        self.asked_at.is_none_or(|at| now.saturating_duration_since(at) >= pause)
    }

    /// Whether the name has led elsewhere than to `ip` for `settled`, and not in turn.
    pub(super) fn has_left(&self, ip: IpAddr, settled: Duration, now: Instant) -> bool {
        let is_settled =
            self.since.is_some_and(|since| now.saturating_duration_since(since) >= settled);
        !self.answer.is_empty() && !self.answer.contains(&ip) && is_settled && !self.rotates(now)
    }

    fn rotates(&self, now: Instant) -> bool {
        let is_recent = |at: &&Instant| now.saturating_duration_since(**at) < ROTATION;
        self.changed_at.iter().filter(is_recent).count() >= CHANGES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_address_that_answered_is_tried_first_and_the_others_keep_their_order() {
        let mut memory = Memory::default();
        let now = Instant::now();
        memory.answered(vec![ip(1), ip(2), ip(3)], now);
        assert_eq!(memory.addresses(), [ip(1), ip(2), ip(3)]);
        memory.reached(ip(3));
        assert_eq!(memory.addresses(), [ip(3), ip(1), ip(2)]);
        memory.answered(vec![ip(4), ip(2)], now);
        assert_eq!(memory.addresses(), [ip(4), ip(2)], "what is no longer answered is not used");
    }

    #[test]
    fn a_name_has_left_an_address_when_the_answer_is_settled() {
        let mut memory = Memory::default();
        let now = Instant::now();
        memory.answered(vec![ip(1)], now);
        assert!(!memory.has_left(ip(1), secs(0), now));
        memory.answered(vec![ip(2)], now + secs(10));
        assert!(memory.has_left(ip(1), secs(0), now + secs(10)));
        assert!(!memory.has_left(ip(1), secs(5), now + secs(14)));
        memory.answered(vec![ip(2)], now + secs(15));
        assert!(memory.has_left(ip(1), secs(5), now + secs(15)));
        assert!(!memory.has_left(ip(2), secs(5), now + secs(15)));
        // In another order it is the same answer.
        memory.answered(vec![ip(2), ip(3)], now + secs(20));
        memory.answered(vec![ip(3), ip(2)], now + secs(25));
        assert!(memory.has_left(ip(1), secs(5), now + secs(25)));
        assert!(!Memory::default().has_left(ip(1), secs(0), now), "no answer, no move");
    }

    #[test]
    fn a_name_that_stands_for_several_servers_in_turn_is_not_followed() {
        let mut memory = Memory::default();
        let now = Instant::now();
        for turn in 0..4_u8 {
            memory.answered(vec![ip(turn % 2)], now + secs(5) * u32::from(turn));
        }
        let last = now + secs(15);
        assert!(!memory.has_left(ip(0), secs(0), last));
        assert!(memory.has_left(ip(0), secs(0), last + secs(60)), "it has stayed there since");
    }

    #[test]
    fn it_is_asked_again_after_a_pause() {
        let mut memory = Memory::default();
        let now = Instant::now();
        assert!(memory.is_due(secs(5), now));
        memory.asked(now);
        assert!(!memory.is_due(secs(5), now + secs(4)));
        assert!(memory.is_due(secs(5), now + secs(5)));
    }
}
