//! Whose writes must a read see? A task's, or those of an explicit session.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use aurora_core::session::Session;
use aurora_core::{Error, ErrorKind, Freshness, InstanceId, Role};
use tokio::task;

use crate::errors;
use crate::runner::Runner;

/// How many parts there are, so that tasks seldom wait for each other.
const SHARDS: usize = 16;

/// How many tasks a part remembers before it forgets the old ones.
const REMEMBERED: usize = 1024;

/// From when on a write is old: readers are rarely further behind than this.
const OLD: Duration = Duration::from_secs(60);

/// When each task wrote last, through handles without an explicit session.
#[derive(Debug, Default)]
pub(crate) struct TaskSessions {
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    writes: HashMap<Key, Wrote>,
    /// The last write of all that were forgotten: every task that is not known counts as having
    /// written then, so forgetting never breaks a promise.
    forgotten: Option<Instant>,
}

/// What a task wrote last.
#[derive(Clone, Copy, Debug)]
struct Wrote {
    at: Instant,
    /// The number that its last INSERT was given; 0 if it was given none.
    insert_id: u64,
}

/// A session without a handle of its own: a task, or what a thread blocks on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Task(task::Id),
    Thread(ThreadId),
}

impl Key {
    pub(crate) fn current() -> Self {
        task::try_id().map_or_else(|| Self::Thread(thread::current().id()), Self::Task)
    }
}

impl TaskSessions {
    /// Has every task see what was written before `now`, whoever wrote it.
    pub(crate) fn note_for_all(&self, now: Instant) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.forgotten = shard.forgotten.max(Some(now));
        }
    }

    fn last_write_of(&self, key: Key) -> Option<Instant> {
        let shard = lock(self.shard(key));
        shard.writes.get(&key).map(|wrote| wrote.at).max(shard.forgotten)
    }

    fn note_of(&self, key: Key, now: Instant) {
        let mut shard = lock(self.shard(key));
        let known = shard.wrote(key, now);
        known.at = now.max(known.at);
    }

    fn note_insert_id_of(&self, key: Key, insert_id: u64, now: Instant) {
        lock(self.shard(key)).wrote(key, now).insert_id = insert_id;
    }

    fn insert_id_of(&self, key: Key) -> u64 {
        lock(self.shard(key)).writes.get(&key).map_or(0, |wrote| wrote.insert_id)
    }

    fn shard(&self, key: Key) -> &Mutex<Shard> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or_default();
        &self.shards[index]
    }
}

impl Shard {
    /// What the task wrote last, if only now.
    fn wrote(&mut self, key: Key, now: Instant) -> &mut Wrote {
        if self.writes.len() >= REMEMBERED {
            self.forget(now);
        }
        self.writes.entry(key).or_insert(Wrote { at: now, insert_id: 0 })
    }

    /// Forgets the writes that are old, or the older half if too few are.
    fn forget(&mut self, now: Instant) {
        let mut moments: Vec<Instant> = self.writes.values().map(|wrote| wrote.at).collect();
        let middle = moments.len() / 2;
        let (_, median, _) = moments.select_nth_unstable(middle);
        let limit = now.checked_sub(OLD).map_or(*median, |old| old.max(*median));
        let forgotten = &mut self.forgotten;
        self.writes.retain(|_, wrote| {
            let keep = wrote.at > limit;
            if !keep {
                *forgotten = (*forgotten).max(Some(wrote.at));
            }
            keep
        });
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // A panic while the lock is held (allocation) leaves a map that is still a map.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session that has a handle of its own.
#[derive(Debug, Default)]
pub(crate) struct Explicit {
    pub(crate) marks: Arc<Mutex<Marks>>,
    /// What ties it to a connection, if something does.
    pub(crate) pinned: Slot,
}

/// A runner that several handles of one session or transaction share; `None` once it is done.
pub(crate) type Slot = Arc<tokio::sync::Mutex<Option<Runner>>>;

/// Waits for the statement or stream that uses the connection now; not for ever, since a task may
/// hold a stream and wait for itself.
pub(crate) async fn lock_slot(
    slot: &Slot,
    limit: Duration,
) -> Result<tokio::sync::MutexGuard<'_, Option<Runner>>, sqlx::Error> {
    tokio::time::timeout(limit, slot.lock()).await.map_err(|_| {
        let text = "another statement, or a stream that was not read to its end, uses the \
                    connection: end it first";
        errors::from_core(Error::new(ErrorKind::Deadline, text))
    })
}

/// What reads have to know of a session that has a handle of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    last_write: Option<Instant>,
    required: Option<Instant>,
    reader: Option<InstanceId>,
    insert_id: u64,
}

/// Whose statements they are: what they write, the others of the same one have to see.
#[derive(Clone, Debug)]
pub(crate) enum Owner {
    Explicit(Arc<Mutex<Marks>>),
    Task(Arc<TaskSessions>, Key),
}

impl Owner {
    /// A session that knows what its owner has done so far.
    pub(crate) fn session(&self, freshness: Freshness) -> Session {
        let mut session = Session::new(freshness);
        let marks = match self {
            Self::Explicit(marks) => lock_marks(marks).clone(),
            Self::Task(tasks, key) => {
                Marks { last_write: tasks.last_write_of(*key), ..Marks::default() }
            }
        };
        if let Some(last_write) = marks.last_write {
            session.wrote(last_write);
        }
        if let Some(required) = marks.required {
            session.require(required);
        }
        if let Some(reader) = &marks.reader {
            session.settle(reader, Role::Reader);
        }
        session
    }

    /// Notes that something was, or may have been, written.
    pub(crate) fn note(&self, now: Instant) {
        match self {
            Self::Explicit(marks) => lock_marks(marks).last_write = Some(now),
            Self::Task(tasks, key) => tasks.note_of(*key, now),
        }
    }

    /// Notes the number that an INSERT was given.
    pub(crate) fn note_insert_id(&self, insert_id: u64) {
        match self {
            Self::Explicit(marks) => lock_marks(marks).insert_id = insert_id,
            Self::Task(tasks, key) => tasks.note_insert_id_of(*key, insert_id, Instant::now()),
        }
    }

    /// The number that its last INSERT was given; 0 if it was given none.
    pub(crate) fn insert_id(&self) -> u64 {
        match self {
            Self::Explicit(marks) => lock_marks(marks).insert_id,
            Self::Task(tasks, key) => tasks.insert_id_of(*key),
        }
    }

    /// Has its reads see what was acknowledged before the moment.
    pub(crate) fn require(&self, moment: Instant) {
        match self {
            Self::Explicit(marks) => {
                let mut marks = lock_marks(marks);
                marks.required = marks.required.max(Some(moment));
            }
            Self::Task(tasks, key) => tasks.note_of(*key, moment),
        }
    }

    /// Before which moment everything was acknowledged that a token of it stands for.
    pub(crate) fn stands_for(&self) -> Option<Instant> {
        self.session(Freshness::Session).stands_for(Instant::now())
    }

    /// Notes which reader it reads from. A task has no handle that would tell when its unit of work
    /// ends, so it does not stay with one.
    pub(crate) fn settle(&self, instance: &InstanceId) {
        if let Self::Explicit(marks) = self {
            lock_marks(marks).reader = Some(instance.clone());
        }
    }
}

fn lock_marks(marks: &Mutex<Marks>) -> MutexGuard<'_, Marks> {
    marks.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_a_thread_or_a_task() {
        let sessions = TaskSessions::default();
        let now = Instant::now();
        sessions.note_of(Key::current(), now);
        assert_eq!(sessions.last_write_of(Key::current()), Some(now));
        let elsewhere = thread::scope(|scope| {
            scope.spawn(|| sessions.last_write_of(Key::current())).join().unwrap()
        });
        assert_eq!(elsewhere, None);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let sessions = Arc::new(sessions);
        let of_task = {
            let sessions = Arc::clone(&sessions);
            runtime
                .block_on(runtime.spawn(async move { sessions.last_write_of(Key::current()) }))
                .unwrap()
        };
        assert_eq!(of_task, None);
        assert_eq!(runtime.block_on(async { sessions.last_write_of(Key::current()) }), Some(now));
    }

    #[test]
    fn forgetting_is_bounded_and_breaks_no_promise() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let sessions = TaskSessions::default();
        let start = Instant::now();
        let mut wrote = Vec::new();
        for index in 0..(2 * SHARDS * REMEMBERED) {
            let id = runtime.spawn(async {}).id();
            let at = start + Duration::from_micros(u64::try_from(index).unwrap());
            sessions.note_of(Key::Task(id), at);
            wrote.push((Key::Task(id), at));
        }
        let known: usize = sessions.shards.iter().map(|shard| lock(shard).writes.len()).sum();
        assert!(known <= SHARDS * REMEMBERED, "{known}");
        for (key, at) in wrote {
            assert!(sessions.last_write_of(key) >= Some(at));
        }
    }
}
