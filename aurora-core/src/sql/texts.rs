//! What the tests of all dialects share: a corpus in files, and texts that nobody would write.

use super::{
    Classification, Rules, SqlDialect, Target, TransactionControl as Control, TransactionEffect,
    Verdict, classify,
};

/// One line of a corpus: what is expected, and the text.
pub(super) struct Case {
    pub(super) verdict: &'static str,
    pub(super) effect: &'static str,
    pub(super) flags: &'static str,
    pub(super) sql: String,
}

/// The lines of the files that are neither empty nor comments.
pub(super) fn corpus(files: &[&'static str]) -> Vec<Case> {
    let lines = files.iter().flat_map(|file| file.lines());
    lines.filter(|line| !line.is_empty() && !line.starts_with("# ")).map(case).collect()
}

fn case(line: &'static str) -> Case {
    let (expected, sql) = line.split_once("| ").unwrap_or_else(|| panic!("no text: {line}"));
    let mut columns = expected.split_whitespace();
    let mut column = || columns.next().unwrap_or_else(|| panic!("a column is missing: {line}"));
    let (verdict, effect, flags) = (column(), column(), column());
    Case { verdict, effect, flags, sql: sql.replace('⏎', "\n").replace('␍', "\r") }
}

fn access(read_only: Option<bool>) -> &'static str {
    match read_only {
        None => "",
        Some(true) => ":ro",
        Some(false) => ":rw",
    }
}

fn verdict_name(verdict: Verdict) -> String {
    let control = match verdict {
        Verdict::Lock => return "lock".to_owned(),
        Verdict::Read => return "read".to_owned(),
        Verdict::Session => return "session".to_owned(),
        Verdict::Write => return "write".to_owned(),
        Verdict::Transaction(control) => control,
    };
    match control {
        Control::Begin { .. } => "begin".to_owned(),
        Control::Commit => "commit".to_owned(),
        Control::CommitAndChain => "commit-chain".to_owned(),
        Control::CommitPrepared => "commit-prepared".to_owned(),
        Control::Prepare => "prepare".to_owned(),
        Control::ReleaseSavepoint => "release".to_owned(),
        Control::Rollback => "rollback".to_owned(),
        Control::RollbackAndChain => "rollback-chain".to_owned(),
        Control::RollbackPrepared => "rollback-prepared".to_owned(),
        Control::RollbackToSavepoint => "rollback-to".to_owned(),
        Control::Savepoint => "savepoint".to_owned(),
        Control::SetTransaction { read_only } => format!("set-transaction{}", access(read_only)),
    }
}

fn effect_name(effect: TransactionEffect) -> String {
    match effect {
        TransactionEffect::None => "-".to_owned(),
        TransactionEffect::Closes => "close".to_owned(),
        TransactionEffect::Opens { read_only } => format!("open{}", access(read_only)),
        TransactionEffect::Unclear => "unclear".to_owned(),
    }
}

/// `f`: with a reader hint in front, the text goes to a reader.
pub(super) fn follows_reader_hint(dialect: SqlDialect, sql: &str) -> bool {
    let hinted = classify(dialect, &format!("/*@reader*/{sql}"), &Rules::default());
    hinted.route() == Target::Reader
}

/// `r`: it may be run again; `f`: see [`follows_reader_hint`]; `l`: it leaves state of the session.
fn flags(dialect: SqlDialect, sql: &str, found: &Classification) -> String {
    let all = [
        (found.rerunnable(), 'r'),
        (follows_reader_hint(dialect, sql), 'f'),
        (found.leaves_session_state(), 'l'),
    ];
    let flags: String = all.iter().filter_map(|&(is, letter)| is.then_some(letter)).collect();
    if flags.is_empty() { "-".to_owned() } else { flags }
}

/// Every text of the corpus is classified as it says.
pub(super) fn assert_as_expected(dialect: SqlDialect, corpus: &[Case]) {
    let mut wrong = Vec::new();
    for case in corpus {
        let found = classify(dialect, &case.sql, &Rules::default());
        let name = verdict_name(found.verdict());
        let effect = effect_name(found.transaction_effect());
        let flags = flags(dialect, &case.sql, &found);
        let has_flags = flags.len() == case.flags.len()
            && flags.chars().all(|letter| case.flags.contains(letter));
        if (name.as_str(), effect.as_str(), true) != (case.verdict, case.effect, has_flags) {
            let expected = [case.verdict, case.effect, case.flags].join(" ");
            let reason = found.reason();
            wrong.push(format!("{name} {effect} {flags} ({reason}), not {expected}: {}", case.sql));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// A text that is cut off anywhere is classified, and goes to a reader only as a read.
pub(super) fn assert_every_beginning_is_classified(dialect: SqlDialect, corpus: &[Case]) {
    for case in corpus {
        for (end, _) in case.sql.char_indices() {
            let found = classify(dialect, &case.sql[..end], &Rules::default());
            let reads = found.verdict() == Verdict::Read || found.hint() == Some(Target::Reader);
            assert!(found.route() == Target::Writer || reads, "{}", &case.sql[..end]);
        }
    }
}

/// A small generator of numbers (xorshift): the same texts on every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }
}

/// The text with a few changes, of which `scraps` are the likelier to hurt.
pub(super) fn mutate(text: &str, random: &mut Random, scraps: &[&str]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(4) {
        let at = random.below(chars.len() + 1);
        match random.below(4) {
            0 => chars.truncate(at),
            1 => drop(chars.drain(at..(at + random.below(6)).min(chars.len()))),
            2 => drop(chars.splice(at..at, scraps[random.below(scraps.len())].chars())),
            _ => drop(chars.splice(at..at, char::from_u32(random.below(0x250) as u32))),
        }
    }
    chars.into_iter().collect()
}
