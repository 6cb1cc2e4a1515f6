//! What a server has executed, as it writes it down.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dialect::Garbage;

/// By the server where they began: the number of the last transaction that was executed.
pub(super) type Executed = BTreeMap<Arc<str>, u64>;

/// Reads a state of MariaDB, `domain-server-sequence` with commas between: what is there of
/// `domain`. Source: MariaDB, "Global Transaction ID", `gtid_binlog_state`.
pub(super) fn mariadb(text: &str, domain: &str) -> Result<Executed, Garbage> {
    let mut executed = Executed::new();
    for gtid in text.split(',').map(str::trim).filter(|gtid| !gtid.is_empty()) {
        let mut parts = gtid.split('-');
        let (Some(own), Some(server), Some(number), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(unreadable(gtid));
        };
        let number: u64 = number.parse().map_err(|_| unreadable(gtid))?;
        if own == domain {
            let last = executed.entry(Arc::from(server)).or_insert(0);
            *last = number.max(*last);
        }
    }
    Ok(executed)
}

/// Reads a set of MySQL, `uuid:first-last:…` with commas and line breaks between; a tag may stand
/// before the intervals that follow it (8.3). Also counts the transactions. Source: MySQL manual,
/// "GTID Format and Storage".
pub(super) fn mysql(text: &str) -> Result<(Executed, u64), Garbage> {
    let (mut executed, mut count) = (Executed::new(), 0_u64);
    for set in text.split(',').map(str::trim).filter(|set| !set.is_empty()) {
        let mut parts = set.split(':').map(str::trim);
        let source = parts.next().unwrap_or_default().to_ascii_lowercase();
        let mut tag = "";
        for part in parts {
            if is_tag(part) {
                tag = part;
                continue;
            }
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let read = |text: &str| text.parse::<u64>().map_err(|_| unreadable(set));
            let (first, last) = (read(first)?, read(last)?);
            let length = last.checked_sub(first).ok_or_else(|| unreadable(set))?;
            count = count.saturating_add(length).saturating_add(1);
            let name = if tag.is_empty() { source.clone() } else { format!("{source}:{tag}") };
            let highest = executed.entry(Arc::from(name)).or_insert(0);
            *highest = last.max(*highest);
        }
    }
    Ok((executed, count))
}

/// A tag begins with a letter or `_`; source: MySQL manual, "Tagged GTIDs".
fn is_tag(part: &str) -> bool {
    let begins = part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn unreadable(text: &str) -> Garbage {
    Garbage(format!("not a GTID: {text}"))
}
