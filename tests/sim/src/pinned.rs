//! Seeds that once found a bug, and must never find it again.

/// The list: a seed, then why it is there.
const LIST: &str = include_str!("../seeds.txt");

/// A seed that once found a bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The seed.
    pub seed: u64,
    /// What it found.
    pub why: String,
}

/// The pinned seeds.
///
/// # Errors
///
/// Names the line of `seeds.txt` that is no seed with a reason.
pub fn pinned() -> Result<Vec<Pinned>, String> {
    read(LIST)
}

fn read(list: &str) -> Result<Vec<Pinned>, String> {
    let lines = list.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pin = |line: &str| {
        let (seed, why) = line.split_once(char::is_whitespace)?;
        Some(Pinned { seed: seed.parse().ok()?, why: why.trim().to_owned() })
    };
    lines.map(|line| pin(line).ok_or_else(|| format!("seeds.txt: `{line}`"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_needs_a_reason() {
        let good = read("# seeds\n\n7  split brain\n").unwrap();
        assert_eq!(good, [Pinned { seed: 7, why: "split brain".to_owned() }]);
        assert!(read("7").is_err());
        assert!(read("seven split brain").is_err());
    }
}
