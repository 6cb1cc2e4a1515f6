//! The names a blue/green deployment gives to its two sides.
//!
//! The green side's names carry `-green-` and six letters or digits; after the switchover the old
//! side's names carry `-old1`. Both stand at the end of a label, before a dot.

const MARK: &str = "-green-";
const CODE: usize = 6;

pub(super) fn is_green(host: &str) -> bool {
    marked(host).is_some()
}

pub(super) fn is_old(host: &str) -> bool {
    host.to_ascii_lowercase().contains("-old1.")
}

/// Takes the last mark out. A name without a domain is no host name, so [`is_green`] does not
/// recognise it, but an instance identifier loses its mark too.
pub(super) fn without_green(host: &str) -> String {
    let dots_free_end = (!host.contains('.')).then_some(host.len());
    match marked(host).or_else(|| dots_free_end.and_then(|end| mark_before(host, end))) {
        Some(start) => {
            let mut name = host.to_owned();
            name.replace_range(start..start + MARK.len() + CODE, "");
            name
        }
        None => host.to_owned(),
    }
}

/// Where the last mark that ends at a dot starts.
fn marked(host: &str) -> Option<usize> {
    host.rmatch_indices('.').find_map(|(dot, _)| mark_before(host, dot))
}

fn mark_before(host: &str, end: usize) -> Option<usize> {
    let start = end.checked_sub(MARK.len() + CODE).filter(|start| *start > 0)?;
    let mark = host.get(start..start + MARK.len())?;
    let code = host.get(start + MARK.len()..end)?;
    (mark.eq_ignore_ascii_case(MARK) && code.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .then_some(start)
}
