//! An hour of a process whose password is changed every minute, at random moments, while it
//! connects all the time; in virtual time, for many seeds.

use super::*;

/// How a rotation goes: which of the two is changed first, and how much later the other.
#[derive(Clone, Copy, Debug)]
enum Order {
    Together,
    ServerFirst(Duration),
    SourceFirst(Duration),
}

/// A server, a source, and a process between them.
struct Hour {
    world: World,
    begin: Instant,
    random: fastrand::Rng,
    at_server: u32,
    at_source: u32,
    /// When the one or the other is changed next: the moment, and whether it is the server's.
    changes: Vec<(Instant, bool)>,
    /// The answer that is under way: when it comes, and what it will be.
    answer: Option<(Instant, u32)>,
    fetches: u32,
    failed: u32,
    longest_wait: Duration,
}

impl Hour {
    fn new(seed: u64, order: Order) -> Self {
        let world = World::new(WINDOW);
        let begin = world.now;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut changes = Vec::new();
        for minute in 0..60 {
            let at = begin + seconds(minute * 60) + Duration::from_millis(random.u64(1000..50_000));
            let (server, source) = match order {
                Order::Together => (at, at),
                Order::ServerFirst(later) => (at, at + later),
                Order::SourceFirst(later) => (at + later, at),
            };
            changes.extend([(server, true), (source, false)]);
        }
        // What happens together is told to the source first.
        changes.sort_by_key(|(at, is_server)| (*at, *is_server));
        Self {
            world,
            begin,
            random,
            at_server: 0,
            at_source: 0,
            changes,
            answer: None,
            fetches: 0,
            failed: 0,
            longest_wait: Duration::ZERO,
        }
    }

    /// Lets time pass until `at`: rotations, and the source's answer.
    fn pass(&mut self, at: Instant) {
        loop {
            let change = self.changes.first().map(|(at, _)| *at).filter(|next| *next <= at);
            let answer = self.answer.map(|(at, _)| at).filter(|next| *next <= at);
            match (change, answer) {
                (Some(change), answer) if answer.is_none_or(|answer| change <= answer) => {
                    let (_, is_server) = self.changes.remove(0);
                    if is_server { self.at_server += 1 } else { self.at_source += 1 }
                }
                (_, Some(_)) => self.answered(),
                (_, None) => break,
            }
        }
        self.world.now = at;
    }

    fn answered(&mut self) {
        let Some((at, version)) = self.answer.take() else { return };
        let credentials = Credentials::new(version.to_string());
        self.world.cache.fetched(at, Ok(credentials));
    }

    /// One connect, with as many logins as the cache offers.
    fn connect(&mut self) {
        let began = self.world.now;
        loop {
            let (look, begins) = self.world.look();
            if begins {
                self.fetches += 1;
                let takes = Duration::from_millis(self.random.u64(5..200));
                self.answer = Some((self.world.now + takes, self.at_source));
            }
            match look {
                Look::Use { credentials, serial } => {
                    // The login is on its way.
                    let takes = Duration::from_millis(self.random.u64(1..20));
                    self.pass(self.world.now + takes);
                    if credentials.password().expose() == self.at_server.to_string() {
                        self.world.cache.accepted(serial);
                        break;
                    }
                    self.world.cache.refused(self.world.now, serial, "wrong");
                }
                Look::Wait(until) => {
                    let next = until.into_iter().chain(self.answer.map(|(at, _)| at)).min();
                    self.pass(next.expect("something to wait for"));
                }
                Look::Fail(_) => {
                    self.failed += 1;
                    break;
                }
            }
        }
        self.longest_wait = self.longest_wait.max(self.world.now - began);
    }

    fn live(mut self) -> Self {
        let end = self.begin + seconds(3600);
        while self.world.now < end {
            self.connect();
            let pause = Duration::from_millis(self.random.u64(1..500));
            self.pass(self.world.now + pause);
        }
        assert_eq!((self.at_server, self.at_source), (60, 60), "all rotations happened");
        self
    }
}

#[test]
fn sixty_rotations_in_an_hour_fail_no_connect_and_cost_one_fetch_each() {
    for seed in 0..50 {
        let hour = Hour::new(seed, Order::Together).live();
        assert_eq!(hour.failed, 0, "seed {seed}");
        // The first one is for the password of the beginning.
        assert!(hour.fetches <= 61, "seed {seed}: {} fetches", hour.fetches);
        assert!(hour.longest_wait < seconds(1), "seed {seed}: {:?}", hour.longest_wait);
    }
}

#[test]
fn a_server_that_is_ahead_delays_connects_and_fails_none() {
    for seed in 0..50 {
        let hour = Hour::new(seed, Order::ServerFirst(seconds(5))).live();
        assert_eq!(hour.failed, 0, "seed {seed}");
        // At 0, 1, 3 and 7 s after the refusal.
        assert!(hour.fetches <= 1 + 60 * 4, "seed {seed}: {} fetches", hour.fetches);
        assert!(hour.longest_wait < seconds(8), "seed {seed}: {:?}", hour.longest_wait);
    }
}

#[test]
fn a_server_that_is_behind_is_not_noticed() {
    for seed in 0..50 {
        let hour = Hour::new(seed, Order::SourceFirst(seconds(5))).live();
        assert_eq!(hour.failed, 0, "seed {seed}");
        assert!(hour.fetches <= 61, "seed {seed}: {} fetches", hour.fetches);
        assert!(hour.longest_wait < seconds(1), "seed {seed}: {:?}", hour.longest_wait);
    }
}
