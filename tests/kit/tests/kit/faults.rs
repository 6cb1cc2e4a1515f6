//! Single instances that die, hang, or lag.

use std::time::{Duration, Instant};

use postgres::error::SqlState;
use test_kit::{KitError, wait_until};

use crate::{SOON, assert_shows, client, cluster, ids, insert};

/// A commit that takes this long waits for a reader that is gone.
const PROMPT: Duration = Duration::from_secs(20);

#[test]
fn a_killed_reader_does_not_hold_up_writes_and_comes_back() {
    let cluster = cluster(3, true);
    let mut writer = client(&cluster, 0);
    cluster.kill(2).expect("a kill");
    let begin = Instant::now();
    insert(&mut writer, 1);
    assert!(begin.elapsed() < PROMPT, "{:?}", begin.elapsed());
    assert!(matches!(cluster.client(2), Err(KitError::Sql { .. })));
    cluster.start(2).expect("a start");
    assert_shows(&cluster, 2, &[1]);
    assert_eq!(cluster.readers(), vec![1, 2]);
}

#[test]
fn writes_under_way_while_a_reader_is_killed_go_on_promptly() {
    let cluster = cluster(3, true);
    let mut writer = client(&cluster, 0);
    std::thread::scope(|scope| {
        let load = scope.spawn(move || {
            let mut longest = Duration::ZERO;
            for id in 0..400 {
                let begin = Instant::now();
                insert(&mut writer, id);
                longest = longest.max(begin.elapsed());
            }
            longest
        });
        let mut watcher = client(&cluster, 0);
        assert!(wait_until(SOON, || ids(&mut watcher).len() > 20));
        cluster.kill(1).expect("a kill");
        let longest = load.join().expect("the load");
        println!("longest commit while a reader was killed: {longest:?}");
        assert!(longest < PROMPT, "{longest:?}");
    });
}

#[test]
fn a_stopped_instance_says_goodbye() {
    let cluster = cluster(2, true);
    let mut session = client(&cluster, 1);
    cluster.stop(1).expect("a stop");
    let error = session.simple_query("SELECT 1").expect_err("the session has ended");
    assert!(error.code().is_none_or(|code| *code == SqlState::ADMIN_SHUTDOWN), "{error:?}");
    assert!(matches!(cluster.stop(1), Err(KitError::Misuse { index: 1, .. })));
    insert(&mut client(&cluster, 0), 1);
    cluster.start(1).expect("a start");
    assert_shows(&cluster, 1, &[1]);
}

#[test]
fn a_restarted_writer_keeps_its_role() {
    let cluster = cluster(2, true);
    cluster.restart(0).expect("a restart");
    insert(&mut client(&cluster, 0), 1);
    cluster.kill(0).expect("a kill");
    cluster.start(0).expect("a start after a crash");
    insert(&mut client(&cluster, 0), 2);
    assert_shows(&cluster, 1, &[1, 2]);
}

#[test]
fn a_paused_instance_hangs_until_it_is_resumed() {
    let cluster = cluster(3, true);
    cluster.pause(2).expect("a pause");
    assert_eq!(cluster.readers(), vec![1]);
    insert(&mut client(&cluster, 0), 1);
    let begin = Instant::now();
    assert!(matches!(cluster.client(2), Err(KitError::Deadline { .. })));
    assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
    cluster.resume(2).expect("a resume");
    assert_shows(&cluster, 2, &[1]);
    assert_eq!(cluster.readers(), vec![1, 2]);
}

#[test]
fn a_paused_writer_can_be_replaced_and_rejoins() {
    let cluster = cluster(3, true);
    insert(&mut client(&cluster, 0), 1);
    cluster.pause(0).expect("a pause");
    cluster.promote(2).expect("a promotion");
    insert(&mut client(&cluster, 2), 2);
    assert_shows(&cluster, 1, &[1, 2]);
    cluster.resume(0).expect("a resume");
    assert_eq!(ids(&mut client(&cluster, 0)), [1], "an old writer that knows nothing");
    cluster.rejoin(0).expect("the old writer returns");
    assert_shows(&cluster, 0, &[1, 2]);
}

#[test]
fn a_reader_lags_as_it_is_told() {
    let cluster = cluster(2, true);
    let mut writer = client(&cluster, 0);
    cluster.pause_replay(1).expect("a pause");
    insert(&mut writer, 1);
    assert_eq!(ids(&mut client(&cluster, 1)), [] as [i32; 0]);
    cluster.resume_replay(1).expect("a resume");
    assert_shows(&cluster, 1, &[1]);
    cluster.set_replay_delay(1, Duration::from_millis(400)).expect("a delay");
    let begin = Instant::now();
    insert(&mut writer, 2);
    assert_shows(&cluster, 1, &[1, 2]);
    assert!(begin.elapsed() >= Duration::from_millis(300), "{:?}", begin.elapsed());
}

#[test]
fn settings_reach_new_sessions() {
    let cluster = cluster(1, false);
    cluster.set_setting(0, "work_mem", "'7MB'".trim_matches('\'')).expect("a setting");
    let row = client(&cluster, 0).query_one("SHOW work_mem", &[]).expect("a row");
    assert_eq!(row.get::<_, &str>(0), "7MB");
}

#[test]
fn writes_are_accepted_after_each_of_ten_kills() {
    let cluster = cluster(3, true);
    let mut times = Vec::new();
    for (round, to) in [1, 2, 0, 1, 2, 0, 1, 2, 0, 1].into_iter().enumerate() {
        let id = i32::try_from(round).expect("small");
        let old = cluster.writer();
        let mut direct = client(&cluster, to);
        let took = std::thread::scope(|scope| {
            let begin = Instant::now();
            let verb = scope.spawn(|| cluster.kill_and_promote(to));
            let accepted =
                wait_until(SOON, || direct.execute("INSERT INTO t VALUES ($1)", &[&id]).is_ok());
            let took = begin.elapsed();
            assert!(accepted, "no write was accepted");
            verb.join().expect("the verb").expect("a failover");
            took
        });
        times.push(took);
        cluster.rejoin(old).expect("the old writer returns");
    }
    times.sort_unstable();
    println!("kill to first write: {times:?}");
}

#[test]
fn pgbench_runs_against_an_instance() {
    let cluster = cluster(1, false);
    let output = cluster.pgbench(0, &["-i", "-s", "1", "-q"]).expect("pgbench").output();
    let output = output.expect("pgbench runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let count = client(&cluster, 0).query_one("SELECT count(*) FROM pgbench_accounts", &[]);
    assert_eq!(count.expect("a row").get::<_, i64>(0), 100_000);
    assert!(test_kit::bin("psql").expect("psql").exists());
    assert_eq!(test_kit::missing_packages(), [] as [&str; 0]);
}
