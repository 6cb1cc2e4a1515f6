//! The corpus, what must hold for every text of it, and texts that nobody would write.

use super::classify as classify_with;
use crate::sql::texts::{self, Case};
use crate::sql::{Classification, Rules, SqlDialect, StatementCache, Target, Verdict};

fn corpus() -> Vec<Case> {
    texts::corpus(&[
        include_str!("testdata/reads.txt"),
        include_str!("testdata/writes.txt"),
        include_str!("testdata/session.txt"),
        include_str!("testdata/transactions.txt"),
    ])
}

fn classify(sql: &str) -> Classification {
    classify_with(sql, &Rules::default())
}

#[test]
fn every_text_of_the_corpus_is_classified_as_expected() {
    let corpus = corpus();
    assert!(corpus.len() >= 400, "only {} texts", corpus.len());
    texts::assert_as_expected(SqlDialect::Postgres, &corpus);
}

#[test]
fn only_reads_go_to_readers_and_only_they_may_be_run_again() {
    for case in corpus() {
        let found = classify(&case.sql);
        let reader = found.hint().is_none() && found.verdict() == Verdict::Read;
        assert_eq!(found.route() == Target::Reader, reader, "{}", case.sql);
        assert!(!found.reason().is_empty());
        let may = match found.verdict() {
            Verdict::Read | Verdict::Write => true,
            // The locks of those that only read.
            Verdict::Lock => texts::follows_reader_hint(SqlDialect::Postgres, &case.sql),
            Verdict::Session | Verdict::Transaction(_) => false,
        };
        assert!(may || !found.rerunnable(), "{}", case.sql);
    }
}

#[test]
fn blanks_comments_and_semicolons_around_a_text_change_nothing() {
    for case in corpus() {
        if case.effect == "unclear" {
            continue;
        }
        let found = classify(&case.sql);
        for around in [
            format!("  \t\n{}\n", case.sql),
            format!("/* a /* b; */ ' */ {}\n-- DELETE", case.sql),
            format!("-- it's\r\n;{}\n;;", case.sql),
        ] {
            assert_eq!(classify(&around), found, "{around}");
        }
    }
}

#[test]
fn a_write_anywhere_in_the_text_makes_it_a_write() {
    for case in corpus() {
        for text in [
            format!("{}\n; DELETE FROM t", case.sql),
            format!("DELETE FROM t; {}", case.sql),
            format!("WITH x AS (DELETE FROM t) {}", case.sql),
        ] {
            let found = classify(&text);
            assert_ne!(found.verdict(), Verdict::Read, "{text}");
            assert_eq!(found.route(), Target::Writer, "{text}");
            assert!(!found.rerunnable(), "{text}");
        }
    }
}

#[test]
fn a_query_is_as_dangerous_inside_others_as_alone() {
    let queries = corpus().into_iter().filter(|case| {
        case.effect == "-"
            && !case.sql.contains(';')
            && ["SELECT", "VALUES", "TABLE ", "WITH"].iter().any(|word| case.sql.starts_with(word))
    });
    for case in queries {
        let alone = classify(&case.sql).verdict();
        for text in [
            format!("({}\n)", case.sql),
            format!("SELECT * FROM ({}\n) q", case.sql),
            format!("WITH q AS ({}\n) SELECT * FROM q", case.sql),
            format!("COPY ({}\n) TO STDOUT", case.sql),
            format!("EXPLAIN ANALYZE {}", case.sql),
        ] {
            assert_eq!(classify(&text).verdict(), alone, "{text}");
        }
    }
}

#[test]
fn hints_are_found_and_followed_where_they_may_be() {
    let both = "/*@reader*/ SELECT 1 /*@writer*/";
    for (sql, hint, route) in [
        ("SELECT 1", None, Target::Reader),
        ("/*@writer*/ SELECT 1", Some(Target::Writer), Target::Writer),
        ("SELECT /* @Writer */ 1", Some(Target::Writer), Target::Writer),
        ("SELECT 1 /*@writer*/;", Some(Target::Writer), Target::Writer),
        (both, Some(Target::Writer), Target::Writer),
        ("/*@reader*/ SELECT f()", Some(Target::Reader), Target::Reader),
        ("/*@reader*/ SELECT 1; SELECT 2", Some(Target::Reader), Target::Reader),
        ("/*@reader*/ CALL p()", Some(Target::Reader), Target::Reader),
        ("/*@reader*/ UPDATE t SET a = 1", Some(Target::Reader), Target::Writer),
        ("/*@reader*/ SELECT 1 FOR UPDATE", Some(Target::Reader), Target::Writer),
        ("/*@reader*/ COMMIT", Some(Target::Reader), Target::Writer),
        ("/*@reader*/ SELECT 1; DELETE FROM t", Some(Target::Reader), Target::Writer),
        ("SELECT '/*@writer*/'", None, Target::Reader),
        ("SELECT \"/*@writer*/\"", None, Target::Reader),
        ("-- /*@writer*/\nSELECT 1", None, Target::Reader),
        ("/* /*@writer*/ */ SELECT 1", None, Target::Reader),
        ("/*@keep*/ SELECT 1", None, Target::Reader),
    ] {
        let found = classify(sql);
        assert_eq!((found.hint(), found.route()), (hint, route), "{sql}");
    }
}

#[test]
fn the_application_knows_its_functions_best() {
    let strict = Rules::default().unknown_functions_write(true).read_functions([
        "price",
        "app.stock",
        "nextval",
        "Odd\"Name",
    ]);
    for (sql, verdict) in [
        ("SELECT price(1)", Verdict::Read),
        ("SELECT shop.PRICE(1)", Verdict::Read),
        ("SELECT \"price\"(1)", Verdict::Read),
        ("SELECT \"Price\"(1)", Verdict::Write),
        ("SELECT \"Odd\"\"Name\"(1)", Verdict::Read),
        ("SELECT app.stock(1)", Verdict::Read),
        ("SELECT stock(1)", Verdict::Write),
        ("SELECT other.stock(1)", Verdict::Write),
        ("SELECT nextval('s')", Verdict::Read),
        ("SELECT now(), count(*), t.a FROM t WHERE a IN (1)", Verdict::Read),
        ("WITH a(x) AS (SELECT 1), b(y) AS (SELECT 2) SELECT * FROM a", Verdict::Read),
        ("SELECT * FROM (VALUES (1)) AS v(a)", Verdict::Read),
        ("SELECT app.now()", Verdict::Write),
        ("SELECT * FROM unnest(a) WITH ORDINALITY, f(1)", Verdict::Write),
        ("SELECT (1).stock", Verdict::Write),
        ("EXPLAIN SELECT f()", Verdict::Read),
    ] {
        assert_eq!(classify_with(sql, &strict).verdict(), verdict, "{sql}");
    }
    let both = Rules::default().read_functions(["f"]).write_functions(["f", "now"]);
    assert_eq!(classify_with("SELECT f()", &both).verdict(), Verdict::Write);
    assert_eq!(classify_with("SELECT now()", &both).verdict(), Verdict::Write);
    assert_eq!(classify_with("SELECT t.f FROM t", &both).verdict(), Verdict::Write);
    let listed = classify_with("SELECT price(1)", &strict);
    assert!(listed.rerunnable(), "the application says that it only reads");
}

#[test]
fn a_name_is_cut_where_the_server_cuts_it() {
    let long = format!("{}é", "x".repeat(62));
    let rules = Rules::default().write_functions(["x".repeat(62)]);
    let sql = format!("SELECT {long}{}(1)", "y".repeat(40));
    assert_eq!(classify_with(&sql, &rules).verdict(), Verdict::Write);
}

const SCRAPS: [&str; 24] = [
    "'",
    "\"",
    "$$",
    "$a$",
    "/*",
    "*/",
    "--",
    "\n",
    "\\",
    "E'",
    "U&\"",
    "(",
    ")",
    ";",
    ".",
    "::",
    " FOR UPDATE ",
    " INTO ",
    "é",
    "\0",
    "set_config(",
    "BEGIN ATOMIC",
    "\u{a0}",
    "$1",
];

#[test]
fn no_text_makes_it_panic_or_contradict_itself() {
    let corpus = corpus();
    let mut random = texts::Random(0x9e37_79b9_7f4a_7c15);
    let rules = Rules::default();
    let cache = StatementCache::new(SqlDialect::Postgres, 64);
    for _ in 0..40_000 {
        let base = &corpus[random.below(corpus.len())].sql;
        let text = texts::mutate(base, &mut random, &SCRAPS);
        let found = classify_with(&text, &rules);
        assert_eq!(cache.classify(&text, &rules), found, "{text:?}");
        let guarded = classify_with(&format!("DELETE FROM t;{text}"), &rules);
        assert_eq!(guarded.route(), Target::Writer, "{text:?}");
        assert!(!guarded.rerunnable(), "{text:?}");
    }
}

#[test]
fn every_beginning_of_every_text_is_classified() {
    texts::assert_every_beginning_is_classified(SqlDialect::Postgres, &corpus());
}

#[test]
fn random_bytes_are_classified() {
    let mut random = texts::Random(42);
    for length in (0..64).cycle().take(20_000) {
        let bytes: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
        let found = classify(&String::from_utf8_lossy(&bytes));
        assert!(!found.reason().is_empty());
    }
}

#[test]
fn the_time_is_linear_in_hostile_text() {
    let begun = std::time::Instant::now();
    for scrap in [
        "(",
        "EXPLAIN ANALYZE ",
        "set_config(",
        "/*",
        "$a$ $b$",
        "E''\n",
        "WITH a AS (",
        "'\\'",
        "COPY (",
        "COPY t;",
        "\"\"",
        "CREATE ",
        "BEGIN;",
        "a.",
        "SELECT 'a\\';",
    ] {
        let text = scrap.repeat(400_000 / scrap.len());
        let found = classify(&text);
        assert!(found.verdict() != Verdict::Read || found.route() == Target::Reader);
    }
    // Linear is a fraction of a second even unoptimised; quadratic would be minutes.
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
