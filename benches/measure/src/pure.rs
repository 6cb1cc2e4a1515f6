//! What is measured without any server, by the clock (`benches/pure.rs`) and in instructions
//! (`benches/instructions.rs`): the same work for both.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aurora_core::benching::{self, Life};
use aurora_core::session::Session;
use aurora_core::sql::{Rules, SqlDialect, StatementCache, classify};
use aurora_core::{Cluster, Deadline, Error, Freshness, Lease, Need};

/// What Diesel renders for a filter by two columns: 143 bytes.
pub const SELECT: &str = "SELECT \"users\".\"id\", \"users\".\"name\", \"users\".\"hair_color\" FROM \"users\" \
                          WHERE ((\"users\".\"id\" = $1) AND (\"users\".\"name\" = $2)) LIMIT $3 OFFSET $4";

/// The same as SeaORM and Diesel render it for MySQL: 139 bytes.
pub const MYSQL_SELECT: &str = "SELECT `users`.`id`, `users`.`name`, `users`.`hair_color` FROM `users` \
                                WHERE ((`users`.`id` = ?) AND (`users`.`name` = ?)) LIMIT ? OFFSET ?";

/// Does its work that many times.
pub type Work = Box<dyn FnMut(u32)>;

/// One piece of work, and what one time of it should take at most.
#[allow(missing_debug_implementations, reason = "work cannot be shown")]
pub struct Piece {
    /// What it is called.
    pub name: String,
    /// What it should take.
    pub goal: Option<Duration>,
    /// How often it is done in one round: about a millisecond's worth.
    pub operations: u32,
    begin: Box<dyn Fn() -> Result<Work, Error>>,
}

impl Piece {
    fn new(
        name: impl Into<String>,
        operations: u32,
        begin: impl Fn() -> Result<Work, Error> + 'static,
    ) -> Self {
        Self { name: name.into(), goal: None, operations, begin: Box::new(begin) }
    }

    fn within(self, nanos: u64) -> Self {
        Self { goal: Some(Duration::from_nanos(nanos)), ..self }
    }

    /// Sets up what the work needs.
    ///
    /// # Errors
    ///
    /// When the background runtime cannot be started.
    pub fn begin(&self) -> Result<Work, Error> {
        (self.begin)()
    }
}

/// Work that is done one time after the other.
#[allow(clippy::unnecessary_wraps, reason = "it is the end of what may fail")]
fn work(mut once: impl FnMut() + 'static) -> Result<Work, Error> {
    Ok(Box::new(move |count| (0..count).for_each(|_| once())))
}

/// All of it.
#[must_use]
pub fn pieces() -> Vec<Piece> {
    let mut all = Vec::new();
    for (dialect, sql) in [(SqlDialect::Postgres, SELECT), (SqlDialect::MySql, MYSQL_SELECT)] {
        all.extend(verdicts(dialect, sql));
    }
    for instances in [1, 3, 15, 100] {
        all.extend(decisions(instances));
    }
    all.push(Piece::new("store: take and put", 10_000, checkout));
    for instances in [3, 15, 100] {
        all.extend(engine(instances));
    }
    all
}

fn verdicts(dialect: SqlDialect, sql: &'static str) -> [Piece; 2] {
    let cold = Piece::new(format!("classify cold {dialect}"), 3_000, move || {
        let rules = Rules::default();
        work(move || {
            black_box(classify(dialect, black_box(sql), &rules));
        })
    });
    let cached = Piece::new(format!("classify cached {dialect}"), 30_000, move || {
        let (cache, rules) = (StatementCache::new(dialect, 1024), Rules::default());
        work(move || {
            black_box(cache.classify(black_box(sql), &rules));
        })
    });
    [cold.within(300), cached.within(30)]
}

/// Routing alone, and with the verdict, among that many instances.
fn decisions(instances: u16) -> [Piece; 3] {
    let route = Piece::new(format!("route {instances}"), 30_000, move || {
        let (cluster, read) =
            (benching::still_cluster(instances)?, Need::Read { fresh_as_of: None });
        work(move || {
            let topology = cluster.snapshot();
            black_box(cluster.route(&topology, black_box(read)));
        })
    });
    let decision = Piece::new(format!("route and verdict {instances}"), 10_000, move || {
        let cluster = benching::still_cluster(instances)?;
        let session = Session::new(Freshness::Eventual);
        work(move || decide(&cluster, &session))
    });
    let staying =
        Piece::new(format!("route and verdict {instances}, session"), 10_000, move || {
            let cluster = benching::still_cluster(instances)?;
            let session = settled_session(&cluster);
            work(move || decide(&cluster, &session))
        });
    [route, decision.within(100), staying.within(100)]
}

/// Everything that is decided about a statement whose verdict is cached.
pub fn decide(cluster: &Cluster, session: &Session) {
    let classification = cluster.classify(black_box(SELECT));
    let need = black_box(session).need(&classification, None, Instant::now);
    let topology = cluster.snapshot();
    black_box(cluster.route_staying(&topology, need, session.reader()));
}

/// One that has written, and that reads from a reader fresh enough.
pub fn settled_session(cluster: &Cluster) -> Session {
    let mut session = Session::new(Freshness::Session);
    let topology = cluster.snapshot();
    if let [reader, ..] = topology.readers() {
        if let Some(fresh) = reader.fresh_as_of() {
            session.wrote(fresh);
        }
        session.settle(reader.id(), reader.role());
    }
    session
}

/// An idle connection is taken out of the store and given back, among three instances.
fn checkout() -> Result<Work, Error> {
    let cluster = benching::still_cluster(3)?;
    let (store, deadline) = (cluster.new_store::<u64>(), Deadline::of(&cluster));
    let now = deadline.began();
    for instance in cluster.snapshot().instances() {
        store.put(Lease::new(1, instance, instance.stats().breaks(), now), now);
    }
    work(move || {
        let topology = cluster.snapshot();
        let writer = topology.writer().expect("a still cluster has a writer");
        let lease = store.take(writer, deadline).expect("what was taken was put back");
        store.put(black_box(lease), now);
    })
}

/// One answer of an instance, and the snapshot that comes of it being published.
fn engine(instances: u16) -> [Piece; 2] {
    let answer = Piece::new(format!("engine: an answer, {instances}"), 300, move || {
        let mut life = Life::begin(instances)?;
        (0..4 * u32::from(instances)).for_each(|_| life.answer());
        work(move || life.answer())
    });
    let publish = Piece::new(format!("publish {instances}"), 10_000, move || {
        let cluster = benching::still_cluster(instances)?;
        let topology = benching::settled(instances)?;
        work(move || benching::publish(&cluster, Arc::clone(&topology)))
    });
    [answer, publish]
}
