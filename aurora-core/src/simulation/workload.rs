//! What the sessions do: single statements and transactions, careful and careless ones.

use std::collections::VecDeque;
use std::sync::LazyLock;

use super::client::Doing;
use super::log::{Told, Write};
use super::queue::Event;
use super::wire::Work;
use super::world::World;
use crate::config::Freshness;
use crate::sql::{Classification, Rules, SqlDialect, classify};

/// The texts there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sql {
    Begin,
    BeginReadOnly,
    Commit,
    /// A read, as far as its text tells, that writes.
    Function,
    Insert,
    Rollback,
    Select,
    Set,
}

const TEXTS: [&str; 8] = [
    "BEGIN",
    "BEGIN READ ONLY",
    "COMMIT",
    "SELECT place_order($1)",
    "INSERT INTO orders VALUES ($1)",
    "ROLLBACK",
    "SELECT * FROM orders",
    "SET search_path TO other",
];

static CLASSIFIED: LazyLock<[Classification; 8]> =
    LazyLock::new(|| TEXTS.map(|text| classify(SqlDialect::Postgres, text, &Rules::default())));

impl Sql {
    pub(super) fn text(self) -> &'static str {
        TEXTS[self as usize]
    }

    pub(super) fn classification(self, statements: &Statements) -> Classification {
        let class = CLASSIFIED[self as usize];
        if statements.refused[self as usize] { class.refused_by_reader() } else { class }
    }
}

/// Which texts are known to be refused by readers.
#[derive(Clone, Debug, Default)]
pub(super) struct Statements {
    refused: [bool; 8],
}

impl Statements {
    pub(super) fn remember_write(&mut self, sql: Sql) {
        self.refused[sql as usize] = true;
    }
}

/// A statement of the application's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statement {
    pub(super) sql: Sql,
    pub(super) work: Work,
    /// How many breaks its instance had counted when it was sent.
    pub(super) breaks: u64,
}

impl Statement {
    fn new(sql: Sql, work: Work) -> Self {
        Self { sql, work, breaks: 0 }
    }
}

pub(super) const ROLLBACK: Statement =
    Statement { sql: Sql::Rollback, work: Work::Rollback, breaks: 0 };

impl World {
    /// The session does the next thing.
    pub(super) fn next_statement(&mut self, client: usize) {
        if self.clients[client].job.is_empty() {
            if self.is_ending {
                return;
            }
            self.next_job(client);
        }
        if let Some(statement) = self.clients[client].job.pop_front() {
            self.begin_statement(client, statement);
        }
    }

    /// Between two statements there are small pauses, between two jobs longer ones.
    pub(super) fn rest(&mut self, client: usize) {
        let think = self.swarm.think;
        let between = if self.clients[client].job.is_empty() { think } else { think / 20 };
        let at = self.now + self.jittered(between);
        self.enter(client, Doing::Idle);
        let serial = self.clients[client].serial;
        self.queue.push(at, Event::Wake { client, serial });
    }

    fn next_job(&mut self, client: usize) {
        if self.rng.u8(..3) == 0 {
            self.check_in(client);
        }
        let freshness = self.freshness();
        let careless = self.rng.u8(..4) == 0;
        let job = match self.rng.u8(..20) {
            0..5 => VecDeque::from([self.write(Sql::Insert)]),
            5..13 => VecDeque::from([Statement::new(Sql::Select, Work::Read)]),
            13 => VecDeque::from([self.write(Sql::Function)]),
            14 => VecDeque::from([
                Statement::new(Sql::Set, Work::Set),
                Statement::new(Sql::Select, Work::Read),
                self.write(Sql::Insert),
            ]),
            15 => VecDeque::from([
                Statement::new(Sql::BeginReadOnly, Work::Begin { read_only: true }),
                Statement::new(Sql::Select, Work::Read),
                Statement::new(Sql::Select, Work::Read),
                Statement::new(Sql::Commit, Work::Commit),
            ]),
            _ => self.transaction(),
        };
        self.trade_tokens(client);
        let me = &mut self.clients[client];
        me.session.set_freshness(freshness);
        me.freshness = freshness;
        me.job = job;
        me.careless = careless;
    }

    fn transaction(&mut self) -> VecDeque<Statement> {
        let mut job =
            VecDeque::from([Statement::new(Sql::Begin, Work::Begin { read_only: false })]);
        for _ in 0..self.rng.u8(1..4) {
            job.push_back(match self.rng.u8(..10) {
                0 => Statement::new(Sql::Insert, Work::Fail),
                1..4 => Statement::new(Sql::Select, Work::Read),
                _ => self.write(Sql::Insert),
            });
        }
        let commit = Statement::new(Sql::Commit, Work::Commit);
        job.push_back(if self.rng.u8(..8) == 0 { ROLLBACK } else { commit });
        job
    }

    fn freshness(&mut self) -> Freshness {
        match self.rng.u8(..10) {
            0 => Freshness::Strong,
            1 => Freshness::Eventual,
            2 | 3 => Freshness::Bounded(std::time::Duration::from_millis(self.rng.u64(50..3000))),
            _ => Freshness::Session,
        }
    }

    fn write(&mut self, sql: Sql) -> Statement {
        self.writes.push(Write { told: Told::Nothing, records: Vec::new() });
        Statement::new(sql, Work::Write(self.writes.len() - 1))
    }

    /// The session is given back, and is another one from now on.
    fn check_in(&mut self, client: usize) {
        self.release(client);
        let me = &mut self.clients[client];
        me.session.reset();
        me.began_on = None;
        me.pending.clear();
        self.own[client] = None;
        self.tokens.continues[client] = None;
    }
}
