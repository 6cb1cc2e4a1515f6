//! The corpus, what must hold for every text of it, and texts that nobody would write.

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

fn classify_with(sql: &str, rules: &Rules) -> Classification {
    crate::sql::classify(SqlDialect::MySql, sql, rules)
}

fn classify(sql: &str) -> Classification {
    classify_with(sql, &Rules::default())
}

#[test]
fn every_text_of_the_corpus_is_classified_as_expected() {
    let corpus = corpus();
    assert!(corpus.len() >= 280, "only {} texts", corpus.len());
    texts::assert_as_expected(SqlDialect::MySql, &corpus);
}

#[test]
fn only_reads_go_to_readers_and_only_they_may_be_run_again() {
    for case in corpus() {
        let found = classify(&case.sql);
        let reader = found.verdict() == Verdict::Read;
        assert_eq!(found.route() == Target::Reader, reader, "{}", case.sql);
        assert!(!found.reason().is_empty());
        if matches!(found.verdict(), Verdict::Lock | Verdict::Session | Verdict::Transaction(_)) {
            assert!(!found.rerunnable(), "{}", case.sql);
        }
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
            format!("/* a /* b; ' */ {}\n-- DELETE", case.sql),
            format!("# it's\n;{}\n;;#", case.sql),
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
            format!("WITH x AS (SELECT 1) DELETE FROM t; {}", case.sql),
        ] {
            let found = classify(&text);
            assert_eq!(found.verdict(), Verdict::Write, "{text}");
            assert_eq!(found.route(), Target::Writer, "{text}");
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
            format!("EXPLAIN ANALYZE {}", case.sql),
            format!("ANALYZE FORMAT=JSON {}", case.sql),
            format!("SET STATEMENT max_statement_time = 1 FOR {}", case.sql),
        ] {
            assert_eq!(classify(&text).verdict(), alone, "{text}");
        }
        // Executed by some servers only, so it is a read if it is one.
        if !case.sql.contains(['*', '#', '-']) {
            let text = format!("/*!50701 {} */", case.sql);
            let read = classify(&text).verdict() == Verdict::Read;
            assert_eq!(read, alone == Verdict::Read, "{text}");
        }
    }
}

#[test]
fn a_text_that_depends_on_the_mode_of_the_server_goes_to_the_writer() {
    for sql in [
        // Both are one string for a server that escapes, and a DELETE for one that does not.
        "SELECT 'a\\'; DELETE FROM t; -- '",
        "SELECT 'a\\'; DELETE FROM t; '",
        "SELECT \"a\\\"; DELETE FROM t; -- \"",
        // A name with ANSI_QUOTES, while `'…'` still escapes.
        "SELECT 'a\\'b', \"c\\\" FROM t FOR UPDATE -- \"",
        "SELECT 1 /*!50701 FOR UPDATE */",
        "SELECT /*!50701 1 */ 2",
        "SELECT 1 /*M!100000 INTO @a */",
    ] {
        let route = classify(sql).route();
        let harmless = sql == "SELECT /*!50701 1 */ 2";
        assert_eq!(route == Target::Reader, harmless, "{sql}");
    }
}

#[test]
fn what_tells_of_an_earlier_statement_has_to_follow_it() {
    for sql in [
        "SELECT LAST_INSERT_ID()",
        "INSERT INTO child (parent) VALUES (LAST_INSERT_ID())",
        "SELECT last_insert_id(5)",
        "SELECT @@identity",
        "SELECT FOUND_ROWS(), ROW_COUNT()",
        "SELECT LASTVAL(s)",
        "SELECT PREVIOUS VALUE FOR s",
        "SHOW WARNINGS",
        "GET DIAGNOSTICS @a = NUMBER",
    ] {
        assert!(classify(sql).follows(), "{sql}");
    }
    for sql in ["SELECT 1", "INSERT INTO t VALUES (1)", "SELECT CONNECTION_ID()", "SET @a = 1"] {
        assert!(!classify(sql).follows(), "{sql}");
    }
}

#[test]
fn hints_are_found_and_followed_where_they_may_be() {
    let both = "/*@reader*/ SELECT 1 /*@writer*/";
    for (sql, hint, route) in [
        ("SELECT 1", None, Target::Reader),
        ("/*@writer*/ SELECT 1", Some(Target::Writer), Target::Writer),
        ("SELECT /* @Writer */ 1", Some(Target::Writer), Target::Writer),
        (both, Some(Target::Writer), Target::Writer),
        ("/*@reader*/ CALL p()", Some(Target::Reader), Target::Reader),
        ("/*@reader*/ UPDATE t SET a = 1", Some(Target::Reader), Target::Writer),
        ("/*@reader*/ SELECT 1 FOR UPDATE", Some(Target::Reader), Target::Writer),
        ("/*@reader*/ COMMIT", Some(Target::Reader), Target::Writer),
        ("SELECT '/*@writer*/'", None, Target::Reader),
        ("SELECT `/*@writer*/`", None, Target::Reader),
        ("-- /*@writer*/\nSELECT 1", None, Target::Reader),
        ("# /*@writer*/\nSELECT 1", None, Target::Reader),
        ("/*!@writer*/ SELECT 1", None, Target::Writer),
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
        "get_lock",
        "odd`name",
    ]);
    for (sql, verdict) in [
        ("SELECT price(1)", Verdict::Read),
        ("SELECT shop.PRICE (1)", Verdict::Read),
        ("SELECT `Price`(1)", Verdict::Read),
        ("SELECT `odd``name`(1)", Verdict::Read),
        ("SELECT app.stock(1)", Verdict::Read),
        ("SELECT stock(1)", Verdict::Write),
        ("SELECT other.stock(1)", Verdict::Write),
        ("SELECT get_lock('a', 1)", Verdict::Read),
        ("SELECT NOW(), COUNT(*), t.a FROM t WHERE a IN (1)", Verdict::Read),
        ("WITH a(x) AS (SELECT 1), b(y) AS (SELECT 2) SELECT * FROM a", Verdict::Read),
        ("SELECT app.now()", Verdict::Write),
    ] {
        assert_eq!(classify_with(sql, &strict).verdict(), verdict, "{sql}");
    }
    let both = Rules::default().read_functions(["f"]).write_functions(["f", "now"]);
    assert_eq!(classify_with("SELECT F()", &both).verdict(), Verdict::Write);
    assert_eq!(classify_with("SELECT now()", &both).verdict(), Verdict::Write);
    assert!(classify_with("SELECT price(1)", &strict).rerunnable());
}

const SCRAPS: [&str; 22] = [
    "'",
    "\"",
    "`",
    "/*",
    "/*!",
    "/*!50000",
    "/*M!",
    "*/",
    "--",
    "#",
    "\n",
    "\\",
    "@",
    "@@",
    "(",
    ")",
    ";",
    ".",
    " FOR UPDATE ",
    " INTO ",
    "é",
    "\0",
];

#[test]
fn no_text_makes_it_panic_or_contradict_itself() {
    let corpus = corpus();
    let mut random = texts::Random(0x9e37_79b9_7f4a_7c15);
    let rules = Rules::default();
    let cache = StatementCache::new(SqlDialect::MySql, 64);
    for _ in 0..40_000 {
        let base = &corpus[random.below(corpus.len())].sql;
        let text = texts::mutate(base, &mut random, &SCRAPS);
        let found = classify_with(&text, &rules);
        assert_eq!(cache.classify(&text, &rules), found, "{text:?}");
        let guarded = classify_with(&format!("DELETE FROM t;{text}"), &rules);
        assert!(guarded.route() == Target::Writer || guarded.hint().is_some(), "{text:?}");
        assert!(!guarded.rerunnable(), "{text:?}");
    }
}

#[test]
fn every_beginning_of_every_text_is_classified() {
    texts::assert_every_beginning_is_classified(SqlDialect::MySql, &corpus());
}

#[test]
fn the_time_is_linear_in_hostile_text() {
    let begun = std::time::Instant::now();
    for scrap in [
        "(",
        "EXPLAIN ANALYZE ",
        "get_lock(",
        "/*",
        "/*!50000 ",
        "/*! */",
        "'\\'",
        "\"\\\"",
        "``",
        "WITH a AS (",
        "CREATE ",
        "CREATE PROCEDURE p;",
        "BEGIN;",
        "a.",
        "SET STATEMENT a FOR ",
        "SELECT 'a\\';",
        "@@",
        "@a.",
        "last_insert_id(",
        "DEFINER ",
        "--",
        "# ",
    ] {
        let text = scrap.repeat(400_000 / scrap.len());
        let found = classify(&text);
        assert!(found.verdict() != Verdict::Read || found.route() == Target::Reader);
    }
    // Linear is a fraction of a second even unoptimised; quadratic would be minutes.
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
