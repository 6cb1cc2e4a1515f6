use std::sync::Arc;

use super::{LONGEST, StatementCache};
use crate::sql::{Rules, SqlDialect, Target, Verdict};

fn postgres(capacity: usize) -> StatementCache {
    StatementCache::new(SqlDialect::Postgres, capacity)
}

#[test]
fn the_second_look_gives_the_first_answer() {
    let (cache, rules) = (postgres(100), Rules::default());
    assert!(cache.is_empty());
    for _ in 0..2 {
        assert_eq!(cache.classify("SELECT 1", &rules).verdict(), Verdict::Read);
        assert_eq!(cache.classify("DELETE FROM t", &rules).verdict(), Verdict::Write);
    }
    assert_eq!(cache.len(), 2);
}

#[test]
fn what_is_asked_for_again_is_found_without_a_lock_and_counted_once() {
    let (cache, rules) = (postgres(64), Rules::default());
    for look in 0..4 {
        assert_eq!(cache.classify("SELECT f()", &rules).verdict(), Verdict::Read);
        assert_eq!((cache.popular.len(), cache.len()), (usize::from(look > 0), 1));
    }
    // Nobody could take it out if that took a lock.
    let locks: Vec<_> = cache.shards.iter().map(|shard| shard.write().unwrap()).collect();
    assert_eq!(cache.classify("SELECT f()", &rules).verdict(), Verdict::Read);
    cache.remember_write("SELECT f()");
    assert_eq!(cache.classify("SELECT f()", &rules).verdict(), Verdict::Write);
    drop(locks);
}

#[test]
fn more_than_there_is_room_for_is_remembered_behind_locks() {
    let (cache, rules) = (postgres(64), Rules::default());
    for _ in 0..4 {
        for i in 0..200 {
            let sql = format!("SELECT f({i})");
            assert_eq!(cache.classify(&sql, &rules).verdict(), Verdict::Read);
            let sql = format!("DELETE FROM t WHERE a = {i}");
            assert_eq!(cache.classify(&sql, &rules).verdict(), Verdict::Write);
        }
    }
    assert!((33..=96).contains(&cache.len()), "{}", cache.len());
    assert!(cache.popular.len() <= 32);
}

#[test]
fn rules_do_not_see_each_others_answers() {
    let cache = postgres(100);
    let strict = Rules::default().unknown_functions_write(true);
    for _ in 0..2 {
        assert_eq!(cache.classify("SELECT f()", &Rules::default()).verdict(), Verdict::Read);
        assert_eq!(cache.classify("SELECT f()", &strict).verdict(), Verdict::Write);
    }
}

#[test]
fn it_is_bounded_and_refusals_survive_a_flood() {
    let (cache, rules) = (postgres(256), Rules::default());
    cache.remember_write("SELECT f(-1)");
    for i in 0..20_000 {
        let sql = format!("SELECT f({i})");
        assert_eq!(cache.classify(&sql, &rules).verdict(), Verdict::Read);
    }
    assert!((128..=256).contains(&cache.len()), "{}", cache.len());
    let refused = cache.classify("SELECT f(-1)", &rules);
    assert_eq!((refused.verdict(), refused.route()), (Verdict::Write, Target::Writer));
    assert_eq!(refused.reason(), "a reader refused it");
    assert!(!refused.rerunnable());
    assert_eq!(cache.classify("SELECT f(-2)", &rules).route(), Target::Reader);
}

#[test]
fn refusals_are_bounded_and_the_latest_are_kept() {
    let (cache, rules) = (postgres(64), Rules::default());
    let sql = |i: usize| format!("SELECT f({i})");
    (0..10_000).for_each(|i| cache.remember_write(&sql(i)));
    assert_eq!(cache.classify(&sql(9_999), &rules).route(), Target::Writer);
    let kept = (0..10_000).filter(|&i| cache.classify(&sql(i), &rules).route() == Target::Writer);
    assert!(kept.count() <= 64);
}

#[test]
fn a_reader_hint_does_not_defeat_a_refusal() {
    let (cache, rules) = (postgres(64), Rules::default());
    let sql = "/*@reader*/ SELECT f()";
    assert_eq!(cache.classify(sql, &rules).route(), Target::Reader);
    cache.remember_write(sql);
    cache.remember_write(sql);
    assert_eq!(cache.classify(sql, &rules).route(), Target::Writer);
}

#[test]
fn a_refused_lock_or_session_keeps_what_else_is_known_of_it() {
    let (cache, rules) = (postgres(64), Rules::default());
    let sql = "SELECT set_config('a', 'b', false)";
    cache.remember_write(sql);
    let found = cache.classify(sql, &rules);
    assert_eq!(found.verdict(), Verdict::Write);
    assert!(found.leaves_session_state());
}

#[test]
fn long_text_is_not_kept_but_its_refusal_is() {
    let (cache, rules) = (postgres(64), Rules::default());
    let sql = format!("SELECT f('{}')", "x".repeat(LONGEST));
    assert_eq!(cache.classify(&sql, &rules).verdict(), Verdict::Read);
    assert_eq!(cache.len(), 0);
    cache.remember_write(&sql);
    assert_eq!(cache.classify(&sql, &rules).verdict(), Verdict::Write);
}

#[test]
fn threads_share_it() {
    let cache = Arc::new(postgres(64));
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let cache = Arc::clone(&cache);
            std::thread::spawn(move || {
                let rules = Rules::default();
                (0..2_000).all(|i| {
                    let read = format!("SELECT {}", (i * 7 + thread) % 200);
                    let write = format!("DELETE FROM t WHERE a = {}", i % 200);
                    cache.classify(&read, &rules).verdict() == Verdict::Read
                        && cache.classify(&write, &rules).verdict() == Verdict::Write
                })
            })
        })
        .collect();
    for thread in threads {
        assert!(thread.join().unwrap());
    }
    assert!(cache.len() <= 64 + 32);
}

#[test]
fn debug_does_not_show_text() {
    let cache = postgres(64);
    let _ = cache.classify("SELECT 'secret'", &Rules::default());
    assert_eq!(format!("{cache:?}"), "StatementCache { len: 1, .. }");
}
